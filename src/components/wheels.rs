//! `wheels:` Python packages from their published wheels, installed by uv into the tree of `python`.

use super::{Component, Declared, Registration, python};
use crate::diagnostic::Problems;
use crate::plan::{Cache, Mount, Planner, Provided, RUN_DIR, Script, TextFile};
use crate::resolve::{Context, SourceArchive, pinned};
use crate::spec::{At, Fields, Node, Requirement, Span, checked, items};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "wheels", decode };

/// The installer. It is a tool of the build and not in the image.
const UV_VERSION: &str = "0.12.1";

const INSTALL: Script = Script { name: "wheels.sh", text: include_str!("scripts/wheels.sh") };

#[derive(Debug)]
struct WheelsSpec {
    requirements: Vec<At<Requirement>>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let mut fields = Fields::open("`wheels`", node, problems)?;
    let list = fields.require("requirements", "[numpy==2.2.6]", problems);
    let requirements = list.map(|list| {
        items("`requirements`", list, problems, |node, problems| {
            checked("a Python requirement", node, problems, Requirement::parse)
        })
    });
    fields.finish(problems);
    let mut requirements = requirements?;
    requirements.sort_by(|a, b| a.value.cmp(&b.value));
    Some(Box::new(WheelsSpec { requirements }))
}

impl Declared for WheelsSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        if !context.has(python::REGISTRATION.key) {
            problems.error_with_help(
                span,
                "`wheels` are installed into `python`, which the spec does not have",
                "add `python:` with a `version`",
            );
            return None;
        }
        let uv = pinned(&format!("uv-{}", context.facts.architecture), UV_VERSION, span);
        if uv.is_none() {
            problems.error_with_help(
                span,
                format!("there is no wheel installer for {}", context.facts.architecture),
                "build for linux/amd64 or linux/arm64",
            );
        }
        let requirements = self.requirements.iter().map(|r| r.value.to_string()).collect();
        Some(Box::new(Wheels { requirements, uv: uv? }))
    }
}

#[derive(Debug)]
struct Wheels {
    requirements: Vec<String>,
    uv: SourceArchive,
}

impl Component for Wheels {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let Some(interpreter) = planner.provided(python::REGISTRATION.key) else { return };
        let (interpreter, needs_root) = (interpreter.tree, interpreter.built_in);
        let uv = planner.source(&format!("uv {UV_VERSION}"), &self.uv);
        let text = self.requirements.iter().map(|r| format!("{r}\n")).collect();
        let file = TextFile { path: "/requirements.txt".to_owned(), mode: 0o644, text };
        let requirements = planner.files("[wheels] requirements".to_owned(), vec![file]);
        let base = planner.base();
        let mut run = planner.script(&INSTALL, base, Vec::new());
        let mount = |at: &str, from, part: &str| Mount { at: at.to_owned(), from, part: part.to_owned() };
        let (uv_dir, list_dir) = (format!("{RUN_DIR}/uv"), format!("{RUN_DIR}/wheels"));
        run.mounts.extend([
            mount(python::PREFIX, interpreter, python::PREFIX),
            mount(&uv_dir, uv, "/"),
            mount(&list_dir, requirements, "/"),
        ]);
        let cache = format!("{RUN_DIR}-uv-cache");
        let folder = self.uv.url.file_name().trim_end_matches(".tar.gz").to_owned();
        run.env.extend([
            ("PREFIX".to_owned(), python::PREFIX.to_owned()),
            ("PYTHON".to_owned(), format!("{}/bin/python3", python::PREFIX)),
            ("REQUIREMENTS".to_owned(), format!("{list_dir}/requirements.txt")),
            ("UV".to_owned(), format!("{uv_dir}/{folder}/uv")),
            ("UV_CACHE_DIR".to_owned(), cache.clone()),
        ]);
        run.caches.push(Cache { at: cache, id: "edgenode-uv".to_owned(), locked: false });
        run.network = true;
        let tree = planner.run("[wheels] install".to_owned(), span, run);
        planner.provide(Provided {
            name: REGISTRATION.key.to_owned(),
            version: format!("{} requirements", self.requirements.len()),
            tree,
            built_in: needs_root,
            path: Vec::new(),
            span,
        });
    }
}

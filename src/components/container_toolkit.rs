//! `nvidia_container_toolkit:` what lets the Docker Engine inside the image hand NVIDIA's devices to its containers, from
//! NVIDIA's archive of Debian packages, with the engine's setting that makes it a runtime called `nvidia`.

use super::debs::{Archive, Debs, Wanted, release_of};
use super::{Component, Declared, Registration, docker};
use crate::diagnostic::Problems;
use crate::plan::{Planner, Provided, TextFile};
use crate::resolve::{BaseFacts, Context};
use crate::spec::{At, Fields, Node, Span, Url, Value, Wish, checked, checked_version};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "nvidia_container_toolkit", decode };

const PACKAGE: &str = "nvidia-container-toolkit";

/// Where the Docker Engine reads its settings.
const SETTINGS: &str = "/etc/docker/daemon.json";

/// The setting of the Docker Engine. Source: what `nvidia-ctk runtime configure` writes.
const SETTING: &str = "{\n    \"runtimes\": {\n        \"nvidia\": {\n            \"args\": [],\n            \
                       \"path\": \"nvidia-container-runtime\"\n        }\n    }\n}\n";

#[derive(Debug)]
struct ToolkitSpec {
    version: At<Wish>,
    repository: Option<At<Url>>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if let Value::Scalar(_) = &node.value {
        let version = checked_version(node, problems, Wish::parse)?;
        return Some(Box::new(ToolkitSpec { version, repository: None }));
    }
    let mut fields = Fields::open("`nvidia_container_toolkit`", node, problems)?;
    let version = fields.require("version", "1.18.0", problems);
    let version = version.and_then(|n| checked_version(n, problems, Wish::parse));
    let repository = fields.take("repository").and_then(|n| checked("an address", n, problems, Url::parse));
    fields.finish(problems);
    Some(Box::new(ToolkitSpec { version: version?, repository }))
}

impl ToolkitSpec {
    /// The archive, which is the same for all distributions. Source: NVIDIA's manual.
    fn archive(&self, facts: &BaseFacts) -> Archive {
        match &self.repository {
            Some(url) => Archive::flat(url.value.as_str(), url.span),
            None => {
                let address =
                    format!("https://nvidia.github.io/libnvidia-container/stable/deb/{}", facts.architecture);
                Archive::flat(&address, self.version.span)
            }
        }
    }
}

impl Declared for ToolkitSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn indexes(&self, facts: &BaseFacts) -> Vec<At<String>> {
        vec![self.archive(facts).index]
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        let version = self.archive(context.facts).newest(PACKAGE, &self.version, context);
        (!version.is_empty()).then(|| (self.version.clone(), version))
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        if !context.has(docker::REGISTRATION.key) {
            problems.error_with_help(
                span,
                "the toolkit serves the Docker Engine inside the image, which the spec does not have",
                "add `docker: distribution`; for an engine outside, the toolkit belongs on the host",
            );
        }
        let archive = self.archive(context.facts);
        let version = archive.newest(PACKAGE, &self.version, context);
        let toolkit = Wanted {
            name: At::new(PACKAGE.to_owned(), self.version.span),
            fits: Box::new(|have| release_of(have) == version),
        };
        let debs = archive.select(&[toolkit], |_| false, context, problems)?;
        Some(Box::new(Toolkit { version, debs }))
    }
}

#[derive(Debug)]
struct Toolkit {
    version: String,
    debs: Debs,
}

impl Component for Toolkit {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let key = REGISTRATION.key;
        let unpacked = self.debs.plan(&format!("{key} {}", self.version), span, planner);
        planner.provide(Provided {
            records: Some(unpacked.records),
            packages: self.debs.selection.distribution.clone(),
            ..Provided::new(key, self.version.clone(), unpacked.tree, span)
        });
        let setting = TextFile { path: SETTINGS.to_owned(), mode: 0o644, text: SETTING.to_owned() };
        let tree = planner.files(format!("[{key}] setting"), vec![setting]);
        planner.provide(Provided::new("nvidia-container-setting", self.version.clone(), tree, span));
    }
}

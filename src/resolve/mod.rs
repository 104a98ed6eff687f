//! `Spec` + catalog + facts of the base image → [`Node`]: every version chosen, every source pinned, every conflict
//! reported. No LLB.

mod facts;
mod source;

pub use facts::{BaseFacts, OsRelease};
pub use source::{SourceArchive, SourceFields, pinned};

use std::collections::BTreeMap;

use crate::components::{Component, Declared, LargeWheel, PythonHome, System};
use crate::diagnostic::{Diagnostic, Problems};
use crate::spec::{At, Command, ImageSettings, Name, PlatformName, Spec, Status, Test, Version};

/// A spec in which nothing is left to choose.
#[derive(Debug)]
pub struct Node {
    /// What the node is called.
    pub name: At<Name>,
    /// How far the spec can be relied on, if it says so.
    pub status: Option<Status>,
    /// The base image's place in the spec, and what was read from it.
    pub base: At<BaseFacts>,
    /// The packages of the distribution.
    pub system: System,
    /// The components in the order of the registry.
    pub components: Vec<At<Box<dyn Component>>>,
    /// The wheels that are branches of their own; known once the Python requirements are resolved, empty before.
    pub large_wheels: Vec<LargeWheel>,
    /// What the image's configuration says.
    pub image: ImageSettings,
    /// Programs that run in the assembled image and may change it, in their order.
    pub commands: Vec<Command>,
    /// What must hold in the finished image.
    pub tests: Vec<Test>,
    /// What the user should know though it stops nothing.
    pub warnings: Vec<Diagnostic>,
}

/// What the choice depends on besides the spec and its base image.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The texts of the files that the spec [reads](Spec::reads), as far as they are there.
    pub files: BTreeMap<String, String>,
    /// The client's build arguments.
    pub build_args: BTreeMap<String, String>,
}

/// The build argument that lets an archived spec be built.
pub const ARCHIVED_ARG: &str = "EDGENODE_ARCHIVED";

/// Chooses versions and sources. All conflicts are reported at once.
pub fn resolve(spec: Spec, facts: BaseFacts, inputs: &Inputs) -> Result<Node, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    facts.check_supported(spec.base.span, &mut problems);
    let context = Context { facts: &facts, components: &spec.components, files: &inputs.files };
    check_platform(&spec.platforms, &facts, &mut problems);
    check_status(spec.status.as_ref(), inputs, &mut problems);
    let components: Vec<_> = spec
        .components
        .iter()
        .filter_map(|declared| {
            let component = declared.value.resolve(&context, declared.span, &mut problems)?;
            Some(At::new(component, declared.span))
        })
        .collect();
    if !spec.base.value.has_digest() {
        problems.warning(
            spec.base.span,
            format!("the base image `{}` is not pinned", spec.base),
            format!("today it is `{}`", facts.reference),
        );
    }
    problems.check(Some(()))?;
    Ok(Node {
        name: spec.name,
        status: spec.status.map(|status| status.value),
        base: At::new(facts, spec.base.span),
        system: spec.system,
        components,
        large_wheels: Vec::new(),
        image: spec.image,
        commands: spec.commands,
        tests: spec.tests,
        warnings: problems.into_warnings(),
    })
}

/// Reports a platform that the spec is not meant for.
fn check_platform(platforms: &[At<PlatformName>], facts: &BaseFacts, problems: &mut Problems) {
    let wanted = format!("linux/{}", facts.architecture);
    let Some(first) = platforms.first() else { return };
    if platforms.iter().all(|platform| platform.value.as_str() != wanted) {
        problems.error_with_help(
            first.span,
            format!("the spec is not meant for {wanted}"),
            format!("build it with `--platform {first}`, on a builder that can, or add the platform here"),
        );
    }
}

/// Says what it means to build a spec of this status; one that is archived is not built by accident.
fn check_status(status: Option<&At<Status>>, inputs: &Inputs, problems: &mut Problems) {
    let Some(status) = status else { return };
    let allowed = matches!(inputs.build_args.get(ARCHIVED_ARG).map(String::as_str), Some("true" | "1"));
    match status.value {
        Status::Production => {}
        Status::Experimental => {
            problems.warning(status.span, "the spec is experimental", "nodes in production do not run it");
        }
        Status::Archived if allowed => {
            problems.warning(status.span, "the spec is archived", "nobody looks after what it installs");
        }
        Status::Archived => problems.error_with_help(
            status.span,
            "the spec is archived, so it is not built by accident",
            format!("to build it all the same add `--build-arg {ARCHIVED_ARG}=true`"),
        ),
    }
}

/// What a component can look at when it chooses.
#[derive(Debug)]
pub struct Context<'a> {
    /// What was read from the base image.
    pub facts: &'a BaseFacts,
    components: &'a [At<Box<dyn Declared>>],
    files: &'a BTreeMap<String, String>,
}

impl Context<'_> {
    /// Whether the spec has the component.
    pub fn has(&self, key: &str) -> bool {
        self.components.iter().any(|component| component.value.key() == key)
    }

    /// The release of a component that the spec has.
    pub fn version(&self, key: &str) -> Option<&Version> {
        self.components.iter().find(|component| component.value.key() == key)?.value.version()
    }

    /// The text of a file of the base image that the spec inspects; `None` where there is no such file.
    pub fn base_file(&self, path: &str) -> Option<&str> {
        self.facts.files.get(path).map(String::as_str)
    }

    /// The Python of the spec.
    pub fn python_home(&self) -> Option<PythonHome> {
        self.components.iter().find_map(|component| component.value.python_home())
    }

    /// The major release of the CUDA libraries that a component of the spec brings.
    pub fn cuda(&self) -> Option<u32> {
        self.components.iter().find_map(|component| component.value.cuda(self))
    }

    /// The text of a file of the build context that the spec reads; `None` where there is no such file.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }
}

//! `python:` CPython built from its release archive into `/opt/python`, with a shared library and pip.
//!
//! The tree is self-contained: programs find `libpython` by their run path, so no `LD_LIBRARY_PATH` is needed.

use super::{Component, Declared, Registration};
use crate::diagnostic::Problems;
use crate::plan::{Planner, Provided, Script};
use crate::resolve::{Context, SourceArchive, SourceFields};
use crate::spec::{Fields, Node, Span, Version, boolean};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "python", decode };

/// Where it lies in the image.
pub(super) const PREFIX: &str = "/opt/python";

const BUILD: Script = Script { name: "python.sh", text: include_str!("scripts/python.sh") };

/// What its standard library is built with. The names are the same from Debian 12 and Ubuntu 22.04 on.
const BUILD_PACKAGES: [&str; 11] = [
    "libbz2-dev",
    "libffi-dev",
    "libgdbm-dev",
    "liblzma-dev",
    "libncurses-dev",
    "libreadline-dev",
    "libsqlite3-dev",
    "libssl-dev",
    "tk-dev",
    "uuid-dev",
    "zlib1g-dev",
];

#[derive(Debug)]
struct PythonSpec {
    source: SourceFields,
    optimize: bool,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let mut fields = Fields::open("`python`", node, problems)?;
    let source = SourceFields::decode(&mut fields, "3.13.5", problems);
    let optimize = fields.take("optimize").and_then(|n| boolean("`optimize`", n, problems));
    fields.finish(problems);
    let source = source?;
    let version = &source.version;
    if version.value.as_str().split('.').count() < 3 {
        problems.error_with_help(
            version.span,
            format!("`{version}` is a series of Python, not a release"),
            format!("name the release, such as `{version}.5`"),
        );
    }
    Some(Box::new(PythonSpec { source, optimize: optimize.is_some_and(|o| o.value) }))
}

/// The second number of a release of Python 3: 13 for `3.13.5`.
pub(super) fn series(version: &Version) -> Option<u32> {
    let mut parts = version.as_str().split('.');
    (parts.next() == Some("3")).then(|| parts.next()?.parse().ok()).flatten()
}

impl Declared for PythonSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn version(&self) -> Option<&Version> {
        Some(&self.source.version.value)
    }

    fn resolve(&self, _: &Context<'_>, _: Span, problems: &mut Problems) -> Option<Box<dyn Component>> {
        let source = self.source.resolve(REGISTRATION.key, problems)?;
        Some(Box::new(Python { source, optimize: self.optimize }))
    }
}

#[derive(Debug)]
struct Python {
    source: SourceArchive,
    optimize: bool,
}

impl Component for Python {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let label = format!("python {}", self.source.version);
        let root = planner.toolchain(&label, &BUILD_PACKAGES, span);
        let source = planner.source(&label, &self.source);
        let mut run = planner.compile(&BUILD, root, source, PREFIX);
        if self.optimize {
            run.env.push(("OPTIMIZE".to_owned(), "1".to_owned()));
        }
        let tree = planner.run(format!("[{label}] build"), span, run);
        planner.provide(Provided {
            built_in: Some(root),
            path: vec![format!("{PREFIX}/bin")],
            ..Provided::new(REGISTRATION.key, self.source.version.as_str(), tree, span)
        });
    }
}

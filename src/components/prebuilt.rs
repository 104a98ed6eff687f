//! What programs have in common that are published ready to run: they are fetched and put in their place.

use super::{Component, Declared};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::{Action, Part, Planner, Provided};
use crate::resolve::{Context, SourceArchive, SourceFields};
use crate::spec::{At, Node, Span, Wish};

/// A program that is published ready to run.
#[derive(Debug)]
pub(super) struct Program {
    /// Its field at the top of a spec; with the architecture behind it, its name in the catalog.
    pub key: &'static str,
    /// Whether an archive is published, or the program's file alone.
    pub archive: bool,
    /// What of the download goes where, given the download's name.
    pub parts: fn(&str) -> Vec<Part>,
    /// What it certainly has in `/usr/local/bin`.
    pub programs: &'static [&'static str],
    /// The distribution's packages that it needs. Their names are the same in all releases that are supported.
    pub packages: &'static [&'static str],
}

impl Program {
    /// Reads a version alone, or a mapping with `version`, `url`, `sha256`.
    pub(super) fn decode(&'static self, node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
        let source = SourceFields::decode_short(self.key, self.key, node, problems)?;
        Some(Box::new(ProgramSpec { program: self, source }))
    }
}

#[derive(Debug)]
struct ProgramSpec {
    program: &'static Program,
    source: SourceFields,
}

impl Declared for ProgramSpec {
    fn key(&self) -> &'static str {
        self.program.key
    }

    fn keep(&mut self, lock: &PlatformLock) {
        self.source.keep(self.program.key, self.program.key, lock);
    }

    fn installs(&self, _: &Context<'_>) -> Vec<String> {
        self.program.programs.iter().map(|name| format!("/usr/local/bin/{name}")).collect()
    }

    fn choice(&self, _: &Context<'_>) -> Option<(At<Wish>, String)> {
        Some((self.source.wish.clone(), self.source.version.to_string()))
    }

    fn resolve(&self, context: &Context<'_>, _: Span, problems: &mut Problems) -> Option<Box<dyn Component>> {
        let source = self.source.resolve_built(self.program.key, context, problems)?;
        Some(Box::new(Chosen { program: self.program, source }))
    }
}

#[derive(Debug)]
struct Chosen {
    program: &'static Program,
    source: SourceArchive,
}

impl Component for Chosen {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let program = self.program;
        let label = format!("{} {}", program.key, self.source.version);
        let from = if program.archive {
            planner.source(&label, &self.source)
        } else {
            planner.fetch(&label, &self.source)
        };
        let parts = (program.parts)(self.source.url.file_name());
        let tree = planner.step(format!("[{label}] put in place"), span, Action::Place { from, parts });
        planner.provide(Provided {
            packages: program.packages.iter().map(|&name| name.to_owned()).collect(),
            ..Provided::new(program.key, self.source.version.as_str(), tree, span)
        });
    }
}

//! `edgenode validate`: what is wrong with specs.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::load::{Archives, Loaded, lines, load};
use super::{Failure, Told};
use crate::diagnostic::{Diagnostic, Severity};
use crate::lint::lint;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The specs.
    #[arg(required = true)]
    specs: Vec<PathBuf>,
    /// The directory that paths in the specs count from.
    #[arg(long)]
    context: Option<PathBuf>,
    /// Fail where something could be better, too.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let mut found = Found::default();
    for path in &arguments.specs {
        match load(path, arguments.context.as_deref()) {
            Err(failure) => found.errors.add(failure.message.lines()),
            Ok(loaded) => found.check(&loaded),
        }
    }
    let Found { errors: Lines(errors), warnings: Lines(warnings), notes: Lines(notes) } = found;
    let lines = |kind: &str, lines: &[String]| -> String {
        lines.iter().map(|line| format!("{kind}: {line}\n")).collect()
    };
    let text = lines("error", &errors) + &lines("warning", &warnings) + &lines("note", &notes);
    let failed = !errors.is_empty() || (arguments.strict && !warnings.is_empty());
    let json = json!({"valid": errors.is_empty(), "errors": errors, "warnings": warnings, "notes": notes});
    Ok(Told { code: u8::from(failed), ..Told::new(text, json) })
}

/// Lines, each once: specs have files in common, and platforms have specs.
#[derive(Debug, Default)]
struct Lines(Vec<String>);

impl Lines {
    fn add<L: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = L>) {
        for line in lines {
            if !self.0.iter().any(|have| have == line.as_ref()) {
                self.0.push(line.as_ref().to_owned());
            }
        }
    }
}

/// What there is to say of specs.
#[derive(Debug, Default)]
struct Found {
    errors: Lines,
    warnings: Lines,
    /// What nobody looked at.
    notes: Lines,
}

impl Found {
    fn check(&mut self, loaded: &Loaded) {
        for finding in lint(&loaded.spec, loaded.lock_path().is_file()) {
            let file = &loaded.files[usize::from(finding.span.file).min(loaded.files.len() - 1)];
            let (rule, detail) = (finding.rule.id, &finding.detail);
            self.warnings.add([format!("{}:{}: {rule}: {detail}", file.display(), finding.span)]);
        }
        for architecture in loaded.architectures() {
            match loaded.resolved(&architecture, Archives::LeftOut) {
                Err(failure) => self.errors.add(failure.message.lines()),
                Ok(None) => self.notes.add(lines(&loaded.files, &[loaded.unknown()])),
                Ok(Some(resolved)) => {
                    let is_note = |found: &Diagnostic| found.severity == Severity::Note;
                    // What its status means is a rule of the linter's, which specs can ignore.
                    let status = loaded.spec.status.as_ref().map(|status| status.span);
                    let found = resolved.found.into_iter().filter(|found| Some(found.span) != status);
                    let (notes, warnings): (Vec<_>, Vec<_>) = found.partition(is_note);
                    self.notes.add(lines(&loaded.files, &notes));
                    self.warnings.add(lines(&loaded.files, &warnings));
                }
            }
        }
    }
}

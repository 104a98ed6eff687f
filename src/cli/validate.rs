//! `edgenode validate`: what is wrong with specs.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::load::{Archives, load};
use super::{Failure, Told};
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
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for path in &arguments.specs {
        match load(path, arguments.context.as_deref()) {
            Err(failure) => errors.extend(failure.message.lines().map(str::to_owned)),
            Ok(loaded) => {
                for finding in lint(&loaded.spec, loaded.lock_path().is_file()) {
                    let file = &loaded.files[usize::from(finding.span.file).min(loaded.files.len() - 1)];
                    let (rule, detail) = (finding.rule.id, &finding.detail);
                    let line = format!("{}:{}: {rule}: {detail}", file.display(), finding.span);
                    // What specs have in common is told once.
                    if !warnings.contains(&line) {
                        warnings.push(line);
                    }
                }
                for architecture in loaded.architectures() {
                    if let Err(failure) = loaded.plan(&architecture, Archives::Needed) {
                        errors.extend(failure.message.lines().map(str::to_owned));
                    }
                }
            }
        }
    }
    let lines = |kind: &str, lines: &[String]| -> String {
        lines.iter().map(|line| format!("{kind}: {line}\n")).collect()
    };
    let text = lines("error", &errors) + &lines("warning", &warnings);
    let json = json!({"valid": errors.is_empty(), "errors": errors, "warnings": warnings});
    let failed = !errors.is_empty() || (arguments.strict && !warnings.is_empty());
    Ok(Told { code: u8::from(failed), ..Told::new(text, json) })
}

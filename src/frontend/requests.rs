//! Answers to questions about a spec that build nothing: `docker buildx build --call …` and `--check`. Only the spec is
//! read, because editors ask at every keystroke. The shapes are those of BuildKit's `frontend/subrequests`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildkit_frontend::BuildResult;
use serde_json::{Value, json};

use super::sources::Sources;
use super::{MERGE_ARG, SPEC_TARGET};
use crate::lint::{Finding, lint};
use crate::resolve::ARCHIVED_ARG;
use crate::spec::{Span, Spec};

/// A question that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Which questions there are.
    Describe,
    /// What a build can be told.
    Outline,
    /// What can be built.
    Targets,
    /// What is wrong with the spec, or could be.
    Lint,
}

/// The questions: their ids, and what they are for.
const REQUESTS: [(&str, Request, &str); 4] = [
    ("frontend.subrequests.describe", Request::Describe, "List available subrequest types"),
    ("frontend.outline", Request::Outline, "List the build arguments of a spec"),
    ("frontend.targets", Request::Targets, "List all targets of a spec"),
    ("frontend.lint", Request::Lint, "Lint a spec"),
];

/// The version of all answers.
const VERSION: &str = "1.0.0";

impl Request {
    pub(super) fn parse(id: &str) -> Option<Self> {
        REQUESTS.iter().find(|(name, _, _)| *name == id).map(|(_, request, _)| *request)
    }
}

/// Which questions there are; needs no spec.
pub(super) fn describe() -> BuildResult {
    let rows: Vec<Value> = REQUESTS
        .iter()
        .map(|(name, _, description)| {
            json!({"name": name, "version": VERSION, "type": "rpc", "description": description,
                   "opts": null, "inputs": null, "metadata": [{"Name": "result.json"}, {"Name": "result.txt"}],
                   "refs": null})
        })
        .collect();
    let text = table(REQUESTS.iter().map(|(name, _, description)| {
        [name.trim_start_matches("frontend.").to_owned(), VERSION.to_owned(), (*description).to_owned()]
    }));
    answer(&json!(rows), &format!("NAME VERSION DESCRIPTION\n{text}"))
}

/// What a build of the spec can be told.
pub(super) fn outline(spec: &Spec, sources: &Sources) -> BuildResult {
    let args = [
        (ARCHIVED_ARG, "`true` builds a spec that is archived", "false"),
        (MERGE_ARG, "`false` lays components by copying, for builders whose merging is at fault", "true"),
    ];
    let rows: Vec<Value> = args
        .iter()
        .map(|(name, description, value)| json!({"name": name, "description": description, "value": value}))
        .collect();
    let text =
        table(args.iter().map(|(name, description, value)| [*name, *value, *description].map(str::to_owned)));
    let json = json!({"name": "image", "description": spec.name.to_string(), "args": rows, "secrets": [], "ssh": [],
                      "cache": [], "sources": data(sources)});
    answer(&json, &format!("TARGET: image\n\nBUILD ARG VALUE DESCRIPTION\n{text}"))
}

/// What can be built from the spec.
pub(super) fn targets(spec: &Spec, sources: &Sources) -> BuildResult {
    let base = spec.base.to_string();
    let mut targets = vec![
        json!({"name": "image", "default": true, "description": "The node's image", "base": base,
               "location": location(spec.name.span)}),
        json!({"name": SPEC_TARGET, "description": "The spec with all it extends"}),
        json!({"name": "test", "description": "The reports of the spec's tests"}),
    ];
    for component in &spec.components {
        targets.extend(component.value.targets().into_iter().map(|name| {
            json!({"name": name, "description": format!("The files of {name} alone"),
                   "location": location(component.span)})
        }));
    }
    let text = table(targets.iter().map(|target| {
        ["name", "description"].map(|field| target[field].as_str().unwrap_or_default().to_owned())
    }));
    answer(&json!({"targets": targets, "sources": data(sources)}), &format!("TARGET DESCRIPTION\n{text}"))
}

/// What could be wrong with the spec. What is wrong for certain ends the build as an error, in the same words.
pub(super) fn check(spec: &Spec, sources: &Sources) -> BuildResult {
    let findings = lint(spec);
    let warnings: Vec<Value> = findings
        .iter()
        .map(|Finding { rule, span, detail }| {
            json!({"ruleName": rule.name, "description": rule.description, "url": "", "detail": detail,
                   "location": location(*span)})
        })
        .collect();
    let infos: Vec<Value> = sources
        .files
        .iter()
        .map(|file| {
            json!({"filename": file.filename, "language": file.language, "data": STANDARD.encode(&file.data)})
        })
        .collect();
    let names = sources.names();
    let text: String = findings
        .iter()
        .map(|finding| {
            let name = names.get(usize::from(finding.span.file)).map_or("", String::as_str);
            format!("{name}:{}: {}: {}\n", finding.span, finding.rule.name, finding.detail)
        })
        .collect();
    let result = answer(&json!({"warnings": warnings, "sources": infos}), &text);
    if findings.is_empty() { result } else { result.metadata("result.statuscode", "1") }
}

fn answer(json: &Value, text: &str) -> BuildResult {
    BuildResult::empty()
        .metadata("result.json", json.to_string())
        .metadata("result.txt", text)
        .metadata("version", VERSION)
}

fn location(span: Span) -> Value {
    let position = |(line, character): (u32, u32)| json!({"line": line, "character": character});
    json!({"sourceIndex": span.file, "ranges": [{"start": position(span.start), "end": position(span.end)}]})
}

fn data(sources: &Sources) -> Vec<String> {
    sources.files.iter().map(|file| STANDARD.encode(&file.data)).collect()
}

/// Rows with their columns below each other.
fn table<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = rows.collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

//! Answers to questions about a spec that build nothing: `docker buildx build --call …` and `--check`. Only the spec is
//! read, because editors ask at every keystroke. The shapes are those of BuildKit's `frontend/subrequests`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildkit_frontend::BuildResult;
use buildkit_llb::Platform;
use serde_json::{Value, json};

use super::args::BUILD_ARGS;
use super::sources::Sources;
use super::targets::{Kind, available};
use crate::lint::{CheckOptions, Finding};
use crate::plan::Plan;
use crate::spec::{Secret, Span, Spec};
use crate::table::table;

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
    /// What would be installed, and where it comes from.
    Plan,
    /// Which line of the spec causes which steps.
    Explain,
    /// What a spec can say.
    Schema,
}

/// The questions: their ids, and what they are for.
const REQUESTS: [(&str, Request, &str); 7] = [
    ("frontend.subrequests.describe", Request::Describe, "List available subrequest types"),
    ("frontend.outline", Request::Outline, "List the build arguments of a spec"),
    ("frontend.targets", Request::Targets, "List all targets of a spec"),
    ("frontend.lint", Request::Lint, "Lint a spec"),
    (
        "frontend.plan",
        Request::Plan,
        "List the components of a spec, where they come from and what is pinned",
    ),
    ("frontend.explain", Request::Explain, "List the steps that each line of a spec causes"),
    ("frontend.schema", Request::Schema, "The JSON Schema of specs, for editors"),
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

/// The JSON Schema of specs; needs no spec.
pub(super) fn schema() -> BuildResult {
    let schema = crate::spec::schema::schema();
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    answer(&schema, &format!("{text}\n"))
}

/// What a build of the spec can be told.
pub(super) fn outline(spec: &Spec, target: &str, sources: &Sources) -> BuildResult {
    let own = spec.args.iter().map(|arg| {
        json!({"name": arg.name.value, "description": arg.description.as_deref().unwrap_or_default(),
               "value": arg.value, "location": location(arg.name.span)})
    });
    let common = BUILD_ARGS
        .iter()
        .map(|arg| json!({"name": arg.name, "description": arg.description, "value": arg.default}));
    let rows: Vec<Value> = own.chain(common).collect();
    let text = table(rows.iter().map(|row| {
        ["name", "value", "description"].map(|field| row[field].as_str().unwrap_or_default().to_owned())
    }));
    let row = |secret: &Secret| json!({"name": secret.id.to_string(), "required": !secret.optional, "location": location(secret.id.span)});
    let secrets: Vec<Value> = spec.all_secrets().into_iter().map(row).collect();
    let agents: Vec<Value> = spec.all_agents().into_iter().map(row).collect();
    let json = json!({"name": target, "description": spec.name.to_string(), "args": rows, "secrets": secrets, "ssh": agents, "cache": [],
                      "sources": data(sources)});
    answer(&json, &format!("BUILD_ARG VALUE DESCRIPTION\n{text}"))
}

/// What can be built from the spec.
pub(super) fn targets(spec: &Spec, sources: &Sources) -> BuildResult {
    let base = spec.base.to_string();
    let mut targets: Vec<Value> = available()
        .map(|target| {
            let mut row = json!({"name": target.name, "description": target.description});
            if target.kind == Kind::Image {
                row["default"] = json!(true);
                row["base"] = json!(base);
                row["location"] = location(spec.name.span);
            }
            row
        })
        .collect();
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

/// What could be better. What is wrong for certain ends the build as an error, in the same words.
pub(super) fn check(findings: &[Finding], sources: &Sources) -> BuildResult {
    let warnings: Vec<Value> = findings
        .iter()
        .map(|Finding { rule, span, detail }| {
            json!({"ruleName": rule.id, "description": rule.asks, "url": rule.page(), "detail": detail,
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
    let line = |finding: &Finding| {
        let place = sources.place(finding.span);
        format!("{place}: {}: {}\n", finding.rule.id, finding.detail)
    };
    let text: String = findings.iter().map(line).collect();
    let result = answer(&json!({"warnings": warnings, "sources": infos}), &text);
    if CheckOptions::fails(findings) { result.metadata("result.statuscode", "1") } else { result }
}

/// Answers from what would be done, for each platform.
pub(super) fn about(
    request: Request,
    platforms: &[Platform],
    plans: &[Plan],
    sources: &Sources,
) -> BuildResult {
    let about = if request == Request::Plan { components } else { causes };
    let (mut json, mut text) = (Vec::new(), String::new());
    for (platform, plan) in platforms.iter().zip(plans) {
        let (rows, words) = about(plan, sources);
        json.push(json!({"platform": platform.to_string(), "rows": rows}));
        text.push_str(&format!("{platform}\n{words}"));
    }
    let key = if request == Request::Plan { "plans" } else { "explanations" };
    answer(&json!({key: json, "sources": data(sources)}), &text)
}

/// The base image and the components: versions, and where they come from.
fn components(plan: &Plan, _: &Sources) -> (Vec<Value>, String) {
    let base = plan.base();
    let pinned = |pinned: bool| if pinned { "pinned" } else { "floating" }.to_owned();
    let mut rows = vec![json!({"name": "base", "version": base, "pinned": base.contains('@')})];
    let mut lines = vec![["base".to_owned(), base.to_owned(), pinned(base.contains('@')), String::new()]];
    for component in &plan.components {
        let Some(origin) = plan.origin(&component.name) else { continue };
        let mut row = origin.to_json();
        row["name"] = json!(component.name);
        row["version"] = json!(component.version);
        row["location"] = location(component.span);
        rows.push(row);
        let from = match origin.downloads.first() {
            _ if !origin.checkouts.is_empty() => {
                let checkouts =
                    origin.checkouts.iter().map(|(repository, commit)| format!("{repository}@{commit}"));
                checkouts.collect::<Vec<_>>().join(", ")
            }
            _ if origin.index => "package index".to_owned(),
            Some((url, _)) if origin.downloads.len() == 1 => url.clone(),
            Some((url, _)) => format!("{url} and {} more", origin.downloads.len() - 1),
            None if origin.packages.is_empty() => "the spec".to_owned(),
            None => "distribution".to_owned(),
        };
        lines.push([component.name.clone(), component.version.clone(), pinned(origin.pinned()), from]);
    }
    (rows, table(lines.into_iter()))
}

/// Why versions are what they are, and the places of the spec that cause steps, with the steps.
fn causes(plan: &Plan, sources: &Sources) -> (Vec<Value>, String) {
    let (mut rows, mut text, names) = (Vec::new(), String::new(), sources.names());
    for decision in plan.decisions.iter().map(|decision| decision.named(&names)) {
        let (component, version) = (decision.component, &decision.version);
        rows.push(json!({"location": location(decision.span), "file": sources.file_name(decision.span),
                         "component": component, "version": version, "because": decision.because}));
        text.push_str(&decision.to_text(&sources.place(decision.span)));
    }
    for (span, steps) in plan.by_place() {
        let named: Vec<_> =
            steps.iter().map(|step| json!({"name": step.name, "does": step.action.verb()})).collect();
        let file = sources.file_name(span);
        rows.push(json!({"location": location(span), "file": file, "steps": named}));
        text.push_str(&format!("  {}\n", sources.place(span)));
        for step in steps {
            text.push_str(&format!("    {} ({})\n", step.name, step.action.verb()));
        }
    }
    (rows, text)
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

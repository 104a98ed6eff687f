//! `edgenode plan`: the steps that a spec stands for.

use std::path::PathBuf;

use buildkit_llb::{Definition, Platform, Source, SourceFile};
use clap::Args;
use serde_json::json;

use super::load::{Archives, load, name, names};
use super::{Failure, Told};
use crate::lower::{Target, lower};
use crate::plan::Step;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The spec.
    spec: PathBuf,
    /// The directory that paths in the spec count from.
    #[arg(long)]
    context: Option<PathBuf>,
    /// What it is built for; the first of the spec's platforms by default.
    #[arg(long)]
    platform: Option<String>,
    /// Show the graph that BuildKit gets, in a form to read.
    #[arg(long)]
    llb: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let loaded = load(&arguments.spec, arguments.context.as_deref())?;
    let platform = match &arguments.platform {
        Some(platform) => platform.clone(),
        None => format!("linux/{}", loaded.architectures()[0]),
    };
    let platform = Platform::parse(&platform).map_err(|error| Failure::new(error.to_string()))?;
    let base = loaded.spec.base.to_string();
    let Some(plan) = loaded.plan(&platform.architecture, Archives::Read)? else {
        return Err(Failure::new(format!(
            "what `{base}` has is known to a builder only; `docker buildx build --target spec` shows the merged spec"
        )));
    };
    if arguments.llb {
        let base = Source::image(&base).platform(&platform).output();
        let target = Target::new(&platform, base, Source::local("context").output());
        let image = lower(&plan, &target).output(plan.image);
        // The text form numbers the files; there is no need for what is in them.
        let files = vec![SourceFile::default(); usize::from(u8::MAX)];
        let definition =
            Definition::marshal(&image, &files).map_err(|error| Failure::new(error.to_string()))?;
        let text = definition.to_text();
        return Ok(Told::new(text.clone(), json!({"llb": text})));
    }
    let names = names(&loaded.files);
    let step = |step: &Step| {
        let (name, does, file) = (&step.name, step.action.verb(), name(&names, step.span));
        json!({"name": name, "does": does, "file": file, "line": step.span.start.0})
    };
    let steps: Vec<_> = plan.steps.iter().map(step).collect();
    let text = plan.graph_text();
    Ok(Told::new(text, json!({"platform": platform.to_string(), "image": plan.image.0, "steps": steps})))
}

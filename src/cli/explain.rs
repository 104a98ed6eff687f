//! `edgenode explain`: why components have the versions that they have.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::load::{Archives, load, name, names};
use super::{Failure, Told};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The spec.
    spec: PathBuf,
    /// One component of it, such as `torch`; all by default.
    component: Option<String>,
    /// The directory that paths in the spec count from.
    #[arg(long)]
    context: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let loaded = load(&arguments.spec, arguments.context.as_deref())?;
    let platform = loaded.spec.platforms.first().map(|platform| platform.to_string());
    let architecture = platform.as_deref().and_then(|platform| platform.strip_prefix("linux/"));
    let architecture = architecture.unwrap_or("amd64").to_owned();
    let base = loaded.spec.base.to_string();
    let Some(plan) = loaded.plan(&architecture, Archives::LeftOut)? else {
        return Err(Failure::new(format!(
            "what `{base}` has is known to a builder only; ask it: `docker buildx build --call explain`"
        )));
    };
    let wanted = |name: &str| arguments.component.as_deref().is_none_or(|component| component == name);
    let names = names(&loaded.files);
    let decisions = plan.decisions.iter().filter(|decision| wanted(decision.component));
    let decisions: Vec<_> = decisions.map(|decision| decision.named(&names)).collect();
    if let (Some(component), []) = (&arguments.component, decisions.as_slice()) {
        let known: Vec<_> = plan.decisions.iter().map(|decision| decision.component).collect();
        return Err(Failure::new(format!(
            "nothing was chosen for `{component}`; there are decisions about {}",
            if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
        )));
    }
    let text = decisions.iter().map(|decision| decision.to_text(&decision.span.told(&names)));
    let json = decisions.iter().map(|decision| {
        json!({"component": decision.component, "version": decision.version, "file": name(&names, decision.span),
               "line": decision.span.start.0, "because": decision.because})
    });
    Ok(Told::new(text.collect::<String>(), json.collect()))
}

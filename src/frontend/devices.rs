//! Devices of the builder that a spec's commands and tests name: what is wrong with them is told at the step's line.

use std::collections::BTreeSet;

use buildkit_frontend::{Error, Gateway};

use super::sources::Sources;
use super::targets::Kind;
use crate::plan::{Action, Plan, Step, StepId};

/// What a builder says that can give steps its devices.
pub(super) const CAP: &str = "exec.meta.cdi";

/// The steps of a target that need a device, and its name: commands, and tests where those run.
pub(super) fn wanted(plan: &Plan, target: Kind) -> Vec<(&Step, &str)> {
    let with_tests = match target {
        Kind::Image => plan.require_tests,
        Kind::Tests | Kind::Report => true,
        Kind::Sbom => false,
        _ => return Vec::new(),
    };
    let tests: BTreeSet<_> = plan.tests.iter().filter_map(|test| test.program).collect();
    let steps = plan.steps.iter().enumerate();
    let steps = steps.filter(|(number, _)| with_tests || !tests.contains(&StepId(*number)));
    steps.flat_map(|(_, step)| required(step).map(move |device| (step, device))).collect()
}

fn required(step: &Step) -> impl Iterator<Item = &str> {
    let devices = match &step.action {
        Action::Run(run) => run.devices.as_slice(),
        _ => &[],
    };
    devices.iter().filter(|device| !device.optional).map(|device| device.name.as_str())
}

/// Refuses what needs a device on a builder that has none to give: it would take no notice of the wish.
pub(super) fn check(gateway: &Gateway, sources: &Sources, wanted: &[(&Step, &str)]) -> Result<(), Error> {
    let Some((step, device)) = wanted.first().filter(|_| !gateway.caps().llb(CAP)) else { return Ok(()) };
    let message = format!(
        "{} needs the device `{device}`, and this builder gives steps none; BuildKit does from 0.20 on",
        step.name
    );
    Err(sources.locate(Error::user(message), step.span))
}

/// Says where a device is named that BuildKit refuses before any step runs, and how it is allowed.
pub(super) fn explain(error: Error, sources: &Sources, wanted: &[(&Step, &str)]) -> Error {
    let text = error.to_string();
    let Some((step, device)) = wanted.iter().find(|(_, device)| text.contains(device)) else { return error };
    let help = if text.contains("not allowed") {
        format!("{} needs the device `{device}`: add `--allow device={device}`", step.name)
    } else {
        format!("{} needs the device `{device}`", step.name)
    };
    sources.locate(error.context(&help), step.span)
}

//! A spec's whole way from text to LLB without a daemon, for every kind of builder.

use std::collections::BTreeMap;

use buildkit_llb::{Definition, Meta, Output, Platform, Source, SourceFile, merge};
use edgenode::diagnostic::Diagnostic;
use edgenode::lower::{Target, lower};
use edgenode::plan::{Plan, StepId, plan};
use edgenode::resolve::{BaseFacts, Inputs, OsRelease, PackageIndex, resolve};
use edgenode::spec::Spec;

/// What builders can do or not: merge trees, and give devices.
pub(crate) const BUILDERS: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

/// A base image in which nothing is inspected.
pub(crate) fn debian(architecture: &str) -> BaseFacts {
    BaseFacts {
        reference: format!("docker.io/library/debian:13@sha256:{}", "0".repeat(64)),
        architecture: architecture.to_owned(),
        os_release: OsRelease::parse("ID=debian\nVERSION_ID=13\nVERSION_CODENAME=trixie\n"),
        env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        files: BTreeMap::new(),
        layers: 1,
    }
}

/// Chooses and plans. Whatever the archive, it has what NVIDIA's has; files of the context are those that are given.
pub(crate) fn planned(
    spec: Spec,
    facts: BaseFacts,
    files: BTreeMap<String, String>,
) -> Result<Plan, Vec<Diagnostic>> {
    let index = PackageIndex::parse(include_str!("../data/packages"));
    let indexes = spec.indexes(&facts).into_iter().map(|address| (address.value, index.clone())).collect();
    let build_args = [("EDGENODE_ARCHIVED".to_owned(), "true".to_owned())].into();
    let inputs = Inputs { files, build_args, indexes, ..Inputs::default() };
    Ok(plan(&resolve(spec, facts, &inputs)?))
}

/// All steps of a plan as one graph, for a builder that can merge and give devices or not.
pub(crate) fn graph(
    plan: &Plan,
    architecture: &str,
    (can_merge, can_give_devices): (bool, bool),
) -> Definition {
    let platform = Platform::parse(&format!("linux/{architecture}")).expect("a platform");
    let paths = plan.context_paths().unwrap_or_default();
    let base = Source::image("base").platform(&platform).output();
    let context = Source::local("context").follow_paths(&paths).output();
    let target = Target { can_merge, can_give_devices, ..Target::new(&platform, base, context) };
    let lowered = lower(plan, &target);
    let outputs: Vec<Output> = (0..plan.steps.len()).map(|step| lowered.output(StepId(step))).collect();
    let files = vec![SourceFile::default(); 8];
    Definition::marshal(&merge(&outputs, Meta::named("all")), &files).expect("a valid graph")
}

//! End-to-end tests: real BuildKit, buildx and registry, as `tests/env/up` starts them. `make e2e` runs them.

#![expect(clippy::expect_used, reason = "helpers of tests")]

mod bad_input;
mod builders;
mod change_contract;
mod checks;
mod components;
mod conformance;
mod contexts;
mod crates;
mod engine;
mod entrypoint;
mod errors;
mod families;
mod faults;
mod graph;
mod harness;
mod indexes;
mod libraries;
mod lock;
mod media_node;
mod mirrors;
mod nvidia;
mod readme;
mod release;
mod remote;
mod repositories;
mod requests;
mod rootless;
mod sbom;
mod trust;
mod wheel_sources;
mod wheels;
mod workflows;

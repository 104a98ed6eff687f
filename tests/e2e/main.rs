//! End-to-end tests: real BuildKit, buildx and registry, as `tests/env/up` starts them. `make e2e` runs them.

#![expect(clippy::expect_used, reason = "helpers of tests")]

mod bad_input;
mod change_contract;
mod components;
mod contexts;
mod crates;
mod entrypoint;
mod families;
mod graph;
mod harness;
mod media_node;
mod readme;
mod requests;
mod wheels;

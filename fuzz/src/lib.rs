//! The targets of `tests/support/targets.rs`, for libFuzzer.

#![forbid(unsafe_code)]
#![allow(dead_code, clippy::expect_used, reason = "shared with tests that use more of it")]

#[path = "../../tests/support/generate.rs"]
mod generate;
#[path = "../../tests/support/targets.rs"]
mod targets;
#[path = "../../tests/support/whole_way.rs"]
mod whole_way;

/// Gives an input to a target.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = targets::TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    target(data);
}

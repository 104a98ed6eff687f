//! From a short spec of an AI edge node to LLB, in four steps:
//! [`spec`] reads it, [`resolve`] chooses, [`plan`](mod@plan) arranges, [`lower`](mod@lower) writes LLB; [`frontend`] talks to BuildKit.

pub mod catalog;
#[cfg(feature = "cli")]
pub mod cli;
pub mod components;
pub mod diagnostic;
pub mod frontend;
pub mod lint;
pub mod lock;
pub mod lower;
pub mod mirror;
pub mod plan;
pub mod report;
pub mod resolve;
pub mod sbom;
pub mod spec;
mod suggest;
mod table;

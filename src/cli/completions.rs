//! `edgenode completions`: what a shell completes.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use super::{Cli, Failure, Told};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "edgenode", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(Told::new(script.clone(), json!({"script": script})))
}

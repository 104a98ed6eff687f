//! The command line: what is done with specs and images around a build. One file for each command.

mod bake;
mod catalog;
mod completions;
mod diff;
mod explain;
mod import;
mod init;
mod load;
mod lock;
mod plan;
mod registry;
mod retag;
mod tags;
mod validate;
mod versions;
mod vulnerabilities;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// A BuildKit frontend that builds AI edge-node images from a short spec, and what is done around it.
///
/// To build, put `# syntax=ratio1/edgenode:1` on the first line of a spec and run
/// `docker buildx build -f node.yaml .`; nothing needs to be installed for that.
#[derive(Debug, Parser)]
#[command(name = "edgenode", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Write JSON to standard output.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is wrong with specs, and what could be better.
    Validate(validate::Arguments),
    /// Say the tag of the image of a spec, or of one in a registry.
    Tags(tags::Arguments),
    /// Give an image in a registry the tag that its versions make, without pulling it.
    Retag(retag::Arguments),
    /// Write a bake file for all specs of a directory.
    Bake(bake::Arguments),
    /// Have a builder write the lock beside a spec.
    Lock(lock::Arguments),
    /// Show the steps that a spec stands for.
    Plan(plan::Arguments),
    /// Show what is known of what goes together: versions, GPUs, drivers, with sources and dates.
    Catalog(catalog::Arguments),
    /// Say why components have the versions that they have.
    Explain(explain::Arguments),
    /// Say in which versions two specs, locks or images differ, how many bytes are new, and which known vulnerabilities.
    Diff(diff::Arguments),
    /// Write a first spec from a Dockerfile.
    Import(import::Arguments),
    /// Write a first spec.
    Init(init::Arguments),
    /// Write the completions of a shell.
    Completions(completions::Arguments),
}

/// Why a command came to nothing. Its exit code is 1, unless it says otherwise.
#[derive(Debug)]
struct Failure {
    message: String,
    code: u8,
}

/// The exit code where something is refused that `--force` would do.
const REFUSED: u8 = 3;
/// The exit code where a registry cannot be reached or does not do what it is asked for.
const REGISTRY: u8 = 4;

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What asks servers for something.
fn runtime() -> Result<Runtime, Failure> {
    // Whoever is second to choose the implementation of TLS has the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(format!("no server can be asked: {error}")))
}

/// An error with all that is below it.
fn causes(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |error| error.source());
    below.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What a command tells: for people, and for machines.
#[derive(Debug)]
struct Told {
    text: String,
    json: Value,
    code: u8,
}

impl Told {
    fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, code: 0 }
    }
}

/// Runs the command that the arguments of the process name. Exit codes: 0 done, 1 something is wrong with what was
/// given, 2 the arguments are wrong, 3 refused without `--force`, 4 a registry is at fault.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // There is nobody else to tell when the streams are closed.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let told = match cli.command {
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Tags(arguments) => tags::run(&arguments),
        Command::Retag(arguments) => retag::run(&arguments),
        Command::Bake(arguments) => bake::run(&arguments),
        Command::Lock(arguments) => lock::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Catalog(arguments) => catalog::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    match told {
        Ok(told) => {
            let text = if cli.json { format!("{:#}\n", told.json) } else { told.text };
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::from(told.code)
        }
        Err(failure) => {
            if cli.json {
                let json = serde_json::json!({"error": failure.message});
                let _ = std::io::stdout().write_all(format!("{json:#}\n").as_bytes());
            }
            let _ = std::io::stderr().write_all(format!("edgenode: {failure}\n").as_bytes());
            ExitCode::from(failure.code)
        }
    }
}

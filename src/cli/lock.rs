//! `edgenode lock`: has a builder write the lock beside a spec. Versions are chosen where packages are installed, on the
//! builder, so this only finds the client and tells it what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use super::load::{load, parent};
use super::{Failure, Told};
use crate::lock::{LOCK_TARGET, UPDATE_ARG, UPDATE_TARGET};

/// Docker's plugin, or buildx by itself.
const CLIENTS: [&[&str]; 3] = [&["docker", "buildx"], &["docker-buildx"], &["buildx"]];
const NO_CLIENT: &str =
    "there is no `docker buildx` here, nor `docker-buildx` or `buildx` by itself; install Docker's buildx";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The spec.
    spec: PathBuf,
    /// The directory that paths in it count from; else the nearest above it that has what it extends.
    #[arg(long)]
    context: Option<PathBuf>,
    /// Take newer versions, of these (joined by commas) or of everything.
    #[arg(long, value_name = "NAMES", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    update: Option<String>,
    /// Say what would be run, and run nothing.
    #[arg(long)]
    dry_run: bool,
    /// More arguments for `docker buildx build`, such as `--builder`.
    #[arg(last = true)]
    more: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let loaded = load(&arguments.spec, arguments.context.as_deref())?;
    let lock = loaded.lock_path();
    let client = match client() {
        None if arguments.dry_run => CLIENTS[0],
        client => client.ok_or_else(|| Failure::new(NO_CLIENT))?,
    };
    let words: Vec<String> =
        client.iter().map(|word| (*word).to_owned()).chain(build(arguments, &loaded.context)).collect();
    let told = |text: String| Told::new(text, json!({"lock": lock, "command": words}));
    if arguments.dry_run {
        return Ok(told(format!("{}\n", words.join(" "))));
    }
    let status = Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(told(format!("{}\n", lock.display()))),
        Ok(_) => Err(Failure::new(format!("{} is as it was: the build failed, see above", lock.display()))),
        Err(error) => Err(Failure::new(format!("{} does not start: {error}", words[0]))),
    }
}

/// What the client is told.
fn build(arguments: &Arguments, context: &Path) -> Vec<String> {
    let target = if arguments.update.is_some() { UPDATE_TARGET } else { LOCK_TARGET };
    let mut words = vec!["build".to_owned(), "--target".to_owned(), target.to_owned()];
    let names = arguments.update.as_ref().filter(|names| !names.is_empty());
    words.extend(
        names.into_iter().flat_map(|names| ["--build-arg".to_owned(), format!("{UPDATE_ARG}={names}")]),
    );
    for (option, path) in [("--output", parent(&arguments.spec)), ("--file", arguments.spec.clone())] {
        words.extend([option.to_owned(), path.display().to_string()]);
    }
    words.extend(arguments.more.iter().cloned());
    words.push(context.display().to_string());
    words
}

/// The first of the clients that is on this machine.
fn client() -> Option<&'static [&'static str]> {
    let answers = |words: &&&[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    CLIENTS.iter().find(answers).copied()
}

//! `edgenode init`: a first spec, by flags.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Failure, REFUSED, Told};
use crate::spec::parse;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the node is called.
    #[arg(default_value = "node")]
    name: String,
    /// The Debian or Ubuntu image that it stands on.
    #[arg(long, default_value = "debian:13")]
    base: String,
    /// A release of Python.
    #[arg(long)]
    python: Option<String>,
    /// A release of torch.
    #[arg(long, requires = "python")]
    torch: Option<String>,
    /// The wheel channel of torch: `cpu`, `cu128`, …
    #[arg(long, default_value = "cpu")]
    channel: String,
    /// A release of FFmpeg, with the usual codecs of the distribution.
    #[arg(long)]
    ffmpeg: Option<String>,
    /// A Docker Engine inside.
    #[arg(long)]
    docker: bool,
    /// Packages of the distribution.
    #[arg(long, value_delimiter = ',')]
    packages: Vec<String>,
    /// Python requirements.
    #[arg(long, value_delimiter = ',', requires = "python")]
    requirements: Vec<String>,
    /// The file to write, which must not be there yet; standard output by default.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let text = spec(arguments);
    // What the flags say is checked like any spec.
    parse(&text).map_err(|found| {
        let lines: Vec<_> = found
            .iter()
            .map(|found| format!("{}: {}", found.message, found.help.as_deref().unwrap_or("")))
            .collect();
        Failure::new(lines.join("\n"))
    })?;
    let Some(path) = &arguments.output else { return Ok(Told::new(text.clone(), json!({"spec": text}))) };
    if path.exists() {
        return Err(Failure::new(format!("{} is there already", path.display())).code(REFUSED));
    }
    fs::write(path, text)
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))?;
    let told = format!("{0}: build it with `docker buildx build -f {0} .`\n", path.display());
    Ok(Told::new(told, json!({"written": path})))
}

/// A text in quotes, as YAML and JSON have it.
pub(super) fn quote(text: &str) -> String {
    json!(text).to_string()
}

/// A list in one line.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", "))
}

fn spec(arguments: &Arguments) -> String {
    let mut text = format!(
        "# syntax=ratio1/edgenode:1\nname: {}\nbase: {}\n",
        quote(&arguments.name),
        quote(&arguments.base)
    );
    let mut suites = Vec::new();
    if let Some(version) = &arguments.python {
        text.push_str(&format!("\npython: {{version: {}}}\n", quote(version)));
        suites.push("node");
    }
    if let Some(version) = &arguments.torch {
        text.push_str(&format!(
            "torch: {{version: {}, channel: {}}}\n",
            quote(version),
            quote(&arguments.channel)
        ));
        suites.push("cpu");
    }
    if let Some(version) = &arguments.ffmpeg {
        let codecs = "aom: distribution, mp3lame: distribution, opus: distribution, vpx: distribution, \
                      x264: distribution, x265: distribution";
        text.push_str(&format!("ffmpeg:\n  version: {}\n  libraries: {{{codecs}}}\n", quote(version)));
        suites.push("media");
    }
    if arguments.docker {
        text.push_str("docker: distribution\n");
    }
    if !arguments.requirements.is_empty() {
        text.push_str(&format!("wheels:\n  requirements: {}\n", list(&arguments.requirements)));
    }
    if !arguments.packages.is_empty() {
        text.push_str(&format!("\nsystem:\n  packages: {}\n", list(&arguments.packages)));
    }
    match suites.as_slice() {
        [] => text.push_str("\ntests:\n  - {name: is-an-image, files: [/etc/os-release]}\n"),
        suites => text.push_str(&format!("\nsuites: [{}]\n", suites.join(", "))),
    }
    text
}

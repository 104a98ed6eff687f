//! `edgenode import`: a first spec from a Dockerfile. What no field says is told in comments, not guessed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::init::{list, quote};
use super::{Failure, Told};
use crate::spec::{DebianPackage, ImageReference, Requirement};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The Dockerfile.
    dockerfile: PathBuf,
    /// What the node is called.
    #[arg(long, default_value = "imported")]
    name: String,
}

/// What was read so far.
#[derive(Debug, Default)]
struct Import {
    base: Option<String>,
    variables: BTreeMap<String, String>,
    packages: Vec<String>,
    requirements: Vec<String>,
    files: Vec<(String, String)>,
    env: Vec<(String, String)>,
    labels: Vec<(String, String)>,
    lines: Vec<String>,
    notes: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let path = &arguments.dockerfile;
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    let mut import = Import::default();
    for (line, instruction) in instructions(&text) {
        import.take(line, &instruction);
    }
    if import.base.is_none() {
        return Err(Failure::new(format!("{} has no FROM", path.display())));
    }
    let spec = import.spec(&arguments.name);
    Ok(Told::new(spec.clone(), json!({"spec": spec, "notes": import.notes})))
}

/// The instructions with their line numbers; lines that go on are joined.
fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (begin, mut joined) = open.take().unwrap_or((number + 1, String::new()));
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        joined.push_str(part.trim());
        joined.push(' ');
        if goes_on {
            open = Some((begin, joined));
        } else {
            all.push((begin, joined.trim().to_owned()));
        }
    }
    all.extend(open);
    all
}

/// The words of a line, without their quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                any = true;
            }
            (None, c) if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (_, c) => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

impl Import {
    /// Puts the values of `ARG` and `ENV` in.
    fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The longest first, so that no name is taken for the beginning of another.
        let mut names: Vec<_> = self.variables.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            let value = &self.variables[name];
            text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
        }
        text
    }

    fn note(&mut self, line: usize, text: &str) {
        let mut text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.len() > 110 {
            text = text.chars().take(109).collect::<String>() + "…";
        }
        self.notes.push(format!("line {line}: {text}"));
    }

    fn take(&mut self, line: usize, instruction: &str) {
        let (name, rest) = instruction.split_once(char::is_whitespace).unwrap_or((instruction, ""));
        let rest = self.expand(rest.trim());
        match name.to_ascii_uppercase().as_str() {
            "FROM" => self.from(line, &rest),
            "ARG" => {
                if let Some((name, value)) = rest.split_once('=') {
                    self.variables.insert(name.to_owned(), words(value).join(" "));
                }
            }
            "ENV" => {
                for (name, value) in pairs(&rest) {
                    self.variables.insert(name.clone(), value.clone());
                    if name != "DEBIAN_FRONTEND" {
                        self.env.retain(|(have, _)| *have != name);
                        self.env.push((name, value));
                    }
                }
            }
            "LABEL" => self.labels.extend(pairs(&rest)),
            "WORKDIR" => self.set("workdir", quote(&rest)),
            "USER" => self.set("user", quote(&rest)),
            "STOPSIGNAL" => self.set("stop_signal", quote(&rest)),
            "EXPOSE" => self.set("ports", list(&words(&rest))),
            "VOLUME" => self.set("volumes", list(&arguments(&rest))),
            "ENTRYPOINT" => self.set("entrypoint", list(&arguments(&rest))),
            "CMD" => self.set("cmd", list(&arguments(&rest))),
            "COPY" | "ADD" => self.copy(line, &rest),
            "RUN" => {
                for command in rest.split("&&").flat_map(|part| part.split(';')) {
                    self.command(line, command.trim());
                }
            }
            _ => self.note(line, instruction),
        }
    }

    fn set(&mut self, key: &str, value: String) {
        let start = format!("{key}: ");
        self.lines.retain(|line| !line.starts_with(&start));
        self.lines.push(format!("{start}{value}"));
    }

    /// Only the last stage becomes the image.
    fn from(&mut self, line: usize, rest: &str) {
        let image = rest.split_whitespace().find(|word| !word.starts_with("--")).unwrap_or_default();
        if let Some(before) = self.base.take() {
            self.note(
                line,
                &format!("another stage begins here; the stage on {before} was read into the same spec"),
            );
        }
        if ImageReference::parse(image).is_err() {
            self.note(line, &format!("FROM {rest}"));
        }
        self.base = Some(image.to_owned());
    }

    fn copy(&mut self, line: usize, rest: &str) {
        let words = words(rest);
        let plain = words.iter().all(|word| !word.starts_with("--") && !word.contains(['*', '?']));
        match words.as_slice() {
            [from, to]
                if plain
                    && to.starts_with('/')
                    && !from.starts_with('/')
                    && !from.contains("..")
                    && from != "." =>
            {
                // What is in a directory is copied into the other; a file keeps its name in one.
                let name = from.rsplit('/').next().unwrap_or_default();
                let to = match to.strip_suffix('/') {
                    Some(directory) if name.contains('.') => format!("{directory}/{name}"),
                    Some(directory) => directory.to_owned(),
                    None => to.clone(),
                };
                let from = from.trim_start_matches("./").trim_end_matches('/').to_owned();
                self.files.push((from, to));
            }
            _ => self.note(line, &format!("COPY {rest}")),
        }
    }

    fn command(&mut self, line: usize, command: &str) {
        let all = words(command);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        match all.as_slice() {
            [] | ["set", ..] | ["apt-get" | "apt", "update" | "clean" | "autoremove" | "upgrade", ..] => {}
            ["rm", "-rf", paths @ ..]
                if paths.iter().all(|path| path.starts_with("/var/lib/apt") || path.starts_with("/tmp")) => {}
            ["apt-get" | "apt", rest @ ..] if rest.contains(&"install") => {
                for package in rest.iter().filter(|word| !word.starts_with('-') && **word != "install") {
                    match DebianPackage::parse(package) {
                        Ok(package) => self.packages.push(package.to_string()),
                        Err(_) => self.note(line, &format!("the package {package}")),
                    }
                }
            }
            ["pip" | "pip3", "install", rest @ ..]
            | ["uv", "pip", "install", rest @ ..]
            | ["python" | "python3", "-m", "pip", "install", rest @ ..] => self.pip(line, rest),
            _ => self.note(line, &format!("RUN {command}")),
        }
    }

    fn pip(&mut self, line: usize, words: &[&str]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--index-url" | "--extra-index-url" | "-i" | "-f" | "--find-links" | "-r"
                | "--requirement" | "-c" => {
                    let value = words.next().copied().unwrap_or_default();
                    self.note(
                        line,
                        &format!("pip's {word} {value}; see `torch`, `wheels.files` and `wheels.indexes`"),
                    );
                }
                option if option.starts_with('-') => {}
                requirement => match Requirement::parse(requirement) {
                    Ok(requirement) => self.requirements.push(requirement.to_string()),
                    Err(_) => self.note(line, &format!("the requirement {requirement}")),
                },
            }
        }
    }

    fn spec(&mut self, name: &str) -> String {
        let base = self.base.clone().unwrap_or_default();
        let mut text = format!(
            "# syntax=ratio1/edgenode:1\n# A first spec; what it lacks stands at the end.\nname: {}\nbase: {}\n",
            quote(name),
            quote(&base)
        );
        for list in [&mut self.packages, &mut self.requirements] {
            list.sort();
            list.dedup();
        }
        if !self.packages.is_empty() {
            text.push_str("\nsystem:\n  packages:\n");
            text.extend(self.packages.iter().map(|package| format!("    - {}\n", quote(package))));
        }
        if !self.requirements.is_empty() {
            // Packages need a Python that the spec has; which one is the user's to say.
            text.push_str("\npython: {version: 3.13.5}\nwheels:\n  requirements:\n");
            text.extend(
                self.requirements.iter().map(|requirement| format!("    - {}\n", quote(requirement))),
            );
            self.notes.push("the Python is not the Dockerfile's: see `python`".to_owned());
        }
        if !self.files.is_empty() {
            text.push_str("\nfiles:\n");
            let line =
                |(from, to): &(String, String)| format!("  - {{from: {}, to: {}}}\n", quote(from), quote(to));
            text.extend(self.files.iter().map(line));
        }
        for (key, pairs) in [("env", &self.env), ("labels", &self.labels)] {
            if !pairs.is_empty() {
                text.push_str(&format!("\n{key}:\n"));
                text.extend(
                    pairs.iter().map(|(name, value)| format!("  {}: {}\n", quote(name), quote(value))),
                );
            }
        }
        text.push('\n');
        text.extend(self.lines.iter().map(|line| format!("{line}\n")));
        if !self.notes.is_empty() {
            text.push_str("\n# Not carried over:\n");
            text.extend(self.notes.iter().map(|note| format!("#   {note}\n")));
        }
        text
    }
}

/// `A=b C="d e"`, or the old form `A b`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let words = words(text);
    if let Some((name, value)) = text.split_once(char::is_whitespace)
        && !name.contains('=')
    {
        return vec![(name.to_owned(), value.trim().to_owned())];
    }
    words.iter().filter_map(|word| word.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// The arguments of an instruction in JSON, or in words, which a shell reads.
fn arguments(text: &str) -> Vec<String> {
    match serde_json::from_str(text) {
        Ok(arguments) => arguments,
        Err(_) if text.starts_with('/') && !text.contains(' ') => vec![text.to_owned()],
        Err(_) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    const DOCKERFILE: &str = r#"
ARG VERSION=2.2.6
FROM ubuntu:24.04
ENV TZ=Etc/UTC NAME="two words" DEBIAN_FRONTEND=noninteractive
# A comment
RUN apt-get update && apt-get install -y --no-install-recommends \
      curl \
      # in between
      git=1:2.43.0-1 && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir numpy==${VERSION} "pyyaml>=6.0" --index-url https://example.org/simple
RUN curl -fsSL https://example.org/install.sh | sh
COPY app/ /app/
COPY entrypoint.sh /usr/local/bin/
COPY --from=other /x /y
WORKDIR /app
EXPOSE 8080 53/udp
ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
CMD bash -l
"#;

    #[test]
    fn a_dockerfile_becomes_a_spec() {
        let mut import = Import::default();
        for (line, instruction) in instructions(DOCKERFILE) {
            import.take(line, &instruction);
        }
        let text = import.spec("node");
        insta::assert_snapshot!(text);
        parse(&text).expect("what is written can be read");
    }
}

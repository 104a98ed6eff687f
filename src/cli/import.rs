//! `edgenode import`: a first spec from a Dockerfile. What no field says is told in comments, not guessed.

mod dockerfile;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use self::dockerfile::{instructions, items, pairs, split, value};
use super::init::{list, quote};
use super::load::values;
use super::{Failure, Told};
use crate::resolve::{LINKS_TO_USR, link_of};
use crate::spec::{
    ContextPath, DebianPackage, Duration, EnvName, ImagePath, ImageReference, Name, Port, Requirement,
    Signal, User,
};

/// Ports that a range may have; more are told, not written out.
const MAX_PORTS: usize = 100;
/// What `ADD` unpacks. Source: the compressions that BuildKit knows.
const ARCHIVES: [&str; 9] =
    [".tar", ".tar.bz2", ".tar.gz", ".tar.xz", ".tar.zst", ".tbz2", ".tgz", ".txz", ".tzst"];

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
    /// The last `FROM`, where it names no image.
    no_base: Option<String>,
    /// The arguments before the first stage, which all stages can use.
    arguments: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    /// The stages that have a name, with their base images.
    stages: BTreeMap<String, (String, Settings)>,
    stage: Option<String>,
    packages: Vec<String>,
    requirements: Vec<String>,
    files: Vec<(String, String)>,
    settings: Settings,
    notes: Vec<String>,
}

/// What the image's configuration says. It is that of the last stage, and of those that it stands on.
#[derive(Clone, Debug, Default)]
struct Settings {
    env: Vec<(String, String)>,
    labels: Vec<(String, String)>,
    workdir: Option<String>,
    ports: Vec<String>,
    volumes: Vec<String>,
    lines: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let path = &arguments.dockerfile;
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    if let Err(help) = Name::parse(&arguments.name) {
        return Err(Failure::new(format!("`{}` is not a name; {help}", arguments.name)));
    }
    let (spec, notes) = import(&text, &arguments.name)
        .map_err(|message| Failure::new(format!("{}{message}", path.display())))?;
    Ok(Told::new(spec.clone(), json!({"spec": spec, "notes": notes})))
}

/// The spec of a Dockerfile and what it lacks. An error goes on behind the file's name.
fn import(text: &str, name: &str) -> Result<(String, Vec<String>), String> {
    if text.contains('\0') {
        return Err(" is not a text file: it has NUL in it".to_owned());
    }
    let mut import = Import::default();
    for (line, instruction) in instructions(text) {
        import.take(line, &instruction);
    }
    match (&import.base, &import.no_base) {
        (_, Some(message)) => Err(message.clone()),
        (None, None) => Err(" has no FROM; a spec needs a base image".to_owned()),
        (Some(_), None) => {
            let spec = import.spec(name);
            Ok((spec, import.notes))
        }
    }
}

/// Whether a value as the spec has it is what its place takes, for some platform.
fn fits<T>(parse: fn(&str) -> Result<T, String>, text: &str) -> bool {
    let predefined = values("amd64").predefined;
    let put_in =
        |text: String, (name, value): (&String, &String)| text.replace(&format!("${{{name}}}"), value);
    parse(&predefined.iter().fold(text.to_owned(), put_in).replace("$${", "${")).is_ok()
}

/// The ports of `8080`, `53/udp` or `8000-8010`, one by one; none where it is something else.
fn ports(text: &str) -> Vec<String> {
    let (range, protocol) = text.split_once('/').map_or((text, ""), |(range, protocol)| (range, protocol));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { return Vec::new() };
    let behind =
        if protocol.is_empty() { String::new() } else { format!("/{}", protocol.to_ascii_lowercase()) };
    let ports: Vec<_> = (first..=last).map(|port| format!("{port}{behind}")).collect();
    let good = ports.len() <= MAX_PORTS && ports.iter().all(|port| Port::parse(port).is_ok());
    if good { ports } else { Vec::new() }
}

impl Import {
    /// What a word stands for.
    fn value(&self, word: &str) -> Option<String> {
        value(word, &self.variables).ok()
    }

    fn note(&mut self, line: usize, text: &str) {
        let plain = text.replace(char::is_control, " ");
        let mut text: String = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().count() > 110 {
            text = text.chars().take(109).collect::<String>() + "…";
        }
        self.notes.push(format!("line {line}: {text}"));
    }

    fn take(&mut self, line: usize, instruction: &str) {
        let (name, rest) = instruction.split_once(char::is_whitespace).unwrap_or((instruction, ""));
        let rest = rest.trim();
        let name = name.to_ascii_uppercase();
        match name.as_str() {
            "FROM" => self.from(line, rest),
            "ARG" => self.arg(rest),
            "ENV" => self.env(line, rest),
            "LABEL" => self.labels(line, rest),
            "RUN" => self.run(line, rest),
            // Variables are put into these by a shell in the container, if at all.
            "ENTRYPOINT" => self.set("entrypoint", list(&arguments(rest))),
            "CMD" => self.set("cmd", list(&arguments(rest))),
            _ => {
                let carried = match name.as_str() {
                    "WORKDIR" => self.workdir(rest),
                    "USER" => self.user(rest),
                    "STOPSIGNAL" => self.stop_signal(rest),
                    "HEALTHCHECK" => self.healthcheck(rest),
                    "EXPOSE" => self.expose(rest),
                    "VOLUME" => self.volumes(rest),
                    "COPY" | "ADD" => self.copy(&name, rest),
                    _ => None,
                };
                if carried.is_none() {
                    self.note(line, instruction);
                }
            }
        }
    }

    fn set(&mut self, key: &str, value: String) {
        self.unset(key);
        self.settings.lines.push(format!("{key}: {value}"));
    }

    fn unset(&mut self, key: &str) {
        let start = format!("{key}: ");
        self.settings.lines.retain(|line| !line.starts_with(&start));
    }

    /// Only the last stage becomes the image.
    fn from(&mut self, line: usize, rest: &str) {
        self.keep_stage();
        let words: Vec<_> = split(rest).into_iter().filter(|word| !word.starts_with("--")).collect();
        let image = words.first().and_then(|word| self.value(word)).unwrap_or_default();
        match self.base.take() {
            Some(before) => self.note(
                line,
                &format!(
                    "another stage begins here; what the one on {before} installs was read into the same spec"
                ),
            ),
            None => self.arguments = self.variables.clone(),
        }
        self.variables = self.arguments.clone();
        let (base, settings) = self.stages.get(&image).cloned().unwrap_or((image, Settings::default()));
        self.variables.extend(settings.env.iter().cloned());
        self.settings = settings;
        self.stage = match words.as_slice() {
            [_, word, name, ..] if word.eq_ignore_ascii_case("as") => Some(name.clone()),
            _ => None,
        };
        let message =
            format!(":{line}: `FROM {rest}` names no image that can be known; give its argument a default");
        self.no_base = (!fits(ImageReference::parse, &base)).then_some(message);
        self.base = Some(base);
    }

    /// Keeps what a stage came to, for those that stand on it.
    fn keep_stage(&mut self) {
        if let (Some(stage), Some(base)) = (&self.stage, &self.base) {
            self.stages.insert(stage.clone(), (base.clone(), self.settings.clone()));
        }
    }

    fn arg(&mut self, rest: &str) {
        let predefined = values("amd64").predefined;
        for word in split(rest) {
            let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(n, d)| (n, Some(d)));
            let value = if predefined.contains_key(name) {
                // The spec knows it as well, by the same name.
                Some(format!("${{{name}}}"))
            } else {
                default.and_then(|default| self.value(default))
            };
            if let Some(value) = value.or_else(|| self.arguments.get(name).cloned()) {
                self.variables.insert(name.to_owned(), value);
            }
        }
    }

    fn env(&mut self, line: usize, rest: &str) {
        // All of an instruction see what was there before it.
        let before = self.variables.clone();
        for (name, word) in pairs(rest) {
            self.settings.env.retain(|(have, _)| *have != name);
            self.variables.remove(&name);
            match value(&word, &before) {
                Ok(value) if EnvName::parse(&name).is_ok() => {
                    self.variables.insert(name.clone(), value.clone());
                    if name != "DEBIAN_FRONTEND" {
                        self.settings.env.push((name, value));
                    }
                }
                _ => self.note(line, &format!("ENV {name}={word}")),
            }
        }
    }

    fn labels(&mut self, line: usize, rest: &str) {
        for (key, word) in pairs(rest) {
            match (self.value(&key), self.value(&word)) {
                // Nothing is put into keys.
                (Some(key), Some(value)) if !key.is_empty() && !key.contains("${") => {
                    self.settings.labels.retain(|(have, _)| *have != key);
                    self.settings.labels.push((key, value));
                }
                _ => self.note(line, &format!("LABEL {key}={word}")),
            }
        }
    }

    fn workdir(&mut self, rest: &str) -> Option<()> {
        let path = self.value(rest).and_then(|path| self.absolute(&path));
        let path = path.filter(|path| fits(ImagePath::parse, path));
        self.settings.workdir.clone_from(&path);
        self.unset("workdir");
        self.set("workdir", quote(&path?));
        Some(())
    }

    /// A path as it is from the working directory; none where only the base image says which that is.
    fn absolute(&self, path: &str) -> Option<String> {
        let below = if path.starts_with('/') { "" } else { self.settings.workdir.as_deref()? };
        let mut parts = Vec::new();
        for part in below.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        Some(format!("/{}", parts.join("/")))
    }

    fn user(&mut self, rest: &str) -> Option<()> {
        self.unset("user");
        let user = self.value(rest).filter(|user| fits(User::parse, user))?;
        self.set("user", quote(&user));
        Some(())
    }

    fn stop_signal(&mut self, rest: &str) -> Option<()> {
        self.unset("stop_signal");
        let signal = Signal::parse_any(&self.value(rest)?).ok()?;
        self.set("stop_signal", quote(signal.as_str()));
        Some(())
    }

    fn healthcheck(&mut self, rest: &str) -> Option<()> {
        self.unset("healthcheck");
        let (mut fields, mut rest) = (BTreeMap::new(), rest);
        while let Some(option) = rest.strip_prefix("--") {
            let (option, behind) = option.split_once(char::is_whitespace)?;
            let (name, value) = option.split_once('=')?;
            let (key, good) = match name {
                "interval" | "timeout" => (name, Duration::parse(value).is_ok()),
                "start-period" => ("start_period", Duration::parse(value).is_ok()),
                "retries" => (name, value.parse::<u16>().is_ok()),
                _ => return None,
            };
            fields.insert(key, value);
            rest = good.then_some(behind.trim_start())?;
        }
        let (word, program) = rest.split_once(char::is_whitespace)?;
        let program = arguments(program.trim());
        if !word.eq_ignore_ascii_case("cmd") || program.is_empty() {
            return None;
        }
        let fields = fields.into_iter().map(|(key, value)| format!(", {key}: {}", quote(value)));
        self.set("healthcheck", format!("{{run: {}{}}}", list(&program), fields.collect::<String>()));
        Some(())
    }

    fn expose(&mut self, rest: &str) -> Option<()> {
        let words: Option<Vec<_>> = split(rest).iter().map(|word| self.value(word)).collect();
        let ranges: Vec<_> = words?.iter().map(|word| ports(word)).collect();
        if ranges.iter().any(Vec::is_empty) {
            return None;
        }
        for port in ranges.concat() {
            if !self.settings.ports.contains(&port) {
                self.settings.ports.push(port);
            }
        }
        self.set("ports", list(&self.settings.ports));
        Some(())
    }

    fn volumes(&mut self, rest: &str) -> Option<()> {
        let volumes: Option<Vec<_>> = items(rest).iter().map(|word| self.value(word)).collect();
        let volumes = volumes?;
        if !volumes.iter().all(|volume| fits(ImagePath::parse, volume)) {
            return None;
        }
        for volume in volumes {
            if !self.settings.volumes.contains(&volume) {
                self.settings.volumes.push(volume);
            }
        }
        self.set("volumes", list(&self.settings.volumes));
        Some(())
    }

    /// Takes all that an instruction copies, or nothing.
    fn copy(&mut self, name: &str, rest: &str) -> Option<()> {
        let words = items(rest);
        if words.iter().any(|word| word.starts_with("--") || word.starts_with("<<")) {
            return None;
        }
        let words: Option<Vec<_>> = words.iter().map(|word| self.value(word)).collect();
        let words = words?;
        let (to, sources) = words.split_last()?;
        let place = self.absolute(to)?;
        let is_directory = matches!(to.rsplit('/').next(), Some("" | "." | ".."))
            || LINKS_TO_USR.contains(&place.trim_end_matches('/'))
            || self.settings.workdir.as_ref() == Some(&place);
        let place = behind_links(place);
        let is_of_programs = matches!(place.trim_end_matches('/').rsplit('/').next(), Some("bin" | "sbin"));
        if sources.is_empty() || (sources.len() > 1 && !is_directory) {
            return None;
        }
        let file = |from: &String| {
            let is_archive = ARCHIVES.iter().any(|ending| from.ends_with(ending));
            if name == "ADD" && (is_archive || from.contains("://") || from.starts_with("git@")) {
                return None;
            }
            let from = from.trim_start_matches("./").trim_matches('/').to_owned();
            // What is in a directory is copied into the other; a file keeps its name in one, and so do programs.
            let name = from.rsplit('/').next().unwrap_or_default();
            let to = match is_directory && (is_of_programs || name.contains('.')) {
                true => format!("{}/{name}", place.trim_end_matches('/')),
                false => place.clone(),
            };
            (fits(ContextPath::parse, &from) && fits(ImagePath::parse, &to)).then_some((from, to))
        };
        for file in sources.iter().map(file).collect::<Option<Vec<_>>>()? {
            if !self.files.contains(&file) {
                self.files.push(file);
            }
        }
        Some(())
    }

    fn run(&mut self, line: usize, rest: &str) {
        if rest.starts_with("<<") {
            self.note(line, &format!("RUN {rest}"));
            return;
        }
        for command in rest.split("&&").flat_map(|part| part.split(';')) {
            self.command(line, command.trim());
        }
    }

    fn command(&mut self, line: usize, command: &str) {
        let words = split(command);
        let is_operator = |word: &String| word.starts_with(['|', '&', '<', '>']) || word.starts_with("2>");
        let all: Option<Vec<_>> = words.iter().map(|word| self.value(word)).collect();
        let Some(all) = all.filter(|_| !words.iter().any(is_operator)) else {
            self.note(line, &format!("RUN {command}"));
            return;
        };
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        match all.as_slice() {
            [] | ["set", ..] | ["apt-get" | "apt", "update" | "clean" | "autoremove" | "upgrade", ..] => {}
            ["rm", "-rf", paths @ ..]
                if paths.iter().all(|path| path.starts_with("/var/lib/apt") || path.starts_with("/tmp")) => {}
            ["apt-get" | "apt", rest @ ..] if rest.contains(&"install") => {
                self.apt(line, rest);
            }
            ["pip" | "pip3", "install", rest @ ..]
            | ["uv", "pip", "install", rest @ ..]
            | ["python" | "python3", "-m", "pip", "install", rest @ ..] => self.pip(line, rest),
            _ => self.note(line, &format!("RUN {command}")),
        }
    }

    fn apt(&mut self, line: usize, words: &[&str]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "-t" | "--target-release" | "-o" | "--option" | "-c" | "--config-file" => {
                    let value = words.next().copied().unwrap_or_default();
                    self.note(line, &format!("apt's {word} {value}"));
                }
                "install" => {}
                option if option.starts_with('-') => {}
                package => match DebianPackage::parse(package) {
                    Ok(package) => self.packages.push(package.to_string()),
                    Err(_) => self.note(line, &format!("the package {package}")),
                },
            }
        }
    }

    fn pip(&mut self, line: usize, words: &[&str]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--index-url" | "--extra-index-url" | "-i" | "-f" | "--find-links" | "-r"
                | "--requirement" | "-c" | "--constraint" | "-e" | "--editable" | "-t" | "--target"
                | "--prefix" | "--root" | "--python" | "--platform" | "--timeout" | "--retries"
                | "--cache-dir" | "--trusted-host" | "--progress-bar" => {
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
        self.requirements.sort();
        self.requirements.dedup();
        // A package without its version comes first, and gives way to one with it.
        let package = |text: &String| text.split('=').next().unwrap_or_default().to_owned();
        self.packages.sort_by_key(|text| (package(text), text.clone()));
        self.packages.reverse();
        self.packages.dedup_by_key(|text| package(text));
        self.packages.reverse();
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
        for (key, pairs) in [("env", &self.settings.env), ("labels", &self.settings.labels)] {
            if !pairs.is_empty() {
                text.push_str(&format!("\n{key}:\n"));
                text.extend(
                    pairs.iter().map(|(name, value)| format!("  {}: {}\n", quote(name), quote(value))),
                );
            }
        }
        text.push('\n');
        text.extend(self.settings.lines.iter().map(|line| format!("{line}\n")));
        if !self.notes.is_empty() {
            text.push_str("\n# Not carried over:\n");
            text.extend(self.notes.iter().map(|note| format!("#   {note}\n")));
        }
        text
    }
}

/// The arguments of an instruction in JSON, or in words, which a shell reads.
fn arguments(text: &str) -> Vec<String> {
    match serde_json::from_str(text) {
        Ok(arguments) => arguments,
        Err(_)
            if text.starts_with('/')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) =>
        {
            vec![text.to_owned()]
        }
        Err(_) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()],
    }
}

/// The place that a path means in an image: Dockerfiles write through the distribution's links, specs do not.
fn behind_links(path: String) -> String {
    match link_of(&path, &LINKS_TO_USR) {
        Some(_) => format!("/usr{path}"),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load::{Archives, load};
    use proptest::prelude::*;

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
        insta::assert_snapshot!(imported(DOCKERFILE));
    }

    /// The spec of a Dockerfile, which is checked as `edgenode validate` does it.
    fn imported(dockerfile: &str) -> String {
        let (text, _) = import(dockerfile, "node").expect("imported");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("node.yaml");
        fs::write(&path, &text).expect("written");
        let told = |failure: Failure| panic!("{dockerfile}\n{text}\n{failure}");
        let loaded = load(&path, None).unwrap_or_else(told);
        loaded.resolved("amd64", Archives::LeftOut).map_err(told).expect("told");
        text
    }

    #[test]
    fn what_is_carried_over_is_written_as_specs_have_it() {
        for (instructions, expected) in [
            ("COPY a b.txt /d/", "  - {from: \"a\", to: \"/d\"}\n  - {from: \"b.txt\", to: \"/d/b.txt\"}\n"),
            (
                "WORKDIR /srv\nCOPY requirements.txt .",
                "{from: \"requirements.txt\", to: \"/srv/requirements.txt\"}",
            ),
            ("COPY [\"a b\", \"/c\"]", "{from: \"a b\", to: \"/c\"}"),
            (
                "ARG TARGETARCH\nCOPY bin-${TARGETARCH} /bin/x",
                "{from: \"bin-${TARGETARCH}\", to: \"/usr/bin/x\"}",
            ),
            ("COPY a.rules /lib/", "{from: \"a.rules\", to: \"/usr/lib/a.rules\"}"),
            ("WORKDIR /bin\nCOPY a.sh b.sh .", "{from: \"b.sh\", to: \"/usr/bin/b.sh\"}"),
            ("COPY a /library", "to: \"/library\""),
            ("COPY run /bin", "{from: \"run\", to: \"/usr/bin/run\"}"),
            ("COPY run /usr/local/bin/", "to: \"/usr/local/bin/run\""),
            ("ARG TARGETARCH=arm64\nENV A=$TARGETARCH", "\"A\": \"${TARGETARCH}\""),
            ("ENV A='${B}' C=\\$D", "\"A\": \"$${B}\"\n  \"C\": \"$D\""),
            ("ENV PATH=/a\nENV PATH=$PATH:/b", "\"PATH\": \"/a:/b\""),
            ("ENV A=b\nENV A=c D=$A", "\"A\": \"c\"\n  \"D\": \"b\""),
            ("LABEL \"a b\"=\"c\" d=e\nLABEL d=f", "\"a b\": \"c\"\n  \"d\": \"f\"\n"),
            ("LABEL a b c", "\"a\": \"b c\""),
            ("USER 1000:1000", "user: \"1000:1000\""),
            ("WORKDIR /srv/x\nWORKDIR ../app", "workdir: \"/srv/app\""),
            (
                "EXPOSE 8000-8002 53/udp\nEXPOSE 8001 90",
                "ports: [\"8000\", \"8001\", \"8002\", \"53/udp\", \"90\"]",
            ),
            ("STOPSIGNAL 15", "stop_signal: \"SIGTERM\""),
            ("STOPSIGNAL RTMIN+3", "stop_signal: \"SIGRTMIN+3\""),
            (
                "HEALTHCHECK --interval=1m --retries=3 CMD curl -f http://localhost/ || exit 1",
                "healthcheck: {run: [\"/bin/sh\", \"-c\", \"curl -f http://localhost/ || exit 1\"], interval: \"1m\", retries: \"3\"}",
            ),
            ("HEALTHCHECK CMD [\"true\"]", "healthcheck: {run: [\"true\"]}"),
            ("VOLUME /a /b\nVOLUME [\"/c\"]", "volumes: [\"/a\", \"/b\", \"/c\"]"),
            ("ARG A=1\nCMD [\"sh\", \"-c\", \"echo $A\"]", "cmd: [\"sh\", \"-c\", \"echo $A\"]"),
            ("CMD /bin/$A", "cmd: [\"/bin/sh\", \"-c\", \"/bin/$A\"]"),
            (
                "RUN apt-get install -y curl curl-x && apt-get install -y curl=1.2 bc",
                "    - \"bc\"\n    - \"curl=1.2\"\n    - \"curl-x\"\n\n",
            ),
        ] {
            let text = imported(&format!("FROM debian:13\n{instructions}\n"));
            assert!(text.contains(expected), "{instructions}: {expected:?} is not in {text}");
            assert!(!text.contains("# Not carried over"), "{text}");
        }
    }

    #[test]
    fn what_a_spec_cannot_say_is_told() {
        for (instructions, told) in [
            ("ADD https://example.org/y.tgz /z", "line 2: ADD https://example.org/y.tgz /z"),
            ("ADD a.tar.gz /z", "line 2: ADD a.tar.gz /z"),
            ("COPY <<EOF /x\nUSER no\nEOF", "line 2: COPY <<EOF /x"),
            ("RUN <<EOF\nUSER no\nEOF", "line 2: RUN <<EOF"),
            ("COPY a b", "line 2: COPY a b"),
            ("COPY . /x", "line 2: COPY . /x"),
            ("COPY *.py /x/", "line 2: COPY *.py /x/"),
            ("VOLUME data", "line 2: VOLUME data"),
            ("ENV PATH=/opt/x:$PATH", "line 2: ENV PATH=/opt/x:$PATH"),
            ("ENV X=${FOO}", "line 2: ENV X=${FOO}"),
            ("ENV X=${FOO:-a}", "line 2: ENV X=${FOO:-a}"),
            ("ENV A-B=c", "line 2: ENV A-B=c"),
            ("LABEL =c", "line 2: LABEL =c"),
            ("WORKDIR app", "line 2: WORKDIR app"),
            ("USER a:b:c", "line 2: USER a:b:c"),
            ("HEALTHCHECK NONE", "line 2: HEALTHCHECK NONE"),
            ("HEALTHCHECK --interval=1.5s CMD a", "line 2: HEALTHCHECK --interval=1.5s CMD a"),
            ("USER a\nUSER $B", "line 3: USER $B"),
            ("EXPOSE 1-65535", "line 2: EXPOSE 1-65535"),
            ("EXPOSE $PORT", "line 2: EXPOSE $PORT"),
            ("STOPSIGNAL 99", "line 2: STOPSIGNAL 99"),
            ("RUN apt-get install -y curl || true", "line 2: RUN apt-get install -y curl || true"),
            ("SHELL [\"bash\"]", "line 2: SHELL [\"bash\"]"),
        ] {
            let text = imported(&format!("FROM debian:13\n{instructions}\n"));
            let (carried, noted) = text.split_once("# Not carried over:\n").unwrap_or_default();
            assert_eq!(noted, format!("#   {told}\n"), "{instructions}");
            assert_eq!(carried.lines().filter(|line| !line.is_empty()).count(), 4, "{carried}");
        }
    }

    #[test]
    fn the_last_stage_says_what_the_image_is() {
        let text = imported(
            "ARG V=13\nFROM debian:$V AS below\nENV A=b\nUSER x\nFROM golang:1 AS build\nENV C=d\nWORKDIR /src\nFROM below\nUSER y\nENV E=$A\n",
        );
        assert!(
            text.contains("base: \"debian:13\"\n\nenv:\n  \"A\": \"b\"\n  \"E\": \"b\"\n\nuser: \"y\"\n"),
            "{text}"
        );
        for (dockerfile, expected) in [
            ("RUN x\n", " has no FROM; a spec needs a base image"),
            ("FROM $B\n", ":1: `FROM $B` names no image that can be known; give its argument a default"),
            ("\0", " is not a text file: it has NUL in it"),
        ] {
            assert_eq!(import(dockerfile, "node").expect_err("refused"), expected);
        }
    }

    /// What made-up lines begin with.
    const NAMES: [&str; 17] = [
        "ADD a",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "ENV A=",
        "EXPOSE",
        "FROM debian:13 AS",
        "HEALTHCHECK",
        "LABEL",
        "RUN apt-get install",
        "RUN pip install",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ];

    proptest! {
        #[test]
        fn what_is_written_is_valid(lines in prop::collection::vec((0..NAMES.len(), "[a-z$/:.= \"'\\\\{}A0-9*~-]{0,16}"), 0..8)) {
            let lines: Vec<_> = lines.iter().map(|(name, rest)| format!("{} {rest}\n", NAMES[*name])).collect();
            imported(&format!("FROM debian:13\n{}", lines.concat()));
        }
    }
}

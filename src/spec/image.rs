//! The fields that only touch the image's configuration, never its files.

use super::{
    At, Duration, EnvName, Fields, ImagePath, Node, Port, Signal, User, checked, entries, items, text,
};
use crate::diagnostic::Problems;

/// What a container of the image starts with. Absent fields keep what the base image says.
#[derive(Clone, Debug, Default)]
pub struct ImageSettings {
    /// Environment variables, sorted by name.
    pub env: Vec<(At<EnvName>, At<String>)>,
    /// Where the entrypoint starts.
    pub workdir: Option<At<ImagePath>>,
    /// Who runs the entrypoint.
    pub user: Option<At<User>>,
    /// The program, as arguments.
    pub entrypoint: Option<Vec<At<String>>>,
    /// Its default arguments.
    pub cmd: Option<Vec<At<String>>>,
    /// Labels, sorted by key.
    pub labels: Vec<(At<String>, At<String>)>,
    /// Directories that containers keep outside of the image, sorted.
    pub volumes: Vec<ImagePath>,
    /// Ports that its programs listen on, sorted.
    pub ports: Vec<Port>,
    /// What ends the program.
    pub stop_signal: Option<Signal>,
    /// How a runtime finds out that the program works.
    pub healthcheck: Option<Healthcheck>,
}

/// A program whose success says that the container works.
#[derive(Clone, Debug)]
pub struct Healthcheck {
    /// Program and arguments; no shell reads them.
    pub run: Vec<At<String>>,
    /// Time from one run to the next.
    pub interval: Option<Duration>,
    /// Time that a run may take.
    pub timeout: Option<Duration>,
    /// Time in which failures do not count.
    pub start_period: Option<Duration>,
    /// Failures in a row that count.
    pub retries: Option<u16>,
}

impl Healthcheck {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("`healthcheck`", node, problems)?;
        let example = "[curl, -fsS, 'http://127.0.0.1/']";
        let run = fields.require("run", example, problems);
        let run = run.map(|node| {
            let run = argument_list("`run`", node, problems);
            if run.is_empty() {
                let help = format!("for example `run: {example}`, or leave `healthcheck` out");
                problems.error_with_help(node.span, "`healthcheck` has no program", help);
            }
            run
        });
        let mut time = |key, problems: &mut Problems| {
            let time = fields.take(key).and_then(|node| checked("a time", node, problems, Duration::parse));
            time.map(|time| time.value)
        };
        let (interval, timeout) = (time("interval", problems), time("timeout", problems));
        let start_period = time("start_period", problems);
        let retries = fields.take("retries").and_then(|node| {
            checked("a number of failures", node, problems, |text| {
                text.parse::<u16>().map_err(|_| "write a number such as `3`".to_owned())
            })
        });
        fields.finish(problems);
        let retries = retries.map(|retries| retries.value);
        Some(Self { run: run?, interval, timeout, start_period, retries })
    }
}

impl ImageSettings {
    /// Takes the fields of the image's configuration out of the spec's fields.
    pub fn decode(fields: &mut Fields<'_>, problems: &mut Problems) -> Self {
        let mut env = match fields.take("env") {
            Some(node) => entries("`env`", node, problems, |key, value, problems| {
                let name = checked_key(key, problems)?;
                Some((name, value_text("the value of a variable", value, problems)?))
            }),
            None => Vec::new(),
        };
        env.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
        let mut labels = match fields.take("labels") {
            Some(node) => entries("`labels`", node, problems, |key, value, problems| {
                let value = value_text("the value of a label", value, problems);
                Some((label_key(key, problems)?, value?))
            }),
            None => Vec::new(),
        };
        labels.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
        let mut volumes = list_of("volumes", "a directory", ImagePath::parse, fields, problems);
        volumes.sort();
        let mut ports = list_of("ports", "a port", Port::parse, fields, problems);
        ports.sort();
        let stop_signal = fields.take("stop_signal");
        let stop_signal = stop_signal.and_then(|n| checked("a signal", n, problems, Signal::parse));
        let healthcheck = fields.take("healthcheck").and_then(|node| Healthcheck::decode(node, problems));
        let workdir = fields.take("workdir");
        let user = fields.take("user");
        Self {
            env,
            workdir: workdir.and_then(|n| checked("a directory", n, problems, ImagePath::parse)),
            user: user.and_then(|n| checked("a user", n, problems, User::parse)),
            entrypoint: arguments("entrypoint", fields, problems),
            cmd: arguments("cmd", fields, problems),
            labels,
            volumes,
            ports,
            stop_signal: stop_signal.map(|signal| signal.value),
            healthcheck,
        }
    }
}

fn list_of<T>(
    key: &'static str,
    what: &str,
    parse: fn(&str) -> Result<T, String>,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Vec<T> {
    let Some(node) = fields.take(key) else { return Vec::new() };
    let read = |node: &Node, problems: &mut Problems| checked(what, node, problems, parse);
    items(&format!("`{key}`"), node, problems, read).into_iter().map(|item| item.value).collect()
}

fn checked_key(key: &At<String>, problems: &mut Problems) -> Option<At<EnvName>> {
    match EnvName::parse(&key.value) {
        Ok(name) => Some(At::new(name, key.span)),
        Err(help) => {
            let message = format!("`{}` is not the name of a variable", key.value.escape_debug());
            problems.error_with_help(key.span, message, help);
            None
        }
    }
}

/// The key of a label, which runtimes look for.
fn label_key(key: &At<String>, problems: &mut Problems) -> Option<At<String>> {
    if key.value.is_empty() || key.value.contains('\0') {
        let message = format!("`{}` is not the key of a label", key.value.escape_debug());
        problems.error_with_help(key.span, message, "write one such as `org.opencontainers.image.vendor`");
        return None;
    }
    Some(key.clone())
}

/// Text that may be empty when quoted, without NUL, which no process can be given.
fn value_text(what: &str, node: &Node, problems: &mut Problems) -> Option<At<String>> {
    let value = text(what, node, problems)?;
    if value.value.contains('\0') {
        problems.error(node.span, format!("{what} must not contain NUL"));
        return None;
    }
    Some(value)
}

fn arguments(key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Vec<At<String>>> {
    let node = fields.take(key)?;
    Some(argument_list(&format!("`{key}`"), node, problems))
}

fn argument_list(what: &str, node: &Node, problems: &mut Problems) -> Vec<At<String>> {
    items(what, node, problems, |item, problems| value_text("an argument", item, problems))
}

#[cfg(test)]
mod tests {
    use crate::spec::parse;

    fn read(text: &str) -> Result<crate::spec::Spec, String> {
        let lines = |found: Vec<crate::diagnostic::Diagnostic>| {
            found.iter().map(|f| f.line()).collect::<Vec<_>>().join("\n")
        };
        parse(&format!("name: n\nbase: debian:13\n{text}")).map_err(lines)
    }

    #[test]
    fn what_no_runtime_understands_is_refused() {
        for (text, expected) in [
            ("stop_signal: SIGFOO\n", "3:14: `SIGFOO` is not a signal; "),
            ("healthcheck: {run: []}\n", "3:20: `healthcheck` has no program; for example `run: [curl"),
            ("labels: {'': b}\n", "3:10: `` is not the key of a label; write one such as"),
            ("labels: {\"a\\0\": b}\n", "3:10: `a\\0` is not the key of a label; "),
            ("user: 'a:'\n", "3:7: `a:` is not a user; write a user, or user and group"),
        ] {
            let found = read(text).err().unwrap_or_default();
            assert!(found.starts_with(expected), "{text}: {expected:?} is not in {found:?}");
        }
    }

    #[test]
    fn a_user_may_have_a_group() {
        for user in ["1000:1000", "app:app", "node"] {
            let spec = read(&format!("user: '{user}'\n")).expect("valid");
            assert_eq!(spec.image.user.map(|user| user.to_string()).as_deref(), Some(user));
        }
    }
}

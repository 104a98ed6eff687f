//! Rules about what containers of the image start with.

use super::base::name_and_tag;
use super::{Rule, Severity, Subject};
use crate::spec::{At, Span};

/// What tokens of well-known services begin with. Source: the services' own descriptions of their formats.
const TOKENS: [&str; 14] = [
    "AKIA",
    "ASIA",
    "AIza",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "hf_",
    "sk-",
    "xoxb-",
    "xoxp-",
    "npm_",
    "dckr_pat_",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "SecretInEnv",
        severity: Severity::High,
        asks: "Secrets should not be part of the image's environment",
        why: "Whoever can pull the image can read its configuration. Give the variable to the container when it starts, or mount a \
              file and name that (`TOKEN_FILE`).",
        bad: "env: {HF_TOKEN: abc}\n",
        good: "env: {HF_TOKEN_FILE: /run/secrets/hf}\n",
        find: secret_in_env,
    },
    Rule {
        id: "SecretValue",
        severity: Severity::High,
        asks: "No value of a spec should look like a secret",
        why: "A spec lies in repositories, and its values in labels, history and provenance of the image. This one begins like a \
              token of a well-known service, or a private key: take it out, and make it invalid where it was made.",
        bad: "labels: {contact: ghp_0123456789abcdefghijABCDEFGHIJ012345}\n",
        good: "labels: {contact: ops@example.org}\n",
        find: secret_value,
    },
    Rule {
        id: "ProgramWithSpaces",
        severity: Severity::High,
        asks: "A program and its arguments should be items of a list",
        why: "No shell reads the list, so that its first item is the program's whole name, and a file of that name with spaces is \
              not there. Make every word an item.",
        bad: "entrypoint: [python3 -m app]\n",
        good: "entrypoint: [python3, -m, app]\n",
        find: with_spaces,
    },
    Rule {
        id: "PathWithoutSystem",
        severity: Severity::High,
        asks: "`PATH` should have the system's directories",
        why: "The spec's `PATH` takes the place of the base image's. Without `/usr/bin` and `/bin` containers find not even a \
              shell. Components put their own directories in front by themselves.",
        bad: "env: {PATH: /opt/app/bin}\n",
        good: "env: {PATH: \"/opt/app/bin:/usr/local/bin:/usr/bin:/bin\"}\n",
        find: path_without_system,
    },
    Rule {
        id: "LibraryPath",
        severity: Severity::Low,
        asks: "`LD_LIBRARY_PATH` should not be set",
        why: "It makes every program of the image, the distribution's included, load libraries from there first. What components \
              install is found without it.",
        bad: "env: {LD_LIBRARY_PATH: /usr/local/lib}\n",
        good: "env: {PYTHONUNBUFFERED: \"1\"}\n",
        find: library_path,
    },
    Rule {
        id: "ShadowedSetting",
        severity: Severity::Medium,
        asks: "A setting should be made in one place",
        why: "`system.timezone` sets `TZ` and `system.locale` sets `LANG`; the same variable in `env` replaces it, so that files and \
              environment can say different things.",
        bad: "system: {timezone: Europe/Berlin}\nenv: {TZ: Etc/UTC}\n",
        good: "system: {timezone: Europe/Berlin}\n",
        find: shadowed_setting,
    },
    Rule {
        id: "RootUser",
        severity: Severity::Low,
        asks: "Containers should not run as root without need",
        why: "What breaks out of a program that runs as root is root in the container. Add a user with `system.users` and name it \
              with `user`. (A Docker Engine inside needs root, and is not found.)",
        bad: "entrypoint: [sleep]\n",
        good: "system: {users: [{name: node, id: 1001}]}\nuser: node\n",
        find: root,
    },
    Rule {
        id: "UnknownUser",
        severity: Severity::Medium,
        asks: "The user that containers run as should be made by the spec",
        why: "Containers do not start when nobody in the image has that name. Neither `system.users` has it, nor is it one that \
              Debian and Ubuntu always have. Other images may have more: where the base image has the user, ignore the rule and \
              say so. Ubuntu 24.04 has `ubuntu` with number 1000, and images of Node.js `node`, so that 1001 is a better first \
              number.",
        bad: "user: node\n",
        good: "system: {users: [{name: node, id: 1001}]}\nuser: node\n",
        find: unknown_user,
    },
    Rule {
        id: "EngineWithoutRoot",
        severity: Severity::High,
        asks: "A node with a Docker Engine inside should start as root",
        why: "The entrypoint that starts the engine mounts file systems and sets up networks, which only root can. Leave `user` out.",
        bad: "docker: distribution\nuser: nobody\n",
        good: "docker: distribution\n",
        find: engine_without_root,
    },
    Rule {
        id: "ReplacedEntrypoint",
        severity: Severity::Medium,
        asks: "The entrypoint that starts the Docker Engine should be kept",
        why: "`docker` brings an entrypoint that starts the engine and then runs `cmd`. With an `entrypoint` of its own the spec has \
              an engine that nothing starts. Name the program with `cmd`.",
        bad: "docker: distribution\nentrypoint: [python3]\n",
        good: "docker: distribution\ncmd: [python3]\n",
        find: replaced_entrypoint,
    },
    Rule {
        id: "NoHealthcheck",
        severity: Severity::Low,
        asks: "A node that listens should say how to tell that it works",
        why: "`ports` says that something answers there; `healthcheck` lets a runtime find out, and restart what hangs.",
        bad: "ports: [8080]\n",
        good: "ports: [8080]\nhealthcheck: {run: [curl, -fsS, \"http://127.0.0.1:8080/\"]}\n",
        find: no_healthcheck,
    },
];

/// Whether a variable's name says that its value is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words =
        ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "CREDENTIALS", "ACCESS_KEY"];
    words.iter().any(|word| name.ends_with(word))
}

fn secret_in_env(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let env = subject.spec.image.env.iter();
    env.filter(|(name, value)| is_secret(name.value.as_str()) && !value.value.is_empty())
        .map(|(name, _)| {
            let detail =
                format!("everyone who has the image can read `{name}`; give it to the container instead");
            (name.span, detail)
        })
        .collect()
}

fn secret_value(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let token = |word: &str| {
        let rest = TOKENS.iter().find_map(|token| word.strip_prefix(token));
        rest.is_some_and(|rest| {
            rest.len() >= 16 && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        })
    };
    let secret = |text: &str| {
        text.contains("PRIVATE KEY-----") || text.split([' ', '=', ':', '"', '\'', '\n']).any(token)
    };
    let scalars = subject.scalars().into_iter().filter(|(_, text, _)| secret(text));
    scalars.map(|(_, _, span)| (span, "this looks like a token or a private key".to_owned())).collect()
}

fn with_spaces(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let programs = subject.programs();
    let first = programs.iter().filter_map(|words| words.first());
    first
        .filter(|(word, _)| word.trim().contains(' ') && !word.starts_with('/'))
        .map(|(word, span)| {
            let words: Vec<_> = word.split_whitespace().collect();
            (*span, format!("write `[{}]`", words.join(", ")))
        })
        .collect()
}

/// A variable of the spec.
fn variable<'s>(subject: &Subject<'s>, name: &str) -> Option<(&'s str, Span)> {
    let (_, value) = subject.spec.image.env.iter().find(|(key, _)| key.value.as_str() == name)?;
    Some((value.value.as_str(), value.span))
}

fn path_without_system(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let Some((path, span)) = variable(subject, "PATH") else { return Vec::new() };
    if path.split(':').any(|part| part == "/usr/bin" || part == "/bin") {
        return Vec::new();
    }
    vec![(span, "add `:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`".to_owned())]
}

fn library_path(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let found = variable(subject, "LD_LIBRARY_PATH");
    found
        .map(|(_, span)| (span, "leave it out, unless a program is known to need it".to_owned()))
        .into_iter()
        .collect()
}

fn shadowed_setting(subject: &Subject<'_>) -> Vec<(Span, String)> {
    [("TZ", "system.timezone"), ("LANG", "system.locale")]
        .into_iter()
        .filter(|(_, key)| subject.has(key))
        .filter_map(|(name, key)| {
            let (_, span) = variable(subject, name)?;
            Some((span, format!("`{key}` sets `{name}`; leave it out here")))
        })
        .collect()
}

fn root(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let user = subject.spec.image.user.as_ref();
    let is_root = user.is_none_or(|user| user.value.is_root());
    if !is_root || subject.has("docker") {
        return Vec::new();
    }
    let span = user.map_or(subject.spec.name.span, |user| user.span);
    vec![(span, "add a user with `system.users`, and `user:` with its name".to_owned())]
}

/// Users that every Debian and Ubuntu has. Source: the package base-passwd.
const ALWAYS: [&str; 8] = ["root", "nobody", "daemon", "bin", "sys", "games", "mail", "www-data"];

/// The user that Ubuntu 24.04 has besides, with number 1000. Source: the image's `/etc/passwd`.
const OF_UBUNTU: (&str, [&str; 2]) = ("ubuntu", ["24.04", "noble"]);

/// Whether every base image has a user, or this one has, as its name tells.
fn is_of_base(user: &str, subject: &Subject<'_>) -> bool {
    let (name, tag) = name_and_tag(subject);
    let release = tag.split('-').next().unwrap_or_default();
    let (ubuntu, releases) = OF_UBUNTU;
    ALWAYS.contains(&user) || (user, name) == (ubuntu, ubuntu) && releases.contains(&release)
}

/// The first number that is free on all releases of Debian and Ubuntu.
const FREE_NUMBER: u32 = 1001;

fn unknown_user(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let Some(At { value: user, span }) = &subject.spec.image.user else { return Vec::new() };
    let user = user.name();
    let made = subject.list("system.users").iter().filter_map(|entry| super::subject::field(entry, "name"));
    let mut made = made.filter_map(super::subject::scalar);
    let number = user.chars().all(|c| c.is_ascii_digit());
    if number || is_of_base(user, subject) || made.any(|(name, _)| name == user) {
        return Vec::new();
    }
    let add = format!("add `{{name: {user}, id: {FREE_NUMBER}}}` to `system.users`");
    vec![(*span, format!("{add}, unless the base image has the user"))]
}

fn engine_without_root(subject: &Subject<'_>) -> Vec<(Span, String)> {
    match &subject.spec.image.user {
        Some(user) if subject.has("docker") && !user.value.is_root() => {
            vec![(user.span, format!("`{user}` cannot start the Docker Engine"))]
        }
        _ => Vec::new(),
    }
}

fn replaced_entrypoint(subject: &Subject<'_>) -> Vec<(Span, String)> {
    match subject.get("entrypoint") {
        Some(entrypoint) if subject.has("docker") => {
            vec![(entrypoint.span, "name the program with `cmd`, or start the engine yourself".to_owned())]
        }
        _ => Vec::new(),
    }
}

fn no_healthcheck(subject: &Subject<'_>) -> Vec<(Span, String)> {
    match subject.get("ports") {
        Some(ports) if !subject.has("healthcheck") => {
            vec![(
                ports.span,
                "add `healthcheck:` with a program that succeeds while the node works".to_owned(),
            )]
        }
        _ => Vec::new(),
    }
}

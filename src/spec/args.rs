//! `args:` what a build may set with `--build-arg`, and `${NAME}` where the spec uses it.
//!
//! Values are put into the tree of the spec before its fields are read, so that they are checked like any other text, and a
//! mistake is shown where the value is used. Where programs have their words (`run`, `entrypoint`, `cmd`) nothing is put
//! in: a shell there has variables of its own, and no value may become part of its script.

use std::collections::BTreeMap;

use super::node::{Node, Scalar, Value, shorten};
use super::span::At;
use super::{EnvName, Fields, Version, entries, items, list, text};
use crate::diagnostic::Problems;
use crate::suggest::nearest;

/// A longer value is a mistake: files belong into the build context.
const MAX_VALUE_BYTES: usize = 4096;
/// Keys below which every text is kept as it is.
const KEPT: [&str; 9] =
    ["args", "arguments", "cmd", "entrypoint", "extends", "lint", "run", "stdin", "stdout_contains"];

/// A parameter of a spec.
#[derive(Clone, Debug)]
pub struct Arg {
    /// Its name.
    pub name: At<String>,
    /// What it is, for whoever builds.
    pub description: Option<String>,
    /// What it is unless the client says otherwise.
    pub default: At<String>,
    /// What it is in this build.
    pub value: String,
    /// Whether the platform says what it is, whatever its default: Dockerfiles declare such names, too.
    pub predefined: bool,
    /// Whether the spec uses it.
    pub used: bool,
}

/// What the values of a parameter look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Version,
    Number,
    Boolean,
}

impl Kind {
    const ALL: [(&str, Self); 4] = [
        ("text", Self::Text),
        ("version", Self::Version),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
    ];

    fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::Text => Ok(()),
            Self::Version => Version::parse(value).map(|_| ()),
            Self::Number if value.parse::<u64>().is_ok() => Ok(()),
            Self::Number => Err("write a number such as `8`".to_owned()),
            Self::Boolean if matches!(value, "true" | "false") => Ok(()),
            Self::Boolean => Err("write `true` or `false`".to_owned()),
        }
    }
}

/// What names stand for in a build.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// The client's build arguments.
    pub given: BTreeMap<String, String>,
    /// What every spec can use without declaring it, such as `TARGETARCH`.
    pub predefined: BTreeMap<String, String>,
}

/// Reads `args:` of a spec, and gives the spec with all values put in.
pub(super) fn expand(root: &Node, values: &Values, problems: &mut Problems) -> (Node, Vec<Arg>) {
    let declared = match &root.value {
        Value::Map(fields) => fields.iter().find(|(key, _)| key.value == "args").map(|(_, node)| node),
        _ => None,
    };
    let mut args = match declared {
        Some(node) => {
            entries("`args`", node, problems, |key, node, problems| decode(key, node, values, problems))
        }
        None => Vec::new(),
    };
    let mut root = root.clone();
    put_in(&mut root, &mut args, values, problems);
    (root, args)
}

fn decode(key: &At<String>, node: &Node, values: &Values, problems: &mut Problems) -> Option<Arg> {
    if let Err(help) = EnvName::parse(&key.value) {
        let message = format!("`{}` is not the name of an argument", shorten(&key.value).escape_debug());
        problems.error_with_help(key.span, message, help);
        return None;
    }
    let (mut kind, mut choices, mut description) = (Kind::Text, Vec::new(), None);
    let default = match &node.value {
        Value::Map(_) => {
            let mut fields = Fields::open("an argument", node, problems)?;
            if let Some(node) = fields.take("type") {
                kind = decode_kind(node, problems).unwrap_or(kind);
            }
            if let Some(node) = fields.take("choices") {
                choices =
                    items("`choices`", node, problems, |node, problems| text("a choice", node, problems));
            }
            description = fields.take("description").and_then(|node| text("`description`", node, problems));
            let default = fields.require("default", "3.13.5", problems);
            fields.finish(problems);
            text("`default`", default?, problems)?
        }
        _ => text("the default of an argument", node, problems)?,
    };
    let given = values.given.get(&key.value);
    let predefined = values.predefined.get(&key.value).filter(|_| given.is_none());
    let value = given.or(predefined).unwrap_or(&default.value).clone();
    let checked = check(&value, kind, &choices);
    if let Err(help) = checked {
        let (from, span) = match (given, predefined) {
            (Some(_), _) => ("the build argument", key.span),
            (None, Some(_)) => ("the platform's", key.span),
            (None, None) => ("the default of", default.span),
        };
        let message = format!("{from} {} cannot be `{}`", key.value, shorten(&value).escape_debug());
        problems.error_with_help(span, message, help);
    }
    Some(Arg {
        name: key.clone(),
        description: description.map(|text| text.value),
        default,
        value,
        predefined: predefined.is_some(),
        used: false,
    })
}

fn decode_kind(node: &Node, problems: &mut Problems) -> Option<Kind> {
    let word = text("`type`", node, problems)?;
    let found = Kind::ALL.iter().find(|(name, _)| *name == word.value);
    if found.is_none() {
        let names = Kind::ALL.map(|(name, _)| name);
        let message = format!("`{}` is no type of an argument", shorten(&word.value).escape_debug());
        problems.error_with_help(word.span, message, format!("there are {}", list(&names)));
    }
    found.map(|(_, kind)| *kind)
}

fn check(value: &str, kind: Kind, choices: &[At<String>]) -> Result<(), String> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(format!("it has {} bytes, more than {MAX_VALUE_BYTES}", value.len()));
    }
    if !choices.is_empty() && choices.iter().all(|choice| choice.value != value) {
        let words: Vec<_> = choices.iter().map(|choice| choice.value.as_str()).collect();
        return Err(match nearest(value, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", list(&words)),
        });
    }
    kind.check(value)
}

fn put_in(node: &mut Node, args: &mut [Arg], values: &Values, problems: &mut Problems) {
    let span = node.span;
    match &mut node.value {
        Value::Map(fields) => {
            for (_, value) in fields.iter_mut().filter(|(key, _)| !KEPT.contains(&key.value.as_str())) {
                put_in(value, args, values, problems);
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| put_in(item, args, values, problems)),
        Value::Scalar(Scalar { text, .. }) if text.contains("${") => {
            let mut stand_for = |name: &str| {
                if let Some(arg) = args.iter_mut().find(|arg| arg.name.value == name) {
                    arg.used = true;
                    return Ok(arg.value.clone());
                }
                if let Some(value) = values.predefined.get(name) {
                    return Ok(value.clone());
                }
                let known = args.iter().map(|arg| arg.name.value.as_str());
                let known = known.chain(values.predefined.keys().map(String::as_str));
                Err(match nearest_name(name, known) {
                    Some(near) => format!("did you mean `${{{near}}}`?"),
                    None => format!(
                        "declare it below `args:`, or write `$${{{}}}` for the text itself",
                        shorten(name)
                    ),
                })
            };
            match replace(text, &mut stand_for) {
                Ok(replaced) => *text = replaced,
                Err((name, help)) => {
                    let message = format!("the spec has no argument `{}`", shorten(&name).escape_debug());
                    problems.error_with_help(span, message, help);
                }
            }
        }
        Value::Scalar(_) => {}
    }
}

/// Like [`nearest`], for names that are written in capitals.
pub(crate) fn nearest_name<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<_> = known.collect();
    let lower: Vec<_> = known.iter().map(|known| known.to_ascii_lowercase()).collect();
    let near = nearest(name, lower.iter().map(String::as_str))?;
    known.into_iter().find(|known| known.eq_ignore_ascii_case(near))
}

/// A text with every `${NAME}` replaced and every `$${` made `${`. What is not closed stays as it is.
fn replace(
    text: &str,
    stand_for: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<String, (String, String)> {
    let (mut done, mut rest) = (String::new(), text);
    while let Some(place) = rest.find("${") {
        let (before, reference) = rest.split_at(place);
        if let Some(before) = before.strip_suffix('$') {
            done.push_str(before);
            done.push_str("${");
            rest = &reference[2..];
            continue;
        }
        done.push_str(before);
        let Some((name, behind)) = reference[2..].split_once('}') else {
            rest = reference;
            break;
        };
        done.push_str(&stand_for(name).map_err(|help| (name.to_owned(), help))?);
        rest = behind;
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Spec, decode_with, document};
    use proptest::prelude::*;

    fn read(text: &str, given: &[(&str, &str)]) -> Result<Spec, String> {
        let mut problems = Problems::default();
        let root =
            document(&format!("name: n\nbase: debian:13\n{text}"), 0, &mut problems).expect("YAML").root;
        let values = Values {
            given: given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            predefined: [("TARGETARCH".to_owned(), "arm64".to_owned())].into(),
        };
        let lines = |found: Vec<crate::diagnostic::Diagnostic>| {
            found.iter().map(|f| f.line()).collect::<Vec<_>>().join("\n")
        };
        decode_with(&root, &values, problems).map_err(lines)
    }

    #[test]
    fn values_stand_where_they_are_used() {
        let spec = "args: {DIR: /srv, WHO: you}\nworkdir: ${DIR}/app\nenv: {A: '${WHO} on ${TARGETARCH}', B: '$${DIR} $DIR ${'}\n";
        let told = |given: &[(&str, &str)]| {
            let spec = read(spec, given).expect("valid");
            let env: Vec<_> = spec.image.env.iter().map(|(_, value)| value.value.clone()).collect();
            (spec.image.workdir.map(|dir| dir.to_string()).unwrap_or_default(), env)
        };
        assert_eq!(
            told(&[]),
            ("/srv/app".to_owned(), vec!["you on arm64".to_owned(), "${DIR} $DIR ${".to_owned()])
        );
        assert_eq!(told(&[("DIR", "/opt"), ("WHO", "me")]).0, "/opt/app");
    }

    #[test]
    fn a_default_does_not_change_the_platform() {
        let spec = "args: {TARGETARCH: amd64}\nenv: {A: '${TARGETARCH}'}\n";
        let told = |given: &[(&str, &str)]| {
            let spec = read(spec, given).expect("valid");
            (spec.image.env[0].1.value.clone(), spec.args[0].predefined)
        };
        assert_eq!(told(&[]), ("arm64".to_owned(), true));
        assert_eq!(told(&[("TARGETARCH", "riscv64")]), ("riscv64".to_owned(), false));
        let found =
            read("args: {TARGETARCH: {default: amd64, choices: [amd64]}}\n", &[]).expect_err("refused");
        assert!(found.starts_with("3:8: the platform's TARGETARCH cannot be `arm64`; "), "{found}");
    }

    #[test]
    fn the_words_of_programs_are_kept() {
        let spec = "args: {HOME: /srv}\ntests: [{name: t, run: [sh, -c, 'echo ${HOME} ${X}'], stdout_contains: ['${HOME}']}]\n\
                    entrypoint: ['${HOME}']\ncmd: ['${HOME}']\n";
        let spec = read(spec, &[]).expect("valid");
        assert_eq!(spec.tests[0].program.as_ref().expect("a program").run[2].value, "echo ${HOME} ${X}");
        assert_eq!(spec.image.cmd.expect("there")[0].value, "${HOME}");
        assert!(!spec.args[0].used);
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let version =
            "args: {PY: {default: 3.13.5, type: version, description: x}}\npython: {version: '${PY}'}\n";
        let choice = "args:\n  CHANNEL: {default: cpu, choices: [cpu, cu128]}\n";
        let long = "x".repeat(5000);
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        let cases: [Case<'_>; 11] = [
            (
                version,
                &[("PY", "latest")],
                "3:8: the build argument PY cannot be `latest`; write the release's full version",
            ),
            (
                "args: {A: 1}\nworkdir: ${A}\n",
                &[],
                "4:10: `1` is not a directory; the path must begin with `/`",
            ),
            ("args: {A: /a}\nworkdir: ${A}\n", &[("A", "b")], "4:10: `b` is not a directory"),
            ("workdir: ${HOME}\n", &[], "3:10: the spec has no argument `HOME`; declare it below `args:`"),
            ("args: {PYTHON: 3}\nworkdir: /${PYTON}\n", &[], "did you mean `${PYTHON}`?"),
            (
                choice,
                &[("CHANNEL", "cu12")],
                "4:3: the build argument CHANNEL cannot be `cu12`; did you mean `cu128`?",
            ),
            (choice, &[("CHANNEL", "rocm")], "write one of `cpu`, `cu128`"),
            (
                "args: {A: {default: x, type: number}}\n",
                &[],
                "the default of A cannot be `x`; write a number",
            ),
            (
                "args: {A: {default: x, type: int}}\n",
                &[],
                "`int` is no type of an argument; there are `text`,",
            ),
            ("args: {1A: x}\n", &[], "`1A` is not the name of an argument"),
            ("args: {A: x}\n", &[("A", &long)], "it has 5000 bytes, more than 4096"),
        ];
        for (spec, given, expected) in cases {
            let found = read(spec, given).err().unwrap_or_default();
            assert!(found.contains(expected), "{spec}: {expected:?} is not in {found:?}");
        }
        let found = read("args: {A: {description: x}}\n", &[]).expect_err("refused");
        assert!(found.contains("an argument lacks the field `default`"), "{found}");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-zA-Z${}]{0,40}") {
            let _ = replace(&text, &mut |name| if name.len() % 2 == 0 { Ok(String::new()) } else { Err(String::new()) });
        }

        #[test]
        fn text_without_references_is_kept(text in "[^$]{0,40}") {
            let kept = replace(&text, &mut |_| Err(String::new()));
            prop_assert_eq!(kept, Ok(text));
        }
    }
}

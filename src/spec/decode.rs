//! From YAML nodes to typed fields. Nothing here stops at the first mistake.

use super::node::{Node, Value, shorten};
use super::span::{At, Span};
use super::wish::Wish;
use crate::diagnostic::Problems;
use crate::suggest::nearest;

/// The fields of one mapping. Take what is known, then call [`Fields::finish`], which reports the rest.
pub struct Fields<'n> {
    /// What the mapping is, for messages: `python`, `a test`.
    of: &'static str,
    span: Span,
    entries: Vec<(&'n At<String>, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a mapping. Anything else is reported, and `None`.
    pub fn open(of: &'static str, node: &'n Node, problems: &mut Problems) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            problems.error(node.span, not_a_mapping(of, node));
            return None;
        };
        let entries = entries.iter().map(|(key, value)| (key, value)).collect();
        Some(Self { of, span: node.span, entries, known: Vec::new() })
    }

    /// The same of a mapping with a field `version`; a version alone is told where it goes. `of` is the key in backticks.
    pub fn open_versioned(of: &'static str, node: &'n Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) if Wish::parse(&scalar.text).is_ok() => {
                let help = format!("write `{}: {{version: '{}'}}`", of.trim_matches('`'), scalar.text);
                problems.error_with_help(node.span, not_a_mapping(of, node), help);
                None
            }
            _ => Self::open(of, node, problems),
        }
    }

    /// Where the mapping is.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Takes the field out; `None` when it is absent.
    pub fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let place = self.entries.iter().position(|(k, _)| k.value == key)?;
        Some(self.entries.remove(place).1)
    }

    /// Takes a field that must be there.
    pub fn require(&mut self, key: &'static str, example: &str, problems: &mut Problems) -> Option<&'n Node> {
        self.require_or(key, &format!("for example `{key}: {example}`"), problems)
    }

    /// The same, with other words of help.
    pub fn require_or(&mut self, key: &'static str, help: &str, problems: &mut Problems) -> Option<&'n Node> {
        let field = self.take(key);
        if field.is_none() {
            let message = format!("{} lacks the field `{key}`", self.of);
            problems.error_with_help(self.span.first(), message, help);
        }
        field
    }

    /// Reports every field that nobody took.
    pub fn finish(self, problems: &mut Problems) {
        for (key, _) in &self.entries {
            let message = format!("{} has no field `{}`", self.of, shorten(&key.value));
            let help = match nearest(&key.value, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", list(&self.known)),
            };
            problems.error_with_help(key.span, message, help);
        }
    }
}

/// What is wrong with a value that is no mapping.
pub fn not_a_mapping(of: &str, node: &Node) -> String {
    format!("{of} is a mapping of fields, this is {}", node.value.kind())
}

/// Names in backticks, joined by commas.
pub fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A non-empty single value as text.
pub fn text(what: &str, node: &Node, problems: &mut Problems) -> Option<At<String>> {
    match &node.value {
        Value::Scalar(scalar) if !scalar.is_null() => Some(At::new(scalar.text.clone(), node.span)),
        other => {
            problems.error(node.span, not_single(what, other));
            None
        }
    }
}

fn not_single(what: &str, value: &Value) -> String {
    format!("{what} is a single value, this is {}", value.kind())
}

/// A version checked by its grammar; a mapping in its place is told what belongs there.
pub fn checked_version<T>(
    node: &Node,
    problems: &mut Problems,
    check: impl Fn(&str) -> Result<T, String>,
) -> Option<At<T>> {
    const WHAT: &str = "a version";
    if let Value::Map(_) = node.value {
        problems.error_with_help(node.span, not_single(WHAT, &node.value), "write the version itself here");
        return None;
    }
    checked(WHAT, node, problems, check)
}

/// A single value checked by a grammar. `check` gives the typed value or says what is wrong with the text.
pub fn checked<T>(
    what: &str,
    node: &Node,
    problems: &mut Problems,
    check: impl Fn(&str) -> Result<T, String>,
) -> Option<At<T>> {
    let text = text(what, node, problems)?;
    match check(&text.value) {
        Ok(value) => Some(At::new(value, text.span)),
        Err(help) => {
            let message = format!("`{}` is not {what}", shorten(&text.value).escape_debug());
            problems.error_with_help(text.span, message, help);
            None
        }
    }
}

/// `true` or `false`.
pub fn boolean(what: &str, node: &Node, problems: &mut Problems) -> Option<At<bool>> {
    let value = match &node.value {
        Value::Scalar(scalar) if scalar.plain => match scalar.text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => None,
    };
    if value.is_none() {
        problems.error_with_help(node.span, format!("{what} is a switch"), "write `true` or `false`");
    }
    value.map(|value| At::new(value, node.span))
}

/// A list, each item read by `item`. Items with mistakes are reported and left out.
pub fn items<T>(
    what: &str,
    node: &Node,
    problems: &mut Problems,
    mut item: impl FnMut(&Node, &mut Problems) -> Option<T>,
) -> Vec<T> {
    match &node.value {
        Value::List(items) => items.iter().filter_map(|node| item(node, problems)).collect(),
        other => {
            let message = format!("{what} is a list, this is {}", other.kind());
            problems.error_with_help(node.span, message, "write each item on a line of its own, after `- `");
            Vec::new()
        }
    }
}

/// A mapping with free keys, each entry read by `entry`. Entries with mistakes are reported and left out.
pub fn entries<T>(
    what: &str,
    node: &Node,
    problems: &mut Problems,
    mut entry: impl FnMut(&At<String>, &Node, &mut Problems) -> Option<T>,
) -> Vec<T> {
    match &node.value {
        Value::Map(entries) => entries.iter().filter_map(|(k, v)| entry(k, v, problems)).collect(),
        other => {
            problems.error(node.span, format!("{what} is a mapping, this is {}", other.kind()));
            Vec::new()
        }
    }
}

//! `extends:` one spec on top of another.
//!
//! The rules: mappings are merged key by key. `null` takes a key away. Lists of things that add up (packages,
//! requirements, files, commands, tests and the like) are joined, and an entry that names the same thing as one below
//! takes its place. Everything else, such as `entrypoint`, is replaced.

use super::decode::{Fields, checked};
use super::grammar::ContextPath;
use super::node::{Node, Scalar, Value, parse as parse_yaml};
use super::span::At;
use crate::diagnostic::Problems;

/// Keys whose lists are joined.
const JOINED: [&str; 10] = [
    "commands",
    "exclude",
    "files",
    "ignore",
    "packages",
    "requirements",
    "sdists",
    "suites",
    "tests",
    "users",
];

/// One file of a spec.
#[derive(Debug)]
pub struct Document {
    /// What is in it.
    pub root: Node,
    /// The file of the build context that it stands on.
    pub extends: Option<At<ContextPath>>,
}

/// Reads one file of a spec; `file` is its number among them, 0 for the spec itself. `None` means that there is nothing
/// to go on with.
pub fn document(text: &str, file: u8, problems: &mut Problems) -> Option<Document> {
    let root = parse_yaml(text.trim_start_matches('\u{feff}'), file, problems)?;
    let extends = Fields::open("the spec", &root, problems)?.take("extends");
    let extends =
        extends.and_then(|node| checked("a path in the build context", node, problems, ContextPath::parse));
    Some(Document { root, extends })
}

/// Puts `over` on `below`.
pub fn merge(below: Node, over: Node) -> Node {
    let span = over.span;
    let value = match (below.value, over.value) {
        (Value::Map(below), Value::Map(over)) => Value::Map(merge_entries(below, over)),
        (_, over) => over,
    };
    Node::new(value, span)
}

type Entries = Vec<(At<String>, Node)>;

fn merge_entries(below: Entries, over: Entries) -> Entries {
    let mut merged = below;
    // What a file extends is its own affair.
    merged.retain(|(key, _)| key.value != "extends");
    for (key, value) in over {
        let place = merged.iter().position(|(have, _)| have.value == key.value);
        let Some(place) = place else {
            merged.push((key, value));
            continue;
        };
        if matches!(&value.value, Value::Scalar(scalar) if scalar.is_null()) {
            merged.remove(place);
            continue;
        }
        let (_, old) = merged.remove(place);
        let value = match (old.value, value.value) {
            (Value::List(old), Value::List(new)) if JOINED.contains(&key.value.as_str()) => {
                Node::new(Value::List(join(&key.value, old, new)), value.span)
            }
            // Merging keeps the place of what lies above.
            (old, new) => merge(Node::new(old, value.span), Node::new(new, value.span)),
        };
        merged.insert(place, (key, value));
    }
    merged
}

fn join(key: &str, old: Vec<Node>, new: Vec<Node>) -> Vec<Node> {
    let taken: Vec<_> = new.iter().map(|node| identity(key, node)).collect();
    let kept = old.into_iter().filter(|node| !taken.contains(&identity(key, node)));
    kept.chain(new).collect()
}

/// What an entry of a joined list is about.
fn identity(key: &str, node: &Node) -> String {
    match &node.value {
        Value::Scalar(Scalar { text, .. }) => match key {
            "requirements" => normal_name(text),
            "packages" => text.split('=').next().unwrap_or_default().to_owned(),
            _ => text.clone(),
        },
        Value::Map(entries) => {
            let field = match key {
                "files" => "to",
                "ignore" => "rule",
                _ => "name",
            };
            let found = entries.iter().find(|(key, _)| key.value == field).map(|(_, node)| &node.value);
            match found {
                Some(Value::Scalar(scalar)) => scalar.text.clone(),
                _ => format!("{:?}", node.span),
            }
        }
        Value::List(_) => format!("{:?}", node.span),
    }
}

/// The name of a requirement's package in its normal form. Source: PEP 503.
pub fn normal_name(requirement: &str) -> String {
    let end = requirement.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
    let name = &requirement[..end.unwrap_or(requirement.len())];
    let parts: Vec<_> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}

/// A merged spec as text; each value says at its end which file and line it comes from. `names` are the files' names.
pub fn to_text(root: &Node, names: &[String]) -> String {
    let mut text = String::new();
    write_value(&mut text, root, 0, names);
    text
}

fn write_value(text: &mut String, node: &Node, indent: usize, names: &[String]) {
    let pad = " ".repeat(indent);
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                text.push_str(&format!("{pad}{}:", scalar_text(&key.value, true)));
                write_child(text, value, indent, names);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&format!("{pad}-"));
                write_child(text, item, indent, names);
            }
        }
        _ => {}
    }
}

fn write_child(text: &mut String, node: &Node, indent: usize, names: &[String]) {
    let name = names.get(node.span.file as usize).map_or("", String::as_str);
    let origin = format!("# {name}:{}\n", node.span.start.0);
    match &node.value {
        Value::Scalar(scalar) => {
            text.push_str(&format!(" {}  {origin}", scalar_text(&scalar.text, scalar.plain)));
        }
        Value::Map(entries) if entries.is_empty() => text.push_str(&format!(" {{}}  {origin}")),
        Value::List(items) if items.is_empty() => text.push_str(&format!(" []  {origin}")),
        _ => {
            text.push('\n');
            write_value(text, node, indent + 2, names);
        }
    }
}

/// Quotes what would not come back as it is. JSON's strings are YAML's.
fn scalar_text(text: &str, plain: bool) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./+=<>~".contains(c);
    let first = |c: char| c.is_ascii_alphanumeric() || "_./".contains(c);
    if plain && text.chars().all(safe) && text.starts_with(first) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, file: u8) -> Node {
        let mut problems = Problems::default();
        let document = document(text, file, &mut problems);
        problems.check(document).expect("valid").root
    }

    fn merged(below: &str, over: &str) -> String {
        let [below, over] = [(below, 1), (over, 0)].map(|(text, file)| read(text, file));
        to_text(&merge(below, over), &["over".to_owned(), "below".to_owned()])
    }

    #[test]
    fn mappings_are_merged_and_values_replaced() {
        let text = merged("a: {x: 1, y: 2}\nb: 3\n", "a: {y: 4}\nc: 5\nextends: below\n");
        assert_eq!(
            text,
            "a:\n  x: 1  # below:1\n  y: 4  # over:1\nb: 3  # below:2\nc: 5  # over:2\nextends: below  # over:3\n"
        );
    }

    #[test]
    fn null_takes_a_key_away() {
        assert_eq!(merged("a: 1\nb: {c: 2, d: 3}\n", "a: null\nb: {c: ~}\n"), "b:\n  d: 3  # below:2\n");
    }

    #[test]
    fn what_adds_up_is_joined() {
        let below = "packages: [curl, nano=1]\nrequirements: [Foo_Bar==1, x]\nentrypoint: [a, b]\n";
        let over = "packages: [nano, git]\nrequirements: ['foo-bar>=2']\nentrypoint: [c]\n";
        let text = merged(below, over);
        assert_eq!(
            text,
            "packages:\n  - curl  # below:1\n  - nano  # over:1\n  - git  # over:1\nrequirements:\n  - x  # below:2\n  \
             - \"foo-bar>=2\"  # over:2\nentrypoint:\n  - c  # over:3\n"
        );
    }

    #[test]
    fn entries_with_the_same_name_take_the_place() {
        let below = "tests:\n  - {name: a, run: [x]}\n  - {name: b, run: [y]}\n";
        let text = merged(below, "tests:\n  - {name: a, run: [z]}\n");
        assert!(text.contains("z") && text.contains("y") && !text.contains(" x "), "{text}");
    }

    #[test]
    fn the_text_of_a_merged_spec_reads_back_the_same() {
        let text = "a: [1, 'x: y', \"\\n\", {b: ~, c: '~'}]\n'odd key': []\nd: {}\n";
        let root = read(text, 0);
        let again = read(&to_text(&root, &["n".to_owned()]), 0);
        let strip = |node: &Node| format!("{:?}", strip(node));
        assert_eq!(strip(&again), strip(&root));
    }

    /// The value without places.
    fn strip(node: &Node) -> Vec<String> {
        match &node.value {
            Value::Scalar(scalar) => vec![scalar.text.clone()],
            Value::List(items) => items.iter().flat_map(strip).collect(),
            Value::Map(entries) => {
                entries.iter().flat_map(|(k, v)| [vec![k.value.clone()], strip(v)].concat()).collect()
            }
        }
    }
}

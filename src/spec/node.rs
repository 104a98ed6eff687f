//! YAML text as a tree in which every value keeps its text and its place.
//!
//! Scalars stay text: `3.10` is not the number 3.1 and `no` is not false; what a scalar means is decided by
//! the field it stands in. This is the only module that names the YAML library. It does not use a
//! deserializer, because that stops at the first mistake, and a user wants to hear of all of them.

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Tag};

use super::span::{At, Span};
use crate::diagnostic::Problems;

/// A spec is a page or two; more is a mistake or an attack.
pub const MAX_BYTES: usize = 1 << 20;
/// Nesting that no sensible spec reaches.
const MAX_DEPTH: usize = 32;
/// Values in a spec, those repeated by aliases counted each time.
const MAX_NODES: usize = 50_000;

/// A YAML value and its place.
pub type Node = At<Value>;

/// What a YAML value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A scalar as written.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order of the text, no key twice.
    Map(Vec<(At<String>, Node)>),
}

/// The text of a scalar, and whether it was quoted.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The text, with escapes resolved.
    pub text: String,
    /// Plain scalars can stand for null or a boolean, quoted ones are always text.
    pub plain: bool,
}

impl Value {
    /// What to call the value in a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(scalar) if scalar.is_null() => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Scalar {
    /// Whether it is YAML's null.
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// Reads one YAML document. Mistakes go to `problems`; `None` means that there is no tree to go on with.
///
/// `file` is the number of the text's file, which all spans carry.
pub fn parse(text: &str, file: u8, problems: &mut Problems) -> Option<Node> {
    if text.len() > MAX_BYTES {
        problems.error_with_help(
            at_line(file, 1),
            format!("the spec has {} bytes, more than {MAX_BYTES}", text.len()),
            "a spec is a short text; put large files beside it in the build context",
        );
        return None;
    }
    if let Some(line) = text.lines().position(|line| line.contains('\0')) {
        problems.error_with_help(
            at_line(file, line as u32 + 1),
            "the spec is not a text file: it contains NUL bytes",
            "name the spec with `-f`",
        );
        return None;
    }
    let mut options = Options::default();
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let events = Parser::new_from_str_with_options(text, options);
    let mut builder =
        Builder { file, problems, anchors: BTreeMap::new(), nodes: 0, open: Vec::new(), root: None };
    for event in events {
        match event {
            Ok((event, span)) => builder.event(event, convert(file, &span))?,
            Err(error) => {
                builder.syntax_error(&error);
                return None;
            }
        }
    }
    let root = builder.root;
    if root.is_none() {
        problems.error_with_help(
            at_line(file, 1),
            "the spec is empty",
            "start with `base: debian:13` and the components you need",
        );
    }
    root
}

fn at_line(file: u8, line: u32) -> Span {
    Span { file, start: (line, 1), end: (line, 1) }
}

fn convert(file: u8, span: &granit_parser::Span) -> Span {
    let position = |marker: granit_parser::Marker| (marker.line() as u32, marker.col() as u32 + 1);
    Span { file, start: position(span.start), end: position(span.end) }
}

/// A list or mapping that is not closed yet.
struct Open {
    value: Value,
    /// The key that waits for its value.
    key: Option<At<String>>,
    span: Span,
    anchor: usize,
}

struct Builder<'p> {
    file: u8,
    problems: &'p mut Problems,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder<'_> {
    /// Takes one event. `None` ends the reading, with the reason in `problems`.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                let plain = style == ScalarStyle::Plain;
                let scalar = Scalar { text: text.into_owned(), plain };
                self.add(Node::new(Value::Scalar(scalar), span), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                self.start(Value::List(Vec::new()), span, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                self.start(Value::Map(Vec::new()), span, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop()?;
                let end = last_end(&open.value).unwrap_or(span.end);
                let whole = Span { end, ..open.span };
                self.add(Node::new(open.value, whole), open.anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentStart(..) if self.root.is_some() => {
                self.problems.error_with_help(
                    span,
                    "a second YAML document starts here",
                    "a spec is one document; remove the `---`",
                );
                None
            }
            _ => Some(()),
        }
    }

    fn start(&mut self, value: Value, span: Span, anchor: usize) -> Option<()> {
        if self.open.len() >= MAX_DEPTH {
            self.too_deep(span);
            return None;
        }
        self.open.push(Open { value, key: None, span, anchor });
        Some(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Option<()> {
        let Some(target) = self.anchors.get(&anchor) else {
            self.problems.error(span, "this alias refers to the value that contains it");
            return None;
        };
        let copy = target.value.clone();
        self.nodes += count(&copy);
        if self.open.len() + depth(&copy) > MAX_DEPTH {
            self.too_deep(span);
            return None;
        }
        self.add(Node::new(copy, span), 0)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Option<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            self.problems.error_with_help(
                node.span,
                format!("the spec has more than {MAX_NODES} values, aliases included"),
                "repeat less",
            );
            return None;
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        match (&mut parent.value, parent.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => {
                if let Some((first, _)) = entries.iter().find(|(k, _)| k.value == key.value) {
                    let message = format!("the key `{}` is here for the second time", shorten(&key.value));
                    let help = format!("it is already set at {}", first.span);
                    self.problems.error_with_help(key.span, message, help);
                } else {
                    entries.push((key, node));
                }
            }
            (Value::Map(_), None) => match node.value {
                Value::Scalar(scalar) => parent.key = Some(At::new(scalar.text, node.span)),
                other => {
                    let message = format!("a key must be a single value, not {}", other.kind());
                    self.problems.error(node.span, message);
                    return None;
                }
            },
            (Value::Scalar(_), _) => {}
        }
        Some(())
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, span: Span) {
        if tag.is_some() {
            self.problems.error_with_help(
                span,
                "YAML tags (`!…`) have no meaning in a spec",
                "remove the tag; quote the value if it must stay text",
            );
        }
    }

    fn too_deep(&mut self, span: Span) {
        let message = format!("values are nested deeper than {MAX_DEPTH} levels");
        self.problems.error_with_help(span, message, "no field of a spec nests that deep");
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let marker = error.marker();
        let place = (marker.line() as u32, marker.col() as u32 + 1);
        let span = Span { file: self.file, start: place, end: place };
        let info = error.info();
        if info.contains("nest") || info.contains("recursion") {
            self.too_deep(span);
        } else {
            self.problems.error(span, format!("this is not valid YAML: {info}"));
        }
    }
}

/// At most the first 40 characters of a text, for messages.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

fn last_end(value: &Value) -> Option<(u32, u32)> {
    match value {
        Value::Scalar(_) => None,
        Value::List(items) => items.last().map(|item| item.span.end),
        Value::Map(entries) => entries.last().map(|(_, item)| item.span.end),
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Node> + '_> {
    match value {
        Value::Scalar(_) => Box::new(std::iter::empty()),
        Value::List(items) => Box::new(items.iter()),
        Value::Map(entries) => Box::new(entries.iter().map(|(_, item)| item)),
    }
}

/// All values below `value`.
fn count(value: &Value) -> usize {
    children(value).map(|child| 1 + count(&child.value)).sum()
}

/// Levels below `value`. The recursion is bounded by `MAX_DEPTH`.
fn depth(value: &Value) -> usize {
    match value {
        Value::Scalar(_) => 0,
        _ => 1 + children(value).map(|child| depth(&child.value)).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Node, String> {
        let mut problems = Problems::default();
        let node = parse(text, 0, &mut problems);
        problems.check(node).map_err(|found| found.iter().map(|d| d.line()).collect::<Vec<_>>().join("\n"))
    }

    fn entry<'n>(node: &'n Node, key: &str) -> &'n Node {
        let Value::Map(entries) = &node.value else { panic!("not a mapping") };
        &entries.iter().find(|(k, _)| k.value == key).expect("no such key").1
    }

    #[test]
    fn scalars_keep_their_text() {
        let node = read("a: 3.10\nb: no\nc: 1e3\nd: 0x10\n").expect("valid");
        for (key, text) in [("a", "3.10"), ("b", "no"), ("c", "1e3"), ("d", "0x10")] {
            let Value::Scalar(scalar) = &entry(&node, key).value else { panic!("not a scalar") };
            assert_eq!(scalar.text, text);
        }
    }

    #[test]
    fn values_know_their_place() {
        let node = read("a:\n  - x\n  - yy\n").expect("valid");
        let list = entry(&node, "a");
        let Value::List(items) = &list.value else { panic!("not a list") };
        assert_eq!(items[1].span, Span { file: 0, start: (3, 5), end: (3, 7) });
    }

    #[test]
    fn an_alias_copies_its_value() {
        let node = read("a: &x [1, 2]\nb: *x\n").expect("valid");
        assert_eq!(entry(&node, "a").value, entry(&node, "b").value);
    }

    #[test]
    fn refuses_what_a_spec_must_not_hold() {
        let bomb = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, i| {
            let alias = format!("*a{}", i - 1);
            text + &format!("a{i}: &a{i} [{}]\n", [alias.as_str(); 9].join(","))
        });
        let cases = [
            ("", "the spec is empty"),
            ("# only a comment\n", "the spec is empty"),
            ("a: 1\na: 2\n", "2:1: the key `a` is here for the second time; it is already set at 1:1"),
            ("a: [1, 2\nb: 3", "not valid YAML"),
            ("a: 1\n---\nb: 2\n", "second YAML document"),
            ("a: !!int 3\n", "YAML tags"),
            ("? [a]\n: 1\n", "a key must be a single value, not a list"),
            ("a: *nowhere\n", "not valid YAML"),
            ("a\0b", "NUL bytes"),
            (&"[".repeat(10_000), "nested deeper"),
            (&"- ".repeat(10_000), "nested deeper"),
            (&bomb, "more than 50000 values"),
            (&"x".repeat(MAX_BYTES + 1), "bytes, more than"),
        ];
        for (text, expected) in cases {
            let error = read(text).expect_err("must be refused");
            assert!(error.contains(expected), "{expected:?} not in {error:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,200}") {
            let _ = read(&text);
        }

        #[test]
        fn never_panics_on_yaml_like_text(text in "[-a:&*!\\[\\]{}\n \"'#|>?,]{0,120}") {
            let _ = read(&text);
        }

        #[test]
        fn quoted_text_comes_back(text in "[a-zA-Z0-9 .:#-]{0,60}") {
            let node = read(&format!("key: \"{text}\"\n")).expect("valid");
            let Value::Scalar(scalar) = &entry(&node, "key").value else { panic!("not a scalar") };
            prop_assert_eq!(&scalar.text, &text);
        }
    }
}

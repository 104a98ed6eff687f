//! Hostile values for every text of the language, by its table.

use std::collections::BTreeSet;

use edgenode::spec::schema::{Field, Grammar, SPEC, Shape};
use serde_json::{Value, json};

use crate::generate::{Choices, value};

/// What each of the values has in it, so that it is found again.
pub(crate) const MARK: &str = "CANARY";

/// A spec with a hostile value.
pub(crate) struct Case {
    /// The place of the value, such as `wheels.requirements[]`.
    pub(crate) at: String,
    /// The spec.
    pub(crate) document: Value,
}

/// Values that stand alone.
const ALONE: [&str; 36] = [
    "$(touch /CANARY)",
    "`touch /CANARY`",
    "; touch /CANARY;",
    "x && touch /CANARY",
    "x | tee /CANARY",
    "x > /CANARY",
    "\ntouch /CANARY\n",
    "'; touch /CANARY; '",
    "\"; touch /CANARY; \"",
    "${IFS}touch${IFS}/CANARY",
    "$CANARY",
    "${CANARY}",
    "$${CANARY}",
    "--CANARY",
    "-oCANARY",
    "-o APT::Update::Pre-Invoke::=touch /CANARY",
    "@/CANARY",
    "../CANARY",
    "../../../../CANARY",
    "/CANARY",
    "/etc/../CANARY",
    "~/CANARY",
    "C:\\CANARY",
    "CANARY\0",
    "CANARY\r\nHost: x",
    "\u{1b}[31mCANARY",
    "CANARY\u{202e}gpj",
    "ＣANARY CANARY",
    "%CANARY%n%s",
    "{CANARY}",
    "*CANARY*",
    "!CANARY",
    "# CANARY",
    "file:///CANARY",
    "http://user:CANARY@127.0.0.1/",
    "CANARY=1",
];

/// What is put behind a good value.
const BEHIND: [&str; 9] = [
    "; touch /CANARY",
    "$(touch /CANARY)",
    " --CANARY",
    "\n--CANARY",
    "/../CANARY",
    " @ file:///CANARY",
    ",CANARY",
    "\0CANARY",
    "\u{2028}CANARY",
];

/// A text as long as a spec may be.
fn long() -> String {
    MARK.repeat((1 << 20) / MARK.len())
}

/// The hostile values for a grammar.
pub(crate) fn hostile(grammar: &Grammar) -> impl Iterator<Item = String> {
    let behind = BEHIND.iter().map(|tail| format!("{}{tail}", grammar.examples[0]));
    ALONE.iter().map(|&value| value.to_owned()).chain(behind)
}

/// Every case, and for each grammar one of a value as long as a spec.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut long_ones = BTreeSet::new();
    for field in SPEC {
        let wrap = |inner: Value| spec_with(field.key, inner);
        each_text(&field.shape, field.key, &wrap, &mut |at, grammar, wrap| {
            let long = long_ones.insert(grammar.name).then(long);
            let documents = hostile(grammar).chain(long).map(|value| wrap(json!(value)));
            cases.extend(documents.map(|document| Case { at: at.to_owned(), document }));
        });
    }
    cases
}

/// Fields that are nothing without torch, an engine, or the versions of both.
const STANDING_ON_OTHERS: [&str; 8] =
    ["cuda", "flash_attn", "nvidia_container_toolkit", "onnxruntime", "sdists", "tag", "target", "tensorrt"];

/// A spec with this field, and what it stands on.
fn spec_with(key: &str, inner: Value) -> Value {
    let mut spec = json!({"name": "n", "base": "debian:13", "python": {"version": "3.13.5"}});
    if STANDING_ON_OTHERS.contains(&key) {
        spec["torch"] = json!({"version": "2.9.1", "channel": "cu128"});
        spec["docker"] = json!("distribution");
    }
    spec[key] = inner;
    spec
}

/// Puts a value into a document.
type Wrap<'w> = dyn Fn(Value) -> Value + 'w;

/// Calls `see` for each text below a shape, with its place, its grammar and what makes a spec of a value.
fn each_text(shape: &Shape, at: &str, wrap: &Wrap<'_>, see: &mut dyn FnMut(&str, &Grammar, &Wrap<'_>)) {
    match shape {
        Shape::Text(grammar) => see(at, grammar, wrap),
        Shape::List(item, _) => each_text(item, &format!("{at}[]"), &|inner| wrap(json!([inner])), see),
        Shape::Entries(key, item) => {
            let good = value(item, &mut Choices::new(&[]));
            see(&format!("{at}.key"), key, &|name| {
                wrap(json!({name.as_str().unwrap_or_default(): good.clone()}))
            });
            each_text(item, &format!("{at}.value"), &|inner| wrap(json!({key.examples[0]: inner})), see);
        }
        Shape::Filled(mapping) => each_text(mapping, at, wrap, see),
        Shape::Fields(table) => {
            for field in *table {
                let inside = |inner: Value| {
                    let mut object = beside(table);
                    object[field.key] = inner;
                    wrap(object)
                };
                each_text(&field.shape, &format!("{at}.{}", field.key), &inside, see);
            }
        }
        Shape::Any(shapes) => shapes.iter().for_each(|one| each_text(one, at, wrap, see)),
        Shape::Switch | Shape::Words(_) => {}
    }
}

/// What a mapping needs besides: what must be there, and where a release is that the catalog does not know.
fn beside(table: &[Field]) -> Value {
    let wanted = table.iter().filter(|field| field.required || matches!(field.key, "url" | "sha256"));
    wanted.map(|field| (field.key.to_owned(), value(&field.shape, &mut Choices::new(&[])))).collect()
}

//! `specs/schema.json` says what the loader says. `INSTA_UPDATE=always` writes it anew.

#![expect(clippy::expect_used, reason = "helpers of tests")]

#[path = "support/generate.rs"]
mod generate;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use edgenode::components::REGISTRY;
use edgenode::diagnostic::{Diagnostic, Problems};
use edgenode::spec::schema::{Field, Grammar, SPEC, Shape, schema};
use edgenode::spec::{Node, Value as Yaml, parse, parse_yaml};
use proptest::prelude::*;
use regex::Regex;
use serde_json::{Value, json};

use generate::{Choices, document, fields};

/// What is wrong with a document, as the loader says it.
fn loader(document: &Value) -> Vec<String> {
    let found = parse(&document.to_string()).err().unwrap_or_default();
    found.iter().map(Diagnostic::line).collect()
}

/// Whether a text matches a pattern. Patterns are compiled once.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).expect("a pattern"));
    regex.is_match(text)
}

/// Whether a document fits a schema: the part of JSON Schema that ours is written in.
fn fits(schema: &Value, root: &Value, document: &Value) -> bool {
    let text = |key: &str| schema[key].as_str();
    let kind = |name: &str| match name {
        "object" => document.is_object(),
        "array" => document.is_array(),
        "string" => document.is_string(),
        "number" => document.is_number(),
        "boolean" => document.is_boolean(),
        _ => document.is_null(),
    };
    let named = |reference: &str| root.pointer(reference.trim_start_matches('#')).expect("defined");
    let kinds = match &schema["type"] {
        Value::String(one) => kind(one),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(kind),
        _ => true,
    };
    let branch = if schema["if"].is_object() {
        if fits(&schema["if"], root, document) { &schema["then"] } else { &schema["else"] }
    } else {
        &Value::Null
    };
    kinds
        && (branch.is_null() || fits(branch, root, document))
        && text("$ref").is_none_or(|reference| fits(named(reference), root, document))
        && schema["enum"].as_array().is_none_or(|words| words.contains(document))
        && schema["anyOf"].as_array().is_none_or(|any| any.iter().any(|one| fits(one, root, document)))
        && match document {
            Value::String(value) => {
                text("pattern").is_none_or(|pattern| matches(pattern, value))
                    && schema["maxLength"].as_u64().is_none_or(|most| value.chars().count() as u64 <= most)
            }
            Value::Array(items) => {
                schema["minItems"].as_u64().is_none_or(|least| items.len() as u64 >= least)
                    && (schema["items"].is_null()
                        || items.iter().all(|item| fits(&schema["items"], root, item)))
            }
            Value::Object(entries) => {
                let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let least = schema["minProperties"].as_u64().unwrap_or_default();
                entries.len() as u64 >= least
                    && required.into_iter().all(|key| entries.contains_key(key))
                    && entries.iter().all(|(key, value)| {
                        let pattern = schema["propertyNames"]["pattern"].as_str();
                        pattern.is_none_or(|pattern| matches(pattern, key))
                            && match (&schema["properties"][key], &schema["additionalProperties"]) {
                                (Value::Null, Value::Bool(more)) => *more,
                                (Value::Null, Value::Null) => true,
                                (Value::Null, more) => fits(more, root, value),
                                (property, _) => fits(property, root, value),
                            }
                    })
            }
            _ => true,
        }
}

fn accepted(document: &Value) -> bool {
    static SCHEMA: LazyLock<Value> = LazyLock::new(schema);
    fits(&SCHEMA, &SCHEMA, document)
}

/// Every place of a document, as a JSON pointer.
fn places(document: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match document {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| places(item, &format!("{at}/{i}"), found))
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn what_the_table_allows_is_taken(choices in prop::collection::vec(any::<u8>(), 0..300)) {
        let document = document(&mut Choices::new(&choices));
        prop_assert_eq!(loader(&document), Vec::<String>::new(), "{}", document);
        prop_assert!(accepted(&document), "{}", document);
    }

    #[test]
    fn what_one_refuses_the_other_refuses(choices in prop::collection::vec(any::<u8>(), 1..300), pick in any::<prop::sample::Index>(), how in 0..4_u8) {
        let mut document = document(&mut Choices::new(&choices));
        let mut all = Vec::new();
        places(&document, "", &mut all);
        let place = &all[pick.index(all.len())];
        // Below these the table itself says that anything goes, or the words are checked by more than their shape.
        prop_assume!(!["/labels/", "/lint/", "/args/"].iter().any(|free| place.starts_with(free)));
        let target = document.pointer_mut(place).expect("there");
        match (how, &mut *target) {
            (0, Value::Object(entries)) => { entries.insert("nobody-knows".to_owned(), json!("x")); }
            (1, Value::Object(entries)) => { let key = entries.keys().next().cloned(); key.map(|key| entries.remove(&key)); }
            (2, _) => *target = json!([["x"]]),
            _ => *target = json!({"nobody-knows": {"x": []}}),
        }
        prop_assert_eq!(loader(&document).is_empty(), accepted(&document), "{}: {:?}\n{}", place, loader(&document), document);
    }
}

/// Puts a value into a document.
type Wrap<'w> = dyn Fn(Value) -> Value + 'w;

/// Calls `see` for each mapping with fields, with a document that has it and where.
fn each_mapping(shape: &Shape, wrap: &Wrap<'_>, see: &mut dyn FnMut(&[Field], &Wrap<'_>)) {
    match shape {
        Shape::Fields(table) => {
            see(table, wrap);
            for field in *table {
                let mut rest = fields(table, &mut Choices::new(&[]));
                rest.as_object_mut().expect("an object").remove(field.key);
                let inside = |inner: Value| {
                    let mut object = rest.clone();
                    object[field.key] = inner;
                    wrap(object)
                };
                each_mapping(&field.shape, &inside, see);
            }
        }
        Shape::List(item, _) => each_mapping(item, &|inner| wrap(json!([inner])), see),
        Shape::Entries(key, item) => each_mapping(item, &|inner| wrap(json!({key.examples[0]: inner})), see),
        Shape::Filled(mapping) => each_mapping(mapping, wrap, see),
        Shape::Any(shapes) => shapes.iter().for_each(|one| each_mapping(one, wrap, see)),
        Shape::Text(_) | Shape::Switch | Shape::Words(_) => {}
    }
}

/// The fields that the loader says a mapping has, when it is given one that nobody knows.
fn known_to_the_loader(document: &Value) -> BTreeSet<String> {
    let lines = loader(document).join("\n");
    let told = lines.split("`nobody-knows-this`; it has ").nth(1);
    let told = told.or_else(|| lines.split("`nobody-knows-this` here; there are ").nth(1));
    let told = told.unwrap_or_else(|| panic!("{lines}\n{document}"));
    told.lines().next().unwrap_or_default().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_table_has_the_fields_that_the_loader_knows() {
    let mut mappings = 0;
    let mut see = |table: &[Field], wrap: &Wrap<'_>| {
        let mut object = fields(table, &mut Choices::new(&[]));
        object["nobody-knows-this"] = json!("x");
        let known = known_to_the_loader(&wrap(object));
        let ours: BTreeSet<_> = table.iter().map(|field| field.key.to_owned()).collect();
        // Forms of one field that exclude each other (`vendor`, `venv`) are known to the loader in each of them.
        let mut forms: BTreeSet<_> = ["vendor", "venv", "provider"].map(str::to_owned).into();
        // A test is of a program, of a script, or of what is there.
        if ours.contains("imports") {
            forms.extend(["run", "script"].map(str::to_owned));
            if !ours.contains("run") && !ours.contains("script") {
                let of_programs = [
                    "arguments",
                    "devices",
                    "env",
                    "exit_code",
                    "inputs",
                    "listens",
                    "needs",
                    "secrets",
                    "stderr",
                    "stdin",
                    "stdout",
                    "stdout_contains",
                    "timeout",
                ];
                forms.extend(of_programs.map(str::to_owned));
            }
        }
        let missing: Vec<_> = known.difference(&ours).filter(|key| !forms.contains(*key)).collect();
        let invented: Vec<_> = ours.difference(&known).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "src/spec/schema.rs lacks {missing:?}, invents {invented:?}"
        );
        mappings += 1;
    };
    each_mapping(&Shape::Fields(SPEC), &|document| document, &mut see);
    assert!(mappings > 20, "{mappings} mappings");
    for component in REGISTRY {
        assert!(SPEC.iter().any(|field| field.key == component.key), "{} is not in the table", component.key);
    }
}

fn grammars(shape: &Shape, found: &mut Vec<&'static Grammar>) {
    match shape {
        Shape::Text(grammar) => found.push(grammar),
        Shape::List(item, _) | Shape::Filled(item) => grammars(item, found),
        Shape::Entries(key, item) => {
            found.push(key);
            grammars(item, found);
        }
        Shape::Fields(table) => table.iter().for_each(|field| grammars(&field.shape, found)),
        Shape::Any(shapes) => shapes.iter().for_each(|one| grammars(one, found)),
        Shape::Switch | Shape::Words(_) => {}
    }
}

fn pattern_takes(grammar: &Grammar, text: &str) -> bool {
    let short = grammar.longest.is_none_or(|longest| text.chars().count() <= longest);
    short && matches(grammar.pattern, text)
}

proptest! {
    #[test]
    fn patterns_take_what_the_loader_takes(text in "[a-zA-Z0-9/._+:=@~$ -]{0,12}|/?[.a/]{0,6}|[0-9.]{1,8}[a-z-]?[0-9.+-]{0,3}|SIG[A-Z0-9+]{0,12}") {
        let mut all = Vec::new();
        grammars(&Shape::Fields(SPEC), &mut all);
        for grammar in all {
            let (ours, theirs) = (pattern_takes(grammar, &text), (grammar.takes)(&text));
            prop_assert!(ours || !theirs, "{:?} is taken, and not by {}", text, grammar.pattern);
            prop_assert!(theirs || !ours || !grammar.exact, "{:?} is refused, and not by {}", text, grammar.pattern);
        }
    }
}

#[test]
fn examples_belong_to_their_grammars() {
    let mut all = Vec::new();
    grammars(&Shape::Fields(SPEC), &mut all);
    for grammar in all {
        for example in grammar.examples {
            assert!(
                pattern_takes(grammar, example) && (grammar.takes)(example),
                "{example} {}",
                grammar.pattern
            );
        }
    }
}

fn to_json(node: &Node) -> Value {
    match &node.value {
        Yaml::Scalar(scalar) if scalar.is_null() => Value::Null,
        Yaml::Scalar(scalar) if scalar.plain && scalar.text == "true" => json!(true),
        Yaml::Scalar(scalar) if scalar.plain && scalar.text == "false" => json!(false),
        Yaml::Scalar(scalar) => json!(scalar.text),
        Yaml::List(items) => items.iter().map(to_json).collect(),
        Yaml::Map(entries) => {
            entries.iter().map(|(key, value)| (key.value.clone(), to_json(value))).collect()
        }
    }
}

#[test]
fn the_specs_of_the_project_fit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join("specs"), root.join("examples")];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("read").flatten().map(|entry| entry.path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        if !text.starts_with("# syntax=") {
            continue;
        }
        seen += 1;
        let tree = parse_yaml(&text, 0, &mut Problems::default()).expect("YAML");
        assert!(accepted(&to_json(&tree)), "{} does not fit", path.display());
    }
    assert!(seen > 5, "{seen} specs");
}

#[test]
fn arguments_may_stand_for_values() {
    let document =
        json!({"name": "n", "base": "debian:13", "args": {"V": "3.13.5"}, "python": {"version": "${V}"}});
    assert!(accepted(&document) && loader(&document).is_empty());
    assert!(
        !accepted(&json!({"name": "n"}))
            && accepted(&json!({"extends": "a.yaml", "ffmpeg": {"libraries": {"aom": null}}}))
    );
}

#[test]
fn the_file_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/schema.json");
    let expected = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &expected).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "specs/schema.json is stale: run INSTA_UPDATE=always cargo test --test schema"
    );
}

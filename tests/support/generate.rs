//! Specs made from the table of the language, so that a new field is in them by itself.

use edgenode::spec::schema::{Field, SPEC, Shape};
use serde_json::{Map, Value, json};

/// A stream of choices; when it ends, all further ones are the first.
pub(crate) struct Choices<'c>(std::slice::Iter<'c, u8>);

impl<'c> Choices<'c> {
    pub(crate) fn new(bytes: &'c [u8]) -> Self {
        Self(bytes.iter())
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % count.max(1)
    }
}

/// A value of a shape. Lists have one item at most, so that nothing is there twice.
pub(crate) fn value(shape: &Shape, choices: &mut Choices<'_>) -> Value {
    match shape {
        Shape::Text(grammar) => json!(grammar.examples[choices.below(grammar.examples.len())]),
        Shape::Switch => json!(choices.below(2) == 1),
        Shape::Words(words) => json!(words[choices.below(words.len())]),
        Shape::List(item, filled) => match choices.below(3) {
            0 if !filled => json!([]),
            _ => json!([value(item, choices)]),
        },
        Shape::Entries(key, item) => json!({key.examples[0]: value(item, choices)}),
        Shape::Filled(mapping) => value(mapping, choices),
        Shape::Fields(table) => fields(table, choices),
        Shape::Any(shapes) => value(&shapes[choices.below(shapes.len())], choices),
    }
}

pub(crate) fn fields(table: &[Field], choices: &mut Choices<'_>) -> Value {
    let mut object = Map::new();
    for field in table {
        if field.required || choices.below(3) == 1 {
            object.insert(field.key.to_owned(), value(&field.shape, choices));
        }
    }
    Value::Object(object)
}

/// A whole spec: what the table allows, but for what fields say about each other.
pub(crate) fn document(choices: &mut Choices<'_>) -> Value {
    let mut document = fields(SPEC, choices);
    let object = document.as_object_mut().expect("an object");
    // Another file, which is not here.
    object.remove("extends");
    if let Some(lint) = object.get_mut("lint") {
        *lint = json!({"ignore": [{"rule": "NoTests", "reason": "none"}]});
    }
    if let Some(args) = object.get_mut("args") {
        *args = json!({"A": {"default": "1", "type": "number", "choices": ["1"]}});
    }
    document
}

//! Reading rows of data: each cell is there, says what it should, and nothing else is in the row.

use std::collections::BTreeMap;

use super::numbers::{Capability, Gpus, numbers};
use crate::diagnostic::Problems;
use crate::spec::{Fields, Node, Span, Value, parse_yaml, text};

/// The word for what nobody has established.
const UNKNOWN: &str = "unknown";
/// The word for what is not there.
const NONE: &str = "-";

/// A row of one subject.
pub(super) trait Row: Clone {
    /// What a site's catalog calls the subject.
    const SUBJECT: &'static str;

    /// Takes the cells. Problems are reported, and then it gives `None`.
    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self>;

    /// What the row is about, in the order of the file. No two rows have the same.
    fn key(&self) -> Vec<Part>;
}

/// A part of a row's key: numbers before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// A version.
    Numbers(Vec<u32>),
    /// A name.
    Word(String),
}

/// A part of a key that is a version.
pub(super) fn version(text: &str) -> Part {
    Part::Numbers(numbers(text))
}

/// A part of a key that is a name.
pub(super) fn word(text: &str) -> Part {
    Part::Word(text.to_owned())
}

/// The cells of a row, which are taken one by one.
pub(super) struct Cells<'n, 'p> {
    fields: Fields<'n>,
    problems: &'p mut Problems,
    span: Span,
}

impl Cells<'_, '_> {
    /// A cell that must be there.
    pub(super) fn word(&mut self, key: &'static str) -> Option<String> {
        let node = self.fields.require(key, "…", self.problems)?;
        Some(text("a cell", node, self.problems)?.value)
    }

    /// A cell that is read by `read`.
    pub(super) fn read<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let word = self.word(key)?;
        self.value(key, &word, read)
    }

    fn value<T>(&mut self, key: &'static str, word: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = read(word);
        if value.is_none() {
            self.problems.error(self.span, format!("`{key}` cannot be `{}`", word.escape_debug()));
        }
        value
    }

    /// A cell that may say that nobody knows.
    pub(super) fn known<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Option<T>> {
        self.read(key, |word| or_unknown(word, &read))
    }

    /// A cell that only some rows have.
    pub(super) fn optional<T: Default>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let Some(node) = self.fields.take(key) else { return Some(T::default()) };
        let word = text("a cell", node, self.problems)?.value;
        self.value(key, &word, read)
    }

    /// A cell that may say that there is none.
    pub(super) fn present<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Option<T>> {
        self.read(key, |word| if word == NONE { Some(None) } else { read(word).map(Some) })
    }

    /// A cell with the first and the last of a range, each of which may be unknown.
    pub(super) fn range<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<(Option<T>, Option<T>)> {
        self.read(key, |word| {
            let (first, last) = word.split_once(' ')?;
            Some((or_unknown(first, &read)?, or_unknown(last, &read)?))
        })
    }

    /// The compute capabilities that something is made for: `gpus`, the oldest and the newest, and `without`.
    pub(super) fn gpus(&mut self) -> Option<Gpus> {
        let ends = self.range("gpus", Capability::parse);
        let without = self.optional("without", capabilities);
        let (oldest, newest) = ends?;
        Some(Gpus { oldest, newest, without: without? })
    }

    /// Words with spaces between them.
    pub(super) fn words(&mut self, key: &'static str) -> Option<Vec<String>> {
        Some(self.word(key)?.split(' ').map(str::to_owned).collect())
    }

    /// Where the row comes from.
    pub(super) fn source(&mut self) -> Option<String> {
        let source = self.word("source");
        let date = self.read("date", |date| (date.split('-').count() == 3).then(|| date.to_owned()));
        Some(format!("{}, {}", source?, date?))
    }
}

/// A version: anything that begins with a number.
pub(super) fn release(word: &str) -> Option<String> {
    word.starts_with(|c: char| c.is_ascii_digit()).then(|| word.to_owned())
}

/// The second number of a series of Python 3.
pub(super) fn series(word: &str) -> Option<u32> {
    word.strip_prefix("3.")?.parse().ok()
}

/// Compute capabilities with spaces between them.
pub(super) fn capabilities(word: &str) -> Option<Vec<Capability>> {
    word.split(' ').map(Capability::parse).collect()
}

/// What a word stands for; `None` in it where nobody knows.
pub(super) fn or_unknown<T>(word: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if word == UNKNOWN { Some(None) } else { read(word).map(Some) }
}

/// Reads the rows of a data file.
pub(super) fn read<R: Row>(text: &str, problems: &mut Problems) -> Vec<R> {
    match parse_yaml(text, 0, problems) {
        Some(node) => decode(&node, problems),
        None => Vec::new(),
    }
}

/// Reads a list of rows.
pub(super) fn decode<R: Row>(node: &Node, problems: &mut Problems) -> Vec<R> {
    let Value::List(rows) = &node.value else {
        problems.error(node.span, format!("`{}` is a list of rows", R::SUBJECT));
        return Vec::new();
    };
    rows.iter().filter_map(|row| decode_row(row, problems)).collect()
}

fn decode_row<R: Row>(node: &Node, problems: &mut Problems) -> Option<R> {
    let fields = Fields::open("a row of the catalog", node, problems)?;
    let mut cells = Cells { fields, problems, span: node.span };
    let row = R::decode(&mut cells);
    cells.fields.finish(cells.problems);
    row
}

/// Puts a site's rows among ours: the same key takes the place, a new one is added in its order.
pub(super) fn extend<R: Row>(rows: &mut Vec<R>, site: Vec<R>) {
    let mut all: BTreeMap<Vec<Part>, R> = rows.drain(..).map(|row| (row.key(), row)).collect();
    all.extend(site.into_iter().map(|row| (row.key(), row)));
    rows.extend(all.into_values());
}

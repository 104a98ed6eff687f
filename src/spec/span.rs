//! Where a value stands in the spec.

use std::fmt;

/// A range of the spec text. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file's number: 0 for the spec itself, then what it extends, in that order.
    pub file: u8,
    /// First line and column.
    pub start: (u32, u32),
    /// Last line and the column behind the last character.
    pub end: (u32, u32),
}

impl Span {
    /// The place where the span begins.
    pub fn first(self) -> Self {
        Self { end: self.start, ..self }
    }

    /// From here to the end of another span of the same file.
    pub fn to(self, last: Self) -> Self {
        Self { end: last.end, ..self }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.start.0, self.start.1)
    }
}

/// A value and the place it was written at.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its place in the spec.
    pub span: Span,
}

impl<T> At<T> {
    /// Puts `value` at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Changes the value and keeps the place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At::new(change(self.value), self.span)
    }
}

/// The place does not take part: a moved value is the same value.
impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: fmt::Display> fmt::Display for At<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

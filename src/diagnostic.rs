//! What is wrong with a spec: one plain type, told in three ways (BuildKit error, warning, terminal).

use crate::spec::{Span, tell_others, tell_own};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The build cannot go on.
    Error,
    /// The build goes on; the user should know.
    Warning,
    /// Nothing is wrong as far as is known: something was not looked at.
    Note,
}

/// One finding, with its place and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment without a full stop.
    pub message: String,
    /// What would work, where something can be said.
    pub help: Option<String>,
    /// Where.
    pub span: Span,
}

impl Diagnostic {
    /// The finding in one line, as `line:column: message; help`.
    pub fn line(&self) -> String {
        match &self.help {
            Some(help) => format!("{}: {}; {help}", self.span, self.message),
            None => format!("{}: {}", self.span, self.message),
        }
    }

    /// The same finding with the names of other files that it speaks of. `files` are the names of all, in the order of
    /// their numbers.
    pub fn named(&self, files: &[String]) -> Self {
        Self {
            message: tell_others(&self.message, files),
            help: self.help.as_ref().map(|help| tell_others(help, files)),
            ..*self
        }
    }
}

/// A text without what would steer the terminal that shows it: what is quoted from a spec may come from anyone.
fn shown(text: &str) -> String {
    let steers = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || c.is_control() && c != '\n'
    };
    let escaped = |c: char| if steers(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// Collects findings, so that a user sees all of them at once.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    found: Vec<Diagnostic>,
}

impl Problems {
    /// Reports an error.
    pub fn error(&mut self, span: Span, message: impl Into<String>) {
        self.push(Severity::Error, span, message.into(), None);
    }

    /// Reports an error and what would work.
    pub fn error_with_help(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, span, message.into(), Some(help.into()));
    }

    /// Reports something that does not stop the build.
    pub fn warning(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, span, message.into(), Some(help.into()));
    }

    /// Reports that something was not looked at, and who would.
    pub fn note(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Note, span, message.into(), Some(help.into()));
    }

    fn push(&mut self, severity: Severity, span: Span, message: String, help: Option<String>) {
        let told = |text: &str| tell_own(&shown(text), span.file);
        let (message, help) = (told(&message), help.as_deref().map(told));
        self.found.push(Diagnostic { severity, message, help, span });
    }

    /// Whether any of the findings stops the build.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// Everything that was found, in the order in which it was reported.
    pub fn found(&self) -> &[Diagnostic] {
        &self.found
    }

    /// Takes over a finding.
    pub fn add(&mut self, found: Diagnostic) {
        self.found.push(found);
    }

    /// Says what would work to every error that says nothing of it.
    pub fn help(&mut self, help: impl Fn(&Diagnostic) -> String) {
        let without = |d: &&mut Diagnostic| d.severity == Severity::Error && d.help.is_none();
        self.found.iter_mut().filter(without).for_each(|d| {
            d.help = Some(tell_own(&help(d), d.span.file));
        });
    }

    /// Gives `value` if nothing stops the build, else all errors in the order of the text.
    /// Warnings are kept for [`Problems::into_warnings`].
    pub fn check<T>(&self, value: Option<T>) -> Result<T, Vec<Diagnostic>> {
        match value {
            Some(value) if !self.has_errors() => Ok(value),
            _ => Err(self.sorted(|severity| severity == Severity::Error)),
        }
    }

    /// The warnings and notes, in the order of the text.
    pub fn into_warnings(self) -> Vec<Diagnostic> {
        self.sorted(|severity| severity != Severity::Error)
    }

    fn sorted(&self, wanted: impl Fn(Severity) -> bool) -> Vec<Diagnostic> {
        let mut found: Vec<_> = self.found.iter().filter(|d| wanted(d.severity)).cloned().collect();
        found.sort_by_key(|d| d.span);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_other_files_than_its_own() {
        let place = |file| Span { file, start: (3, 1), end: (3, 2) };
        let mut problems = Problems::default();
        problems.error(place(1), format!("clashes with {}", place(0).line()));
        problems.error_with_help(place(0), "twice", format!("it is also at {}", place(0).place()));
        problems.help(|_| format!("change {}", place(1).line()));
        let files = ["node.yaml".to_owned(), "below.yaml".to_owned()];
        let lines: Vec<_> = problems.found().iter().map(|found| found.named(&files).line()).collect();
        assert_eq!(lines, ["3:1: clashes with node.yaml:3; change line 3", "3:1: twice; it is also at 3:1"]);
    }

    #[test]
    fn what_steers_a_terminal_is_shown_escaped() {
        let mut problems = Problems::default();
        problems.error_with_help(Span::default(), "a\u{1b}[2J\u{202e}b\nÄ", "c\rd");
        let found = &problems.found()[0];
        assert_eq!(
            (found.message.as_str(), found.help.as_deref()),
            ("a\\u{1b}[2J\\u{202e}b\nÄ", Some("c\\rd"))
        );
    }
}

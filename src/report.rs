//! What the tests of a spec found: verdicts in, reports for people and for machines out.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::PlannedTest;
use crate::spec::Span;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What it asks for holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It was not looked at.
    Skip,
}

impl Outcome {
    /// The word of reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it came out.
    pub outcome: Outcome,
    /// Hundredths of a second that it took.
    pub hundredths: u64,
    /// Why it came out so; may be empty.
    pub message: String,
}

impl Verdict {
    /// Reads what `test-check.sh` wrote.
    pub fn parse(text: &str) -> Self {
        let (head, message) = text.split_once('\n').unwrap_or((text, ""));
        let (word, time) = head.split_once(' ').unwrap_or((head, ""));
        let outcome = match word {
            "pass" => Outcome::Pass,
            "skip" => Outcome::Skip,
            _ => Outcome::Fail,
        };
        let message = match (outcome, message.trim_end()) {
            (Outcome::Fail, "") => "the check ended before it could tell why",
            (_, message) => message,
        };
        Self { outcome, hundredths: time.parse().unwrap_or_default(), message: message.to_owned() }
    }

    fn seconds(&self) -> String {
        format!("{}.{:02}", self.hundredths / 100, self.hundredths % 100)
    }
}

/// A check with what it found.
#[derive(Debug)]
struct Entry<'p> {
    test: &'p str,
    what: &'p str,
    span: Span,
    verdict: Verdict,
}

/// All checks of a spec with what they found.
#[derive(Debug)]
pub struct Report<'p> {
    spec: &'p str,
    entries: Vec<Entry<'p>>,
}

impl<'p> Report<'p> {
    /// Puts verdicts beside the checks that they belong to, in the order of the checks. `spec` is the spec's name.
    pub fn new(spec: &'p str, tests: &'p [PlannedTest], verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let checks =
            tests.iter().flat_map(|test| test.checks.iter().map(|check| (test.name.value.as_str(), check)));
        let entries = checks
            .zip(verdicts)
            .map(|((test, check), verdict)| Entry { test, what: &check.what, span: check.span, verdict })
            .collect();
        Self { spec, entries }
    }

    /// What does not hold, as errors at the lines that ask for it.
    pub fn failures(&self) -> Vec<Diagnostic> {
        self.diagnostics(Outcome::Fail, Severity::Error, "fails")
    }

    /// What was not looked at, as warnings.
    pub fn skips(&self) -> Vec<Diagnostic> {
        self.diagnostics(Outcome::Skip, Severity::Warning, "is skipped")
    }

    fn diagnostics(&self, outcome: Outcome, severity: Severity, verb: &str) -> Vec<Diagnostic> {
        let entries = self.entries.iter().filter(|entry| entry.verdict.outcome == outcome);
        entries
            .map(|entry| Diagnostic {
                severity,
                message: format!("the test `{}` {verb}: {}", entry.test, entry.verdict.message),
                help: None,
                span: entry.span,
            })
            .collect()
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.entries.iter().filter(|entry| entry.verdict.outcome == outcome).count()
    }

    /// For people: a line for each check.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Entry { test, what, verdict, .. } in &self.entries {
            let _ = write!(text, "{}  {:>7} s  {test}: {what}", verdict.outcome.word(), verdict.seconds());
            let message = verdict.message.replace(|c: char| c.is_control() && c != '\n', "");
            let message = message.replace('\n', "\n      ");
            let _ = if message.is_empty() { writeln!(text) } else { writeln!(text, "\n      {message}") };
        }
        let [pass, fail, skip] =
            [Outcome::Pass, Outcome::Fail, Outcome::Skip].map(|outcome| self.count(outcome));
        let _ = writeln!(text, "{pass} passed, {fail} failed, {skip} skipped");
        text
    }

    /// JUnit's XML, with a suite for each test and a case for each check. Source: the schema of Jenkins' xUnit plug-in.
    pub fn junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let counts = |entries: &[&Entry<'_>]| {
            let count = |outcome| entries.iter().filter(|entry| entry.verdict.outcome == outcome).count();
            let (failures, skipped) = (count(Outcome::Fail), count(Outcome::Skip));
            format!("tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\" errors=\"0\"", entries.len())
        };
        let all: Vec<_> = self.entries.iter().collect();
        let _ = writeln!(xml, "<testsuites name=\"{}\" {}>", escape(self.spec), counts(&all));
        for entries in self.entries.chunk_by(|a, b| a.test == b.test) {
            let test = escape(entries[0].test);
            let members: Vec<_> = entries.iter().collect();
            let _ = writeln!(xml, "  <testsuite name=\"{test}\" {}>", counts(&members));
            for Entry { what, verdict, .. } in entries {
                let (what, time, message) = (escape(what), verdict.seconds(), escape(&verdict.message));
                let _ = write!(xml, "    <testcase classname=\"{test}\" name=\"{what}\" time=\"{time}\"");
                let _ = match verdict.outcome {
                    Outcome::Pass => writeln!(xml, "/>"),
                    Outcome::Fail => writeln!(xml, "><failure message=\"{message}\"/></testcase>"),
                    Outcome::Skip => writeln!(xml, "><skipped message=\"{message}\"/></testcase>"),
                };
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }

    /// JSON, with the same numbers. `files` are the names of the spec's files, in the order of their numbers.
    pub fn json(&self, files: &[String]) -> String {
        let checks: Vec<Value> = self
            .entries
            .iter()
            .map(|Entry { test, what, span, verdict }| {
                json!({"test": test, "check": what, "outcome": verdict.outcome.word(),
                       "file": files.get(usize::from(span.file)), "line": span.start.0,
                       "seconds": verdict.hundredths as f64 / 100.0, "message": verdict.message})
            })
            .collect();
        let [passed, failed, skipped] =
            [Outcome::Pass, Outcome::Fail, Outcome::Skip].map(|outcome| self.count(outcome));
        let report = json!({"spec": self.spec, "passed": passed, "failed": failed, "skipped": skipped, "checks": checks});
        format!("{report:#}\n")
    }
}

/// Text in an attribute of XML; what XML cannot have is left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PlannedCheck, StepId};
    use crate::spec::{At, Name};

    fn tests() -> Vec<PlannedTest> {
        let check =
            |what: &str| PlannedCheck { what: what.to_owned(), span: Span::default(), step: StepId(0) };
        let test = |name: &str, checks: Vec<PlannedCheck>| PlannedTest {
            name: At::new(Name::parse(name).expect("a name"), Span::default()),
            program: None,
            privileged: false,
            checks,
        };
        vec![
            test("a", vec![check("succeeds"), check("stdout contains `<&>`")]),
            test("b", vec![check("listens")]),
        ]
    }

    fn verdicts() -> Vec<Verdict> {
        ["pass 123\n", "fail 4\nit is \"x\"\u{7}\nend\n", "skip 0\nno GPU\n"].map(Verdict::parse).to_vec()
    }

    #[test]
    fn for_people() {
        let tests = tests();
        insta::assert_snapshot!(Report::new("node", &tests, verdicts()).text(), @r#"
        pass     1.23 s  a: succeeds
        fail     0.04 s  a: stdout contains `<&>`
              it is "x"
              end
        skip     0.00 s  b: listens
              no GPU
        1 passed, 1 failed, 1 skipped
        "#);
    }

    #[test]
    fn for_machines() {
        let tests = tests();
        let report = Report::new("node", &tests, verdicts());
        insta::assert_snapshot!(report.junit(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="node" tests="3" failures="1" skipped="1" errors="0">
          <testsuite name="a" tests="2" failures="1" skipped="0" errors="0">
            <testcase classname="a" name="succeeds" time="1.23"/>
            <testcase classname="a" name="stdout contains `&lt;&amp;&gt;`" time="0.04"><failure message="it is &quot;x&quot;&#10;end"/></testcase>
          </testsuite>
          <testsuite name="b" tests="1" failures="0" skipped="1" errors="0">
            <testcase classname="b" name="listens" time="0.00"><skipped message="no GPU"/></testcase>
          </testsuite>
        </testsuites>
        "#);
        let json: Value = serde_json::from_str(&report.json(&["node.yaml".to_owned()])).expect("JSON");
        assert_eq!(json["failed"], 1);
        assert_eq!(
            (&json["checks"][0]["file"], &json["checks"][0]["line"]),
            (&json!("node.yaml"), &json!(0))
        );
        assert_eq!(json["checks"][1]["seconds"], 0.04);
    }

    #[test]
    fn a_verdict_that_is_none_is_a_failure() {
        for text in ["", "pas 1\n", "\n"] {
            let verdict = Verdict::parse(text);
            assert_eq!(verdict.outcome, Outcome::Fail, "{text:?}");
            assert!(!verdict.message.is_empty());
        }
    }
}

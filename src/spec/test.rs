//! `tests:` what must hold in the finished image.

use super::{At, Fields, Name, Node, checked, items, text};
use crate::diagnostic::Problems;

/// A command that must succeed in the finished image, and what it must print.
#[derive(Debug)]
pub struct Test {
    /// Its name in progress, reports and errors.
    pub name: At<Name>,
    /// Program and arguments; no shell reads them.
    pub run: Vec<At<String>>,
    /// Texts that its standard output must contain.
    pub stdout_contains: Vec<At<String>>,
}

impl Test {
    /// Reads one entry of `tests:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("a test", node, problems)?;
        let name = fields.require("name", "ffmpeg-starts", problems);
        let name = name.and_then(|node| checked("a test's name", node, problems, Name::parse));
        let run = fields.require("run", "[ffmpeg, -version]", problems);
        let run = run.map(|node| {
            let run = items("`run`", node, problems, |n, p| text("an argument", n, p));
            if run.is_empty() {
                problems.error_with_help(
                    node.span,
                    "a test runs a command",
                    "for example `run: [ffmpeg, -version]`",
                );
            }
            run
        });
        let stdout_contains = fields
            .take("stdout_contains")
            .map(|node| items("`stdout_contains`", node, problems, |n, p| text("an expected text", n, p)));
        fields.finish(problems);
        Some(Self { name: name?, run: run?, stdout_contains: stdout_contains.unwrap_or_default() })
    }
}

/// Reports are named after their tests, so no two tests share a name.
pub(super) fn refuse_equal_names(tests: &[Test], problems: &mut Problems) {
    for (i, test) in tests.iter().enumerate() {
        if let Some(first) = tests[..i].iter().find(|t| t.name == test.name) {
            let message = format!("the test `{}` is here for the second time", test.name);
            problems.error_with_help(test.name.span, message, format!("the first is at {}", first.name.span));
        }
    }
}

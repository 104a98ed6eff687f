//! `docs/errors.md`: what users see of the ten commonest mistakes, recorded from the real thing. `INSTA_UPDATE=always`
//! writes it anew.

use std::fs;
use std::path::Path;

use crate::harness::{Build, Outcome, buildctl, builder, daemon};

/// A mistake: what it is, the fields of the spec, arguments of the build.
const MISTAKES: [(&str, &str, &[&str]); 10] = [
    ("A field that does not exist", "base: debian:13\npyhton:\n  version: 3.13.5\n", &[]),
    ("A version that is none", "base: debian:13\nffmpeg:\n  version: latest\n", &[]),
    ("A release that the catalog does not know", "base: debian:13\npython:\n  version: 3.10.99\n", &[]),
    (
        "Packages without a Python to install into",
        "base: debian:13\nwheels:\n  requirements: [numpy==2.2.6]\n",
        &[],
    ),
    (
        "Releases that do not go together",
        "base: debian:13\npython: {version: 3.13.5}\ntorch: {version: 2.5.1, channel: cpu}\n",
        &[],
    ),
    ("An image that is not there", "base: debian:nowhere\n", &[]),
    (
        "A package that the distribution does not have",
        "base: debian:13\nsystem:\n  packages: [curl-from-mars]\n",
        &[],
    ),
    (
        "A file that is not in the build context",
        "base: debian:13\nfiles:\n  - {from: gone.txt, to: /gone.txt}\n",
        &[],
    ),
    (
        "A test that fails",
        "base: debian:13\ntests:\n  - name: says-hello\n    run: [echo, bye]\n    stdout_contains: [hello]\n",
        &["--target=test"],
    ),
    ("A target that does not exist", "base: debian:13\n", &["--target=tests"]),
];

const INTRODUCTION: &str = "# What the ten commonest mistakes look like

Recorded by `tests/e2e/errors.rs` from buildx and buildctl on the newest BuildKit, which fails when anything here changes. All
problems that can be found without running anything are reported at once; the lines are those of the user's own file.
";

/// What a client says at the end: the line of the spec, and the error. Progress, and the output of steps that depends on
/// the day and the place, are left out.
fn last_words(outcome: &Outcome) -> String {
    let mut words = Vec::new();
    let mut inside = false;
    for line in outcome.log.lines() {
        let starts = ["node.yaml:", "ERROR: ", "error: "].iter().any(|start| line.starts_with(start));
        inside = (inside || starts) && !line.starts_with('#');
        if inside && !line.trim().is_empty() {
            words.push(line.trim_end().to_owned());
        }
    }
    words.join("\n")
}

#[test]
fn the_page_of_mistakes() {
    let mut page = INTRODUCTION.to_owned();
    for (title, fields, arguments) in MISTAKES {
        let spec = format!("name: node\n{fields}");
        let build = Build::new(&spec).arguments_added(arguments);
        let outcome = build.run();
        assert!(!outcome.ok, "{title}: the build did not fail");
        let options: Vec<_> = arguments.iter().map(|argument| argument.trim_start_matches("--")).collect();
        let other = buildctl(&daemon(&builder()), build.dir(), &options, &[]);
        assert!(!other.ok, "{title}: buildctl did not fail");
        // buildctl tells of the build or of the solve, whichever it hears of first.
        let told =
            last_words(&other).replace("error: failed to run Build function: ", "error: failed to solve: ");
        let typed = arguments.iter().map(|argument| format!(" {argument}")).collect::<String>();
        page.push_str(&format!(
            "\n## {title}\n\n```text\n$ docker buildx build -f node.yaml{typed} .\n{}\n```\n\n```text\n$ buildctl build --frontend \
             gateway.v0 …\n{}\n```\n",
            last_words(&outcome),
            told
        ));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &page).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/errors.md is stale; it should be\n{page}");
}

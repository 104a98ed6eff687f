//! Pages that are written from the code: they say what the code says. `INSTA_UPDATE=always` writes them anew.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use edgenode::diagnostic::Problems;
use edgenode::spec::{Node as Yaml, Value, parse_yaml};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("read")
}

fn check(page: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, expected).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{page} is stale: run INSTA_UPDATE=always cargo test --test docs");
}

#[test]
fn the_page_of_the_rules() {
    check("docs/lint.md", &edgenode::lint::document());
}

/// The value of a key of a row.
fn entry<'n>(row: &'n Yaml, key: &str) -> Option<&'n Yaml> {
    let Value::Map(entries) = &row.value else { return None };
    entries.iter().find(|(k, _)| k.value == key).map(|(_, value)| value)
}

fn words(node: &Yaml) -> Vec<String> {
    match &node.value {
        Value::Scalar(scalar) => vec![scalar.text.clone()],
        Value::List(items) => items.iter().flat_map(words).collect(),
        Value::Map(_) => Vec::new(),
    }
}

/// All test functions of the project, by the name of their file.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<_> = ["src", "tests", "crates"].iter().map(|name| root.join(name)).collect();
    let mut found = BTreeSet::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("read").flatten().map(|entry| entry.path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for part in text.split("#[test]").skip(1) {
            let name = part.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).unwrap_or_default();
            found.insert(format!("{module}::{name}"));
        }
    }
    found
}

const CONFORMANCE: &str = "# What of BuildKit's contract is kept, and what shows it

Written from `tests/conformance/points.yaml`, whose names of tests are checked, and `tests/conformance/results.tsv`, which
`make conformance` writes: it runs the tests of `tests/e2e` on the newest BuildKit, on the oldest that is supported, on one
between, and on one without root's powers.

| point | what | shown by | but |
| --- | --- | --- | --- |
";

/// What `make conformance` found on a builder.
#[derive(Default)]
struct Results {
    version: String,
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
}

/// By builder.
fn results() -> BTreeMap<String, Results> {
    let mut found = BTreeMap::<String, Results>::new();
    for line in read("tests/conformance/results.tsv").lines() {
        let [builder, version, test, outcome] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("`{line}` has not four columns")
        };
        let results = found.entry(builder.to_owned()).or_default();
        version.clone_into(&mut results.version);
        let tests = if outcome == "ok" { &mut results.passed } else { &mut results.failed };
        tests.insert(test.to_owned());
    }
    found
}

/// Where the point of a row is not shown: the builders on which one of its tests fails, each with the reason of the row.
fn not_on(row: &Yaml, tests: &[String], results: &BTreeMap<String, Results>) -> BTreeMap<String, String> {
    let fails = |of: &Results| tests.iter().any(|test| of.failed.contains(test));
    let failing = results.iter().filter(|(_, of)| fails(of)).map(|(name, _)| name.clone());
    let reasons: BTreeMap<_, _> = match entry(row, "not_on").map(|node| &node.value) {
        Some(Value::Map(entries)) => {
            entries.iter().map(|(builder, reason)| (builder.value.clone(), words(reason).concat())).collect()
        }
        _ => BTreeMap::new(),
    };
    assert_eq!(
        failing.collect::<Vec<_>>(),
        reasons.keys().cloned().collect::<Vec<_>>(),
        "where a test of {tests:?} fails, and where the row says so"
    );
    reasons
}

#[test]
fn the_page_of_the_contract() {
    let rows = parse_yaml(&read("tests/conformance/points.yaml"), 0, &mut Problems::default()).expect("YAML");
    let Value::List(rows) = rows.value else { panic!("no list") };
    let (tests, results) = (tests(), results());
    let (mut page, mut kept, mut open) = (CONFORMANCE.to_owned(), 0, 0);
    let mut missing = BTreeMap::<String, Vec<String>>::new();
    for (number, row) in rows.iter().enumerate() {
        let word = |key: &str| entry(row, key).map(|node| words(node).concat());
        assert_eq!(word("point"), Some((number + 1).to_string()), "a point is missing or doubled");
        let what = word("what").expect("said");
        let shown_by = entry(row, "shown_by").map(words).unwrap_or_default();
        for test in &shown_by {
            assert!(tests.contains(test), "point {}: there is no test {test}", number + 1);
        }
        let cell = match (shown_by.as_slice(), word("open"), word("not_ours")) {
            ([], Some(reason), None) => {
                open += 1;
                format!("open: {reason}")
            }
            ([], None, Some(reason)) => format!("not ours: {reason}"),
            ([_, ..], None, None) => {
                kept += 1;
                shown_by.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(", ")
            }
            _ => panic!("point {} has tests or a reason, one of them", number + 1),
        };
        let mut but = Vec::new();
        for (builder, reason) in not_on(row, &shown_by, &results) {
            missing.entry(builder.clone()).or_default().push((number + 1).to_string());
            but.push(format!("not on the {builder}: {reason}"));
        }
        page.push_str(&format!("| {} | {what} | {cell} | {} |\n", number + 1, but.join("; ")));
    }
    assert_eq!(rows.len(), 63);
    check("docs/conformance.md", &page);
    let readme = read("README.md");
    let mut says = vec![format!("| {} | {kept} | {open} | {} |", rows.len(), rows.len() - kept - open)];
    for builder in ["newest", "between", "oldest", "rootless"] {
        let Results { version, passed, failed } = &results[builder];
        let missing = missing.remove(builder).unwrap_or_default();
        let (points, tests) = (kept - missing.len(), passed.len() + failed.len());
        let missing = missing.join(", ");
        says.push(format!("| {builder}, {version} | {points} | {missing} | {} of {tests} |", passed.len()));
    }
    for line in says {
        assert!(readme.contains(&line), "the README does not say `{line}`");
    }
}

/// The names of tests in a page, and the rows of its tables that name none.
fn named(page: &str) -> (Vec<String>, Vec<String>) {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let rows = rows.filter(|line| !line.contains("| shown by |"));
    let words = |line: &str| -> Vec<String> {
        line.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).map(str::to_owned).collect()
    };
    let bare = rows.filter(|row| words(row).is_empty()).map(str::to_owned).collect();
    (page.lines().flat_map(words).collect(), bare)
}

#[test]
fn the_tests_that_show_our_security_are_there() {
    let tests = tests();
    for file in ["SECURITY.md", "docs/reliability.md"] {
        let page = read(file);
        let (names, bare) = named(&page);
        assert!(names.len() > 10 && bare.is_empty(), "{file}: {bare:?}");
        for name in names {
            assert!(tests.contains(&name), "{file}: there is no test {name}");
        }
    }
    assert_eq!(named("| a | b |\n| a | `b::c` |\n").1, ["| a | b |"]);
    assert!(!tests.contains("docs::nobody_has_written_this"));
}

#[test]
fn no_crate_may_use_unsafe_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| fs::read_to_string(path).expect("read");
    assert!(read(&root.join("Cargo.toml")).contains("[workspace.lints.rust]\nunsafe_code = \"forbid\""));
    let crates = fs::read_dir(root.join("crates")).expect("read").flatten().map(|entry| entry.path());
    for manifest in crates.chain([root.to_owned()]).map(|path| path.join("Cargo.toml")) {
        assert!(read(&manifest).contains("[lints]\nworkspace = true"), "{}", manifest.display());
    }
}

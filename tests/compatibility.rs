//! Specs of earlier editions of the program: they are read, and their graphs are those of the table in
//! `docs/compatibility.md`. `INSTA_UPDATE=always` adds what is new there, without its reason.

#![expect(clippy::expect_used, reason = "helpers of tests")]

#[path = "support/families.rs"]
mod families;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use families::{llb, nodes, specs};
use sha2::{Digest, Sha256};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PAGE: &str = "docs/compatibility.md";

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    spec: String,
    graph: String,
    why: String,
}

/// The rows of the page, whose last one for a spec counts.
fn rows(page: &str) -> Vec<Row> {
    let table = page.lines().skip_while(|line| !line.starts_with("| since")).skip(2);
    table
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [_, spec, graph, why] = cells[..] else { panic!("not a row of the table: {line}") };
            Row {
                spec: spec.trim_matches('`').to_owned(),
                graph: graph.trim_matches('`').to_owned(),
                why: why.to_owned(),
            }
        })
        .collect()
}

/// The graphs as the program makes them now, by spec and architecture; the first half of their digests.
fn graphs() -> BTreeMap<String, String> {
    let mut graphs = BTreeMap::new();
    let editions = fs::read_dir(Path::new(ROOT).join("tests/compatibility")).expect("the corpus");
    for edition in editions.map(|edition| edition.expect("read").path()) {
        let name = edition.file_name().expect("a name").to_string_lossy().into_owned();
        for path in specs(&edition) {
            for (architecture, node) in nodes(&edition, &path) {
                let spec = format!("{name}/{} {architecture}", path.with_extension("").display());
                let digest = Sha256::digest(llb(&node, &architecture));
                graphs.insert(spec, digest[..8].iter().map(|byte| format!("{byte:02x}")).collect());
            }
        }
    }
    graphs
}

/// What is wrong with the table.
fn problems(rows: &[Row], graphs: &BTreeMap<String, String>) -> Vec<String> {
    let last: BTreeMap<_, _> = rows.iter().map(|row| (&row.spec, &row.graph)).collect();
    let unexplained = rows.iter().filter(|row| row.why.is_empty());
    let unexplained = unexplained.map(|row| format!("no reason why {} is {}", row.spec, row.graph));
    let lost = last.keys().filter(|spec| !graphs.contains_key(**spec));
    let lost = lost.map(|spec| format!("{spec} is not in the corpus any more"));
    let changed = graphs.iter().filter(|(spec, graph)| last.get(spec) != Some(graph));
    let changed = changed.map(|(spec, graph)| format!("the graph of {spec} is {graph}"));
    unexplained.chain(lost).chain(changed).collect()
}

#[test]
fn old_specs_give_the_graphs_of_the_table() {
    let path = Path::new(ROOT).join(PAGE);
    let mut page = fs::read_to_string(&path).expect("read");
    let graphs = graphs();
    assert!(graphs.len() > 10, "{graphs:?}");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        let known = rows(&page);
        for (spec, graph) in &graphs {
            if known.iter().rfind(|row| row.spec == *spec).is_none_or(|row| row.graph != *graph) {
                page += &format!("| {} | `{spec}` | `{graph}` | |\n", env!("CARGO_PKG_VERSION"));
            }
        }
        fs::write(&path, &page).expect("written");
    }
    let found = problems(&rows(&page), &graphs);
    assert!(found.is_empty(), "{PAGE}:\n{}", found.join("\n"));
}

#[test]
fn a_graph_that_changes_without_a_word_is_found() {
    let row =
        |graph: &str, why: &str| Row { spec: "s".to_owned(), graph: graph.to_owned(), why: why.to_owned() };
    let is = |graph: &str| BTreeMap::from([("s".to_owned(), graph.to_owned())]);
    assert_eq!(problems(&[row("a", "first"), row("b", "better")], &is("b")), [""; 0]);
    assert_eq!(problems(&[row("a", "first")], &is("b")), ["the graph of s is b"]);
    assert_eq!(problems(&[row("a", "first"), row("b", "")], &is("b")), ["no reason why s is b"]);
    assert_eq!(problems(&[row("b", "better"), row("a", "first")], &is("b")), ["the graph of s is b"]);
    assert_eq!(problems(&[row("a", "first")], &BTreeMap::new()), ["s is not in the corpus any more"]);
}

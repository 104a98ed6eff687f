//! Pages that are written from the code: they say what the code says. `INSTA_UPDATE=always` writes them anew.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

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

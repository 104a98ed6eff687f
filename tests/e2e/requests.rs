//! Questions about a spec that build nothing: `--call` and `--check`.

use serde_json::Value;

use crate::harness::Build;

const SPEC: &str = "name: node\nbase: debian:13\npython: {version: 3.13.5}\n\
                    torch: {version: 2.9.1, channel: cu128}\nwheels: {requirements: [six]}\n";

fn ask(call: &str) -> Value {
    let outcome = Build::new(SPEC).with("--call", &format!("{call},format=json")).succeed();
    assert!(outcome.executed().is_empty(), "{call} ran something");
    serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{call}: {error}\n{}", outcome.stdout))
}

#[test]
fn the_questions_are_listed() {
    let names: Vec<Value> = ask("subrequests.describe")
        .as_array()
        .expect("a list")
        .iter()
        .map(|request| request["name"].clone())
        .collect();
    let expected = ["frontend.subrequests.describe", "frontend.outline", "frontend.targets", "frontend.lint"];
    assert_eq!(names, expected);
}

#[test]
fn the_targets_are_listed() {
    let answer = ask("targets");
    let names: Vec<_> =
        answer["targets"].as_array().expect("a list").iter().map(|t| t["name"].clone()).collect();
    assert_eq!(names, ["image", "spec", "test", "python", "cuda", "torch", "wheels"]);
    assert_eq!(answer["targets"][0]["default"], true);
    assert_eq!(answer["targets"][3]["location"]["ranges"][0]["start"]["line"], 4);
    let told = Build::new(SPEC).with("--call", "targets").succeed().stdout;
    assert!(told.contains("image (default)"), "{told}");
}

#[test]
fn the_arguments_are_listed() {
    let names: Vec<_> =
        ask("outline")["args"].as_array().expect("a list").iter().map(|a| a["name"].clone()).collect();
    assert_eq!(names, ["EDGENODE_ARCHIVED", "EDGENODE_MERGE"]);
}

#[test]
fn a_check_shows_what_could_be_better() {
    let outcome = Build::new(SPEC).arguments_added(&["--check"]).run();
    assert!(!outcome.ok, "warnings must have an exit code");
    let told = format!("{}{}", outcome.stdout, outcome.log);
    for words in [
        "UnpinnedBase",
        "FloatingRequirement",
        "`six` is another release tomorrow",
        "NoTests",
        ">>> base: debian:13",
    ] {
        assert!(told.contains(words), "{words:?} is not in:\n{told}");
    }
    assert!(outcome.executed().is_empty());
}

#[test]
fn a_check_of_a_good_spec_is_silent() {
    let spec =
        format!("name: n\nbase: debian:13@sha256:{}\ntests: [{{name: t, run: [ls]}}]\n", "a".repeat(64));
    let outcome = Build::new(&spec).arguments_added(&["--check"]).succeed();
    assert!(
        outcome.stdout.contains("no warnings found") || outcome.log.contains("no warnings found"),
        "{}",
        outcome.log
    );
}

#[test]
fn a_check_of_a_spec_with_a_mistake_shows_the_mistake() {
    let outcome = Build::new("name: n\nbas: debian:13\n").arguments_added(&["--check"]).run();
    assert!(!outcome.ok && outcome.log.contains("did you mean `base`?"), "{}", outcome.log);
}

#[test]
fn an_unknown_question_is_refused() {
    Build::new(SPEC).with("--call", "weather").fail(&["unsupported request frontend.weather"]);
}

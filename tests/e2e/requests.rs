//! Questions about a spec that build nothing: `--call` and `--check`.

use serde_json::Value;

use crate::harness::{Build, RELEASES, buildctl, daemon};

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
    let expected = [
        "frontend.subrequests.describe",
        "frontend.outline",
        "frontend.targets",
        "frontend.lint",
        "frontend.plan",
        "frontend.explain",
        "frontend.schema",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_targets_are_listed() {
    let answer = ask("targets");
    let names: Vec<_> =
        answer["targets"].as_array().expect("a list").iter().map(|t| t["name"].clone()).collect();
    assert_eq!(
        names,
        [
            "image", "spec", "test", "report", "graph", "lock", "update", "bundle", "sbom", "python", "cuda",
            "torch", "wheels"
        ]
    );
    assert_eq!(answer["targets"][0]["default"], true);
    assert_eq!(answer["targets"][9]["location"]["ranges"][0]["start"]["line"], 4);
    let told = Build::new(SPEC).with("--call", "targets").succeed().stdout;
    assert!(told.contains("image (default)"), "{told}");
}

#[test]
fn the_arguments_are_listed() {
    let names: Vec<_> =
        ask("outline")["args"].as_array().expect("a list").iter().map(|a| a["name"].clone()).collect();
    assert_eq!(
        names,
        [
            "EDGENODE_ARCHIVED",
            "EDGENODE_LOCKED",
            "EDGENODE_UPDATE",
            "EDGENODE_MERGE",
            "EDGENODE_MIRROR",
            "EDGENODE_TRACE"
        ]
    );
}

#[test]
fn the_calls_of_the_daemon_are_told() {
    let trace = |value: &str| {
        let build = Build::new("name: node\nbase: debian:13\n");
        build.with("--build-arg", &format!("EDGENODE_TRACE={value}"))
    };
    let log = trace("1").succeed().log;
    let (_, told) = log.split_once("calls of the daemon, in ms: ").expect("the calls");
    let told = told.lines().next().unwrap_or_default();
    // A call as `Ping 0.4-0.9`: when it began and when it ended.
    let lasted = |call: &str| {
        let (began, ended) = call.split_once(' ')?.1.split_once('-')?;
        Some(ended.parse::<f64>().ok()? >= began.parse::<f64>().ok()?)
    };
    let ended = |name: &str| {
        told.split(", ").filter(|call| call.starts_with(name) && lasted(call) == Some(true)).count()
    };
    // The handshake, the spec and its lock, the base image, the graph.
    assert!(told.starts_with("Ping ") && ended("Ping ") == 1, "{told}");
    assert!(ended("ResolveImageConfig ") >= 1 && ended("Solve ") >= 3, "{told}");
    assert!(!trace("0").succeed().log.contains("calls of the daemon"));
    trace("maybe").fail(&["EDGENODE_TRACE is `true` or `false`"]);
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
    let spec = format!(
        "name: n\nbase: debian:13@sha256:{}\nstatus: production\nplatforms: [linux/amd64]\nuser: nobody\n\
         tests: [{{name: t, run: [ls]}}]\n",
        "a".repeat(64)
    );
    let outcome = Build::new(&spec).arguments_added(&["--check"]).succeed();
    assert!(
        outcome.stdout.contains("no warnings found") || outcome.log.contains("no warnings found"),
        "{}",
        outcome.log
    );
}

#[test]
fn small_advice_fails_no_check() {
    let spec =
        format!("name: n\nbase: debian:13@sha256:{}\ntests: [{{name: t, run: [ls]}}]\n", "a".repeat(64));
    let outcome = Build::new(&spec).arguments_added(&["--check"]).succeed();
    assert!(format!("{}{}", outcome.stdout, outcome.log).contains("RootUser"), "{}", outcome.log);
}

#[test]
fn rules_are_silenced_by_the_spec_and_by_the_client() {
    let check = |fields: &str, argument: &str| {
        let build =
            Build::new(&format!("name: n\nbase: debian:13\ntests: [{{name: t, run: [ls]}}]\n{fields}"));
        let outcome = build.with("--build-arg", argument).arguments_added(&["--check"]).run();
        (outcome.ok, format!("{}{}", outcome.stdout, outcome.log))
    };
    assert!(!check("", "A=").0);
    let ignored = "lint: {ignore: [{rule: UnpinnedBase, reason: it follows the distribution}]}\n";
    assert!(check(ignored, "A=").0);
    assert!(check("", "BUILDKIT_DOCKERFILE_CHECK=skip=UnpinnedBase").0);
    let (ok, told) = check("", "BUILDKIT_DOCKERFILE_CHECK=skip=all");
    assert!(ok && told.contains("no warnings found"), "{told}");
}

#[test]
fn a_build_warns_of_what_is_grave_and_fails_where_the_client_wants_it() {
    let spec = "name: n\nbase: debian:13\nenv: {HF_TOKEN: abc}\n";
    let log = Build::new(spec).arguments_added(&["--debug"]).succeed().log;
    for words in [
        "SecretInEnv: everyone who has the image can read `HF_TOKEN`",
        "docs/lint.md#secretinenv",
        ">>> env:",
    ] {
        assert!(log.contains(words), "{words:?} is not in:\n{log}");
    }
    assert!(!log.contains("NoTests"), "builds are noisy:\n{log}");
    let strict = Build::new(spec).with("--build-arg", "BUILDKIT_DOCKERFILE_CHECK=error=true");
    strict.fail(&["this ends the build", "SecretInEnv", "UnpinnedBase"]);
}

#[test]
fn the_plan_says_where_everything_comes_from() {
    let answer = ask("plan");
    let rows = answer["plans"][0]["rows"].as_array().expect("rows");
    let row = |name: &str| {
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer}"))
    };
    assert_eq!(row("base")["pinned"], true, "its digest was asked for");
    assert_eq!((&row("python")["version"], &row("python")["pinned"]), (&"3.13.5".into(), &true.into()));
    let download = row("python")["downloads"][0]["url"].as_str().expect("an address");
    assert!(download.ends_with("Python-3.13.5.tar.xz"), "{download}");
    assert_eq!((&row("wheels")["pinned"], &row("wheels")["index"]), (&false.into(), &true.into()));
    assert_eq!(row("torch")["location"]["ranges"][0]["start"]["line"], 5);
    let told = Build::new(SPEC).with("--call", "plan").succeed().stdout;
    assert!(told.contains("wheels") && told.contains("floating") && told.contains("package index"), "{told}");
}

#[test]
fn every_line_says_which_steps_it_causes() {
    let told = Build::new(SPEC).with("--call", "explain").succeed().stdout;
    for words in
        ["node.yaml:4:", "[python 3.13.5] build (run)", "[wheels] install wheels (run with a network)"]
    {
        assert!(told.contains(words), "{words:?} is not in:\n{told}");
    }
    let answer = ask("explain");
    let rows = answer["explanations"][0]["rows"].as_array().expect("rows");
    assert!(rows.len() >= 4, "{} places", rows.len());
    assert!(rows.iter().all(|row| row["file"] == "node.yaml"), "{rows:?}");
}

#[test]
fn the_schema_is_that_of_the_file() {
    let file = include_str!("../../specs/schema.json");
    let file: Value = serde_json::from_str(file).expect("JSON");
    assert_eq!(ask("schema"), file);
}

#[test]
fn buildctl_asks_the_same_questions() {
    let build = Build::new(SPEC);
    for builder in RELEASES {
        for (request, words) in
            [("plan", "package index"), ("explain", "[python 3.13.5] build"), ("targets", "graph")]
        {
            let outcome =
                buildctl(&daemon(builder), build.dir(), &[&format!("requestid=frontend.{request}")], &[]);
            assert!(outcome.ok && outcome.stdout.contains(words), "{request}: {outcome:?}");
        }
    }
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

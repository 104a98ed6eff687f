//! What the README and the other pages tell users to write and to type.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Build, setting};

const README: &str = include_str!("../../README.md");

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of the README in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_specs_of_the_readme_are_those_of_the_examples() {
    let specs = blocks("yaml");
    assert!(!specs.is_empty(), "no spec in the README");
    for spec in specs {
        let name = spec.lines().find_map(|line| line.strip_prefix("name: ")).expect("a name");
        let example =
            fs::read_to_string(project().join(format!("examples/{name}/edgenode.yaml"))).expect("read");
        assert_eq!(spec, example);
    }
}

#[test]
fn the_commands_of_the_readme_work() {
    let commands: Vec<_> = blocks("sh").into_iter().flat_map(str::lines).collect();
    let builds: Vec<_> =
        commands.iter().filter_map(|line| line.strip_prefix("docker buildx build ")).collect();
    assert!(builds.len() >= 3, "few commands: {commands:?}");
    let out = tempfile::tempdir().expect("a directory");
    for (number, build) in builds.into_iter().enumerate() {
        // A whole example is built elsewhere; here the words of the command are what counts.
        let words: Vec<_> =
            build.split_whitespace().map(|word| word.replace("media-node", "hello")).collect();
        let words: Vec<_> = words
            .iter()
            .map(|word| word.replace("dest=", &format!("dest={}/{number}-", out.path().display())))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Build::raw(b"").inside(project()).arguments(&words).succeed();
    }
    for command in commands.iter().filter_map(|line| line.strip_prefix("edgenode ")) {
        let output = Command::new(env!("CARGO_BIN_EXE_edgenode"))
            .args(command.split_whitespace())
            .current_dir(project())
            .output()
            .expect("edgenode starts");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let targets: Vec<_> = commands.iter().filter_map(|line| line.strip_prefix("make ")).collect();
    assert!(!targets.is_empty());
    let makefile = fs::read_to_string(project().join("Makefile")).expect("read");
    for target in targets {
        let target = target.split_whitespace().next().unwrap_or_default();
        assert!(makefile.contains(&format!("\n{target}: ")), "no target {target}");
    }
}

#[test]
fn every_example_builds() {
    for entry in fs::read_dir(project().join("examples")).expect("read").flatten() {
        let spec = entry.path().join("edgenode.yaml");
        // The large one has tests of its own.
        if spec.is_file() && entry.file_name() != "media-node" {
            let text = fs::read(&spec).expect("read");
            let reports = Build::raw(&text).with("--target", "test").files();
            assert!(
                fs::read_dir(reports.path()).expect("read").count() > 0,
                "{} has no tests",
                spec.display()
            );
            Build::raw(&text).succeed();
        }
    }
}

/// `make demo` in each of its ways but docker's, for a small spec.
fn demo(builder: Option<&str>) -> String {
    let out = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(project().join("examples/demo"));
    command.arg(project().join("examples/hello/edgenode.yaml")).arg(out.path());
    command.env_remove("BUILDKIT_HOST").env_remove("BUILDX_CONFIG").env_remove("EDGENODE_ENV");
    // A docker that runs here is none of this test.
    command.env("DOCKER_HOST", "unix:///nonexistent");
    if let Some(builder) = builder {
        command.env("BUILDKIT_HOST", builder);
    }
    let output = command.output().expect("bash starts");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    assert!(
        log.contains(if builder.is_some() { "building on unix://" } else { "a BuildKit of our own" }),
        "{log}"
    );
    assert!(out.path().join("image.tar").is_file() && out.path().join("tests/curl-has-https.txt").is_file());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_demo_builds_where_it_is_told_to() {
    let told = demo(Some(&setting("BUILDKIT_HOST")));
    for words in
        ["apt-install.sh ca-certificates curl", "MB  in all", "curl-has-https", "docker buildx build -f "]
    {
        assert!(told.contains(words), "{words:?} is not in:\n{told}");
    }
}

#[test]
fn the_demo_starts_a_builder_of_its_own() {
    assert!(demo(None).contains("curl-has-https"));
}

#[test]
fn a_demo_that_fails_leaves_logs_and_no_processes() {
    let build = Build::new("name: node\nbase: debian:13\nsytem: {}\n");
    let output = Command::new(project().join("examples/demo"))
        .args([build.dir().join("node.yaml"), build.dir().join("out")])
        .env_remove("BUILDKIT_HOST")
        .env("DOCKER_HOST", "unix:///nonexistent")
        .output()
        .expect("bash starts");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && log.contains("did you mean `system`?"), "{log}");
    let logs = log.lines().find_map(|line| line.strip_prefix("[env] the logs are in ")).expect("told");
    assert!(Path::new(logs).join("buildkitd.log").is_file());
    let found = Command::new("pgrep").args(["-f", logs]).output().expect("pgrep starts");
    assert!(found.stdout.is_empty(), "still running: {}", String::from_utf8_lossy(&found.stdout));
    fs::remove_dir_all(logs).expect("removed");
}

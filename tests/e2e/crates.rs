//! The three crates by themselves: what their examples promise.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{Build, RELEASES, setting};

/// Runs an example of one of the crates with a file as its standard input.
fn example(name: &str, input: Option<&Path>) -> Output {
    // What `cargo test --workspace` builds as well, so that it is there already.
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--workspace", "--example", name]);
    assert!(build.status().expect("cargo starts").success());
    let tests = std::env::current_exe().expect("this program");
    let target = tests.ancestors().nth(2).expect("cargo's directory");
    let input = input.map(|path| fs::File::open(path).expect("opened"));
    let mut command = Command::new(target.join("examples").join(name));
    let output = command.stdin(input.map_or_else(Stdio::null, Stdio::from)).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_graph_is_written_read_and_solved() {
    let dir = tempfile::tempdir().expect("a directory");
    let definition = dir.path().join("definition");
    fs::write(&definition, example("hello", None).stdout).expect("written");
    let ops = String::from_utf8(example("ops", Some(&definition)).stdout).expect("text");
    let expected =
        "file, 1 actions, 0 inputs\nfile, 1 actions, 0 inputs\nmerge, 2 inputs\nresult, 1 inputs\n";
    assert_eq!(ops, expected);
    let out = dir.path().join("out");
    let solved = Command::new(setting("EDGENODE_BUILDCTL"))
        .args(["build", "--output", &format!("type=local,dest={}", out.display())])
        .stdin(fs::File::open(&definition).expect("opened"))
        .output()
        .expect("buildctl starts");
    assert!(solved.status.success(), "{}", String::from_utf8_lossy(&solved.stderr));
    let read = |name| fs::read_to_string(out.join(name)).expect("read");
    assert_eq!((read("hello"), read("world")), ("hello\n".into(), "world\n".into()));
}

#[test]
fn the_minimal_frontend_builds() {
    let spec = "# syntax=examples/minimal:1\n\ndebian:13\n";
    for builder in RELEASES {
        let files = Build::raw(spec.as_bytes()).on(builder).files();
        assert_eq!(fs::read_to_string(files.path().join("spec")).expect("read"), spec);
        assert!(files.path().join("etc/debian_version").is_file());
    }
    Build::raw(b"# syntax=examples/minimal:1\n").fail(&["the spec names no image"]);
}

#[test]
fn the_empty_frontend_builds_nothing() {
    let files = Build::raw(b"# syntax=examples/empty:1\n").files();
    assert_eq!(fs::read_dir(files.path()).expect("read").count(), 0);
}

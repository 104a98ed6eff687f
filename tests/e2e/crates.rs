//! The three crates by themselves: what their examples promise.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::harness::{Build, RELEASES, setting};

/// Runs an example with a file as its standard input.
fn example(package: &str, name: &str, input: Option<&std::path::Path>) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--locked", "--package", package, "--example", name]);
    let input = input.map(|path| fs::File::open(path).expect("opened"));
    command.stdin(input.map_or_else(Stdio::null, Stdio::from));
    let output = command.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_graph_is_written_read_and_solved() {
    let dir = tempfile::tempdir().expect("a directory");
    let definition = dir.path().join("definition");
    fs::write(&definition, example("buildkit-llb", "hello", None).stdout).expect("written");
    let ops = String::from_utf8(example("buildkit-proto", "ops", Some(&definition)).stdout).expect("text");
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

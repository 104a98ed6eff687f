//! The command line as far as it needs neither a builder nor a registry.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Runs the command line in a directory; gives its exit code and both of its outputs.
fn edgenode(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_edgenode"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("BUILDKIT_SESSION_ID")
        .output()
        .expect("edgenode starts");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    directory
}

#[test]
fn lock_says_what_it_would_run() {
    let directory = directory(&[
        ("specs/node.yaml", "extends: common/below.yaml\nname: node\n"),
        ("specs/common/below.yaml", "base: debian:13\n"),
    ]);
    let (code, text) =
        edgenode(directory.path(), &["lock", "--dry-run", "specs/node.yaml", "--", "--builder", "far"]);
    assert_eq!(code, Some(0), "{text}");
    let expected = "build --target lock --output specs --file specs/node.yaml --builder far specs\n";
    assert!(text.ends_with(expected), "{text}");
    let (_, text) = edgenode(
        directory.path(),
        &["--json", "lock", "--dry-run", "--update=torch,ffmpeg", "specs/node.yaml"],
    );
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let words: Vec<_> =
        json["command"].as_array().expect("words").iter().filter_map(|word| word.as_str()).collect();
    assert!(
        words.ends_with(&[
            "--target",
            "update",
            "--build-arg",
            "EDGENODE_UPDATE=torch,ffmpeg",
            "--output",
            "specs",
            "--file",
            "specs/node.yaml",
            "specs"
        ]),
        "{words:?}"
    );
    assert_eq!(json["lock"], "specs/node.lock");
    let (code, text) = edgenode(directory.path(), &["lock", "gone.yaml"]);
    assert!(code == Some(1) && text.contains("gone.yaml cannot be read"), "{text}");
}

#[test]
fn validate_tells_everything_in_the_file_that_has_it() {
    let directory = directory(&[
        (
            "node.yaml",
            "# syntax=ratio1/edgenode:1\nextends: common/below.yaml\nname: node\ntorch: {version: 2.99, channel: cpu}\n",
        ),
        ("common/below.yaml", "base: debian:13\npython: {version: 3.13.5}\npyhton: {}\n"),
        ("good.yaml", "name: n\nbase: debian:13\ntests: [{name: t, run: ['true']}]\n"),
        ("unknown.yaml", "name: n\nbase: debian:13\npython: {version: 3.13.99}\n"),
    ]);
    let (code, text) = edgenode(directory.path(), &["validate", "node.yaml"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("common/below.yaml:3:1: the spec has no field `pyhton`; did you mean `python`?"),
        "{text}"
    );
    let (code, text) = edgenode(directory.path(), &["validate", "unknown.yaml"]);
    assert!(
        code == Some(1) && text.contains("unknown.yaml:3:19: the catalog does not know python 3.13.99"),
        "{text}"
    );
    let (code, text) = edgenode(directory.path(), &["validate", "good.yaml"]);
    assert!(code == Some(0) && text.contains("warning: good.yaml:2:7: UnpinnedBase"), "{text}");
    assert_eq!(edgenode(directory.path(), &["validate", "--strict", "good.yaml"]).0, Some(1));
    let (code, text) = edgenode(directory.path(), &["--json", "validate", "good.yaml"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(code == Some(0) && json["valid"] == true && json["errors"] == serde_json::json!([]));
    assert_eq!(edgenode(directory.path(), &["validate", "gone.yaml"]).0, Some(1));
    assert_eq!(edgenode(directory.path(), &["validat"]).0, Some(2), "arguments that are wrong");
}

#[test]
fn places_in_other_files_are_told_with_their_names() {
    let below = "base: ubuntu:22.04\ntarget: {driver: '>=560'}\npython: ";
    let python = format!("{below}{{version: 3.10, venv: /opt/venv}}\n");
    let transformers = "name: n\ntransformers: 5.23.0\n";
    let torch = "name: n\ntorch: {version: '>=2.7', channel: auto}\n";
    let directory = directory(&[
        ("child.yaml", &format!("extends: common/parent.yaml\n{transformers}")),
        ("one.yaml", &format!("{python}{transformers}")),
        ("common/parent.yaml", &python),
        ("open.yaml", &format!("extends: common/newer.yaml\n{torch}")),
        ("common/newer.yaml", &format!("{below}{{version: 3.13.5}}\n")),
        ("users.yaml", "extends: common/users.yaml\nname: n\nsystem: {users: [{name: a, id: 7}]}\n"),
        ("common/users.yaml", "base: debian:13\nsystem: {users: [{name: b, id: 7}]}\n"),
    ]);
    for (spec, expected) in [
        (
            "child.yaml",
            "`transformers` (line 3) and `python` (./common/parent.yaml:3) clash; what would work",
        ),
        ("one.yaml", "`python` (line 3) and `transformers` (line 5) clash; what would work"),
        (
            "users.yaml",
            "users.yaml:3:25: the user `a` has a name or number that is taken; it is taken at ./common/users.yaml:2:25",
        ),
    ] {
        let (code, text) = edgenode(directory.path(), &["validate", spec]);
        assert!(code == Some(1) && text.contains(expected), "{spec}: {text}");
    }
    let (code, text) = edgenode(directory.path(), &["explain", "open.yaml"]);
    assert_eq!(code, Some(0), "{text}");
    for expected in [
        "python 3.13.5 (./common/newer.yaml:3)\n",
        "torch 2.14.1 (line 3)\n",
        "and `target.driver` (./common/newer.yaml:2) begins at 560",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    let (_, text) = edgenode(directory.path(), &["--json", "explain", "open.yaml"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let place = |row: &serde_json::Value| (row["file"].clone(), row["line"].clone());
    assert_eq!(place(&json[0]), ("./common/newer.yaml".into(), 3.into()), "{text}");
    assert_eq!(place(&json[1]), ("open.yaml".into(), 3.into()), "{text}");
    assert!(text.contains("(./common/newer.yaml:2)"), "{text}");
}

#[test]
fn what_a_spec_cannot_extend_is_told_at_its_line() {
    let many = |number: usize| format!("extends: s{}.yaml\nname: a\nbase: debian:13\n", number + 1);
    let many: Vec<_> = (0..9).map(|number| (format!("s{number}.yaml"), many(number))).collect();
    let mut files = vec![
        ("s/node.yaml", "name: n\nname: m\nextends: gone.yaml\n"),
        ("x.yaml", "name: a\nbase: debian:13\nextends: y.yaml\n"),
        ("y.yaml", "pyhton: {}\nextends: x.yaml\n"),
        ("folder.yaml/below", ""),
        ("z.yaml", "name: a\nextends: folder.yaml\n"),
    ];
    files.extend(many.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let directory = directory(&files);
    for (spec, expected) in [
        (
            "s/node.yaml",
            "s/node.yaml:3:10: `gone.yaml` is not in the build context, `s`; a spec extends a file",
        ),
        ("s/node.yaml", "s/node.yaml:2:1: "),
        ("x.yaml", "y.yaml:2:10: the spec extends itself by way of `x.yaml`; leave `extends` out"),
        ("x.yaml", "y.yaml:1:1: the spec has no field `pyhton`"),
        ("z.yaml", "z.yaml:2:10: `./folder.yaml` cannot be read"),
        ("s0.yaml", "s7.yaml:1:10: more than 8 specs stand on each other"),
    ] {
        let (code, text) = edgenode(directory.path(), &["validate", spec]);
        assert!(code == Some(1) && text.contains(expected), "{spec}: {expected:?} is not in {text:?}");
        assert!(!text.contains("lacks the field"), "{text}");
    }
}

#[test]
fn validate_sees_which_files_are_directories() {
    let spec = |files: &str| format!("name: n\nbase: debian:13\nfiles: [{files}]\n");
    let two = spec("{from: a.conf, to: /etc/app}, {from: one, to: /etc/app}");
    let lost = spec("{from: a.conf, to: /etc/app}, {from: b.conf, to: /etc/app}");
    let merged = spec("{from: one, to: /etc/app}, {from: other, to: /etc/app}, {from: b.conf, to: /etc/app}");
    let directory = directory(&[
        ("two.yaml", &two),
        ("lost.yaml", &lost),
        ("merged.yaml", &merged),
        ("a.conf", ""),
        ("b.conf", ""),
        ("one/x", ""),
        ("other/x", ""),
    ]);
    let (code, text) = edgenode(directory.path(), &["validate", "two.yaml"]);
    assert!(
        code != Some(0)
            && text.contains("`/etc/app` cannot be both the file `a.conf` (line 3) and the directory `one`"),
        "{text}"
    );
    let (code, text) = edgenode(directory.path(), &["validate", "lost.yaml"]);
    assert!(
        code == Some(0) && text.contains("`/etc/app` is `b.conf`, and nothing is left of `a.conf` (line 3)"),
        "{text}"
    );
    let (code, text) = edgenode(directory.path(), &["validate", "merged.yaml"]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn what_is_predefined_is_of_the_platform() {
    let spec = |more: &str| format!("name: n\nbase: debian:13\n{more}workdir: '/srv/${{TARGETARCH}}'\n");
    let directory = directory(&[
        ("plain.yaml", &spec("")),
        ("arm.yaml", &spec("platforms: [linux/arm64]\n")),
        ("declared.yaml", &spec("args: {TARGETARCH: riscv64}\n")),
        ("wrong.yaml", &spec("platforms: [linux/arm64]\nstop_signal: '${TARGETPLATFORM}'\n")),
    ]);
    let (code, text) =
        edgenode(directory.path(), &["validate", "plain.yaml", "arm.yaml", "declared.yaml", "wrong.yaml"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("error: wrong.yaml:4:14: `linux/arm64` is not a signal; "), "{text}");
    assert_eq!(text.matches("error: ").count(), 1, "{text}");
    for (arguments, expected) in [
        (&["plain.yaml"][..], "/srv/amd64"),
        (&["plain.yaml", "--platform", "linux/arm64"], "/srv/arm64"),
        (&["arm.yaml"], "/srv/arm64"),
        (&["declared.yaml"], "/srv/amd64"),
    ] {
        let (code, text) = edgenode(directory.path(), &[&["plan", "--llb"], arguments].concat());
        assert!(code == Some(0) && text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn validate_checks_what_it_can_and_says_what_it_did_not() {
    let spec =
        |base: &str, more: &str| format!("name: a\nbase: {base}\npython: {{version: 3.13.11}}\n{more}");
    let docker = "docker: {provider: apt, version: 28.5.2}\n";
    let clash = format!(
        "{docker}torch: {{version: 2.5.1, channel: cu121}}\nonnxruntime: {{version: 1.31.1, flavour: gpu}}\n"
    );
    let sum = "a".repeat(64);
    let directory = directory(&[
        ("clash.yaml", &spec("ubuntu:24.04", &clash)),
        ("docker.yaml", &spec(&format!("ubuntu:24.04@sha256:{sum}"), docker)),
        ("newest.yaml", &spec("ubuntu:26.04", "docker: {provider: apt, version: auto}\n")),
        ("alpine.yaml", &spec("alpine:3.22", docker)),
        ("python.yaml", &spec("python:3.13-slim", docker)),
        (
            "silent.yaml",
            &format!(
                "name: a\nbase: alpine:3.22@sha256:{sum}\nstatus: production\nplatforms: [linux/amd64]\n\
                 user: a\nsystem: {{users: [{{name: a, id: 1000}}]}}\ntests: [{{name: t, run: ['true']}}]\n"
            ),
        ),
    ]);
    let (code, text) = edgenode(directory.path(), &["validate", "clash.yaml"]);
    assert!(code == Some(1) && text.contains("error: clash.yaml:5:18: torch 2.5.1 has no wheels"), "{text}");
    for spec in ["docker.yaml", "newest.yaml"] {
        let (code, text) = edgenode(directory.path(), &["validate", spec]);
        let expected = "Packages was not read, so that its packages were not checked; a build reads it";
        assert!(code == Some(0) && text.contains(&format!("note: {spec}:4:34: https://")), "{text}");
        assert!(text.contains(expected) && text.matches("note: ").count() == 1, "{text}");
    }
    for (spec, image) in [("alpine.yaml", "alpine:3.22"), ("python.yaml", "python:3.13-slim")] {
        let expected = format!(
            "{spec}:2:7: what goes together was not checked: what `docker.io/library/{image}` has is known to a builder"
        );
        let (code, text) = edgenode(directory.path(), &["--json", "validate", spec]);
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert!(code == Some(0) && json["valid"] == true, "{text}");
        assert!(json["notes"][0].as_str().expect("a note").starts_with(&expected), "{text}");
    }
    let (code, text) = edgenode(directory.path(), &["validate", "--strict", "silent.yaml"]);
    assert!(code == Some(0) && text.starts_with("note: ") && text.lines().count() == 1, "{text}");
}

#[test]
fn validate_tells_what_nobody_has_established() {
    let sum = "a".repeat(64);
    let spec = |status: &str, rule: &str, target: &str| {
        format!(
            "name: a\nbase: ubuntu:24.04@sha256:{sum}\npython: {{version: 3.13.11, optimize: true}}\n\
             torch: {{version: 2.15.0, channel: cu132}}\nstatus: {status}\nplatforms: [linux/amd64]\n\
             user: a\nsystem: {{users: [{{name: a, id: 1001}}]}}\ntests: [{{name: t, run: [python3, -c, import torch]}}]\n\
             lint: {{ignore: [{{rule: UnlockedSpec, reason: r}}{rule}]}}\n{target}"
        )
    };
    let directory = directory(&[
        ("gpu.yaml", &spec("production", "", "target: {gpus: [RTX 5090]}\n")),
        ("any.yaml", &spec("experimental", ", {rule: NotInProduction, reason: r}", "")),
    ]);
    let (code, text) = edgenode(directory.path(), &["validate", "gpu.yaml"]);
    let expected =
        "warning: gpu.yaml:4:35: nobody has established whether torch 2.15.0 of the channel cu132 has code";
    assert!(code == Some(0) && text.starts_with(expected) && text.lines().count() == 1, "{text}");
    assert_eq!(edgenode(directory.path(), &["validate", "--strict", "gpu.yaml"]).0, Some(1));
    // What a status means the linter says, unless it is told not to.
    let (code, text) = edgenode(directory.path(), &["validate", "--strict", "any.yaml"]);
    assert_eq!((code, text.as_str()), (Some(0), ""));
}

#[test]
fn validate_knows_the_user_of_ubuntu() {
    for (base, told) in [("ubuntu:24.04", true), ("ubuntu:noble", true), ("ubuntu:22.04", false)] {
        let spec = format!("name: a\nbase: {base}\nsystem: {{users: [{{name: node, id: 1000}}]}}\n");
        let directory = directory(&[("node.yaml", &spec)]);
        let (code, text) = edgenode(directory.path(), &["validate", "node.yaml"]);
        let message =
            "error: node.yaml:3:35: the base image has the user `ubuntu` with number 1000; take another";
        assert_eq!((code, text.contains(message)), (Some(i32::from(told)), told), "{base}: {text}");
    }
}

#[test]
fn releases_have_more_than_one_name() {
    let unknown = "name: a\npython: {version: 3.13.99}\nbase: ";
    for (base, is_known) in [
        ("debian:12", true),
        ("debian:12.11-slim", true),
        ("debian:bookworm", true),
        ("debian:trixie-slim", true),
        ("debian:trixie-20251117", true),
        ("debian:1", false),
        ("debian:stable", false),
        ("debian:noble", false),
        ("ubuntu:focal", true),
        ("ubuntu:jammy", true),
        ("ubuntu:noble", true),
        ("ubuntu:26.04", true),
        ("ubuntu:resolute", true),
        ("ubuntu:24.04.1", false),
        ("ubuntu", false),
    ] {
        let directory = directory(&[("node.yaml", &format!("{unknown}{base}\n"))]);
        let (code, text) = edgenode(directory.path(), &["validate", "node.yaml"]);
        assert_eq!(code, Some(i32::from(is_known)), "{base}: {text}");
        assert_eq!(text.contains("note: "), !is_known, "{base}: {text}");
    }
}

#[test]
fn tags_need_versions_that_the_spec_says() {
    let spec = |requirement: &str| {
        format!(
            "name: n\nbase: debian:13\ntag: py{{python.minor}}-six{{six}}\nrepository: a/b\n\
                 python: {{version: 3.13.5}}\nwheels: {{requirements: [{requirement}]}}\n"
        )
    };
    let directory = directory(&[("pinned.yaml", &spec("six==1.17.0")), ("open.yaml", &spec("six"))]);
    let (code, text) = edgenode(directory.path(), &["tags", "pinned.yaml"]);
    assert_eq!((code, text.as_str()), (Some(0), "docker.io/a/b:py3.13-six1.17.0\n"));
    let (code, text) = edgenode(directory.path(), &["tags", "open.yaml"]);
    assert!(code == Some(1) && text.contains("is known when it is built"), "{text}");
    let (code, text) = edgenode(directory.path(), &["diff", "pinned.yaml", "open.yaml"]);
    assert!(code == Some(0) && text.starts_with("six "), "{text}");
    for gone in ["gone.yaml", "gone.lock"] {
        let (code, text) = edgenode(directory.path(), &["diff", "pinned.yaml", gone]);
        assert!(code == Some(1) && text.contains(&format!("{gone} cannot be read")), "{text}");
    }
}

#[test]
fn plan_shows_steps_and_the_graph() {
    let directory = directory(&[("node.yaml", "name: n\nbase: debian:13\nsystem: {packages: [curl]}\n")]);
    let (code, text) = edgenode(directory.path(), &["plan", "node.yaml"]);
    assert!(code == Some(0) && text.contains("[system] install packages"), "{text}");
    let (code, text) =
        edgenode(directory.path(), &["plan", "--llb", "--platform", "linux/arm64", "node.yaml"]);
    assert!(code == Some(0) && text.contains("scripts/apt-install.sh"), "{text}");
}

#[test]
fn what_init_and_import_write_is_valid() {
    let dockerfile = "FROM debian:13\nRUN apt-get update && apt-get install -y curl && make all\nENV A=b\nCMD [\"bash\"]\n";
    let directory = directory(&[("Dockerfile", dockerfile)]);
    let (code, text) = edgenode(directory.path(), &["import", "Dockerfile", "--name", "old"]);
    assert!(code == Some(0) && text.contains("#   line 2: RUN make all"), "{text}");
    fs::write(directory.path().join("old.yaml"), text).expect("written");
    let flags = [
        "init",
        "new",
        "--python",
        "3.13.5",
        "--packages",
        "curl,git",
        "--requirements",
        "six",
        "-o",
        "new.yaml",
    ];
    assert_eq!(edgenode(directory.path(), &flags).0, Some(0));
    assert_eq!(edgenode(directory.path(), &flags).0, Some(3), "what is there is not written over");
    let (code, text) = edgenode(directory.path(), &["validate", "old.yaml", "new.yaml"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = edgenode(directory.path(), &["init", "no name"]);
    assert!(code == Some(1) && text.contains("is not a name"), "{text}");
    assert_eq!(edgenode(directory.path(), &["import", "gone"]).0, Some(1));
    let (code, text) = edgenode(directory.path(), &["import", "Dockerfile", "--name", "no name"]);
    assert!(code == Some(1) && text.contains("`no name` is not a name"), "{text}");
    fs::write(directory.path().join("Dockerfile"), "FROM $B\n").expect("written");
    let (code, text) = edgenode(directory.path(), &["import", "Dockerfile"]);
    assert!(code == Some(1) && text.contains("Dockerfile:1: `FROM $B` names no image"), "{text}");
}

#[test]
fn a_bake_file_needs_specs() {
    let directory = directory(&[("common.yaml", "base: debian:13\n")]);
    let (code, text) = edgenode(directory.path(), &["bake", "."]);
    assert!(code == Some(1) && text.contains("has no spec"), "{text}");
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, text) = edgenode(Path::new("."), &["completions", shell]);
        assert!(code == Some(0) && text.contains("retag") && text.contains("dry-run"), "{shell}");
    }
}

#[test]
fn what_a_spec_leaves_open_its_lock_says() {
    let spec = "# syntax=ratio1/edgenode:1\nname: n\nbase: debian:13\nrepository: site/n\ntag: py{python.minor}-tr{transformers}\n\
                python: {version: 3.13, venv: /opt/venv}\ntransformers: '>=4.50,<4.99'\n";
    let sum = "a".repeat(64);
    let step = |name: &str, asked: &str| {
        format!("      {name}: {{asked: [{asked}], entries: 0, names: e3b0c44298fc1c14, files: []}}\n")
    };
    let packages = [
        step("libraries", ""),
        step("python", "python3, python3-venv"),
        step("system", "python3, python3-venv"),
        step("toolchain", "build-essential, ccache, pkg-config, xz-utils"),
    ];
    let lock = format!(
        "lock: 3\nplatforms:\n  linux/amd64:\n    base: 'docker.io/library/debian:13@sha256:{sum}'\n    sources:\n      entries: 1\n      names: 4fe9839583c24456\n      files:\n        \
         - {{name: 'uv 0.12.1', sha256: {sum}, url: 'https://example.org/uv.tar.gz'}}\n    packages:\n{}    wheels:\n      \
         entries: 1\n      names: ad9b0702bc418499\n      files:\n        - {{name: transformers, version: 4.55.2, sha256: {sum}, url: 'https://example.org/t.whl'}}\n",
        packages.concat()
    );
    let open = directory(&[("node.yaml", spec)]);
    let (code, text) = edgenode(open.path(), &["tags", "node.yaml"]);
    assert!(code == Some(0) && text.contains("-tr4.57.6"), "the newest that is known: {text}");
    let locked = directory(&[("node.yaml", spec), ("node.lock", &lock)]);
    let (code, text) = edgenode(locked.path(), &["tags", "node.yaml"]);
    assert!(code == Some(0) && text.contains("site/n:py3.13-tr4.55.2"), "{text}");
    let (code, text) = edgenode(locked.path(), &["explain", "node.yaml"]);
    assert!(code == Some(0) && text.contains("transformers 4.55.2 (line 7)\n    the lock has it"), "{text}");
    let whole = directory(&[("node.yaml", &spec.replace("'>=4.50,<4.99'", "4.55.2")), ("node.lock", &lock)]);
    let (_, text) = edgenode(whole.path(), &["explain", "node.yaml"]);
    assert!(text.contains("    the spec names it"), "{text}");
    let (code, text) = edgenode(locked.path(), &["--json", "bake", "."]);
    assert!(code == Some(0) && text.contains("\"node.lock\""), "{text}");
    let stale =
        directory(&[("node.yaml", spec), ("node.lock", &lock.replace("[python3, python3-venv]", "[bc]"))]);
    let (code, text) = edgenode(stale.path(), &["tags", "node.yaml"]);
    assert!(code == Some(1) && text.contains("node.yaml:6:9: the lock has no entry for `python:"), "{text}");
}

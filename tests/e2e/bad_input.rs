//! Whatever is wrong, the user hears what, where and what would work; nothing is pushed, nothing hangs.

use std::fs;

use crate::harness::{Build, Server, archive, frontend, setting};

const GOOD: &str = "name: node\nbase: debian:13\n";

fn refused(spec: &str, words: &[&str]) {
    Build::new(spec).fail(words);
}

#[test]
fn a_typo_in_a_key() {
    let spec = format!("{GOOD}sytem:\n  packages: [curl]\n");
    refused(
        &spec,
        &["node.yaml:4:1: the spec has no field `sytem`; did you mean `system`?", "4 | >>> sytem:"],
    );
}

#[test]
fn all_problems_at_once() {
    let spec = "name: no de\nbase: Debian\nworkdir: here\nenv: [A]\n";
    let words =
        ["4 problems in node.yaml", "node.yaml:2:7:", "node.yaml:3:7:", "node.yaml:4:10:", "node.yaml:5:6:"];
    refused(spec, &words);
}

#[test]
fn a_wrong_type() {
    refused(&format!("{GOOD}tests: yes\n"), &["node.yaml:4:8: `tests` is a list, this is a single value"]);
}

#[test]
fn an_unknown_component() {
    refused(
        &format!("{GOOD}tensorflow: 2.0\n"),
        &["node.yaml:4:1: the spec has no field `tensorflow`; it has"],
    );
}

#[test]
fn a_version_that_is_none() {
    let spec = format!("{GOOD}ffmpeg:\n  version: latest\n");
    refused(&spec, &["node.yaml:5:12: `latest` is not a version", "such as `3.13.5`", "5 | >>>"]);
}

#[test]
fn a_version_that_nobody_knows() {
    let spec = format!("{GOOD}python:\n  version: 3.10.99\n");
    refused(&spec, &["node.yaml:5:12: the catalog does not know python 3.10.99", "add `sha256:`"]);
}

#[test]
fn a_component_without_what_it_needs() {
    let spec = format!("{GOOD}wheels:\n  requirements: [numpy]\n");
    refused(&spec, &["`wheels` is installed into `python`, which the spec does not have", "add `python:`"]);
}

#[test]
fn a_user_that_the_base_image_has() {
    let spec = format!("{GOOD}system:\n  users: [{{name: web, id: 33}}]\n");
    refused(
        &spec,
        &["node.yaml:5:27: the base image has the user `www-data` with number 33", "such as 1001", "5 | >>>"],
    );
}

#[test]
fn a_missing_file() {
    Build::new(GOOD).arguments(&["-f", "nowhere.yaml", "."]).fail(&["nowhere.yaml"]);
}

#[test]
fn files_that_are_not_in_the_build_context() {
    let spec = "name: node\nbase: debian:13\nfiles:\n  - {from: there, to: /there}\n  - {from: gone.txt, to: /gone.txt}\n\
                commands:\n  - {name: read, run: [ls, /run/edgenode/inputs/ignored], inputs: [ignored]}\n\
                tests:\n  - name: looks\n    script: nowhere.sh\n";
    let build = || {
        let build = Build::new(spec);
        for (path, text) in [("there/a", ""), ("ignored", ""), (".dockerignore", "ignored\n")] {
            fs::create_dir_all(build.dir().join(path).parent().expect("a directory")).expect("made");
            fs::write(build.dir().join(path), text).expect("written");
        }
        build
    };
    let missing = |line: &str, path: &str| format!("node.yaml:{line}: `{path}` is not in the build context");
    let (gone, ignored) = (missing("6:12", "gone.txt"), missing("8:68", "ignored"));
    let script = missing("10:11", "nowhere.sh");
    let help = "see whether `.dockerignore` leaves it out";
    let outcome = build().fail(&[&gone, &ignored, help, "6 | >>>"]);
    assert!(!outcome.log.contains("nowhere.sh"), "{}", outcome.log);
    build().with("--target", "test").fail(&[&gone, &ignored, &script]);
}

#[test]
fn two_files_at_one_place() {
    let build = |files: &str| {
        let build = Build::new(&format!("{GOOD}files: [{files}]\n"));
        for path in ["one/x", "one/in/z", "other/y", "a.conf", "b.conf"] {
            let path = build.dir().join(path);
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(path, "text").expect("written");
        }
        build
    };
    let log = build("{from: a.conf, to: /etc/app}, {from: one, to: /etc/app}")
        .fail(&[
            "`/etc/app` cannot be both the file `a.conf` (line 4) and the directory `one`; take one",
            "4 | >>>",
        ])
        .log;
    assert!(!log.contains("[files]"), "{log}");
    let log = build("{from: a.conf, to: /etc/app}, {from: b.conf, to: /etc/app}").succeed().log;
    assert!(log.contains("`/etc/app` is `b.conf`, and nothing is left of `a.conf` (line 4)"), "{log}");
    let merged = "{from: one, to: /etc/app}, {from: other, to: /etc/app}, {from: b.conf, to: /etc/app}, \
                  {from: a.conf, to: /etc/app/in}, {from: b.conf, to: /etc/app/in}";
    let files = build(merged).listing();
    for name in ["x", "y", "b.conf", "in/z", "in/a.conf", "in/b.conf"] {
        assert!(files.contains_key(&format!("etc/app/{name}")), "{name} is not in {files:?}");
    }
}

#[test]
fn a_file_that_a_component_has() {
    let spec = format!(
        "{GOOD}docker: distribution\nfiles:\n  - {{from: start.sh, to: /usr/local/bin/entrypoint.sh}}\n"
    );
    refused(
        &spec,
        &["node.yaml:6:26: `/usr/local/bin/entrypoint.sh` is a file of `docker` (line 4)", "6 | >>>"],
    );
    refused(
        &format!("{GOOD}files:\n  - {{from: x.rules, to: /lib/udev/rules.d/x.rules}}\n"),
        &["node.yaml:5:25: `/lib` is a link in debian 13", "write `/usr/lib/udev/rules.d/x.rules`"],
    );
}

#[test]
fn a_missing_file_without_the_builtin_frontend() {
    let build = Build::new(GOOD);
    let dir = build.dir().display().to_string();
    let output = std::process::Command::new(setting("EDGENODE_BUILDCTL"))
        .args([
            "build",
            "--progress=plain",
            "--frontend",
            "gateway.v0",
            "--opt",
            &format!("source={}", frontend()),
        ])
        .args(["--opt", "filename=nowhere.yaml", "--local", &format!("dockerfile={dir}")])
        .output()
        .expect("buildctl starts");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(log.contains("there is no file nowhere.yaml in the build context"), "{log}");
}

#[test]
fn an_empty_spec() {
    refused("", &["the spec is empty", "start with `base: debian:13`"]);
}

#[test]
fn a_binary_spec() {
    let spec = [b"# syntax=ratio1/edgenode:1\n".as_slice(), &[0xff, 0xfe, 0, 1, 2, 0x80]].concat();
    Build::raw(&spec).fail(&["node.yaml is not a text file"]);
    refused("name: a\0b\n", &["the spec is not a text file: it contains NUL bytes"]);
}

#[test]
fn a_spec_of_ten_megabytes() {
    let spec = format!("{GOOD}# {}\n", "x".repeat(10 << 20));
    refused(&spec, &["node.yaml has more than 1048576 bytes", "put large files beside it"]);
}

#[test]
fn a_spec_nested_ten_thousand_deep() {
    refused(&format!("name: {}\n", "[".repeat(10_000)), &["values are nested deeper than 32 levels"]);
}

#[test]
fn an_image_that_is_not_there() {
    // Where a mirror has no image, an older BuildKit asks docker.io.
    let base = format!("base: {}/library/debian:nowhere", setting("EDGENODE_REGISTRY"));
    refused(&format!("name: node\n{base}\n"), &["debian:nowhere", "not found", &format!("3 | >>> {base}")]);
}

#[test]
fn a_package_that_is_not_there() {
    let spec = format!("{GOOD}system:\n  packages:\n    - curl-from-mars\n");
    let words = ["Unable to locate package curl-from-mars", ">>>     - curl-from-mars", "apt-install.sh"];
    refused(&spec, &words);
}

#[test]
fn a_compile_step_that_fails() {
    let server = Server::start();
    let broken = archive(&[("ffmpeg-1.0/configure", "#!/bin/sh\necho 'no such codec: foo' >&2\nexit 3\n")]);
    let (url, sha256) = server.put("/ffmpeg-1.0.tar.gz", broken);
    let spec = format!("{GOOD}ffmpeg:\n  version: 1.0.0\n  url: {url}\n  sha256: {sha256}\n");
    refused(&spec, &["no such codec: foo", "exit code: 3", "ffmpeg.sh", ">>>   version: 1.0.0"]);
}

#[test]
fn a_source_that_cannot_be_reached() {
    let sha256 = "0".repeat(64);
    let spec = format!(
        "{GOOD}ffmpeg:\n  version: 1.0.0\n  url: http://127.0.0.1:1/ffmpeg.tar.gz\n  sha256: {sha256}\n"
    );
    let address = "http://127.0.0.1:1/ffmpeg.tar.gz";
    refused(&spec, &[address, "connection refused", "5 | >>>   version: 1.0.0", UNREACHED]);
}

/// What helps where a server cannot be reached.
const UNREACHED: &str =
    "it must reach that server, or a mirror in place of all: `--build-arg EDGENODE_MIRROR=URL`";

#[test]
fn a_mirror_that_cannot_be_reached() {
    let spec = format!(
        "{GOOD}ngrok:\n  version: 1.0.0\n  url: https://example.org/ngrok\n  sha256: {}\n",
        "0".repeat(64)
    );
    Build::new(&spec).with("--build-arg", "EDGENODE_MIRROR=http://127.0.0.1:1").fail(&[
        "http://127.0.0.1:1/example.org/ngrok",
        "connection refused",
        ">>>   version: 1.0.0",
        UNREACHED,
    ]);
}

#[test]
fn a_registry_that_cannot_be_reached() {
    let help = "it must reach that registry, or be configured with a mirror of it";
    refused("name: node\nbase: 127.0.0.1:1/debian:13\n", &["connection refused", "3 | >>> base: 127", help]);
}

#[test]
fn a_checksum_that_does_not_match() {
    let (url, _) = Server::start().put("/ffmpeg-1.0.tar.gz", b"something else".to_vec());
    let sha256 = "0".repeat(64);
    let spec = format!("{GOOD}ffmpeg:\n  version: 1.0.0\n  url: {url}\n  sha256: {sha256}\n");
    refused(&spec, &["digest mismatch", "5 | >>>   version: 1.0.0"]);
}

#[test]
fn a_download_without_a_digest() {
    let spec = format!("{GOOD}ffmpeg:\n  version: 1.0.0\n  url: https://example.org/ffmpeg.tar.gz\n");
    refused(&spec, &["node.yaml:6:8: a download needs a digest"]);
}

#[test]
fn a_test_that_fails() {
    let spec =
        format!("{GOOD}tests:\n  - name: says-hello\n    run: [echo, bye]\n    stdout_contains: [hello]\n");
    let build = Build::new(&spec).with("--target", "test");
    build.fail(&["stdout does not contain: hello; it is: bye", "7 | >>>     stdout_contains: [hello]"]);
}

#[test]
fn a_target_that_is_none() {
    let build = Build::new(GOOD).with("--target", "tests");
    build.fail(&[
        "there is no target `tests`; there are `image`, `spec`, `test`, `report`, `graph`, `lock`, `update`, `bundle`, `sbom`; did you mean `test`?",
    ]);
}

#[test]
fn a_target_that_is_not_there_yet() {
    Build::new(GOOD).with("--target", "bake").fail(&["the target `bake`", "is planned and not there yet"]);
}

#[test]
fn an_option_that_makes_no_sense() {
    Build::new(GOOD)
        .with("--build-arg", "EDGENODE_MERGE=maybe")
        .fail(&["EDGENODE_MERGE is `true` or `false`"]);
}

#[test]
fn a_call_that_nobody_knows() {
    Build::new(GOOD).with("--call", "nonsense").fail(&["unsupported request frontend.nonsense"]);
}

#[test]
fn a_base_that_is_no_debian() {
    let build = Build::new(GOOD);
    std::fs::create_dir(build.dir().join("etc")).expect("made");
    std::fs::write(build.dir().join("etc/os-release"), "ID=alpine\nVERSION_ID=3.22\n").expect("written");
    let context = format!("base={}", build.dir().display());
    build.with("--build-context", &context).fail(&["neither Debian nor Ubuntu", "it is `alpine 3.22`"]);
}

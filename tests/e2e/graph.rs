//! What runs again after a change, and what does not.

use crate::harness::{Build, Server, small_ffmpeg};

/// A node with a component that is compiled in a second.
fn spec(server: &Server, path: &str, text: &str, rest: &str) -> String {
    let (url, sha256) = server.put(path, small_ffmpeg(text));
    format!(
        "name: node\nbase: debian:13\nffmpeg:\n  version: 1.0.0\n  url: {url}\n  sha256: {sha256}\n\
         tests:\n  - name: runs\n    run: [ffmpeg]\n    stdout_contains: [{text}]\n{rest}"
    )
}

#[test]
fn the_change_contract() {
    for builder in ["newest", "oldest"] {
        let server = Server::start();
        let build = |spec: &str| Build::new(spec).on(builder).succeed();
        let first = spec(&server, "/a.tar.gz", "one", "");
        build(&first);
        assert_eq!(build(&first).executed(), [""; 0], "nothing changed");
        for settings in ["env: {A: b}\n", "labels: {a: b}\n", "entrypoint: [ffmpeg]\n", "# a comment\n"] {
            assert_eq!(build(&format!("{first}{settings}")).executed(), [""; 0], "{settings}");
        }
        let rebuilt = build(&spec(&server, "/b.tar.gz", "two", ""));
        // The new FFmpeg needs the same packages, so that the system stays as it is.
        let expected = ["[ffmpeg 1.0.0] build", "[ffmpeg] find needed packages", "[image] seal"];
        assert_eq!(rebuilt.executed(), expected);
        let more = build(&format!("{first}system:\n  packages: [bzip2]\n"));
        assert_eq!(more.executed(), ["[system] install packages", "[image] seal"]);
    }
}

#[test]
fn the_needed_packages_are_found_and_nothing_else_is_there() {
    let server = Server::start();
    let spec = spec(&server, "/a.tar.gz", "three", "");
    for builder in ["newest", "oldest"] {
        let report = Build::new(&spec).on(builder).with("--target", "test").files();
        let text = std::fs::read_to_string(report.path().join("runs.txt")).expect("the test's report");
        assert!(text.ends_with("three\n"), "{text}");
    }
    let tree = Build::new(&spec).with("--target", "ffmpeg").listing();
    let files: Vec<_> = tree.iter().filter(|(_, what)| what.starts_with('0')).map(|(path, _)| path).collect();
    assert_eq!(files, ["usr/local/bin/ffmpeg"]);
    let image = Build::new(&spec).listing();
    assert!(image.keys().all(|path| !path.ends_with("/gcc") && !path.contains("run/edgenode")));
    assert_eq!(image.get("bin").map(|what| what.starts_with('2')), Some(true), "/bin is still a link");
}

#[test]
fn copying_gives_the_tree_that_merging_gives() {
    let server = Server::start();
    let spec = spec(&server, "/a.tar.gz", "four", "workdir: /deep/work\n");
    let merged = Build::new(&spec).listing();
    let copied = Build::new(&spec).with("--build-arg", "EDGENODE_MERGE=false").listing();
    assert_eq!(merged, copied);
    assert!(merged.contains_key("usr/local/bin/ffmpeg") && merged.contains_key("deep/work/"));
}

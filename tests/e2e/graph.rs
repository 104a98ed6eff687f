//! What runs again after a change, and what does not.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Build, Daemon, Fresh, RELEASES, Server, small_ffmpeg, source};

/// A node with a component that is compiled in a second, and was by no earlier run of the tests.
fn spec(server: &Server, path: &str, text: &str, rest: &str) -> String {
    let text = &format!("{text}-{}", std::process::id());
    let (url, sha256) = server.put(path, small_ffmpeg(text));
    format!(
        "name: node\nbase: debian:13\nffmpeg:\n  version: 1.0.0\n  url: {url}\n  sha256: {sha256}\n\
         tests:\n  - name: runs\n    run: [ffmpeg]\n    stdout_contains: [{text}]\n{rest}"
    )
}

/// A choice of packages that no earlier run of the tests is likely to have installed. None of them, and none that they
/// need, has a link to a directory, which the check that the parts fit would have to see.
fn unlikely_packages() -> String {
    let small = ["bc", "bzip2", "dc", "ed", "less", "patch", "sed", "time", "tree", "unzip", "zip", "zstd"];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    let chosen = small.iter().enumerate().filter(|(bit, _)| now >> bit & 1 == 1);
    // One in any case.
    let names: Vec<_> = chosen.map(|(_, name)| *name).chain(["tar"]).collect();
    names.join(", ")
}

#[test]
fn only_what_a_change_concerns_runs_again() {
    // Older BuildKits miss what is cached while another build holds a source that both share and that was never loaded
    // from the cache before (moby/buildkit#4674): those are this test's alone.
    let [between, oldest] = ["between", "oldest"].map(|builder| Fresh::with(Daemon::start_as(builder)));
    for builder in ["newest", &between.builder, &oldest.builder] {
        let server = Server::start();
        let build = |spec: &str| Build::new(spec).on(builder).begun();
        let none = BTreeSet::new();
        let first = spec(&server, "/a.tar.gz", "one", "");
        build(&first);
        assert_eq!(build(&first), none, "nothing changed, on {builder}");
        for settings in ["env: {A: b}\n", "labels: {a: b}\n", "entrypoint: [ffmpeg]\n", "# a comment\n"] {
            assert_eq!(build(&format!("{first}{settings}")), none, "{settings}");
        }
        let command = |name: &str| format!("{first}commands: [{{name: {name}, run: [touch, /noted]}}]\n");
        build(&command("note"));
        assert_eq!(build(&command("another-name")), none, "a command has another name");
        let rebuilt = build(&spec(&server, "/b.tar.gz", "two", ""));
        // The new FFmpeg needs the same libraries, so that nobody asks who owns them, and the system stays as it is.
        let fit = "[image] check that the parts fit";
        let expected = ["[ffmpeg 1.0.0] build", "[ffmpeg] find needed libraries", fit, "[image] seal"];
        assert_eq!(rebuilt, expected.map(str::to_owned).into());
        let more = build(&format!("{first}system:\n  packages: [{}]\n", unlikely_packages()));
        let installed = ["[system] install packages", "[libraries] install packages"];
        let expected = [installed, ["[system] list links", "[image] seal"]].concat();
        assert_eq!(more, expected.into_iter().map(str::to_owned).collect());
    }
}

#[test]
fn the_needed_packages_are_found_and_nothing_else_is_there() {
    let server = Server::start();
    let spec = spec(&server, "/a.tar.gz", "three", "");
    for builder in RELEASES {
        let report = Build::new(&spec).on(builder).with("--target", "test").files();
        let text = std::fs::read_to_string(report.path().join("runs.txt")).expect("the test's report");
        assert!(text.contains("three-"), "{text}");
    }
    let tree = Build::new(&spec).with("--target", "ffmpeg").listing();
    let files: Vec<_> = tree.iter().filter(|(_, what)| what.starts_with('0')).map(|(path, _)| path).collect();
    assert_eq!(files, ["usr/local/bin/ffmpeg"]);
    let image = Build::new(&spec).listing();
    let left: Vec<_> =
        image.keys().filter(|path| path.ends_with("bin/gcc") || path.contains("run/edgenode")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(image.get("bin").map(|what| what.starts_with('2')), Some(true), "/bin is still a link");
}

#[test]
fn copying_gives_the_tree_that_merging_gives() {
    let server = Server::start();
    let spec = spec(&server, "/a.tar.gz", "four", "workdir: /deep/work\n");
    let merged = Build::new(&spec).listing();
    let copied = Build::new(&spec).with("--build-arg", "EDGENODE_MERGE=false").listing();
    assert_eq!(merged, copied);
    assert!(merged.contains_key("usr/local/bin/ffmpeg") && merged.contains_key("deep/work"));
}

/// A node whose component of this name is built from this archive.
fn built_from(server: &Server, component: &str, archive: Vec<u8>) -> String {
    let (url, sha256) = server.put(&format!("/{component}.tar.gz"), archive);
    // A number that any of them can have: Python's begins with 3.
    format!("{component}:\n  version: 3.1.0\n  url: {url}\n  sha256: {sha256}\n")
}

#[test]
fn a_directory_over_a_link_of_the_base_is_refused() {
    let server = Server::start();
    let makefile = "all:\ninstall:\n\tinstall -D /bin/true $(DESTDIR)/bin/ffmpeg\n";
    let ffmpeg = built_from(&server, "ffmpeg", source(makefile, &[]));
    Build::new(&format!("name: node\nbase: debian:13\n{ffmpeg}"))
        .fail(&["ffmpeg has the directory /bin, which is a link in the base image"]);
}

/// A node with two components that both have a file, made of these programs of the builder's.
fn two_owners(server: &Server, ours: &str, others: &str) -> Build {
    let both =
        |program: &str| format!("all:\ninstall:\n\tinstall -D {program} $(DESTDIR)/usr/local/bin/both\n");
    let python = format!(
        "{}\tinstall -D /bin/true $(DESTDIR)$(P)/bin/python3\n\tcp /bin/true $(DESTDIR)$(P)/bin/pip3\n",
        both(others)
    );
    let components = [
        built_from(server, "ffmpeg", source(&both(ours), &[])),
        built_from(server, "python", source(&python, &[])),
    ];
    Build::new(&format!("name: node\nbase: debian:13\n{}", components.concat()))
}

#[test]
fn two_owners_of_a_path_are_refused() {
    let server = Server::start();
    two_owners(&server, "/bin/true", "/bin/false")
        .fail(&["more than one component has these files:", "/usr/local/bin/both (ffmpeg, python)"]);
}

#[test]
fn two_owners_of_the_same_small_file_are_not() {
    let server = Server::start();
    let image = two_owners(&server, "/bin/true", "/bin/true").listing();
    assert!(image.contains_key("usr/local/bin/both"));
}

#[test]
fn a_library_that_no_package_has_is_refused() {
    let server = Server::start();
    let makefile = "all:\n\techo 'int f(void) { return 0; }' | gcc -shared -xc -o libnobody.so -\n\
        \techo 'int f(void); int main(void) { return f(); }' | gcc -xc -o ffmpeg - -xnone ./libnobody.so\n\
        install:\n\tinstall -D ffmpeg $(DESTDIR)$(P)/bin/ffmpeg\n";
    let ffmpeg = built_from(&server, "ffmpeg", source(makefile, &[]));
    Build::new(&format!("name: node\nbase: debian:13\n{ffmpeg}")).fail(&[
        "no package has",
        "libnobody.so, which",
        "usr/local/bin/ffmpeg needs",
    ]);
}

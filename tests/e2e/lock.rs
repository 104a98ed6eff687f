//! Locks: making them, building by them, what is wrong with them, and the same image from another builder.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Build, Daemon, Fresh, Outcome, Server, buildkitd, setting, small_ffmpeg, wheel};

/// A base image with the distribution's Python, and where a vendor would put torch for CUDA 12.
pub(crate) fn base() -> String {
    let python = Build::new("name: base\nbase: debian:13\nsystem: {packages: [python3]}\n")
        .push("test/lock-python:13");
    let torch = "/usr/local/lib/python3.13/dist-packages/torch/version.py";
    let dockerfile = format!("FROM {python}\nCOPY version.py {torch}\n");
    let build = Build::raw(dockerfile.as_bytes());
    fs::write(build.dir().join("version.py"), "__version__ = '2.9.1+cu128'\ncuda = '12.8'\n")
        .expect("written");
    build.push("test/lock-base:13")
}

/// A wheel of the build context.
const OWN: &str = "own-1.0-py3-none-any.whl";

/// A node with a package, wheels and a program that is compiled in a second, and was by no earlier run of the tests.
fn spec(server: &Server, text: &str, rest: &str) -> String {
    let (url, sha256) = server.put("/ffmpeg.tar.gz", small_ffmpeg(&format!("{text}-{}", std::process::id())));
    format!(
        "name: node\nbase: {}\nsystem:\n  packages: [tree]\npython: {{version: 3.13, vendor: /usr}}\nffmpeg:\n  version: 1.0.0\n  \
         url: {url}\n  sha256: {sha256}\nwheels:\n  requirements: [six, pyyaml==6.0.3]\n  local: [dist/{OWN}]\n{rest}",
        base()
    )
}

/// A build of a spec with a lock beside it.
pub(crate) fn locked(spec: &str, lock: &str) -> Build {
    let build = with_wheel(spec);
    fs::write(build.dir().join("node.lock"), lock).expect("written");
    build
}

/// The lock of a spec, made where there is `old` beside it if that is not empty.
pub(crate) fn lock(spec: &str, old: &str, target: &str) -> String {
    let build = if old.is_empty() { with_wheel(spec) } else { locked(spec, old) };
    let files = build.with("--target", target).files();
    fs::read_to_string(files.path().join("node.lock")).expect("a lock")
}

/// A lock that cannot be made: the words are in what the user sees, and no file is written.
pub(crate) fn no_lock(spec: &str, words: &[&str]) -> Outcome {
    let out = tempfile::tempdir().expect("a directory");
    let output = format!("type=local,dest={}", out.path().display());
    let outcome = Build::new(spec).with("--target", "lock").with("--output", &output).run();
    assert!(!outcome.ok, "a lock was made:\n{}", outcome.log);
    for word in words {
        assert!(outcome.log.contains(word), "{word:?} is not in:\n{}", outcome.log);
    }
    assert!(!out.path().join("node.lock").exists(), "a part of a lock was written");
    outcome
}

#[test]
fn a_build_takes_everything_from_its_lock() {
    let server = Server::start();
    let spec = spec(&server, "locked", "");
    with_wheel(&spec)
        .with("--build-arg", "EDGENODE_LOCKED=1")
        .fail(&["EDGENODE_LOCKED asks for a lock, and there is no node.lock; make it with `--target lock"]);

    let text = lock(&spec, "", "lock");
    for part in [
        "test/lock-base:13@sha256:",
        "ffmpeg 1.0.0",
        "tree:amd64",
        "build-essential:amd64",
        "name: six",
        "version: 6.0.3",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert_eq!(lock(&spec, &text, "lock"), text, "nothing moved, so the lock stays");
    for (build, misses) in [(with_wheel(&spec), true), (locked(&spec, &text), false)] {
        let checked = build.arguments_added(&["--check"]).run();
        assert_eq!(checked.stdout.contains("UnlockedSpec"), misses, "{}", checked.stdout);
    }

    let build = locked(&spec, &text).with("--build-arg", "EDGENODE_LOCKED=1").succeed();
    for step in ["find versions", "find packages", "apt-get update", "apt-install.sh", "wheels-choose.sh"] {
        assert!(!build.log.contains(step), "{step} is in:\n{}", build.log);
    }
    let image = locked(&spec, &text).listing();
    let site = "usr/local/lib/python3.13/dist-packages";
    for file in [
        "usr/bin/tree",
        "usr/local/bin/ffmpeg",
        &format!("{site}/six.py"),
        &format!("{site}/own/__init__.py"),
        &format!("{site}/idna/__init__.py"),
    ] {
        assert!(image.contains_key(file), "{file} is not in the image");
    }
    let left: Vec<_> = image
        .keys()
        .filter(|path| {
            path.contains("run/edgenode")
                || path.ends_with("uv_cache.json")
                || path.ends_with("direct_url.json")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");

    // What is not resolved may change; what is may not.
    assert_eq!(locked(&format!("{spec}env: {{A: b}}\n"), &text).succeed().executed(), [""; 0]);
    let changed = spec.replace("[six, pyyaml==6.0.3]", "[six]").replace("[tree]", "[tree, bc]");
    locked(&changed, &text).fail(&[
        "2 problems in node.yaml",
        "node.yaml:5:13: `system.packages` is not what node.lock was made for; make it anew with `--target lock",
        "node.yaml:12:17: `wheels.requirements` is not what node.lock was made for",
    ]);
    let unlocked = locked(&changed, &text).with("--build-arg", "EDGENODE_LOCKED=0").listing();
    for file in [format!("{site}/own/__init__.py"), format!("{site}/idna/__init__.py")] {
        assert!(unlocked.contains_key(&file), "{file} is not in the image");
    }
    locked(&spec, &text)
        .with("--build-arg", "EDGENODE_LOCKED=maybe")
        .fail(&["EDGENODE_LOCKED is `1` or `0`"]);

    a_build_without_a_network(&spec, &text);
    what_was_changed_by_hand(&spec, &text);
    what_an_update_changes(&spec, &text);
}

/// A builder that has never built anything gives the same bytes.
#[cfg(feature = "e2e-full")]
fn the_same_image_again(spec: &str, text: &str) {
    let fresh = Fresh::start();
    assert_eq!(locked(spec, text).on(&fresh.builder).digest(), locked(spec, text).digest());
}

fn what_was_changed_by_hand(spec: &str, text: &str) {
    let six = text.lines().find(|line| line.contains("name: six")).expect("six is there");
    let sum = six.split("sha256: ").nth(1).and_then(|rest| rest.split(',').next()).expect("a digest");
    locked(spec, &text.replace(sum, &"0".repeat(64))).fail(&["digest mismatch", "six", "node.lock:"]);
    locked(spec, &text.replace(sum, "abc"))
        .fail(&["the entry `six` of the lock has no SHA-256: `abc`", "node.lock:"]);
    let without = |name: &str| {
        let lines = text.lines().filter(|line| !line.contains(name));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    locked(spec, &without("name: six")).fail(&["this list of the lock has 2 entries, and 3 were written"]);
    let both = without("name: six").replace("wheels:\n      entries: 3", "wheels:\n      entries: 2");
    locked(spec, &both).fail(&["the lock has no entry for `six`"]);
    // Nobody asks for this one by name.
    let depended = without("name: idna").replace("wheels:\n      entries: 3", "wheels:\n      entries: 2");
    locked(spec, &depended)
        .fail(&["the entries of this list of the lock are not those that were written", "node.lock:"]);
    // It is made anew, from what the archives have at that time.
    let anew = lock(spec, &depended, "lock");
    let files = |text: &str| {
        text.lines().filter(|line| line.contains("name: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(files(&anew), files(text));
    locked(
        spec,
        &without("name: \"ffmpeg 1.0.0\"")
            .replace("sources:\n      entries: 2", "sources:\n      entries: 1"),
    )
    .fail(&["the lock has no entry for `ffmpeg 1.0.0`"]);
    locked(spec, &text.replace("asked: [tree]", "asked: [bc]"))
        .fail(&["the lock has no entry for `system: tree`"]);
    locked(spec, &text.replace("linux/amd64", "linux/arm64")).fail(&[
        "the entry `tree:amd64",
        "of the lock is not for linux/arm64",
        "node.lock:",
    ]);
    locked(spec, text)
        .with("--platform", "linux/arm64")
        .fail(&["node.lock has nothing for linux/arm64, only for linux/amd64; make it with `--target lock"]);
    locked(spec, text.split("platforms:").next().unwrap_or_default()).fail(&[
        "the lock lacks the field `platforms`",
        "make it anew with `--target lock`",
        "node.lock:",
    ]);
    locked(spec, "lock: [").fail(&["node.lock:", "not valid YAML"]);
}

/// An older wheel stays until an update is asked for.
fn what_an_update_changes(spec: &str, text: &str) {
    let version = |text: &str| {
        let line = text.lines().find(|line| line.contains("name: six")).expect("six is there");
        line.split("version: ").nth(1).and_then(|rest| rest.split(',').next()).expect("a version").to_owned()
    };
    let old = lock(&spec.replace("[six,", "[six==1.16.0,"), "", "lock");
    assert_eq!(version(&old), "1.16.0");
    let kept = lock(spec, &old, "lock");
    assert_eq!(version(&kept), "1.16.0", "what still fits is kept");
    let only = |name: &str| {
        locked(spec, &kept).with("--target", "update").with("--build-arg", &format!("EDGENODE_UPDATE={name}"))
    };
    let updated =
        |name: &str| fs::read_to_string(only(name).files().path().join("node.lock")).expect("a lock");
    assert_eq!(updated("PyYAML"), kept, "nothing else moves");
    assert_eq!(version(&updated("Six")), version(text));
    assert_eq!(version(&updated("wheels")), version(text), "it is one of the group");
    only("sixx").fail(&[
        "EDGENODE_UPDATE names what neither the spec nor its lock has: `sixx` (did you mean `six`?)",
    ]);
    locked(spec, &kept)
        .with("--target", "lock")
        .with("--build-arg", "EDGENODE_UPDATE=six")
        .fail(&["EDGENODE_UPDATE goes with `--target update`"]);
    locked(spec, "lock: [")
        .with("--target", "update")
        .with("--build-arg", "EDGENODE_UPDATE=six")
        .fail(&["node.lock:", "not valid YAML"]);
    assert_eq!(version(&lock(spec, &kept, "update")), version(text));
}

#[test]
fn a_lock_is_made_for_what_arguments_decide() {
    let spec = "name: node\nargs: {RELEASE: '13', REVISION: dev}\nbase: 'debian:${RELEASE}'\n\
                labels: {revision: '${REVISION}'}\nsystem: {users: [{name: node, id: 1000}]}\n";
    let text = lock(spec, "", "lock");
    let build = |argument: &str| locked(spec, &text).with("--build-arg", argument);
    build("REVISION=1").with("--build-arg", "RELEASE=13").succeed();
    build("RELEASE=12").fail(&["`base` is not what node.lock was made for", "node.yaml:4:7"]);
    let other = spec.replace("'13'", "'12'");
    let anew = lock(&other, &text, "lock");
    assert!(anew.contains("debian:12@sha256:"), "{anew}");
    // Variants of a platform have one lock.
    let image = locked(spec, &text).with("--platform", "linux/amd64/v2").files();
    // The day of a user's password is no other one tomorrow.
    let shadow = fs::read_to_string(image.path().join("etc/shadow")).expect("read");
    assert!(shadow.contains("\nnode:!:3652:"), "{shadow}");
}

/// TensorRT from an index of our own, of which the tests know what it says.
fn tensorrt(server: &Server, wheel: &[u8], claimed: Option<&str>) -> String {
    let name = "tensorrt_cu12_libs-10.13.3.9-py3-none-any.whl";
    let (file, digest) = server.put(&format!("/{name}"), wheel.to_vec());
    let page = format!("<a href='{file}#sha256={}'>{name}</a>", claimed.unwrap_or(&digest));
    let (page, _) = server.put("/simple/tensorrt-cu12-libs/", page.into_bytes());
    let index = page.trim_end_matches("tensorrt-cu12-libs/").to_owned();
    format!(
        "name: node\nbase: {}\npython: {{version: 3.13, vendor: /usr}}\ntorch: vendor\ntensorrt: {{version: 10.13.3.9, index: '{index}'}}\n",
        base()
    )
}

/// TensorRT's libraries, which say `text`.
fn libraries(text: &str) -> Vec<u8> {
    let module = format!("# {text}").into_bytes();
    wheel("tensorrt-cu12-libs", "10.13.3.9", "", &[("tensorrt_libs/__init__.py", module)])
}

/// A build beside the wheel that specs here have.
fn with_wheel(spec: &str) -> Build {
    beside(Build::new(spec), "idna==3.10", "# ours")
}

/// Puts the wheel beside a spec: what it requires, and what it has.
fn beside(build: Build, requires: &str, text: &str) -> Build {
    let files = [("own/__init__.py", text.as_bytes().to_vec())];
    fs::create_dir_all(build.dir().join("dist")).expect("made");
    fs::write(build.dir().join("dist").join(OWN), wheel("own", "1.0", requires, &files)).expect("written");
    build
}

#[test]
fn a_wheel_of_the_context_that_requires_something_else_makes_the_lock_stale() {
    let spec = format!(
        "name: node\nbase: {}\npython: {{version: 3.13, vendor: /usr}}\nwheels:\n  local:\n    - dist/{OWN}\n",
        base()
    );
    // Not the wheel of other tests, whose steps would be shared with theirs.
    let locking = |build: Build, requires: &str| {
        let files = beside(build, requires, "# of this test").with("--target", "lock").files();
        fs::read_to_string(files.path().join("node.lock")).expect("a lock")
    };
    let text = locking(Build::new(&spec), "idna==3.10");
    assert!(text.contains("name: idna"), "{text}");
    // Another file in it is none of the lock's business.
    let files = beside(locked(&spec, &text), "idna==3.10", "# changed").files();
    let own = fs::read_to_string(files.path().join("usr/local/lib/python3.13/dist-packages/own/__init__.py"));
    assert_eq!(own.expect("read"), "# changed");

    beside(locked(&spec, &text), "six==1.16.0", "# of this test").fail(&[
        &format!("node.yaml:7:7: `wheel dist/{OWN}` is not what node.lock was made for"),
        "make it anew with `--target lock",
        &format!(">>>     - dist/{OWN}"),
    ]);
    let again = locking(locked(&spec, &text), "six==1.16.0");
    assert!(again.contains("name: six") && !again.contains("name: idna"), "{again}");
}

#[test]
fn no_byte_is_taken_that_is_not_what_was_locked() {
    let server = Server::start();
    let text = format!("of process {}", std::process::id());
    let lie = "1".repeat(64);
    no_lock(
        &tensorrt(&server, &libraries(&text), Some(&lie)),
        &["no lock is written", "tensorrt-cu12-libs 10.13.3.9", "digest mismatch"],
    );

    let spec = tensorrt(&server, &libraries(&text), None);
    let text = lock(&spec, "", "lock");
    let files = locked(&spec, &text).with("--target", "tensorrt").files();
    assert!(files.path().join("usr/local/lib/python3.13/dist-packages/tensorrt_libs/__init__.py").is_file());
    // The file behind the address is another one now; a fresh builder has not seen it before.
    tensorrt(&server, &libraries("changed"), None);
    let fresh = Fresh::start();
    locked(&spec, &text).on(&fresh.builder).fail(&[
        "digest mismatch",
        "tensorrt-cu12-libs 10.13.3.9",
        "node.lock:",
    ]);
    // An index that is gone leaves no part of a lock.
    let gone = spec.replace("/simple/", "/nothing/");
    no_lock(&gone, &["tensorrt-cu12-libs"]);
}

/// A machine without a network: a registry with the base images and the frontend, a server of what a bundle holds, and a
/// daemon that has built nothing, in a network of their own.
struct Island {
    process: Child,
    root: TempDir,
}

impl Island {
    fn start(bundle: &Path) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let env = setting("EDGENODE_ENV");
        let daemon = Daemon::configure(root.path());
        // All three end when the shell does.
        let script = "ip link set lo up
            docker-registry serve \"$1\" & registry=$!
            python3 -m http.server --bind 127.0.0.1 --directory \"$2\" 8080 & server=$!
            \"$3\" \"$4\" \"$5\" & daemon=$!
            trap 'kill $registry $server $daemon' TERM
            wait
            wait";
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", script, "island", &format!("{env}/registry.yml")]);
        command.arg(bundle).arg(buildkitd("newest")).args(daemon);
        let log = fs::File::create(root.path().join("log")).expect("a log");
        let process = command.stdout(Stdio::null()).stderr(log).spawn().expect("unshare starts");
        Daemon::wait(root.path());
        Self { process, root }
    }

    fn address(&self) -> String {
        format!("unix://{}/buildkitd.sock", self.root.path().display())
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// The policy that gives stand-ins of releases, which have other digests, for their addresses on a mirror: from there, if
/// the mirror has them.
pub(crate) fn policy(mirror: &str, has_them: bool) -> String {
    let policy = fs::read_to_string(setting("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY")).expect("a policy");
    let mut policy: serde_json::Value = serde_json::from_str(&policy).expect("JSON");
    for rule in policy["rules"].as_array_mut().expect("rules") {
        let address = rule["selector"]["identifier"].as_str().unwrap_or_default();
        let mirrored: serde_json::Value = address.replace("https://", &format!("{mirror}/")).into();
        if has_them {
            rule["updates"]["identifier"] = mirrored.clone();
        }
        rule["selector"]["identifier"] = mirrored;
    }
    policy.to_string()
}

/// A builder that reaches nothing but a server of the bundle and a registry gives the same image.
fn a_build_without_a_network(spec: &str, text: &str) {
    with_wheel(spec)
        .with("--target", "bundle")
        .fail(&["a bundle has what a lock names, and there is no lock"]);
    let bundle = locked(spec, text).with("--target", "bundle").files();
    let images = fs::read_to_string(bundle.path().join("images.txt")).expect("a list");
    assert!(images.contains("test/lock-base:13@sha256:"), "{images}");
    let island = Island::start(bundle.path());
    let far = Fresh::of(&island.address());
    locked(spec, text).on(&far.builder).fail(&["dial tcp"]);
    let file = island.root.path().join("policy.json");
    fs::write(&file, policy("http://127.0.0.1:8080", true)).expect("written");
    let near = locked(spec, text).with("--build-arg", "EDGENODE_MIRROR=http://127.0.0.1:8080");
    let near = near.env("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY", &file.display().to_string());
    let digest = near.on(&far.builder).digest();
    assert_eq!(digest, locked(spec, text).digest());
    locked(spec, text)
        .with("--build-arg", "EDGENODE_MIRROR=files")
        .fail(&["EDGENODE_MIRROR is not an address"]);
}

/// The example, with all that is compiled for it.
#[cfg(feature = "e2e-full")]
#[test]
fn two_builders_give_the_same_example() {
    let example = include_str!("../../examples/media-node/edgenode.yaml")
        .trim_start_matches("# syntax=ratio1/edgenode:1\n");
    let text = lock(example, "", "lock");
    the_same_image_again(example, &text);
}

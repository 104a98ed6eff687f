//! Groups of wheels: what they are together, and what of them is downloaded again.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::Build;

/// A node with the distribution's Python, which is there in no time.
fn node() -> String {
    // Whom the base trusts stays trusted: the package of the authorities only keeps those that lie here.
    let trusting = "FROM debian:13\nRUN install -D -t /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt\n";
    let base = Build::raw(trusting.as_bytes()).push("wheels/trusting");
    format!("name: node\nbase: {base}\npython: {{version: 3.13, venv: /opt/venv}}\n")
}

/// A group of the spec; a wheel that is large (numpy), one that a component asks for, and the rest, with entry points
/// everywhere.
const REQUIREMENTS: [&str; 5] =
    ["numpy==2.2.6", "coloredlogs==15.0.1", "pyyaml==6.0.3", "tqdm==4.67.1", "charset-normalizer==3.4.4"];

fn grouped() -> String {
    format!(
        "{}wheels:\n  requirements: [{}]\n  groups: {{logs: [Colored*, humanfriendly]}}\n",
        node(),
        REQUIREMENTS.join(", ")
    )
}

/// The files below the prefix of Python.
fn python_files(build: Build) -> BTreeMap<String, String> {
    let mut files = build.listing();
    // uv's lock is not part of what it installs.
    files.retain(|path, _| path.starts_with("opt/venv/") && path != "opt/venv/.lock");
    files
}

#[test]
fn groups_are_together_what_one_installation_is() {
    let groups = Build::new(&grouped());
    let log = groups.succeed().log;
    for group in ["[logs] install wheels", "[wheels-numpy] install wheels", "[wheels] install wheels"] {
        assert!(log.contains(group), "{group} is not in:\n{log}");
    }
    let base = Build::new(&format!("{}uv: 0.12.1\n", node())).push("wheels/python");
    let list = REQUIREMENTS.map(|requirement| format!("'{requirement}'")).join(" ");
    let one = format!(
        "FROM {base}\nRUN SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt uv pip install --no-cache \
         --python /opt/venv/bin/python3 --only-binary :all: {list}\n"
    );
    let (groups, one) = (python_files(groups), python_files(Build::raw(one.as_bytes())));
    let records = groups.keys().filter(|path| path.ends_with(".dist-info/RECORD")).count();
    // pip, and the requirements with coloredlogs's own.
    assert_eq!(records, 7, "{:?}", groups.keys());
    for program in ["f2py", "coloredlogs", "humanfriendly", "tqdm", "normalizer"] {
        assert!(groups.contains_key(&format!("opt/venv/bin/{program}")), "{program} is not there");
    }
    let only = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
        a.iter()
            .filter(|(path, what)| b.get(*path) != Some(*what))
            .map(|(p, w)| format!("{p} {w}"))
            .collect::<Vec<_>>()
    };
    assert_eq!((only(&groups, &one), only(&one, &groups)), (vec![], vec![]));
}

#[test]
fn a_target_has_its_large_wheels() {
    let tree = Build::new(&grouped()).with("--target", "wheels").listing();
    let has =
        |name: &str| tree.keys().any(|path| path.ends_with(&format!("site-packages/{name}/__init__.py")));
    assert!(has("numpy") && has("yaml") && !has("coloredlogs"));
}

#[test]
fn a_bumped_requirement_downloads_its_wheel_only() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos().to_string();
    // A namespace of its own is a cache that nothing has filled.
    let build = |requirements: &str| {
        let spec = format!("{}wheels: {{requirements: [{requirements}]}}\n", node());
        Build::new(&spec).with("--build-arg", &format!("BUILDKIT_CACHE_MOUNT_NS={now}")).succeed().log
    };
    let prepared = |log: &str| {
        let lines = log.lines().filter_map(|line| line.split_once("Prepared ")?.1.split(' ').next());
        lines.map(|count| count.parse::<u32>().expect("a number")).sum::<u32>()
    };
    let first = build("six==1.16.0, pyyaml==6.0.3, tqdm==4.67.1");
    assert_eq!(prepared(&first), 3, "{first}");
    let bumped = build("six==1.17.0, pyyaml==6.0.3, tqdm==4.67.1");
    assert_eq!(prepared(&bumped), 1, "{bumped}");
}

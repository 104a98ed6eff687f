//! Groups of wheels: what they are together, and what of them is downloaded again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::components::trusting_base;
use crate::harness::{Build, Server, wheel};

/// A node with the distribution's Python, which is there in no time.
pub(crate) fn node() -> String {
    let base = trusting_base();
    format!("name: node\nbase: {base}\npython: {{version: 3.13, venv: /opt/venv}}\n")
}

/// A group of the spec; a wheel that is large (numpy), one that a component asks for, and the rest, with entry points
/// everywhere.
const REQUIREMENTS: [&str; 5] =
    ["numpy==2.2.6", "coloredlogs==15.0.1", "pyyaml==6.0.3", "tqdm==4.67.1", "charset-normalizer==3.4.4"];

/// Of medium size; so many small ones that they are spread; and two with a directory in common.
const MORE: [&str; 12] = [
    "sympy==1.14.0",
    "regex==2024.11.6",
    "docutils==0.22.2",
    "pytz==2025.2",
    "ipython==9.6.0",
    "tornado==6.5.2",
    "psutil==7.1.0",
    "greenlet==3.2.4",
    "msgpack==1.1.2",
    "pydantic==2.12.3",
    "nvidia-nvtx-cu12==12.8.90",
    "nvidia-cuda-runtime-cu12==12.8.90",
];

fn grouped() -> String {
    grouped_of(&REQUIREMENTS)
}

fn grouped_of(requirements: &[&str]) -> String {
    format!(
        "{}wheels:\n  requirements: [{}]\n  groups: {{logs: [Colored*, humanfriendly]}}\n",
        node(),
        requirements.join(", ")
    )
}

/// The files below the prefix of Python.
pub(crate) fn python_files(build: Build) -> BTreeMap<String, String> {
    let mut files = build.listing();
    // uv's lock is not part of what it installs.
    files.retain(|path, _| path.starts_with("opt/venv/") && path != "opt/venv/.lock");
    assert!(!files.is_empty(), "the image has nothing below /opt/venv");
    files
}

#[test]
fn groups_are_together_what_one_installation_is() {
    let requirements = [&REQUIREMENTS[..], &MORE].concat();
    let groups = Build::new(&grouped_of(&requirements));
    let log = groups.succeed().log;
    for group in [
        "logs",
        "wheels",
        "wheels-numpy",
        "wheels.medium",
        "wheels.small-1",
        "wheels.small-2",
        "wheels.small-3",
    ] {
        assert!(log.contains(&format!("[{group}] install wheels")), "{group} is not in:\n{log}");
    }
    let base = Build::new(&format!("{}uv: 0.12.1\n", node())).push("wheels/python");
    let list: Vec<_> = requirements.iter().map(|requirement| format!("'{requirement}'")).collect();
    let list = list.join(" ");
    let one = format!(
        "FROM {base}\nRUN SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt uv pip install --no-cache \
         --python /opt/venv/bin/python3 --only-binary :all: {list}\n"
    );
    let (groups, one) = (python_files(groups), python_files(Build::raw(one.as_bytes())));
    let records = groups.keys().filter(|path| path.ends_with(".dist-info/RECORD")).count();
    // pip, the requirements, and what coloredlogs, sympy, ipython and pydantic require besides.
    assert!(records > 30, "{records}: {:?}", groups.keys());
    assert!(
        groups.keys().any(|path| path.ends_with("/site-packages/nvidia/__init__.py")),
        "{:?}",
        groups.keys()
    );
    for program in ["f2py", "coloredlogs", "humanfriendly", "tqdm", "normalizer", "ipython", "isympy"] {
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

/// A directory with these wheels.
pub(crate) fn wheelhouse(wheels: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, wheel) in wheels {
        fs::write(dir.path().join(format!("{name}-1.0-py3-none-any.whl")), wheel).expect("written");
    }
    dir
}

#[test]
fn a_wheelhouse_has_all_packages_in_place_of_an_index() {
    // Packages that no index has.
    let names = ["whole", "part"].map(|name| format!("edgenode_{name}_{}", std::process::id()));
    let [whole, part] = &names;
    let told = |text: &str| vec![(format!("{part}.py"), format!("told = '{text}'\n").into_bytes())];
    let made = |name: &str, requires: &str, files: &[(String, Vec<u8>)]| {
        let files: Vec<_> = files.iter().map(|(path, data)| (path.as_str(), data.clone())).collect();
        wheel(name, "1.0", requires, &files)
    };
    let house =
        |text: &str| wheelhouse(&[(whole, made(whole, part, &[])), (part, made(part, "", &told(text)))]);
    let spec = format!(
        "{}wheels: {{requirements: [{whole}]}}\ntests: [{{name: told, run: [python3, -c, 'import {part}; print({part}.told)']}}]\n",
        node()
    );
    let build = |dir: &TempDir| {
        Build::new(&spec).with("--build-context", &format!("wheelhouse={}", dir.path().display()))
    };
    for text in ["first", "second"] {
        let dir = house(text);
        fs::write(dir.path().join("README"), "no wheel").expect("written");
        let reports = build(&dir).with("--target", "test").files();
        let report = fs::read_to_string(reports.path().join("told.txt")).expect("a report");
        assert_eq!(report, format!("{text}\n"), "a wheel that changes is installed again");
    }
    let graph = build(&house("offline")).with("--target", "graph").files();
    let graph = fs::read_to_string(graph.path().join("graph.txt")).expect("a graph");
    for step in ["[wheels] find versions", "[wheels] install wheels", "[wheels] look into the wheelhouse"] {
        let line = graph.lines().find(|line| line.contains(step)).expect("the step");
        assert!(line.contains("(run, needs"), "{line}");
    }
    build(&wheelhouse(&[(whole, made(whole, part, &[]))]))
        .fail(&[&format!("{} was not found", part.replace('_', "-"))]);
    build(&wheelhouse(&[])).fail(&["the build context `wheelhouse` has no wheels"]);
    build(&house("locked")).with("--target", "lock").fail(&["make the lock without it"]);
    let unused = house("unused");
    let log = Build::new("name: n\nbase: debian:13\n")
        .with("--build-context", &format!("wheelhouse={}", unused.path().display()))
        .succeed()
        .log;
    assert!(log.contains("nothing uses the build context `wheelhouse`"), "{log}");
}

#[test]
fn a_target_has_its_large_wheels() {
    let tree = Build::new(&grouped()).with("--target", "wheels").listing();
    let has =
        |name: &str| tree.keys().any(|path| path.ends_with(&format!("site-packages/{name}/__init__.py")));
    assert!(has("numpy") && has("yaml") && !has("coloredlogs"));
    // Its layers are those of the image.
    let layers = |build: Build, name: &str| {
        build.push(name);
        crate::change_contract::layers(name)
    };
    let image = layers(Build::new(&grouped()), "wheels/image");
    let own = layers(Build::new(&grouped()).with("--target", "wheels"), "wheels/own");
    assert!(own.len() > 1 && own.iter().all(|layer| image.contains(layer)), "{own:?} {image:?}");
}

#[test]
fn a_bumped_requirement_downloads_its_wheel_only() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos().to_string();
    // A namespace of its own is a cache that nothing has filled.
    let node = |requirements: &str| {
        let spec = format!("{}wheels: {{requirements: [{requirements}]}}\n", node());
        // Whatever their caches are called, a builder that ran the steps before has them.
        let spec = spec.replace("/opt/venv", &format!("/opt/venv-{now}"));
        Build::new(&spec).with("--build-arg", &format!("BUILDKIT_CACHE_MOUNT_NS={now}"))
    };
    let build = |requirements: &str| node(requirements).succeed().log;
    let prepared = |log: &str| {
        let lines = log.lines().filter_map(|line| line.split_once("Prepared ")?.1.split(' ').next());
        lines.map(|count| count.parse::<u32>().expect("a number")).sum::<u32>()
    };
    let first = build("six==1.16.0, pyyaml==6.0.3, tqdm==4.67.1");
    assert_eq!(prepared(&first), 3, "{first}");
    // A lock asks the index anew, and leaves what others have downloaded.
    node("six==1.17.0").with("--target", "lock").files();
    let bumped = build("six==1.17.0, pyyaml==6.0.3, tqdm==4.67.1");
    assert_eq!(prepared(&bumped), 1, "{bumped}");
}

/// Small packages that have 4 MB together, which lie in all branches.
const SMALL: [&str; 10] = [
    "docutils==0.22.3",
    "pytz==2025.2",
    "tornado==6.5.2",
    "pyyaml==6.0.3",
    "regex==2025.11.3",
    "greenlet==3.2.4",
    "cffi==2.0.0",
    "mpmath==1.3.0",
    "tzdata==2025.2",
    "prompt-toolkit==3.0.52",
];

#[test]
fn one_more_of_many_small_wheels_installs_a_part_of_them() {
    // A place of its own, as BuildKit can miss what a builder has from a run with another digest of the same base.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let node = node().replace("/opt/venv", &format!("/opt/venv/{now}"));
    let spec = |more: &str| format!("{node}wheels: {{requirements: [{}{more}]}}\n", SMALL.join(", "));
    let installs = |log: &str| -> BTreeSet<String> {
        let names =
            log.lines().filter_map(|line| line.split_once(" [wheels")?.1.split_once("] install wheels"));
        names.map(|(name, _)| format!("wheels{name}")).collect()
    };
    let all = ["wheels", "wheels.small-1", "wheels.small-2", "wheels.small-3"].map(str::to_owned);
    let first = Build::new(&spec(""));
    assert_eq!(installs(&first.succeed().log), all.clone().into());
    // With a lock the same wheels are together.
    let lock = Build::new(&spec("")).with("--target", "lock").files();
    let locked = Build::new(&spec(""));
    fs::copy(lock.path().join("node.lock"), locked.dir().join("node.lock")).expect("copied");
    assert_eq!(installs(&locked.succeed().log), all.into());
    assert_eq!(python_files(locked), python_files(first));
    Build::new(&spec(", six==1.16.0")).succeed();
    let changed = Build::new(&spec(", six==1.17.0")).succeed();
    let installed: Vec<_> =
        changed.executed().into_iter().filter(|step| step.ends_with("install wheels")).collect();
    assert_eq!(installed, ["[wheels] install wheels"]);
}

#[test]
fn wheels_by_their_addresses_are_downloads_whose_dependencies_are_resolved_with_the_rest() {
    let server = Server::start();
    // Packages that no index has, and releases of six that are not its last one.
    let id = std::process::id();
    let (near, far) = (format!("edgenode_near_{id}"), format!("edgenode_far_{id}"));
    let put = |name: &str, requires: &str| {
        let code = format!("told = '{name}'\n").into_bytes();
        let made = wheel(name, "1.0", requires, &[(&format!("{name}.py"), code)]);
        server.put(&format!("/{name}-1.0-py3-none-any.whl"), made)
    };
    let (near_url, near_sum) = put(&near, "six==1.16.0; extra == 'old'");
    let (far_url, far_sum) = put(&far, &near);
    let node = node().replace("/opt/venv", &format!("/opt/venv/{id}"));
    // What its marker leaves out is not fetched: nobody has it.
    let gone = format!("gone @ {}/gone-1.0-py3-none-any.whl#sha256={near_sum}", server.address());
    let spec = |sum: &str| {
        format!(
            "{node}wheels:\n  files: [requirements.txt]\n  requirements:\n    - {near}\n    \
             - {near}[old] @ {near_url}#sha256={sum}\n    - {gone} ; python_version < '3'\ntests:\n  \
             - {{name: told, run: [python3, -c, 'import six, {near}, {far}; print(six.__version__, {far}.told)']}}\n"
        )
    };
    let build = |sum: &str| {
        let build = Build::new(&spec(sum));
        let lines = format!("{far} @ {far_url} --hash=sha256:{far_sum}\n");
        fs::write(build.dir().join("requirements.txt"), lines).expect("written");
        build
    };
    let wrong = "0".repeat(64);
    build(&wrong).fail(&[
        "digest mismatch",
        "node.yaml:9",
        &format!("[{} 1.0 wheel] download", near.replace('_', "-")),
    ]);

    let told = |build: Build| {
        let reports = build.with("--target", "test").files();
        fs::read_to_string(reports.path().join("told.txt")).expect("a report")
    };
    assert_eq!(told(build(&near_sum)), format!("1.16.0 {far}\n"));
    let lock = build(&near_sum).with("--target", "lock").files();
    let lock = fs::read_to_string(lock.path().join("node.lock")).expect("a lock");
    for part in [near_url.as_str(), &far_url, "six-1.16.0"] {
        assert!(lock.contains(part), "{part} is not in:\n{lock}");
    }
    let locked = || {
        let build = build(&near_sum);
        fs::write(build.dir().join("node.lock"), &lock).expect("written");
        build
    };
    assert_eq!(python_files(locked()), python_files(build(&near_sum)));
    let graph = build(&near_sum).with("--target", "graph").files();
    let graph = fs::read_to_string(graph.path().join("graph.txt")).expect("a graph");
    let installs = graph.lines().filter(|line| line.contains("] install wheel "));
    let installs: Vec<_> = installs.inspect(|line| assert!(line.contains("(run, needs"), "{line}")).collect();
    assert_eq!(installs.len(), 2, "{graph}");
    let sbom = locked().with("--target", "sbom").files();
    let sbom = fs::read_to_string(sbom.path().join("sbom.spdx.json")).expect("a document");
    for part in [&near_url, &far_sum] {
        assert!(sbom.contains(part), "{part} is not in:\n{sbom}");
    }
    // What lies at an address is not what the public index may have by its name.
    assert!(sbom.contains("pkg:pypi/six@") && !sbom.contains("pkg:pypi/edgenode"), "{sbom}");
}

#[test]
fn what_fails_where_wheels_are_chosen_is_shown_at_its_line() {
    // The frontend hears of these errors itself. The downloads of these tests are sent elsewhere by a source policy, which
    // gives all that stands on them other digests than those that the frontend knows. BuildKit 0.13.2 loses the names of
    // steps then, too; 0.22.0 has them.
    let build = |rest: &str| Build::new(&format!("{}{rest}\n", node()));
    build("wheels: {requirements: [six==99]}").fail(&[
        "there is no version of six==99",
        "node.yaml:5",
        "5 | >>> wheels",
    ]);
    build("wheels: {requirements: [six]}\ncommands:\n  - {name: fails, run: ['false']}").fail(&[
        "exit code: 1",
        "node.yaml:7",
        "7 | >>>   - {name: fails",
    ]);
}

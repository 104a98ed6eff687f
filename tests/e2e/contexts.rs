//! Wherever the spec and its context come from, and however BuildKit is asked.

use std::fs;
use std::process::{Command, Stdio};

use crate::harness::{Build, Server, archive, frontend, setting};
use crate::repositories::Repository;

/// A spec that builds in a second, and whose image's label tells it apart.
pub(crate) fn spec(label: &str) -> String {
    format!("# syntax=ratio1/edgenode:1\nname: node\nbase: debian:13\nlabels:\n  told: {label}\n")
}

/// Builds, pushes, and reads the label back from the image's configuration.
pub(crate) fn told(build: Build, name: &str) -> String {
    let image = build.push(name);
    config(&image)["config"]["Labels"]["told"].as_str().unwrap_or_default().to_owned()
}

/// The configuration of a pushed image.
pub(crate) fn config(image: &str) -> serde_json::Value {
    let output = Command::new("skopeo")
        .args(["inspect", "--config", "--raw", "--tls-verify=false", &format!("docker://{image}")])
        .output()
        .expect("skopeo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a configuration")
}

#[test]
fn a_spec_below_the_context() {
    let build = Build::raw(b"");
    fs::create_dir_all(build.dir().join("sub/dir")).expect("made");
    fs::write(build.dir().join("sub/dir/spec.yaml"), spec("sub")).expect("written");
    assert_eq!(told(build.arguments(&["-f", "sub/dir/spec.yaml", "."]), "contexts/sub"), "sub");
}

#[test]
fn a_spec_on_stdin() {
    let build = Build::raw(spec("stdin").as_bytes());
    let file = build.dir().join("node.yaml");
    assert_eq!(told(build.arguments(&["-f", "-", "."]).stdin(file), "contexts/stdin"), "stdin");
}

#[test]
fn an_archive_on_stdin() {
    let build = Build::raw(b"");
    let file = build.dir().join("context.tar.gz");
    fs::write(&file, archive(&[("spec.yaml", &spec("archive"))])).expect("written");
    assert_eq!(told(build.arguments(&["-f", "spec.yaml", "-"]).stdin(file), "contexts/archive"), "archive");
}

#[test]
fn a_spec_from_http() {
    let (url, _) = Server::start().put("/spec.yaml", spec("http").into_bytes());
    assert_eq!(told(Build::raw(b"").arguments(&[&url]), "contexts/http"), "http");
}

#[test]
fn an_archive_from_http() {
    let (url, _) = Server::start().put("/context.tar.gz", archive(&[("spec.yaml", &spec("http-archive"))]));
    let build = Build::raw(b"").arguments(&["-f", "spec.yaml", &url]);
    assert_eq!(told(build, "contexts/http-archive"), "http-archive");
}

#[test]
fn a_spec_from_git() {
    let repository = Repository::new(&spec("git"), 1_700_000_000);
    let server = repository.serve();
    let address = format!("{}:nodes", server.address);
    let build = Build::raw(b"").arguments(&["-f", "spec.yaml", &address]);
    assert_eq!(told(build, "contexts/git"), "git");
}

#[test]
fn the_time_of_an_image_is_that_of_its_commit() {
    let epoch = |build: Build, value: &str| build.with("--build-arg", &format!("SOURCE_DATE_EPOCH={value}"));
    let repository = Repository::new(&spec("time"), 1_700_000_000);
    let server = repository.serve();
    // BuildKit 0.32.2 fails with a time and a directory of a repository, before any frontend is asked.
    let build = Build::raw(b"").arguments(&["-f", "nodes/spec.yaml", &server.address]);
    let image = epoch(build, "context").push("contexts/time");
    assert_eq!(config(&image)["created"], "2023-11-14T22:13:20Z");
    // Directories have no time, and any word is none.
    let log = epoch(Build::new(&spec("time")), "context").succeed().log;
    assert!(log.contains("the build context, which has none that the builder knows"), "{log}");
    epoch(Build::new(&spec("time")), "tomorrow").fail(&["SOURCE_DATE_EPOCH is a number", "not `tomorrow`"]);
}

#[test]
fn the_frontend_named_by_a_build_argument() {
    let spec = spec("argument").replace("# syntax=ratio1/edgenode:1\n", "");
    let build = Build::raw(spec.as_bytes()).with("--build-arg", &format!("BUILDKIT_SYNTAX={}", frontend()));
    assert_eq!(told(build, "contexts/argument"), "argument");
}

#[test]
fn buildctl_without_buildx() {
    let build = Build::raw(spec("buildctl").as_bytes());
    let dir = build.dir().display().to_string();
    let out = build.dir().join("out");
    let status = Command::new(setting("EDGENODE_BUILDCTL"))
        .args(["build", "--frontend", "gateway.v0", "--opt", &format!("source={}", frontend()), "--opt"])
        .args([
            "filename=node.yaml",
            "--local",
            &format!("dockerfile={dir}"),
            "--local",
            &format!("context={dir}"),
        ])
        .args(["--output", &format!("type=local,dest={}", out.display())])
        .stderr(Stdio::null())
        .status()
        .expect("buildctl starts");
    assert!(status.success());
    assert!(out.join("etc/debian_version").is_file());
}

#[test]
fn another_base_image() {
    let context = "base=docker-image://docker.io/library/debian:12";
    let files = Build::raw(spec("base").as_bytes()).with("--build-context", context).files();
    let version = fs::read_to_string(files.path().join("etc/debian_version")).expect("read");
    assert!(version.starts_with("12."), "{version}");
}

#[test]
fn a_base_image_from_a_directory() {
    let layout = tempfile::tempdir().expect("a directory");
    let output = format!("type=oci,tar=false,dest={}", layout.path().display());
    let base = "name: base\nbase: debian:12\nworkdir: /from/the/base\n";
    Build::new(base).with("--output", &output).succeed();
    let context = format!("base=oci-layout://{}", layout.path().display());
    let image =
        Build::raw(spec("layout").as_bytes()).with("--build-context", &context).push("contexts/layout");
    assert_eq!(config(&image)["config"]["WorkingDir"], "/from/the/base");
    let files = Build::raw(spec("layout").as_bytes()).with("--build-context", &context).files();
    assert!(files.path().join("from/the/base").is_dir());
}

#[test]
fn labels_and_settings_reach_the_image() {
    let spec = "name: node\nbase: debian:13\nenv: {A: 'x=y z'}\nworkdir: /srv/work\nentrypoint: [sleep]\ncmd: ['1']\n\
                volumes: [/srv/data]\nports: [8080]\nstop_signal: SIGINT\n\
                healthcheck: {run: ['true'], interval: 1m30s, retries: 3}\n";
    let image = Build::new(spec).with("--label", "from=outside").push("contexts/settings");
    let config = config(&image);
    assert_eq!(config["config"]["Labels"]["from"], "outside");
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.title"], "node");
    assert_eq!(config["config"]["WorkingDir"], "/srv/work");
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["sleep"]));
    assert_eq!(config["config"]["Cmd"], serde_json::json!(["1"]));
    assert_eq!(config["config"]["Volumes"], serde_json::json!({"/srv/data": {}}));
    assert_eq!(config["config"]["ExposedPorts"], serde_json::json!({"8080/tcp": {}}));
    assert_eq!(config["config"]["StopSignal"], "SIGINT");
    let healthcheck =
        serde_json::json!({"Test": ["CMD", "true"], "Interval": 90_000_000_000_u64, "Retries": 3});
    assert_eq!(config["config"]["Healthcheck"], healthcheck);
    let env = config["config"]["Env"].as_array().expect("a list");
    assert!(env.contains(&serde_json::json!("A=x=y z")), "{env:?}");
    let files = Build::new(spec).files();
    assert!(files.path().join("srv/work").is_dir());
}

#[test]
fn two_builds_at_once_do_not_mix() {
    let build = |label: &'static str| {
        std::thread::spawn(move || told(Build::raw(spec(label).as_bytes()), &format!("contexts/{label}")))
    };
    let (one, two) = (build("one"), build("two"));
    assert_eq!(one.join().expect("built"), "one");
    assert_eq!(two.join().expect("built"), "two");
}

#[test]
fn containers_of_steps_get_what_the_client_asks_for() {
    let spec = "name: node\nbase: debian:13\ncommands:\n  - name: look\n    network: true\n    run:\n      - sh\n      - -c\n      \
                - grep -q '^10.9.8.7.*node.example' /etc/hosts && [ $(ulimit -n) = 777 ] \
                && [ \"$http_proxy\" = http://proxy.example ] && df /dev/shm --output=size -B1 | grep -qx ' *8388608'\n";
    let build = Build::new(spec).arguments_added(&[
        "--add-host=node.example:10.9.8.7",
        "--ulimit=nofile=777:888",
        "--shm-size=8m",
        "--build-arg=HTTP_PROXY=http://proxy.example",
    ]);
    let image = build.push("contexts/asked");
    let config = config(&image)["config"].to_string();
    assert!(!config.contains("proxy.example"), "{config}");
    Build::new(spec).arguments_added(&["--network=none", "--no-cache"]).fail(&["[command] look"]);
}

#[test]
fn memory_and_processors_of_steps_are_limited() {
    // Both editions of the kernel's control groups.
    let look = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null | grep -qx 268435456 \
                && cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null | grep -q '^50000'";
    let command = |name: &str, run: &str| {
        format!("name: node\nbase: debian:13\ncommands:\n  - {{name: {name}, run: [sh, -c, \"{run}\"]}}\n")
    };
    let limits = ["--resource=memory=256m", "--resource=cpu-quota=50000", "--resource=cpuset-cpus=0"];
    Build::new(&command("look", look)).arguments_added(&limits).succeed();
    let greedy = Build::new(&command("greedy", "tail /dev/zero")).arguments_added(&limits);
    greedy.fail(&["exit code: 137", ">>>   - {name: greedy"]);
    // A builder that cannot says so, and builds.
    let log = Build::new(&command("any", "true")).arguments_added(&limits).on("oldest").succeed().log;
    assert!(log.contains("this builder cannot limit the memory or processors of steps"), "{log}");
    let wrong = Build::new(&command("any", "true")).arguments_added(&["--resource=cpuset-cpus=5-1"]);
    wrong.fail(&["5-1"]);
}

#[test]
fn several_platforms_make_an_index() {
    // Both run on this machine; what counts is that each is built and told apart.
    let build = Build::raw(spec("several").as_bytes()).with("--platform", "linux/amd64,linux/amd64/v2");
    let log = build.succeed().log;
    assert!(log.contains("linux/amd64 [image] seal") && log.contains("linux/amd64/v2 [image] seal"), "{log}");
    assert_eq!(log.matches(" - the base image ").count(), 1, "the warning is listed once:\n{log}");
    let image = build.push("contexts/several");
    let output = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{image}")])
        .output()
        .expect("skopeo starts");
    let index: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an index");
    let manifests = index["manifests"].as_array().expect("manifests").iter();
    let variants: Vec<_> = manifests.filter_map(|m| m["platform"]["variant"].as_str()).collect();
    assert_eq!(variants, ["v2"]);
    assert!(index["manifests"].as_array().is_some_and(|manifests| manifests.len() >= 2), "{index}");
}

//! The BuildKit inside of Docker Engine, with both of its stores of images: what `docker buildx build` asks where nobody made
//! a builder. The engine runs in a privileged container without a network; it has the images that were loaded into it.

use std::fs;
use std::path::Path;

use crate::entrypoint::{Container, command, stdout};
use crate::harness::{frontend, setting};

const SPEC: &str = "# syntax=ratio1/edgenode:1
name: node
base: debian:13
files:
  - {from: told, to: /opt/told}
commands:
  - {name: look, inputs: [told], run: [sh, -c, 'cat /run/edgenode/inputs/told >/looked']}
env:
  GREETING: hello
";

/// A spec that goes wrong at its last line.
fn wrong() -> String {
    format!("{SPEC}tests:\n  - {{name: wrong, run: [ls, /nowhere]}}\n")
}

/// Builds, runs what was built, builds again, asks the linter, and fails at a line.
const SCRIPT: &str = "
docker load -qi /frontend.tar
docker load -qi /base.tar
cd /node
build() { buildx build --progress plain \"$@\" /node 2>&1; }
build -t node -f node.yaml >/first || { cat /first; exit 1; }
docker version --format 'api {{.Server.APIVersion}}'
docker info --format 'driver {{.Driver}}'
LOOK
build -t node -f node.yaml | grep -c CACHED
build --check -f node.yaml && exit 8
build --target test -f wrong.yaml && exit 9
echo done
";

/// Looks into the image in a container.
const RUN: &str = "docker run --rm --network none node sh -c 'cat /opt/told /looked; echo $GREETING'";
/// Looks into it where the kernel lacks what containers of a newer engine have (time namespaces).
#[cfg(feature = "e2e-full")]
const EXPORT: &str = "docker export $(docker create node true) | tar -xO opt/told looked
docker image inspect --format '{{json .Config.Env}}' node | grep -o hello";

/// What the engine with this store says, whose daemon is the distribution's or this one.
fn engine(driver: &str, containerd: bool, daemon: Option<&Path>, look: &str) -> String {
    let container = Container::new();
    let root = container.root();
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    };
    put("etc/docker/daemon.json", &format!("{{\"features\": {{\"containerd-snapshotter\": {containerd}}}}}"));
    put("node/node.yaml", SPEC);
    put("node/wrong.yaml", &wrong());
    put("node/told", "told\n");
    fs::copy(setting("EDGENODE_BUILDX"), root.join("usr/local/bin/buildx")).expect("copied");
    if let Some(daemon) = daemon {
        fs::copy(daemon, root.join("usr/sbin/dockerd")).expect("copied");
    }
    let registry = setting("EDGENODE_REGISTRY");
    archive(&format!("{registry}/{}", frontend()), &root.join("frontend.tar"), "ratio1/edgenode:1");
    archive(&format!("{registry}/library/debian:13"), &root.join("base.tar"), "debian:13");
    let driver = format!("DOCKERD_STORAGE_DRIVER={driver}");
    stdout(
        &container
            .run(&["EE_DD=1", "DOCKER_TLS_CERTDIR=", "HOME=/root", &driver], &SCRIPT.replace("LOOK", look)),
    )
}

/// An image of the registry as an archive that `docker load` reads.
fn archive(image: &str, to: &Path, name: &str) {
    let to = format!("docker-archive:{}:{name}", to.display());
    command("skopeo", &["copy", "-q", "--src-tls-verify=false", &format!("docker://{image}"), &to]);
}

fn builds(told: &str, driver: &str) {
    assert!(told.contains(&format!("driver {driver}\ntold\ntold\nhello\n")), "{told}");
    assert!(told.contains("UnpinnedBase") && told.contains(">>> base: debian:13"), "{told}");
    assert!(told.contains(">>>   - {name: wrong, run: [ls, /nowhere]}"), "{told}");
    assert!(told.ends_with("done\n"), "{told}");
}

#[test]
fn an_engine_whose_store_cannot_merge_builds() {
    builds(&engine("overlay2", false, None, RUN), "overlay2");
}

#[test]
fn an_engine_with_containerds_store_builds() {
    builds(&engine("overlayfs", true, None, RUN), "overlayfs");
}

#[cfg(feature = "e2e-full")]
#[test]
fn a_newer_engine_builds_with_both_stores() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/env/dockerd");
    let built = std::process::Command::new(script).output().expect("it starts").stdout;
    let daemon = String::from_utf8(built).expect("a path");
    let daemon = Path::new(daemon.trim());
    for (driver, containerd) in [("overlay2", false), ("overlayfs", true)] {
        let told = engine(driver, containerd, Some(daemon), EXPORT);
        assert!(told.contains("api 1.5"), "{told}");
        builds(&told, driver);
    }
}

//! A builder on another machine, as far as one machine can show: over TCP with mutual TLS, replaced by a new one that has
//! only the exported cache, and with what some tests need of a builder: privileges and devices.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::conformance::fetch;
use crate::faults::{below, wait_until};
use crate::harness::{Outcome, buildkitd, free_port, frontend, setting};

/// Runs a program that must succeed.
fn run(program: &str, arguments: &[&str], directory: &Path) {
    let output = Command::new(program).args(arguments).current_dir(directory).output().expect("it starts");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and what it signed for the daemon and for the client.
fn certificates(directory: &Path) {
    let openssl = |arguments: &str| run("openssl", &arguments.split(' ').collect::<Vec<_>>(), directory);
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem");
    for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
        openssl(&format!(
            "req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}-key.pem -out {name}.csr"
        ));
        let extensions = format!("subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n");
        fs::write(directory.join("extensions"), extensions).expect("written");
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile extensions -out {name}.pem"
        ));
    }
}

/// What any daemon can answer.
const WORKERS: [&str; 2] = ["debug", "workers"];

/// A daemon that listens on TCP, with a state of its own.
struct Daemon {
    process: Child,
    address: String,
    state: TempDir,
}

impl Daemon {
    /// Starts one. What it lets clients have is what `examples/buildkitd.toml` says, and a device that stands in for a
    /// GPU.
    fn start(certificates: &Path) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let address = format!("tcp://127.0.0.1:{port}");
        let cdi = state.path().join("cdi");
        fs::create_dir(&cdi).expect("made");
        let device = r#"{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [{"name": "all",
            "containerEdits": {"deviceNodes": [{"path": "/dev/nvidiactl", "hostPath": "/dev/null"}]}}]}"#;
        fs::write(cdi.join("nvidia.json"), device).expect("written");
        let registry = setting("EDGENODE_REGISTRY");
        // The example is what a site applies; only places differ here.
        let example = include_str!("../../examples/buildkitd.toml");
        let config = example
            .replace("tcp://0.0.0.0:1234", &address)
            .replace("/etc/buildkit/tls", &certificates.display().to_string())
            .replace("/etc/cdi", &cdi.display().to_string());
        let config = format!(
            "root = \"{}\"\n{config}\n[registry.\"docker.io\"]\n  mirrors = [\"{registry}\"]\n\
             [registry.\"{registry}\"]\n  http = true\n",
            state.path().join("state").display()
        );
        fs::write(state.path().join("buildkitd.toml"), config).expect("written");
        let log = fs::File::create(state.path().join("log")).expect("made");
        let process = Command::new(buildkitd("newest"))
            .arg("--config")
            .arg(state.path().join("buildkitd.toml"))
            .env("TMPDIR", state.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("buildkitd starts");
        let daemon = Self { process, address, state };
        let end = Instant::now() + Duration::from_secs(60);
        while !daemon.ask(certificates, "client", &WORKERS).status.success() {
            let log = fs::read_to_string(daemon.state.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the daemon does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(200));
        }
        daemon
    }

    /// Ends at once, as machines do.
    fn crash(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("it ends");
    }

    /// Asks the daemon something, with the certificate of `who`.
    fn ask(&self, certificates: &Path, who: &str, question: &[&str]) -> Output {
        let file = |name: String| certificates.join(name).display().to_string();
        Command::new(setting("EDGENODE_BUILDCTL"))
            .args(["--addr", &self.address, "--timeout", "10", "--tlscacert", &file("ca.pem".into())])
            .args(["--tlscert", &file(format!("{who}.pem")), "--tlskey", &file(format!("{who}-key.pem"))])
            .args(question)
            .output()
            .expect("buildctl starts")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// buildx with a configuration of its own and the daemon as its builder, as the README says.
struct Client {
    directory: TempDir,
}

impl Client {
    fn new(daemon: &Daemon, certificates: &Path) -> Self {
        let client = Self { directory: tempfile::tempdir().expect("a directory") };
        client.create(daemon, certificates, &[]);
        client
    }

    /// Makes the builder, or with `--append` another node of it.
    fn create(&self, daemon: &Daemon, certificates: &Path, more: &[&str]) {
        let file = |name: &str| certificates.join(name).display().to_string();
        let options =
            format!("cacert={},cert={},key={}", file("ca.pem"), file("client.pem"), file("client-key.pem"));
        let mut all = vec!["create", "--name", "farm", "--driver", "remote", "--driver-opt", &options];
        all.extend(more);
        all.push(&daemon.address);
        let created = self.buildx(&all);
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    }

    fn buildx(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("buildx starts")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(setting("EDGENODE_BUILDX"));
        command.args(arguments).env("BUILDX_CONFIG", self.directory.path());
        command.env_remove("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY");
        command
    }

    /// Builds a spec with these arguments.
    fn build(&self, spec: &str, arguments: &[&str]) -> Outcome {
        let output = self.building(spec, arguments).output().expect("buildx starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome { ok: output.status.success(), stdout: text(&output.stdout), log: text(&output.stderr) }
    }

    fn building(&self, spec: &str, arguments: &[&str]) -> Command {
        let file = self.directory.path().join("node.yaml");
        fs::write(&file, format!("# syntax=ratio1/edgenode:1\n{spec}")).expect("written");
        let (file, directory) = (file.display().to_string(), self.directory.path().display().to_string());
        let mut all = vec!["build", "--builder", "farm", "--progress", "plain", "-f", &file, &directory];
        let syntax = format!("BUILDKIT_SYNTAX={}", frontend());
        all.extend(["--build-arg", &syntax]);
        all.extend(arguments);
        self.command(&all)
    }

    fn succeed(&self, spec: &str, arguments: &[&str]) -> Outcome {
        let outcome = self.build(spec, arguments);
        assert!(outcome.ok, "{}", outcome.log);
        outcome
    }
}

const SPEC: &str = "name: node\nbase: debian:13\nsystem: {timezone: Etc/UTC}\n";

#[test]
fn a_builder_over_tls_that_is_replaced_and_gives_what_tests_need() {
    let certificates_of = |directory: &TempDir| {
        certificates(directory.path());
        directory.path().to_owned()
    };
    let (ours, theirs) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (ours, theirs) = (certificates_of(&ours), (certificates_of(&theirs), ours, theirs));
    let (theirs, ..) = (&theirs.0, &theirs.1, &theirs.2);
    let cache = format!("{}/release/farm-cache", setting("EDGENODE_REGISTRY"));
    let first = Daemon::start(&ours);
    // Who has no certificate of the daemon's authority is not let in.
    for name in ["client.pem", "client-key.pem"] {
        fs::copy(theirs.join(name), ours.join(format!("other-{name}"))).expect("copied");
    }
    fs::rename(ours.join("other-client.pem"), ours.join("other.pem")).expect("renamed");
    fs::rename(ours.join("other-client-key.pem"), ours.join("other-key.pem")).expect("renamed");
    assert!(!first.ask(&ours, "other", &WORKERS).status.success(), "a foreign certificate is taken");

    let client = Client::new(&first, &ours);
    let log = client.succeed(SPEC, &["--cache-to", &format!("type=registry,ref={cache},mode=max")]).log;
    assert!(log.contains("[system] set up"), "{log}");

    let test = |test: &str| format!("{SPEC}tests:\n  - {{{test}}}\n");
    let mighty = test("name: mighty, run: [sh, -c, 'mount -t tmpfs none /mnt'], needs: privileged");
    let Outcome { ok, log, .. } = client.build(&mighty, &["--target", "test"]);
    assert!(!ok && log.contains("--allow security.insecure"), "{log}");
    client.succeed(&mighty, &["--target", "test", "--allow", "security.insecure"]);
    let gpu = test("name: gpu, run: [sh, -c, 'test -e /dev/nvidiactl && exit 0'], needs: gpu");
    let log = client.succeed(&gpu, &["--target", "test", "--allow", "device=nvidia.com/gpu"]).log;
    assert!(!log.contains("is skipped"), "{log}");
    let gpu = test("name: gpu, run: [sh, -c, 'exit 4'], needs: gpu");
    let Outcome { ok, log, .. } =
        client.build(&gpu, &["--target", "test", "--allow", "device=nvidia.com/gpu"]);
    assert!(!ok && log.contains("the test `gpu` fails: the program ended with code 4"), "{log}");

    // The machine dies while it builds, and another one in its place has nothing but the exported cache.
    let edited = format!("{SPEC}commands:\n  - {{name: edit, run: [sh, -c, 'sleep 5; touch /edited']}}\n");
    let mut building = client.building(&edited, &[]).stderr(Stdio::null()).spawn().expect("buildx starts");
    wait_until("the step runs", || !below(first.process.id(), "sleep").is_empty());
    first.crash();
    assert!(!building.wait().expect("it ends").success(), "nobody was there to build");
    let second = Daemon::start(&ours);
    let client = Client::new(&second, &ours);
    let again = client.succeed(&edited, &["--cache-from", &format!("type=registry,ref={cache}")]);
    assert!(again.log.contains("[system] set up"), "{}", again.log);
    let ran = again.executed();
    assert!(!ran.contains(&"[system] set up") && ran.contains(&"[command] edit"), "{}", again.log);
}

#[test]
fn two_nodes_build_a_platform_each() {
    let directory = tempfile::tempdir().expect("a directory");
    certificates(directory.path());
    // Both run on this machine; what counts is that each builds its own.
    let platforms = ["linux/amd64", "linux/amd64/v2"];
    let start = || {
        let nodes = [Daemon::start(directory.path()), Daemon::start(directory.path())];
        let client = Client { directory: tempfile::tempdir().expect("a directory") };
        client.create(&nodes[0], directory.path(), &["--platform", platforms[0]]);
        client.create(&nodes[1], directory.path(), &["--append", "--platform", platforms[1]]);
        (nodes, client)
    };
    let (nodes, client) = start();
    let spec = format!(
        "{SPEC}labels: {{built: '${{TARGETPLATFORM}}'}}\ncommands:\n  - {{name: told, run: [touch, /told]}}\n"
    );
    let name = format!("{}/release/nodes", setting("EDGENODE_REGISTRY"));
    let output = format!("type=image,name={name},push=true");
    let both = platforms.join(",");
    let arguments = ["--platform", &both, "--output", &output, "--provenance=false"];
    let log = client.succeed(&spec, &[&arguments[..], &["--cache-to", "type=inline"]].concat()).log;
    for node in &nodes {
        let built = node.ask(directory.path(), "client", &["du", "--verbose"]).stdout;
        let built = String::from_utf8_lossy(&built);
        assert_eq!(built.matches("from exec touch /told\n").count(), 1, "{built}\n{log}");
    }
    let index = fetch("manifests", "release/nodes", "latest");
    let manifests = index["manifests"].as_array().expect("an index");
    let label = |manifest: &serde_json::Value| {
        let manifest = fetch("manifests", "release/nodes", manifest["digest"].as_str().expect("a digest"));
        let config =
            fetch("blobs", "release/nodes", manifest["config"]["digest"].as_str().expect("a digest"));
        config["config"]["Labels"]["built"].as_str().expect("a label").to_owned()
    };
    assert_eq!(manifests.iter().map(label).collect::<Vec<_>>(), platforms, "{index}");

    // Nodes that have nothing but the cache in the image build what is edited, each its own, and no layer below it.
    let (_nodes, client) = start();
    let (edited, cache) =
        (spec.replace("touch, /told", "touch, /edited"), format!("type=registry,ref={name}"));
    let again = client.succeed(&edited, &[&arguments[..], &["--cache-from", &cache]].concat());
    let ran = again.executed();
    let count = |what: &str| ran.iter().filter(|step| step.contains(what)).count();
    assert_eq!(
        [count("[command] told"), count("[system] set up"), count("install packages")],
        [2, 0, 0],
        "{ran:?}\n{}",
        again.log
    );
}

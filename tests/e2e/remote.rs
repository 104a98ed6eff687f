//! A builder on another machine, as far as one machine can show: over TCP with mutual TLS, replaced by a new one that has
//! only the exported cache, and with what some tests need of a builder: privileges and devices.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{frontend, setting};

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
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
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
        let process = Command::new(setting("EDGENODE_BUILDKITD"))
            .arg("--config")
            .arg(state.path().join("buildkitd.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("buildkitd starts");
        let daemon = Self { process, address, state };
        let end = Instant::now() + Duration::from_secs(60);
        while !daemon.ask(certificates, "client").status.success() {
            let log = fs::read_to_string(daemon.state.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the daemon does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(200));
        }
        daemon
    }

    /// Asks the daemon something, with the certificate of `who`.
    fn ask(&self, certificates: &Path, who: &str) -> Output {
        let file = |name: String| certificates.join(name).display().to_string();
        Command::new(setting("EDGENODE_BUILDCTL"))
            .args(["--addr", &self.address, "--timeout", "10", "--tlscacert", &file("ca.pem".into())])
            .args(["--tlscert", &file(format!("{who}.pem")), "--tlskey", &file(format!("{who}-key.pem"))])
            .args(["debug", "workers"])
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
        let file = |name: &str| certificates.join(name).display().to_string();
        let options =
            format!("cacert={},cert={},key={}", file("ca.pem"), file("client.pem"), file("client-key.pem"));
        let created = client.buildx(&[
            "create",
            "--name",
            "farm",
            "--driver",
            "remote",
            "--driver-opt",
            &options,
            &daemon.address,
        ]);
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        client
    }

    fn buildx(&self, arguments: &[&str]) -> Output {
        Command::new(setting("EDGENODE_BUILDX"))
            .args(arguments)
            .env("BUILDX_CONFIG", self.directory.path())
            .env_remove("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY")
            .output()
            .expect("buildx starts")
    }

    /// Builds a spec with these arguments; gives whether that worked, and what was told.
    fn build(&self, spec: &str, arguments: &[&str]) -> (bool, String) {
        let file = self.directory.path().join("node.yaml");
        fs::write(&file, format!("# syntax=ratio1/edgenode:1\n{spec}")).expect("written");
        let (file, directory) = (file.display().to_string(), self.directory.path().display().to_string());
        let mut all = vec!["build", "--builder", "farm", "--progress", "plain", "-f", &file, &directory];
        let syntax = format!("BUILDKIT_SYNTAX={}", frontend());
        all.extend(["--build-arg", &syntax]);
        all.extend(arguments);
        let output = self.buildx(&all);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn succeed(&self, spec: &str, arguments: &[&str]) -> String {
        let (ok, log) = self.build(spec, arguments);
        assert!(ok, "{log}");
        log
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
    assert!(!first.ask(&ours, "other").status.success(), "a foreign certificate is taken");

    let client = Client::new(&first, &ours);
    let log = client.succeed(SPEC, &["--cache-to", &format!("type=registry,ref={cache},mode=max")]);
    assert!(log.contains("[system] set up"), "{log}");

    let test = |test: &str| format!("{SPEC}tests:\n  - {{{test}}}\n");
    let mighty = test("name: mighty, run: [sh, -c, 'mount -t tmpfs none /mnt'], needs: privileged");
    let (ok, log) = client.build(&mighty, &["--target", "test"]);
    assert!(!ok && log.contains("--allow security.insecure"), "{log}");
    client.succeed(&mighty, &["--target", "test", "--allow", "security.insecure"]);
    let gpu = test("name: gpu, run: [sh, -c, 'test -e /dev/nvidiactl && exit 0'], needs: gpu");
    let log = client.succeed(&gpu, &["--target", "test", "--allow", "device=nvidia.com/gpu"]);
    assert!(!log.contains("is skipped"), "{log}");
    let gpu = test("name: gpu, run: [sh, -c, 'exit 4'], needs: gpu");
    let (ok, log) = client.build(&gpu, &["--target", "test", "--allow", "device=nvidia.com/gpu"]);
    assert!(!ok && log.contains("the test `gpu` fails: the program ended with code 4"), "{log}");

    // The machine is gone, and another one in its place has nothing but the exported cache.
    drop(first);
    let second = Daemon::start(&ours);
    let client = Client::new(&second, &ours);
    let log = client.succeed(SPEC, &["--cache-from", &format!("type=registry,ref={cache}")]);
    let number =
        log.lines().find(|line| line.contains("[system] set up")).and_then(|line| line.split(' ').next());
    let cached = format!("{} CACHED", number.expect("the step is there"));
    assert!(log.contains(&cached), "{log}");
}

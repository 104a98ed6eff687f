//! The entrypoint of `docker:` in a privileged container on the machine's own kernel, started by runc: with and without
//! the daemon, with and without TLS, with what an earlier start left behind.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::Build;

const SPEC: &str = "name: dind\nbase: debian:13\ndocker: distribution\n";

/// The files of the image, unpacked once.
fn image() -> &'static Path {
    static IMAGE: OnceLock<TempDir> = OnceLock::new();
    let directory = IMAGE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let tar = directory.path().join("image.tar");
        Build::new(SPEC).with("--output", &format!("type=tar,dest={}", tar.display())).succeed();
        let root = directory.path().join("root");
        fs::create_dir(&root).expect("made");
        command("tar", &["-xpf", &tar.display().to_string(), "-C", &root.display().to_string()]);
        fs::remove_file(tar).expect("removed");
        directory
    });
    directory.path()
}

pub(crate) fn command(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A container of the image whose files last from start to start.
pub(crate) struct Container(TempDir);

impl Container {
    pub(crate) fn new() -> Self {
        let bundle = tempfile::tempdir().expect("a directory");
        let root = bundle.path().join("rootfs");
        fs::create_dir(&root).expect("made");
        for entry in fs::read_dir(image().join("root")).expect("read") {
            let from = entry.expect("read").path();
            // Programs and libraries are large, and nothing writes into them where they are.
            let how = if from.ends_with("usr") { "-al" } else { "-a" };
            command("cp", &[how, &from.display().to_string(), &root.display().to_string()]);
        }
        Self(bundle)
    }

    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.0.path().join("rootfs")
    }

    /// Runs a shell script by way of the entrypoint.
    pub(crate) fn run(&self, env: &[&str], script: &str) -> Output {
        let config = self.0.path().join("config.json");
        let _ = fs::remove_file(&config);
        command("runc", &["spec", "--bundle", &self.0.path().display().to_string()]);
        let text = fs::read_to_string(&config).expect("read");
        let spec = privileged(serde_json::from_str(&text).expect("JSON"), env, script);
        fs::write(&config, spec.to_string()).expect("written");
        let id = format!("edgenode-{}", self.0.path().file_name().expect("a name").to_string_lossy());
        Command::new("timeout")
            .args(["--kill-after=5", "120", "runc", "run", "--bundle"])
            .arg(self.0.path())
            .arg(id.replace('.', "_"))
            .output()
            .expect("runc starts")
    }
}

/// The names of capabilities by their numbers. Source: linux/capability.h.
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// All capabilities that this machine lets us have.
fn capabilities() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").expect("read");
    let bits = status.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).expect("capabilities");
    let bits = u64::from_str_radix(bits, 16).expect("a number");
    let names = CAPABILITIES.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    names.map(|(_, name)| format!("CAP_{name}")).collect()
}

/// What `docker run --privileged` gives.
fn privileged(mut spec: Value, env: &[&str], script: &str) -> Value {
    let all = json!(capabilities());
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut variables = vec![path];
    variables.extend(env);
    spec["process"]["terminal"] = json!(false);
    spec["process"]["args"] = json!(["/usr/local/bin/entrypoint.sh", "sh", "-euc", script]);
    spec["process"]["env"] = json!(variables);
    spec["process"]["noNewPrivileges"] = json!(false);
    spec["process"]["rlimits"] = json!([]);
    for set in ["bounding", "effective", "permitted"] {
        spec["process"]["capabilities"][set] = all.clone();
    }
    spec["root"]["readonly"] = json!(false);
    spec["linux"]["maskedPaths"] = json!([]);
    spec["linux"]["readonlyPaths"] = json!([]);
    spec["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}]);
    for mount in spec["mounts"].as_array_mut().expect("mounts") {
        if let Some(options) = mount["options"].as_array_mut() {
            options.retain(|option| option != "ro");
        }
    }
    spec
}

pub(crate) fn stdout(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out.into_owned()
}

fn failure(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "it did not fail:\n{out}\n{err}");
    err.into_owned()
}

/// Makes an image of the programs at hand and runs it.
const NESTED: &str = "
tar -chC / usr/bin/echo lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6 | docker import - echo >/dev/null
docker run --rm --network none echo /usr/bin/echo 'inside the inside'
docker info --format 'driver {{.Driver}}'
";

#[test]
fn without_the_switch_only_the_command_runs() {
    let container = Container::new();
    for value in ["EE_DD=false", "EE_DD=0", "EE_DD="] {
        let told =
            stdout(&container.run(&[value], "echo ran; ls /run/docker.pid 2>/dev/null || echo no daemon"));
        assert_eq!(told, "ran\nno daemon\n", "{value}");
    }
    let output = container.run(&["EE_DD=false"], "exit 7");
    assert_eq!(output.status.code(), Some(7), "the command's own exit code counts");
}

#[test]
fn a_daemon_with_tls_and_a_second_start() {
    let container = Container::new();
    let env = ["EE_DD=1", "DOCKER_TLS_CERTDIR=/certs", "DOCKER_TLS_SAN=DNS:node.example,IP:10.9.8.7"];
    let tls = "
client='docker -H tcp://127.0.0.1:2376 --tlsverify --tlscacert /certs/client/ca.pem'
$client --tlscert /certs/client/cert.pem --tlskey /certs/client/key.pem version --format 'TLS {{.Server.Os}}'
$client version >/dev/null 2>&1 && exit 9
openssl x509 -in /certs/server/cert.pem -noout -ext subjectAltName
stat -c '%a' /certs/ca/key.pem /certs/server/key.pem
";
    let first = stdout(&container.run(&env, &format!("{NESTED}{tls}")));
    for words in ["inside the inside", "driver overlay2", "TLS linux", "DNS:node.example", "10.9.8.7"] {
        assert!(first.contains(words), "{words:?} is not in:\n{first}");
    }
    assert!(first.ends_with("600\n600\n"), "{first}");
    // The container ended without stopping the daemon, so its pid file is there, with a number that means nothing now.
    let pid_file = container.root().join("run/docker.pid");
    assert!(pid_file.is_file());
    fs::write(&pid_file, "1").expect("written");
    let authority = fs::read(container.root().join("certs/ca/cert.pem")).expect("read");
    let second = stdout(&container.run(&env, "docker images --format '{{.Repository}}'"));
    assert_eq!(second, "echo\n", "the images of the first start are there");
    assert_eq!(fs::read(container.root().join("certs/ca/cert.pem")).expect("read"), authority);
}

#[test]
fn a_daemon_without_tls_and_with_another_storage_driver() {
    let container = Container::new();
    let env = ["EE_DD=true", "DOCKER_TLS_CERTDIR=", "DOCKERD_STORAGE_DRIVER=vfs"];
    let script =
        format!("{NESTED}docker -H tcp://127.0.0.1:2375 version --format 'plain {{{{.Server.Os}}}}'");
    let told = stdout(&container.run(&env, &script));
    for words in ["inside the inside", "driver vfs", "plain linux"] {
        assert!(told.contains(words), "{words:?} is not in:\n{told}");
    }
}

#[test]
fn a_daemon_that_cannot_start_says_why() {
    let container = Container::new();
    let env = ["EE_DD=1", "DOCKER_TLS_CERTDIR=", "DOCKERD_STORAGE_DRIVER=nonsense"];
    let told = failure(&container.run(&env, "echo never"));
    assert!(told.contains("the Docker daemon ended") && told.contains("nonsense"), "{told}");
    let told =
        failure(&container.run(&["EE_DD=1", "DOCKER_TLS_CERTDIR=", "EE_DD_TIMEOUT=soon"], "echo never"));
    assert!(told.contains("EE_DD_TIMEOUT is a number of seconds, not 'soon'"), "{told}");
}

#[test]
fn certificates_of_the_user_are_only_verified() {
    let container = Container::new();
    let env = ["EE_DD=1", "DOCKER_TLS_CERTDIR=/certs"];
    stdout(&container.run(&env, "true"));
    // Those of the first start without the authority's key are as good as any user's.
    let certs = container.root().join("certs");
    fs::remove_dir_all(certs.join("ca")).expect("removed");
    let before = fs::read(certs.join("server/cert.pem")).expect("read");
    stdout(&container.run(&env, "docker version >/dev/null"));
    assert_eq!(fs::read(certs.join("server/cert.pem")).expect("read"), before);
    fs::copy(certs.join("client/key.pem"), certs.join("server/key.pem")).expect("copied");
    let told = failure(&container.run(&env, "echo never"));
    assert!(told.contains("/certs/server/key.pem is not the key of /certs/server/cert.pem"), "{told}");
    fs::remove_file(certs.join("server/ca.pem")).expect("removed");
    let told = failure(&container.run(&env, "echo never"));
    assert!(told.contains("/certs/server/ca.pem is missing"), "{told}");
}

/// A container whose daemon only tells how it was started, in `/told`, and whose client says that it answers or not.
fn with_stand_in(answers: bool) -> Container {
    let container = Container::new();
    let daemon = "#!/bin/sh\n{ echo \"PATH=$PATH\"; echo \"$*\"; } >/new\nmv /new /told\nexec sleep 60\n";
    program(&container, "bin/dockerd", daemon);
    program(
        &container,
        "bin/docker",
        if answers { "#!/bin/sh\n[ -e /told ]\n" } else { "#!/bin/sh\nexit 1\n" },
    );
    container
}

/// Puts a program where it is found before the image's own.
fn program(container: &Container, name: &str, text: &str) {
    let path = container.root().join("usr/local").join(name);
    fs::write(&path, text).expect("written");
    command("chmod", &["755", &path.display().to_string()]);
}

const PLAIN: [&str; 2] = ["EE_DD=1", "DOCKER_TLS_CERTDIR="];

#[test]
fn what_a_kernel_lacks_is_made_up_for() {
    let container = with_stand_in(true);
    let start = |env: &[&str], script: &str| {
        let _ = fs::remove_file(container.root().join("told"));
        stdout(&container.run(env, script))
    };
    let told = start(&PLAIN, "cat /told");
    assert!(told.contains("PATH=/usr/local/sbin:") && told.contains("--storage-driver=overlay2"), "{told}");
    program(&container, "sbin/iptables", "#!/bin/sh\nexit 1\n");
    program(&container, "sbin/mount", "#!/bin/sh\nexit 1\n");
    let told = start(&PLAIN, "cat /told; readlink /run/edgenode/iptables/iptables");
    assert!(told.contains("PATH=/run/edgenode/iptables:"), "{told}");
    assert!(told.contains("--storage-driver=vfs") && told.ends_with("/iptables-legacy\n"), "{told}");
    for name in ["DOCKER_STORAGE_DRIVER", "DOCKER_DRIVER"] {
        let driver = format!("{name}=btrfs");
        let told = start(&[PLAIN[0], PLAIN[1], &driver], "cat /told");
        assert!(told.contains("--storage-driver=btrfs"), "{told}");
    }
}

#[test]
fn a_daemon_that_does_not_answer_is_not_waited_for_forever() {
    let container = with_stand_in(false);
    let told = failure(&container.run(&[PLAIN[0], PLAIN[1], "EE_DD_TIMEOUT=1"], "echo never"));
    assert!(told.contains("the Docker daemon did not answer within 1 seconds; its log is"), "{told}");
}

#[test]
fn certificates_that_are_no_good_are_made_anew_or_told() {
    let container = with_stand_in(true);
    let env = ["EE_DD=1", "DOCKER_TLS_CERTDIR=/certs"];
    let start = || container.run(&env, "cat /certs/ca/cert.pem");
    let first = stdout(&start());
    assert_eq!(stdout(&start()), first);
    // A start that broke off has left the authority's key alone.
    let authority = container.root().join("certs/ca");
    fs::remove_file(authority.join("cert.pem")).expect("removed");
    let second = stdout(&start());
    assert_ne!(second, first);
    // An authority of which a day is left.
    let sign = |key: &Path, to: &Path| {
        let (key, to) = (key.display().to_string(), to.display().to_string());
        command("openssl", &["req", "-x509", "-key", &key, "-days", "1", "-subj", "/CN=other", "-out", &to]);
    };
    sign(&authority.join("key.pem"), &authority.join("cert.pem"));
    let output = start();
    let words = "the authority in /certs/ca is out of date: making a new one";
    assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
    assert_ne!(stdout(&output), second);
    // The user's own, of another authority.
    let server = container.root().join("certs/server");
    sign(&authority.join("key.pem"), &server.join("ca.pem"));
    fs::remove_dir_all(&authority).expect("removed");
    let told = failure(&container.run(&env, "echo never"));
    assert!(told.contains("/certs/server/cert.pem is not signed by /certs/server/ca.pem"), "{told}");
}

#[test]
fn a_daemon_that_accepts_and_says_nothing_is_not_waited_for_forever() {
    let container = with_stand_in(false);
    program(&container, "bin/docker", "#!/bin/sh\nexec sleep 100\n");
    let told = failure(&container.run(&[PLAIN[0], PLAIN[1], "EE_DD_TIMEOUT=08"], "echo never"));
    assert!(told.contains("the Docker daemon did not answer within 8 seconds; its log is"), "{told}");
}

#[test]
fn settings_of_the_programs_client_are_not_the_entrypoints() {
    let container = Container::new();
    let settings =
        ["DOCKER_CERT_PATH=/nowhere", "DOCKER_CONTEXT=other", "DOCKER_TLS=1", "DOCKER_TLS_VERIFY=1"];
    let mut env = PLAIN.to_vec();
    env.extend(settings);
    let told = stdout(&container.run(&env, "env | grep -e _PATH -e _CONTEXT -e _TLS= -e _VERIFY | sort"));
    assert_eq!(told.lines().collect::<Vec<_>>(), settings);
}

/// Variables that are called like those of the script.
const VARIABLES: [&str; 15] = [
    "DAYS=mine",
    "certs=mine",
    "daemon=mine",
    "data_root=mine",
    "days=mine",
    "directory=mine",
    "driver=mine",
    "file=mine",
    "groups=mine",
    "limit=mine",
    "log=mine",
    "names=mine",
    "timeout=mine",
    "words=mine",
    "up=mine",
];

#[test]
fn the_program_has_the_environment_of_the_container() {
    let container = with_stand_in(true);
    for switch in ["EE_DD=false", "EE_DD=1"] {
        let mut env = vec![switch, "DOCKER_TLS_CERTDIR=/certs"];
        env.extend(VARIABLES);
        let told = stdout(&container.run(&env, "tr '\\0' '\\n' </proc/$$/environ"));
        // These are runc's, the test's and the shell's.
        let others = |line: &&str| !["HOME=", "PATH=", "PWD="].iter().any(|name| line.starts_with(name));
        let mut told: Vec<_> = told.lines().filter(others).collect();
        told.sort_unstable();
        env.sort_unstable();
        assert_eq!(told, env);
    }
}

#[test]
fn a_container_that_is_stopped_while_it_waits_ends_its_daemon() {
    let container = with_stand_in(false);
    // It stops the container itself: a signal from inside reaches process 1 only if that asks for it.
    let stops = "sleep 1\nkill -TERM 1\nwhile :; do sleep 0.1; done\n";
    program(&container, "bin/dockerd", &format!("#!/bin/sh\ntrap 'echo >/ended; exit' TERM\n{stops}"));
    let output = container.run(&[PLAIN[0], PLAIN[1], "EE_DD_TIMEOUT=30"], "echo never");
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    assert!(container.root().join("ended").is_file(), "the daemon got no signal");
    // One that does not want to end.
    program(&container, "bin/dockerd", &format!("#!/bin/sh\ntrap '' TERM\n{stops}"));
    let output = container.run(&[PLAIN[0], PLAIN[1], "EE_DD_TIMEOUT=30"], "echo never");
    assert_eq!(output.status.code(), Some(143), "{output:?}");
}

/// Makes a certificate of the user's below a directory, `NAME.pem` with `NAME.key`: signed by another or by itself.
fn certificate(directory: &Path, name: &str, authority: Option<&str>, extension: &str) {
    let file = |name: &str, kind: &str| directory.join(format!("{name}.{kind}")).display().to_string();
    let (key, to, subject) = (file(name, "key"), file(name, "pem"), format!("/CN={name}"));
    let mut arguments =
        vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", &subject];
    arguments.extend(["-keyout", &key, "-out", &to, "-addext", extension]);
    let signed_by = authority.map(|authority| [file(authority, "pem"), file(authority, "key")]);
    if let Some([certificate, key]) = &signed_by {
        arguments.extend(["-CA", certificate, "-CAkey", key]);
    }
    command("openssl", &arguments);
}

const OF_AN_AUTHORITY: &str = "basicConstraints=critical,CA:TRUE";
const OF_A_SERVER: &str = "subjectAltName=DNS:node.example";
const TLS: [&str; 2] = ["EE_DD=1", "DOCKER_TLS_CERTDIR=/certs"];

#[test]
fn a_chain_of_the_users_certificates_is_good() {
    let container = with_stand_in(true);
    let made = tempfile::tempdir().expect("a directory");
    certificate(made.path(), "root", None, OF_AN_AUTHORITY);
    certificate(made.path(), "between", Some("root"), OF_AN_AUTHORITY);
    certificate(made.path(), "server", Some("between"), OF_A_SERVER);
    let server = container.root().join("certs/server");
    fs::create_dir_all(&server).expect("made");
    let read = |name: &str| fs::read_to_string(made.path().join(name)).expect("read");
    fs::write(server.join("ca.pem"), read("root.pem")).expect("written");
    fs::write(server.join("key.pem"), read("server.key")).expect("written");
    fs::write(server.join("cert.pem"), read("server.pem") + &read("between.pem")).expect("written");
    stdout(&container.run(&TLS, "true"));
    fs::write(server.join("cert.pem"), read("server.pem")).expect("written");
    let told = failure(&container.run(&TLS, "echo never"));
    assert!(told.contains("/certs/server/cert.pem is not signed by /certs/server/ca.pem"), "{told}");
}

#[test]
fn names_that_no_certificate_can_have_are_told() {
    let told = failure(
        &with_stand_in(true)
            .run(&[TLS[0], TLS[1], "DOCKER_TLS_SAN=DNS:a.example,node.example"], "echo never"),
    );
    for words in
        ["missing value", "cannot sign /certs/server/cert.pem; DOCKER_TLS_SAN has names such as DNS:"]
    {
        assert!(told.contains(words), "{words:?} is not in:\n{told}");
    }
}

#[test]
fn keys_that_broke_are_made_anew_but_not_the_users() {
    let container = with_stand_in(true);
    stdout(&container.run(&TLS, "true"));
    let certs = container.root().join("certs");
    let half = |path: &Path| {
        let text = fs::read(path).expect("read");
        fs::write(path, &text[..text.len() / 2]).expect("written");
    };
    for file in ["server/key.pem", "client/key.pem", "server/cert.pem"] {
        half(&certs.join(file));
        stdout(&container.run(&TLS, "true"));
    }
    // Volumes, which can be emptied but not removed.
    let _volumes = ["ca", "client"].map(|name| Volume::new(&certs.join(name)));
    half(&certs.join("ca/key.pem"));
    let output = container.run(&TLS, "stat -c %a /certs/ca/key.pem");
    assert_eq!(stdout(&output), "600\n");
    let words = "the authority in /certs/ca has no key.pem, whole and without a passphrase: making a new one";
    assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
    command(
        "openssl",
        &[
            "x509",
            "-in",
            &certs.join("ca/cert.pem").display().to_string(),
            "-days",
            "1",
            "-signkey",
            &certs.join("ca/key.pem").display().to_string(),
            "-out",
            &certs.join("ca/cert.pem").display().to_string(),
        ],
    );
    let output = container.run(&TLS, "true");
    stdout(&output);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("is out of date: making a new one"),
        "{output:?}"
    );
    // The user's own authority, whose key is not ours to make.
    certificate(&certs.join("ca"), "cert", None, OF_AN_AUTHORITY);
    fs::write(certs.join("ca/key.pem"), "half").expect("written");
    let told = failure(&container.run(&TLS, "echo never"));
    assert!(told.contains("the authority in /certs/ca has no key.pem"), "{told}");
    fs::rename(certs.join("ca/cert.key"), certs.join("ca/key.pem")).expect("renamed");
    let before = fs::read(certs.join("ca/cert.pem")).expect("read");
    stdout(&container.run(&TLS, "true"));
    assert_eq!(fs::read(certs.join("server/ca.pem")).expect("read"), before, "it signs");
}

/// A directory that is mounted over itself, as long as this lives.
struct Volume(std::path::PathBuf);

impl Volume {
    fn new(path: &Path) -> Self {
        let path = path.to_owned();
        command("mount", &["--bind", &path.display().to_string(), &path.display().to_string()]);
        Self(path)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn certificates_of_the_user_stay_where_their_authoritys_key_is_at_hand() {
    let container = with_stand_in(true);
    stdout(&container.run(&TLS, "true"));
    let certs = container.root().join("certs");
    let made = tempfile::tempdir().expect("a directory");
    certificate(made.path(), "ca", None, OF_AN_AUTHORITY);
    certificate(made.path(), "server", Some("ca"), OF_A_SERVER);
    let put = |from: &str, to: &str| {
        fs::copy(made.path().join(from), certs.join(to)).expect("copied");
    };
    put("ca.pem", "ca/cert.pem");
    put("ca.key", "ca/key.pem");
    put("ca.pem", "server/ca.pem");
    put("server.pem", "server/cert.pem");
    put("server.key", "server/key.pem");
    stdout(&container.run(&TLS, "true"));
    let server = fs::read(certs.join("server/cert.pem")).expect("read");
    assert_eq!(server, fs::read(made.path().join("server.pem")).expect("read"));
    put("ca.key", "server/key.pem");
    let told = failure(&container.run(&TLS, "echo never"));
    assert!(told.contains("/certs/server/key.pem is not the key of /certs/server/cert.pem"), "{told}");
}

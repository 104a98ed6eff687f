//! What a hostile spec or context cannot do in a real build, and where secrets are not.

#[allow(dead_code, reason = "the tests that share it use more of it")]
#[path = "../support/generate.rs"]
mod generate;
#[path = "../support/whole_way.rs"]
mod whole_way;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use crate::harness::{Agent, Build, Daemon, frontend, setting, trap};

const GOOD: &str = "name: node\nbase: debian:13\n";

/// Values that would leave a file or open a connection if a shell read them.
fn hostile(port: u16) -> Vec<String> {
    let act = format!("bash -c 'touch /canary; echo >/dev/tcp/127.0.0.1/{port}'");
    let wraps = [
        "$(ACT)",
        "`ACT`",
        "; ACT;",
        "x && ACT",
        "'; ACT; '",
        "\"; ACT; \"",
        "\nACT",
        "--x=$(ACT)",
        "| ACT #",
    ];
    wraps.iter().map(|wrap| wrap.replace("ACT", &act)).collect()
}

/// A spec with the values wherever any text may stand. `run` is what takes them as arguments.
fn spec(values: &[String], run: &[&str]) -> String {
    let program =
        |value: &String| run.iter().map(|&word| word.to_owned()).chain([value.clone()]).collect::<Vec<_>>();
    let numbered = |prefix: &str| -> serde_json::Map<String, serde_json::Value> {
        values.iter().enumerate().map(|(n, value)| (format!("{prefix}{n}"), value.clone().into())).collect()
    };
    let commands: Vec<_> = values
        .iter()
        .enumerate()
        .map(
            |(n, value)| serde_json::json!({"name": format!("c{n}"), "network": true, "run": program(value)}),
        )
        .collect();
    let tests: Vec<_> = values.iter().enumerate().map(|(n, value)| serde_json::json!({
        "name": format!("t{n}"), "run": ["cat"], "stdin": value, "env": {"V": value}, "stdout": {"contains": value},
    })).collect();
    let document = serde_json::json!({
        "name": "node", "base": "debian:13", "env": numbered("V"), "labels": numbered("l"), "entrypoint": values, "cmd": values,
        "healthcheck": {"run": values}, "commands": commands, "tests": tests, "require_tests": true,
    });
    document.to_string()
}

#[test]
fn no_value_is_run() {
    let (port, connections) = trap();
    let values = hostile(port);
    let files = Build::new(&spec(&values, &["echo"])).files();
    assert!(
        !files.path().join("canary").exists() && connections.load(Ordering::SeqCst) == 0,
        "a value was run"
    );
    // The trap works: here a shell is asked for.
    let files = Build::new(&spec(&values[..1], &["bash", "-c"])).files();
    assert!(
        files.path().join("canary").exists() && connections.load(Ordering::SeqCst) > 0,
        "the trap does not work"
    );
}

#[test]
fn links_and_devices_of_a_context_lead_nowhere() {
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("secret"), "OUTSIDE-OF-THE-CONTEXT").expect("written");
    let spec = format!("{GOOD}files:\n  - {{from: app, to: /app}}\n");
    let build = Build::new(&spec).with("--target", "files");
    let app = build.dir().join("app");
    fs::create_dir(&app).expect("made");
    fs::write(app.join("kept"), "kept").expect("written");
    symlink(outside.path().join("secret"), app.join("absolute")).expect("linked");
    symlink("../../../../../../../../etc/shadow", app.join("upwards")).expect("linked");
    let made =
        Command::new("mknod").arg(app.join("device")).args(["c", "1", "5"]).status().expect("mknod starts");
    assert!(made.success());
    let files = build.files();
    let text = |name: &str| fs::read_to_string(files.path().join("app").join(name)).ok();
    assert_eq!(text("kept").as_deref(), Some("kept"));
    // Links stay links, to places of the image; a device is left out or stays one, and nothing is read from it.
    assert!(fs::read_link(files.path().join("app/upwards")).is_ok(), "the link is a file now");
    assert!(
        fs::metadata(files.path().join("app/device")).is_ok_and(|device| device.len() == 0)
            || !files.path().join("app/device").exists()
    );
    assert!(!find(files.path(), b"OUTSIDE-OF-THE-CONTEXT"), "a link was followed out of the context");
}

/// Whether any file below a directory has these bytes in it, packed or not. Links are not followed.
pub(crate) fn find(directory: &Path, mark: &[u8]) -> bool {
    fs::read_dir(directory).into_iter().flatten().flatten().any(|entry| {
        let kind = entry.file_type().expect("known");
        if kind.is_dir() {
            return find(&entry.path(), mark);
        }
        kind.is_file() && has(&fs::read(entry.path()).unwrap_or_default(), mark)
    })
}

fn has(data: &[u8], mark: &[u8]) -> bool {
    let mut text = Vec::new();
    if data.starts_with(b"\x1f\x8b") {
        let mut unpack = Command::new("gzip");
        unpack.arg("-dc").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = unpack.spawn().expect("gzip starts");
        let (mut stdin, data) = (child.stdin.take().expect("piped"), data.to_vec());
        let feed = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &data));
        let _ = child.stdout.take().expect("piped").read_to_end(&mut text);
        let _ = (feed.join(), child.wait());
    } else {
        text = data.to_vec();
    }
    String::from_utf8_lossy(&text).contains(&*String::from_utf8_lossy(mark))
}

#[test]
fn a_spec_that_leaves_the_context_is_refused() {
    for fields in [
        "extends: ../other.yaml\n",
        "catalog: ../facts.yaml\n",
        "files: [{from: ../../etc/shadow, to: /x}]\n",
        "files: [{from: /etc/shadow, to: /x}]\n",
        "commands: [{name: c, run: [ls], inputs: [a/../../b]}]\n",
    ] {
        Build::new(&format!("{GOOD}{fields}")).fail(&["is not a path in the build context"]);
    }
}

#[test]
fn a_secret_is_found_nowhere() {
    let daemon = Daemon::start();
    let mark = "MARK-OF-A-SECRET-5d1c";
    let agent = Agent::start("MARK-OF-A-KEY-77b0");
    let spec = format!(
        "{GOOD}commands:\n  - {{name: reads, run: [sh, -c, 'wc -c </run/secrets/token >/length'], secrets: [token]}}\n  \
         - {{name: asks, run: [sh, -c, 'test -S $SSH_AUTH_SOCK'], ssh: default}}\n"
    );
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("node.yaml"), &spec).expect("written");
    let out = tempfile::tempdir().expect("a directory");
    fs::write(out.path().join("length"), mark).expect("written");
    assert!(find(out.path(), mark.as_bytes()), "the search does not work");
    fs::remove_file(out.path().join("length")).expect("removed");
    let to = |name: &str| out.path().join(name).display().to_string();
    let mut build = Command::new(setting("EDGENODE_BUILDCTL"));
    build.args([
        "--debug",
        "--addr",
        &daemon.address(),
        "build",
        "--progress=plain",
        "--frontend=gateway.v0",
    ]);
    build.args([&format!("--opt=source={}", frontend()), "--opt=filename=node.yaml"]);
    build
        .args(["--opt=attest:provenance=mode=max", "--opt=attest:sbom=", "--secret=id=token,env=TOKEN"])
        .env("TOKEN", mark);
    build.args(["--ssh", &agent.option()]);
    build.arg(format!("--output=type=oci,tar=false,dest={}", to("image")));
    build.arg(format!("--export-cache=type=local,mode=max,dest={}", to("cache")));
    build.args([format!("--metadata-file={}", to("metadata")), format!("--trace={}", to("trace"))]);
    for local in ["dockerfile", "context"] {
        build.arg(format!("--local={local}={}", dir.path().display()));
    }
    let output = build.output().expect("buildctl starts");
    let told = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
    fs::write(out.path().join("client"), told).expect("written");
    fs::write(out.path().join("daemon"), daemon.log()).expect("written");
    for (name, what) in [("image", "the image"), ("cache", "the cache"), ("metadata", "the metadata")] {
        assert!(out.path().join(name).exists(), "{what} is not there to be searched");
    }
    assert!(find(out.path(), b"/run/secrets/token"), "the step is in the provenance");
    assert!(find(out.path(), b"SPDXRef-DOCUMENT"), "the list of parts is there to be searched");
    for mark in [mark, "MARK-OF-A-KEY-77b0", &agent.key()] {
        assert!(!find(out.path(), mark.as_bytes()), "{mark} is in what the build left");
    }
}

/// The setuid and setgid programs of the distribution's base image.
const ALLOWED: [&str; 14] = [
    "usr/bin/chage",
    "usr/bin/chfn",
    "usr/bin/chsh",
    "usr/bin/expiry",
    "usr/bin/gpasswd",
    "usr/bin/mount",
    "usr/bin/newgrp",
    "usr/bin/passwd",
    "usr/bin/su",
    "usr/bin/umount",
    "usr/sbin/unix_chkpwd",
    "usr/lib/dbus-1.0/dbus-daemon-launch-helper",
    "usr/lib/openssh/ssh-keysign",
    "usr/bin/sudo",
];

/// What programs of an image run as someone else and are not on the list.
fn setuid(build: Build) -> Vec<String> {
    let mode = |line: &String| {
        let octal = line
            .split('\t')
            .nth(1)
            .and_then(|mode| u32::from_str_radix(mode.trim_start_matches("0o"), 8).ok());
        octal.unwrap_or_default()
    };
    let is_file = |line: &String| line.starts_with('0');
    let found = build.listing().into_iter().filter(|(_, line)| is_file(line) && mode(line) & 0o6000 != 0);
    found
        .map(|(path, _)| path.trim_start_matches("./").to_owned())
        .filter(|path| !ALLOWED.contains(&path.as_str()))
        .collect()
}

#[test]
fn no_setuid_program_is_added() {
    let spec = format!(
        "{GOOD}system: {{packages: [ca-certificates], users: [{{name: app, id: 1000}}]}}\nuser: app\n"
    );
    assert_eq!(setuid(Build::new(&spec)), [""; 0]);
    let added =
        format!("{GOOD}commands: [{{name: c, run: [sh, -c, 'cp /bin/true /mine; chmod 4755 /mine']}}]\n");
    assert_eq!(setuid(Build::new(&added)), ["mine"]);
}

/// How many ops BuildKit's own decoder finds in a definition; `None` where it refuses it.
fn dumped(bytes: &[u8]) -> Option<usize> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), bytes).expect("written");
    let output = Command::new(setting("EDGENODE_BUILDCTL"))
        .args(["debug", "dump-llb"])
        .arg(file.path())
        .output()
        .expect("buildctl starts");
    output.status.success().then(|| output.stdout.iter().filter(|&&byte| byte == b'\n').count())
}

#[test]
fn graphs_of_generated_specs_are_read_by_buildkit() {
    let mut read = 0;
    for seed in 0..40_u32 {
        let choices: Vec<u8> =
            (0..seed).map(|n| ((seed * 64 + n).wrapping_mul(2_654_435_761) >> 21) as u8).collect();
        let document = generate::document(&mut generate::Choices::new(&choices)).to_string();
        let spec = edgenode::spec::parse(&document).expect("the table makes specs");
        let Ok(plan) = whole_way::planned(spec, whole_way::debian("amd64"), BTreeMap::new()) else {
            continue;
        };
        for builder in whole_way::BUILDERS {
            let graph = whole_way::graph(&plan, "amd64", builder);
            assert_eq!(dumped(&graph.to_bytes()), Some(graph.to_pb().def.len()), "{document}");
            read += 1;
        }
    }
    assert!(read >= 20, "{read} graphs");
    assert_eq!(dumped(b"\xff\xff no graph"), None);
}

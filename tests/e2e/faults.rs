//! What breaks, and what becomes of the build: processes that are killed, clients that go, disks that are full, servers
//! that lie, and many clients at once. Daemons that are treated so are the tests' own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::harness::{Build, Daemon, Outcome, archive, buildctl, frontend, setting, sha256, trap};

const GOOD: &str = "name: node\nbase: debian:13\n";
/// The frontend's program, as processes are called.
const FRONTEND: &str = "edgenode";

fn directory(spec: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("node.yaml"), spec).expect("written");
    dir
}

/// A field of a process's `/proc/PID/status`.
fn status(id: u32, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// The processes of this name below another.
pub(crate) fn below(ancestor: u32, name: &str) -> Vec<u32> {
    let parent = |id: u32| status(id, "PPid")?.parse::<u32>().ok().filter(|&id| id > 1);
    let is_below = |id: u32| std::iter::successors(Some(id), |&id| parent(id)).any(|id| id == ancestor);
    let entries = fs::read_dir("/proc").expect("read").flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    all.filter(|&id| status(id, "Name").as_deref() == Some(name) && is_below(id)).collect()
}

/// Waits until something holds; says how long that took.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(120), "{what}: it never happens");
        sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

fn kill(id: u32) {
    assert!(Command::new("kill").args(["-KILL", &id.to_string()]).status().expect("kill starts").success());
}

/// Starts a build of a directory that a test breaks into.
fn begin(daemon: &Daemon, dir: &Path, target: &str) -> Child {
    let mut command = Command::new(setting("EDGENODE_BUILDCTL"));
    command.args(["--addr", &daemon.address(), "build", "--progress=plain", "--frontend=gateway.v0"]);
    command.args([&format!("--opt=source={}", frontend()), "--opt=filename=node.yaml"]);
    command.arg(format!("--opt=target={target}"));
    for local in ["dockerfile", "context"] {
        command.arg(format!("--local={local}={}", dir.display()));
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("buildctl starts")
}

fn end(build: Child) -> Outcome {
    let output = build.wait_with_output().expect("it ends");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Outcome { ok: output.status.success(), stdout: String::new(), log }
}

/// The frontend waits for the test of this spec, which never ends by itself.
fn endless() -> TempDir {
    directory(&format!("{GOOD}tests:\n  - {{name: waits, run: [sleep, '31234']}}\n"))
}

fn still_builds(daemon: &Daemon) {
    let outcome = buildctl(&daemon.address(), directory(GOOD).path(), &[], &[]);
    assert!(outcome.ok, "{}", outcome.log);
}

#[test]
fn a_frontend_that_is_killed_ends_its_build_alone() {
    let daemon = Daemon::start();
    let dir = endless();
    let build = begin(&daemon, dir.path(), "test");
    wait_until("the step runs", || !below(daemon.id(), "sleep").is_empty());
    kill(below(daemon.id(), FRONTEND)[0]);
    let outcome = end(build);
    assert!(!outcome.ok && outcome.log.contains("exit code: 137"), "{}", outcome.log);
    wait_until("its steps end", || below(daemon.id(), "sleep").is_empty());
    still_builds(&daemon);
}

#[test]
fn a_client_that_goes_takes_its_frontend_and_steps_with_it() {
    let daemon = Daemon::start();
    let dir = endless();
    let mut build = begin(&daemon, dir.path(), "test");
    wait_until("the step runs", || !below(daemon.id(), "sleep").is_empty());
    build.kill().expect("killed");
    let _ = build.wait();
    let frontend = wait_until("the frontend ends", || below(daemon.id(), FRONTEND).is_empty());
    assert!(frontend < Duration::from_secs(2), "the frontend stayed for {frontend:?}");
    wait_until("the step ends", || below(daemon.id(), "sleep").is_empty());
}

#[test]
fn a_step_that_is_killed_is_named() {
    let daemon = Daemon::start();
    let dir = directory(&format!("{GOOD}commands:\n  - {{name: waits, run: [sleep, '31235']}}\n"));
    let build = begin(&daemon, dir.path(), "image");
    wait_until("the step runs", || !below(daemon.id(), "sleep").is_empty());
    kill(below(daemon.id(), "sleep")[0]);
    let log = end(build).log;
    assert!(log.contains("exit code: 137") && log.contains(">>>   - {name: waits"), "{log}");
}

/// A control group whose processes have so much memory together. It ends with the test.
struct Limited(PathBuf);

impl Limited {
    fn new(bytes: u32) -> Self {
        let name = format!("edgenode-limit-{}", std::process::id());
        let first = Path::new("/sys/fs/cgroup/memory");
        let (root, file) = if first.exists() {
            (first, "memory.limit_in_bytes")
        } else {
            (Path::new("/sys/fs/cgroup"), "memory.max")
        };
        let group = root.join(name);
        fs::create_dir(&group).expect("made");
        fs::write(group.join(file), bytes.to_string()).expect("written");
        Self(group)
    }

    /// As `--cgroup-parent` has it.
    fn name(&self) -> String {
        format!("/{}", self.0.file_name().expect("a name").display())
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // The kernel may still count a process that has ended.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn a_step_that_needs_too_much_memory_is_named() {
    let (daemon, limited) = (Daemon::start(), Limited::new(100 << 20));
    // It keeps the last line, and there is none that ends.
    let dir = directory(&format!("{GOOD}commands:\n  - {{name: greedy, run: [tail, /dev/zero]}}\n"));
    let option = format!("cgroup-parent={}", limited.name());
    let outcome = buildctl(&daemon.address(), dir.path(), &[&option], &[]);
    assert!(!outcome.ok && outcome.log.contains("exit code: 137"), "{}", outcome.log);
    assert!(outcome.log.contains(">>>   - {name: greedy"), "{}", outcome.log);
    still_builds(&daemon);
}

/// The clock of the builder's programs stands at the beginning of 2020.
#[test]
fn a_clock_that_is_wrong_is_told_where_it_matters() {
    let image = Build::raw(
        b"FROM debian:13\nRUN apt-get update -q && apt-get install -q -y --no-install-recommends libfaketime\n\
          RUN echo /usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 >/etc/ld.so.preload && \
          echo '@2020-01-01 00:00:00' >/etc/faketimerc\n",
    )
    .push("faults/clock");
    let spec = |rest: &str| Build::new(&format!("name: node\nbase: {image}\n{rest}"));
    let year = spec("tests: [{name: year, run: [date, +%Y], stdout: {equals: '2020'}}]\n");
    year.with("--target", "test").succeed();
    // With indexes of earlier days in the cache apt would go on.
    let namespace = format!("BUILDKIT_CACHE_MOUNT_NS=clock-{}", std::process::id());
    let packages = || {
        let build = spec("system: {packages: [tree]}\n").with("--build-arg", &namespace);
        build.arguments_added(&["--no-cache"])
    };
    packages().fail(&["Not live until"]);
    packages().with("--target", "lock").fail(&["Not live until"]);
    // Without an archive nothing asks for the time.
    let listing = spec("commands: [{name: c, run: [touch, /made]}]\n").listing();
    assert!(listing.contains_key("made"));
}

#[test]
fn a_daemon_that_is_killed_keeps_what_was_built() {
    let mut daemon = Daemon::start();
    let spec = format!("{GOOD}commands:\n  - {{name: first, run: [sh, -c, 'echo done >/done']}}\n");
    let dir = directory(&spec);
    let first = buildctl(&daemon.address(), dir.path(), &[], &[]);
    assert!(first.executed().contains(&"[command] first"), "{}", first.log);
    let later = directory(&format!("{spec}  - {{name: waits, run: [sleep, '3']}}\n"));
    let build = begin(&daemon, later.path(), "image");
    wait_until("the step runs", || !below(daemon.id(), "sleep").is_empty());
    daemon.crash();
    assert!(!end(build).ok, "nobody was there to build");
    let again = buildctl(&daemon.address(), later.path(), &[], &[]);
    assert!(again.ok, "{}", again.log);
    let ran = again.executed();
    assert!(ran.contains(&"[command] waits") && !ran.contains(&"[command] first"), "{}", again.log);
}

#[test]
fn a_full_disk_is_told_and_gets_over() {
    let daemon = Daemon::start_small(700 << 20);
    let dir =
        directory(&format!("{GOOD}commands:\n  - {{name: fills, run: [dd, if=/dev/zero, of=/x, bs=1M]}}\n"));
    let outcome = buildctl(&daemon.address(), dir.path(), &[], &[]);
    let words = ["No space left on device", ">>>   - {name: fills"];
    assert!(!outcome.ok && words.iter().all(|word| outcome.log.contains(word)), "{}", outcome.log);
    // To throw anything away BuildKit writes into its database, for which there must be room.
    daemon.grow(1400 << 20);
    still_builds(&daemon);
}

/// Serves one answer, whatever is asked for: a head, and pieces with a pause before each. Gives its address.
fn answer(head: String, pieces: Vec<Vec<u8>>, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/ngrok.tgz", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let reader = BufReader::new(stream.try_clone().expect("cloned"));
            let request: Vec<_> =
                reader.lines().map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
            let _ =
                stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n").as_bytes());
            let is_head = request.first().is_some_and(|line| line.starts_with("HEAD"));
            for piece in pieces.iter().filter(|_| !is_head) {
                sleep(pause);
                let _ = stream.write_all(piece);
            }
        }
    });
    address
}

fn ngrok(url: &str, data: &[u8]) -> String {
    format!("{GOOD}ngrok:\n  version: 1.2.3\n  url: {url}\n  sha256: {}\n", sha256(data))
}

#[test]
fn servers_that_are_slow_stop_halfway_or_lie_about_the_length() {
    // Bytes that no builder has yet: what has the digest of something known is not asked for.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let data = |case: &str| archive(&[("ngrok", &format!("#!/bin/sh\necho {case} {now}\n"))]);
    let length = |bytes: usize| format!("Content-Length: {bytes}\r\n");
    let slow = data("slow");
    let pieces = slow.chunks(slow.len().div_ceil(10)).map(<[u8]>::to_vec).collect();
    Build::new(&ngrok(&answer(length(slow.len()), pieces, Duration::from_millis(300)), &slow)).succeed();
    for (case, sent, told, word) in [
        ("cut", 50, 100, "unexpected EOF"),
        ("short", 100, 50, "digest mismatch"),
        ("other", 50, 50, "digest mismatch"),
    ] {
        let data = data(case);
        let part = |percent: usize| data.len() * percent / 100;
        let url = answer(length(part(told)), vec![data[..part(sent)].to_vec()], Duration::ZERO);
        Build::new(&ngrok(&url, &data)).fail(&[word, ">>>   version: 1.2.3"]);
    }
}

#[test]
fn a_registry_that_is_down_costs_the_push_and_not_the_build() {
    let spec = format!("{GOOD}commands: [{{name: first, run: [touch, /pushed-{}]}}]\n", std::process::id());
    let build = Build::new(&spec).with("--output", "type=image,name=127.0.0.1:1/x,push=true");
    let outcome = build.run();
    assert!(!outcome.ok && outcome.log.contains("connection refused"), "{}", outcome.log);
    assert_eq!(Build::new(&spec).succeed().executed(), [""; 0], "what was built is there");
}

/// Builds a target of these directories at once; gives how that ended, and the most memory a frontend had, in KiB.
fn crowd(daemon: &Daemon, dirs: &[TempDir], target: &str) -> (Vec<Outcome>, BTreeMap<u32, u64>) {
    let mut peaks = BTreeMap::new();
    let outcomes = std::thread::scope(|scope| {
        let build = |dir: &TempDir| {
            let (dir, address) = (dir.path().to_owned(), daemon.address());
            let out = format!("--output=type=local,dest={}", dir.join("out").display());
            let out = (target == "files").then_some(out);
            let target = format!("target={target}");
            scope.spawn(move || {
                buildctl(&address, &dir, &[&target], &out.iter().map(String::as_str).collect::<Vec<_>>())
            })
        };
        let builds: Vec<_> = dirs.iter().map(build).collect();
        while builds.iter().any(|build| !build.is_finished()) {
            for id in below(daemon.id(), FRONTEND) {
                let peak = status(id, "VmHWM").and_then(|text| text.split(' ').next()?.parse().ok());
                peaks.insert(id, peak.unwrap_or_default());
            }
            sleep(Duration::from_millis(50));
        }
        builds.into_iter().map(|build| build.join().expect("it ran")).collect()
    });
    (outcomes, peaks)
}

/// No frontend needs more, in KiB.
const MAX_FRONTEND: u64 = 64 << 10;

fn check_memory(peaks: &BTreeMap<u32, u64>) {
    let most = peaks.values().max().copied().unwrap_or_default();
    let _ = writeln!(std::io::stdout(), "{} frontends were seen; the largest had {most} KiB", peaks.len());
    assert!(most > 0 && most < MAX_FRONTEND, "{peaks:?}");
}

#[test]
fn fifty_builds_at_once_of_contexts_of_their_own_are_not_mixed_up() {
    let daemon = Daemon::start();
    let spec = format!("{GOOD}files:\n  - {{from: mine, to: /mine}}\n");
    let dirs: Vec<_> = (0..50)
        .map(|number| {
            let dir = directory(&spec);
            fs::write(dir.path().join("mine"), format!("{number}")).expect("written");
            // buildctl's directories share one cache of files in the daemon, which takes two of the same name, size and
            // time for one. The kernel's clock of files has steps of some milliseconds.
            sleep(Duration::from_millis(20));
            dir
        })
        .collect();
    let (outcomes, peaks) = crowd(&daemon, &dirs, "files");
    for (number, (dir, outcome)) in dirs.iter().zip(outcomes).enumerate() {
        assert!(outcome.ok, "{}", outcome.log);
        assert_eq!(fs::read_to_string(dir.path().join("out/mine")).expect("read"), number.to_string());
    }
    check_memory(&peaks);
}

#[test]
fn twenty_clients_of_one_spec_have_each_step_run_once() {
    let daemon = Daemon::start();
    let (port, runs) = trap();
    let script = format!("sleep 2; echo >/dev/tcp/127.0.0.1/{port}");
    let spec = format!("{GOOD}commands:\n  - {{name: once, network: true, run: [bash, -c, '{script}']}}\n");
    let dirs: Vec<_> = (0..20).map(|_| directory(&spec)).collect();
    let (outcomes, peaks) = crowd(&daemon, &dirs, "image");
    assert!(outcomes.iter().all(|outcome| outcome.ok), "{outcomes:#?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(!daemon.log().contains("panic"), "{}", daemon.log());
    check_memory(&peaks);
}

/// One build after the other on one daemon (`make soak`): what a spec does not change stays cached, nothing is left
/// running, and the daemon does not grow.
#[cfg(feature = "e2e-full")]
#[test]
fn a_daemon_that_builds_all_day() {
    let builds =
        std::env::var("EDGENODE_SOAK_BUILDS").ok().and_then(|count| count.parse().ok()).unwrap_or(500);
    let daemon = Daemon::start();
    let memory = || status(daemon.id(), "VmRSS").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let mut early = 0;
    for number in 0..builds {
        // Every tenth changes a step, the others what the image only says.
        let (step, label) = (number / 10, number);
        let spec = format!(
            "{GOOD}labels: {{n: '{label}'}}\ncommands:\n  - {{name: step, run: [touch, /step-{step}]}}\n"
        );
        let outcome = buildctl(&daemon.address(), directory(&spec).path(), &[], &[]);
        assert!(outcome.ok, "build {number}: {}", outcome.log);
        let ran = outcome.executed().contains(&"[command] step");
        assert_eq!(ran, number % 10 == 0, "build {number}: {}", outcome.log);
        if number == builds / 5 {
            early = memory().expect("it runs");
        }
    }
    wait_until("the last frontend ends", || below(daemon.id(), FRONTEND).is_empty());
    let late = memory().expect("it runs");
    let _ = writeln!(
        std::io::stdout(),
        "{builds} builds: the daemon had {early} KiB after a fifth, {late} KiB in the end"
    );
    assert!(late < 2 * early, "the daemon grows: {early} KiB, {late} KiB");
}

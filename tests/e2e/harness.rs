//! Runs builds as a user does, with buildx, in the environment that `tests/env/up` started.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Nothing that a test builds takes longer; what hangs is ended, and fails.
const LIMIT_SECONDS: &str = "2400";
/// The same for another architecture, whose programs an emulator runs.
#[cfg(feature = "e2e-full")]
const EMULATED_SECONDS: &str = "7200";

/// A value that `tests/env/up` wrote. Tests without an environment fail, they are not skipped.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make e2e`"))
}

/// The frontend's image. Checkouts that share an environment have frontends of their own.
pub(crate) fn frontend() -> String {
    let tag = std::env::var("EDGENODE_FRONTEND_TAG").unwrap_or_else(|_| "1".to_owned());
    format!("ratio1/edgenode:{tag}")
}

/// The builders of the environment that have BuildKit as it is released, at its newest, oldest supported, and one between.
pub(crate) const RELEASES: [&str; 3] = ["newest", "between", "oldest"];

/// The builder of tests that name none: one of the above, or `rootless`, which has no power outside of a user namespace.
pub(crate) fn builder() -> String {
    std::env::var("EDGENODE_BUILDER").unwrap_or_else(|_| "newest".to_owned())
}

/// BuildKit's daemon of a release.
pub(crate) fn buildkitd(release: &str) -> String {
    setting(&format!("EDGENODE_BUILDKITD_{}", release.to_uppercase()))
}

/// The address of the daemon of a builder.
pub(crate) fn daemon(builder: &str) -> String {
    format!("unix://{}/buildkitd-{builder}/buildkitd.sock", setting("EDGENODE_ENV"))
}

/// A daemon of its own that has seen nothing yet. It ends with the test.
pub(crate) struct Daemon {
    dir: TempDir,
    process: Child,
    builder: String,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        Self::start_as(&builder())
    }

    /// Starts one like that of a builder.
    pub(crate) fn start_as(builder: &str) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), builder)
    }

    /// Starts one whose state is in a file system of so many bytes, in memory.
    pub(crate) fn start_small(bytes: u32) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(dir.path());
        assert!(mount.status().expect("mount starts").success());
        Self::start_in(dir, &builder())
    }

    /// Gives one that was started small more room.
    pub(crate) fn grow(&self, bytes: u32) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,size={bytes}")]).arg(self.dir.path());
        assert!(mount.status().expect("mount starts").success());
    }

    fn start_in(dir: TempDir, builder: &str) -> Self {
        let process = Self::spawn(dir.path(), builder);
        Self { dir, process, builder: builder.to_owned() }
    }

    /// Writes the configuration of a daemon of this directory; gives the arguments of its command.
    pub(crate) fn configure(dir: &Path) -> [String; 2] {
        let shared = format!("{}/buildkitd-newest", setting("EDGENODE_ENV"));
        let config = fs::read_to_string(format!("{shared}.toml")).expect("read");
        let file = dir.join("buildkitd.toml");
        // What a client may ask for, if it says so.
        let config = format!("insecure-entitlements = [\"security.insecure\"]\n{config}");
        fs::write(&file, config.replace(&shared, &dir.display().to_string())).expect("written");
        ["--config".to_owned(), file.display().to_string()]
    }

    /// Waits until the daemon of this directory listens.
    pub(crate) fn wait(dir: &Path) {
        let started = std::time::Instant::now();
        while !dir.join("buildkitd.sock").exists() {
            assert!(started.elapsed().as_secs() < 60, "the daemon of {} does not listen", dir.display());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    fn spawn(dir: &Path, builder: &str) -> Child {
        // One that was killed leaves it.
        let _ = fs::remove_file(dir.join("buildkitd.sock"));
        fs::create_dir_all(dir.join("devices")).expect("made");
        let arguments = Self::configure(dir);
        let log = fs::File::options().create(true).append(true).open(dir.join("log")).expect("opened");
        let mut command = if builder == "rootless" {
            let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/env/without-root"));
            command.arg(dir).arg(buildkitd("newest"));
            command
        } else {
            Command::new(buildkitd(builder))
        };
        if builder != "oldest" {
            command.arg("--cdi-spec-dir").arg(dir.join("devices"));
        }
        // What it mounts for a moment it leaves behind where it is killed.
        command.env("TMPDIR", dir);
        let process = command.args(arguments).stderr(log).spawn().expect("buildkitd starts");
        Self::wait(dir);
        process
    }

    /// Kills it, so that it can end nothing, and starts it again on what it left.
    pub(crate) fn crash(&mut self) {
        self.process.kill().expect("killed");
        let _ = self.process.wait();
        self.process = Self::spawn(self.dir.path(), &self.builder);
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it wrote into its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("read")
    }

    /// Where vendors describe their devices to it.
    pub(crate) fn devices(&self) -> PathBuf {
        self.dir.path().join("devices")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}/buildkitd.sock", self.dir.path().display())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Asked to end, it takes its mounts with it; one that was killed left some.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let ours = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for place in ours.filter(|place| Path::new(place).starts_with(self.dir.path())) {
            let _ = Command::new("umount").args(["-l", place]).status();
        }
    }
}

/// A daemon that has built nothing, as a builder of buildx.
pub(crate) struct Fresh {
    pub(crate) builder: String,
    pub(crate) daemon: Option<Daemon>,
}

impl Fresh {
    pub(crate) fn start() -> Self {
        Self::with(Daemon::start())
    }

    /// A builder for a daemon that ends with it.
    pub(crate) fn with(daemon: Daemon) -> Self {
        let mut fresh = Self::of(&daemon.address());
        fresh.daemon = Some(daemon);
        fresh
    }

    /// A builder for a daemon that is there already.
    pub(crate) fn of(address: &str) -> Self {
        let directory = Path::new(address).parent().and_then(Path::file_name).expect("a directory");
        // Its name is made of letters and digits behind a dot.
        let builder = format!("fresh{}", directory.display()).replace('.', "");
        buildx(&["create", "--name", &builder, "--driver", "remote", address]);
        Self { builder, daemon: None }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        buildx(&["rm", "--force", &self.builder]);
    }
}

fn buildx(arguments: &[&str]) {
    let output = Command::new(setting("EDGENODE_BUILDX")).args(arguments).output().expect("buildx starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs the spec of a directory by buildctl, with these options (`key=value`) for the frontend and these arguments.
pub(crate) fn buildctl(address: &str, dir: &Path, options: &[&str], arguments: &[&str]) -> Outcome {
    let mut command = Command::new("timeout");
    command.args([LIMIT_SECONDS, &setting("EDGENODE_BUILDCTL"), "--addr", address, "build"]);
    command.args(["--progress=plain", "--frontend=gateway.v0", &format!("--opt=source={}", frontend())]);
    command.arg("--opt=filename=node.yaml").args(arguments);
    for local in ["dockerfile", "context"] {
        command.arg(format!("--local={local}={}", dir.display()));
    }
    command.args(options.iter().map(|option| format!("--opt={option}")));
    let output = command.output().expect("buildctl starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { ok: output.status.success(), stdout: text(&output.stdout), log: text(&output.stderr) }
}

/// A spec in a directory of its own, and how it is built.
pub(crate) struct Build {
    dir: TempDir,
    inside: Option<PathBuf>,
    builder: String,
    arguments: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Option<PathBuf>,
    limit: &'static str,
}

/// Whether a step runs a program, such as `[ffmpeg 7.1.5] build`.
fn is_program(step: &str) -> bool {
    const PROGRAMS: [&str; 9] = [
        "] build",
        "] install",
        "] find",
        "] set up",
        "[command] ",
        "[image] check",
        "[image] seal",
        "[test] ",
        "] list",
    ];
    // What is collected is copied.
    PROGRAMS.iter().any(|program| step.contains(program)) && !step.contains("[test] collect ")
}

/// How a build ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ok: bool,
    /// What was printed besides progress: answers to `--call`.
    pub(crate) stdout: String,
    pub(crate) log: String,
}

impl Build {
    /// Builds a spec by its `# syntax=` line, which is added.
    pub(crate) fn new(spec: &str) -> Self {
        Self::raw(format!("# syntax=ratio1/edgenode:1\n{spec}").as_bytes())
    }

    /// Builds a file as it is.
    pub(crate) fn raw(spec: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("node.yaml"), spec).expect("written");
        let file = dir.path().join("node.yaml").display().to_string();
        let arguments = vec!["-f".to_owned(), file, dir.path().display().to_string()];
        Self {
            dir,
            inside: None,
            builder: builder(),
            arguments,
            env: Vec::new(),
            stdin: None,
            limit: LIMIT_SECONDS,
        }
    }

    /// Builds with these arguments instead of `-f SPEC CONTEXT`.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&a| a.to_owned()).collect();
        self
    }

    /// Adds arguments.
    pub(crate) fn arguments_added(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Adds an argument and its value.
    pub(crate) fn with(mut self, option: &str, value: &str) -> Self {
        self.arguments.extend([option.to_owned(), value.to_owned()]);
        self
    }

    /// Sets a variable of buildx's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Builds as if typed in this directory, not in the spec's.
    pub(crate) fn inside(mut self, directory: &Path) -> Self {
        self.inside = Some(directory.to_owned());
        self
    }

    /// Builds on this builder.
    pub(crate) fn on(mut self, builder: &str) -> Self {
        self.builder = builder.to_owned();
        self
    }

    /// Gives buildx a file on its standard input.
    pub(crate) fn stdin(mut self, file: PathBuf) -> Self {
        self.stdin = Some(file);
        self
    }

    /// Builds what an emulator runs.
    #[cfg(feature = "e2e-full")]
    pub(crate) fn emulated(mut self) -> Self {
        self.limit = EMULATED_SECONDS;
        self.with("--platform", "linux/arm64")
    }

    /// The spec's directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs the build to its end.
    pub(crate) fn run(&self) -> Outcome {
        let output = self.command().output().expect("buildx starts");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(124), "the build hangs:\n{log}");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Outcome { ok: output.status.success(), stdout, log }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("timeout");
        command.args([self.limit, &setting("EDGENODE_BUILDX"), "build", "--progress", "plain"]);
        command.args(["--builder", &self.builder]).args(&self.arguments);
        // Checkouts that share an environment have frontends of their own.
        let is_dockerfile =
            fs::read(self.dir.path().join("node.yaml")).is_ok_and(|text| text.starts_with(b"FROM "));
        if std::env::var_os("EDGENODE_FRONTEND_TAG").is_some() && !is_dockerfile {
            command.args(["--build-arg", &format!("BUILDKIT_SYNTAX={}", frontend())]);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.inside.as_deref().unwrap_or(self.dir.path()));
        let input = self.stdin.as_ref().map(|file| fs::File::open(file).expect("opened"));
        command.stdin(input.map_or_else(Stdio::null, Stdio::from));
        command
    }

    /// Runs a build that must succeed.
    pub(crate) fn succeed(&self) -> Outcome {
        let outcome = self.run();
        assert!(outcome.ok, "the build failed:\n{}", outcome.log);
        outcome
    }

    /// Runs a build that must succeed, and gives the steps with a program that began after it did.
    pub(crate) fn begun(self) -> BTreeSet<String> {
        // Times in the progress are in this form too, whose order is that of its letters.
        let now = Command::new("date").args(["-u", "+%FT%T.%N"]).output().expect("date starts").stdout;
        let now = String::from_utf8(now).expect("a date");
        let outcome = self.with("--progress", "rawjson").succeed();
        let lines =
            outcome.log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut steps = BTreeMap::new();
        for line in lines {
            for step in line["vertexes"].as_array().into_iter().flatten() {
                let began = step["started"].as_str().is_some_and(|started| started >= now.trim());
                let ran = began && step["completed"].is_string() && step["cached"] != true;
                // What ran may be asked for once more in the same build, and is cached then.
                *steps.entry(step["name"].as_str().unwrap_or_default().to_owned()).or_insert(false) |= ran;
            }
        }
        assert!(!steps.is_empty(), "no step is shown:\n{}", outcome.log);
        steps.into_iter().filter(|(name, ran)| *ran && is_program(name)).map(|(name, _)| name).collect()
    }

    /// Runs a build that must fail, and would push its image if it did not. All `words` must be in what the user sees.
    pub(crate) fn fail(self, words: &[&str]) -> Outcome {
        static NUMBER: Mutex<u32> = Mutex::new(0);
        let number = {
            let mut number = NUMBER.lock().expect("not poisoned");
            *number += 1;
            *number
        };
        // Other checkouts may use the same registry.
        let name = format!("never/pushed-{}-{number}", std::process::id());
        let output = format!("type=image,name={}/{name},push=true", setting("EDGENODE_REGISTRY"));
        let outcome = self.with("--output", &output).run();
        assert!(!outcome.ok, "the build did not fail:\n{}", outcome.log);
        for word in words {
            assert!(outcome.log.contains(word), "{word:?} is not in:\n{}", outcome.log);
        }
        assert!(!is_pushed(&name), "{name} was pushed");
        outcome
    }

    /// Runs a build and gives its files.
    pub(crate) fn files(self) -> TempDir {
        let out = tempfile::tempdir().expect("a directory");
        let output = format!("type=local,dest={}", out.path().display());
        self.with("--output", &output).succeed();
        out
    }

    /// Runs a build and gives its files as a tar archive's listing: path to everything that makes the file.
    pub(crate) fn listing(self) -> BTreeMap<String, String> {
        let out = tempfile::tempdir().expect("a directory");
        let tar = out.path().join("image.tar");
        self.with("--output", &format!("type=tar,dest={}", tar.display())).succeed();
        listing(&tar)
    }

    /// Runs a build and gives its image's configuration. The image, which may have gigabytes, is kept nowhere.
    pub(crate) fn config(self) -> serde_json::Value {
        let python = r#"
import json, sys, tarfile
texts = {}
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
    for member in archive:
        if member.isfile() and member.size < 1 << 20:
            texts[member.name] = archive.extractfile(member).read()
read = lambda descriptor: json.loads(texts["blobs/" + descriptor["digest"].replace(":", "/")])
json.dump(read(read(json.loads(texts["index.json"])["manifests"][0])["config"]), sys.stdout)
"#;
        // Without a provenance the index names one thing, the image.
        let build = self.with("--provenance", "false").with("--output", "type=oci,dest=-");
        let mut command = build.command();
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("buildx starts");
        let mut read = Command::new("python3");
        read.args(["-c", python]).stdin(process.stdout.take().expect("piped"));
        let read = read.stdout(Stdio::piped()).spawn().expect("python3 starts");
        let log = process.wait_with_output().expect("it ends");
        assert!(log.status.success(), "the build failed:\n{}", String::from_utf8_lossy(&log.stderr));
        serde_json::from_slice(&read.wait_with_output().expect("it ends").stdout).expect("a configuration")
    }

    /// Runs a build and gives the digest of its image, with all times set to the same one.
    pub(crate) fn digest(self) -> String {
        let out = tempfile::tempdir().expect("a directory");
        let tar = out.path().join("image.tar");
        self.with("--provenance", "false")
            .with("--build-arg", "SOURCE_DATE_EPOCH=1700000000")
            .with("--output", &format!("type=oci,rewrite-timestamp=true,dest={}", tar.display()))
            .succeed();
        let index =
            Command::new("tar").args(["-xOf"]).arg(&tar).arg("index.json").output().expect("tar starts");
        let index: serde_json::Value = serde_json::from_slice(&index.stdout).expect("an index");
        index["manifests"][0]["digest"].as_str().expect("a digest").to_owned()
    }

    /// Runs a build, pushes its image and gives its name.
    pub(crate) fn push(self, name: &str) -> String {
        let image = format!("{}/{name}", setting("EDGENODE_REGISTRY"));
        self.with("--output", &format!("type=image,name={image},push=true")).succeed();
        image
    }
}

fn is_pushed(name: &str) -> bool {
    let url = format!("http://{}/v2/{name}/tags/list", setting("EDGENODE_REGISTRY"));
    let status = Command::new("curl").args(["-fsS", &url]).output().expect("curl starts").status;
    status.success()
}

fn listing(tar: &Path) -> BTreeMap<String, String> {
    // Everything but the time, which is not part of the promise.
    let python = r#"
import hashlib, sys, tarfile
archive = tarfile.open(sys.argv[1])
for m in archive:
    digest = hashlib.sha256(archive.extractfile(m).read()).hexdigest() if m.isreg() else ""
    print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, m.linkname, digest, sep="\t")
"#;
    let output = Command::new("python3").args(["-c", python]).arg(tar).output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.split_once('\t')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

impl Outcome {
    /// Steps that ran a program; one whose result is pulled from a cache is not among them, though it is shown as done,
    /// too. Those that a build still running had begun before are, as BuildKit shows them in every build that shares
    /// them: see [`Build::begun`].
    pub(crate) fn executed(&self) -> Vec<&str> {
        let lines = || self.log.lines().filter_map(|line| line.strip_prefix('#')?.split_once(' '));
        let is_pull = |rest: &str| rest.starts_with("sha256:") || rest.starts_with("extracting ");
        let pulled: BTreeSet<_> =
            lines().filter(|(_, rest)| is_pull(rest)).map(|(number, _)| number).collect();
        let mut names = BTreeMap::new();
        let mut executed = Vec::new();
        for (number, rest) in lines() {
            let name = *names.entry(number).or_insert(rest);
            if rest.starts_with("DONE") && is_program(name) && !pulled.contains(number) {
                executed.push(name);
            }
        }
        executed
    }
}

/// A port of loopback that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Serves a few files over HTTP on loopback, as long as the tests run.
#[derive(Clone)]
pub(crate) struct Server {
    address: String,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// What the header `Authorization` must be for paths that begin like this.
    guarded: Arc<Mutex<Vec<(String, String)>>>,
    /// Where what lies below a path really is.
    moved: Arc<Mutex<Vec<(String, String)>>>,
    /// Files of which half is sent before the connection ends.
    broken: Arc<Mutex<BTreeSet<String>>>,
    /// The paths that were asked for, in their order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let server = Self {
            address,
            files: Arc::default(),
            guarded: Arc::default(),
            moved: Arc::default(),
            broken: Arc::default(),
            asked: Arc::default(),
        };
        let listening = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let server = listening.clone();
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
                    let Some(Ok(request)) = lines.next() else { return };
                    let head: Vec<String> =
                        lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                    server.asked.lock().expect("not poisoned").push(path.clone());
                    let file = server.files.lock().expect("not poisoned").get(&path).cloned();
                    let known = |line: &String, word: &str| {
                        let (name, value) = line.split_once(": ").unwrap_or_default();
                        name.eq_ignore_ascii_case("authorization") && value == word
                    };
                    let guards = server.guarded.lock().expect("not poisoned").clone();
                    let closed = guards.iter().any(|(start, word)| {
                        path.starts_with(start) && !head.iter().any(|line| known(line, word))
                    });
                    let moves = server.moved.lock().expect("not poisoned").clone();
                    let elsewhere = moves
                        .iter()
                        .find_map(|(start, to)| Some(format!("{to}{}", path.strip_prefix(start.as_str())?)));
                    let (status, body) = match (file, elsewhere) {
                        _ if closed => {
                            let realm = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"tests\"";
                            (realm.to_owned(), Vec::new())
                        }
                        (Some(body), _) => ("200 OK".to_owned(), body),
                        (None, Some(address)) => (format!("302 Found\r\nLocation: {address}"), Vec::new()),
                        (None, None) => ("404 Not Found".to_owned(), Vec::new()),
                    };
                    // A path like a directory's is a page of a package index, and a mirror does not say how long one is
                    // good for.
                    let kind = match path.ends_with('/') {
                        true if path.starts_with("/mirror/") => "text/html",
                        true => "text/html\r\nCache-Control: max-age=600",
                        false => "application/octet-stream",
                    };
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes());
                    if !request.starts_with("HEAD") {
                        let breaks_off = server.broken.lock().expect("not poisoned").contains(&path);
                        let end = if breaks_off { body.len() / 2 } else { body.len() };
                        let _ = stream.write_all(&body[..end]);
                    }
                });
            }
        });
        server
    }

    /// Where it listens, such as `http://127.0.0.1:8080`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks for a header `Authorization` where paths begin like this.
    pub(crate) fn guard(&self, start: &str, authorization: &str) {
        self.guarded.lock().expect("not poisoned").push((start.to_owned(), authorization.to_owned()));
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked.lock().expect("not poisoned").iter().filter(|asked| *asked == path).count()
    }

    /// Serves a file no longer.
    pub(crate) fn drop(&self, path: &str) -> Option<Vec<u8>> {
        self.files.lock().expect("not poisoned").remove(path)
    }

    /// Sends who asks for what is below a path to another address.
    pub(crate) fn forward(&self, start: &str, to: &str) {
        self.moved.lock().expect("not poisoned").push((start.to_owned(), to.to_owned()));
    }

    /// Breaks off in the middle of these files, and of no others.
    pub(crate) fn break_off(&self, paths: &[&str]) {
        *self.broken.lock().expect("not poisoned") = paths.iter().map(|&path| path.to_owned()).collect();
    }

    /// Serves a file; gives its address and its digest.
    pub(crate) fn put(&self, path: &str, data: Vec<u8>) -> (String, String) {
        let digest = sha256(&data);
        self.files.lock().expect("not poisoned").insert(path.to_owned(), data);
        (format!("{}{path}", self.address), digest)
    }
}

/// The digest of these bytes, in hexadecimal digits.
pub(crate) fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A port that counts who connects.
pub(crate) fn trap() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    std::thread::spawn(move || {
        listener.incoming().for_each(|_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
    });
    (port, connections)
}

/// An ssh agent of its own with one key, which is called `mark`. It ends with the test.
pub(crate) struct Agent {
    dir: TempDir,
    process: Child,
}

impl Agent {
    pub(crate) fn start(mark: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (socket, key) = (dir.path().join("socket"), dir.path().join("key"));
        let mut agent = Command::new("ssh-agent");
        agent.args(["-D", "-a"]).arg(&socket).stdout(Stdio::null());
        let process = agent.spawn().expect("ssh-agent starts");
        while !socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut made = Command::new("ssh-keygen");
        made.args(["-q", "-t", "ed25519", "-N", "", "-C", mark, "-f"]).arg(&key);
        assert!(made.status().expect("ssh-keygen starts").success());
        let mut added = Command::new("ssh-add");
        added.arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket);
        assert!(added.status().expect("ssh-add starts").success());
        Self { dir, process }
    }

    /// What a client is told: the agent under the usual id.
    pub(crate) fn option(&self) -> String {
        format!("default={}", self.dir.path().join("socket").display())
    }

    /// What servers know it by.
    pub(crate) fn public_key(&self) -> String {
        fs::read_to_string(self.dir.path().join("key.pub")).expect("read")
    }

    /// A line of the private key.
    pub(crate) fn key(&self) -> String {
        let key = fs::read_to_string(self.dir.path().join("key")).expect("read");
        key.lines().nth(3).expect("a key has lines").to_owned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A wheel with these files, and one package that it requires if there is one. The same wheel has the same bytes.
pub(crate) fn wheel(name: &str, version: &str, requires: &str, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let info = format!("{}-{version}.dist-info", name.replace('-', "_"));
    let mut all: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(path, data)| ((*path).to_owned(), data.clone())).collect();
    let requires = if requires.is_empty() { String::new() } else { format!("Requires-Dist: {requires}\n") };
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}");
    all.insert(format!("{info}/METADATA"), metadata.into_bytes());
    let tag = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    all.insert(format!("{info}/WHEEL"), tag.as_bytes().to_vec());
    let record: String = all.keys().map(|path| format!("{path},,\n")).collect();
    all.insert(format!("{info}/RECORD"), format!("{record}{info}/RECORD,,\n").into_bytes());
    let dir = tempfile::tempdir().expect("a directory");
    for (path, data) in &all {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, data).expect("written");
    }
    let python = "
import io, pathlib, sys, zipfile
root, out = pathlib.Path(sys.argv[1]), io.BytesIO()
with zipfile.ZipFile(out, 'w') as wheel:
    for path in sorted(path for path in root.rglob('*') if path.is_file()):
        wheel.writestr(zipfile.ZipInfo(str(path.relative_to(root)), (2026, 1, 1, 0, 0, 0)), path.read_bytes())
sys.stdout.buffer.write(out.getvalue())
";
    let output =
        Command::new("python3").args(["-c", python]).arg(dir.path()).output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The source archive of a Python package's release, from the index that pip asks.
#[cfg(feature = "e2e-full")]
pub(crate) fn sdist(name: &str, version: &str) -> Vec<u8> {
    let python = r#"
import json, os, sys, urllib.request
from pip._internal.models.index import PyPI
name, version = sys.argv[1:]
index = os.environ.get("PIP_INDEX_URL", PyPI.simple_url).rstrip("/")
accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
page = json.load(urllib.request.urlopen(urllib.request.Request(f"{index}/{name}/", headers=accept)))
[url] = [file["url"] for file in page["files"] if file["filename"] == f"{name}-{version}.tar.gz"]
sys.stdout.buffer.write(urllib.request.urlopen(url).read())
"#;
    let output =
        Command::new("python3").args(["-c", python, name, version]).output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A packed tar archive of text files; those whose text begins with `#!` can be run.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, text).expect("written");
        if text.starts_with("#!") {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        }
    }
    let tar = Command::new("tar")
        .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-czf", "-", "-C"])
        .arg(dir.path())
        .arg(".")
        .output()
        .expect("tar starts");
    assert!(tar.status.success());
    tar.stdout
}

/// A source archive that builds like FFmpeg does, in a second: one program that prints `text` and needs zlib.
pub(crate) fn small_ffmpeg(text: &str) -> Vec<u8> {
    let main = format!(
        "#include <stdio.h>\n#include <zlib.h>\nint main(void) {{ printf(\"%s {text}\\n\", zlibVersion()); return 0; }}\n"
    );
    let makefile =
        "all:\n\tgcc -o ffmpeg $(S)/main.c -lz\ninstall:\n\tinstall -D ffmpeg $(DESTDIR)$(P)/bin/ffmpeg\n";
    source(makefile, &[("source/main.c", &main)])
}

/// A source archive with this makefile, in which `P` is the prefix, `S` the directory of the sources and `F` what `configure`
/// was called with.
pub(crate) fn source(makefile: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let configure = "#!/bin/sh\nfor a in \"$@\"; do case $a in --prefix=*) p=${a#*=} ;; esac; done\n\
        s=$(dirname \"$0\")\n{ echo \"P = $p\"; echo \"S = $s\"; echo \"F = $*\"; cat \"$s/makefile.in\"; } >Makefile\n";
    archive(&[&[("source/configure", configure), ("source/makefile.in", makefile)], files].concat())
}

//! Runs builds as a user does, with buildx, in the environment that `tests/env/up` started.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Nothing that a test builds takes longer; what hangs is ended, and fails.
const LIMIT_SECONDS: &str = "2400";

/// A value that `tests/env/up` wrote. Tests without an environment fail, they are not skipped.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make e2e`"))
}

/// A spec in a directory of its own, and how it is built.
pub(crate) struct Build {
    dir: TempDir,
    inside: Option<PathBuf>,
    builder: String,
    arguments: Vec<String>,
    stdin: Option<PathBuf>,
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
        Self { dir, inside: None, builder: "newest".to_owned(), arguments, stdin: None }
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

    /// Builds as if typed in this directory, not in the spec's.
    pub(crate) fn inside(mut self, directory: &Path) -> Self {
        self.inside = Some(directory.to_owned());
        self
    }

    /// Builds on `newest` or `oldest`.
    pub(crate) fn on(mut self, builder: &str) -> Self {
        self.builder = builder.to_owned();
        self
    }

    /// Gives buildx a file on its standard input.
    pub(crate) fn stdin(mut self, file: PathBuf) -> Self {
        self.stdin = Some(file);
        self
    }

    /// The spec's directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs the build to its end.
    pub(crate) fn run(&self) -> Outcome {
        let mut command = Command::new("timeout");
        command.args([LIMIT_SECONDS, &setting("EDGENODE_BUILDX"), "build", "--progress", "plain"]);
        command.args(["--builder", &self.builder]).args(&self.arguments);
        // Checkouts that share an environment have frontends of their own. Some files are for another frontend.
        let text = fs::read(self.dir.path().join("node.yaml")).unwrap_or_default();
        let ours = !text.starts_with(b"FROM ") && !text.starts_with(b"# syntax=examples/");
        if let (true, Ok(tag)) = (ours, std::env::var("EDGENODE_FRONTEND_TAG")) {
            command.args(["--build-arg", &format!("BUILDKIT_SYNTAX=ratio1/edgenode:{tag}")]);
        }
        command.current_dir(self.inside.as_deref().unwrap_or(self.dir.path()));
        let input = self.stdin.as_ref().map(|file| fs::File::open(file).expect("opened"));
        command.stdin(input.map_or_else(Stdio::null, Stdio::from));
        let output = command.output().expect("buildx starts");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(124), "the build hangs:\n{log}");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Outcome { ok: output.status.success(), stdout, log }
    }

    /// Runs a build that must succeed.
    pub(crate) fn succeed(&self) -> Outcome {
        let outcome = self.run();
        assert!(outcome.ok, "the build failed:\n{}", outcome.log);
        outcome
    }

    /// Runs a build that must fail, and would push its image if it did not. All `words` must be in what the user sees.
    pub(crate) fn fail(self, words: &[&str]) -> Outcome {
        static NUMBER: Mutex<u32> = Mutex::new(0);
        let number = {
            let mut number = NUMBER.lock().expect("not poisoned");
            *number += 1;
            *number
        };
        let name = format!("never/pushed-{number}");
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
    /// Steps that ran a program, such as `[ffmpeg 7.1.5] build`. Internal ones and downloads are left out.
    pub(crate) fn executed(&self) -> Vec<&str> {
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
        let mut names = BTreeMap::new();
        let mut executed = Vec::new();
        for line in self.log.lines() {
            let Some((number, rest)) = line.strip_prefix('#').and_then(|line| line.split_once(' ')) else {
                continue;
            };
            let name = *names.entry(number).or_insert(rest);
            if rest.starts_with("DONE") && PROGRAMS.iter().any(|program| name.contains(program)) {
                executed.push(name);
            }
        }
        executed
    }
}

/// Serves a few files over HTTP on loopback, as long as the tests run.
pub(crate) struct Server {
    address: String,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let files = Arc::new(Mutex::new(BTreeMap::<String, Vec<u8>>::new()));
        let served = files.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), served) = (stream, served.clone()) else { continue };
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
                    let Some(Ok(request)) = lines.next() else { return };
                    for line in lines.by_ref() {
                        if line.is_ok_and(|line| line.is_empty()) {
                            break;
                        }
                    }
                    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                    let file = served.lock().expect("not poisoned").get(&path).cloned();
                    let (status, body) = match file {
                        Some(body) => ("200 OK", body),
                        None => ("404 Not Found", Vec::new()),
                    };
                    // A path like a directory's is a page of a package index.
                    let kind = if path.ends_with('/') { "text/html" } else { "application/octet-stream" };
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes());
                    if !request.starts_with("HEAD") {
                        let _ = stream.write_all(&body);
                    }
                });
            }
        });
        Self { address, files }
    }

    /// Serves a file; gives its address and its digest.
    pub(crate) fn put(&self, path: &str, data: Vec<u8>) -> (String, String) {
        let digest = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
        self.files.lock().expect("not poisoned").insert(path.to_owned(), data);
        (format!("{}{path}", self.address), digest)
    }
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

/// A source archive with this makefile, in which `P` is the prefix and `S` the directory of the sources.
pub(crate) fn source(makefile: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let configure = "#!/bin/sh\nfor a in \"$@\"; do case $a in --prefix=*) p=${a#*=} ;; esac; done\n\
        s=$(dirname \"$0\")\n{ echo \"P = $p\"; echo \"S = $s\"; cat \"$s/makefile.in\"; } >Makefile\n";
    archive(&[&[("source/configure", configure), ("source/makefile.in", makefile)], files].concat())
}

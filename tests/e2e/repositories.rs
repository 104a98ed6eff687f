//! Specs and contexts that are in git repositories: open ones, those that want a token, those that want a key.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::contexts::{spec, told};
use crate::harness::{Agent, Build, free_port};

/// A git repository with a spec at `nodes/spec.yaml`, on its branch `main`.
pub(crate) struct Repository(TempDir);

/// Gives a repository to whoever may have it, as long as it lives.
pub(crate) struct Served {
    process: Child,
    /// `PROTOCOL://HOST:PORT/PATH#main`.
    pub(crate) address: String,
}

impl Repository {
    /// One with a commit at this time, in seconds since 1970.
    pub(crate) fn new(spec: &str, time: u32) -> Self {
        Self::of(&[("nodes/spec.yaml".to_owned(), spec.to_owned())], time)
    }

    /// One with a commit of these files, by their paths.
    pub(crate) fn of(files: &[(String, String)], time: u32) -> Self {
        let repository = Self(TempDir::new().expect("a directory"));
        fs::create_dir(repository.place()).expect("made");
        repository.git(&["init", "-q", "-b", "main"], time);
        repository.commit_files(files, time);
        repository
    }

    /// Adds a commit with a file more.
    pub(crate) fn add(&self, path: &str, text: &str, time: u32) -> String {
        self.commit_files(&[(path.to_owned(), text.to_owned())], time);
        self.commit()
    }

    /// The last commit: 40 digits.
    pub(crate) fn commit(&self) -> String {
        self.git(&["rev-parse", "HEAD"], 0).trim().to_owned()
    }

    fn commit_files(&self, files: &[(String, String)], time: u32) {
        for (path, text) in files {
            let path = self.place().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        self.git(&["add", "."], time);
        self.git(&["commit", "-q", "-m", "files"], time);
    }

    /// Runs git; gives what it prints.
    fn git(&self, arguments: &[&str], time: u32) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.place()).args(["-c", "user.name=t", "-c", "user.email=t@example.org"]);
        let output = git.args(arguments).env("GIT_COMMITTER_DATE", format!("{time} +0000")).output();
        let output = output.expect("git starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn place(&self) -> PathBuf {
        self.dir().join("repo.git")
    }

    /// The directory that has it as `repo.git`.
    fn dir(&self) -> &Path {
        self.0.path()
    }

    /// To everybody.
    pub(crate) fn serve(&self) -> Served {
        // The program itself: `git daemon` would leave it behind when it is ended.
        let programs = Command::new("git").arg("--exec-path").output().expect("git starts").stdout;
        let programs = String::from_utf8(programs).expect("a path");
        let (mut server, port) = (Command::new(Path::new(programs.trim()).join("git-daemon")), free_port());
        server.args(["--export-all", "--reuseaddr", "--listen=127.0.0.1"]);
        server.arg(format!("--port={port}")).arg(format!("--base-path={}", self.dir().display()));
        Served::start(server, port, format!("git://127.0.0.1:{port}/repo.git#main"))
    }

    /// To those who know a token.
    pub(crate) fn serve_for_token(&self, token: &str) -> Served {
        let (mut server, port) = (Command::new("python3"), free_port());
        server.args(["-c", include_str!("git-server.py")]).arg(self.dir()).args([&port.to_string(), token]);
        Served::start(server, port, format!("http://127.0.0.1:{port}/repo.git/.git#main"))
    }

    /// To those who have the key of an agent.
    fn serve_for_key(&self, agent: &Agent) -> Served {
        let (mut server, port) = (Command::new("/usr/sbin/sshd"), free_port());
        let path = |name: &str| self.dir().join(name).display().to_string();
        let mut made = Command::new("ssh-keygen");
        made.args(["-q", "-t", "ed25519", "-N", "", "-f", &path("host")]);
        assert!(made.status().expect("ssh-keygen starts").success());
        fs::write(path("authorized"), agent.public_key()).expect("written");
        // It changes to a directory without rights for a moment.
        fs::create_dir_all("/run/sshd").expect("made");
        server.args(["-D", "-f", "/dev/null", "-h", &path("host")]).stdout(Stdio::null());
        for option in [
            &format!("Port={port}"),
            "ListenAddress=127.0.0.1",
            &format!("AuthorizedKeysFile={}", path("authorized")),
            "PasswordAuthentication=no",
            "PermitRootLogin=yes",
            "PidFile=none",
            "StrictModes=no",
        ] {
            server.args(["-o", option]);
        }
        Served::start(server, port, format!("ssh://root@127.0.0.1:{port}{}#main", path("repo.git")))
    }
}

impl Served {
    fn start(mut server: Command, port: u16, address: String) -> Self {
        let process = server.stderr(Stdio::null()).spawn().expect("the server starts");
        let started = std::time::Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed().as_secs() < 30, "{address} is not served");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Self { process, address }
    }

    /// A build of the spec with this repository as the context.
    fn build(&self) -> Build {
        Build::raw(b"").arguments(&["-f", "nodes/spec.yaml", &self.address])
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_repository_that_wants_a_token_gets_the_one_of_the_client() {
    let repository = Repository::new(&spec("token"), 1_700_000_000);
    let server = repository.serve_for_token("open-sesame");
    server.build().fail(&["could not read Username"]);
    let known = || server.build().env("GIT_AUTH_TOKEN", "open-sesame");
    assert_eq!(told(known().with("--secret", "id=GIT_AUTH_TOKEN"), "repositories/token"), "token");
    // So does one in the place of a component.
    let context = format!("uv={}", server.address);
    let other = || {
        let build = Build::new("name: node\nbase: debian:13\nuv: 0.12.1\n").with("--build-context", &context);
        build.env("GIT_AUTH_TOKEN", "open-sesame")
    };
    other().fail(&["could not read Username"]);
    let files = other().with("--secret", "id=GIT_AUTH_TOKEN").files();
    assert_eq!(fs::read_to_string(files.path().join("nodes/spec.yaml")).expect("read"), spec("token"));
}

#[test]
fn a_repository_over_ssh_is_fetched_with_the_agent_of_the_client() {
    let agent = Agent::start("a-key-for-git");
    let repository = Repository::new(&spec("key"), 1_700_000_000);
    let server = repository.serve_for_key(&agent);
    server.build().fail(&["ssh"]);
    let other = Agent::start("another-key");
    server.build().with("--ssh", &other.option()).fail(&["Permission denied (publickey"]);
    assert_eq!(told(server.build().with("--ssh", &agent.option()), "repositories/key"), "key");
}

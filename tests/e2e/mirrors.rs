//! Mirrors and package indexes that want a name and a password: who gets them, and where they are not found.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::{NamedTempFile, TempDir};

use crate::harness::{Build, Fresh, Server, sha256, wheel};
use crate::indexes::{archive, knowing};
use crate::lock::{base, policy};
use crate::trust::find;

/// The password.
const MARK: &str = "MARK-OF-A-PASSWORD-77e0";

/// What a client knows of a server: for package managers, and for downloads.
struct Login {
    netrc: NamedTempFile,
    header: String,
}

impl Login {
    fn to(server: &Server) -> Self {
        let netrc = NamedTempFile::new().expect("a file");
        let machine = |machine: &str| format!("machine {machine} login user password {MARK}\n");
        // apt gives nothing to servers without TLS that are not named as such.
        let text = format!("{}{}", machine("127.0.0.1"), machine(server.address()));
        fs::write(&netrc, text).expect("written");
        Self { netrc, header: format!("Basic {}", STANDARD.encode(format!("user:{MARK}"))) }
    }

    fn give(&self, build: Build, id: &str) -> Build {
        self.give_header(build).with("--secret", &format!("id={id},src={}", self.netrc.path().display()))
    }

    fn give_header(&self, build: Build) -> Build {
        build
            .env("LOGIN_HEADER", &self.header)
            .with("--secret", "id=HTTP_AUTH_HEADER_127.0.0.1,env=LOGIN_HEADER")
    }
}

/// A policy for a server that is a mirror below `/mirror` and has no stand-ins of releases.
fn policy_of(server: &Server) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    fs::write(&file, policy(&format!("{}/mirror", server.address()), false)).expect("written");
    file
}

/// A build of a spec that downloads from such a server.
fn through(server: &Server, policy: &NamedTempFile, spec: &str) -> Build {
    Build::new(spec)
        .with("--build-arg", &format!("EDGENODE_MIRROR={}/mirror", server.address()))
        .env("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY", &policy.path().display().to_string())
}

/// A mirror with a package of each kind, which nobody can have from anywhere else.
struct Mirror {
    server: Server,
    login: Login,
    policy: NamedTempFile,
    name: String,
    system: String,
    wheels: String,
    download: String,
}

impl Mirror {
    fn start() -> Self {
        let (server, name) = (Server::start(), format!("mirrored{}", std::process::id()));
        let login = Login::to(&server);
        server.guard("/mirror/", &login.header);
        server.forward("/mirror/deb.debian.org/", "http://deb.debian.org/");
        archive(&server, "/mirror/archive.invalid/debian", &name);
        let file = format!("{name}-1.0-py3-none-any.whl");
        let data = wheel(&name, "1.0", "", &[("module.py", b"# mirrored".to_vec())]);
        let (_, digest) = server.put(&format!("/mirror/files.invalid/{file}"), data);
        let page = format!("<a href='../../files.invalid/{file}#sha256={digest}'>{file}</a>");
        server.put(&format!("/mirror/simple/{name}/"), page.into_bytes());
        let program = format!("#!/bin/sh\necho {name}\n").into_bytes();
        let digest = sha256(&program);
        server.put("/mirror/files.invalid/ngrok", program);
        let policy = policy_of(&server);
        let base = knowing(&base(), "http://archive.invalid/debian", true, "http://kept.invalid");
        let node = format!("name: node\nbase: {base}\n");
        let system = format!("{node}system: {{packages: [{name}]}}\n");
        let wheels = format!(
            "{node}python: {{version: 3.13, vendor: /usr}}\nwheels: {{requirements: [{name}==1.0]}}\n"
        );
        let download =
            format!("{node}ngrok: {{version: 1.2.3, url: 'http://files.invalid/ngrok', sha256: {digest}}}\n");
        Self { server, login, policy, name, system, wheels, download }
    }

    fn build(&self, spec: &str) -> Build {
        through(&self.server, &self.policy, spec)
    }

    /// The same with all that the server wants.
    fn build_with_login(&self, spec: &str) -> Build {
        self.login.give(self.build(spec), "netrc")
    }
}

/// Runs a build on a builder of the test's own and keeps all that it leaves.
fn left(build: Build, fresh: &Fresh) -> TempDir {
    let out = tempfile::tempdir().expect("a directory");
    let to = |name: &str| out.path().join(name).display().to_string();
    let outcome = build
        .on(&fresh.builder)
        .with("--provenance", "mode=max")
        .with("--output", &format!("type=oci,tar=false,dest={}", to("image")))
        .with("--cache-to", &format!("type=local,mode=max,dest={}", to("cache")))
        .with("--metadata-file", &to("metadata"))
        .succeed();
    fs::write(to("client"), outcome.stdout + &outcome.log).expect("written");
    fs::write(to("daemon"), fresh.daemon.as_ref().expect("started").log()).expect("written");
    for name in ["image", "cache", "metadata"] {
        assert!(out.path().join(name).exists(), "{name} is not there to be searched");
    }
    out
}

#[test]
fn a_mirror_that_wants_a_password_gets_it_and_nobody_else() {
    let mirror = Mirror::start();
    mirror.build(&mirror.system).fail(&["401", "/mirror/archive.invalid/debian"]);
    mirror.build(&mirror.wheels).fail(&["401"]);
    let refused = "invalid response status 401";
    let help = "give the header as a secret of its host: `--secret id=HTTP_AUTH_HEADER_HOST,env=…`";
    mirror.build(&mirror.download).fail(&[refused, help]);
    mirror.build(&mirror.download).on("oldest").fail(&[refused, "this BuildKit cannot give them"]);

    let fresh = Fresh::start();
    let node = format!("{}{}", mirror.system, mirror.download.splitn(3, '\n').nth(2).unwrap_or_default());
    let files = mirror.build_with_login(&node).on(&fresh.builder).with("--target", "lock").files();
    let lock = fs::read_to_string(files.path().join("node.lock")).expect("a lock");
    for address in [
        "http://kept.invalid/debian/",
        "\"http://archive.invalid/debian/mirrored",
        "http://files.invalid/ngrok",
    ] {
        assert!(lock.contains(address), "{address} is not in:\n{lock}");
    }
    let wheels = mirror.build_with_login(&mirror.wheels).on(&fresh.builder).with("--target", "lock").files();
    let wheels = fs::read_to_string(wheels.path().join("node.lock")).expect("a lock");
    let address = format!("\"https://files.invalid/{}-1.0-py3-none-any.whl\"", mirror.name);
    assert!(wheels.contains(&address), "{address} is not in:\n{wheels}");
    let locked = mirror.login.give_header(mirror.build(&node));
    fs::write(locked.dir().join("node.lock"), &lock).expect("written");
    let all = [
        left(mirror.build_with_login(&node), &fresh),
        left(mirror.build_with_login(&mirror.wheels).with("--target", "wheels"), &fresh),
        left(locked, &fresh),
        files,
    ];
    for out in &all {
        assert!(find(out.path(), mirror.name.as_bytes()), "the search does not work");
        for mark in [MARK, mirror.login.header.trim_start_matches("Basic ")] {
            assert!(!find(out.path(), mark.as_bytes()), "the password is in what the build left");
        }
    }
    // What the image has is what it would have without a mirror.
    let image = mirror.build_with_login(&node).on(&fresh.builder).files();
    let list = fs::read_to_string(image.path().join("etc/apt/sources.list.d/tests.list")).expect("read");
    assert_eq!(list, "deb [trusted=yes] http://archive.invalid/debian ./\n");
    for path in ["etc/apt/auth.conf", "run/edgenode-secrets", "etc/apt/auth.conf.d/edgenode"] {
        assert!(!image.path().join(path).exists(), "{path} is in the image");
    }
}

#[test]
fn a_mirror_is_asked_once_for_a_page_of_the_public_index() {
    let server = Server::start();
    let policy = policy_of(&server);
    let name = |end: &str| format!("page-{end}{}", std::process::id());
    let page = |end: &str| format!("/mirror/simple/{}/", name(end));
    let put = |end: &str| {
        let file = format!("{}-1.0-py3-none-any.whl", name(end).replace('-', "_"));
        let data = wheel(&name(end), "1.0", "", &[(&format!("{end}.py"), b"# mirrored".to_vec())]);
        let (_, digest) = server.put(&format!("{}{file}", page(end)), data);
        server.put(&page(end), format!("<a href='{file}#sha256={digest}'>{file}</a>").into_bytes());
    };
    let build = |requirements: &[String]| {
        let spec = format!(
            "name: node\nbase: {}\npython: {{version: 3.13, vendor: /usr}}\nwheels: {{requirements: [{}]}}\n",
            base(),
            requirements.join(", ")
        );
        through(&server, &policy, &spec).with("--target", "wheels").succeed()
    };
    ["kept", "added"].iter().for_each(|end| put(end));
    build(&[name("kept")]);
    build(&[name("kept"), name("added")]);
    assert_eq!(["kept", "added"].map(|end| server.asked(&page(end))), [1, 1]);
}

#[test]
fn a_lock_of_a_package_index_that_wants_a_password() {
    let (server, name) = (Server::start(), format!("private{}", std::process::id()));
    let login = Login::to(&server);
    server.guard("/index/", &login.header);
    let file = format!("{name}-1.0-py3-none-any.whl");
    let data = wheel(&name, "1.0", "", &[("module.py", b"# private".to_vec())]);
    let (_, digest) = server.put(&format!("/index/{name}/{file}"), data);
    server
        .put(&format!("/index/{name}/"), format!("<a href='{file}#sha256={digest}'>{file}</a>").into_bytes());
    let spec = format!(
        "name: node\nbase: {}\nsecrets: {{netrc: logins}}\npython: {{version: 3.13, vendor: /usr}}\n\
         wheels: {{indexes: ['{}/index/'], requirements: [{name}==1.0]}}\n",
        base(),
        server.address()
    );
    let help = "--secret id=HTTP_AUTH_HEADER_HOST";
    let out = tempfile::tempdir().expect("a directory");
    let output = format!("type=local,dest={}", out.path().display());
    let netrc = format!("id=logins,src={}", login.netrc.path().display());
    let half =
        Build::new(&spec).with("--secret", &netrc).with("--target", "lock").with("--output", &output).run();
    assert!(!half.ok && !out.path().join("node.lock").exists(), "{}", half.log);
    for word in ["no lock is written", &format!("{name} 1.0"), help] {
        assert!(half.log.contains(word), "{word} is not in:\n{}", half.log);
    }
    let files = login.give(Build::new(&spec), "logins").with("--target", "lock").files();
    let lock = fs::read_to_string(files.path().join("node.lock")).expect("a lock");
    let locked = || {
        let build = Build::new(&spec);
        fs::write(build.dir().join("node.lock"), &lock).expect("written");
        build.with("--target", "wheels")
    };
    // A builder that has nothing yet, as what has a known digest is not asked for.
    let fresh = Fresh::start();
    locked().on(&fresh.builder).fail(&["invalid response status 401", help, "node.lock:"]);
    let site = login.give_header(locked()).on(&fresh.builder).files();
    assert!(site.path().join("usr/local/lib/python3.13/dist-packages/module.py").is_file());
}

#[test]
fn a_mirror_has_a_channel_of_pytorch() {
    const CHANNEL: &str = "download.pytorch.org/whl/cu128";
    let server = Server::start();
    server.forward("/mirror/deb.debian.org/", "http://deb.debian.org/");
    let put = |index: &str, name: &str, version: &str, requires: &str| {
        let file = format!("{name}-{version}-py3-none-any.whl");
        let address = file.replace('+', "%2B");
        let data = wheel(name, version, requires, &[(&format!("{name}.txt"), index.as_bytes().to_vec())]);
        let (_, digest) = server.put(&format!("/mirror/{index}/{name}/{address}"), data);
        let page = format!("<a href='{address}#sha256={digest}'>{file}</a>");
        server.put(&format!("/mirror/{index}/{name}/"), page.into_bytes());
    };
    for (name, release, requires) in [
        ("torch", "2.9.1", "triton==3.5.1"),
        ("torchvision", "0.24.1", "sympy"),
        ("torchaudio", "2.9.1", "sympy"),
        ("torchao", "0.14.1", "sympy"),
    ] {
        put("simple", name, release, "");
        put(CHANNEL, name, &format!("{release}+cu128"), requires);
    }
    // The same release in both, another file; and one that is newer in the channel, which is not for such packages.
    for index in ["simple", CHANNEL] {
        put(index, "triton", "3.5.1", "");
        put(index, "torchtext", "1.0", "");
    }
    put("simple", "sympy", "1.13", "");
    put(CHANNEL, "sympy", "1.14", "");
    put("simple", "speech", "1.0", "torchaudio\nRequires-Dist: torchtext");

    let policy = policy_of(&server);
    let spec = format!(
        "name: node\nbase: {}\npython: {{version: 3.13, vendor: /usr}}\n\
         torch: {{version: 2.9.1, channel: cu128, audio: false}}\nwheels:\n  exclude: [torchtext]\n  \
         requirements: [speech, \"torchao; python_version < '3.9'\", 'torchtext', 'torchvision>=0.20']\n",
        base()
    );
    let build = || through(&server, &policy, &spec);
    let check = |image: &TempDir| {
        let site = image.path().join("usr/local/lib/python3.13/dist-packages");
        let from = |name: &str| fs::read_to_string(site.join(format!("{name}.txt"))).expect(name);
        for name in ["torch", "torchvision", "torchaudio", "triton"] {
            assert_eq!(from(name), CHANNEL, "{name}");
        }
        assert_eq!((from("sympy"), from("speech")), ("simple".to_owned(), "simple".to_owned()));
        for name in ["torchao", "torchtext"] {
            assert!(!site.join(format!("{name}.txt")).exists(), "{name} is there, and nobody wants it");
        }
        for installed in ["torch-2.9.1+cu128", "triton-3.5.1", "sympy-1.13"] {
            assert!(site.join(format!("{installed}.dist-info")).is_dir(), "no {installed}");
        }
    };
    check(&build().files());
    let files = build().with("--target", "lock").files();
    let lock = fs::read_to_string(files.path().join("node.lock")).expect("a lock");
    for address in
        [&format!("https://{CHANNEL}/torch/torch-2.9.1%2Bcu128"), &format!("https://{CHANNEL}/triton/")]
    {
        assert!(lock.contains(address.as_str()), "{address} is not in:\n{lock}");
    }
    let locked = build().with("--build-arg", "EDGENODE_LOCKED=1");
    fs::write(locked.dir().join("node.lock"), &lock).expect("written");
    check(&locked.files());
}

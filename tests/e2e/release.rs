//! From a built image to its name in a registry: tags made of versions, `edgenode retag` and what goes wrong with registries.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use crate::contexts::config;
use crate::harness::{Build, frontend, setting};

/// Runs the command line.
fn edgenode(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edgenode"))
        .args(arguments)
        .env("DOCKER_CONFIG", "/nonexistent")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("edgenode starts")
}

/// Runs a command that must end with this code; gives both of its outputs.
fn told(arguments: &[&str], code: i32) -> String {
    let output = edgenode(arguments);
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}:\n{text}");
    text
}

/// The digest of a tag in the registry, if there is one.
fn digest(name: &str, tag: &str) -> Option<String> {
    let url = format!("http://{}/v2/{name}/manifests/{tag}", setting("EDGENODE_REGISTRY"));
    let accept =
        "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
    let output = Command::new("curl").args(["-fsSI", "-H", accept, &url]).output().expect("curl starts");
    let head = String::from_utf8_lossy(&output.stdout).to_ascii_lowercase();
    head.lines().find_map(|line| Some(line.strip_prefix("docker-content-digest: ")?.trim().to_owned()))
}

/// Pushes a small image whose versions make the tag `v13`; gives its repository.
fn small(name: &str, label: &str) -> String {
    let spec = format!("name: node\nbase: debian:13\ntag: \"v{{base.tag}}\"\nlabels: {{l: {label}}}\n");
    let image = Build::new(&spec).push(&format!("release/{name}"));
    assert_eq!(config(&image)["config"]["Labels"]["ai.ratio1.tag"], "v13");
    image
}

#[test]
fn an_image_names_itself_by_what_is_in_it() {
    let repository = format!("{}/release/named", setting("EDGENODE_REGISTRY"));
    let spec = format!(
        "name: node\nbase: debian:13\nrepository: {repository}\ntag: py{{python.minor}}-six{{six}}-{{machine}}\n\
         python: {{version: 3.13.5}}\nwheels: {{requirements: [six]}}\n"
    );
    // BuildKit makes the subject of attestations of the name before it asks for it, and fails at the `*`.
    let names_itself = ["--output", "type=image,name=*,push=true", "--provenance=false"];
    Build::new(&spec).arguments_added(&names_itself).succeed();
    let url = format!("http://{}/v2/release/named/tags/list", setting("EDGENODE_REGISTRY"));
    let output = Command::new("curl").args(["-fsS", &url]).output().expect("curl starts");
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let tag = list["tags"][0].as_str().expect("a tag").to_owned();
    let six =
        tag.strip_prefix("py3.13-six").and_then(|rest| rest.strip_suffix("-x86_64")).expect("a tag of ours");
    // What the tag tells of a version that the spec leaves open is what is installed.
    let labels = config(&format!("{repository}:{tag}"))["config"]["Labels"].clone();
    assert_eq!(labels["ai.ratio1.edgenode.package.six"], six);
    assert_eq!(labels["ai.ratio1.tag"], tag.as_str());
    let check = format!("tests: [{{name: six, versions: {{six: '{six}'}}}}]\n");
    Build::new(&format!("{spec}{check}")).with("--target", "test").succeed();
    assert!(told(&["tags", &format!("{repository}:{tag}")], 0).starts_with(&tag));
}

#[test]
fn a_tag_that_names_what_is_not_there_is_refused() {
    Build::new("name: node\nbase: debian:13\ntag: th{torch.minor}\n")
        .fail(&["node.yaml:4:6: the image has no `torch`, whose version its tag tells", ">>> tag: th"]);
    Build::new("name: node\nbase: debian:13\ntag: th{torch.patch}\n")
        .fail(&["a version has `minor` and `major`, not `patch`"]);
    Build::new("name: node\nbase: debian:13\nrepository: a/b:c\n").fail(&["is not a repository"]);
}

#[test]
fn retag_gives_the_tag_once_and_refuses_to_move_it() {
    let image = small("retag", "one");
    let first = digest("release/retag", "latest").expect("pushed");
    assert!(told(&["retag", &image, "--dry-run", "--tag", "dry"], 0).contains("would tag"));
    assert_eq!(digest("release/retag", "dry"), None);
    told(&["retag", &image, "--force"], 0);
    assert_eq!(digest("release/retag", "v13"), Some(first.clone()));
    assert!(told(&["retag", &image], 0).starts_with("already"));
    small("retag", "two");
    let second = digest("release/retag", "latest").expect("pushed");
    assert_ne!(first, second);
    let refused = told(&["retag", &image], 3);
    assert!(refused.contains(&first) && refused.contains("--force"), "{refused}");
    assert_eq!(digest("release/retag", "v13"), Some(first));
    let json = told(&["--json", "retag", &image, "--force"], 0);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((json["done"].as_str(), json["digest"].as_str()), (Some("tagged"), Some(second.as_str())));
    assert_eq!(digest("release/retag", "v13"), Some(second));
}

/// Pushes an image of a Dockerfile and these files.
fn plain(name: &str, files: &[(&str, &str)], arguments: &[&str]) -> String {
    let build = Build::raw(b"FROM scratch\nCOPY files /\n");
    for (path, text) in files {
        let path = build.dir().join("files").join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    build.arguments_added(arguments).push(&format!("release/{name}"))
}

#[test]
fn an_image_without_labels_is_known_by_its_layers() {
    let packages = "opt/python/lib/python3.13/site-packages";
    let files = [
        (format!("{packages}/torch-2.9.1+cpu.dist-info/METADATA"), ""),
        (format!("{packages}/Some_Thing-1.2.3.dist-info/METADATA"), ""),
        ("opt/python/include/python3.13/patchlevel.h".to_owned(), "#define PY_VERSION      \"3.13.11\"\n"),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let image = plain("old", &files, &[]);
    let refused = told(&["retag", &image], 1);
    assert!(refused.contains("has no label that tells its tag; give a `--schema`"), "{refused}");
    let schema = "py{python.minor}-th{torch.minor}-st{some-thing}";
    assert_eq!(told(&["tags", &image, "--schema", schema], 0), "py3.13-th2.9-st1.2.3\n");
    // Who waits at a terminal sees how far it is.
    let command = format!("{} tags {image} --schema '{schema}'", env!("CARGO_BIN_EXE_edgenode"));
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--command", &command, "/dev/null"]).env("TERM", "xterm");
    let shown = terminal.output().expect("script starts").stdout;
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("reading layers") && shown.contains("py3.13-th2.9-st1.2.3"), "{shown:?}");
    assert!(!told(&["tags", &image, "--schema", schema], 0).contains("reading layers"));
    told(&["retag", &image, "--schema", schema, "--force"], 0);
    assert_eq!(digest("release/old", "py3.13-th2.9-st1.2.3"), digest("release/old", "latest"));
    let refused = told(&["retag", &image, "--schema", "ox{onnx}"], 1);
    assert!(refused.contains("the image has no `onnx`"), "{refused}");
    let refused = told(&["tags", &format!("{}:nowhere", image.trim_end_matches(":latest"))], 1);
    assert!(refused.contains("there is no nowhere in the repository"), "{refused}");
}

#[test]
fn an_index_with_a_missing_platform_is_refused() {
    let file = format!("nonce-{:?}", std::time::SystemTime::now());
    let image =
        plain("index", &[("nonce", &file)], &["--platform", "linux/amd64,linux/arm64", "--provenance=false"]);
    let tagged = told(&["retag", &image, "--schema", "on-{machine}", "--force"], 3);
    assert!(
        tagged.contains("the platforms differ: on-x86_64 on linux/amd64, on-aarch64 on linux/arm64"),
        "{tagged}"
    );
    let index = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{image}")])
        .output()
        .expect("skopeo starts");
    let index: serde_json::Value = serde_json::from_slice(&index.stdout).expect("an index");
    let gone = index["manifests"][1]["digest"].as_str().expect("a digest");
    let url = format!("http://{}/v2/release/index/manifests/{gone}", setting("EDGENODE_REGISTRY"));
    assert!(
        Command::new("curl").args(["-fsS", "-X", "DELETE", &url]).status().expect("curl starts").success()
    );
    let refused = told(&["retag", &image, "--schema", "gone"], 1);
    assert!(
        refused.contains("the image for linux/arm64") && refused.contains("is not in the registry"),
        "{refused}"
    );
    assert_eq!(digest("release/index", "gone"), None);
}

/// Pushes a small image with a list of its parts from a generator that always says this.
fn listed(name: &str, list: &serde_json::Value) -> String {
    let generator =
        Build::raw(b"FROM debian:13\nCOPY list /\nENTRYPOINT [\"sh\", \"-c\", \"cp /list $BUILDKIT_SCAN_DESTINATION/list.spdx.json\"]\n");
    let statement = serde_json::json!({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document", "predicate": list});
    fs::write(generator.dir().join("list"), statement.to_string()).expect("written");
    let generator = generator.push(&format!("release/{name}-generator"));
    Build::new("name: node\nbase: debian:13\n")
        .arguments_added(&[&format!("--attest=type=sbom,generator={generator}")])
        .push(&format!("release/{name}"))
}

#[test]
fn a_difference_tells_the_vulnerabilities_that_the_lists_of_parts_name() {
    let advisory = |name: &str| {
        serde_json::json!({
            "referenceCategory": "SECURITY", "referenceType": "advisory",
            "referenceLocator": format!("https://security-tracker.debian.org/tracker/{name}"),
        })
    };
    let list = |name: &str, version: &str, references: &[serde_json::Value]| {
        let package = serde_json::json!({
            "name": name, "versionInfo": version, "SPDXID": "SPDXRef-1", "externalRefs": references,
        });
        serde_json::json!({"spdxVersion": "SPDX-2.3", "packages": [package]})
    };
    let purl = serde_json::json!({
        "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:deb/debian/openssl@3.0.1",
    });
    let before = list("xz-utils", "5.6.1-1", &[advisory("CVE-2024-3094"), advisory("CVE-2000-1")]);
    let after = list("openssl", "3.0.1", &[purl, advisory("CVE-2022-3602"), advisory("CVE-2000-1")]);
    let (before, after) = (listed("listed-before", &before), listed("listed-after", &after));
    let text = told(&["diff", &before, &after], 0);
    assert!(
        text.ends_with(
            "vulnerability gone: CVE-2024-3094 (xz-utils 5.6.1-1)\n\
             vulnerability new: CVE-2022-3602 (openssl 3.0.1)\n\
             vulnerabilities in both: 1\n"
        ),
        "{text}"
    );
    assert!(!told(&["diff", &before, &before], 0).contains("vulnerability "), "nothing is new");
    let json: serde_json::Value =
        serde_json::from_str(&told(&["--json", "diff", &before, &after], 0)).expect("JSON");
    assert_eq!(json["vulnerabilities"]["before"]["CVE-2024-3094"][0], "xz-utils 5.6.1-1");
    assert_eq!(json["vulnerabilities"]["after"]["CVE-2000-1"][0], "openssl 3.0.1");
    // Where one of them has no list, nobody knows.
    let bare = small("bare", "one");
    let text = told(&["diff", &bare, &before], 0);
    assert!(
        text.ends_with("vulnerabilities: the second image's list of parts names 2, the first has no list\n"),
        "{text}"
    );
    assert!(!told(&["diff", &bare, &bare], 0).contains("vulnerabilities"));
}

/// What a proxy in front of the registry does to a request.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Answers with this status.
    Status(u16),
    /// Closes the connection after half of the answer.
    Cut,
    /// Wants a token, which it gives itself.
    Token,
}

/// A proxy that does something to the first `times` requests of a method.
fn proxy(method: &'static str, fault: Fault, times: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let left = Arc::new(Mutex::new(times));
    let own = address.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (left, own) = (left.clone(), own.clone());
            std::thread::spawn(move || serve(stream, &own, method, fault, &left));
        }
    });
    address
}

fn serve(mut stream: TcpStream, own: &str, method: &str, fault: Fault, left: &Mutex<usize>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        head.push(std::mem::take(&mut line));
    }
    let first = head.first()?.clone();
    let length = head
        .iter()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let mut answer = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
        stream.write_all(format!("{head}{body}").as_bytes())
    };
    if first.starts_with("GET /token") {
        return answer("200", "", "{\"token\": \"open sesame\"}").ok();
    }
    let struck = first.starts_with(method) && {
        let mut left = left.lock().ok()?;
        let struck = *left > 0;
        *left -= usize::from(struck);
        struck
    };
    let authorized = head.iter().any(|line| line.to_ascii_lowercase().contains("bearer open sesame"));
    match fault {
        Fault::Status(status) if struck => {
            let body = "{\"errors\": [{\"message\": \"out of order\"}]}";
            return answer(&status.to_string(), "Retry-After: 0\r\n", body).ok();
        }
        Fault::Token if !authorized => {
            let challenge =
                format!("WWW-Authenticate: Bearer realm=\"http://{own}/token\",service=\"proxy\"\r\n");
            return answer("401", &challenge, "").ok();
        }
        _ => {}
    }
    if struck && method == "PUT" {
        // Cut before it reaches the registry.
        return None;
    }
    let mut registry = TcpStream::connect(setting("EDGENODE_REGISTRY")).ok()?;
    let kept = head.iter().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let request: String = kept.cloned().collect::<String>() + "Connection: close\r\n\r\n";
    registry.write_all(request.as_bytes()).ok()?;
    registry.write_all(&body).ok()?;
    let mut response = Vec::new();
    registry.read_to_end(&mut response).ok()?;
    if struck {
        response.truncate(response.len() - 40);
    }
    stream.write_all(&response).ok()
}

#[test]
fn a_registry_that_is_at_fault_for_a_while_is_asked_again() {
    small("faulty", "one");
    let cases = [
        ("GET", Fault::Token, 0),
        ("GET", Fault::Status(429), 2),
        ("GET", Fault::Status(503), 2),
        ("PUT", Fault::Status(500), 2),
        ("GET", Fault::Cut, 2),
        ("PUT", Fault::Cut, 2),
    ];
    for (number, (method, fault, times)) in cases.into_iter().enumerate() {
        let image = format!("{}/release/faulty:latest", proxy(method, fault, times));
        let tag = format!("good-{number}");
        let arguments = ["retag", &image, "--tag", &tag, "--backoff", "1ms", "--force"];
        told(&arguments, 0);
        assert_eq!(digest("release/faulty", &tag), digest("release/faulty", "latest"), "{method} {fault:?}");
    }
}

#[test]
fn a_registry_that_stays_at_fault_is_told_and_nothing_is_tagged() {
    small("broken", "one");
    let cases = [
        ("GET", Fault::Status(401), "it answers 401"),
        (
            "GET",
            Fault::Status(429),
            "it answers 429 to release/broken/manifests/latest (out of order); it gets too many",
        ),
        ("GET", Fault::Status(502), "it is out of order: try again later"),
        ("PUT", Fault::Status(500), "it answers 500"),
        ("PUT", Fault::Status(403), "log in with `docker login`"),
        ("GET", Fault::Cut, "broke off"),
        ("PUT", Fault::Cut, "it cannot be reached"),
    ];
    for (method, fault, expected) in cases {
        let image = format!("{}/release/broken:latest", proxy(method, fault, usize::MAX));
        let text = told(&["retag", &image, "--tag", "never", "--backoff", "1ms"], 4);
        assert!(text.contains(expected), "{method} {fault:?}: {expected:?} is not in {text}");
        assert_eq!(digest("release/broken", "never"), None, "{method} {fault:?}");
    }
    let text = told(&["retag", "127.0.0.1:1/a/b", "--backoff", "1ms"], 4);
    assert!(text.contains("the registry 127.0.0.1:1: it cannot be reached"), "{text}");
}

/// What the layers of a pushed image are, whose index begins with it.
fn media_types(repository: &str, tag: &str) -> Vec<String> {
    let raw = |reference: &str| {
        let output = Command::new("skopeo")
            .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{repository}{reference}")])
            .output()
            .expect("skopeo starts");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("a manifest")
    };
    let index = raw(&format!(":{tag}"));
    let manifest = raw(&format!("@{}", index["manifests"][0]["digest"].as_str().expect("a digest")));
    let layers = manifest["layers"].as_array().expect("layers").iter();
    layers.map(|layer| layer["mediaType"].as_str().expect("a type").to_owned()).collect()
}

/// `docker buildx bake` with a file that the command line wrote.
fn bake(arguments: &[&str], directory: &Path) -> Output {
    Command::new(setting("EDGENODE_BUILDX"))
        .args(["bake", "--builder", "newest"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("buildx starts")
}

#[test]
fn the_bake_files_name_all_specs() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (directory, file) in [("specs", "docker-bake.hcl"), (".", "examples/docker-bake.hcl")] {
        let print = |group: &str| {
            let output = bake(&["-f", file, "--print", group], &project.join(directory));
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{log}");
            serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
        };
        let production = print("production");
        let targets = production["target"].as_object().expect("targets");
        assert_eq!(targets.len(), 2, "{production:#}");
        let cpu = &targets["base_edge_node_amd64_cpu"];
        assert_eq!(cpu["tags"][0], "ratio1/base_edge_node_amd64_cpu:latest");
        assert_eq!(cpu["platforms"][0], "linux/amd64");
        let context = project.join(directory).join(cpu["context"].as_str().expect("a context"));
        assert!(context.join(cpu["dockerfile"].as_str().expect("a file")).is_file());
        for group in ["cpu", "gpu", "experimental", "archived", "default"] {
            assert!(print(group)["target"].as_object().is_some_and(|targets| !targets.is_empty()), "{group}");
        }
        let output = bake(&["-f", file, "--list=targets"], &project.join(directory));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_bake_file_builds() {
    let build = Build::raw(b"");
    let spec = "# syntax=ratio1/edgenode:1\nname: small.node\nstatus: production\nbase: debian:13\n\
                platforms: [linux/amd64]\nrepository: release/baked\ntests: [{name: t, run: ['true']}]\n";
    fs::write(build.dir().join("small.yaml"), spec).expect("written");
    fs::write(build.dir().join("common.yaml"), "base: debian:13\n").expect("written");
    let directory = build.dir().display().to_string();
    fs::write(build.dir().join("docker-bake.hcl"), told(&["bake", &directory], 0)).expect("written");
    let registry = format!("{}/", setting("EDGENODE_REGISTRY"));
    let syntax = format!("*.args.BUILDKIT_SYNTAX={}", frontend());
    let push = |tag: &str, compression: &str| {
        let mut command = Command::new(setting("EDGENODE_BUILDX"));
        command
            .args(["bake", "--builder", "newest", "--set", &syntax, "--push", "production"])
            .current_dir(build.dir());
        command.env("REGISTRY", &registry).env("TAG", tag).env("CACHE", format!("{registry}release/cache"));
        let output = command.env("COMPRESSION", compression).output().expect("buildx starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    push("first", "");
    assert!(digest("release/baked", "first").is_some());
    assert!(digest("release/cache", "small_node").is_some(), "the cache is exported");
    let first = media_types(&format!("{registry}release/baked"), "first");
    assert!(first.iter().all(|media_type| media_type.ends_with("gzip")), "{first:?}");
    // What is there already stays as it is.
    let id = std::process::id();
    let more = format!("{spec}commands: [{{name: more, run: [touch, /more-{id}]}}]\n");
    fs::write(build.dir().join("small.yaml"), more).expect("written");
    push("second", "zstd");
    let second = media_types(&format!("{registry}release/baked"), "second");
    assert!(second.first() == first.first() && second.iter().any(|m| m.ends_with("zstd")), "{second:?}");
    let checked = bake(&["--set", &syntax, "--call", "check", "production"], build.dir());
    let text =
        String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(text.contains("UnpinnedBase"), "{text}");
}

#[test]
fn the_command_line_has_a_lock_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let client = directory.path().join("docker-buildx");
    std::os::unix::fs::symlink(setting("EDGENODE_BUILDX"), client).expect("linked");
    let spec = directory.path().join("node.yaml");
    let lock = |text: &str| {
        fs::write(&spec, format!("# syntax=ratio1/edgenode:1\n{text}")).expect("written");
        Command::new(env!("CARGO_BIN_EXE_edgenode"))
            .args(["lock".as_ref(), spec.as_os_str()])
            .args(["--", "--builder", "newest", "--build-arg", &format!("BUILDKIT_SYNTAX={}", frontend())])
            .env("PATH", directory.path())
            .output()
            .expect("edgenode starts")
    };
    let made = lock("name: node\nbase: debian:13\nsystem: {packages: [ed]}\n");
    let log = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{log}");
    let path = directory.path().join("node.lock");
    assert_eq!(String::from_utf8_lossy(&made.stdout).trim(), path.display().to_string());
    let text = fs::read_to_string(&path).expect("a lock");
    assert!(text.contains("name: \"ed:amd64\""), "{text}");

    let before = directory.path().join("before.lock");
    fs::copy(&path, &before).expect("copied");
    assert!(lock("name: node\nbase: debian:13\nsystem: {packages: [ed, tree]}\n").status.success());
    let text = fs::read_to_string(&path).expect("a lock");
    let differing = told(&["diff", &before.display().to_string(), &path.display().to_string()], 0);
    let lines: Vec<_> = differing.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("tree  "), "{differing}");
    assert!(lines[1].starts_with("1 of ") && lines[1].contains(" files are new, 0.1 MB of "), "{differing}");

    let failed = lock("name: node\nbase: debian:13\nsystem: {packages: [no-such-package]}\n");
    assert_eq!(failed.status.code(), Some(1));
    let log = String::from_utf8_lossy(&failed.stderr);
    assert!(log.contains("no-such-package") && log.contains("is as it was: the build failed"), "{log}");
    assert_eq!(fs::read_to_string(&path).expect("a lock"), text);
}

//! Points of the contract between BuildKit, its clients and a frontend that no other test shows. `tests/conformance/points.yaml`
//! says which test shows which point.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::components::trusting_base;
use crate::contexts::config;
use crate::harness::{
    Agent, Build, Daemon, RELEASES, Server, buildctl, builder, daemon, frontend, setting, small_ffmpeg,
};

const GOOD: &str = "name: node\nbase: debian:13\n";

/// A command that no earlier run of the tests has run.
fn unlikely_command() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("commands:\n  - {{name: mark, run: [touch, /mark-{now}]}}\n")
}

/// A manifest or blob of the registry.
pub(crate) fn fetch(kind: &str, name: &str, reference: &str) -> Value {
    let url = format!("http://{}/v2/{name}/{kind}/{reference}", setting("EDGENODE_REGISTRY"));
    let accept = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                  application/vnd.docker.distribution.manifest.v2+json, \
                  application/vnd.docker.distribution.manifest.list.v2+json";
    let output = Command::new("curl").args(["-fsSL", "-H", accept, &url]).output().expect("curl starts");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn a_syntax_line_with_more_words() {
    Build::new(GOOD).with("--build-arg", &format!("BUILDKIT_SYNTAX={} more words", frontend())).succeed();
}

#[test]
fn build_arguments_reach_the_spec_as_they_are() {
    let spec = format!(
        "{GOOD}args: {{A: none, B: none, DIR: {{default: /srv, description: where it works}}}}\nworkdir: ${{DIR}}/app\n\
         labels: {{a: '${{A}}', b: 'b${{B}}', c: '${{TARGETARCH}}'}}\n"
    );
    let build = Build::new(&spec).arguments_added(&[
        "--build-arg=A=x=y\nz",
        "--build-arg=B=",
        "--build-arg=DIR=/opt",
    ]);
    let config = &config(&build.push("conformance/arguments"))["config"];
    assert_eq!(
        (&config["Labels"]["a"], &config["Labels"]["b"], &config["Labels"]["c"], &config["WorkingDir"]),
        (&json!("x=y\nz"), &json!("b"), &json!("amd64"), &json!("/opt/app"))
    );
    let told = Build::new(&spec).with("--call", "outline").succeed().stdout;
    assert!(told.contains("DIR") && told.contains("where it works"), "{told}");
}

#[test]
fn a_build_argument_is_checked_like_the_field_it_stands_in() {
    let spec = format!("{GOOD}args: {{DIR: /srv}}\nworkdir: ${{DIR}}\n");
    let words = [
        "node.yaml:5:10: `here` is not a directory; the path must begin with `/`",
        "5 | >>> workdir: ${DIR}",
    ];
    Build::new(&spec).with("--build-arg", "DIR=here").fail(&words);
}

#[test]
fn an_unknown_build_argument_is_warned_of() {
    let spec = format!("{GOOD}args: {{PLACE: /srv}}\nworkdir: ${{PLACE}}\n");
    let known = ["--build-arg=PLACE=/opt", "--build-arg=HTTP_PROXY=", "--build-arg=SOURCE_DATE_EPOCH=0"];
    let log =
        Build::new(&spec).arguments_added(&known).arguments_added(&["--build-arg=PLACEE=/opt"]).succeed().log;
    assert!(log.contains("the spec has no argument `PLACEE`"), "{log}");
    assert_eq!(log.matches(" - the spec has no argument").count(), 1, "{log}");
}

#[test]
fn long_options_and_long_specs_with_errors() {
    let spec = format!("{GOOD}commands: [{{name: fails, run: ['false']}}]\n# {}\n", "x".repeat(900_000));
    Build::new(&spec)
        .with("--build-arg", &format!("LONG={}", "x".repeat(65_536)))
        .fail(&["[command] fails", ">>> commands:"]);
}

#[test]
fn a_file_that_is_not_in_the_context() {
    let spec = format!("{GOOD}files:\n  - {{from: gone.txt, to: /gone.txt}}\n");
    Build::new(&spec).fail(&["gone.txt", "not found", "5 | >>>   - {from: gone.txt"]);
}

#[test]
fn a_mistake_has_one_snippet() {
    let log = Build::new(&format!("{GOOD}sytem: {{}}\n")).fail(&[">>> sytem: {}"]).log;
    assert_eq!(log.lines().filter(|line| line.starts_with("-----")).count(), 2, "{log}");
}

#[test]
fn only_what_is_needed_and_not_ignored_is_sent() {
    let spec = format!("{GOOD}files:\n  - {{from: app, to: /app}}\n");
    let build = Build::new(&spec).with("--target", "files");
    let write = |path: &str, data: &[u8]| fs::write(build.dir().join(path), data).expect("written");
    fs::create_dir(build.dir().join("app")).expect("made");
    write("app/kept", b"kept");
    write("app/left-out", &vec![b'x'; 5 << 20]);
    write("unused", &vec![b'x'; 20 << 20]);
    // The ignore file of the spec comes before that of the directory.
    write("node.yaml.dockerignore", b"app/left-out\n");
    write(".dockerignore", b"app/kept\n");
    let log = build.succeed().log;
    let sent: Vec<_> = log.lines().filter(|line| line.contains("transferring context:")).collect();
    assert!(!sent.is_empty() && sent.iter().all(|line| !line.contains("MB")), "{sent:?}");
    write("app/kept", b"kept");
    let again = build.succeed().log;
    assert!(again.lines().any(|line| line.ends_with("CACHED")), "a new time is no change:\n{again}");
    let names: Vec<_> = build.listing().into_keys().filter(|name| name.starts_with("app/")).collect();
    assert_eq!(names, ["app/kept"]);
}

#[test]
fn a_component_is_replaced_by_a_tree() {
    let server = Server::start();
    let (url, sha256) = server.put("/ffmpeg.tar.gz", small_ffmpeg("replaced"));
    let spec = format!(
        "{GOOD}ffmpeg: {{version: 1.0.0, url: '{url}', sha256: {sha256}}}\n\
         tests: [{{name: runs, run: [ffmpeg], stdout_contains: [replaced]}}]\n"
    );
    let tree = Build::new(&spec).with("--target", "ffmpeg").files();
    let broken = spec.replace(&sha256, &"0".repeat(64));
    let context = format!("ffmpeg={}", tree.path().display());
    // With the tree at hand neither the archive is fetched nor anything compiled.
    let reports = Build::new(&broken).with("--build-context", &context).with("--target", "test");
    let log = reports.succeed().log;
    assert!(log.contains("[context ffmpeg]") && !log.contains("[ffmpeg 1.0.0] build"), "{log}");
    // The sources can be replaced as well, by what the archive would hold.
    let sources = tempfile::tempdir().expect("a directory");
    let archive = sources.path().join("a.tar.gz");
    fs::write(&archive, small_ffmpeg("from-a-directory")).expect("written");
    let unpacked = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(sources.path()).status();
    assert!(unpacked.expect("tar starts").success());
    fs::remove_file(archive).expect("removed");
    let context = format!("ffmpeg-source={}", sources.path().display());
    let spec = broken.replace("[replaced]", "[from-a-directory]");
    Build::new(&spec).with("--build-context", &context).with("--target", "test").succeed();
}

/// A package of pure Python, as a wheel.
fn wheel(name: &str) -> Vec<u8> {
    let python = r#"
import io, sys, zipfile
name, file = sys.argv[1], io.BytesIO()
archive = zipfile.ZipFile(file, "w")
info = f"{name}-1.0.dist-info/"
archive.writestr(f"{name}.py", "told = 'from a guarded index'\n")
archive.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
archive.writestr(info + "RECORD", f"{name}.py,,\n{info}METADATA,,\n{info}WHEEL,,\n{info}RECORD,,\n")
archive.close()
sys.stdout.buffer.write(file.getvalue())
"#;
    Command::new("python3").args(["-c", python, name]).output().expect("python3 starts").stdout
}

#[test]
fn a_guarded_package_index_is_asked_with_a_secret() {
    let server = Server::start();
    let name = format!("guarded{}", std::process::id());
    let file = format!("{name}-1.0-py3-none-any.whl");
    let (_, sha256) = server.put(&format!("/index/{name}/{file}"), wheel(&name));
    server.put(
        &format!("/index/{name}/"),
        format!("<a href=\"{file}#sha256={sha256}\">{file}</a>").into_bytes(),
    );
    server.guard("/index/", &format!("Basic {}", STANDARD.encode("user:open-sesame")));
    let spec = format!(
        "name: node\nbase: {}\npython: {{version: 3.13, venv: /opt/venv}}\nsecrets: {{netrc: logins}}\n\
         wheels: {{indexes: ['{}/index/'], requirements: [{name}==1.0]}}\n\
         tests: [{{name: told, run: [python3, -c, 'import {name}; print({name}.told)'], stdout_contains: [guarded]}}]\n",
        trusting_base(),
        server.address()
    );
    let outline = Build::new(&spec).with("--call", "outline,format=json").succeed().stdout;
    let outline: Value = serde_json::from_str(&outline).expect("JSON");
    assert_eq!(
        (&outline["secrets"][0]["name"], &outline["secrets"][0]["required"]),
        (&json!("logins"), &json!(true))
    );
    Build::new(&spec).fail(&["secret logins: not found"]);
    let logins = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&logins, "machine 127.0.0.1 login user password open-sesame\n").expect("written");
    let secret = format!("id=logins,src={}", logins.path().display());
    Build::new(&spec).with("--secret", &secret).with("--target", "test").succeed();
    let image = Build::new(&spec).with("--secret", &secret);
    let config = config(&image.push("conformance/guarded")).to_string();
    assert!(!config.contains("open-sesame") && !config.contains("/run/edgenode-secrets"), "{config}");
}

#[test]
fn a_command_reads_a_secret_and_leaves_nothing_of_it() {
    let command = |secret: &str| {
        format!(
            // Without the number an earlier run's result would do, whose secret is no part of the step.
            "{GOOD}commands: [{{name: look, run: [sh, -c, 'cat /run/secrets/word >/told 2>&1 || true', '{}'], \
             secrets: [{secret}]}}]\n",
            std::process::id()
        )
    };
    Build::new(&command("word")).fail(&["secret word: not found", ">>> commands:"]);
    let files = |build: Build| {
        let files = build.files();
        assert!(!files.path().join("run/secrets").exists());
        fs::read_to_string(files.path().join("told")).expect("read")
    };
    let optional = command("{id: word, optional: true}");
    assert!(files(Build::new(&optional)).contains("No such file"));
    let secret = Build::new(&command("word")).env("WORD", "open-sesame").with("--secret", "id=word,env=WORD");
    assert_eq!(files(secret), "open-sesame");
}

#[test]
fn a_command_uses_the_agent_of_the_client() {
    let command = |agent: &str| {
        format!(
            // As above, the number tells this run's step from those of earlier ones.
            "{GOOD}system: {{packages: [openssh-client]}}\ncommands:\n  - name: look\n    \
             run: [sh, -c, 'ssh-add -l >/told 2>&1 || true', '{}']\n    ssh: {agent}\n",
            std::process::id()
        )
    };
    Build::new(&command("default")).fail(&["unset ssh forward key default", ">>>   - name: look"]);
    let outline = Build::new(&command("default")).with("--call", "outline,format=json").succeed().stdout;
    let outline: Value = serde_json::from_str(&outline).expect("JSON");
    assert_eq!(
        (&outline["ssh"][0]["name"], &outline["ssh"][0]["required"]),
        (&json!("default"), &json!(true))
    );
    let agent = Agent::start("a-key-of-the-tests");
    for builder in RELEASES {
        let build = Build::new(&command("default")).on(builder).with("--ssh", &agent.option());
        let files = build.files();
        let told = fs::read_to_string(files.path().join("told")).expect("read");
        assert!(told.contains("a-key-of-the-tests"), "{builder}: {told}");
        assert!(!files.path().join("run/buildkit").exists(), "{builder}");
    }
    Build::new(&command("{id: default, optional: true}")).succeed();
}

#[test]
fn a_context_that_nothing_uses_is_warned_of() {
    let build = Build::new(GOOD);
    let context = format!("ffmpg={}", build.dir().display());
    let spec = format!("{GOOD}uv: 0.12.1\n");
    let log = Build::new(&spec).with("--build-context", &context).succeed().log;
    assert!(log.contains("nothing uses the build context `ffmpg`"), "{log}");
}

#[test]
fn what_is_named_runs_again() {
    let build = |arguments: &[&str]| {
        let spec =
            format!("{GOOD}commands:\n  - {{name: one, run: ['true']}}\n  - {{name: two, run: ['true']}}\n");
        Build::new(&spec).arguments_added(arguments).succeed()
    };
    build(&[]);
    // What stands on it has a new input.
    assert_eq!(build(&["--no-cache-filter=two"]).executed(), ["[command] two", "[image] seal"]);
    let all = build(&["--no-cache"]);
    assert!(all.executed().contains(&"[command] one") && all.executed().contains(&"[image] seal"), "{all:?}");
}

#[test]
fn a_cache_in_a_registry_serves_another_daemon() {
    let spec = format!("{GOOD}{}", unlikely_command());
    let build = Build::new(&spec);
    let cache = format!("type=registry,ref={}/conformance/cache", setting("EDGENODE_REGISTRY"));
    let made = Build::new(&spec).with("--cache-to", &format!("{cache},mode=max")).succeed();
    assert!(made.executed().contains(&"[command] mark"), "{made:?}");
    let daemon = Daemon::start();
    let used = buildctl(&daemon.address(), build.dir(), &[], &[&format!("--import-cache={cache}")]);
    assert!(used.ok && used.log.contains("[command] mark"), "{used:?}");
    assert_eq!(used.executed(), [""; 0], "{used:?}");
}

#[test]
fn an_index_of_one_platform_where_the_client_wants_it() {
    let build = |value: &str| {
        Build::new(GOOD)
            .arguments_added(&["--provenance=false"])
            .with("--build-arg", &format!("BUILDKIT_MULTI_PLATFORM={value}"))
    };
    build("1").push("conformance/index");
    assert_eq!(
        fetch("manifests", "conformance/index", "latest")["manifests"].as_array().map(Vec::len),
        Some(1)
    );
    build("0").push("conformance/no-index");
    assert!(fetch("manifests", "conformance/no-index", "latest")["layers"].is_array());
    build("0").with("--platform", "linux/amd64,linux/amd64/v2").fail(&["platform"]);
}

#[test]
fn bake_builds_targets_on_each_other() {
    let build = Build::raw(b"");
    let spec = |fields: &str| format!("# syntax=ratio1/edgenode:1\nname: node\nbase: debian:13\n{fields}");
    fs::write(build.dir().join("one.yaml"), spec("env: {FROM: one}\nfiles: [{from: a, to: /a}]\n"))
        .expect("written");
    fs::write(build.dir().join("two.yaml"), spec("files: [{from: a, to: /b}]\n")).expect("written");
    fs::write(build.dir().join("a"), "a").expect("written");
    // The registry does not show a manifest of Docker's kind to older builders that would push by the same name.
    let image = |name: &str| {
        format!("{}/conformance/bake-{name}-{}", setting("EDGENODE_REGISTRY"), std::process::id())
    };
    let target = |name: &str, contexts: Value| {
        let image = image(name);
        json!({"context": ".", "dockerfile": format!("{name}.yaml"), "args": {"BUILDKIT_SYNTAX": frontend()},
               "contexts": contexts, "output": [format!("type=image,name={image},push=true")]})
    };
    let bake = json!({"group": {"default": {"targets": ["one", "two"]}},
                      "target": {"one": target("one", json!({})), "two": target("two", json!({"base": "target:one"}))}});
    fs::write(build.dir().join("bake.json"), bake.to_string()).expect("written");
    let bake = |arguments: &[&str]| {
        let output = Command::new(setting("EDGENODE_BUILDX"))
            .args(["bake", "--builder", &builder(), "--progress", "plain", "-f", "bake.json"])
            .args(arguments)
            .current_dir(build.dir())
            .output();
        output.expect("buildx starts")
    };
    let output = bake(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let two = config(&image("two"));
    assert!(two["config"]["Env"].as_array().is_some_and(|env| env.contains(&json!("FROM=one"))), "{two}");
    let checked = bake(&["--check", "one"]);
    assert!(
        !checked.status.success() && String::from_utf8_lossy(&checked.stdout).contains("UnpinnedBase"),
        "{checked:?}"
    );
}

#[test]
fn the_frontend_itself_is_replaced_by_a_context() {
    Build::new(GOOD)
        .with("--build-arg", "BUILDKIT_SYNTAX=nowhere/edgenode:1")
        .with("--build-context", &format!("nowhere/edgenode:1=docker-image://{}", frontend()))
        .succeed();
}

#[test]
fn warnings_are_in_the_metadata_file() {
    let out = tempfile::tempdir().expect("a directory");
    let file = out.path().join("metadata.json");
    Build::new(&format!("{GOOD}env: {{HF_TOKEN: abc}}\n"))
        .env("BUILDX_METADATA_WARNINGS", "1")
        .with("--metadata-file", &file.display().to_string())
        .succeed();
    let metadata = fs::read_to_string(file).expect("read");
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    assert!(metadata["buildx.build.warnings"].to_string().contains("docs/lint.md#secretinenv"), "{metadata}");
}

#[test]
fn provenance_has_the_spec_and_its_steps() {
    let spec = format!("{GOOD}{}", unlikely_command());
    Build::new(&spec).arguments_added(&["--provenance=mode=max"]).push("conformance/provenance");
    let index = fetch("manifests", "conformance/provenance", "latest");
    let attestation = index["manifests"]
        .as_array()
        .and_then(|all| {
            all.iter().find(|m| m["annotations"]["vnd.docker.reference.type"] == "attestation-manifest")
        })
        .unwrap_or_else(|| panic!("no attestation in {index}"));
    let digest = |value: &Value| value["digest"].as_str().expect("a digest").to_owned();
    let manifest = fetch("manifests", "conformance/provenance", &digest(attestation));
    let provenance = fetch("blobs", "conformance/provenance", &digest(&manifest["layers"][0])).to_string();
    let text = STANDARD.encode(format!("# syntax=ratio1/edgenode:1\n{spec}"));
    for words in ["node.yaml", &text, "/mark-", "/run/edgenode/scripts/seal.sh", "docker.io/library/debian"] {
        assert!(provenance.contains(words), "{words:?} is not in the provenance:\n{provenance}");
    }
}

#[test]
fn a_source_policy_that_denies_is_obeyed() {
    let build = Build::new(GOOD);
    let rule =
        json!({"action": "DENY", "selector": {"identifier": "docker-image://docker.io/library/debian:13*"}});
    let policy = build.dir().join("policy.json");
    fs::write(&policy, json!({"version": 1, "rules": [rule]}).to_string()).expect("written");
    let policy = policy.display().to_string();
    build.env("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY", &policy).fail(&[
        "debian:13",
        "denied",
        ">>> base: debian:13",
    ]);
}

#[test]
fn history_tells_of_every_layer() {
    let spec = format!(
        "{GOOD}system: {{packages: [tzdata]}}\nworkdir: /srv\ncommands: [{{name: one, run: ['true']}}]\n"
    );
    let config = config(&Build::new(&spec).push("conformance/history"));
    let told =
        config["history"].as_array().expect("a history").iter().filter(|entry| entry["empty_layer"] != true);
    assert_eq!(Some(told.count()), config["rootfs"]["diff_ids"].as_array().map(Vec::len), "{config}");
}

#[test]
fn layers_are_compressed_as_the_client_wants() {
    let image = format!("{}/conformance/zstd", setting("EDGENODE_REGISTRY"));
    let output = format!(
        "type=image,name={image},push=true,compression=zstd,force-compression=true,oci-mediatypes=true"
    );
    Build::new(GOOD).arguments_added(&["--pull", "--provenance=false"]).with("--output", &output).succeed();
    let manifest = fetch("manifests", "conformance/zstd", "latest");
    let layers = manifest["layers"].as_array().expect("layers");
    assert!(
        layers.iter().all(|l| l["mediaType"].as_str().is_some_and(|t| t.ends_with("zstd"))),
        "{manifest}"
    );
}

#[test]
fn options_without_sense_have_an_answer_or_an_error() {
    let build = Build::new(GOOD);
    let long = format!("x={}", "y".repeat(60_000));
    let cases: [(&[&str], &str); 24] = [
        (&["nobody-knows-me=1", "another\nline=2", "=", "build-arg:=x", "label:=x"], ""),
        (&[&long, "requestid=frontend.targets"], ""),
        (&["requestid=frontend.\n"], "unsupported request"),
        (&["build-arg:BUILDKIT_MULTI_PLATFORM=2"], "2"),
        (&["build-arg:BUILDKIT_DOCKERFILE_CHECK=nonsense"], "nonsense"),
        (&["requestid=frontend.lint", "target=nowhere"], ""),
        (&["target=../../etc"], "there is no target"),
        (&["target=a\nb"], "there is no target `a\\nb`"),
        (&["platform=linux/amd64,linux/amd64,linux/amd64"], ""),
        (&["platform=plan9"], "plan9"),
        (&["platform=,,,"], "platform"),
        (&["cache-imports={\"not\":\"a list\"}"], "cache-imports"),
        (&["image-resolve-mode=never"], "never"),
        (&["context:base=docker-image://"], "base"),
        (&["context:base=nonsense"], "unknown kind"),
        (&["context:base=input:nowhere"], "nowhere"),
        (&["filename=../../../etc/passwd"], "etc/passwd"),
        (&["ulimit=nofile"], "ulimit"),
        (&["shm-size=9999999999999999999999"], "9999999999"),
        (&["add-hosts=a=b=c"], "b=c"),
        (&["build-arg:SOURCE_DATE_EPOCH=tomorrow", "requestid=frontend.outline"], ""),
        (&["build-arg:SOURCE_DATE_EPOCH=tomorrow"], "tomorrow"),
        (&["memory=everything"], "everything"),
        (&["frontend.caps=moby.buildkit.frontend.teleport"], "teleport"),
    ];
    for (options, words) in cases {
        let started = std::time::Instant::now();
        let outcome = buildctl(&daemon(&builder()), build.dir(), options, &[]);
        let told = format!("{}{}", outcome.stdout, outcome.log);
        assert!(
            words.is_empty() || (!outcome.ok && told.contains(words)),
            "{options:.80?}: {words:?} is not in\n{told}"
        );
        assert!(words.is_empty() == outcome.ok, "{options:.80?}:\n{told}");
        assert!(
            !told.contains("the frontend is at fault") && !told.contains("panic"),
            "{options:.80?}:\n{told}"
        );
        assert!(started.elapsed().as_secs() < 60, "{options:.80?} took {:?}", started.elapsed());
    }
}

//! The components that no example shows, put into one image: programs, Docker Engine, groups of wheels, files, commands,
//! what the spec extends.

use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::contexts::config;
use crate::harness::{Build, Server, archive, wheel};

const BELOW: &str = "
base: debian:13
system:
  packages: [curl, nano]
  timezone: Europe/Berlin
env: {A: '1', B: '2'}
tests:
  - {name: zone, run: [date, +%Z], stdout_contains: [CE]}
";

const SPEC: &str = r#"# syntax=ratio1/edgenode:1
extends: common/below.yaml
name: everything
status: experimental
system:
  packages: [util-linux]
  locale: en_US.UTF-8
  users: [{name: node, id: 1000, shell: /bin/bash}]
python: {version: 3.13.5}
nodejs: 20.18.0
docker: distribution
onnxruntime: 1.23.2
wheels:
  requirements: [numpy==2.2.6, coloredlogs==15.0.1]
  files: [requirements.txt]
  exclude: [humanfriendly]
  cpu_baseline: x86-64
files:
  - {from: app, to: /app}
  - {from: app/config.yaml, to: /etc/app/config.yaml, mode: "0600"}
commands:
  - {name: compile, run: [python3, -m, compileall, -q, /app]}
  - {name: read, run: [cp, /run/edgenode/inputs/app/config.yaml, /from-input], inputs: [app/config.yaml]}
env: {B: null, C: "3"}
cmd: [bash]
tests:
  - {name: node, run: [node, --version], stdout_contains: [v20.18.0]}
  - {name: npm, run: [npm, --version]}
  - name: wheels
    run: [python3, -c, "import onnxruntime, yaml, six, numpy; print(numpy.__version__)"]
    stdout_contains: [2.2.6]
  - {name: user, run: [id, node], stdout_contains: ["1000"]}
  - {name: mode, run: [stat, -c, "%a", /etc/app/config.yaml], stdout_contains: ["600"]}
  - {name: commands, run: [ls, /app/__pycache__, /from-input]}
  - {name: docker, run: [docker, --version]}
  - {name: env, run: [env], stdout_contains: ["EE_DD=false", "LANG=en_US.UTF-8", "TZ=Europe/Berlin", "A=1", "C=3"]}
  - name: excluded
    run: [python3, -c, "import importlib.util as u; print(u.find_spec('humanfriendly'), u.find_spec('coloredlogs').name)"]
    stdout_contains: [None coloredlogs]
"#;

fn build(requirements: &str) -> Build {
    let build = Build::raw(SPEC.as_bytes());
    let files = BTreeMap::from([
        ("common/below.yaml", BELOW),
        ("app/main.py", "print('hello')\n"),
        ("app/config.yaml", "key: value\n"),
        ("requirements.txt", requirements),
    ]);
    for (path, text) in files {
        let path = build.dir().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    build
}

const REQUIREMENTS: &str = "# what the application needs\npyyaml==6.0.3\nsix==1.17.0 \\\n    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274  # for old times' sake\n";

#[test]
fn every_component_is_in_the_image() {
    let reports = build(REQUIREMENTS).with("--target", "test").files();
    assert_eq!(fs::read_dir(reports.path()).expect("read").count(), 13);
    let image = build(REQUIREMENTS).push("components/everything");
    let config = config(&image);
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/usr/local/bin/entrypoint.sh"]));
    assert_eq!(config["config"]["Labels"]["ai.ratio1.status"], "experimental");
    assert_eq!(config["config"]["Labels"]["ai.ratio1.edgenode.nodejs"], "20.18.0");
    let env = config["config"]["Env"].as_array().expect("a list");
    assert!(!env.iter().any(|entry| entry.as_str().is_some_and(|entry| entry.starts_with("B="))), "{env:?}");

    // One package more, by a requirement that no build had before: its group, and what runs in the whole image.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date").as_nanos();
    let executed = build(&format!("{REQUIREMENTS}attrs==25.3.0,!=0.{now}\n")).begun();
    assert!(executed.contains("[wheels] find versions"), "{executed:?}");
    // An earlier run of this test may have left the others in the cache.
    let expected = [
        "[command] compile",
        "[command] read",
        "[image] check that the parts fit",
        "[image] seal",
        "[wheels] find needed libraries",
        "[wheels] find versions",
        "[wheels] install wheels",
    ];
    assert!(executed.iter().all(|step| expected.contains(&step.as_str())), "{executed:?}");
}

#[test]
fn the_target_spec_says_where_every_value_comes_from() {
    let out = build(REQUIREMENTS).with("--target", "spec").files();
    let text = fs::read_to_string(out.path().join("edgenode.yaml")).expect("read");
    for line in [
        "    - curl  # common/below.yaml:4",
        "    - util-linux  # node.yaml:6",
        "  A: \"1\"  # common/below.yaml:6",
    ] {
        assert!(text.lines().any(|have| have == line), "{line:?} is not in:\n{text}");
    }
}

#[test]
fn a_mistake_is_shown_in_the_file_that_has_it() {
    let build = build(REQUIREMENTS);
    fs::write(build.dir().join("common/below.yaml"), BELOW.replace("packages", "pakages")).expect("written");
    build.fail(&["common/below.yaml:4:3", "did you mean `packages`?", ">>>   pakages: [curl, nano]"]);
}

#[test]
fn what_is_extended_must_be_there() {
    Build::new("name: node\nextends: nowhere.yaml\n").fail(&["`nowhere.yaml` is not in the build context"]);
    let build = Build::new("name: node\nextends: a.yaml\n");
    fs::write(build.dir().join("a.yaml"), "extends: b.yaml\n").expect("written");
    fs::write(build.dir().join("b.yaml"), "extends: a.yaml\n").expect("written");
    build.fail(&["the spec extends itself by way of `a.yaml`"]);
}

#[test]
fn a_package_without_an_allowed_digest_is_refused() {
    let wrong = REQUIREMENTS.replace("4721f391", "00000000");
    let words = ["the index has no file of six==1.17.0 with a digest that the requirements allow"];
    build(&wrong).fail(&words);
    build(&wrong).with("--target", "lock").fail(&words);
}

#[test]
fn requirements_are_read_before_anything_is_downloaded() {
    let failed = build("pyyaml==6.0.3\n-e ./local\n").fail(&["`requirements.txt`, line 2"]);
    assert!(failed.executed().is_empty());
    let build =
        Build::new("name: n\nbase: debian:13\npython: {version: 3.13.5}\nwheels: {files: [gone.txt]}\n");
    build.fail(&["`gone.txt` is not in the build context", "node.yaml:"]);
    let wheels = "wheels: {local: [dist/a-1.0-py3-none-any.whl, dist/b-1.0-py3-none-any.whl]}\n";
    let missing = Build::new(&format!("name: n\nbase: debian:13\npython: {{version: 3.13.5}}\n{wheels}"));
    let log = missing.with("--platform", "linux/amd64,linux/amd64/v2").fail(&["2 problems in node.yaml"]).log;
    assert!(log.contains("5:18: `dist/a-1.0-py3-none-any.whl` is not in the build context"), "{log}");
}

#[test]
fn an_archived_spec_is_not_built_by_accident() {
    let spec = "name: node\nbase: debian:13\nstatus: archived\n";
    Build::new(spec).fail(&["--build-arg EDGENODE_ARCHIVED=true"]);
    let log = Build::new(spec).with("--build-arg", "EDGENODE_ARCHIVED=true").succeed().log;
    assert!(log.contains("the spec is archived"), "{log}");
}

#[test]
fn what_the_vendor_of_the_base_image_provides_is_kept() {
    let base = Build::new(
        "name: vendor\nbase: debian:13\npython: {version: 3.13.5}\nwheels: {requirements: [six==1.16.0]}\n\
         files: [{from: version.py, to: /opt/python/lib/python3.13/site-packages/torch/version.py}]\n",
    );
    let version = "__version__ = '2.9.1+vendor'\ncuda: Optional[str] = '12.8'\n";
    fs::write(base.dir().join("version.py"), version).expect("written");
    let base = base.push("components/vendor");
    let wanting = |python: &str, six: &str| {
        format!(
            "name: node\nbase: {base}\npython: {{version: {python}, vendor: /opt/python}}\ntorch: vendor\n\
             wheels: {{requirements: ['{six}', idna==3.10, torchvision]}}\n\
             tests:\n  - {{name: six, run: [/opt/python/bin/python3, -c, 'import idna, six; print(six.__version__)']}}\n"
        )
    };
    let spec = |python: &str| wanting(python, "Six>=1.15");
    let reports = Build::new(&spec("3.13")).with("--target", "test").files();
    let report = fs::read_to_string(reports.path().join("six.txt")).expect("read");
    assert_eq!(report, "1.16.0\n");
    // What it has is there once, and what is required of it holds.
    let files = Build::new(&spec("3.13")).listing();
    let is_six = |path: &&String| path.ends_with(".dist-info/METADATA") && path.contains("/six-");
    assert_eq!(files.keys().filter(is_six).count(), 1, "{files:?}");
    let refused = "edgenode:   six==1.17.0; it has six==1.16.0";
    for target in ["image", "lock"] {
        Build::new(&wanting("3.13", "six==1.17.0")).with("--target", target).fail(&[refused]);
    }
    // So does what another package requires of it.
    let with_own = |requires: &str| {
        let own = "torchvision], local: [dist/own-1.0-py3-none-any.whl]}";
        let build = Build::new(&spec("3.13").replace("torchvision]}", own));
        fs::create_dir(build.dir().join("dist")).expect("made");
        let files = [("own/__init__.py", Vec::new())];
        let data = wheel("own", "1.0", requires, &files);
        fs::write(build.dir().join("dist/own-1.0-py3-none-any.whl"), data).expect("written");
        build
    };
    with_own("six>=1.16").with("--target", "wheels").files();
    for target in ["image", "lock"] {
        let failed = with_own("six>=1.17").with("--target", target);
        failed.fail(&["own==1.0 depends on six>=1.17", "what the base image's Python has stays as it is"]);
    }
    let lock = Build::new(&spec("3.13")).with("--target", "lock").files();
    let text = fs::read_to_string(lock.path().join("node.lock")).expect("a lock");
    assert!(text.contains("name: idna") && text.contains("vendor: [six]"), "{text}");
    crate::lock::locked(&spec("3.13"), &text).with("--target", "test").succeed();
    let build = Build::new(&spec("3.13"));
    assert!(!build.succeed().executed().iter().any(|step| step.contains("python 3")), "Python is not built");
    let config = config(&build.push("components/on-vendor"));
    assert_eq!(config["config"]["Labels"]["ai.ratio1.edgenode.python"], "3.13.5 (vendor)");
    assert_eq!(config["config"]["Labels"]["ai.ratio1.edgenode.torch"], "2.9.1+vendor (vendor)");
    Build::new(&spec("3.12")).fail(&["the base image has no Python 3.12 at /opt/python", "node.yaml:4"]);
}

/// A base image whose authorities stay known: the distribution's Python brings their package, which only keeps those that
/// lie here.
pub(crate) fn trusting_base() -> String {
    let trusting = "FROM debian:13\nRUN install -D -t /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt\n";
    // How it was made would be told with the time: BuildKit can miss what it has where the digest of the base moves, and some
    // tests count steps.
    Build::raw(trusting.as_bytes()).arguments_added(&["--provenance=false"]).push("components/trusting")
}

#[test]
fn packages_of_the_distribution_do_not_bind_those_of_its_python() {
    // Some images have what is left of an older release of a package, too.
    let left = "for v in 1.0 2.0; do d=/usr/local/lib/python3.13/dist-packages/left-$v.dist-info; mkdir -p $d; \
                printf 'Metadata-Version: 2.1\\nName: left\\nVersion: %s\\n' $v >$d/METADATA; done";
    let base = format!(
        "FROM {}\nRUN apt-get update -q && apt-get install -qy --no-install-recommends python3 python3-six && {left}\n",
        trusting_base()
    );
    let base = Build::raw(base.as_bytes()).push("components/distribution");
    let spec = format!(
        "name: node\nbase: {base}\npython: {{version: 3.13, vendor: /usr}}\nwheels: {{requirements: [six==1.16.0]}}\n\
         tests:\n  - {{name: six, run: [python3, -c, 'import six; print(six.__version__)']}}\n"
    );
    let reports = Build::new(&spec).with("--target", "test").files();
    assert_eq!(fs::read_to_string(reports.path().join("six.txt")).expect("read"), "1.16.0\n");
}

#[test]
fn a_virtual_environment_of_the_python_of_the_distribution() {
    let base = trusting_base();
    let spec = format!(
        "name: node\nbase: {base}\npython: {{version: 3.13, venv: /opt/venv}}\n\
         wheels: {{requirements: [six==1.17.0]}}\n\
         tests:\n  - {{name: six, run: [python3, -c, 'import six, sys; print(sys.prefix, six.__version__)']}}\n  \
         - {{name: pip, run: [pip, --version], stdout_contains: [/opt/venv/lib]}}\n"
    );
    let reports = Build::new(&spec).with("--target", "test").files();
    let report = fs::read_to_string(reports.path().join("six.txt")).expect("read");
    assert_eq!(report, "/opt/venv 1.17.0\n");
}

#[test]
fn a_slim_system_has_no_texts_but_licences() {
    let spec = |slim: bool| {
        let program = "echo 'int main(){}' | gcc -xc - -lz -lpthread -o /tmp/a && /tmp/a";
        format!(
            "name: slim\nbase: debian:13\nsystem: {{packages: [gcc, libopenblas-dev, nano, zlib1g-dev], slim: {slim}}}\n\
             tests:\n  - {{name: works, run: [nano, --version]}}\n  - {{name: whole, run: [apt-get, check]}}\n  \
             - {{name: links, run: [sh, -c, {program:?}]}}\n"
        )
    };
    let listing = |slim: bool| Build::new(&spec(slim)).listing();
    Build::new(&spec(true)).with("--target", "test").succeed();
    let (slim, whole) = (listing(true), listing(false));
    let openblas = |path: &&String| path.contains("openblas") && path.ends_with(".a");
    for path in ["usr/share/doc/nano/README.gz", "usr/share/man/man1/nano.1.gz"] {
        assert!(whole.contains_key(path) && !slim.contains_key(path), "{path}");
    }
    assert!(whole.keys().any(|path| openblas(&path)) && !slim.keys().any(|path| openblas(&path)));
    let zlib = "usr/lib/x86_64-linux-gnu/libz.a";
    assert!(whole.contains_key(zlib) && !slim.contains_key(zlib));
    for path in ["usr/share/doc/nano/copyright", "etc/dpkg/dpkg.cfg.d/edgenode-slim", "usr/bin/nano"] {
        assert!(slim.contains_key(path), "{path}");
    }
}

#[test]
fn releases_of_uv_with_and_without_uvx() {
    let server = Server::start();
    for programs in [&["uv"][..], &["uv", "uvx"]] {
        let paths: Vec<_> =
            programs.iter().map(|name| format!("uv-x86_64-unknown-linux-gnu/{name}")).collect();
        let files: Vec<_> = paths.iter().map(|path| (path.as_str(), "#!/bin/sh\n")).collect();
        let name = format!("/{}/uv-x86_64-unknown-linux-gnu.tar.gz", programs.len());
        let (url, sha256) = server.put(&name, archive(&files));
        let spec =
            format!("name: node\nbase: debian:13\nuv: {{version: 0.1.0, url: '{url}', sha256: {sha256}}}\n");
        let image = Build::new(&spec).listing();
        let has = |name: &str| image.contains_key(&format!("usr/local/bin/{name}"));
        assert_eq!([has("uv"), has("uvx")], [true, programs.contains(&"uvx")]);
    }
}

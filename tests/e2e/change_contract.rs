//! The table of `ARCHITECTURE.md` that says what each edit of a spec runs again and pushes again, row by row on real
//! BuildKit. All parts are tiny stand-ins; the way they go through the graph is that of the real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::harness::{Build, Server, archive, setting, source, wheel};
use crate::nvidia::compiler_archive;

const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

/// What a row promises, or what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    steps: BTreeSet<String>,
    layers: BTreeSet<String>,
}

/// The rows of the table below `## The change contract`: edit, steps, layers.
fn table() -> BTreeMap<String, Outcome> {
    let section = ARCHITECTURE.split("## The change contract").nth(1).expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let set = |cell: &str| {
                cell.split(", ")
                    .filter(|word| *word != "none")
                    .map(|word| word.trim_matches('`').to_owned())
                    .collect()
            };
            (cells[0].to_owned(), Outcome { steps: set(cells[1]), layers: set(cells[2]) })
        })
        .collect()
}

/// What an edit does to the text of the spec and to the files beside it.
type Edit = (&'static str, Box<dyn Fn(&str, &Path) -> String>);

fn replace(edit: &'static str, from: &str, to: &str) -> Edit {
    let (from, to) = (from.to_owned(), to.to_owned());
    let change = move |spec: &str, _: &Path| {
        assert!(spec.contains(&from), "{from:?} is not in the spec");
        spec.replace(&from, &to)
    };
    (edit, Box::new(change))
}

/// The node of all these builds, and what can be done to it.
pub(crate) struct Node {
    spec: String,
    edits: Vec<Edit>,
    /// Serves what the spec names.
    parts: Rc<Parts>,
}

impl Node {
    /// A node of which no builder has anything.
    pub(crate) fn new() -> Self {
        let parts = Rc::new(Parts::new());
        let (spec, edits) = parts.spec_and_edits();
        Self { spec, edits, parts }
    }

    /// The same with CUDA's compiler, and what can be done to that.
    pub(crate) fn with_compiler(&self) -> Self {
        let archives =
            ["12.8.93-1", "12.8.94-1"].map(|version| compiler_archive(&self.parts.server, version));
        let cuda = format!("cuda: {{version: 12.8, compiler: apt, repository: '{}'}}\n", archives[0]);
        let edits = vec![
            replace("CUDA's compiler", &archives[0], &archives[1]),
            // A library that the other node has not had, whose steps are not in the cache.
            replace("CUDA library beside its compiler", "12.8.4.1", "12.8.6.0"),
            replace("package beside CUDA's compiler", "application==1.0", "beside, application==1.0"),
        ];
        Self { spec: format!("{}{cuda}", self.spec), edits, parts: Rc::clone(&self.parts) }
    }

    /// The same with a command, and what can be done to that.
    fn with_command(&self) -> Self {
        let spec = format!("{}commands: [{{name: note, run: [touch, /noted]}}]\n", self.spec);
        let edits = vec![
            replace("command", "touch, /noted", "touch, /noted, /other"),
            replace("name of a command", "name: note", "name: other"),
            replace("environment of a command", "A: a", "A: b"),
        ];
        Self { spec, edits, parts: Rc::clone(&self.parts) }
    }

    /// One of Python and packages, which are slim, on a base image that has no compilers.
    pub(crate) fn of_python_alone() -> Self {
        let nonce = nonce();
        let text = format!("FROM debian:13\nRUN {TRUST} python3\nRUN echo {nonce} >/nonce\n");
        let base = Build::raw(text.as_bytes()).push(&format!("contract/base:{nonce}"));
        let parts = Rc::new(Parts { server: Server::start(), other_base: base.clone(), base });
        let (spec, edits) = parts.spec_and_edits();
        let python = fetched(&parts.server, "python", "3.13.5", python("3.13.5"), 2);
        let index = spec
            .lines()
            .find_map(|line| line.split("index: '").nth(1)?.split('\'').next())
            .expect("an index");
        let spec = format!(
            "name: node\nbase: {}\npython:\n  slim: true\n{python}wheels:\n  indexes: ['{index}']\n  \
             requirements: [application==1.0]\n",
            parts.base
        );
        Self { spec, edits, parts }
    }

    /// The build of the node, or of what an edit makes of it.
    pub(crate) fn build(&self, edit: Option<&str>) -> Build {
        let build = Build::new("");
        fs::create_dir(build.dir().join("app")).expect("made");
        fs::write(build.dir().join("app/main.py"), "print('hello')\n").expect("written");
        let change = edit.map(|edit| self.edits.iter().find(|(name, _)| *name == edit).expect("the edit"));
        let text = change.map_or(self.spec.clone(), |(_, change)| change(&self.spec, build.dir()));
        fs::write(build.dir().join("node.yaml"), format!("# syntax=ratio1/edgenode:1\n{text}"))
            .expect("written");
        build
    }
}

/// Everything that the specs name.
struct Parts {
    server: Server,
    base: String,
    other_base: String,
}

/// The beginning of a command that installs packages. Whom the base trusts stays trusted: the package of the authorities
/// only keeps those that lie there.
const TRUST: &str = "install -D -t /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt \
    && apt-get update -q && apt-get install -qy --no-install-recommends";

/// What no other run of these tests has.
fn nonce() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos().to_string()
}

/// The base images have what all the builds need of the distribution, and a file that no earlier run of this test had,
/// so that nothing of it is in the builder's cache.
fn base(nonce: &str) -> String {
    let packages = "build-essential ccache pkg-config xz-utils nasm meson ninja-build libbz2-dev libffi-dev libgdbm-dev \
        liblzma-dev libncurses-dev libreadline-dev libsqlite3-dev libssl-dev tk-dev uuid-dev zlib1g-dev bzip2 python3";
    let text = format!("FROM debian:13\nRUN {TRUST} {packages}\nRUN echo {nonce} >/nonce\n");
    Build::raw(text.as_bytes()).push(&format!("contract/base:{nonce}"))
}

/// A release archive that makes a Python of the one that the base has.
fn python(release: &str) -> Vec<u8> {
    let makefile = "all:\ninstall:\n\tinstall -D $(S)/pyvenv.cfg $(DESTDIR)$(P)/pyvenv.cfg\n\tmkdir $(DESTDIR)$(P)/bin\n\
        \tln -s /usr/bin/python3 $(DESTDIR)$(P)/bin/python3\n\techo $$OPTIMIZE >$(DESTDIR)$(P)/flags\n";
    source(makefile, &[("source/pyvenv.cfg", &format!("home = /usr/bin\nversion = {release}\n"))])
}

/// A wheel with one file, and one package that it requires if there is one.
fn tiny_wheel(name: &str, version: &str, requires: &str) -> Vec<u8> {
    let module = format!("{}/__init__.py", name.replace('-', "_"));
    let mut files = vec![(module.as_str(), format!("__version__ = '{version}'\n").into_bytes())];
    if name.starts_with("nvidia") {
        files.push(("nvidia/__init__.py", Vec::new()));
    }
    wheel(name, version, requires, &files)
}

/// A package index with tiny wheels. Its address.
fn index(server: &Server) -> String {
    let wheels = [
        ("torch", "2.9.1", "nvidia-cublas-cu12>=12"),
        ("torch", "2.10.0", "nvidia-cublas-cu12>=12"),
        ("nvidia-cublas-cu12", "12.8.4.1", ""),
        ("nvidia-cublas-cu12", "12.8.5.0", ""),
        ("nvidia-cublas-cu12", "12.8.6.0", ""),
        ("nvidia-cudnn-cu12", "9.10.2.21", ""),
        ("tensorrt-cu12-bindings", "10.13.3.9", ""),
        ("tensorrt-cu12-libs", "10.13.3.9", ""),
        ("tensorrt-cu12-bindings", "10.14.1.48.post1", ""),
        ("tensorrt-cu12-libs", "10.14.1.48.post1", ""),
        ("transformers", "4.57.1", ""),
        ("transformers", "4.57.2", ""),
        ("application", "1.0", ""),
        ("another", "1.0", ""),
        ("beside", "1.0", ""),
        ("together", "1.0", ""),
    ];
    let mut pages: BTreeMap<&str, String> = BTreeMap::new();
    let mut address = String::new();
    for (name, version, requires) in wheels {
        let file = format!("{}-{version}-py3-none-any.whl", name.replace('-', "_"));
        let (path, digest) = server.put(&format!("/{file}"), tiny_wheel(name, version, requires));
        pages.entry(name).or_default().push_str(&format!("<a href='{path}#sha256={digest}'>{file}</a>\n"));
    }
    for (name, page) in pages {
        let (page, _) = server.put(&format!("/simple/{name}/"), page.into_bytes());
        address = page.trim_end_matches(&format!("{name}/")).to_owned();
    }
    address
}

/// An archive that the spec names: `VERSION\n  url: …\n  sha256: …`, indented by so many spaces.
fn fetched(server: &Server, name: &str, version: &str, archive: Vec<u8>, indent: usize) -> String {
    let (url, sha256) = server.put(&format!("/{name}-{version}.tar.gz"), archive);
    let space = " ".repeat(indent);
    format!("{space}version: {version}\n{space}url: {url}\n{space}sha256: {sha256}\n")
}

/// FFmpeg takes up what its library has, as linking does.
fn ffmpeg(release: &str) -> Vec<u8> {
    let makefile = "all:\n\tgcc -o ffmpeg $(S)/main.c -lz\ninstall:\n\tinstall -D ffmpeg $(DESTDIR)$(P)/bin/ffmpeg\n\
        \tinstall -D $$PKG_CONFIG_PATH/dav1d.pc $(DESTDIR)$(P)/share/ffmpeg/linked\n\
        \techo '$(F)' >$(DESTDIR)$(P)/share/ffmpeg/flags\n";
    let main = format!(
        "#include <stdio.h>\n#include <zlib.h>\nint main(void) {{ printf(\"%s {release}\\n\", zlibVersion()); return 0; }}\n"
    );
    source(makefile, &[("source/main.c", &main)])
}

fn dav1d(release: &str) -> Vec<u8> {
    let build = "project('dav1d')\noption = get_option('default_library')\n\
        install_data('dav1d.pc', install_dir: get_option('prefix') / 'lib/pkgconfig')\n";
    let options = "option('enable_tools', type: 'boolean')\noption('enable_tests', type: 'boolean')\n";
    let files = [("s/meson.build", build), ("s/meson_options.txt", options), ("s/dav1d.pc", release)];
    archive(&files)
}

impl Parts {
    fn new() -> Self {
        let nonce = nonce();
        Self { server: Server::start(), base: base(&nonce), other_base: base(&format!("{nonce}-2")) }
    }

    fn spec_and_edits(&self) -> (String, Vec<Edit>) {
        let server = &self.server;
        let pythons = ["3.13.5", "3.13.6"].map(|v| fetched(server, "python", v, python(v), 2));
        let ffmpegs = ["1.0.0", "1.0.1"].map(|v| fetched(server, "ffmpeg", v, ffmpeg(v), 2));
        let dav1ds = ["1.0.0", "1.0.1"].map(|v| fetched(server, "dav1d", v, dav1d(v), 6));
        let spec = format!(
            "name: node\nbase: {}\npython:\n{}ffmpeg:\n{}  libraries:\n    dav1d:\n{}\
             torch: {{version: 2.9.1, channel: pypi, vision: false, audio: false}}\n\
             tensorrt: {{version: 10.13.3.9, index: '{}'}}\ntransformers: 4.57.1\n\
             wheels:\n  requirements: [application==1.0, nvidia-cublas-cu12==12.8.4.1, nvidia-cudnn-cu12, together]\n  \
             groups: {{own: [together]}}\n\
             files: [{{from: app, to: /app}}]\nsystem: {{packages: [bzip2]}}\nenv: {{A: a}}\nworkdir: /work\n\
             entrypoint: [ffmpeg]\nlabels: {{a: b}}\ntests:\n  - {{name: runs, run: [ffmpeg]}}\n",
            self.base,
            pythons[0],
            ffmpegs[0],
            dav1ds[0],
            index(server),
        );
        let reordered = |spec: &str, _: &Path| {
            let (name, rest) = spec.split_once('\n').expect("lines");
            format!("{rest}{name}\n")
        };
        let touched = |spec: &str, dir: &Path| {
            let status =
                Command::new("touch").args(["-d", "2001-01-01"]).arg(dir.join("app/main.py")).status();
            assert!(status.expect("touch starts").success());
            spec.to_owned()
        };
        let changed = |spec: &str, dir: &Path| {
            fs::write(dir.join("app/main.py"), "print('changed')\n").expect("written");
            spec.to_owned()
        };
        let edits: Vec<Edit> = vec![
            replace("nothing", "name: node", "name: node"),
            replace("base image", &self.base, &self.other_base),
            replace("system package", "packages: [bzip2]", "packages: [bzip2, sysvinit-utils, tree]"),
            replace("Python's patch version", &pythons[0], &pythons[1]),
            replace("Python's configure flag", "3.13.5\n", "3.13.5\n  optimize: true\n"),
            replace("FFmpeg's version", &ffmpegs[0], &ffmpegs[1]),
            replace("FFmpeg's configure flag", "  libraries:\n", "  flags: [--enable-small]\n  libraries:\n"),
            replace("codec of FFmpeg", &dav1ds[0], &dav1ds[1]),
            replace("CUDA library", "12.8.4.1", "12.8.5.0"),
            replace("TensorRT", "10.13.3.9", "10.14.1.48"),
            replace("torch", "2.9.1", "2.10.0"),
            replace("transformers", "4.57.1", "4.57.2"),
            replace("one application package more", "application==1.0", "another, application==1.0"),
            replace("entrypoint", "entrypoint: [ffmpeg]", "entrypoint: [python3]"),
            replace("environment", "A: a", "A: b"),
            replace("label", "a: b", "a: c"),
            replace("working directory", "workdir: /work", "workdir: /other"),
            replace("test", "name: runs, run: [ffmpeg]", "name: runs, run: [python3, --version]"),
            replace("name of a test", "name: runs", "name: starts"),
            replace("test that runs", "name: runs, run: [ffmpeg]", "name: runs, run: [python3, --version]"),
            replace("name of a test that runs", "name: runs", "name: starts"),
            replace("comment", "name: node\n", "# a comment\nname: node\n"),
            ("order of keys", Box::new(reordered)),
            ("time of a file of the context", Box::new(touched)),
            ("file of the context", Box::new(changed)),
        ];
        (spec, edits)
    }
}

/// What the table's words mean: `all`, or all groups of wheels, of the steps that the first build ran.
fn expand(promised: &BTreeSet<String>, first: &BTreeSet<String>) -> BTreeSet<String> {
    let meant = |word: &String| -> Vec<String> {
        match (word.as_str(), word.strip_prefix("[…]")) {
            ("all", _) => first.iter().cloned().collect(),
            (_, Some(what)) => {
                first.iter().filter(|step| step.ends_with(&format!("]{what}"))).cloned().collect()
            }
            _ => vec![word.clone()],
        }
    };
    promised.iter().flat_map(meant).collect()
}

/// The step without the version that some have: `[ffmpeg 1.0.0] build` is `[ffmpeg] build`.
pub(crate) fn plain(step: &str) -> String {
    match step.split_once(']') {
        Some((label, what)) => format!("{}]{what}", label.split(' ').next().unwrap_or_default()),
        None => step.to_owned(),
    }
}

fn get(path: &str, accept: &str) -> Vec<u8> {
    let url = format!("http://{}/v2/{path}", setting("EDGENODE_REGISTRY"));
    let output = Command::new("curl")
        .args(["-fsSL", "-H", &format!("Accept: {accept}"), &url])
        .output()
        .expect("curl starts");
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The digests of an image's layers.
pub(crate) fn layers(repository: &str) -> Vec<String> {
    // Older builders push manifests of Docker's kind.
    let accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                  application/vnd.docker.distribution.manifest.v2+json";
    let json = |reference: &str| -> Value {
        serde_json::from_slice(&get(&format!("{repository}/manifests/{reference}"), accept)).expect("JSON")
    };
    let mut manifest = json("latest");
    if let Some(first) = manifest["manifests"][0]["digest"].as_str() {
        manifest = json(first);
    }
    let layers = manifest["layers"].as_array().expect("layers");
    layers.iter().map(|layer| layer["digest"].as_str().expect("a digest").to_owned()).collect()
}

/// What a layer is, by a file that it has.
pub(crate) fn layer_name(repository: &str, digest: &str) -> String {
    const MARKS: [(&str, &str); 21] = [
        ("nonce", "base"),
        ("noted", "command"),
        ("usr/bin/gcc", "compilers"),
        ("usr/bin/readelf", "elf tools"),
        ("uv-x86_64-unknown-linux-gnu/", "uv"),
        ("needs/libraries", "a look"),
        ("opt/python/pyvenv.cfg", "python"),
        ("usr/local/bin/ffmpeg", "ffmpeg"),
        ("site-packages/torch/", "torch"),
        ("site-packages/nvidia_cublas_cu12/", "cuda-nvidia-cublas-cu12"),
        ("site-packages/nvidia_cudnn_cu12/", "cuda-nvidia-cudnn-cu12"),
        ("site-packages/tensorrt_cu12_libs/", "tensorrt"),
        ("site-packages/tensorrt/", "tensorrt-module"),
        ("site-packages/transformers/", "transformers"),
        ("site-packages/application/", "wheels"),
        ("site-packages/together/", "own"),
        ("app/main.py", "files"),
        ("cuda-12.8/bin/nvcc", "cuda-toolkit"),
        ("usr/local/cuda-12.8", "cuda-links"),
        ("etc/ld.so.cache", "seal"),
        ("var/lib/dpkg/", "system"),
    ];
    let blob = tempfile::NamedTempFile::new().expect("a file");
    fs::write(blob.path(), get(&format!("{repository}/blobs/{digest}"), "*/*")).expect("written");
    let tar = Command::new("tar").arg("-tzf").arg(blob.path()).output().expect("tar starts");
    let files = String::from_utf8_lossy(&tar.stdout);
    let mark = MARKS.iter().find(|(mark, _)| files.lines().any(|file| file.contains(mark)));
    match (mark, files.as_ref()) {
        (Some((_, name)), _) => (*name).to_owned(),
        (None, "") => "nothing".to_owned(),
        (None, "links\n") => "links of the system".to_owned(),
        (None, "packages\n") => "needed packages".to_owned(),
        (None, other) => format!("a layer with {other:?}"),
    }
}

/// What the edits of a node do that the table does not say.
fn differences(node: &Node, table: &BTreeMap<String, Outcome>) -> Vec<String> {
    let tried = |edit: Option<&str>| {
        let outcome = node.build(edit).with("--target", "test").succeed();
        (outcome.executed().iter().map(|step| plain(step)).collect::<BTreeSet<_>>(), Vec::new())
    };
    let build = |edit: Option<&str>| {
        let image = format!("type=image,name={}/contract/node,push=true", setting("EDGENODE_REGISTRY"));
        let outcome = node.build(edit).with("--output", &image).succeed();
        let steps: BTreeSet<_> = outcome.executed().iter().map(|step| plain(step)).collect();
        (steps, layers("contract/node"))
    };
    let (first, before) = build(None);
    let mut wrong = Vec::new();
    if node.edits.iter().any(|(edit, _)| edit.ends_with("that runs")) {
        tried(None);
    }
    for (edit, _) in &node.edits {
        let (steps, after) = if edit.ends_with("that runs") { tried(Some(edit)) } else { build(Some(edit)) };
        let changed = after.iter().filter(|digest| !before.contains(digest));
        let seen =
            Outcome { steps, layers: changed.map(|digest| layer_name("contract/node", digest)).collect() };
        let promised = &table[*edit];
        let promised = Outcome { steps: expand(&promised.steps, &first), layers: promised.layers.clone() };
        // A step that runs again may give the layer that it gave before.
        if seen.steps != promised.steps || !seen.layers.is_subset(&promised.layers) {
            wrong.push(format!("{}:\n  promised {promised:?}\n  seen {seen:?}", edit));
        }
    }
    wrong
}

#[test]
fn every_edit_runs_and_pushes_what_the_table_says() {
    let (table, node) = (table(), Node::new());
    let nodes = [&node, &node.with_compiler(), &node.with_command()];
    let edits = nodes.iter().flat_map(|node| &node.edits);
    let names: BTreeSet<_> = edits.map(|(edit, _)| (*edit).to_owned()).collect();
    assert_eq!(names, table.keys().cloned().collect(), "the table and the test have the same rows");
    let wrong: Vec<_> = nodes.iter().flat_map(|node| differences(node, &table)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

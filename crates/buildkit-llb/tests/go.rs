//! Whole graphs against those that BuildKit's Go client makes: the same ops, capabilities, metadata and places.
//!
//! `go.json` is what the program in `go/` prints: `cd go && go run . >../go.json`. `make vectors` does that.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildkit_llb::{
    Copy, Definition, Exec, File, Location, Meta, Mkdir, Mkfile, Mount, Network, Output, Platform, Position,
    Range, Rm, Security, Sharing, Source, SourceFile, Symlink, build, diff, merge,
};
use buildkit_proto::{pb::ProgressGroup, resources::LinuxResources};
use prost::Message;
use serde::Deserialize;

const VECTORS: &str = include_str!("go.json");
const SUM: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// Capabilities that ops need although Go's client does not say so.
const UNTOLD_BY_GO: [&str; 5] = [
    "exec.mount.bind.readwrite-nooutput",
    "file.copy.includeexcludepatterns",
    "file.rm.wildcard",
    "file.symlink.create",
    "source.local.differ",
];

/// What one graph looks like on the wire; the bytes of messages are in base64.
#[derive(Debug, Deserialize, PartialEq)]
struct Vector {
    name: String,
    def: Vec<String>,
    caps: BTreeMap<String, Vec<String>>,
    metadata: BTreeMap<String, String>,
    source: String,
}

/// `Definition`, of which only the metadata counts.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "2")]
    metadata: BTreeMap<String, OpMetadata>,
}

/// All that an op's metadata has, other than the generated type.
#[derive(Clone, PartialEq, Message)]
struct OpMetadata {
    #[prost(bool, tag = "1")]
    ignore_cache: bool,
    #[prost(btree_map = "string, string", tag = "2")]
    description: BTreeMap<String, String>,
    #[prost(btree_map = "string, bool", tag = "5")]
    caps: BTreeMap<String, bool>,
    #[prost(message, optional, tag = "6")]
    progress_group: Option<ProgressGroup>,
    #[prost(message, optional, tag = "7")]
    linux_resources: Option<LinuxResources>,
}

fn vector(name: &str, output: &Output, files: &[SourceFile]) -> Vector {
    let definition = Definition::marshal(output, files).expect("valid");
    let pb = definition.to_pb();
    let metadata = Metadata::decode(&*definition.to_bytes()).expect("a definition").metadata;
    assert!(metadata.keys().eq(pb.metadata.keys()), "{name}: metadata of other ops");
    let mut vector = Vector {
        name: name.to_owned(),
        def: pb.def.iter().map(|op| STANDARD.encode(op)).collect(),
        caps: BTreeMap::new(),
        metadata: BTreeMap::new(),
        source: STANDARD.encode(pb.source.map(|source| source.encode_to_vec()).unwrap_or_default()),
    };
    for (digest, mut metadata) in metadata {
        let caps = std::mem::take(&mut metadata.caps);
        vector.caps.insert(digest.clone(), caps.into_keys().collect());
        vector.metadata.insert(digest, STANDARD.encode(metadata.encode_to_vec()));
    }
    vector
}

fn amd64() -> Platform {
    Platform::parse("linux/amd64").expect("a platform")
}

fn image(name: &str) -> Output {
    Source::image(&format!("docker.io/library/{name}")).platform(&amd64()).output()
}

fn exec() -> Exec {
    Exec::new(["/bin/true", "a b", "$c"]).platform(&amd64())
}

fn exec_with_every_mount() -> Output {
    let run = exec()
        .env("A", "b=c")
        .env("PATH", "/bin")
        .mount(Mount::bind("/", &image("busybox:latest")))
        .mount(Mount::bind("/in", &image("alpine:3")).readonly().selector("/etc"))
        .mount(Mount::cache("/cache", "id", Sharing::Locked))
        .mount(Mount::cache("/private", "id2", Sharing::Private))
        .mount(Mount::tmpfs("/tmp"))
        .mount(Mount::sized_tmpfs("/sized", 1 << 20))
        .mount(Mount::scratch("/work").no_output())
        .mount(Mount::secret("/run/secrets/token", "token", true))
        .mount(Mount::ssh("/ssh", "default", false))
        .mount(Mount::scratch("/out"))
        // Go sets this for whoever mounts a socket.
        .env("SSH_AUTH_SOCK", "/ssh")
        .extra_host("host.example", "10.0.0.1")
        .ulimit("nofile", 1024, 2048)
        .network(Network::None)
        .cwd("/work")
        .user("node")
        .hostname("builder")
        .run();
    run.mount("/out").expect("kept")
}

fn privileged_exec() -> Output {
    let run = exec()
        .network(Network::Host)
        .security(Security::Insecure)
        .device("nvidia.com/gpu=all", false)
        .device("vendor.com/device", true)
        .secret_env("token", "TOKEN", false)
        .mount(Mount::bind("/", &image("busybox:latest")));
    run.run().root()
}

fn limited_exec() -> Output {
    let limits = LinuxResources {
        memory: 1 << 30,
        memory_swap: -1,
        cpu_shares: 512,
        cpu_period: 100_000,
        cpu_quota: 150_000,
        cpuset_cpus: "0-1".to_owned(),
        cpuset_mems: "0".to_owned(),
    };
    let run =
        exec().limits(limits).meta(Meta::named("small")).mount(Mount::bind("/", &image("busybox:latest")));
    run.run().root()
}

fn file_actions() -> Output {
    let conf = Copy::new(&image("alpine:3"), "/etc/*.conf", "/opt/a/")
        .wildcard(true)
        .create_dest_path()
        .include("*.conf")
        .exclude("resolv.conf")
        .owner(1000, 1000);
    File::on(&image("busybox:latest"))
        .mkdir(Mkdir::new("/opt/a", 0o755).parents().timestamp(0))
        .mkfile(Mkfile::new("/opt/a/b", 0o644, b"text\n".to_vec()).timestamp(0))
        .rm(Rm::new("/etc/motd").allow_not_found())
        .symlink(Symlink::new("b", "/opt/a/c"))
        .copy(conf)
        .copy(Copy::new(&image("busybox:latest"), "/bin/busybox", "/b"))
        .output()
}

fn unpacked_download() -> Output {
    let archive = Source::http("https://example.org/a.tar.gz").filename("a.tar.gz").checksum(SUM).output();
    let copy = Copy::new(&archive, "/a.tar.gz", "/")
        .unpack()
        .create_dest_path()
        .dir_contents()
        .follow_symlink()
        .mode(0o700);
    File::on(&Output::scratch()).copy(copy).output()
}

fn diamond() -> Output {
    let base = image("debian:13");
    let position = |character| Position { line: 1, character };
    let place = Location { source: 0, ranges: vec![Range { start: position(1), end: position(5) }] };
    let branch = |exec: Exec, meta| {
        let run = exec.mount(Mount::bind("/", &base)).mount(Mount::scratch("/out")).meta(meta).run();
        run.mount("/out").expect("kept")
    };
    let left = branch(exec(), Meta::named("left").at(place));
    let right = Meta::named("right").ignore_cache(true).progress_group("g", "group", true);
    let right = branch(exec().cwd("/right"), right);
    merge(&[base.clone(), left, right], Meta::named("merged"))
}

fn local(name: &str, paths: &[&str]) -> Source {
    let paths: Vec<_> = paths.iter().map(|&path| path.to_owned()).collect();
    Source::local(name).session("s1").shared_key_hint(name).follow_paths(&paths)
}

fn ours() -> Vec<Vector> {
    let paths = ["node.yaml", "node.yaml.dockerignore"];
    let arm64 = Platform::parse("linux/arm64").expect("a platform");
    let spec = SourceFile {
        filename: "node.yaml".into(),
        language: "YAML".into(),
        data: b"base: debian:13\n".to_vec(),
        definition: None,
    };
    let plain = [
        ("image", image("busybox:latest")),
        (
            "image for another platform",
            Source::image("docker.io/library/debian:13").platform(&arm64).resolve_mode("pull").output(),
        ),
        (
            "http",
            Source::http("https://example.org/a.tar.gz")
                .filename("a.tar.gz")
                .perm(0o755)
                .checksum(SUM)
                .output(),
        ),
        (
            "local",
            local("context", &paths)
                .exclude_patterns(&["*.log".into(), "a<b>&c".into()])
                .include_patterns(&["src".into()])
                .output(),
        ),
        ("local without metadata", local("dockerfile", &paths).differ_none().output()),
        (
            "git",
            Source::git("example.org/a/b.git#main:nodes", "https://example.org/a/b.git")
                .keep_git_dir()
                .output(),
        ),
        (
            "oci layout",
            Source::oci_layout(&format!("store@{SUM}")).store("s1", "store").platform(&amd64()).output(),
        ),
        ("exec with every mount", exec_with_every_mount()),
        ("privileged exec", privileged_exec()),
        ("limited exec", limited_exec()),
        ("file actions", file_actions()),
        ("unpacked download", unpacked_download()),
        ("diff", diff(&image("debian:13"), &image("debian:12"), Meta::default())),
    ];
    let mut ours: Vec<_> = plain.iter().map(|(name, output)| vector(name, output, &[])).collect();
    ours.push(vector("diamond with metadata", &diamond(), &[spec]));
    ours
}

fn go() -> (Vec<String>, Vec<Vector>) {
    let mut lines = VECTORS.lines();
    let known = serde_json::from_str(lines.next().expect("a line")).expect("a list");
    (known, lines.map(|line| serde_json::from_str(line).expect("a vector")).collect())
}

#[test]
fn graphs_are_those_of_the_go_client() {
    let (known, mut go) = go();
    go.retain(|go| go.name != "build");
    let mut ours = ours();
    let names = |vectors: &[Vector]| vectors.iter().map(|v| v.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&go));
    assert!(ours.len() >= 10);
    for (ours, go) in ours.iter_mut().zip(&go) {
        for (digest, caps) in &mut ours.caps {
            assert!(caps.iter().all(|cap| known.contains(cap)), "{}: unknown: {caps:?}", go.name);
            caps.retain(|cap| !UNTOLD_BY_GO.contains(&cap.as_str()) || go.caps[digest].contains(cap));
        }
        assert_eq!(ours, go, "{}", go.name);
    }
}

/// Go writes the build's empty input out, prost leaves it away: other bytes, the same message.
#[test]
fn a_build_op_is_that_of_the_go_client() {
    let go = go().1.into_iter().find(|go| go.name == "build").expect("a vector");
    let ours = vector("build", &build(&image("busybox:latest"), "/graph", &amd64(), Meta::default()), &[]);
    let op = |vector: &Vector| {
        let bytes = STANDARD.decode(&vector.def[1]).expect("base64");
        buildkit_proto::pb::Op::decode(bytes.as_slice()).expect("an op")
    };
    assert_eq!(op(&ours), op(&go));
}

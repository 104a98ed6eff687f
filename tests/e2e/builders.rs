//! A builder that has nothing but the cache of another one.

use std::collections::BTreeSet;
use std::fs;

use crate::change_contract::{Node, layer_name, plain};
use crate::harness::{Daemon, Outcome, buildctl, setting};

/// The images of the first builders, without and with CUDA's compiler.
const IMAGE: &str = "builders/node";
const COMPILER_IMAGE: &str = "builders/compiler";

/// The cache of the first of them.
const CACHE: &str = "builders/cache";

/// The steps of an edit that adds one package: its own.
const EDITED: [&str; 4] = [
    "[image] check that the parts fit",
    "[wheels] find needed libraries",
    "[wheels] find versions",
    "[wheels] install wheels",
];

/// The steps that ran.
fn steps(outcome: &Outcome) -> BTreeSet<String> {
    outcome.executed().into_iter().map(plain).collect()
}

/// What of an image or a cache the registry gave out since its log had so many bytes, of the image or not: layers by what
/// they are, and as a layer with nothing what is none, such as configurations.
fn read_blobs(name: &str, since: usize) -> BTreeSet<String> {
    let log = fs::read_to_string(format!("{}/registry.log", setting("EDGENODE_ENV"))).expect("read");
    let begin = format!("\"GET /v2/{name}/blobs/");
    let reads = log[since..].lines().filter_map(|line| line.split_once(&begin)?.1.split_once(' '));
    let digests: BTreeSet<_> = reads.map(|(digest, _)| digest).collect();
    digests.into_iter().map(|digest| layer_name(name, digest)).collect()
}

/// A few kilobytes: what was seen in trees, the loader's index, the layer that all steps without a file share, and files of the
/// context, if BuildKit asks what is in them before it finds out that it need not.
fn small() -> BTreeSet<String> {
    ["a look", "files", "links of the system", "needed packages", "nothing", "seal"].map(str::to_owned).into()
}

fn log_bytes() -> usize {
    fs::metadata(format!("{}/registry.log", setting("EDGENODE_ENV"))).expect("the log").len() as usize
}

/// Builds a node, or what an edit makes of it, and pushes it.
fn build(daemon: &Daemon, node: &Node, edit: Option<&str>, image: &str, caches: &[String]) -> Outcome {
    let output = format!("--output=type=image,name={}/{image},push=true", setting("EDGENODE_REGISTRY"));
    let policy = format!("--source-policy-file={}", setting("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"));
    let arguments: Vec<_> = caches.iter().chain([&output, &policy]).map(String::as_str).collect();
    let outcome = buildctl(&daemon.address(), node.build(edit).dir(), &[], &arguments);
    assert!(outcome.ok, "{}", outcome.log);
    outcome
}

#[test]
fn an_empty_builder_goes_on_where_another_one_was() {
    let node = Node::new();
    let registry = setting("EDGENODE_REGISTRY");
    let local = tempfile::tempdir().expect("a directory");
    let local = local.path().display();
    // The first builder writes all three kinds of cache. It is new, too, so that its cache has nothing collected.
    let exports = [
        format!("--export-cache=type=registry,ref={registry}/{CACHE},mode=max"),
        format!("--export-cache=type=local,dest={local},mode=max"),
        "--export-cache=type=inline".to_owned(),
    ];
    build(&Daemon::start(), &node, None, IMAGE, &exports);
    let imports = [
        format!("--import-cache=type=registry,ref={registry}/{CACHE}"),
        format!("--import-cache=type=local,src={local}"),
        format!("--import-cache=type=registry,ref={registry}/{IMAGE}"),
    ];
    for (import, whole) in imports.into_iter().zip([true, true, false]) {
        let log = log_bytes();
        let edit = Some("one application package more");
        let outcome = build(&Daemon::start(), &node, edit, "builders/other", std::slice::from_ref(&import));
        let seen = steps(&outcome);
        if whole {
            assert_eq!(seen, EDITED.map(str::to_owned).into(), "{import}\n{}", outcome.log);
        } else {
            // The image has no more than its layers: what was looked at for them is looked at again.
            let again =
                seen.iter().filter(|step| step.ends_with("] build") || step.ends_with("install wheels"));
            assert_eq!(again.collect::<Vec<_>>(), ["[wheels] install wheels"], "{import}\n{}", outcome.log);
        }
        if import.ends_with(CACHE) {
            let read = read_blobs(CACHE, log);
            // What the new wheels are installed with and looked at; the base image, which has all programs, comes from where
            // it is.
            let needed = ["python", "system", "uv"].map(str::to_owned).into();
            assert_eq!(&read - &small(), needed, "{read:?} were pulled\n{}", outcome.log);
        }
    }
}

#[test]
fn an_empty_builder_has_no_need_of_the_compiler_beside_what_is_edited() {
    let (node, registry) = (Node::new().with_compiler(), setting("EDGENODE_REGISTRY"));
    let cache = format!("type=registry,ref={registry}/builders/compiler-cache");
    build(&Daemon::start(), &node, None, COMPILER_IMAGE, &[format!("--export-cache={cache},mode=max")]);

    let log = log_bytes();
    let (edit, import) = ("package beside CUDA's compiler", [format!("--import-cache={cache}")]);
    let outcome = build(&Daemon::start(), &node, Some(edit), "builders/other", &import);
    assert_eq!(steps(&outcome), EDITED.map(str::to_owned).into(), "{}", outcome.log);
    let read = read_blobs("builders/compiler-cache", log);
    assert!(
        read.contains("python") && !read.contains("cuda-toolkit"),
        "{read:?} were pulled\n{}",
        outcome.log
    );
}

#[test]
fn an_empty_builder_has_no_need_of_compilers_for_a_package() {
    let (node, registry) = (Node::of_python_alone(), setting("EDGENODE_REGISTRY"));
    let cache = format!("type=registry,ref={registry}/builders/python-cache");
    build(&Daemon::start(), &node, None, "builders/python", &[format!("--export-cache={cache},mode=max")]);

    let log = log_bytes();
    let (edit, import) = ("one application package more", [format!("--import-cache={cache}")]);
    let outcome = build(&Daemon::start(), &node, Some(edit), "builders/other", &import);
    assert_eq!(steps(&outcome), EDITED.map(str::to_owned).into(), "{}", outcome.log);
    let read = read_blobs("builders/python-cache", log);
    let needed = ["elf tools", "python", "uv"].map(str::to_owned).into();
    assert_eq!(&read - &small(), needed, "{read:?} were pulled\n{}", outcome.log);
}

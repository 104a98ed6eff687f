//! A builder that has nothing but the cache of another one.

use std::collections::BTreeSet;
use std::fs;

use crate::change_contract::{Node, layer_name, layers, plain};
use crate::harness::{Daemon, Outcome, buildctl, setting};

/// The images of the first builders, without and with CUDA's compiler.
const IMAGE: &str = "builders/node";
const COMPILER_IMAGE: &str = "builders/compiler";

/// The steps of an edit that adds one package: its own.
const EDITED: [&str; 4] = [
    "[image] check that the parts fit",
    "[wheels] find needed packages",
    "[wheels] find versions",
    "[wheels] install wheels",
];

/// The steps that ran.
fn steps(outcome: &Outcome) -> BTreeSet<String> {
    outcome.executed().into_iter().map(plain).collect()
}

/// The layers of an image that the registry gave out since its log had so many bytes, to the builders of this test:
/// others may have images with the same layers.
fn read_layers(name: &str, image: &[String], since: usize) -> BTreeSet<String> {
    let log = fs::read_to_string(format!("{}/registry.log", setting("EDGENODE_ENV"))).expect("read");
    let reads: Vec<_> = log[since..].lines().filter(|line| line.contains("\"GET /v2/builders/")).collect();
    let read = image.iter().filter(|digest| reads.iter().any(|line| line.contains(digest.as_str())));
    read.map(|digest| layer_name(name, digest)).collect()
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
        format!("--export-cache=type=registry,ref={registry}/builders/cache,mode=max"),
        format!("--export-cache=type=local,dest={local},mode=max"),
        "--export-cache=type=inline".to_owned(),
    ];
    build(&Daemon::start(), &node, None, IMAGE, &exports);
    let before = layers(IMAGE);

    let imports = [
        format!("--import-cache=type=registry,ref={registry}/builders/cache"),
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
        if import.ends_with("builders/cache") {
            let read = read_layers(IMAGE, &before, log);
            // What the new wheels are installed with and looked at, and a few kilobytes: the loader's index, the layer
            // that all steps without a file share, and files of the context, if BuildKit asks what is in them before it
            // finds out that it need not.
            let needed = ["a layer with \"\"", "base", "files", "python", "seal"].map(str::to_owned).into();
            assert!(read.is_subset(&needed), "{read:?} were pulled\n{}", outcome.log);
        }
    }
}

#[test]
fn an_empty_builder_has_no_need_of_the_compiler_beside_what_is_edited() {
    let (node, registry) = (Node::new().with_compiler(), setting("EDGENODE_REGISTRY"));
    let cache = format!("type=registry,ref={registry}/builders/compiler-cache");
    build(&Daemon::start(), &node, None, COMPILER_IMAGE, &[format!("--export-cache={cache},mode=max")]);
    let before = layers(COMPILER_IMAGE);

    let log = log_bytes();
    let (edit, import) = ("package beside CUDA's compiler", [format!("--import-cache={cache}")]);
    let outcome = build(&Daemon::start(), &node, Some(edit), "builders/other", &import);
    assert_eq!(steps(&outcome), EDITED.map(str::to_owned).into(), "{}", outcome.log);
    let read = read_layers(COMPILER_IMAGE, &before, log);
    assert!(!read.contains("cuda-toolkit"), "{read:?} were pulled\n{}", outcome.log);
}

//! The bytes of ops against those of BuildKit's own Go client, and what the graph promises.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use buildkit_llb::{
    Copy, Definition, Error, Exec, File, Location, Meta, Mkfile, Mount, Output, Platform, Sharing, Source,
    diff, merge,
};
use proptest::prelude::*;

fn platform() -> Platform {
    Platform::parse("linux/amd64").expect("a platform")
}

fn image(reference: &str) -> Output {
    Source::image(reference).platform(&platform()).output()
}

fn busybox() -> Output {
    image("docker.io/library/busybox:latest")
}

/// Digests made with BuildKit's Go client.
mod go {
    pub(super) const SOURCE: &str = "sha256:e1432b8e2054abb034451c15f0a8ad49d07f5892ca266016226fec77e95d20a0";
    pub(super) const TERMINAL: &str =
        "sha256:ed184c8ee1441a77d21fb2e07c870c7dca33c5e9b47f5033e4d70507d8c1f8c7";
    pub(super) const LOCAL: &str = "sha256:e2087a3e4d513472162f60c6e909487e860bfa6cc253c9fecd1876705f252711";
    pub(super) const EXEC: &str = "sha256:8ab7f6e60e391b6b07d97d3388b7f53f6a4158612cb54e5be568ed4f30007a71";
    pub(super) const FILE: &str = "sha256:7f5b4490e3cc6afa9fd3df608af2a6567a473141eccf8dfa68641a8af3631682";
}

#[test]
fn an_image_source_has_gos_digest() {
    assert_eq!(busybox().digest(), Some(go::SOURCE));
}

#[test]
fn the_terminal_op_has_gos_digest_and_metadata() {
    let pb = Definition::marshal(&busybox(), &[]).expect("valid").to_pb();
    assert!(pb.metadata.contains_key(go::TERMINAL));
    assert_eq!(pb.metadata.len(), pb.def.len(), "every op has metadata");
}

#[test]
fn a_local_source_has_gos_digest() {
    let paths = ["spec.yaml", "spec.yaml.dockerignore"].map(str::to_owned);
    let local = Source::local("dockerfile").session("s1").follow_paths(&paths).shared_key_hint("dockerfile");
    assert_eq!(local.differ_none().output().digest(), Some(go::LOCAL));
}

#[test]
fn an_exec_has_gos_digest() {
    let exec = Exec::new(["/bin/sh", "-c", "true"])
        .env("PATH", "/bin")
        .platform(&platform())
        .mount(Mount::cache("/c", "c", Sharing::Shared))
        .mount(Mount::bind("/", &busybox()));
    assert_eq!(exec.run().root().digest(), Some(go::EXEC));
}

#[test]
fn a_file_op_has_gos_digest() {
    let copy = Copy::new(&busybox(), "/bin/busybox", "/b").create_dest_path();
    assert_eq!(File::on(&Output::scratch()).copy(copy).output().digest(), Some(go::FILE));
}

#[test]
fn merging_nothing_or_one_tree_is_no_op() {
    assert!(merge(&[], Meta::default()).is_scratch());
    assert_eq!(merge(&[Output::scratch(), busybox()], Meta::default()), busybox());
    assert_eq!(diff(&Output::scratch(), &busybox(), Meta::default()), busybox());
}

#[test]
fn outputs_are_numbered_in_the_order_of_their_mounts() {
    let run = Exec::new(["x"])
        .mount(Mount::scratch("/z"))
        .mount(Mount::scratch("/a").no_output())
        .mount(Mount::bind("/", &busybox()))
        .run();
    let text = Definition::marshal(&run.mount("/z").expect("kept"), &[]).expect("valid").to_text();
    assert!(text.contains("mount / write #0 -> 0"), "{text}");
    assert!(text.contains("mount /z write scratch -> 1"), "{text}");
    assert!(text.contains("mount /a write scratch\n"), "{text}");
    assert!(run.mount("/a").is_none());
}

#[test]
fn equal_ops_are_one_and_keep_all_their_places() {
    let at = |source| Meta::named("x").at(Location { source, ranges: vec![] });
    let file = |source| {
        File::on(&Output::scratch()).mkfile(Mkfile::new("/a", 0o644, vec![])).meta(at(source)).output()
    };
    let files = [Default::default(), Default::default()];
    let both = merge(&[file(1), file(0)], Meta::default());
    let pb = Definition::marshal(&both, &files).expect("valid").to_pb();
    assert_eq!(pb.def.len(), 3);
    let locations = pb.source.expect("present").locations;
    let places: Vec<_> = locations.values().flat_map(|l| &l.locations).map(|l| l.source_index).collect();
    assert_eq!(places, [0, 1]);
}

#[test]
fn refuses_what_buildkit_would_refuse() {
    let problem = |output: Output| match Definition::marshal(&output, &[]) {
        Err(Error::Op { problem, .. }) => problem,
        other => panic!("not refused: {other:?}"),
    };
    let exec = |args: &[&str], mounts: Vec<Mount>| {
        mounts.into_iter().fold(Exec::new(args.to_vec()), Exec::mount).run().root()
    };
    let root = || Mount::bind("/", &busybox());
    assert_eq!(problem(exec(&[], vec![root()])), "an exec needs a program");
    assert_eq!(
        problem(exec(&["x"], vec![root(), Mount::tmpfs("t")])),
        "the mount `t` is not an absolute path"
    );
    assert_eq!(
        problem(exec(&["x"], vec![root(), Mount::tmpfs("/t"), Mount::tmpfs("/t")])),
        "two mounts at `/t`"
    );
    let no_root = Exec::new(["x"]).mount(Mount::scratch("/a")).run().mount("/a").expect("kept");
    assert_eq!(problem(no_root), "an exec needs a tree mounted at `/`");
    let lost = Exec::new(["x"]).mount(root().no_output()).mount(Mount::scratch("/a")).run();
    let problem_of_root = "the tree at `/` is either an output or read-only";
    assert_eq!(problem(lost.mount("/a").expect("kept")), problem_of_root);
    let copy = File::on(&busybox()).copy(Copy::new(&Output::scratch(), "/a", "/b")).output();
    assert_eq!(problem(copy), "there is nothing to copy to `/b`: the source is scratch");
    let file = File::on(&busybox()).mkfile(Mkfile::new("a", 0o644, vec![])).output();
    assert_eq!(problem(file), "the file `a` is not at an absolute path");
    assert_eq!(Definition::marshal(&Output::scratch(), &[]).map(|_| ()), Err(Error::Scratch));
    let lost = File::on(&busybox())
        .mkfile(Mkfile::new("/a", 0o644, vec![]))
        .meta(Meta::named("f").at(Location { source: 0, ranges: vec![] }))
        .output();
    let error = Error::Location { name: "f".into(), source_index: 0, count: 0 };
    assert_eq!(Definition::marshal(&lost, &[]).map(|_| ()), Err(error));
}

#[test]
fn a_chain_of_ten_thousand_ops_is_no_danger() {
    let mut output = busybox();
    for i in 0..10_000 {
        output = File::on(&output).mkfile(Mkfile::new(&format!("/{i}"), 0o644, vec![])).output();
    }
    let definition = Definition::marshal(&output, &[]).expect("valid");
    assert_eq!(definition.to_pb().def.len(), 10_002);
}

/// A graph as numbers: each node says which earlier nodes it uses.
fn build(graph: &[(u8, usize, usize)]) -> Output {
    let mut nodes = vec![busybox(), image("docker.io/library/debian:13")];
    for (kind, a, b) in graph {
        let (a, b) = (nodes[a % nodes.len()].clone(), nodes[b % nodes.len()].clone());
        nodes.push(match kind % 3 {
            0 => merge(&[a, b], Meta::named("m")),
            1 => File::on(&a).copy(Copy::new(&b, "/x", "/y")).meta(Meta::named("f")).output(),
            _ => {
                let mounts =
                    [Mount::bind("/", &a), Mount::bind("/in", &b).readonly(), Mount::scratch("/out")];
                let exec = mounts.into_iter().fold(Exec::new(["x"]), Exec::mount);
                exec.run().mount("/out").expect("kept")
            }
        });
    }
    nodes.pop().unwrap_or_default()
}

proptest! {
    #[test]
    fn the_same_graph_gives_the_same_bytes(
        graph in prop::collection::vec((any::<u8>(), any::<usize>(), any::<usize>()), 1..30),
    ) {
        let first = Definition::marshal(&build(&graph), &[]).expect("valid");
        for _ in 0..100 {
            let again = Definition::marshal(&build(&graph), &[]).expect("valid");
            prop_assert_eq!(again.to_bytes(), first.to_bytes());
        }
        prop_assert_eq!(first.to_pb().def.len(), first.to_pb().metadata.len());
    }

    #[test]
    fn the_order_of_calls_does_not_matter(paths in prop::collection::btree_set("[a-z]{1,6}", 2..6)) {
        let mounts = |paths: Vec<&String>| {
            let exec = paths.into_iter().fold(Exec::new(["x"]), |exec, path| {
                exec.mount(Mount::tmpfs(&format!("/{path}")))
            });
            exec.mount(Mount::bind("/", &busybox())).run().root()
        };
        prop_assert_eq!(mounts(paths.iter().collect()), mounts(paths.iter().rev().collect()));
    }
}

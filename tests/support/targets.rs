//! What hostile inputs are given to, one function for each kind. None may panic, whatever the bytes are; `tests/fuzz.rs`
//! tries mutations of the seeds, and `fuzz/` lets libFuzzer look for new ways.

use std::collections::BTreeMap;

use buildkit_frontend::{ImageConfig, Options, ignore_patterns};
use buildkit_llb::{Definition, Output, Platform, SourceFile};
use buildkit_proto::pb;
use edgenode::catalog::Catalog;
use edgenode::components::wheel_mark;
use edgenode::diagnostic::{Diagnostic, Problems};
use edgenode::lint::{CheckOptions, lint};
use edgenode::lock::{Lock, LockUse};
use edgenode::plan::plan;
use edgenode::resolve::{BaseFacts, Inputs, OsRelease, PackageIndex, compare_versions, resolve};
use edgenode::spec::schema::{Grammar, SPEC, Shape};
use edgenode::spec::{Spec, TagSchema, decode, document, merge, parse, to_text};
use prost::Message;

use crate::generate::{self, Choices};
use crate::whole_way::{BUILDERS, debian, graph, planned};

/// A kind of input: its name, which is that of its seeds, and what reads it.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 12] = [
    ("spec", spec),
    ("structured", structured),
    ("extends", extends),
    ("requirements", requirements),
    ("catalog", catalog),
    ("lock", lock),
    ("options", options),
    ("tag", tag),
    ("grammars", grammars),
    ("llb", llb),
    ("ignore", ignore),
    ("base", base),
];

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// Takes a spec the whole way, for every kind of builder; the graphs must be whole.
fn build(spec: Spec, facts: BaseFacts, files: BTreeMap<String, String>) -> Result<(), Vec<Diagnostic>> {
    let architecture = facts.architecture.clone();
    lint(&spec, false);
    let plan = planned(spec, facts, files)?;
    for builder in BUILDERS {
        let graph = graph(&plan, &architecture, builder);
        let decoded = pb::Definition::decode(graph.to_bytes().as_slice()).expect("our own bytes");
        assert_eq!(decoded, graph.to_pb());
        assert!(!graph.to_text().is_empty());
    }
    Ok(())
}

/// The text of a spec.
fn spec(data: &[u8]) {
    for architecture in ["amd64", "arm64"] {
        if let Ok(spec) = parse(&text(data)) {
            let _ = build(spec, debian(architecture), BTreeMap::new());
        }
    }
}

/// Choices that make a spec by the table of the language. Says whether nothing of it clashed.
pub(crate) fn structured_is_built(data: &[u8]) -> bool {
    let document = generate::document(&mut Choices::new(data)).to_string();
    let spec = parse(&document).unwrap_or_else(|found| panic!("{document}: {found:#?}"));
    build(spec, debian("amd64"), BTreeMap::new()).is_ok()
}

fn structured(data: &[u8]) {
    structured_is_built(data);
}

/// Two specs with a line of `---` between them, of which the second stands on the first.
fn extends(data: &[u8]) {
    let text = text(data);
    let (below, over) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let mut problems = Problems::default();
    let roots: Vec<_> = [below, over]
        .iter()
        .zip(0..)
        .filter_map(|(text, number)| Some(document(text, number, &mut problems)?.root))
        .collect();
    if let Some(merged) = roots.into_iter().reduce(merge) {
        to_text(&merged, &["a.yaml".to_owned(), "b.yaml".to_owned()]);
        if let Ok(spec) = decode(&merged, problems) {
            let _ = build(spec, debian("amd64"), BTreeMap::new());
        }
    }
}

fn with_file(fields: &str, data: &[u8]) {
    let spec =
        parse(&format!("name: n\nbase: debian:13\npython: {{version: 3.13.5}}\n{fields}")).expect("a spec");
    let _ = build(spec, debian("amd64"), [("file".to_owned(), text(data))].into());
}

/// A file of requirements.
fn requirements(data: &[u8]) {
    with_file("wheels: {files: [file]}\n", data);
}

/// Facts of a site.
fn catalog(data: &[u8]) {
    Catalog::embedded().extended(&text(data), &mut Problems::default());
    with_file("catalog: file\ntorch: {version: auto, channel: auto}\ntarget: {gpus: T4}\n", data);
}

/// A lock: what is read is written and read again, and a node is built by it, or refused.
fn lock(data: &[u8]) {
    wheel_mark(data);
    let mut problems = Problems::default();
    let Some(lock) = Lock::parse(&text(data), 1, &mut problems) else { return };
    if problems.has_errors() {
        return;
    }
    let written = lock.to_text();
    let again = Lock::parse(&written, 1, &mut problems).map(|lock| lock.to_text());
    assert_eq!(again.as_ref(), Some(&written), "{:#?}", problems.found());
    for locked in lock.platforms.values() {
        let spec = "name: n\nbase: debian:13\nsystem: {packages: [curl]}\npython: {version: 3.13.5}\n\
                    transformers: '>=4.0'\nwheels: {requirements: [six]}\n";
        let _ = build_by(LockUse::Fixed(locked.clone()), parse(spec).expect("a spec"));
    }
}

fn build_by(lock: LockUse, spec: Spec) -> Result<(), Vec<Diagnostic>> {
    let plan = plan(&resolve(spec, debian("amd64"), &Inputs { lock, ..Inputs::default() })?);
    graph(&plan, "amd64", BUILDERS[0]);
    Ok(())
}

/// What a client asks for: an option on each line, and first what the daemon says of its workers.
fn options(data: &[u8]) {
    let text = text(data);
    let mut lines = text.lines();
    let workers = ("BUILDKIT_WORKERS".to_owned(), lines.next().unwrap_or_default().to_owned());
    let options = lines.enumerate().map(|(n, line)| (format!("BUILDKIT_FRONTEND_OPT_{n}"), line.to_owned()));
    if let Ok(options) = Options::from_env(options.chain([workers])) {
        let _ = options.named_contexts().count() + options.demanded_capabilities().len();
        for value in options.build_args.values() {
            let _ = CheckOptions::parse(value);
        }
    }
}

/// The schema of a tag, on the first line, and versions on the others.
fn tag(data: &[u8]) {
    let text = text(data);
    let mut lines = text.lines();
    let Ok(schema) = TagSchema::parse(lines.next().unwrap_or_default()) else { return };
    let names = schema.names().into_iter();
    let versions = names.zip(lines).map(|(name, line)| (name.to_owned(), line.to_owned()));
    if let Ok(tag) = schema.render(&versions.collect()) {
        assert!(edgenode::spec::ImageReference::parse(&format!("x:{tag}")).is_ok(), "{tag} is no tag");
    }
}

fn each_grammar(shape: &Shape, see: &mut dyn FnMut(&Grammar)) {
    match shape {
        Shape::Text(grammar) => see(grammar),
        Shape::List(item, _) | Shape::Filled(item) => each_grammar(item, see),
        Shape::Entries(key, item) => {
            see(key);
            each_grammar(item, see);
        }
        Shape::Fields(table) => table.iter().for_each(|field| each_grammar(&field.shape, see)),
        Shape::Any(shapes) => shapes.iter().for_each(|one| each_grammar(one, see)),
        Shape::Switch | Shape::Words(_) => {}
    }
}

/// A text, given to every grammar of the language.
fn grammars(data: &[u8]) {
    let text = text(data);
    each_grammar(&Shape::Fields(SPEC), &mut |grammar| {
        (grammar.takes)(&text);
    });
}

/// A graph that another build made.
fn llb(data: &[u8]) {
    let Ok(definition) = pb::Definition::decode(data) else { return };
    let Ok(output) = Output::import(&definition) else { return };
    if let Ok(ours) = Definition::marshal(&output, &[SourceFile::default()]) {
        ours.to_text();
    }
}

/// A `.dockerignore`.
fn ignore(data: &[u8]) {
    for pattern in ignore_patterns(&text(data)) {
        assert!(!pattern.is_empty(), "BuildKit refuses empty patterns");
    }
}

/// What a base image and a package index say about themselves.
fn base(data: &[u8]) {
    let text = text(data);
    let index = PackageIndex::parse(&text);
    let names: Vec<_> = index.names().collect();
    for versions in names.iter().map(|name| index.versions(name)) {
        versions.windows(2).for_each(|two| {
            assert_eq!(compare_versions(two[0], two[1]), compare_versions(two[1], two[0]).reverse())
        });
    }
    let spec =
        parse("name: n\nbase: debian:13\npython: {version: 3.11, vendor: /opt/conda}\ntorch: vendor\n")
            .expect("a spec");
    let mut facts = debian("amd64");
    facts.os_release = OsRelease::parse(&text);
    facts.os_release.id_like.push("debian".to_owned());
    facts.files = spec.inspects().into_iter().map(|path| (path, text.clone())).collect();
    let _ = build(spec, facts, BTreeMap::new());
    if let Ok(config) = serde_json::from_str(&text) {
        let platform = Platform::parse("linux/amd64").expect("a platform");
        ImageConfig::default().over(&config, &platform);
    }
}

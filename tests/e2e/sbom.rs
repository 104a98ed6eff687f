//! The list of what is in an image, as a file and beside the image.

use std::fs;

use serde_json::Value;

use crate::conformance::fetch;
use crate::harness::{Build, RELEASES, Server, setting, sha256, small_ffmpeg, wheel};

/// A wheel of the build context.
const OWN: &str = "Own_App-1.0-py3-none-any.whl";
/// What documents are known by.
const SPDX: &str = "https://spdx.dev/Document";

fn own() -> Vec<u8> {
    wheel("Own-App", "1.0", "", &[("own/__init__.py", b"# ours".to_vec())])
}

/// A build of a spec with a wheel beside it, and a lock if there is one.
fn build(spec: &str, lock: &str) -> Build {
    let build = Build::new(spec);
    fs::create_dir(build.dir().join("dist")).expect("made");
    fs::write(build.dir().join("dist").join(OWN), own()).expect("written");
    if !lock.is_empty() {
        fs::write(build.dir().join("node.lock"), lock).expect("written");
    }
    build
}

fn sbom(build: Build) -> String {
    let files = build.with("--target", "sbom").files();
    fs::read_to_string(files.path().join("sbom.spdx.json")).expect("a document")
}

/// The packages of a document with this name.
fn named<'d>(document: &'d Value, name: &str) -> Vec<&'d Value> {
    let packages = document["packages"].as_array().expect("packages");
    packages.iter().filter(|package| package["name"] == name).collect()
}

/// The one package of this name.
fn one<'d>(document: &'d Value, name: &str) -> &'d Value {
    let found = named(document, name);
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0]
}

#[test]
fn a_document_names_every_part() {
    let server = Server::start();
    let (url, sum) = server.put("/ffmpeg.tar.gz", small_ffmpeg("listed"));
    let base =
        Build::new("name: base\nbase: debian:13\nsystem: {packages: [python3]}\n").push("test/sbom:13");
    let spec = format!(
        "name: node\nbase: {base}\nsystem: {{packages: [tree]}}\npython: {{version: 3.13, vendor: /usr}}\n\
         ffmpeg: {{version: 1.0.0, url: '{url}?signature=MARK', sha256: {sum}}}\n\
         wheels: {{requirements: [six==1.17.0, packaging==25.0], local: [dist/{OWN}]}}\n"
    );
    server.put("/ffmpeg.tar.gz?signature=MARK", small_ffmpeg("listed"));
    let text = sbom(build(&spec, ""));
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["spdxVersion"], "SPDX-2.3");
    assert_eq!(sbom(build(&spec, "")), text, "the same image has the same document");
    assert!(!text.contains("MARK"), "what may be a signature is told");

    let ffmpeg = one(&document, "ffmpeg");
    assert_eq!((&ffmpeg["versionInfo"], &ffmpeg["downloadLocation"]), (&"1.0.0".into(), &url.into()));
    assert_eq!(ffmpeg["checksums"][0]["checksumValue"], *sum);
    let six = one(&document, "six");
    assert_eq!(six["externalRefs"][0]["referenceLocator"], "pkg:pypi/six@1.17.0");
    assert!(
        six["downloadLocation"].as_str().is_some_and(|at| at.ends_with("six-1.17.0-py2.py3-none-any.whl")),
        "{six}"
    );
    assert_eq!(six["checksums"][0]["checksumValue"].as_str().map(str::len), Some(64));
    assert_eq!(
        (&six["licenseDeclared"], &six["licenseComments"]),
        (&"NOASSERTION".into(), &"its metadata says: MIT".into())
    );
    let own_app = one(&document, "own-app");
    assert_eq!(own_app["checksums"][0]["checksumValue"], sha256(&own()));
    assert_eq!(own_app["downloadLocation"], "NOASSERTION");
    let tree = one(&document, "tree");
    assert!(
        tree["externalRefs"][0]["referenceLocator"]
            .as_str()
            .is_some_and(|purl| purl.starts_with("pkg:deb/debian/tree@")),
        "{tree}"
    );
    // Of the base image as well.
    one(&document, "bash");
    // What is only built or installed with is not in the image.
    assert_eq!((named(&document, "uv").len(), named(&document, "build-essential").len()), (0, 0));
    let base_image = document["packages"][1].clone();
    assert!(base_image["name"].as_str().is_some_and(|name| name.ends_with("test/sbom")), "{base_image}");
    assert_eq!(base_image["checksums"][0]["checksumValue"].as_str().map(str::len), Some(64));
    let ids =
        document["packages"].as_array().expect("packages").iter().map(|package| package["SPDXID"].as_str());
    let ids: std::collections::BTreeSet<_> = ids.collect();
    assert_eq!(Some(ids.len()), document["packages"].as_array().map(Vec::len));

    // A lock knows where the distribution's packages are, and of the rest it says the same.
    let files = build(&spec, "").with("--target", "lock").files();
    let lock = fs::read_to_string(files.path().join("node.lock")).expect("a lock");
    let locked: Value = serde_json::from_str(&sbom(build(&spec, &lock))).expect("JSON");
    assert!(one(&locked, "tree")["downloadLocation"].as_str().is_some_and(|at| at.ends_with(".deb")));
    for name in ["ffmpeg", "six", "packaging", "own-app"] {
        assert_eq!(one(&locked, name), one(&document, name));
    }
}

/// The statements about parts that lie beside a pushed image.
fn attested(name: &str) -> Vec<Value> {
    let index = fetch("manifests", name, "latest");
    let digest = |value: &Value| value["digest"].as_str().expect("a digest").to_owned();
    let manifests = index["manifests"].as_array().cloned().unwrap_or_default();
    let attestations =
        manifests.iter().filter(|m| m["annotations"]["vnd.docker.reference.type"] == "attestation-manifest");
    attestations
        .flat_map(|manifest| {
            fetch("manifests", name, &digest(manifest))["layers"].as_array().cloned().unwrap_or_default()
        })
        .filter(|layer| layer["annotations"]["in-toto.io/predicate-type"] == SPDX)
        .map(|layer| fetch("blobs", name, &digest(&layer)))
        .collect()
}

#[test]
fn a_document_lies_beside_an_image_that_is_asked_for_one() {
    for builder in RELEASES {
        let name = format!("sbom/{builder}");
        let build = || Build::new("name: node\nbase: debian:13\nsystem: {packages: [tree]}\n").on(builder);
        build().arguments_added(&["--sbom=true"]).push(&name);
        let statements = attested(&name);
        assert_eq!(statements.len(), 1, "{builder}");
        let [statement] = statements.as_slice() else { panic!("one") };
        assert_eq!(statement["predicateType"], SPDX);
        assert!(statement["subject"][0]["digest"]["sha256"].is_string(), "{statement:.300}");
        let document = &statement["predicate"];
        one(document, "tree");
        assert_eq!(serde_json::from_str::<Value>(&sbom(build())).ok().as_ref(), Some(document));
        // Without being asked for there is none.
        build().arguments_added(&["--provenance=true"]).push(&name);
        assert!(attested(&name).is_empty(), "{builder}");
    }
}

#[test]
fn every_platform_has_its_document() {
    let image = "sbom/platforms";
    for (option, documents) in
        [("--build-arg=BUILDKIT_MULTI_PLATFORM=1", 1), ("--platform=linux/amd64,linux/amd64/v2", 2)]
    {
        Build::new("name: node\nbase: debian:13\n").arguments_added(&["--sbom=true", option]).push(image);
        let statements = attested(image);
        let mut subjects: Vec<_> = statements.iter().map(|s| s["subject"][0]["digest"].to_string()).collect();
        subjects.dedup();
        assert_eq!(subjects.len(), documents, "{option}: {subjects:?}");
    }
}

#[test]
fn a_generator_that_is_named_is_left_to_the_builder() {
    let scanner = format!("{}/nobody/scanner:1", setting("EDGENODE_REGISTRY"));
    Build::new("name: node\nbase: debian:13\n")
        .arguments_added(&[&format!("--attest=type=sbom,generator={scanner}")])
        .fail(&["nobody/scanner"]);
}

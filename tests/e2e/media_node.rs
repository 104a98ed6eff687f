//! The example of the README, built whole, on both distributions.

use std::fs;
use std::process::Command;

use crate::contexts::config;
use crate::harness::{Build, setting};

const EXAMPLE: &str = include_str!("../../examples/media-node/edgenode.yaml");
const CHECKS: [&str; 3] =
    [include_str!("checks/codecs.sh"), include_str!("checks/inference.py"), include_str!("checks/image.py")];

fn example(tag: &str) -> Build {
    Build::raw(EXAMPLE.replace("base: debian:13", &format!("base: debian:{tag}")).as_bytes())
}

/// Runs the checks inside the image, as a container of it would.
fn check(image: &str) {
    let dockerfile = format!(
        "FROM {image}\nCOPY . /checks/\n\
         RUN sh /checks/codecs.sh\nRUN python3 /checks/inference.py\nRUN python3 /checks/image.py\n"
    );
    let build = Build::raw(dockerfile.as_bytes());
    for (name, text) in ["codecs.sh", "inference.py", "image.py"].iter().zip(CHECKS) {
        fs::write(build.dir().join(name), text).expect("written");
    }
    build.succeed();
}

fn builds_on(tag: &str) {
    let image = example(tag).push(&format!("test/media-node:{tag}"));
    let reports = example(tag).with("--target", "test").files();
    for report in ["ffmpeg-has-av1.txt", "onnxruntime-starts.txt"] {
        assert!(reports.path().join(report).is_file(), "no report {report}");
    }
    check(&image);
    let config = config(&image);
    assert_eq!(config["config"]["Labels"]["ai.ratio1.edgenode.ffmpeg"], "7.1.5");
    assert_eq!(config["config"]["Labels"]["ai.ratio1.edgenode.python"], "3.13.5");
    assert_eq!(example(tag).succeed().executed(), [""; 0], "the second build runs nothing");
}

#[test]
fn builds_on_debian_13() {
    builds_on("13");
    let merged = example("13").listing();
    let copied = example("13").with("--build-arg", "EDGENODE_MERGE=false").listing();
    let differing: Vec<_> =
        merged.keys().chain(copied.keys()).filter(|path| merged.get(*path) != copied.get(*path)).collect();
    assert!(differing.is_empty(), "merging and copying differ in {differing:?}");
}

#[test]
fn builds_on_debian_12() {
    builds_on("12");
}

#[test]
fn the_frontend_image_is_small() {
    let name = format!("{}/ratio1/edgenode", setting("EDGENODE_REGISTRY"));
    // The tag names an index: the image, and beside it how the image was made.
    let index = manifest(&format!("{name}:1"));
    let image = manifest(&format!("{name}@{}", index["manifests"][0]["digest"].as_str().expect("a digest")));
    let layers = image["layers"].as_array().expect("layers");
    let size: u64 = layers.iter().filter_map(|layer| layer["size"].as_u64()).sum();
    assert!(size > 0 && size <= 6_000_000, "{size} bytes compressed");
}

fn manifest(image: &str) -> serde_json::Value {
    let output = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{image}")])
        .output()
        .expect("skopeo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a manifest")
}

//! The example of the README, built whole, on both distributions.

use std::fs;
use std::process::Command;

use crate::contexts::config;
use crate::harness::{Build, Fresh, Server, frontend, setting, small_ffmpeg};

const EXAMPLE: &str = include_str!("../../examples/media-node/edgenode.yaml");
/// Scripts, each with its interpreter and an argument.
const CODECS: [&str; 3] = ["sh", include_str!("checks/codecs.sh"), ""];
const INFERENCE: [&str; 3] = ["python3", include_str!("checks/inference.py"), ""];
const IMAGE: [&str; 3] = ["python3", include_str!("checks/image.py"), "100"];

/// The parts of FFmpeg that tests use, besides those of its libraries: a fifth of it.
const USED: [(&str, &str); 7] = [
    ("decoder", "ffv1,h264,hevc,libdav1d,mp3float,opus,pcm_s16le,rawvideo,vp8,vp9,wrapped_avframe"),
    ("demuxer", "matroska,mp3,ogg"),
    (
        "encoder",
        "ffv1,libaom_av1,libmp3lame,libopus,libsvtav1,libvpx_vp8,libvpx_vp9,libx264,libx265,pcm_f32le,pcm_s16le,rawvideo,\
         wrapped_avframe",
    ),
    ("filter", "aformat,anull,aresample,atrim,format,null,psnr,scale,sine,testsrc2,trim"),
    ("indev", "lavfi"),
    ("muxer", "matroska,matroska_audio,mp3,null,ogg,opus"),
    ("parser", "av1,h264,hevc,mpegaudio,opus,vp8,vp9"),
];

/// The example. Where not everything is tested, its FFmpeg has what tests use, and its compiler tries less hard.
pub(crate) fn example_text() -> String {
    const FFMPEG: &str = "ffmpeg:\n";
    assert!(EXAMPLE.contains(FFMPEG));
    let only = |(kind, names): (&str, &str)| format!("--disable-{kind}s, '--enable-{kind}={names}'");
    let flags = USED.map(only).join(", ");
    match cfg!(feature = "e2e-full") {
        true => EXAMPLE.to_owned(),
        false => EXAMPLE.replace(FFMPEG, &format!("{FFMPEG}  flags: [--optflags=-O1, {flags}]\n")),
    }
}

fn example(tag: &str) -> Build {
    Build::raw(example_text().replace("base: debian:13", &format!("base: debian:{tag}")).as_bytes())
}

/// Runs scripts inside the image, as a container of it would.
fn check(image: &str, scripts: &[[&str; 3]]) {
    let step = |(number, [program, _, argument]): (usize, &[&str; 3])| {
        format!("RUN {program} /checks/{number} {argument}\n")
    };
    let steps = scripts.iter().enumerate().map(step);
    let dockerfile = format!("FROM {image}\nCOPY . /checks/\n{}", steps.collect::<String>());
    let build = Build::raw(dockerfile.as_bytes());
    for (number, [_, text, _]) in scripts.iter().enumerate() {
        fs::write(build.dir().join(number.to_string()), text).expect("written");
    }
    build.succeed();
}

fn builds_on(tag: &str) {
    let image = example(tag).push(&format!("test/media-node:{tag}"));
    let reports = example(tag).with("--target", "test").files();
    for report in ["ffmpeg-has-av1.txt", "onnxruntime-starts.txt"] {
        assert!(reports.path().join(report).is_file(), "no report {report}");
    }
    check(&image, &[CODECS, INFERENCE, IMAGE]);
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

/// The whole takes as long as on Debian 13, which is too long for CI.
#[cfg(feature = "e2e-full")]
#[test]
fn builds_on_debian_12() {
    builds_on("12");
}

/// FFmpeg's place has a program that is compiled in a second.
#[test]
fn all_but_ffmpeg_builds_on_debian_12() {
    let server = Server::start();
    let (url, sha256) = server.put("/ffmpeg.tar.gz", small_ffmpeg("for Debian 12"));
    let small = format!("ffmpeg:\n  version: 1.0.0\n  url: {url}\n  sha256: {sha256}\n\nwheels:\n");
    let example = EXAMPLE.replace("base: debian:13", "base: debian:12");
    let (before, rest) = example.split_once("ffmpeg:\n").expect("FFmpeg");
    let (_, rest) = rest.split_once("wheels:\n").expect("wheels");
    let (rest, tests) = rest.split_once("  - name: ffmpeg-has-av1\n").expect("a test");
    let (_, tests) = tests.split_once("  - name:").expect("another test");
    let build = || Build::raw(format!("{before}{small}{rest}  - name:{tests}").as_bytes());
    let image = build().push("test/media-node:12-cut");
    assert!(build().with("--target", "test").files().path().join("onnxruntime-starts.txt").is_file());
    // Without FFmpeg and its libraries there are fewer files.
    let [python, script, _] = IMAGE;
    check(&image, &[["sh", "ffmpeg | grep 'for Debian 12'", ""], INFERENCE, [python, script, "80"]]);
    assert_eq!(build().succeed().executed(), [""; 0], "the second build runs nothing");
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

/// Compiled twice, each time from a clone in a directory of its own.
#[cfg(feature = "e2e-full")]
#[test]
fn the_frontend_program_is_the_same_from_two_directories() {
    let build = || {
        let dir = tempfile::tempdir().expect("a directory");
        let clone =
            Command::new("git").args(["clone", "-q", env!("CARGO_MANIFEST_DIR")]).arg(dir.path()).status();
        assert!(clone.expect("git starts").success());
        let mut compile = Command::new(dir.path().join("tests/env/static-binary"));
        let output = compile.env_remove("EDGENODE_PROFILE").output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(String::from_utf8_lossy(&output.stdout).trim()).expect("a program")
    };
    assert!(build() == build(), "two programs");
}

/// With the program that the frontend image has, on a builder that has built nothing.
#[test]
fn the_frontend_image_is_the_same_from_two_builders() {
    let program = format!("build=docker-image://{}/{}", setting("EDGENODE_REGISTRY"), frontend());
    let project = env!("CARGO_MANIFEST_DIR");
    let dockerfile = format!("{project}/frontend.Dockerfile");
    let build =
        || Build::raw(b"FROM scratch").arguments(&["-f", &dockerfile, "--build-context", &program, project]);
    let fresh = Fresh::start();
    assert_eq!(build().on(&fresh.builder).digest(), build().digest());
}

fn manifest(image: &str) -> serde_json::Value {
    let output = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{image}")])
        .output()
        .expect("skopeo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a manifest")
}

//! The image families of `specs/`, built with what can be had where the tests run: a Debian base, the releases of Python
//! and Node.js that there are archives of, and torch as the package index has it.

use crate::contexts::config;
use crate::harness::Build;

/// What takes the place of releases that are not at hand.
const STAND_INS: &str = "
name: stand-in
base: debian:13
python: {version: 3.13.5, optimize: false}
nodejs: 20.18.0
ngrok: null
";

/// A family without what takes long: FFmpeg, and torch, which brings gigabytes of CUDA's libraries.
const CUT: &str = "
ffmpeg: null
torch: null
wheels: {exclude: [torch]}
tests:
  - {name: ffmpeg-has-its-codecs, run: [sh, -c, '! command -v ffmpeg'], stdout_contains: []}
  - name: packages-import
    run:
      - python3
      - -c
      - \"import cv2, decord, docker, faiss, fastapi, gql, h5py, minio, onnx, onnxsim, openvino, pandas, pika, pyarrow,
        pymssql, shapely, skimage, sklearn, tokenizers, transformers, web3, yaml; print('all imported')\"
    stdout_contains: [all imported]
  - name: programs-start
    run: [sh, -c, 'node --version && uv --version && docker --version && (mosquitto -h | head -n 1)']
    stdout_contains: [v20., uv, Docker, mosquitto]
  - name: telemetry-is-off
    run: [cat, /root/intel/openvino_telemetry, /intel/openvino_telemetry]
    stdout_contains: ['00']
  - {name: no-pynvml, run: [sh, -c, '! python3 -m pip show pynvml']}
";

#[cfg(feature = "e2e-full")]
const WHOLE: &str = "
torch: {version: 2.9.1, channel: pypi}
tests:
  - name: programs-start
    run: [sh, -c, 'node --version && uv --version && docker --version && (mosquitto -h | head -n 1)']
    stdout_contains: [v20., uv, Docker, mosquitto]
";

fn family(name: &str, changes: &str) -> Build {
    let spec = format!("# syntax=ratio1/edgenode:1\nextends: {name}.yaml{STAND_INS}{changes}");
    let build = Build::raw(spec.as_bytes());
    let file = build.dir().join("node.yaml").display().to_string();
    build.arguments(&["-f", &file, concat!(env!("CARGO_MANIFEST_DIR"), "/specs")])
}

/// What containers of the production image start with. Source: the table of the images that the specs replace.
fn check_config(image: &str) {
    let config = config(image);
    let config = &config["config"];
    assert_eq!(config["WorkingDir"], "/exe_eng_base");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/local/bin/entrypoint.sh"]));
    assert_eq!(config["Cmd"], serde_json::json!(["bash"]));
    let env: Vec<_> =
        config["Env"].as_array().expect("a list").iter().filter_map(|entry| entry.as_str()).collect();
    for expected in [
        "AI_ENV=base_edge_node_amd64_cpu",
        "AI_ENV_VER=0.3.0",
        "DOCKER_TLS_CERTDIR=/certs",
        "EE_DD=false",
        "LD_LIBRARY_PATH=/opt/python/lib:/usr/local/lib",
        "PATH=/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PIP_DISABLE_PIP_VERSION_CHECK=1",
        "TZ=Etc/UTC",
        "UV_HTTP_TIMEOUT=300",
    ] {
        assert!(env.contains(&expected), "{expected} is not in {env:?}");
    }
}

#[test]
fn a_cut_of_the_cpu_family() {
    let cut = || family("base_edge_node_amd64_cpu", CUT);
    let reports = cut().with("--target", "test").files();
    assert!(reports.path().join("onnxruntime-has-openvino.txt").is_file());
    check_config(&cut().push("families/cpu-cut"));
}

#[cfg(feature = "e2e-full")]
#[test]
fn the_cpu_family() {
    let whole = || family("base_edge_node_amd64_cpu", WHOLE);
    let reports = whole().with("--target", "test").files();
    assert!(reports.path().join("packages-import.txt").is_file());
    check_config(&whole().push("families/cpu"));
}

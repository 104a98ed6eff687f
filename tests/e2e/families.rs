//! The image families of `specs/`, built with what can be had where the tests run: `tests/families` says what.

use serde_json::{Value, json};

use crate::harness::Build;

const CPU: &str = include_str!("../families/cpu.yaml");
#[cfg(feature = "e2e-full")]
const GPU: &str = include_str!("../families/gpu.yaml");

/// What of the CPU family is left out where a build must be short: FFmpeg, and torch, which brings gigabytes of CUDA's
/// libraries.
const CUT: &str = "\
tag: null
torch: null
wheels: {exclude: [torch]}";

/// And what is tested in place of what it had.
const CUT_TESTS: &str = "
  - {name: ffmpeg-has-its-codecs, run: [sh, -c, '! command -v ffmpeg'], stdout_contains: []}
  - name: packages-import
    run:
      - python3
      - -c
      - \"import cv2, decord, docker, faiss, fastapi, gql, h5py, minio, onnx, onnxsim, openvino, pandas, pika, pyarrow,
        pymssql, shapely, skimage, sklearn, tokenizers, transformers, web3, yaml; print('all imported')\"
    stdout_contains: [all imported]
  - name: telemetry-is-off
    run: [cat, /root/intel/openvino_telemetry, /intel/openvino_telemetry]
    stdout_contains: ['00']
  - name: python-is-slim
    run: [python3, -c, \"import importlib.util as u; print(*map(u.find_spec, ['idlelib', 'turtledemo', 'test']))\"]
    stdout_contains: [None None None]
  - {name: no-static-archives, run: [sh, -c, '! find /opt/python -name \"*.a\" | grep .']}
  - {name: no-pynvml, run: [sh, -c, '! python3 -m pip show pynvml']}
";

/// A spec that extends one of `specs/`.
fn family(spec: &str) -> Build {
    let build = Build::raw(spec.as_bytes());
    let file = build.dir().join("node.yaml").display().to_string();
    build.arguments(&["-f", &file, concat!(env!("CARGO_MANIFEST_DIR"), "/specs")])
}

/// What containers of a family's image start with. Source: the table of the images that the specs replace.
struct Config {
    workdir: &'static str,
    env: &'static [&'static str],
}

/// What the families have in common.
const ENV: [&str; 5] = [
    "DOCKER_TLS_CERTDIR=/certs",
    "EE_DD=false",
    "PIP_DISABLE_PIP_VERSION_CHECK=1",
    "TZ=Etc/UTC",
    "UV_HTTP_TIMEOUT=300",
];
const CPU_CONFIG: Config = Config {
    workdir: "/exe_eng_base",
    env: &[
        "AI_ENV=base_edge_node_amd64_cpu",
        "AI_ENV_VER=0.3.0",
        "LD_LIBRARY_PATH=/opt/python/lib:/usr/local/lib",
        "PATH=/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ],
};
#[cfg(feature = "e2e-full")]
const GPU_CONFIG: Config = Config {
    workdir: "/ai_edge_node",
    env: &[
        "AI_ENV=base_edge_node_amd64_gpu",
        "AI_ENV_VER=0.3.0",
        "CUDA_HOME=/usr/local/cuda-12.8",
        "CUDA_ROOT=/usr/local/cuda-12.8",
        "LD_LIBRARY_PATH=/opt/python/lib:/usr/local/lib:/usr/local/cuda-12.8/lib64",
        "PATH=/opt/python/bin:/usr/src/tensorrt/bin:/usr/local/cuda-12.8/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONDONTWRITEBYTECODE=1",
        // What the recipe leaves to those who start the container.
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video",
        "NVIDIA_REQUIRE_CUDA=cuda>=12.8,driver>=570",
        "NVIDIA_VISIBLE_DEVICES=all",
    ],
};

/// The image has this configuration and no variable besides.
fn check_config(config: &Value, expected: &Config) {
    let config = &config["config"];
    assert_eq!(config["WorkingDir"], expected.workdir);
    assert_eq!(config["Entrypoint"], json!(["/usr/local/bin/entrypoint.sh"]));
    assert_eq!(config["Cmd"], json!(["bash"]));
    let mut env: Vec<_> =
        config["Env"].as_array().expect("a list").iter().filter_map(|entry| entry.as_str()).collect();
    env.sort_unstable();
    let mut expected: Vec<_> = ENV.iter().chain(expected.env).copied().collect();
    expected.sort_unstable();
    assert_eq!(env, expected);
}

/// The CPU family without what takes long.
fn cpu_cut() -> String {
    let spec = CPU.replace("torch: {version: 2.9.1, channel: pypi}", CUT);
    let ffmpeg = spec.lines().find(|line| line.starts_with("ffmpeg: {")).expect("its releases");
    spec.replace(ffmpeg, "ffmpeg: null") + CUT_TESTS
}

#[test]
fn a_cut_of_the_cpu_family() {
    let spec = cpu_cut();
    let cut = || family(&spec);
    let reports = cut().with("--target", "test").files();
    assert!(reports.path().join("onnxruntime-has-openvino.txt").is_file());
    check_config(&cut().config(), &CPU_CONFIG);
}

/// A spec's tests that run the checks in its image; `packages` are those of the family besides.
#[cfg(feature = "e2e-full")]
fn checks(packages: &[&str]) -> String {
    let test = |name: &str, script: &str, arguments: &[&str]| {
        let run = [&["python3", "-c", script], arguments].concat();
        format!("  - {{name: {name}, run: {}}}\n", json!(run))
    };
    let script = include_str!("checks/sonames.py");
    // The check can fail: with a copy of a library that the image has.
    let copy = "cp \"$(find /opt /usr/local -name libcudart.so.12 -type f)\" /usr/local/lib/copy.so; \
                if python3 -c \"$0\" /usr /opt 2>/told; then exit 1; fi; cat /told; grep 'libcudart.* more than once' /told";
    [
        test("packages", include_str!("checks/packages.py"), packages),
        test("no-library-twice", script, &["/usr", "/opt"]),
        format!("  - {{name: a-library-twice, run: {}}}\n", json!(["sh", "-c", copy, script])),
    ]
    .concat()
}

/// The configuration of a family's image, and its tests' reports.
#[cfg(feature = "e2e-full")]
fn builds(spec: &str, expected: &Config) {
    let reports = family(spec).with("--target", "test").files();
    for report in ["packages", "no-library-twice", "a-library-twice", "programs-start"] {
        assert!(reports.path().join(report).with_extension("txt").is_file(), "no report {report}");
    }
    check_config(&family(spec).config(), expected);
}

/// The whole CPU family. The torch of the package index brings CUDA's libraries.
#[cfg(feature = "e2e-full")]
#[test]
fn the_cpu_family() {
    builds(&format!("{CPU}{}", checks(&[])), &CPU_CONFIG);
}

/// From a lock, builders that have seen nothing give the same image.
#[cfg(feature = "e2e-full")]
fn two_builders_give_the_same(spec: &str) {
    let lock = family(spec).with("--target", "lock").files();
    let digest = || {
        let fresh = crate::harness::Fresh::start();
        let build = family(spec).on(&fresh.builder).with("--build-arg", "EDGENODE_LOCKED=1");
        std::fs::copy(lock.path().join("node.lock"), build.dir().join("node.lock")).expect("copied");
        build.digest()
    };
    assert_eq!(digest(), digest());
}

#[cfg(feature = "e2e-full")]
#[test]
fn two_builders_give_the_same_cut_of_the_cpu_family() {
    two_builders_give_the_same(&cpu_cut());
}

#[cfg(feature = "e2e-full")]
#[test]
fn two_builders_give_the_same_cpu_family() {
    two_builders_give_the_same(CPU);
}

/// The whole GPU family, with CUDA's compiler and TensorRT's libraries from a stand-in of NVIDIA's archive.
#[cfg(feature = "e2e-full")]
#[test]
fn the_gpu_family() {
    let packages = ["bitsandbytes", "nvidia-cudnn-cu12=nvidia.cudnn", "tensorrt-cu12-bindings=tensorrt"];
    let server = crate::harness::Server::start();
    let spec = GPU.replace("$ARCHIVE", &crate::nvidia::archive(&server));
    builds(&format!("{spec}{}", checks(&packages)), &GPU_CONFIG);
}

/// The cut of the arm64 family, built by emulation: packages of the distribution, a compiler's step, wheels.
#[cfg(feature = "e2e-full")]
#[test]
fn a_cut_of_the_arm64_family() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/env/arm64");
    assert!(std::process::Command::new(script).status().expect("it starts").success(), "no emulation");
    let server = crate::harness::Server::start();
    let (url, sha256) = server.put("/ffmpeg.tar.gz", crate::harness::small_ffmpeg("compiled for arm64"));
    let spec = include_str!("../families/arm64.yaml").replace("$URL", &url).replace("$SHA256", &sha256);
    let node = || family(&spec).emulated();
    let reports = node().with("--target", "test").files();
    for report in ["ffmpeg-has-its-codecs", "packages-import", "programs-start", "onnxruntime-starts"] {
        assert!(reports.path().join(report).with_extension("txt").is_file(), "no report {report}");
    }
    let config = node().config();
    assert_eq!((&config["architecture"], &config["os"]), (&json!("arm64"), &json!("linux")));
    assert_eq!(config["config"]["WorkingDir"], "/exe_eng_base");
}

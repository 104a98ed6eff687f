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

/// The GPU family, with TensorRT's libraries from a stand-in of NVIDIA's index.
#[cfg(feature = "e2e-full")]
#[test]
fn the_gpu_family() {
    let server = crate::harness::Server::start();
    let wheel = "tensorrt_cu12_libs-10.13.3.9-py3-none-any.whl";
    let (file, digest) = server.put(&format!("/{wheel}"), libraries());
    let page = format!("<a href='{file}#sha256={digest}'>{wheel}</a>");
    let (page, _) = server.put("/simple/tensorrt-cu12-libs/", page.into_bytes());
    let index = page.trim_end_matches("tensorrt-cu12-libs/");
    let changes = format!(
        "{WHOLE}  - name: tensorrt-is-one-release
    run: [python3, -m, pip, list]
    stdout_contains: [tensorrt_cu12_bindings 10.13.3.9, tensorrt_cu12_libs     10.13.3.9]
tensorrt: {{version: 10.13.3.9, index: '{index}'}}
"
    );
    let reports = family("base_edge_node_amd64_gpu", &changes).with("--target", "test").files();
    let torch = std::fs::read_to_string(reports.path().join("torch-has-cuda.txt")).expect("read");
    assert!(torch.starts_with("12.8"), "{torch}");
    // No library is there twice.
    let image = family("base_edge_node_amd64_gpu", &changes).push("families/gpu");
    let script = "find /opt/python /usr/local -name 'libcu*.so.[0-9]*' -o -name 'libnv*.so.[0-9]*' | sed 's|.*/||' | sort | uniq -d";
    let twice = format!(
        "FROM {image}\nRUN twice=$({script}) && test -z \"$twice\" || {{ echo \"$twice\"; exit 1; }}\n"
    );
    Build::raw(twice.as_bytes()).succeed();
}

/// A wheel by the name of TensorRT's libraries, with nothing in it that runs.
#[cfg(feature = "e2e-full")]
fn libraries() -> Vec<u8> {
    let python = "
import io, sys, zipfile
info = 'tensorrt_cu12_libs-10.13.3.9.dist-info/'
files = {'tensorrt_libs/__init__.py': '', info + 'METADATA': 'Metadata-Version: 2.1\\nName: tensorrt-cu12-libs\\nVersion: 10.13.3.9\\n',
         info + 'WHEEL': 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}
files[info + 'RECORD'] = ''.join(f'{name},,\\n' for name in [*files, info + 'RECORD'])
out = io.BytesIO()
with zipfile.ZipFile(out, 'w') as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
sys.stdout.buffer.write(out.getvalue())
";
    let output = std::process::Command::new("python3").args(["-c", python]).output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[cfg(feature = "e2e-full")]
#[test]
fn the_cpu_family() {
    let whole = || family("base_edge_node_amd64_cpu", WHOLE);
    let reports = whole().with("--target", "test").files();
    assert!(reports.path().join("packages-import.txt").is_file());
    check_config(&whole().push("families/cpu"));
}

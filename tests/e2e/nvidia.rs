//! CUDA's toolkit, TensorRT, Docker Engine and NVIDIA's container toolkit, from stand-ins of their vendors' archives and of
//! torch's wheels: small real packages with the same names, versions and places.

use std::fs;
use std::process::Command;

use crate::harness::{Build, Server, wheel};
use crate::lock::{lock, locked};

/// A shared library whose file is named like its soname, as NVIDIA's are.
fn library(soname: &str) -> Vec<u8> {
    library_with(soname, &[])
}

/// The same with functions that do nothing.
fn library_with(soname: &str, functions: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let (source, out) = (dir.path().join("l.c"), dir.path().join(soname));
    let functions: String =
        functions.iter().map(|name| format!("void *{name}(void) {{ return 0; }}\n")).collect();
    fs::write(&source, format!("int answer(void) {{ return 42; }}\n{functions}")).expect("written");
    let cc = Command::new("cc")
        .args(["-shared", "-fPIC", &format!("-Wl,-soname,{soname}"), "-o"])
        .args([&out, &source])
        .status()
        .expect("cc starts");
    assert!(cc.success());
    fs::read(out).expect("read")
}

/// What a package holds: a path, and its text or bytes.
type Files<'a> = Vec<(&'a str, Vec<u8>)>;

/// A package in a directory of an archive, and its paragraph in the archive's index.
fn deb(server: &Server, name: &str, version: &str, depends: &str, files: Files<'_>) -> String {
    deb_in("nvidia", server, name, version, depends, files)
}

fn deb_in(
    directory: &str,
    server: &Server,
    name: &str,
    version: &str,
    depends: &str,
    files: Files<'_>,
) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    for (path, data) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        match data.strip_prefix(b"-> ") {
            Some(target) => {
                std::os::unix::fs::symlink(String::from_utf8_lossy(target).as_ref(), &path).expect("linked");
            }
            None => fs::write(&path, data).expect("written"),
        }
        if path.parent().is_some_and(|parent| parent.ends_with("bin")) {
            Command::new("chmod").args(["755".as_ref(), path.as_os_str()]).status().expect("chmod starts");
        }
    }
    fs::create_dir_all(root.join("DEBIAN")).expect("made");
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: edgenode tests <tests@example.org>\n\
         Depends: {depends}\nDescription: a stand-in\n"
    );
    // A package that depends on nothing has no such field.
    let control = control.replace("Depends: \n", "");
    fs::write(root.join("DEBIAN/control"), &control).expect("written");
    let out = dir.path().join("out.deb");
    let built = Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).args([&root, &out]).output();
    assert!(built.expect("dpkg-deb starts").status.success());
    let file = format!("{name}_{}_amd64.deb", version.split(':').next_back().unwrap_or_default());
    let (_, digest) = server.put(&format!("/{directory}/{file}"), fs::read(out).expect("read"));
    format!("{control}Filename: ./{file}\nSHA256: {digest}\n\n")
}

const LIB: &str = "usr/local/cuda-12.8/targets/x86_64-linux/lib";

/// TensorRT's libraries: packages, sonames, and the functions that NVIDIA's bindings link with. They build no engine.
const TENSORRT: [(&str, &str, &[&str]); 3] = [
    (
        "libnvinfer10",
        "libnvinfer.so.10",
        &[
            "createInferBuilder_INTERNAL",
            "createInferRefitter_INTERNAL",
            "createInferRuntime_INTERNAL",
            "getBuilderPluginRegistry",
            "getPluginRegistry",
        ],
    ),
    ("libnvinfer-plugin10", "libnvinfer_plugin.so.10", &["initLibNvInferPlugins"]),
    (
        "libnvonnxparsers10",
        "libnvonnxparser.so.10",
        &["createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL", "getNvOnnxParserVersion"],
    ),
];

/// NVIDIA's archive; gives its address.
pub(crate) fn archive(server: &Server) -> String {
    let text = |text: &str| text.as_bytes().to_vec();
    let cudart = format!("{LIB}/libcudart.so.12");
    let cudart_dev = [
        (format!("{LIB}/libcudart.so"), text("-> libcudart.so.12")),
        (format!("{LIB}/libcudart_static.a"), text("static")),
        (format!("{LIB}/libculibos.a"), text("static")),
        ("usr/local/cuda-12.8/targets/x86_64-linux/include/cuda_runtime.h".to_owned(), text("// cuda\n")),
    ];
    let cudart_dev = cudart_dev.iter().map(|(path, data)| (path.as_str(), data.clone())).collect();
    let nvinfer = "usr/lib/x86_64-linux-gnu/libnvinfer.so.10";
    let cublas = format!("{LIB}/libcublas.so.12");
    let cublas_dev = format!("{LIB}/libcublas.so");
    let trt = "10.13.3.9-1+cuda12.9";
    let tensorrt = TENSORRT.map(|(package, soname, functions)| {
        let path = format!("usr/lib/x86_64-linux-gnu/{soname}");
        deb(server, package, trt, "libc6 (>= 2.27)", vec![(&path, library_with(soname, functions))])
    });
    let depends = TENSORRT.map(|(package, ..)| format!("{package} (= {trt})")).join(", ");
    let packages = [
        tensorrt.concat(),
        deb(server, "cuda-cudart-12-8", "12.8.90-1", "", vec![(&cudart, library("libcudart.so.12"))]),
        deb(server, "cuda-cudart-dev-12-8", "12.8.90-1", "cuda-cudart-12-8 (>= 12.8.90)", cudart_dev),
        deb(server, "libcublas-12-8", "12.8.5.5-1", "", vec![(&cublas, library("libcublas.so.12"))]),
        deb(
            server,
            "libcublas-dev-12-8",
            "12.8.5.5-1",
            "libcublas-12-8 (>= 12.8.5.5)",
            vec![(&cublas_dev, text("-> libcublas.so.12"))],
        ),
        deb(
            server,
            "cuda-nvcc-12-8",
            "12.8.93-1",
            "libc6, make",
            vec![(
                "usr/local/cuda-12.8/bin/nvcc",
                text("#!/bin/sh\necho 'Cuda compilation tools, release 12.8'\n"),
            )],
        ),
        deb(server, "libnvinfer10", "10.16.1.11-1+cuda13.2", "", vec![(nvinfer, text("another"))]),
        deb(
            server,
            "libnvinfer-bin",
            trt,
            &depends,
            vec![("usr/src/tensorrt/bin/trtexec", text("#!/bin/sh\necho 'TensorRT v101303'\n"))],
        ),
    ];
    put_index("nvidia", server, &packages)
}

/// Puts the index of an archive into its directory; gives the archive's address.
fn put_index(directory: &str, server: &Server, packages: &[String]) -> String {
    let (index, _) = server.put(&format!("/{directory}/Packages"), packages.concat().into_bytes());
    index.trim_end_matches("/Packages").to_owned()
}

/// An archive of the vendor that has CUDA's compiler, in this version, and what that needs; gives its address.
pub(crate) fn compiler_archive(server: &Server, version: &str) -> String {
    let directory = format!("cuda-{version}");
    let nvcc = format!("#!/bin/sh\necho 'Cuda compilation tools, {version}'\n").into_bytes();
    let header = "usr/local/cuda-12.8/targets/x86_64-linux/include/cuda_runtime.h";
    let packages = [
        deb_in(
            &directory,
            server,
            "cuda-nvcc-12-8",
            version,
            "",
            vec![("usr/local/cuda-12.8/bin/nvcc", nvcc)],
        ),
        deb_in(
            &directory,
            server,
            "cuda-cudart-dev-12-8",
            "12.8.90-1",
            "",
            vec![(header, b"// cuda\n".to_vec())],
        ),
    ];
    put_index(&directory, server, &packages)
}

/// Puts a wheel with these files into the package index.
fn put_wheel(server: &Server, name: &str, version: &str, requires: &str, files: Files<'_>) {
    let file = format!("{}-{version}-py3-none-any.whl", name.replace('-', "_"));
    let (address, digest) = server.put(&format!("/wheels/{file}"), wheel(name, version, requires, &files));
    let page = format!("<a href='{address}#sha256={digest}'>{file}</a>");
    server.put(&format!("/simple/{name}/"), page.into_bytes());
}

/// A package index with torch and two of the libraries that it uses.
fn torch(server: &Server) -> String {
    let library = |path: &'static str, soname| vec![(path, library(soname))];
    let cublas = library("nvidia/cublas/lib/libcublas.so.12", "libcublas.so.12");
    let cudart = library("nvidia/cuda_runtime/lib/libcudart.so.12", "libcudart.so.12");
    put_wheel(server, "nvidia-cublas-cu12", "12.8.4.1", "", cublas);
    put_wheel(server, "nvidia-cuda-runtime-cu12", "12.8.90", "nvidia-cublas-cu12==12.8.4.1", cudart);
    let module = vec![("torch/__init__.py", b"__version__ = '2.9.1'\n".to_vec())];
    put_wheel(server, "torch", "2.9.1", "nvidia-cuda-runtime-cu12==12.8.90", module);
    let (page, _) = server.put("/simple/", Vec::new());
    page.trim_end_matches('/').to_owned()
}

/// Puts the check of sonames into a spec's context, for `files` to place.
fn with_check(spec: &str) -> Build {
    let build = Build::new(&format!(
        "{spec}files: [{{from: sonames.py, to: /sonames.py}}, {{from: lib, to: /usr/lib}}]\n"
    ));
    fs::write(build.dir().join("sonames.py"), include_str!("checks/sonames.py")).expect("written");
    fs::create_dir(build.dir().join("lib")).expect("made");
    fs::write(build.dir().join("lib/readme"), "libraries of the application\n").expect("written");
    build
}

/// What FlashAttention's build does, in small: it imports torch, runs `nvcc`, and keeps to the number of compilers.
const FLASH_ATTN: &str = r#"
import os, socket, subprocess
from setuptools import Extension, setup
import torch
told = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
try:
    socket.create_connection(("127.0.0.1", 1), timeout=1)
except ConnectionRefusedError:
    pass  # There is a loopback, and nothing behind it.
routes = open("/proc/net/route").read().splitlines()[1:]
assert not routes, f"the build has a network: {routes}"
assert os.environ["FLASH_ATTENTION_FORCE_BUILD"] == "TRUE"
facts = [torch.__version__, told, os.environ["MAX_JOBS"], os.environ["FLASH_ATTN_CUDA_ARCHS"], os.environ["CUDA_HOME"]]
open("flash_attn.py", "w").write(f"built_with = {facts!r}\nimport flash_attn_native\n")
setup(name="flash_attn", version="2.8.3", py_modules=["flash_attn"], ext_modules=[Extension("flash_attn_native", ["native.c"])])
"#;
const NATIVE: &str = "#include <Python.h>\n\
    static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, \"flash_attn_native\", 0, -1, 0};\n\
    PyMODINIT_FUNC PyInit_flash_attn_native(void) { return PyModule_Create(&def); }\n";

/// A build system that writes its settings into the package.
const BACKEND: &str = "from setuptools import build_meta\n\
    from setuptools.build_meta import *\n\
    def build_wheel(directory, config_settings=None, metadata_directory=None):\n    \
    import os\n    \
    open('tiny.py', 'w').write(f\"settings = {config_settings!r}; word = {os.environ['WORD']!r}\\n\")\n    \
    return build_meta.build_wheel(directory, None, metadata_directory)\n";

/// A node with packages that are built from their archives, `tiny` at this version.
fn with_sdists(server: &Server, version: &str) -> String {
    let (archive, index) = (archive(server), torch(server));
    let files = [("flash_attn-2.8.3/setup.py", FLASH_ATTN), ("flash_attn-2.8.3/native.c", NATIVE)];
    let (flash, flash_sum) = server.put("/flash_attn-2.8.3.tar.gz", crate::harness::archive(&files));
    let project = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n\
                   [project]\nname = 'tiny'\nversion = '1.2.3'\n[tool.setuptools]\npy-modules = ['tiny']\n";
    let files = [("tiny-1.2.3/pyproject.toml", project), ("tiny-1.2.3/backend.py", BACKEND)];
    let (tiny, tiny_sum) = server.put("/tiny-1.2.3.tar.gz", crate::harness::archive(&files));
    format!(
        "name: node\nbase: debian:13\npython: {{version: 3.13.5}}\n\
             torch: {{version: 2.9.1, channel: pypi, vision: false, audio: false}}\n\
             cuda: {{version: 12.8, compiler: apt, repository: '{archive}'}}\n\
             flash_attn: {{version: 2.8.3, url: '{flash}', sha256: {flash_sum}, jobs: 2, capabilities: [8.0, 9.0]}}\n\
             sdists:\n  - {{name: Tiny, version: {version}, url: '{tiny}', sha256: {tiny_sum}, \
             requires: [setuptools==80.9.0], settings: [setup-args=-Dcpu-baseline=none], env: {{WORD: '$(id)'}}}}\n\
             wheels: {{indexes: ['{index}'], requirements: [tiny]}}\n\
             tests:\n\
             \x20 - {{name: flash, run: [python3, -c, 'import flash_attn, einops; print(flash_attn.built_with)'], \
             stdout_contains: [\"['2.9.1', 'Cuda compilation tools, release 12.8', '2', '80;90', '/usr/local/cuda-12.8']\"]}}\n\
             \x20 - {{name: tiny, run: [python3, -c, 'import tiny; print(tiny.settings, tiny.word)'], \
             stdout_contains: [\"{{'setup-args': '-Dcpu-baseline=none'}} $(id)\"]}}\n\
             \x20 - {{name: listed, run: [python3, -m, pip, list], stdout_contains: [flash_attn, tiny]}}\n\
             \x20 - {{name: thrown-away, run: [sh, -c, '! python3 -c \"import ninja\" && ! command -v gcc']}}\n"
    )
}

#[test]
fn packages_are_built_from_their_archives() {
    let server = Server::start();
    Build::new(&with_sdists(&server, "1.2.3")).with("--target", "test").succeed();
    // What the archive says it is decides.
    Build::new(&with_sdists(&server, "1.2.4"))
        .fail(&["No matching distribution found for tiny==1.2.4", "[tiny 1.2.4] build"]);
}

/// What a base image has as Jetson boards do: the distribution's Python with torch, CUDA and TensorRT from packages.
#[test]
fn what_vendors_packages_bring_to_the_base_image_is_kept() {
    let server = Server::start();
    deb_in("vendor", &server, "cuda-cudart-12-8", "12.8.90-1", "", Vec::new());
    deb_in("vendor", &server, "libnvinfer10", "10.13.3.9-1+cuda12.9", "", Vec::new());
    let module = vec![("usr/lib/python3.13/dist-packages/tensorrt/__init__.py", Vec::new())];
    deb_in("vendor", &server, "python3-libnvinfer", "10.13.3.9-1+cuda12.9", "", module);
    let python = "name: base\nbase: debian:13\nsystem: {packages: [python3, python3-pip]}\n";
    let python = Build::new(python).push("nvidia/distribution-python");
    let site = "/usr/local/lib/python3.13/dist-packages";
    let bare = Build::raw(format!("FROM {python}\nCOPY version.py {site}/torch/version.py\n").as_bytes());
    fs::write(bare.dir().join("version.py"), "__version__ = '2.9.1'\ncuda = '12.8'\n").expect("written");
    let bare = bare.push("nvidia/bare");
    let debs = [
        "cuda-cudart-12-8_12.8.90-1",
        "libnvinfer10_10.13.3.9-1+cuda12.9",
        "python3-libnvinfer_10.13.3.9-1+cuda12.9",
    ];
    let debs = debs.map(|name| format!("{}/vendor/{name}_amd64.deb", server.address())).join(" ");
    let base = format!("FROM {bare}\nADD {debs} /debs/\nRUN dpkg -i /debs/*.deb && rm -r /debs\n");
    let base = Build::raw(base.as_bytes()).push("nvidia/vendor");

    let backend = BACKEND.replace("'WORD'", "'CUDA_HOME'");
    let project = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n\
                   [project]\nname = 'tiny'\nversion = '1.2.3'\n[tool.setuptools]\npy-modules = ['tiny']\n";
    let files = [("tiny-1.2.3/pyproject.toml", project), ("tiny-1.2.3/backend.py", backend.as_str())];
    let (tiny, tiny_sum) = server.put("/tiny-1.2.3.tar.gz", crate::harness::archive(&files));
    let spec = |base: &str| {
        format!(
            "name: node\nbase: {base}\npython: {{version: 3.13, vendor: /usr}}\ntorch: vendor\ncuda: vendor\n\
             tensorrt: vendor\nwheels: {{requirements: [six==1.17.0, tabulate==0.9.0, tiny]}}\n\
             sdists:\n  - {{name: tiny, version: 1.2.3, url: '{tiny}', sha256: {tiny_sum}, \
             requires: [setuptools==80.9.0], uses: [cuda]}}\n\
             tests:\n\
             \x20 - {{name: six, run: [python3, -c, 'import six; print(six.__file__)'], \
             stdout_contains: [{site}/six.py]}}\n\
             \x20 - {{name: tiny, run: [python3, -c, 'import tiny; print(tiny.__file__, tiny.word)'], \
             stdout_contains: [{site}/tiny.py /usr/local/cuda-12.8]}}\n\
             \x20 - {{name: listed, run: [python3, -m, pip, list], stdout_contains: [six, tabulate, tiny]}}\n\
             \x20 - {{name: program, run: [tabulate, --help]}}\n"
        )
    };
    Build::new(&spec(&base)).with("--target", "test").succeed();
    let labels = Build::new(&spec(&base)).config()["config"]["Labels"].clone();
    for (component, version) in
        [("python", "3.13"), ("torch", "2.9.1"), ("cuda", "12.8"), ("tensorrt", "10.13.3.9")]
    {
        assert_eq!(labels[format!("ai.ratio1.edgenode.{component}")], format!("{version} (vendor)"));
    }
    let missing = ["has no CUDA toolkit: cuda-cudart-…", "has no TensorRT: libnvinfer…", ">>> cuda: vendor"];
    Build::new(&spec(&bare)).fail(&missing);
}

/// Newer wheels of numpy stop where the processor is older than x86-64-v2; built from its archive it asks for nothing.
#[cfg(feature = "e2e-full")]
#[test]
fn numpy_is_built_for_old_processors() {
    let spec = |settings: &str| {
        format!(
            "name: node\nbase: debian:13\npython: {{version: 3.13.5}}\n\
             wheels: {{requirements: [numpy==2.4.4], cpu_baseline: x86-64}}\n{settings}\
             tests:\n\
             \x20 - {{name: baseline, run: [python3, -c, 'import numpy; \
             from numpy._core import _multiarray_umath as m; print(numpy.__version__, m.__cpu_baseline__)'], \
             stdout_contains: ['2.4.4 []']}}\n\
             \x20 - {{name: solves, run: [python3, -c, 'import numpy; \
             print(numpy.linalg.solve(numpy.eye(3) * 2, numpy.ones(3)))'], stdout_contains: ['[0.5 0.5 0.5]']}}\n"
        )
    };
    Build::new(&spec("")).fail(&["x86-64-v2", "numpy"]);
    let server = Server::start();
    let (url, sha256) = server.put("/numpy-2.4.4.tar.gz", crate::harness::sdist("numpy", "2.4.4"));
    let build = Build::new(&spec(&format!(
        "sdists:\n  - {{name: numpy, version: 2.4.4, url: '{url}', sha256: {sha256}, packages: [libopenblas-dev, \
         pkg-config], requires: [meson-python==0.18.0, cython==3.2.1, ninja==1.13.0], \
         settings: [setup-args=-Dcpu-baseline=none, setup-args=-Dcpu-dispatch=none, setup-args=-Dblas=openblas, setup-args=-Dlapack=openblas]}}\n"
    )));
    build.with("--target", "test").succeed();
}

/// A lock has what archives give and what packages are built with: the same is built when the indexes are empty.
#[cfg(feature = "e2e-full")]
#[test]
fn a_lock_has_what_packages_are_built_with() {
    let server = Server::start();
    let spec = with_sdists(&server, "1.2.3");
    let text = lock(&spec, "", "lock");
    let parts = ["cuda-nvcc-12-8", "replaced: [", "builds:", "name: setuptools", "tiny 1.2.3", "flash-attn"];
    for part in parts {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    server.put("/nvidia/Packages", Vec::new());
    locked(&spec, &text).with("--target", "test").succeed();
}

#[test]
fn the_toolkit_has_one_copy_of_each_library() {
    let server = Server::start();
    let (archive, index) = (archive(&server), torch(&server));
    let spec = format!(
        "name: node\nbase: debian:13\npython: {{version: 3.13.5}}\n\
         torch: {{version: 2.9.1, channel: pypi, vision: false, audio: false}}\n\
         cuda: {{version: 12.8, compiler: apt, packages: [libcublas-dev], repository: '{archive}'}}\n\
         tensorrt: {{version: 10.13.3.9, provider: apt, repository: '{archive}'}}\n\
         wheels: {{indexes: ['{index}']}}\n\
         tests:\n\
         \x20 - {{name: nvcc, run: [nvcc, --version], stdout_contains: [release 12.8]}}\n\
         \x20 - {{name: trtexec, run: [trtexec], stdout_contains: [TensorRT v101303]}}\n\
         \x20 - {{name: bindings, run: [python3, -c, 'import tensorrt; print(tensorrt.__version__, tensorrt.OnnxParser)'], \
         stdout_contains: [10.13.3.9, OnnxParser]}}\n\
         \x20 - {{name: home, run: [sh, -c, 'ls $CUDA_HOME/lib64/ /usr/local/cuda/include'], \
         stdout_contains: [libcudart.so, libcudart.so.12, libcublas.so, libcublas.so.12, libcudart_static.a, cuda_runtime.h]}}\n\
         \x20 - {{name: linked, run: [readlink, -f, /usr/local/cuda-12.8/lib64/libcublas.so], \
         stdout_contains: [/opt/python/lib/python3.13/site-packages/nvidia/cublas/lib/libcublas.so.12]}}\n\
         \x20 - {{name: slim, run: [sh, -c, '! ls /usr/local/cuda/lib64/libculibos.a']}}\n\
         \x20 - {{name: loaded, run: [python3, -c, 'import ctypes; \
         print([ctypes.CDLL(n).answer() for n in (\"libcublas.so.12\", \"libcudart.so.12\", \"libnvinfer.so.10\")])'], \
         stdout_contains: ['[42, 42, 42]']}}\n\
         \x20 - {{name: dpkg, run: [dpkg-query, -W, -f, '${{Package}} ${{Status}} ${{Version}};'], stdout_contains: [\
         cuda-nvcc-12-8 install ok installed 12.8.93-1, libnvinfer10 install ok installed 10.13.3.9-1+cuda12.9, \
         edgenode-cuda-libraries install ok installed 12.8, make install ok installed]}}\n\
         \x20 - {{name: owner, run: [dpkg-query, -S, /usr/local/cuda-12.8/bin/nvcc], stdout_contains: [cuda-nvcc-12-8]}}\n\
         \x20 - {{name: intact, run: [sh, -c, 'dpkg --verify && dpkg --audit && echo whole'], stdout_contains: [whole]}}\n\
         \x20 - {{name: apt, run: [apt-get, check]}}\n\
         \x20 - {{name: twice, run: [python3, /sonames.py, /opt, /usr], stdout_contains: ['0 sonames twice']}}\n"
    );
    with_check(&spec).with("--target", "test").succeed();

    // Without torch, the libraries come from the archive.
    let alone = format!(
        "name: node\nbase: debian:13\ncuda: {{version: 12.8, compiler: apt, repository: '{archive}'}}\n\
         tests:\n  - {{name: owner, run: [dpkg-query, -S, /{LIB}/libcudart.so.12], stdout_contains: [cuda-cudart-12-8]}}\n\
         \x20 - {{name: place, run: [readlink, -f, /usr/local/cuda/lib64/libcudart.so], stdout_contains: [/{LIB}/]}}\n"
    );
    Build::new(&alone).with("--target", "test").succeed();
}

/// NVIDIA's real wheels of CUDA 13, whose compiler compiles and links a program that asks for the driver.
#[cfg(feature = "e2e-full")]
#[test]
fn the_compiler_of_cuda_13_comes_from_wheels() {
    let server = Server::start();
    let module = vec![("torch/__init__.py", b"__version__ = '2.11.0'\n".to_vec())];
    put_wheel(&server, "torch", "2.11.0", "nvidia-cuda-runtime==13.0.96", module);
    let (page, _) = server.put("/simple/", Vec::new());
    let index = page.trim_end_matches('/');
    let spec = format!(
        "name: node\nbase: debian:13\nsystem: {{packages: [g++]}}\npython: {{version: 3.13.5}}\n\
         torch: {{version: 2.11.0, channel: pypi, vision: false, audio: false}}\n\
         cuda: {{version: 13.0, compiler: wheels}}\n\
         wheels: {{indexes: ['{index}']}}\n\
         files: [{{from: driver.cu, to: /driver.cu}}]\n\
         tests:\n\
         \x20 - {{name: nvcc, run: [nvcc, --version], stdout_contains: [release 13.0]}}\n\
         \x20 - {{name: home, run: [readlink, -f, /usr/local/cuda], \
         stdout_contains: [/opt/python/lib/python3.13/site-packages/nvidia/cu13]}}\n\
         \x20 - {{name: shared, run: [sh, -c, 'nvcc -arch=sm_90 -cudart shared -o /tmp/driver /driver.cu && /tmp/driver'], \
         stdout_contains: [runtime 13000]}}\n\
         \x20 - {{name: code, run: [sh, -c, 'nvcc -arch=sm_120 -cubin -o /tmp/driver.cubin /driver.cu && \
         head -c 4 /tmp/driver.cubin'], stdout_contains: [ELF]}}\n"
    );
    let build = Build::new(&spec);
    let program = "#include <cstdio>\n__global__ void twice(float *x) { x[threadIdx.x] *= 2; }\n\
                   int main() { int v = 0; cudaRuntimeGetVersion(&v); std::printf(\"runtime %d\\n\", v); }\n";
    fs::write(build.dir().join("driver.cu"), program).expect("written");
    build.with("--target", "test").succeed();
}

/// The check above finds what it looks for.
#[test]
fn a_library_that_is_there_twice_is_found() {
    let build = with_check(
        "name: node\nbase: debian:13\npython: {version: 3.13, venv: /opt/venv}\n\
         tests:\n  - {name: twice, run: [python3, /sonames.py, /opt, /usr]}\n",
    );
    for name in ["libanswer.so.1", "copy-of-libanswer.so.1"] {
        fs::write(build.dir().join("lib").join(name), library("libanswer.so.1")).expect("written");
    }
    build.with("--target", "test").fail(&["libanswer.so.1 is there more than once: /usr/lib/"]);
}

#[test]
fn docker_and_the_container_toolkit_come_from_their_archives() {
    let server = Server::start();
    let program = |text: &str| format!("#!/bin/sh\necho {text}\n").into_bytes();
    let docker = |name: &str, version: &str, depends: &str, path: &str| {
        let paragraph = deb_in(
            "docker/pool",
            &server,
            name,
            version,
            depends,
            vec![(path, program("Docker version 28.5.2"))],
        );
        // Files lie below the archive's address, not beside its index.
        paragraph.replace("Filename: ./", "Filename: pool/")
    };
    let index = [
        docker(
            "docker-ce",
            "5:28.5.2-1~debian.13~trixie",
            "containerd.io (>= 1.7.27), docker-ce-cli",
            "usr/bin/dockerd",
        ),
        docker("docker-ce-cli", "5:28.5.2-1~debian.13~trixie", "libc6", "usr/bin/docker"),
        docker("docker-ce-cli", "5:29.0.0-1~debian.13~trixie", "libc6", "usr/bin/docker"),
        docker("containerd.io", "2.1.5-1~debian.13~trixie", "libc6", "usr/bin/containerd"),
    ];
    let (_, _) = server.put("/docker/dists/trixie/stable/binary-amd64/Packages", index.concat().into_bytes());
    let toolkit = deb_in(
        "toolkit",
        &server,
        "nvidia-container-toolkit",
        "1.18.0-1",
        "libc6",
        vec![("usr/bin/nvidia-container-runtime", program("runtime"))],
    );
    let (toolkit, _) = server.put("/toolkit/Packages", toolkit.into_bytes());
    let toolkit = toolkit.trim_end_matches("/Packages");
    let docker = toolkit.replace("/toolkit", "/docker");
    let spec = format!(
        "name: node\nbase: debian:13\n\
         docker: {{provider: apt, version: '28', repository: '{docker}'}}\n\
         nvidia_container_toolkit: {{version: auto, repository: '{toolkit}'}}\n\
         tests:\n\
         \x20 - {{name: engine, run: [dockerd, --version], stdout_contains: [28.5.2]}}\n\
         \x20 - {{name: setting, run: [cat, /etc/docker/daemon.json], stdout_contains: [nvidia-container-runtime]}}\n\
         \x20 - {{name: dpkg, run: [dpkg-query, -W, -f, '${{Package}}=${{Version}};'], stdout_contains: [\
         docker-ce-cli=5:28.5.2-1~debian.13~trixie, nvidia-container-toolkit=1.18.0-1]}}\n\
         \x20 - {{name: whole, run: [sh, -c, 'dpkg --verify && apt-get check']}}\n"
    );
    Build::new(&spec).with("--target", "test").succeed();

    // A lock has what was taken: the same is built when the archive has newer packages only.
    let text = lock(&spec, "", "lock");
    assert!(text.contains("name: docker-ce-cli, version: \"5:28.5.2-1~debian.13~trixie\""), "{text}");
    server.put("/docker/dists/trixie/stable/binary-amd64/Packages", Vec::new());
    Build::new(&spec).fail(&["the archive has no package `docker-ce`"]);
    locked(&spec, &text).with("--target", "test").succeed();
    // One that is missing is told at the line of who asks for it.
    let without =
        text.lines().filter(|line| !line.contains("name: docker-ce,")).map(|line| format!("{line}\n"));
    let without = without.collect::<String>().replace("entries: 3\n", "entries: 2\n");
    locked(&spec, &without).fail(&["the archive has no package `docker-ce`", "node.yaml:4:"]);
}

#[test]
fn an_archive_that_is_not_there_is_shown_at_its_line() {
    let server = Server::start();
    let (file, _) = server.put("/other/file", Vec::new());
    let address = file.trim_end_matches("/file");
    let spec = format!(
        "name: node\nbase: debian:13\ncuda: {{version: 12.8, compiler: apt, repository: '{address}'}}\n"
    );
    Build::new(&spec).fail(&["404", "node.yaml:4", ">>> cuda:"]);
}

#[test]
fn a_package_with_another_digest_is_refused() {
    let server = Server::start();
    let archive = archive(&server);
    server.put("/nvidia/cuda-nvcc-12-8_12.8.93-1_amd64.deb", b"changed".to_vec());
    let spec = format!(
        "name: node\nbase: debian:13\ncuda: {{version: 12.8, compiler: apt, repository: '{archive}'}}\n"
    );
    Build::new(&spec).fail(&["digest mismatch"]);
}

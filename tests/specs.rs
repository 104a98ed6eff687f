//! The specs of the image families, from text to LLB without a daemon; and what is refused before anything is downloaded.

#![expect(clippy::expect_used, reason = "helpers of tests")]

#[path = "support/families.rs"]
mod families;

use std::fs;
use std::path::Path;

use edgenode::components::WheelBranch;
use edgenode::diagnostic::Diagnostic;
use edgenode::lint::{Severity, lint};
use edgenode::plan::{Action, plan};
use edgenode::resolve::{BaseFacts, Inputs, resolve};
use edgenode::spec::{Status, parse};
use families::{facts, inputs, llb, load, nodes, specs};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/specs"))
}

#[test]
fn every_spec_is_lowered_for_each_of_its_platforms() {
    let specs = specs(root());
    assert!(specs.len() >= 2, "{specs:?}");
    for path in specs {
        assert!(!load(root(), &path).platforms.is_empty(), "{} names no platform", path.display());
        for (architecture, node) in nodes(root(), &path) {
            let name = path.with_extension("").to_string_lossy().replace('/', "_");
            insta::assert_snapshot!(format!("{name}_{architecture}"), llb(&node, &architecture));
        }
    }
}

/// What package managers do. Everything else has no network.
const PACKAGE_MANAGERS: [&str; 7] = [
    "install packages",
    "install build packages",
    "install compilers",
    "install the distribution's",
    "install build requirements",
    "install wheels",
    "find versions",
];

#[test]
fn only_package_managers_have_a_network() {
    let (mut with, mut without) = (0, 0);
    for path in specs(root()) {
        let (_, node) = nodes(root(), &path).swap_remove(0);
        let plan = plan(&node);
        for step in &plan.steps {
            let Action::Run(run) = &step.action else { continue };
            let manager = PACKAGE_MANAGERS.iter().any(|words| step.name.ends_with(words));
            assert!(manager || !run.network, "{}: {} has a network", path.display(), step.name);
            assert!(!run.privileged, "{}: {} has all of root's powers", path.display(), step.name);
            *(if run.network { &mut with } else { &mut without }) += 1;
        }
    }
    assert!(with > 10 && without > 50, "{with} steps with and {without} without a network");
}

#[test]
fn specs_for_production_break_no_grave_rule() {
    let mut production = 0;
    for path in specs(root()) {
        let spec = load(root(), &path);
        if spec.status.as_ref().is_none_or(|status| status.value != Status::Production) {
            continue;
        }
        production += 1;
        let grave = lint(&spec, false).into_iter().filter(|finding| finding.rule.severity == Severity::High);
        let grave: Vec<_> = grave.map(|finding| format!("{}: {}", finding.rule.id, finding.detail)).collect();
        assert_eq!(grave, [""; 0], "{}", path.display());
    }
    assert!(production >= 2, "{production} specs");
}

/// The one line of what is wrong with a spec.
fn refusal(fields: &str, architecture: &str) -> String {
    refusal_on("debian:13", fields, architecture)
}

fn refusal_on(base: &str, fields: &str, architecture: &str) -> String {
    let text = format!("name: n\nbase: {base}\n{fields}");
    let found = parse(&text).and_then(|spec| {
        let facts = facts(&spec, architecture);
        let inputs = inputs(&spec, &facts);
        resolve(spec, facts, &inputs)
    });
    let found = found.err().unwrap_or_default();
    found.iter().map(Diagnostic::line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_cannot_work_is_refused_before_the_first_download() {
    let python = "python: {version: 3.13.5}\n";
    let cases = [
        (
            "torch: {version: 2.5.1, channel: cpu}\n",
            "4:18: torch 2.5.1 has no wheels for Python 3.13; take a Python from 3.9 to 3.12, or torch 2.6.0, ",
        ),
        ("torch: {version: 2.99, channel: cpu}\n", "the catalog does not know torch 2.99; it knows 2.1.0, "),
        (
            "torch: {version: 2.12.0, channel: cu128}\n",
            "torch 2.12.0 has no channel `cu128`; it has cpu, cu126, cu130, cu132, pypi; `cu128` exists for 2.7.0, ",
        ),
        ("torch: {version: 2.9.1, channel: cpuu}\n", "did you mean `cpu`?"),
        ("torch: 2.9.1\n", "`torch` is a mapping with `version` and `channel`"),
        ("onnxruntime: {version: 1.23.2, flavour: gpu}\n", "the flavour `gpu` needs the CUDA libraries"),
        ("onnxruntime: {version: 1.23.2, flavour: opnvino}\n", "did you mean `openvino`?"),
        ("wheels: {files: [gone.txt]}\n", "`gone.txt` is not in the build context"),
        ("wheels: {files: [bad.txt]}\n", "`bad.txt`, line 2: this is not a Python requirement"),
        ("wheels: {groups: {torch: [six]}}\n", "a group of packages cannot be called `torch`; use letters"),
        ("wheels: {groups: {wheels-a: [six]}}\n", "a group of packages cannot be called `wheels-a`"),
        ("wheels: {groups: {a/b: [six]}}\n", "a group of packages cannot be called `a/b`"),
        ("wheels: {groups: {a: []}}\n", "a group has at least one package"),
        ("wheels: {groups: {a: ['*']}}\n", "write the name of a package, or its beginning and `*`"),
        (
            "wheels: {groups: {a: [Foo.Bar], b: [foo-bar]}}\n",
            "`foo-bar` is in two groups; it is also at 4:23",
        ),
        (
            "wheels: {groups: {tiny: [six]}}\nsdists: [{name: tiny, version: 1.0.0, url: 'https://a.org/t.tar.gz', \
             sha256: SUM}]\n",
            "4:19: a group cannot be called `tiny`, which `sdists` builds a package of; give the group another name",
        ),
        ("wheels: {cpu_baseline: x86}\n", "write `x86-64` or `x86-64-v2`"),
        (
            "nodejs: 19.0.0\n",
            "the catalog does not know nodejs-amd64 19.0.0; it knows 20.18.0, 20.19.5; for another",
        ),
        (
            "docker: 28.5.2\n",
            "the catalog does not know docker-amd64 28.5.2; it knows no release of it; for another",
        ),
        ("ngrok: {version: 3.2.1, sha256: SUM}\n", "nobody knows where ngrok-amd64 is published; add `url:`"),
        (
            "ffmpeg: {version: 7.1.5, flags: [--enable-libx264]}\n",
            "4:34: `--enable-libx264` is not a flag of FFmpeg's `configure`; write `x264` below `libraries`",
        ),
        (
            "ffmpeg: {version: 7.1.5, flags: ['--enable-$(id)']}\n",
            "write `--enable-…` or `--disable-…`, such as `--disable-encoder=gif`, or `--optflags=-O2`",
        ),
        (
            "ffmpeg: {version: 6.1.1, libraries: {nvenc: 13.0.19.0}}\n",
            "take `nvenc: 12.1.14.0`, or FFmpeg 7.0 or newer",
        ),
        (
            "ffmpeg: {version: 8.1.1, sha256: SUM, libraries: {nvenc: {version: 13.1.15, sha256: SUM}}}\n",
            "FFmpeg 8.1.1 cannot be built with the NVIDIA headers 13.1.15",
        ),
        (
            "target: {driver: '>=560'}\nffmpeg: {version: 7.1.5, libraries: {nvenc: 12.2.72.0}}\n",
            "the catalog does not know nvenc 12.2.72.0; it knows 12.1.14.0, 13.0.19.0; for another release add `sha256:`",
        ),
        (
            "torch: vendor\n",
            "4:8: the base image has no torch: /opt/python/lib/python3.13/site-packages/torch/version.py is not there",
        ),
        (
            "cuda: vendor\n",
            "4:7: the base image has no CUDA toolkit: cuda-cudart-… is not among the packages that it has installed",
        ),
        (
            "torch: {version: 2.9.1, channel: cu128}\ntensorrt: vendor\n",
            "5:11: the base image has no TensorRT: libnvinfer… is not among the packages",
        ),
        ("tensorrt: 10.13.3.9\n", "4:11: TensorRT needs the CUDA libraries"),
        ("torch: {version: 2.9.1, channel: cpu}\ntensorrt: 10.13.3.9\n", "TensorRT needs the CUDA libraries"),
        (
            "torch: {version: 2.9.1, channel: cu130}\ntensorrt: 10.9.0.34\n",
            "TensorRT 10.9.0.34 is not built for CUDA 13 with Python 3.13 on amd64; take TensorRT 10.13.2.6, ",
        ),
        (
            "torch: {version: 2.9.1, channel: cu128}\ntensorrt: 9.0.0.1\n",
            "the catalog does not know TensorRT 9.0.0.1",
        ),
        (
            "ffmpeg: {version: 7.1.5, libraries: {nvenc: 13.0.19.0}}\n",
            "`nvenc` is of use on NVIDIA machines only",
        ),
        ("cuda: 12.8\n", "4:7: nothing in the spec brings the libraries of CUDA; add `torch:`"),
        (
            "cuda: 12.8.1\n",
            "`12.8.1` is not a release of the CUDA toolkit as packages are named; write two numbers",
        ),
        (
            "torch: {version: 2.9.1, channel: cu126}\ncuda: 12.8\n",
            "5:7: the toolkit is CUDA 12.8, but torch brings the libraries of CUDA 12.6; write `version: 12.6` here, or \
             take torch's channel `cu128`",
        ),
        (
            "torch: {version: 2.9.1, channel: cu128}\ncuda: {version: 12.8, compiler: wheels}\n",
            "the wheels of CUDA 12.8 have no compiler; write `compiler: apt`",
        ),
        (
            "torch: {version: 2.9.1, channel: cu130}\ncuda: {version: 13.0, compiler: wheels, packages: [cuda-cccl]}\n",
            "packages of NVIDIA's archive cannot lie beside a compiler from wheels",
        ),
        (
            "cuda: {version: 13.0, compiler: wheels}\n",
            "goes with libraries from wheels, which the spec does not have",
        ),
        ("cuda: {version: 12.8, compiler: atp}\n", "no compiler comes from `atp`; did you mean `apt`?"),
        (
            "cuda: {version: 12.8, packages: [cuda-nvc]}\n",
            "4:34: the archive has no package `cuda-nvc-12-8`; did you mean `cuda-nvcc-12-8`?",
        ),
        (
            "cuda: {version: 12.8, packages: [cuda-nvcc=12.8.99-1]}\n",
            "the release of `cuda-nvcc-12-8` that the spec asks for; it has 12.8.61-1, 12.8.93-1",
        ),
        (
            "torch: {version: 2.9.1, channel: cu128}\ncuda: {version: 12.8, packages: [libcublas]}\n",
            "the libraries of `libcublas-12-8` are in the image already: torch's wheels bring them",
        ),
        (
            "torch: {version: 2.9.1, channel: cu128}\ntensorrt: {version: 10.14.1.48, provider: apt}\n",
            "the release of `libnvinfer-bin` that the spec asks for; it has 8.6.1.6-1+cuda12.0, 10.13.3.9-1+cuda12.9, 11.3.0.99-1+cuda13.4",
        ),
        (
            "torch: {version: 2.9.1, channel: cu130}\ntensorrt: {version: 10.13.3.9, provider: apt}\n",
            "the release of `libnvinfer-bin` that the spec asks for",
        ),
        (
            "tensorrt: {version: 10.13.3.9, provider: deb}\n",
            "TensorRT does not come from `deb`; write `wheels` or `apt`",
        ),
        (
            "tensorrt: {version: 10.13.3.9, provider: apt, index: 'https://example.org/'}\n",
            "`tensorrt` has no field `index`",
        ),
        (
            "docker: {provider: apt, version: 27.0.1}\n",
            "the release of `docker-ce` that the spec asks for; it has 5:28.5.2-1",
        ),
        (
            "docker: {provider: distro, version: 28.5.2}\n",
            "write `apt` or `static`, or `docker: distribution`",
        ),
        ("docker: {provider: apt}\n", "`docker` lacks the field `version`"),
        ("nvidia_container_toolkit: 1.18.0\n", "add `docker: distribution`; for an engine outside"),
        (
            "docker: distribution\nnvidia_container_toolkit: 1.17.0\n",
            "the release of `nvidia-container-toolkit` that the spec asks for; it has 1.18.0-1",
        ),
        (
            "sdists: [{name: tiny, version: 2.3.5}]\n",
            "the catalog does not know tiny 2.3.5; it knows no release of it; for another release add `sha256:`",
        ),
        (
            "sdists: [{name: numpy, version: '<2'}]\n",
            "the catalog does not know numpy <2; it knows 2.1.3, 2.2.6, 2.3.5; for another release add `sha256:`",
        ),
        (
            "sdists: [{name: dav1d, version: 1.5.1}]\n",
            "the catalog does not know dav1d 1.5.1; it knows no release of it; for another release add `sha256:`",
        ),
        (
            "sdists: [{name: tiny, version: auto}]\n",
            "the catalog does not know tiny auto; it knows no release of it; for another release add `sha256:`",
        ),
        (
            "sdists: [{name: tiny, version: auto, url: 'https://a.org/t.tar.gz', sha256: SUM}]\n",
            "one archive has one version; name the release that is at the address",
        ),
        (
            "sdists: [{name: numpy, version: 2.3.5, sha256: SUM, requires: [ninja]}]\n",
            "`ninja` is another release tomorrow, and so would be what it builds; write `==` and a version",
        ),
        (
            "sdists: [{name: a, version: '1.0', url: 'https://example.org/a.tar.gz', sha256: SUM, uses: [torch]}]\n",
            "`a` is built with `torch`, which the spec does not have",
        ),
        (
            "sdists: [{name: a, version: '1.0', uses: [tensorrt]}]\n",
            "no package is built with `tensorrt`; it can use `cuda`, `torch`",
        ),
        ("sdists: [{name: a, version: '1.0', jobs: 0}]\n", "write a number from 1 to 64"),
        (
            "sdists: [{name: a, version: '1.0', settings: ['--global']}]\n",
            "`--global` is not a setting of a build system",
        ),
        (
            "sdists: [{name: A_b, version: '1.0', sha256: SUM}, {name: a-B, version: '1.0', sha256: SUM}]\n",
            "the package `a-b` is here for the second time",
        ),
        (
            "flash_attn: {version: 2.8.3, sha256: SUM}\n",
            "runs in a torch for CUDA, which the spec does not have",
        ),
        (
            "torch: {version: 2.9.1, channel: cu128}\nflash_attn: {version: 2.8.3, sha256: SUM}\n",
            "FlashAttention is compiled by nvcc, which the spec does not have; add `cuda:` with `compiler: apt`",
        ),
        ("flash_attn: {version: 2.8.3, capabilities: [7.5]}\n", "write compute capabilities from `8.0` on"),
        ("files: [{from: ../x, to: /x}]\n", "`../x` is not a path in the build context"),
        ("files: [{from: x, to: /x}, {from: x, to: /x}]\n", "`x` is put at `/x` for the second time"),
        (
            "files: [{from: app.conf, to: /etc/a}, {from: conf, to: /etc/a}]\n",
            "4:56: `/etc/a` cannot be both the file `app.conf` (line 4) and the directory `conf`; take one of them out, or",
        ),
        (
            "files: [{from: app.conf, to: /etc/a}, {from: unknown, to: /etc/a/b}]\n",
            "4:59: `/etc/a/b` cannot lie below `/etc/a`, which is a file (line 4)",
        ),
        (
            "docker: distribution\nfiles: [{from: x, to: /usr/local/bin/entrypoint.sh}]\n",
            "5:23: `/usr/local/bin/entrypoint.sh` is a file of `docker` (line 4); give it another `to`, and name that in \
             `entrypoint:`",
        ),
        (
            "docker: {provider: apt, version: 28.5.2}\nfiles: [{from: x, to: /usr/bin/docker}]\n",
            "`/usr/bin/docker` is a file of `docker` (line 4)",
        ),
        (
            "docker: {version: 28.5.2, url: 'https://a.org/d.tgz', sha256: SUM}\nfiles: [{from: x, to: /usr/local/bin/runc}]\n",
            "`/usr/local/bin/runc` is a file of `docker` (line 4)",
        ),
        (
            "nodejs: 20.19.5\nfiles: [{from: x, to: /usr/local/bin/npm}]\n",
            "5:23: `/usr/local/bin/npm` is a file of `nodejs` (line 4); give it another `to`, or leave `nodejs` out; one of \
             `commands`, which run later, can replace the file",
        ),
        (
            "ngrok: {version: 3.2.1, url: 'https://a.org/ngrok', sha256: SUM}\nfiles: [{from: x, to: /usr/local/bin/ngrok/y}]\n",
            "`/usr/local/bin/ngrok/y` cannot lie below `/usr/local/bin/ngrok`, a file of `ngrok` (line 4)",
        ),
        (
            "uv: {version: 0.9.0, url: 'https://a.org/uv.tar.gz', sha256: SUM}\nfiles: [{from: x, to: /usr/local/bin/uv}]\n",
            "`/usr/local/bin/uv` is a file of `uv` (line 4)",
        ),
        (
            "ffmpeg: {version: 7.1.5, flags: [--disable-encoder=gif]}\nfiles: [{from: x, to: /usr/local/bin/ffprobe}]\n",
            "`/usr/local/bin/ffprobe` is a file of `ffmpeg` (line 4)",
        ),
        (
            "files: [{from: x, to: /opt/python/bin/python3}]\n",
            "4:23: `/opt/python/bin/python3` is a file of `python` (line 3)",
        ),
        (
            "files: [{from: x, to: /lib/udev/rules.d/x.rules}]\n",
            "4:23: `/lib` is a link in debian 13, which this would replace; write `/usr/lib/udev/rules.d/x.rules`",
        ),
        (
            "files: [{from: x, to: /sbin}]\n",
            "`/sbin` is a link in debian 13, which this would replace; write `/usr/sbin/x` for a file, and `/usr/sbin` for",
        ),
        ("files: [{from: x, to: /x, mode: rwx}]\n", "write the permissions in octal, such as `0644`"),
        ("commands: [{name: c, run: []}]\n", "a command has no program"),
        ("system: {timezone: ../etc/passwd}\n", "write a time zone such as `Etc/UTC`"),
        ("system: {locale: english}\n", "write a locale such as `en_US.UTF-8`"),
        ("system: {users: [{name: Root, id: 1}]}\n", "a user's name has lower-case letters"),
        (
            "system: {users: [{name: a, id: 7}, {name: b, id: 7}]}\n",
            "the user `b` has a name or number that is taken",
        ),
        (
            "system: {users: [{name: a, id: 7}, {name: a, id: 8}]}\n",
            "4:43: the user `a` has a name or number that is taken; it is taken at 4:25",
        ),
        (
            "apiVersion: v2\n",
            "4:13: `v2` is not an edition of specs that this frontend reads; it reads v1; a later edition needs a later",
        ),
        ("status: prodution\n", "did you mean `production`?"),
        (
            "platforms: [linux/arm64]\n",
            "4:13: the spec is not meant for linux/amd64; build it with `--platform linux/arm64`",
        ),
        ("platforms: [arm64]\n", "write `linux/amd64` or `linux/arm64`"),
    ];
    for (fields, expected) in cases {
        let fields = fields.replace("SUM", &"0".repeat(64));
        let found = refusal(&format!("{python}{fields}"), "amd64");
        assert!(found.contains(expected), "{fields}: {expected:?} is not in {found:?}");
    }
    for (python, expected) in [
        (
            "{version: 3.12, vendor: /opt/conda}",
            "the base image has no Python 3.12 at /opt/conda; name the series",
        ),
        ("{version: 3.11.2, vendor: /opt/conda}", "no Python 3.11.2 at /opt/conda; it has 3.11.14 there"),
        (
            "{version: 3.12, venv: /opt/venv}",
            "debian 13 has no Python 3.12; it has 3.13; another one can be built",
        ),
        ("{version: 3.11, vendor: conda}", "the path must begin with `/`"),
        ("{version: 2.7, vendor: /usr}", "`2.7` is not a Python 3; name one, such as `3.13.5`"),
    ] {
        let found = refusal(&format!("python: {python}\n"), "amd64");
        assert!(found.contains(expected), "{python}: {expected:?} is not in {found:?}");
    }
    for component in [
        "torch: {version: 2.9.1, channel: cpu}",
        "onnxruntime: 1.23.2",
        "openvino: 2025.4.1",
        "transformers: 4.57.1",
    ] {
        let key = component.split(':').next().unwrap_or_default();
        let found = refusal(&format!("{component}\n"), "amd64");
        assert!(
            found.contains(&format!("`{key}` is installed into `python`, which the spec does not have")),
            "{found}"
        );
    }
    let found = refusal(&format!("{python}onnxruntime: {{version: 1.23.0, flavour: openvino}}\n"), "arm64");
    assert!(found.contains("onnxruntime-openvino 1.23.0 has no wheels for arm64"), "{found}");
}

#[test]
fn what_works_is_not_refused() {
    let fields = "python: {version: 3.13.5}\ntorch: {version: 2.9, channel: cu128}\ntensorrt: 10.9.0\nstatus: archived\n\
                  onnxruntime: {version: 1.23.2, flavour: gpu}\nwheels: {files: [good.txt]}\napiVersion: v1\nplatforms: [linux/amd64]\n";
    assert_eq!(refusal(fields, "amd64"), "");
    let built = format!(
        "python: {{version: 3.13.5}}\nwheels: {{requirements: [numpy==2.4.4], cpu_baseline: x86-64}}\n\
         sdists: [{{name: NumPy, version: 2.4.4, url: 'https://example.org/numpy.tar.gz', sha256: {}}}]\n",
        "0".repeat(64)
    );
    assert_eq!(refusal(&built, "amd64"), "");
    let packages = "docker: {provider: apt, version: 28.5.2}\nnvidia_container_toolkit: 1.18.0\n";
    assert_eq!(refusal(packages, "amd64"), "");
    for files in [
        "{from: conf, to: /a}, {from: app.conf, to: /a/b}, {from: site.conf, to: /a/b}",
        "{from: conf, to: /a}, {from: app.conf, to: /a}, {from: site.conf, to: /a/app.conf}",
        "{from: app.conf, to: /etc/a}, {from: site.conf, to: /etc/a}",
    ] {
        assert_eq!(refusal(&format!("files: [{files}]\n"), "amd64"), "");
    }
    let vendor = "python: {version: 3.11, vendor: /opt/conda}\ntorch: vendor\ntensorrt: 10.14.1.48\n";
    assert_eq!(refusal(vendor, "amd64"), "");
}

#[test]
fn requirements_do_not_contradict_components() {
    let torch = "torch: {version: 2.9.1, channel: cu128}\n";
    let numpy = "sdists: [{name: numpy, version: 2.3.5}]\n";
    let cases = [
        (
            torch,
            "requirements: [torch==2.8.0]",
            "5:25: `torch==2.8.0` does not admit torch 2.9.1, which `torch` (line 4) brings; `torch` (line 4) and `wheels` \
             (line 5) clash; what would work: `torch.version: 2.8.0`, or ",
        ),
        (torch, "requirements: [torch==2.8.0]", ", or `wheels` without a requirement of `torch`"),
        (torch, "requirements: [Torchvision<0.24]", "`Torchvision<0.24` does not admit torchvision 0.24.1"),
        (
            torch,
            "requirements: ['torchaudio[x]~=2.8.0']",
            "does not admit torchaudio 2.9.1, which `torch` (line 4) brings",
        ),
        (
            torch,
            "files: [old.txt]",
            "5:18: `old.txt`, line 3: `torch<2.9` does not admit torch 2.9.1, which `torch` (line 4) brings",
        ),
        (torch, "files: [old.txt]", ", or `wheels` without a requirement of `torch`"),
        (
            "torch: {version: auto, channel: cpu}\n",
            "requirements: [torch==2.8.0]",
            "what would work: `torch.version: 2.8.0`, or",
        ),
        (
            "onnxruntime: 1.23.2\n",
            "requirements: [onnxruntime==1.22.0]",
            "`onnxruntime==1.22.0` does not admit onnxruntime 1.23.2, which `onnxruntime` (line 4) brings",
        ),
        ("openvino: 2025.4.1\n", "requirements: ['openvino<2025']", "does not admit openvino 2025.4.1"),
        ("transformers: 4.57.1\n", "requirements: ['transformers>=5']", "does not admit transformers 4.57.1"),
    ];
    let refusal_of = |component: &str, wheels: &str| {
        refusal(&format!("python: {{version: 3.13.5}}\n{component}wheels: {{{wheels}}}\n"), "amd64")
    };
    for (component, wheels, expected) in cases {
        let found = refusal_of(component, wheels);
        assert!(found.contains(expected), "{component}{wheels}: {expected:?} is not in {found:?}");
    }
    let tensorrt = format!("{torch}tensorrt: 10.13.3.9\n");
    for (package, version) in [("tensorrt", "10.9.0.34"), ("tensorrt-cu12-bindings", "10.9.0.34")] {
        let found = refusal_of(&tensorrt, &format!("requirements: [{package}=={version}]"));
        assert!(
            found.contains(&format!("does not admit {package} 10.13.3.9, which `tensorrt` (line 5)")),
            "{found}"
        );
    }
    for (component, wheels) in [
        (torch, "requirements: [torch==2.9.1, 'torchvision>=0.20', torchaudio, 'torch==2.9.1+cu128']"),
        // A marker may leave it out.
        (torch, "requirements: [\"torch==2.8.0; python_version < '3.12'\"]"),
        (torch, "files: [good.txt], requirements: [torchao==0.1, numpy==2.2.6]"),
        ("torch: {version: 2.9.1, channel: cpu, vision: false}\n", "requirements: [torchvision==0.20.0]"),
        ("torch: {version: 2.8.0, channel: cpu}\n", "files: [old.txt]"),
        (
            "torch: {version: 2.9.1, channel: cu128}\nonnxruntime: {version: 1.23.2, flavour: gpu}\n",
            "requirements: [onnxruntime==1.20.0]",
        ),
        ("transformers: 4.57.1\n", "requirements: ['transformers[torch]>=4.57']"),
        ("openvino: 2025.4.0\n", "requirements: [openvino==2025.4]"),
        (numpy, "requirements: ['numpy>=2.1,<2.4']"),
        // They count for nothing.
        (numpy, "requirements: [numpy==2.2.6]"),
        (torch, "requirements: [torchaudio==2.8.0], exclude: [TorchAudio]"),
        (&tensorrt, "requirements: [tensorrt-cu12-bindings==10.13.3.9]"),
    ] {
        assert_eq!(refusal_of(component, wheels), "", "{component}{wheels}");
    }
}

#[test]
fn files_may_lie_beside_others() {
    let lists = [
        // Directories are merged, files go into them, and take the place of what comes with them.
        "{from: conf, to: /etc/a}, {from: more, to: /etc/a}",
        "{from: conf, to: /etc/a}, {from: app.conf, to: /etc/a}, {from: site.conf, to: /etc/a}",
        "{from: conf, to: /etc/a}, {from: app.conf, to: /etc/a/b}",
        "{from: app.conf, to: /etc/a/b}, {from: site.conf, to: /etc/a/bc}",
        "{from: app.conf, to: /app.conf}, {from: site.conf, to: /}",
        // Nobody knows what these are.
        "{from: one, to: /etc/a}, {from: other, to: /etc/a}",
        // Beside and above what components have.
        "{from: x, to: /usr/local/bin/ffmpeg.sh}, {from: x, to: /usr/local/bin}, {from: conf, to: /usr/local/bin}",
        "{from: x, to: /opt/python/lib/python3.13/site-packages/own.pth}, {from: x, to: /etc/docker/certs.d/x}",
        "{from: x, to: /usr/lib/x}, {from: x, to: /library}, {from: x, to: /usr/local/bin/ngrok}",
        // Its packages are the distribution's.
        "{from: x, to: /usr/bin/dockerd}",
    ];
    let components = "python: {version: 3.13.5}\nffmpeg: {version: 7.1.5}\ndocker: distribution\n";
    for list in lists {
        assert_eq!(refusal(&format!("{components}files: [{list}]\n"), "amd64"), "", "{list}");
    }
    let without = "ffmpeg: {version: 7.1.5, flags: [--disable-programs]}\nfiles: [{from: x, to: /usr/local/bin/ffmpeg}]\n";
    assert_eq!(refusal(without, "amd64"), "");
    let vendor =
        "python: {version: 3.11, vendor: /opt/conda}\nfiles: [{from: x, to: /opt/conda/bin/python3}]\n";
    assert_eq!(refusal(vendor, "amd64"), "", "files are laid on the base image");
    let venv = "python: {version: 3.13, venv: /opt/venv}\nfiles: [{from: x, to: /opt/venv/bin/pip}]\n";
    assert!(refusal(venv, "amd64").contains("`/opt/venv/bin/pip` is a file of `python` (line 3)"));
    assert_eq!(refusal("files: [{from: x, to: /lib64/x}]\n", "arm64"), "", "only amd64 has the link");
    assert_eq!(refusal_on("ubuntu:22.04", "files: [{from: x, to: /usr/bin/x}]\n", "amd64"), "");
    let found = refusal_on("ubuntu:22.04", "files: [{from: x, to: /lib64/x}]\n", "amd64");
    assert!(found.contains("`/lib64` is a link in ubuntu 22.04"), "{found}");
}

#[test]
fn what_vendors_packages_bring_is_read_from_the_base_image() {
    let python = "python: {version: 3.10, vendor: /usr}\n";
    let refusal =
        |fields: &str| refusal_on("dustynv/l4t-pytorch:r36.2.0", &format!("{python}{fields}"), "arm64");
    assert_eq!(refusal("torch: vendor\ncuda: vendor\ntensorrt: vendor\n"), "");
    let flash = "flash_attn: {version: 2.8.3, url: 'https://example.org/f.tar.gz', sha256: SUM}\n";
    let flash = format!("torch: vendor\ncuda: vendor\n{}", flash.replace("SUM", &"0".repeat(64)));
    assert!(
        refusal(&flash).contains("compiled by nvcc, which the spec does not have"),
        "the base image has none"
    );
    let conda = "python: {version: 3.11, vendor: /opt/conda}\ntensorrt: vendor\n";
    let found = refusal_on("dustynv/l4t-pytorch:r36.2.0", conda, "arm64");
    assert!(found.contains("TensorRT 8.6.2.3 has no module for the Python at /opt/conda"), "{found}");
    let found = refusal("torch: {version: 2.9.1, channel: cu130}\ncuda: vendor\n");
    let expected = "5:7: the base image has the libraries of CUDA 12.2, and torch's wheels bring them again; write `torch: vendor`";
    assert!(found.contains(expected), "{found}");
}

#[test]
fn tensorrt_is_put_beside_the_cudnn_that_it_loads() {
    let vendor = "python: {version: 3.11, vendor: /opt/conda}\ntorch: vendor\ntensorrt: 8.6.1.6\n";
    let found = refusal_on("pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime", vendor, "amd64");
    assert!(found.contains("TensorRT 8.6.1.6 loads cuDNN 8, and torch 2.9.1 brings cuDNN 9"), "{found}");
    // The archive's own is another copy of what torch brings.
    let spec = parse(
        "name: n\nbase: ubuntu:22.04\npython: {version: 3.10, venv: /opt/venv}\n\
         torch: {version: 2.3.1, channel: cu121}\ntensorrt: {version: 8.6.1.6, provider: apt}\n",
    )
    .expect("a spec");
    let facts = facts(&spec, "amd64");
    let inputs = inputs(&spec, &facts);
    let plan = format!("{:?}", plan(&resolve(spec, facts, &inputs).expect("it works")));
    assert!(plan.contains("libnvinfer8_8.6.1.6") && !plan.contains("libcudnn8_"), "{plan}");
}

/// The value of a field as the README shows it.
fn shown<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string().trim_start_matches("docker.io/").to_owned())
}

#[test]
fn the_tag_table_of_the_readme_is_that_of_the_specs() {
    let readme = include_str!("../README.md");
    let specs = specs(root());
    for path in &specs {
        let spec = load(root(), path);
        let name = path.with_extension("").display().to_string();
        let start = format!("| `{name}` | `{}` |", shown(spec.repository));
        let row =
            readme.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row {start}"));
        let tag = spec.tag.expect("every family has a tag");
        assert_eq!(row, format!("{start} `{}` |", tag.value));
    }
    let table = readme.split("| spec | repository | tag |").nth(1).and_then(|rest| rest.split("\n\n").next());
    let rows = table.expect("a table").lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, specs.len(), "rows of specs that are no more");
}

#[test]
fn no_two_targets_push_one_tag() {
    let text = std::fs::read_to_string("specs/docker-bake.hcl").expect("read");
    let tags: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("tags ")).collect();
    let different: std::collections::BTreeSet<_> = tags.iter().collect();
    assert!(tags.len() > 1 && tags.len() == different.len(), "{tags:#?}");
    assert!(text.contains("ratio1/base_edge_node:${TAG}-base_edge_node_gpu\""), "{text}");
    assert!(text.contains("ratio1/base_edge_node_arm64_cpu:${TAG}\""), "{text}");
}

#[cfg(feature = "cli")]
#[test]
fn the_bake_files_are_what_the_command_line_writes() {
    for (context, file) in [(".", "specs/docker-bake.hcl"), ("specs", "examples/docker-bake.hcl")] {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_edgenode"))
            .args(["bake", "specs", "--context", context])
            .current_dir(project)
            .output()
            .expect("edgenode starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let written = fs::read_to_string(project.join(file)).expect("read");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            written,
            "write {file} anew with `edgenode bake`"
        );
    }
}

/// What the steps that resolve and install wheels read of the plan.
#[test]
fn large_wheels_are_branches_within_the_limit_of_layers() {
    let node = |layers: usize| {
        let text = "name: n\nbase: debian:13\npython: {version: 3.13.5}\nwheels: {requirements: [scipy]}\n";
        let spec = parse(text).expect("a spec");
        let facts = BaseFacts { layers, ..facts(&spec, "amd64") };
        resolve(spec, facts, &Inputs::default()).expect("a node")
    };
    let most = |layers: usize| {
        let plan = plan(&node(layers));
        let resolution = &plan.steps[plan.release.wheels.expect("wheels").step.0];
        let edgenode::plan::Action::Run(run) = &resolution.action else { panic!("{resolution:?}") };
        run.env.iter().find(|(name, _)| name == "MOST_ALONE").map(|(_, value)| value.clone()).expect("set")
    };
    assert_eq!([1, 110, 200].map(most), ["64", "2", "0"]);

    let mut parted = node(1);
    parted.wheel_branches = WheelBranch::parse_list("wheels wheels-scipy\nwheels wheels.medium\n");
    let components: Vec<_> = plan(&parted).components.into_iter().map(|component| component.name).collect();
    assert_eq!(components, ["python", "wheels-scipy", "wheels.medium", "wheels"]);

    // The system's packages, those of what was built, two trees and the indexes.
    let told = |layers: usize| plan(&node(layers)).warnings;
    assert_eq!(told(120), []);
    assert_eq!(told(121)[0].message, "the image has 126 layers, and Docker's own store takes 125");
}

/// What the check of the parts says of trees with these lists of files.
fn fits(trees: &[(&str, &str)]) -> Result<(), String> {
    let directory = tempfile::tempdir().expect("a directory");
    let (lists, system) = (directory.path().join("lists"), directory.path().join("system"));
    fs::create_dir_all(&system).expect("made");
    fs::write(system.join("links"), "").expect("written");
    for (tree, files) in trees {
        fs::create_dir_all(lists.join(tree)).expect("made");
        fs::write(lists.join(tree).join("files"), files).expect("written");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/components/scripts/fit.sh");
    let mut command = std::process::Command::new("sh");
    let output = command.arg(script).env("LISTS", lists).env("SYSTEM", system).output().expect("sh starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(told) }
}

#[test]
fn the_small_wheels_of_a_group_may_have_the_same_file() {
    let [one, other] = ["f 1 /docs/conf.py\n", "f 2 /docs/conf.py\n"];
    assert_eq!(fits(&[("wheels", one), ("wheels.small-1", other), ("wheels.small-3", one)]), Ok(()));
    for tree in ["wheels.medium", "wheels-scipy", "torch", "torch.small-1"] {
        let told = fits(&[("wheels.small-1", one), (tree, other)]).expect_err(tree);
        assert!(told.contains("/docs/conf.py (") && told.contains(tree), "{told}");
        assert_eq!(fits(&[("wheels.small-1", one), (tree, one)]), Ok(()), "the same bytes");
    }
}

#[test]
fn users_that_the_base_image_has_are_refused_at_their_line() {
    let refusal =
        |base: &str, users: &str| refusal_on(base, &format!("system: {{users: [{users}]}}\n"), "amd64");
    let has = "the base image has the user";
    for (users, expected) in [
        (
            "{name: node, id: 1000}",
            format!(
                "3:35: {has} `ubuntu` with number 1000; take another number, such as 1001, or `user: ubuntu` without an entry"
            ),
        ),
        (
            "{name: a, id: 1001}, {name: b, id: 1000}",
            format!(
                "3:53: {has} `ubuntu` with number 1000; take another number, such as 1002, or `user: ubuntu` without an entry"
            ),
        ),
        (
            "{name: ubuntu, id: 1001}",
            format!(
                "3:25: {has} `ubuntu` with number 1000; take another name, or `user: ubuntu` without an entry"
            ),
        ),
        (
            "{name: ubuntu, id: 1000}",
            format!("3:25: {has} `ubuntu` with number 1000; leave the entry out: `user: ubuntu` needs none"),
        ),
        ("{name: node, id: 1001}", String::new()),
    ] {
        assert_eq!(refusal("ubuntu:24.04", users), expected, "{users}");
    }
    assert_eq!(refusal("debian:13", "{name: node, id: 1000}"), "");
}

#[test]
fn the_users_of_the_base_image_are_read_only_for_users_of_the_spec() {
    let inspects = |fields: &str| {
        let spec = parse(&format!("name: n\nbase: ubuntu:24.04\n{fields}")).expect("a spec");
        spec.inspects().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(inspects("system: {users: [{name: node, id: 1001}]}\n"), ["/etc/passwd"]);
    assert_eq!(inspects("system: {packages: [curl]}\nuser: ubuntu\n"), [""; 0]);
}

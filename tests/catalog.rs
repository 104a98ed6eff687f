//! What fits together: the catalog, `target:`, versions left open, ways out. The ten weaknesses of jetson-containers that
//! were verified are cases here.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use edgenode::catalog::Catalog;
use edgenode::diagnostic::{Diagnostic, Problems};
use edgenode::lock::{LockUse, LockedPackages, PlatformLock};
use edgenode::plan::{Action, Plan, Run, plan};
use edgenode::resolve::{BaseFacts, Inputs, Node, OsRelease, resolve};
use edgenode::spec::{Node as Yaml, Spec, decode, document, merge};

const PYTHON: &str = "name: n\nbase: debian:13\npython: {version: 3.13.5}\n";
const VENV: &str = "name: n\nbase: ubuntu:22.04\npython: {version: 3.10, venv: /opt/venv}\n";

fn yaml(text: &str, file: u8) -> Yaml {
    document(text, file, &mut Problems::default()).expect("YAML").root
}

fn spec(root: &Yaml) -> Spec {
    decode(root, Problems::default()).unwrap_or_else(|found| panic!("{found:#?}"))
}

fn try_resolve(root: &Yaml, architecture: &str, site: &str) -> Result<Node, Vec<Diagnostic>> {
    let files = [("site.yaml".to_owned(), site.to_owned())].into();
    resolve_with(root, architecture, &Inputs { files, ..Inputs::default() })
}

fn resolve_with(root: &Yaml, architecture: &str, inputs: &Inputs) -> Result<Node, Vec<Diagnostic>> {
    let spec = spec(root);
    let release = match spec.base.value.as_str() {
        base if base.contains("ubuntu:20.04") => "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=20.04\n",
        base if base.contains("ubuntu") => "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=22.04\n",
        _ => "ID=debian\nVERSION_ID=13\n",
    };
    let facts = BaseFacts {
        reference: "base@sha256:0".to_owned(),
        architecture: architecture.to_owned(),
        os_release: OsRelease::parse(release),
        layers: 1,
        env: Vec::new(),
        files: BTreeMap::new(),
    };
    resolve(spec, facts, inputs)
}

fn lines(found: &[Diagnostic]) -> String {
    found.iter().map(Diagnostic::line).collect::<Vec<_>>().join("\n")
}

/// What is refused, one line for each problem.
fn refusal(text: &str) -> String {
    lines(&try_resolve(&yaml(text, 0), "amd64", "").err().unwrap_or_default())
}

fn works(text: &str) -> Node {
    let found = try_resolve(&yaml(text, 0), "amd64", "");
    found.unwrap_or_else(|found| panic!("{text}: {}", lines(&found)))
}

/// The requirements that are resolved together.
fn requirements(text: &str) -> Vec<String> {
    resolved_with("/requirements.txt", text)
}

/// The lines of a file that Python packages are resolved with.
fn resolved_with(name: &str, text: &str) -> Vec<String> {
    let plan: Plan = plan(&works(text));
    let files = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Files(files) => Some(files),
        _ => None,
    });
    let file = files.flatten().find(|file| file.path == name).expect("there is the file");
    file.text.lines().map(str::to_owned).collect()
}

/// A way out as a spec that is merged over the one it is for.
fn overlay(change: &str, text: &str) -> Yaml {
    if let Some(gpu) = change.strip_prefix("`target.gpus` without `") {
        let gpu = gpu.trim_end_matches('`');
        let without = text
            .replace(&format!(", {gpu}]"), "]")
            .replace(&format!("[{gpu}, "), "[")
            .replace(&format!("[{gpu}]"), "[]");
        assert_ne!(without, text, "{gpu} is not in a list");
        return yaml(&without, 1);
    }
    let parts: BTreeMap<String, Vec<String>> =
        change.split(" with ").fold(BTreeMap::new(), |mut all, part| {
            let part = part.trim_matches('`');
            let (path, value) = part.split_once(": ").unwrap_or(("wheels.requirements", part));
            let value = if path == "wheels.requirements" { format!("['{value}']") } else { value.to_owned() };
            let (top, field) = path.split_once('.').unwrap_or((path, ""));
            let entry = if field.is_empty() { value } else { format!("{field}: {value}") };
            all.entry(top.to_owned()).or_insert_with(Vec::new).push(entry);
            all
        });
    let field = |(top, entries): (&String, &Vec<String>)| match entries.as_slice() {
        [scalar] if !scalar.contains(": ") => format!("{top}: {scalar}\n"),
        entries => format!("{top}: {{{}}}\n", entries.join(", ")),
    };
    yaml(&parts.iter().map(field).collect::<String>(), 1)
}

/// The ways out that a refusal names; each of them is tried.
fn ways_out(text: &str) -> Vec<String> {
    let refused = refusal(text);
    let (_, ways) =
        refused.split_once("what would work: ").unwrap_or_else(|| panic!("no way out: {refused}"));
    let ways: Vec<_> = ways.lines().next().unwrap_or_default().split(", or ").map(str::to_owned).collect();
    for way in &ways {
        let changed = merge(yaml(text, 0), overlay(way, text));
        let found = try_resolve(&changed, "amd64", "");
        assert!(found.is_ok(), "{way} does not help: {}", lines(&found.err().unwrap_or_default()));
    }
    ways
}

#[test]
fn a_blackwell_fleet_is_refused_with_cuda_12_6() {
    let text = format!("{PYTHON}target: {{gpus: [RTX 5090]}}\ntorch: {{version: 2.9.1, channel: cu126}}\n");
    let found = refusal(&text);
    assert!(
        found.contains("CUDA 12.6 does not know compute capability 12.0 yet (`RTX 5090`, line 4)"),
        "{found}"
    );
    assert!(
        found.contains("torch 2.9.1 of the channel cu126 has no code for compute capability 12.0"),
        "{found}"
    );
    assert_eq!(ways_out(&text)[..2], ["`torch.channel: cu130`", "`torch.channel: cu128`"]);
}

#[test]
fn a_driver_older_than_its_cuda_is_refused() {
    let text = format!("{PYTHON}target: {{driver: '>=560'}}\ntorch: {{version: 2.9.1, channel: cu128}}\n");
    let found = refusal(&text);
    assert!(
        found.contains("CUDA 12.8 came with the driver 570.26, and `target.driver` (line 4) begins at 560"),
        "{found}"
    );
    let ways = ways_out(&text);
    assert!(
        ways.contains(&"`torch.channel: cu126`".to_owned())
            && ways.contains(&"`target.driver: \">=570\"`".to_owned()),
        "{ways:?}"
    );
}

#[test]
fn a_pascal_gpu_is_refused_where_the_build_dropped_it() {
    for channel in ["cu128", "cu130"] {
        let text =
            format!("{PYTHON}target: {{gpus: [T4, P40]}}\ntorch: {{version: 2.11.0, channel: {channel}}}\n");
        assert!(refusal(&text).contains("(`P40`, line 4)"), "{}", refusal(&text));
        let ways = ways_out(&text);
        assert!(ways.contains(&"`torch.channel: cu126`".to_owned()), "{ways:?}");
        assert!(ways.contains(&"`target.gpus` without `P40`".to_owned()), "{ways:?}");
    }
}

#[test]
fn old_processors_are_refused_with_new_numpy() {
    for old in [
        "target: {cpu: x86-64}\nwheels: {requirements: [numpy==2.4.1]}\n",
        "wheels: {requirements: ['numpy>=2.4'], cpu_baseline: x86-64}\n",
    ] {
        let text = format!("{PYTHON}{old}");
        assert!(
            refusal(&text).contains("numpy's wheels from 2.4 on ask for processors of level x86-64-v2"),
            "{}",
            refusal(&text)
        );
        assert!(ways_out(&text).contains(&"`numpy<2.4`".to_owned()));
    }
    for fine in [
        "target: {cpu: x86-64-v2}\nwheels: {requirements: [numpy==2.4.1]}\n",
        "target: {cpu: x86-64}\nwheels: {requirements: ['numpy>=2.1']}\n",
    ] {
        works(&format!("{PYTHON}{fine}"));
    }
    // Nobody is given a numpy who asks for none, and whoever brings it, it is an older one.
    let six = format!("{PYTHON}target: {{cpu: x86-64}}\nwheels: {{requirements: [six]}}\n");
    assert_eq!(requirements(&six), ["six"]);
    let runtime = format!("{PYTHON}target: {{cpu: x86-64}}\nonnxruntime: 1.23.2\n");
    for text in [six, runtime] {
        assert_eq!(resolved_with("/constraints.txt", &text), ["numpy<2.4"]);
    }
    let board = refusal(&format!("{PYTHON}target: {{cpu: armv8}}\n"));
    assert!(board.contains("`armv8` is a level of arm64 processors, and the image is for amd64"), "{board}");
}

#[test]
fn a_gpu_between_two_that_are_known_is_not_known() {
    let torch = "torch: {version: 2.9.1, channel: cu128}\n";
    let cuda = refusal(&format!("{PYTHON}target: {{gpus: ['11.0']}}\n{torch}"));
    assert!(cuda.contains("CUDA 12.8 does not know compute capability 11.0 yet"), "{cuda}");
    let tensorrt = format!("{PYTHON}target: {{gpus: ['11.0']}}\n{torch}tensorrt: 10.13.3.9\n");
    assert!(refusal(&tensorrt).contains("TensorRT 10.13.3.9 does not run on compute capability 11.0"));
    works(&format!("{PYTHON}target: {{gpus: ['12.0']}}\n{torch}tensorrt: 10.13.3.9\n"));
}

#[test]
fn releases_can_be_left_open() {
    let versions = |text: &str| plan(&works(&format!("name: n\nbase: debian:13\n{text}"))).release.versions;
    let open =
        versions("python: {version: 3.13}\nffmpeg: {version: '<7.0', libraries: {dav1d: auto}}\nuv: auto\n");
    let named = versions(
        "python: {version: 3.13.11}\nffmpeg: {version: 6.1.1, libraries: {dav1d: 1.5.1}}\nuv: 0.12.1\n",
    );
    assert_eq!(open, named);
    // A release whose name begins another one's is that one.
    assert_eq!(versions("ffmpeg: {version: 7.1}\n")["ffmpeg"], "7.1");
    assert_eq!(versions("ffmpeg: {version: '>=7.1,<8.0'}\n")["ffmpeg"], "7.1.5");
    assert_eq!(versions("ffmpeg: {version: 7}\n")["ffmpeg"], "7.1.5");
    assert_eq!(versions("nodejs: 20\n")["nodejs"], "20.19.5");
    let refused = |text: &str| refusal(&format!("name: n\nbase: debian:13\n{text}"));
    let none = refused("ffmpeg: {version: '>=99.0'}\n");
    assert!(
        none.contains("3:19: the catalog does not know ffmpeg >=99.0; it knows 6.1.1, 7.1, 7.1.5"),
        "{none}"
    );
    let sum = "a".repeat(64);
    let both = refused(&format!("ffmpeg: {{version: auto, sha256: {sum}}}\n"));
    assert!(both.contains("one archive has one version"), "{both}");
    let beginning = refused(&format!("ffmpeg: {{version: 7, sha256: {sum}}}\n"));
    assert!(beginning.contains("one archive has one version"), "{beginning}");
}

#[test]
fn an_architecture_has_wheels_of_its_own() {
    let found = |text: &str| try_resolve(&yaml(text, 0), "arm64", "");
    // The index has CUDA's torch for amd64, and one for processors.
    let torch = format!("{PYTHON}torch: {{version: 2.9.1, channel: pypi}}\n");
    let cuda = format!("{torch}tensorrt: 10.13.3.9\n");
    assert!(found(&torch).is_ok() && lines(&found(&cuda).err().unwrap_or_default()).contains("CUDA"));
    let runtime = |version: &str| {
        format!(
            "{PYTHON}torch: {{version: 2.14.1, channel: cu130}}\nonnxruntime: {{version: {version}, flavour: gpu}}\n"
        )
    };
    assert!(found(&runtime("1.31.1")).is_ok());
    let none = lines(&found(&runtime("1.28.0")).err().unwrap_or_default());
    assert!(none.contains("onnxruntime-gpu 1.28.0 has no wheels for arm64"), "{none}");
}

#[test]
fn a_torch_that_nobody_looks_at_is_refused_for_a_target() {
    let wheels = "wheels: {requirements: [torch==2.11.0]}\n";
    let text = format!("{PYTHON}target: {{gpus: [P40]}}\n{wheels}");
    assert!(refusal(&text).contains("whether a torch that is required as a package runs on the `target`"));
    works(&format!("{PYTHON}{wheels}"));
}

#[test]
fn gpus_that_tensorrt_or_video_headers_do_not_run_on_are_refused() {
    let text = format!(
        "{PYTHON}target: {{gpus: [V100, T4]}}\ntorch: {{version: 2.9.1, channel: cu128}}\ntensorrt: 10.13.3.9\n"
    );
    assert!(
        refusal(&text).contains("TensorRT 10.13.3.9 does not run on compute capability 7.0 (`V100`, line 4)")
    );
    assert_eq!(ways_out(&text), ["`target.gpus` without `V100`"]);
    let text = format!(
        "{PYTHON}target: {{driver: '>=560'}}\ntorch: {{version: 2.9.1, channel: cu126}}\nffmpeg: {{version: 7.1.5, libraries: {{nvenc: 13.0.19.0}}}}\n"
    );
    assert!(
        refusal(&text).contains("the NVIDIA headers 13.0.19.0 ask for the driver 570.0"),
        "{}",
        refusal(&text)
    );
}

#[test]
fn what_is_unknown_is_told_and_not_refused() {
    let text = format!("{PYTHON}target: {{gpus: [T4]}}\ntorch: {{version: 2.15.0, channel: cu132}}\n");
    let warnings = lines(&works(&text).warnings);
    assert!(
        warnings.contains("nobody has established whether torch 2.15.0 of the channel cu132 has code for T4"),
        "{warnings}"
    );
}

#[test]
fn the_fleet_decides_what_auto_means() {
    let cases = [
        ("", "2.15.0 cpu"),
        ("target: {driver: '>=570'}\n", "2.14.1 cu126"),
        ("target: {driver: '>=570', gpus: [V100, RTX 50]}\n", "2.10.0 cu128"),
        ("target: {gpus: [P40]}\n", "2.14.1 cu126"),
        ("target: {gpus: [B200], driver: '>=600'}\n", "2.15.0 cu132"),
    ];
    for (target, expected) in cases {
        let (torch, channel) = expected.split_once(' ').expect("two words");
        let text = format!("{PYTHON}{target}torch: {{version: auto, channel: auto}}\n");
        let found = requirements(&text);
        assert!(found.contains(&format!("torch=={torch}")), "{target}: {found:?}");
        let plan = plan(&works(&text));
        let backend = plan.steps.iter().find_map(|step| match &step.action {
            Action::Run(run) => {
                run.env.iter().find(|(name, _)| name == "UV_TORCH_BACKEND").map(|(_, value)| value.clone())
            }
            _ => None,
        });
        assert_eq!(backend.as_deref(), Some(channel), "{target}");
    }
}

#[test]
fn open_versions_take_the_newest_that_fits() {
    let base = format!("{PYTHON}torch: {{version: '>=2.8,<2.10', channel: cu128}}\n");
    let all = requirements(&format!(
        "{base}tensorrt: auto\ntransformers: auto\nonnxruntime: {{version: auto, flavour: gpu}}\nopenvino: '<2026'\n"
    ));
    let expected = [
        "onnxruntime-gpu==1.26.0",
        "openvino==2025.4.1",
        "tensorrt-cu12-bindings==11.4.0.106",
        "tensorrt-cu12-libs==11.4.0.106",
        "torch==2.9.1",
        "torchaudio==2.9.1",
        "torchvision==0.24.1",
        "transformers==5.24.0",
    ];
    assert_eq!(all, expected);
    let all = requirements(
        &format!("{base}tensorrt: '<10.10'\ntransformers: '4'\nonnxruntime: '1.20'\n").replace("'4'", "4.57"),
    );
    assert!(all.contains(&"tensorrt-cu12-libs==10.9.0.34".to_owned()), "{all:?}");
    assert!(
        all.contains(&"transformers==4.57.6".to_owned()) && all.contains(&"onnxruntime==1.20.1".to_owned()),
        "{all:?}"
    );
}

#[test]
fn openvino_goes_with_the_python() {
    let wheels = |version: &str| requirements(&format!("{VENV}openvino: '{version}'\n"));
    assert_eq!(wheels("auto"), ["openvino==2026.4.1"]);
    assert_eq!(wheels("2025.3"), ["openvino==2025.3.0"]);
    let text = format!("{PYTHON}openvino: 2024.6.0\n");
    let found = refusal(&text);
    assert!(found.contains("4:11: openvino 2024.6.0 has no wheels for Python 3.13 on amd64"), "{found}");
    assert!(ways_out(&text).contains(&"`openvino: 2026.4.1`".to_owned()), "{found}");
    let found = refusal(&format!("{PYTHON}openvino: 2024.6\n"));
    assert!(found.contains("openvino 2024.6.0 has no wheels"), "{found}");
    let found = refusal(&format!("{PYTHON}openvino: '<2020'\n"));
    assert!(found.contains("does not know openvino <2020; it knows 2023.1.0, 2023.2.0"), "{found}");
    let text = "name: n\nbase: debian:13\npython: {version: 3.14, venv: /opt/venv}\nopenvino: 2025.4.1\n";
    let found = lines(&try_resolve(&yaml(text, 0), "arm64", "").err().unwrap_or_default());
    assert!(found.contains("openvino 2025.4.1 has no wheels for Python 3.14 on arm64"), "{found}");
}

/// The toolkit that an open version of CUDA stands for.
#[test]
fn an_open_release_of_cuda_is_that_of_torch_or_of_the_nodes() {
    let toolkit = |fields: &str| {
        let labels = plan(&works(&format!("{PYTHON}{fields}"))).config.labels;
        let mut labels = labels.into_iter().filter(|(key, _)| key.ends_with(".cuda-links"));
        labels.next().map(|(_, value)| value).unwrap_or_default()
    };
    let torch = "torch: {version: 2.9.1, channel: cu128}\n";
    assert_eq!(toolkit(&format!("{torch}cuda: auto\n")), "12.8");
    assert_eq!(toolkit(&format!("{torch}cuda: 12\n")), "12.8");
    let alone = |target: &str, version: &str| {
        toolkit(&format!("target: {{{target}}}\ncuda: {{version: '{version}', packages: [libcublas]}}\n"))
    };
    assert_eq!(alone("", "12"), "12.9");
    assert_eq!(alone("driver: '>=560'", ">=12"), "12.6");
    // Nobody knows which drivers came with the newest ones, but no older than their floor run them.
    assert_eq!(alone("driver: '>=580'", "auto"), "13.5");
    let none = refusal(&format!(
        "{PYTHON}target: {{driver: '>=560'}}\ncuda: {{version: 13, packages: [libcublas]}}\n"
    ));
    assert!(
        none.contains("CUDA 13.5 needs the driver 580, and `target.driver` (line 4) begins at 560"),
        "{none}"
    );
    let open = format!("{PYTHON}{torch}cuda: 13\n");
    let found = refusal(&open);
    assert!(found.contains("torch brings the libraries of CUDA 12.8, which `13` does not admit"), "{found}");
    assert_eq!(ways_out(&open)[0], "`torch.channel: cu130`");
    let found = refusal(&format!("{PYTHON}{torch}cuda: 13.0\n"));
    assert!(
        found.contains("but torch brings the libraries of CUDA 12.8; write `version: 12.8` here"),
        "{found}"
    );
    let found = refusal(&format!("{PYTHON}cuda: 12.8.1\n"));
    assert!(found.contains("`12.8.1` is not a release of the CUDA toolkit as packages are named"), "{found}");
}

#[test]
fn the_fleet_leaves_its_mark_in_the_image() {
    let text = format!(
        "{PYTHON}target: {{driver: '>=570,<600', gpus: [T4, RTX 4090], cpu: x86-64-v2}}\ntorch: {{version: 2.9.1, channel: cu128}}\n\
         ffmpeg: {{version: 7.1.5, libraries: {{nvenc: 12.1.14.0}}}}\n"
    );
    let config = plan(&works(&text)).config;
    let env = config.environment(&[]);
    let value = |name: &str| env.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str());
    assert_eq!(value("NVIDIA_REQUIRE_CUDA"), Some("cuda>=12.8,driver>=570,driver<600"));
    assert_eq!(value("NVIDIA_VISIBLE_DEVICES"), Some("all"));
    assert_eq!(value("NVIDIA_DRIVER_CAPABILITIES"), Some("compute,utility,video"));
    let label = |name: &str| {
        config.labels.iter().find(|(key, _)| key.ends_with(name)).map(|(_, value)| value.as_str())
    };
    assert_eq!(label("target.gpus"), Some("T4 (7.5), RTX 4090 (8.9)"));
    assert_eq!(label("target.driver"), Some(">=570,<600"));
    assert_eq!(label("target.cpu"), Some("x86-64-v2"));
    let plain =
        plan(&works(&format!("{PYTHON}torch: {{version: 2.9.1, channel: cu128}}\n"))).config.environment(&[]);
    assert!(!plain.iter().any(|(name, _)| name.starts_with("NVIDIA")), "{plain:?}");
}

#[test]
fn mistakes_in_target_are_told() {
    let refused = |text: &str| {
        let found = decode(&yaml(&format!("{PYTHON}{text}"), 0), Problems::default());
        match found {
            Ok(_) => refusal(&format!("{PYTHON}{text}")),
            Err(found) => lines(&found),
        }
    };
    let cases = [
        ("target: {driver: R570}\n", "write the drivers as `>=570`"),
        ("target: {driver: '>=570,>600'}\n", "write the drivers as `>=570`"),
        ("target: {driver: '>=570,<560.35'}\n", "no driver is both from 570 on and before 560.35"),
        ("target: {driver: '>=570,<570'}\n", "no driver is both from 570 on and before 570"),
        (
            "target: {gpus: [RTX 400]}\n",
            "the catalog does not know the GPU `RTX 400`; did you mean `RTX 20`?",
        ),
        ("target: {gpus: [Voodoo]}\n", "write its compute capability, such as `8.6`"),
        ("target: {cpu: x86-64-v9}\n", "did you mean `x86-64-v2`?"),
        ("target: {cpu: pentium}\n", "write `x86-64`, `x86-64-v2`"),
        ("target: {gpu: T4}\n", "did you mean `gpus`?"),
        ("catalog: gone.yaml\n", "`gone.yaml` is not in the build context"),
    ];
    for (text, expected) in cases {
        let found = refused(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn a_sites_catalog_turns_the_refusal_it_lifts_into_a_warning() {
    let text = format!(
        "{PYTHON}catalog: site.yaml\ntarget: {{driver: '>=560'}}\ntorch: {{version: 2.9.1, channel: cu128}}\n"
    );
    let root = yaml(&text, 0);
    let site = "cuda: [{cuda: 12.8, floor: 525, driver: 560.28.03, gpus: 5.0 12.0, source: tried here, date: 2026-11-24}]\n";
    let node = try_resolve(&root, "amd64", site).unwrap_or_else(|found| panic!("{}", lines(&found)));
    let warnings = lines(&node.warnings);
    assert!(warnings.contains("CUDA 12.8 came with the driver 570.26"), "{warnings}");
    assert!(warnings.contains("the file that `catalog` names (line 4) says that it works"), "{warnings}");
    let found = lines(&try_resolve(&root, "amd64", "cuda: [{cuda: 12.8}]\n").expect_err("refused"));
    assert!(found.contains("`site.yaml`:1:8: a row of the catalog lacks the field `floor`"), "{found}");
}

#[test]
fn what_is_past_its_support_is_told() {
    let warnings = lines(&works(&VENV.replace("22.04", "20.04").replace("3.10", "3.8")).warnings);
    assert!(warnings.contains("ubuntu 20.04 has no free support since 2025-05-29"), "{warnings}");
    assert!(warnings.contains("Python 3.8 has no support since 2024-10"), "{warnings}");
}

// The weaknesses of jetson-containers, in the order in which they were listed.

#[test]
fn case_1_a_release_that_is_asked_for_is_the_one_that_is_installed() {
    let found = requirements(&format!("{PYTHON}torch: {{version: 2.8, channel: cu126}}\n"));
    assert_eq!(found, ["torch==2.8.0", "torchaudio==2.8.0", "torchvision==0.23.0"]);
}

#[test]
fn case_2_the_default_build_for_amd64_has_its_cuda() {
    for row in &Catalog::embedded().torch {
        let (oldest, _) = row.python;
        let text = format!(
            "name: n\nbase: debian:13\npython: {{version: 3.{oldest}.0, sha256: {}}}\ntarget: {{gpus: [8.0]}}\ntorch: {{version: {}, channel: auto}}\n",
            "0".repeat(64),
            row.torch
        );
        works(&text);
    }
}

#[test]
fn case_3_a_release_of_l4t_that_nobody_knows_is_refused_by_name() {
    let found = refusal(&format!("{PYTHON}target: {{l4t: 36.5.9}}\n"));
    let expected = "the catalog does not know L4T 36.5.9, and nothing is guessed about it; the nearest that it knows are 36.5.2 (JetPack 6.2.3) and 38.2.0 (JetPack 7.0)";
    assert!(found.contains(expected), "{found}");
    let catalog = Catalog::embedded();
    let row = catalog.jetpack.iter().find(|row| row.l4t == "36.5.2").expect("known");
    assert_eq!((row.jetpack.as_str(), row.cuda.as_deref(), &row.tensorrt), ("6.2.3", Some("12.6"), &None));
}

#[test]
fn case_4_cuda_13_on_jetpack_6_is_refused_with_the_reason() {
    let found =
        refusal(&format!("{PYTHON}target: {{l4t: 36.4.0}}\ntorch: {{version: 2.14.1, channel: cu130}}\n"));
    assert!(found.contains("L4T 36.4.0 (line 4) has CUDA 12.6, not 13.0"), "{found}");
}

#[test]
fn case_5_a_python_without_wheels_is_refused_with_the_ones_that_have() {
    let text = format!(
        "name: n\nbase: debian:13\npython: {{version: 3.9.2, sha256: {}}}\ntorch: {{version: 2.9.1, channel: cpu}}\n",
        "0".repeat(64)
    );
    let found = refusal(&text);
    assert!(
        found.contains(
            "torch 2.9.1 has no wheels for Python 3.9; take a Python from 3.10 to 3.14, or torch 2.1.0"
        ),
        "{found}"
    );
}

#[test]
fn case_6_a_release_that_a_board_cannot_have_is_refused_with_the_reason() {
    let found =
        refusal(&format!("{PYTHON}target: {{l4t: 35.4.1}}\ntorch: {{version: 2.6, channel: cu126}}\n"));
    assert!(
        found.contains(
            "the published wheels of torch do not run on L4T 35.4.1 (line 4), only from JetPack 7 on"
        ),
        "{found}"
    );
    assert!(found.contains("L4T 35.4.1 (line 4) has CUDA 11.4, not 12.6"), "{found}");
}

#[test]
fn case_7_a_release_that_needs_a_newer_python_is_refused() {
    let text = format!("{VENV}transformers: 5.23.0\n");
    let found = refusal(&text);
    assert!(found.contains("4:15: transformers 5.23.0 needs Python 3.11 or newer, not 3.10"), "{found}");
    assert_eq!(ways_out(&text), ["`transformers: 5.20.2`", "`transformers: 5.19.0`"]);
}

#[test]
fn case_8_no_release_is_named_that_was_never_made() {
    for row in &Catalog::embedded().torch {
        assert!(
            !["2.12", "2.13", "2.14", "2.15"].iter().any(|series| row.audio.starts_with(series)),
            "{row:?}"
        );
    }
    assert!(
        requirements(&format!("{PYTHON}torch: {{version: 2.13.0, channel: cpu}}\n"))
            .contains(&"torchaudio==2.11.0".to_owned())
    );
}

#[test]
fn case_9_nobody_is_asked_and_the_answer_is_the_same_each_time() {
    // There is nothing to ask with: `resolve` takes values and gives values.
    let text = format!(
        "{PYTHON}target: {{gpus: [T4]}}\ntorch: {{version: auto, channel: auto}}\ntransformers: auto\n"
    );
    let first = requirements(&text);
    for _ in 0..5 {
        assert_eq!(requirements(&text), first);
    }
}

#[test]
fn case_10_a_key_that_nobody_reads_is_refused() {
    let root = yaml(&format!("{PYTHON}catalog: site.yaml\n"), 0);
    let found = lines(&try_resolve(&root, "amd64", "Torch: []\n").expect_err("refused"));
    assert!(found.contains("the catalog has no field `Torch`; did you mean `torch`?"), "{found}");
}

#[test]
fn the_smallest_set_of_fields_that_clash_is_named() {
    // The driver and transformers have no part in it.
    let text = format!(
        "{PYTHON}target: {{gpus: [RTX 5090], driver: '>=590'}}\ntorch: {{version: 2.9.1, channel: cu126}}\n\
         transformers: 4.57.1\n"
    );
    let found = refusal(&text);
    assert!(found.contains("`target.gpus` (line 4) and `torch` (line 5) clash; what would work:"), "{found}");
    let found = refusal(&text.replace(", driver: '>=590'", ", driver: '>=520'").replace("RTX 5090", "A100"));
    assert!(found.contains("`target.driver` (line 4) and `torch` (line 5) clash"), "{found}");
}

/// Why the versions of a spec were chosen.
fn explanation(text: &str) -> String {
    let facts = works(text).base.value;
    let node = resolve(spec(&yaml(text, 0)), facts, &Inputs { explain: true, ..Inputs::default() });
    node.expect("it works").decisions.iter().map(|decision| decision.to_text("here")).collect()
}

#[test]
fn decisions_are_explained_when_asked_for() {
    let text = format!(
        "{PYTHON}target: {{driver: '>=560', gpus: [RTX 3090]}}\ntorch: {{version: auto, channel: auto}}\n\
         transformers: 4.57.1\n"
    );
    assert_eq!(works(&text).decisions, [], "nobody asked");
    let told = explanation(&text);
    for words in [
        "  torch 2.14.1 (here)\n    the newest of `auto` that fits the rest\n    not 2.15.0: CUDA 13.2 came with the driver",
        "the catalog's row: torch 2.14.1, python 3.10 3.14",
        "  transformers 4.57.1 (here)\n    the spec names it\n",
    ] {
        assert!(told.contains(words), "{words} is not in:\n{told}");
    }
    // What is passed over without being wrong is told of, too.
    let text =
        format!("{VENV}target: {{gpus: [T4]}}\ntorch: {{version: 2.9.1, channel: cu126}}\ntensorrt: auto\n");
    let told = explanation(&text);
    let words = "    not 11.4.0.106: nobody has established which GPUs TensorRT 11.4.0.106 runs on\n";
    assert!(told.contains(words), "{words} is not in:\n{told}");
}

#[test]
fn no_range_of_releases_goes_over_a_series_so_that_both_ends_were_made() {
    let series = |version: &str| version.rsplit_once('.').map(|(series, _)| series.to_owned());
    let catalog = Catalog::embedded();
    let transformers = catalog.transformers.iter().map(|row| &row.versions);
    let all = transformers.chain(catalog.onnxruntime.iter().map(|row| &row.versions));
    for (first, last) in all.chain(catalog.openvino.iter().map(|row| &row.versions)) {
        assert_eq!(series(first), series(last), "{first} to {last}");
    }
    assert!(
        requirements(&format!("{PYTHON}transformers: '<5.23'\n"))
            .contains(&"transformers==5.22.2".to_owned())
    );
    assert!(
        requirements(&format!("{PYTHON}onnxruntime: '<1.31'\n")).contains(&"onnxruntime==1.30.0".to_owned())
    );
}

#[test]
fn clashes_of_their_own_have_ways_out_of_their_own() {
    let found = refusal(&format!("{PYTHON}openvino: 2023.1.0\nonnxruntime: 1.19.2\n"));
    assert!(found.contains("what would work for this alone: `openvino: 2026.4.1`, or "), "{found}");
    assert!(found.contains("what would work for this alone: `onnxruntime: 1.32.0`, or "), "{found}");
}

#[test]
fn a_cudnn_that_onnxruntime_does_not_load_is_refused() {
    let text = format!(
        "{VENV}torch: {{version: 2.3.1, channel: cu121}}\nonnxruntime: {{version: 1.20.0, flavour: gpu}}\n"
    );
    let found = refusal(&text);
    assert!(
        found.contains("onnxruntime-gpu 1.20.0 loads cuDNN 9, and torch 2.3.1 brings cuDNN 8"),
        "{found}"
    );
    assert!(ways_out(&text).iter().any(|way| way.starts_with("`torch.version: ")), "{found}");
    works(&text.replace("2.3.1", "2.4.1"));
}

#[test]
fn a_fleet_with_gpus_is_offered_their_channels_first() {
    let text = format!("{PYTHON}target: {{gpus: [RTX 5090]}}\ntorch: {{version: 2.9.1, channel: cu126}}\n");
    let ways = ways_out(&text);
    assert!(ways.iter().all(|way| !way.contains("cpu")), "{ways:?}");
}

#[test]
fn a_virtual_environment_is_of_a_series_and_in_a_directory_of_its_own() {
    let found = refusal("name: n\nbase: ubuntu:22.04\npython: {version: 3.10.12, venv: /usr}\n");
    assert!(found.contains("3:19: which release of a series the distribution has is up to it"), "{found}");
    assert!(found.contains("name the series: `version: 3.10`"), "{found}");
    assert!(found.contains("3:34: a virtual environment cannot be at /usr"), "{found}");
}

#[test]
fn what_is_offered_in_place_of_video_headers_works() {
    let text = "name: n\nbase: debian:13\ntarget: {driver: '>=550'}\n\
                ffmpeg: {version: 7.1.5, libraries: {nvenc: 13.0.19.0}}\n";
    let found = refusal(text);
    // There is a row about 12.2.72.0, but nobody knows its archive.
    assert!(found.contains("take `nvenc: 12.1.14.0`, or drivers from 570.0 on"), "{found}");
    works(&text.replace("13.0.19.0", "12.1.14.0"));
    works(&text.replace("550", "570.0"));
    // No headers that are known go with both.
    let old = refusal(&text.replace("550", "520"));
    assert!(old.contains("begins at 520; take drivers from 570.0 on"), "{old}");
}

#[test]
fn a_fleet_of_nvidia_machines_may_code_video_without_torch() {
    let video = "name: n\nbase: debian:13\nffmpeg: {version: 7.1.5, libraries: {nvenc: 13.0.19.0}}\n";
    let found = refusal(video);
    assert!(found.contains("name their `driver` or `gpus` below `target`"), "{found}");
    works(&format!("{video}target: {{driver: '>=570', gpus: [T4]}}\n"));
    works(&format!("{video}target: {{gpus: [T4]}}\n"));
}

/// A spec with FlashAttention, given its Python, the rest of its fields, its CUDA and `capabilities`.
fn flash_attn(python: &str, fields: &str, cuda: &str, capabilities: &str) -> String {
    let compiler = if cuda.starts_with("12") { "apt" } else { "wheels" };
    format!(
        "name: n\nbase: ubuntu:22.04\npython: {{{python}}}\n{fields}\
         torch: {{version: 2.9.1, channel: cu{}}}\ncuda: {{version: {cuda}, compiler: {compiler}}}\n\
         flash_attn: {{version: 2.8.3, url: 'https://a.org/f.tar.gz', sha256: {}, capabilities: {capabilities}}}\n",
        cuda.replace('.', ""),
        "a".repeat(64)
    )
}

#[test]
fn flash_attention_that_no_node_can_run_is_refused() {
    let on = |gpu: &str, capabilities: &str| {
        flash_attn("version: 3.13.5", &format!("target: {{gpus: [{gpu}]}}\n"), "13.0", capabilities)
    };
    for capabilities in ["[9.0]", "[]"] {
        let found = refusal(&on("T4", capabilities));
        let words =
            "7:13: FlashAttention does not run on compute capability 7.5 (`T4`, line 4), only from 8.0 on";
        assert!(found.contains(words), "{found}");
    }
    let found = refusal(&on("L4", "[9.0]"));
    let words =
        "`capabilities` has nothing whose code runs on compute capability 8.9 (`L4`, line 4); add `8.0`";
    assert!(found.contains(words), "{found}");
    for capabilities in ["[9.0, 8.0]", "[]"] {
        works(&on("L4", capabilities));
    }
}

#[test]
fn flash_attention_for_what_its_compiler_does_not_know_is_refused() {
    let with = |cuda: &str, capabilities: &str| flash_attn("version: 3.13.5", "", cuda, capabilities);
    let found = refusal(&with("12.6", "[9.0, 12.0]"));
    let words = "the compiler of CUDA 12.6 does not know compute capability 12.0; take torch and `cuda` of CUDA 12.8 or newer, or leave it out";
    assert!(found.contains(words), "{found}");
    assert!(!refusal(&with("12.8", "[12.0]")).contains("does not know compute capability"));
    works(&with("13.0", "[12.0]"));
}

#[test]
fn flash_attention_is_built_with_what_there_is_for_the_python() {
    let with = |python: &str| flash_attn(python, "", "13.0", "[9.0]");
    let built_with = |python: &str, release: &str| {
        let steps = format!("{:?}", plan(&works(&with(python))).steps);
        assert!(steps.contains(&format!("networkx=={release}")), "{python}");
    };
    built_with("version: 3.10, venv: /opt/venv", "3.4.2");
    built_with("version: 3.13.5", "3.5");
    let old = refusal(&with(&format!("version: 3.9.2, sha256: {}", "a".repeat(64))));
    assert!(old.contains("what FlashAttention is built with has no wheels for Python 3.9"), "{old}");
}

#[test]
fn a_package_that_is_a_component_comes_from_nowhere_else() {
    let text = flash_attn("version: 3.13.5", "", "13.0", "[9.0]");
    for (more, expected) in [
        (
            "sdists: [{name: Flash_Attn, version: auto}]\n",
            "`flash-attn` is a component of the spec already; take `flash_attn:`",
        ),
        (
            "sdists: [{name: torch, version: 2.9.1}]\n",
            "`torch` is a component of the spec already; take `torch:`",
        ),
        (
            "wheels: {local: [dist/flash_attn-2.8.3-cp313-cp313-linux_x86_64.whl]}\n",
            "`flash-attn` is a component of the spec already; take `flash_attn:`",
        ),
    ] {
        let found = refusal(&format!("{text}{more}"));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn flash_attention_tells_its_own_problems_beside_those_of_others() {
    let text = flash_attn("version: 3.13.5", "tensorrt: 1.0.0\n", "13.0", "[9.0]");
    let sum = format!(", url: 'https://a.org/f.tar.gz', sha256: {}", "a".repeat(64));
    let found = refusal(&text.replace(&sum, "").replace("2.8.3", "2.7.0"));
    assert!(found.contains("the catalog does not know TensorRT 1.0.0"), "{found}");
    assert!(found.contains("the catalog does not know flash-attn 2.7.0"), "{found}");
}

#[test]
fn jetson_boards_are_arm64_machines_of_their_l4t() {
    let refused = |architecture: &str, target: &str| {
        let text = format!("{PYTHON}platforms: [linux/{architecture}]\ntarget: {{{target}}}\n");
        lines(&try_resolve(&yaml(&text, 0), architecture, "").err().unwrap_or_default())
    };
    let found = refused("amd64", "l4t: 36.4.0, cpu: x86-64");
    let words = "5:15: L4T 36.4.0 is for arm64 machines, and the image is for amd64; write `platforms: [linux/arm64]`";
    assert!(found.contains(words), "{found}");
    let found = refused("amd64", "gpus: [T4, Jetson Orin]");
    assert!(
        found.contains("5:21: `Jetson Orin` is for arm64 machines, and the image is for amd64"),
        "{found}"
    );
    assert!(!found.contains("`T4`"), "{found}");
    let found = refused("arm64", "l4t: 38.4.0, gpus: [Jetson Orin]");
    let words = "5:30: the boards of L4T 38.4.0 (JetPack 7.1, line 5) have compute capability 11.0, and `Jetson Orin` has 8.7; \
                 there is L4T 36.5.2 (JetPack 6.2.3) and 39.1.0 (JetPack 7.2) for it";
    assert!(found.contains(words), "{found}");
    let found = refused("arm64", "l4t: 38.4.0, gpus: [T4]");
    assert!(found.contains("the catalog knows no L4T for `T4`; leave one of them out"), "{found}");
    for fine in
        ["l4t: 36.5.2, gpus: [Jetson Orin]", "l4t: 39.1.0, gpus: ['8.7', Jetson Thor]", "gpus: [Jetson Thor]"]
    {
        assert_eq!(refused("arm64", fine), "", "{fine}");
    }
    // Of two platforms one is that of the boards.
    works(&format!("{PYTHON}platforms: [linux/amd64, linux/arm64]\ntarget: {{l4t: 36.4.0}}\n"));
}

#[test]
fn requirements_of_files_are_looked_at_like_those_of_the_spec() {
    let with = |fields: &str, lines: &str| {
        // The one file that specs here can name.
        let text = format!("{PYTHON}{fields}wheels: {{files: [site.yaml]}}\n");
        try_resolve(&yaml(&text, 0), "amd64", lines)
    };
    let refused = |fields: &str, file: &str| lines(&with(fields, file).err().unwrap_or_default());
    let found = refused("target: {cpu: x86-64}\n", "six\nnumpy>=2.4\n");
    let words = "5:18: `site.yaml`, line 2: numpy's wheels from 2.4 on ask for processors of level x86-64-v2";
    assert!(found.contains(words) && found.contains("`target.cpu: x86-64-v2`"), "{found}");
    for fine in ["target: {cpu: x86-64-v2}\n", ""] {
        assert_eq!(refused(fine, "numpy>=2.4\n"), "");
    }
    assert_eq!(refused("target: {cpu: x86-64}\n", "numpy>=2.1\n"), "");

    let digest = format!("torch==2.9.1 --hash=sha256:{}\n", "a".repeat(64));
    let found = refused("target: {driver: '>=570'}\n", &digest);
    let words = "5:18: `site.yaml`, line 1: whether a torch that is required as a package runs on the `target` is not known; \
                 take it out and write it as a component, such as `torch: {version: auto, channel: auto}`";
    assert!(found.contains(words), "{found}");
    assert_eq!(refused("target: {driver: '>=570'}\ntorch: {version: auto, channel: auto}\n", "six\n"), "");
}

#[test]
fn local_wheels_of_another_python_or_machine_are_refused() {
    let with = |wheels: &str| format!("{PYTHON}wheels: {{local: [{wheels}]}}\n");
    let found = refusal(&with(
        "dist/foo-1.0-cp312-cp312-linux_x86_64.whl, dist/bar-1.0-cp313-cp313-linux_aarch64.whl",
    ));
    for words in [
        "4:18: `foo-1.0-cp312-cp312-linux_x86_64.whl` is built for another Python than 3.13: its name says cp312-cp312; \
         take one with `cp313-cp313`, `abi3` or `py3-none` in its name",
        "4:61: `bar-1.0-cp313-cp313-linux_aarch64.whl` is built for other machines than Linux on amd64: \
         its name says linux_aarch64; take one that ends with `x86_64.whl` or `any.whl`",
    ] {
        assert!(found.contains(words), "{found}");
    }
    works(&with(
        "dist/foo-1.0-cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl, b-1-py2.py3-none-any.whl",
    ));
}

#[test]
fn sources_by_their_addresses_are_built_and_looked_at_like_wheels() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let source = |name: &str| format!("{name} @ git+https://example.org/own.git@{commit}#subdirectory=py");
    let spec = |more: &str, requirement: &str| {
        format!("{PYTHON}wheels:\n  requirements:\n    - \"{requirement}\"\n{more}")
    };
    let own = source("My_App[web]");
    // Before the list of all comes that of what it is built with, which is in its project.
    assert!(requirements(&spec("", &own)).is_empty());
    let planned = format!("{:?}", plan(&works(&spec("", &own))).steps);
    assert!(planned.contains("my-app[web] @ file:///run/edgenode/local/my-app/*.whl\\n"), "{planned}");
    let archive = format!("my-app @ https://example.org/own-1.0.tar.gz#sha256={}", "a".repeat(64));
    for (more, requirement, words) in [
        ("", &source("toolchain"), "a package that is built cannot be called `toolchain`"),
        ("  exclude: [my-app]\n", &own, "`my-app` is here and in `exclude`"),
        ("  groups: {own: [my-app]}\n", &own, "`my-app` is a wheel that is named by its file"),
        ("  local: [My_App-1.1-py3-none-any.whl]\n", &own, "`my-app` is here for the second time"),
        (
            "sdists: [{name: numpy, version: 2.3.5}]\n",
            &source("numpy"),
            "`numpy` is here and built by `sdists`",
        ),
        (
            "torch: {version: 2.9.1, channel: cpu}\n",
            &source("torch"),
            "`torch` is a component of the spec already",
        ),
        (
            "    - \"my-app @ git+https://example.org/own.git@0123456789abcdef0123456789abcdef01234568\"\n",
            &own,
            "`my-app` is here for the second time",
        ),
    ] {
        let found = refusal(&spec(more, requirement));
        assert!(found.contains(words), "{requirement}: {found}");
    }
    let graph = |requirement: &str| plan(&works(&spec("", requirement))).graph_text();
    let (own, archive) = (graph(&own), graph(&archive));
    for (graph, words) in [
        (&own, "[my-app 0123456789ab] check out https://example.org/own.git (check out)"),
        (&own, "[my-app 0123456789ab] install first build requirements (run with a network, needs"),
        (&own, "[my-app 0123456789ab] ask for build requirements (run, needs"),
        (&own, "[my-app 0123456789ab] install build requirements (run with a network, needs"),
        (&own, "[my-app 0123456789ab] build wheel (run, needs"),
        (&own, "[my-app 0123456789ab] install wheel (run, needs"),
        (&archive, "[my-app source] unpack (unpack, needs"),
        (&archive, "[my-app 1.0] build wheel (run, needs"),
    ] {
        assert!(graph.contains(words), "{words} is not in:\n{graph}");
    }
}

#[test]
fn sources_by_their_addresses_are_asked_what_they_are_built_with_until_a_lock_has_it() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let spec = format!(
        "{PYTHON}wheels:\n  requirements:\n    - my-app @ git+https://example.org/own.git@{commit}\n"
    );
    let by = |lock: LockUse| {
        let node = resolve_with(&yaml(&spec, 0), "amd64", &Inputs { lock, ..Inputs::default() });
        plan(&node.unwrap_or_else(|found| panic!("{}", lines(&found))))
    };
    // The package's own steps that run something: whether they have a network, and what variables they are told.
    let runs = |plan: &Plan| {
        let own = plan.steps.iter().filter_map(|step| match &step.action {
            Action::Run(run) => Some((step.name.strip_prefix("[my-app 0123456789ab] ")?.to_owned(), run)),
            _ => None,
        });
        let names = |run: &Run| run.env.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        own.map(|(step, run)| (step, run.network, names(run))).collect::<Vec<_>>()
    };
    let steps = |plan: &Plan| -> Vec<String> {
        let network = |network: bool| if network { " with a network" } else { "" };
        runs(plan).into_iter().map(|(step, has, _)| format!("{step}{}", network(has))).collect()
    };
    let told = |plan: &Plan, name: &str| -> Vec<String> {
        let told = runs(plan).into_iter().filter(|(_, _, env)| env.iter().any(|known| known == name));
        told.map(|(step, ..)| step).collect()
    };
    let [first, ask] = ["install first build requirements with a network", "ask for build requirements"];
    let last = ["build wheel", "install wheel"];
    let install = "install build requirements with a network";
    assert_eq!(steps(&by(LockUse::None)), [first, ask, install, last[0], last[1]]);
    let mut making = by(LockUse::Making(PlatformLock::default()));
    assert_eq!(steps(&making), [first, ask, "find versions with a network", last[0], last[1]]);
    // Just the step that looks at each of them is told where the list is.
    assert_eq!(told(&making, "ASKED"), ["find versions"]);
    making.resolve_for("client");
    assert_eq!(told(&making, "SESSION"), ["install first build requirements", "find versions"]);

    let builds = [("my-app".to_owned(), BTreeMap::new())].into();
    let known = PlatformLock { builds, ..PlatformLock::default() };
    for lock in [LockUse::Making(known.clone()), LockUse::Fixed(known)] {
        assert_eq!(steps(&by(lock)), ["install build requirements", last[0], last[1]]);
    }
}

#[test]
fn a_lock_may_have_the_programs_that_read_libraries_among_the_compilers() {
    let entry = |key: &str, asked: &[&str]| {
        let asked = asked.iter().map(|package| (*package).to_owned()).collect();
        (key.to_owned(), LockedPackages { asked, ..LockedPackages::default() })
    };
    let compilers = entry("toolchain", &["build-essential", "ccache", "pkg-config", "xz-utils"]);
    let by = |packages: Vec<(String, LockedPackages)>| {
        let lock = LockUse::Fixed(PlatformLock {
            packages: packages.into_iter().collect(),
            ..PlatformLock::default()
        });
        let node = resolve_with(&yaml(PYTHON, 0), "amd64", &Inputs { lock, ..Inputs::default() });
        plan(&node.unwrap_or_else(|found| panic!("{}", lines(&found))))
    };
    let root_of = |plan: &Plan, name: &str| {
        let step = plan.steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("{name}"));
        let Action::Run(run) = &step.action else { panic!("{step:?}") };
        plan.steps[run.root.0].name.clone()
    };
    let look = "[python] find needed libraries";
    let old = by(vec![compilers.clone()]);
    assert_eq!(root_of(&old, look), "[toolchain] install compilers");
    assert!(root_of(&old, "[toolchain] install compilers").starts_with("[base]"));
    assert!(!lines(&old.problems).contains("binutils"), "{}", lines(&old.problems));
    let new = by(vec![compilers, entry("binutils", &["binutils"])]);
    assert_eq!(root_of(&new, look), "[binutils] install packages");
    assert_eq!(root_of(&new, "[toolchain] install compilers"), "[binutils] install packages");
    assert!(lines(&by(Vec::new()).problems).contains("no entry for `binutils"));
}

#[test]
fn wheels_by_their_addresses_are_looked_at_like_those_of_the_build_context() {
    let digest = "a".repeat(64);
    let address = |file: &str| format!("https://example.org/{file}#sha256={digest}");
    let spec = |more: &str, requirement: &str| {
        format!("{PYTHON}wheels:\n  requirements:\n    - \"{requirement}\"\n{more}")
    };
    let of = |package: &str, file: &str| format!("{package} @ {}", address(file));
    let pure = of("my_app[web]", "My_App-1.0-py3-none-any.whl");
    let found = requirements(&spec("", &pure));
    assert!(
        found.contains(&"my-app[web] @ file:///run/edgenode/local/My_App-1.0-py3-none-any.whl".to_owned()),
        "{found:?}"
    );
    // Whose marker is of another machine is not there.
    let elsewhere = format!("{pure} ; platform_machine == 'aarch64'");
    assert!(requirements(&spec("", &elsewhere)).is_empty());
    for (more, requirement, words) in [
        ("", of("a", "a-1.0-cp312-cp312-linux_x86_64.whl"), "is built for another Python than 3.13"),
        (
            "",
            of("a", "a-1.0-cp313-cp313-linux_aarch64.whl"),
            "is built for other machines than Linux on amd64",
        ),
        ("  exclude: [My.App]\n", pure.clone(), "`my-app` is here and in `exclude`"),
        ("  groups: {own: [my-app]}\n", pure.clone(), "`my-app` is a wheel that is named by its file"),
        ("  groups: {my_app: [six]}\n", pure.clone(), "a group cannot be called `my_app`"),
        (
            "sdists: [{name: numpy, version: 2.3.5}]\n",
            of("numpy", "numpy-2.3.5-cp313-cp313-manylinux_2_28_x86_64.whl"),
            "`numpy` is here and built by `sdists`",
        ),
        ("  local: [My_App-1.1-py3-none-any.whl]\n", pure.clone(), "`my-app` is here for the second time"),
        (
            "torch: {version: 2.9.1, channel: cpu}\n",
            of("torch", "torch-2.9.1-py3-none-any.whl"),
            "`torch` is a component of the spec already",
        ),
        (
            "  cpu_baseline: x86-64\n",
            of("numpy", "numpy-2.4.0-cp313-cp313-manylinux_2_28_x86_64.whl"),
            "numpy's wheels from 2.4 on ask for processors of level x86-64-v2",
        ),
        (
            "target: {driver: '>=570'}\n",
            of("torch", "torch-2.9.1-py3-none-any.whl"),
            "whether a torch that is required as a package runs on the `target` is not known",
        ),
    ] {
        let found = refusal(&spec(more, &requirement));
        assert!(found.contains(words), "{requirement}: {found}");
    }

    for (requirement, words) in [
        (of("b", "a-1.0-py3-none-any.whl"), "`a-1.0-py3-none-any.whl` is not the name of a wheel of `b`"),
        ("a @ https://example.org/a-1.0-py3-none-any.whl".to_owned(), "end the address with `#sha256=`"),
        ("a @ git+https://example.org/a@v1".to_owned(), "`git ls-remote https://example.org/a`"),
    ] {
        let found = decode(&yaml(&spec("", &requirement), 0), Problems::default());
        let found = lines(&found.err().unwrap_or_default());
        assert!(found.contains("6:7: ") && found.contains(words), "{requirement}: {found}");
    }

    // Named twice it is one, with all that is wanted of it; the order does not count.
    let twice = |first: &str, second: &str| {
        format!("{PYTHON}wheels:\n  requirements:\n    - \"{first}\"\n    - \"{second}\"\n")
    };
    let more = of("My-App[cli,web]", "My_App-1.0-py3-none-any.whl");
    let joined = ["my-app[cli,web] @ file:///run/edgenode/local/My_App-1.0-py3-none-any.whl"];
    assert_eq!(requirements(&twice(&pure, &more)), joined);
    let other = of("other", "other-1.0-py3-none-any.whl");
    let steps = |text: &str| {
        let plan: Plan = plan(&works(text));
        plan.steps.into_iter().map(|step| (step.name, format!("{:?}", step.action))).collect::<Vec<_>>()
    };
    assert_eq!(steps(&twice(&pure, &other)), steps(&twice(&other, &pure)));

    // A file of requirements has the digest as pip writes it, too.
    let with = |lines: &str| {
        let text = format!("{PYTHON}wheels: {{files: [site.yaml]}}\n");
        try_resolve(&yaml(&text, 0), "amd64", lines).map(|_| ())
    };
    let bare = "my_app @ https://example.org/My_App-1.0-py3-none-any.whl";
    assert!(with(&format!("six\n{bare} \\\n  --hash=sha256:{digest}\n")).is_ok());
    assert!(with(&format!("{bare}#sha256={digest} --hash=sha256:{digest}\n")).is_ok());
    let found = lines(
        &with(&format!("{bare}#sha256={digest} --hash=sha256:{}\n", "b".repeat(64)))
            .err()
            .unwrap_or_default(),
    );
    assert!(found.contains("`site.yaml`, line 1: this is not a Python requirement"), "{found}");
    let b = "b".repeat(64);
    assert!(with(&format!("{bare}#sha256={digest} --hash=sha256:{b} --hash=sha256:{digest}\n")).is_ok());
    assert!(with(&format!("{bare} --hash=sha256:{b} --hash=sha256:{digest}\n")).is_err());
    let wrong = format!("six\nb @ {}\n", address("a-1.0-py3-none-any.whl"));
    let found = lines(&with(&wrong).err().unwrap_or_default());
    assert!(
        found.contains(
            "4:18: `site.yaml`, line 2: `a-1.0-py3-none-any.whl` is not the name of a wheel of `b`"
        ),
        "{found}"
    );
}

#[test]
fn tensorrt_is_taken_for_the_cuda_and_the_machine_that_it_is_built_for() {
    let with = |torch: &str, version: &str| {
        let (release, channel) = torch.split_once(' ').expect("two words");
        format!("{PYTHON}torch: {{version: {release}, channel: {channel}}}\ntensorrt: {version}\n")
    };
    let old = requirements(&with("2.6.0 cu118", "10.13.0.35"));
    assert!(old.contains(&"tensorrt-cu11-bindings==10.13.0.35".to_owned()), "{old:?}");
    assert!(
        requirements(&with("2.6.0 cu118", "auto")).contains(&"tensorrt-cu11-libs==10.13.0.35".to_owned())
    );
    let newer = refusal(&with("2.6.0 cu118", "10.13.3.9"));
    assert!(
        newer.contains("on amd64; take TensorRT 10.9.0.34, ") && newer.ends_with("10.13.0.35"),
        "{newer}"
    );

    let on_arm64 = |text: &str| try_resolve(&yaml(text, 0), "arm64", "");
    let found = lines(&on_arm64(&with("2.9.1 cu128", "10.14.1.48")).err().unwrap_or_default());
    let words = "TensorRT 10.14.1.48 is not built for CUDA 12 with Python 3.13 on arm64; \
                 take TensorRT 10.9.0.34, 10.10.0.31, 10.11.0.33, 10.12.0.36, 10.13.0.35";
    assert!(found.ends_with(words), "{found}");
    for fine in
        [with("2.9.1 cu128", "10.13.0.35"), with("2.9.1 cu128", "auto"), with("2.12.0 cu130", "10.13.2.6")]
    {
        assert!(on_arm64(&fine).is_ok(), "{fine}");
    }
    works(&with("2.9.1 cu128", "10.14.1.48"));
}

#[test]
fn an_open_release_of_tensorrt_is_one_that_is_known_to_run() {
    let with = |python: &str, gpu: &str| {
        format!(
            "name: n\nbase: ubuntu:22.04\npython: {{version: {python}, venv: /opt/venv}}\ntarget: {{gpus: [{gpu}]}}\n\
             torch: {{version: 2.9.1, channel: cu126}}\ntensorrt: auto\n"
        )
    };
    let chosen = |text: &str| requirements(text).into_iter().find(|line| line.contains("bindings"));
    assert_eq!(chosen(&with("3.10", "V100")).as_deref(), Some("tensorrt-cu12-bindings==10.4.0"));
    assert_eq!(chosen(&with("3.10", "T4")).as_deref(), Some("tensorrt-cu12-bindings==11.3.0.99"));
    // Those that run on it have no bindings for a newer Python.
    let new =
        with("3.10", "V100").replace("ubuntu:22.04", "debian:13").replace("3.10, venv: /opt/venv", "3.13.5");
    let found = refusal(&new);
    let words = "TensorRT 10.5.0.18 does not run on compute capability 7.0 any more (`V100`, line 4), \
                 and nobody has established that 11.4.0.106 does";
    assert!(found.contains(words), "{found}");
    assert_eq!(ways_out(&new), ["`target.gpus` without `V100`"]);
}

#[test]
fn one_digest_is_not_that_of_two_architectures() {
    let both = "name: n\nbase: debian:13\nplatforms: [linux/amd64, linux/arm64]\n";
    let sum = "a".repeat(64);
    let remedy = "in a spec for each of `platforms`, of which one `extends` the other";
    let unknown = refusal(&format!("{both}nodejs: 24.1.0\n"));
    assert!(
        unknown.contains(&format!("for another release add `sha256:` with its digest {remedy}")),
        "{unknown}"
    );
    for program in [
        "nodejs: {version: 24.1.0",
        "ngrok: {version: 3.2.1, url: 'https://a.org/n'",
        "docker: {version: 28.5.2",
    ] {
        let found = refusal(&format!("{both}{program}, sha256: {sum}}}\n"));
        let words = format!(
            "has an archive for each of `platforms`, and `sha256` is of one of them; write it {remedy}"
        );
        assert!(found.contains(&words), "{found}");
    }
    // What is advised, in the two specs that it makes.
    let one = format!(
        "name: n\nbase: debian:13\nplatforms: [linux/amd64]\nnodejs: {{version: 24.1.0, sha256: {sum}}}\n"
    );
    works(&one);
    let other = format!("platforms: [linux/arm64]\nnodejs: {{sha256: {}}}\n", "b".repeat(64));
    let other = try_resolve(&merge(yaml(&one, 0), yaml(&other, 1)), "arm64", "");
    assert!(other.is_ok(), "{}", lines(&other.err().unwrap_or_default()));
    // Source archives, and releases that the catalog knows, are one for all or known for each.
    works(&format!("{both}nodejs: 20.19.5\npython: {{version: 3.12.1, sha256: {sum}}}\n"));
}

#[test]
fn libraries_under_the_gpl_are_not_built_without_it() {
    let with = |libraries: &str, flags: &str| {
        let text = format!(
            "name: n\nbase: debian:13\nffmpeg:\n  version: 7.1.5\n  flags: [{flags}]\n  libraries: {{{libraries}}}\n"
        );
        match decode(&yaml(&text, 0), Problems::default()) {
            Ok(_) => refusal(&text),
            Err(found) => lines(&found),
        }
    };
    let found = with("opus: distribution, x264: distribution", "--disable-gpl");
    let words = "5:11: `x264` (line 6) is under the GPL, which `--disable-gpl` leaves out; \
                 take `x264` out of `libraries`, or leave the flag out";
    assert!(found.ends_with(words), "{found}");
    assert_eq!(with("opus: distribution", "--disable-gpl"), "");
    assert_eq!(with("x264: distribution", ""), "");
    // The last word counts.
    assert_eq!(with("x264: distribution", "--disable-gpl, --enable-gpl"), "");
    let found = with("", "--enable-libfdk-aac");
    assert!(found.contains("nothing brings the library that it needs; FFmpeg's own `aac`"), "{found}");
}

#[test]
fn wheels_of_tensorrt_are_asked_for_by_their_own_numbers() {
    let wheels = |version: &str| {
        let text = format!("{VENV}torch: {{version: 2.9.1, channel: cu128}}\ntensorrt: {version}\n");
        requirements(&text).into_iter().find(|line| line.contains("libs"))
    };
    for (version, expected) in [
        ("10.7.0.23", "tensorrt-cu12-libs==10.7.0"),
        ("10.3", "tensorrt-cu12-libs==10.3.0"),
        ("10.8.0.43", "tensorrt-cu12-libs==10.8.0.43"),
    ] {
        assert_eq!(wheels(version).as_deref(), Some(expected));
    }
    let old = format!("{VENV}torch: {{version: 2.3.1, channel: cu121}}\ntensorrt: 8.6\n");
    let all = requirements(&old);
    for name in ["tensorrt-bindings==8.6.1", "tensorrt-libs==8.6.1"] {
        assert!(all.contains(&name.to_owned()), "{name}: {all:?}");
    }
    // The oldest GPUs that it is known to run on, which those of 10 are not.
    let old_gpus = |tensorrt: &str| {
        old.replace("torch:", "target: {gpus: [GTX 10]}\ntorch:").replace("tensorrt: 8.6", tensorrt)
    };
    assert_eq!(requirements(&old_gpus("tensorrt: auto")), all);
    let found = refusal(&old.replace("2.3.1", "2.5.1"));
    assert!(found.contains("TensorRT 8.6.1.6 loads cuDNN 8, and torch 2.5.1 brings cuDNN 9"), "{found}");
    // A torch that computes without CUDA brings none.
    let cpu = old.replace("2.3.1, channel: cu121", "2.5.1, channel: cpu");
    assert!(!refusal(&cpu).contains("cuDNN"), "{}", refusal(&cpu));
    // With a newer cuDNN it is not chosen where it is left open.
    let found = refusal(&old_gpus("tensorrt: auto").replace("2.3.1", "2.5.1"));
    assert!(found.contains("TensorRT 10.0.1.6 does not run on compute capability 6.1 any more"), "{found}");
    let found = refusal(&old_gpus("tensorrt: 10.4.0.26"));
    assert!(found.contains("TensorRT 10.4.0.26 does not run on compute capability 6.1"), "{found}");
}

/// Which of these releases of a package the plan of a spec takes as a source archive.
fn archives<'v>(text: &str, package: &str, versions: [&'v str; 3]) -> Vec<&'v str> {
    let steps = format!("{:?}", plan(&works(text)).steps);
    versions.into_iter().filter(|version| steps.contains(&format!("{package}-{version}.tar.gz"))).collect()
}

#[test]
fn the_release_of_a_source_archive_may_be_left_open() {
    let with = |version: &str| {
        let text = format!("{PYTHON}sdists: [{{name: NumPy, version: '{version}'}}]\n");
        archives(&text, "numpy", ["2.1.3", "2.2.6", "2.3.5"])
    };
    let chosen = [with("auto"), with("2.2"), with(">=2.1,<2.2"), with("2.3.5")];
    assert_eq!(chosen, [vec!["2.3.5"], vec!["2.2.6"], vec!["2.1.3"], vec!["2.3.5"]]);
}

#[test]
fn flash_attention_may_be_left_open() {
    let text = |version: &str| {
        format!(
            "name: n\nbase: ubuntu:22.04\npython: {{version: 3.13.5}}\ntorch: {{version: 2.9.1, channel: cu130}}\n\
             cuda: {{version: 13.0, compiler: wheels}}\nflash_attn: {{version: '{version}', capabilities: [9.0]}}\n"
        )
    };
    let with = |version: &str| archives(&text(version), "flash_attn", ["2.8.1", "2.8.2", "2.8.3"]);
    let chosen = [with("auto"), with("2.8"), with(">=2.8,<2.8.3"), with("2.8.1")];
    assert_eq!(chosen, [vec!["2.8.3"], vec!["2.8.3"], vec!["2.8.2"], vec!["2.8.1"]]);
    let found = refusal(&text("<2"));
    assert!(
        found.contains("the catalog does not know flash-attn <2; it knows 2.8.1, 2.8.2, 2.8.3"),
        "{found}"
    );
}

#[test]
fn wheels_that_were_made_anew_are_asked_for_by_their_number() {
    let all =
        requirements(&format!("{PYTHON}torch: {{version: 2.9.1, channel: cu128}}\ntensorrt: 10.14.1.48\n"));
    assert!(all.contains(&"tensorrt-cu12-bindings==10.14.1.48.post1".to_owned()), "{all:?}");
}

#[test]
fn an_archive_that_was_not_read_hides_no_way_out() {
    let clash = format!("{PYTHON}openvino: 2023.1.0\n");
    let beside = refusal(&format!("{clash}docker: {{provider: apt, version: 28.5.2}}\n"));
    assert!(refusal(&clash).contains("what would work: `openvino: 2026.4.1`"), "{}", refusal(&clash));
    assert!(beside.contains("what would work: `openvino: 2026.4.1`"), "{beside}");
}

#[test]
fn of_many_releases_the_ends_are_told() {
    let found = refusal(&format!("{PYTHON}transformers: '>=99.0'\n"));
    let expected = "the catalog does not know transformers >=99.0; it knows 4.41.0 to ";
    assert!(found.contains(expected), "{found}");
    assert!(found.contains(" (`edgenode catalog transformers` lists them); name another one"), "{found}");
}

#[test]
fn a_version_that_is_not_where_it_belongs_is_told_where_it_does() {
    let found = "name: n\nbase: debian:13\n".to_owned()
        + "python: 3.13.5\nffmpeg: auto\ntensorrt: [10]\nopenvino: {version: 2025.4.1}\n";
    let found = lines(&decode(&yaml(&found, 0), Problems::default()).expect_err("it is wrong"));
    for line in [
        "3:9: `python` is a mapping of fields, this is a single value; write `python: {version: '3.13.5'}`",
        "4:9: `ffmpeg` is a mapping of fields, this is a single value; write `ffmpeg: {version: 'auto'}`",
        "5:11: `tensorrt` is a mapping of fields, this is a list",
        "6:11: a version is a single value, this is a mapping; write the version itself here",
    ] {
        assert!(found.lines().any(|found| found == line), "no line {line}:\n{found}");
    }
}

#[test]
fn a_word_alone_is_no_python() {
    let told = |python: &str| {
        let text = format!("name: n\nbase: debian:13\npython: {python}\n");
        decode(&yaml(&text, 0), Problems::default()).err().map(|found| lines(&found)).unwrap_or_default()
    };
    let vendor = "3:9: `python` is a mapping of fields, this is a single value; name the series and where it lies, such as \
                  `python: {version: '3.11', vendor: /opt/conda}`, or `vendor: /usr` for the distribution's";
    assert_eq!([told("vendor"), told("vender")], [vendor, vendor]);
    assert!(
        told("venv").ends_with("such as `python: {version: '3.13', venv: /opt/venv}`"),
        "{}",
        told("venv")
    );
    assert!(told("3.13").ends_with("write `python: {version: '3.13'}`"), "{}", told("3.13"));
    for remedy in
        ["{version: '3.13'}", "{version: '3.11', vendor: /opt/conda}", "{version: '3.13', venv: /opt/venv}"]
    {
        assert_eq!(told(remedy), "", "{remedy}");
    }
}

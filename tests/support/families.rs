//! Specs as a test wants them: read from a directory, resolved for a base image that need not be there, lowered.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use buildkit_llb::{Definition, Output, Platform, Source, SourceFile};
use edgenode::diagnostic::Problems;
use edgenode::lower::{Target, lower};
use edgenode::plan::plan;
use edgenode::resolve::{BaseFacts, Inputs, Node, OsRelease, PackageIndex, resolve};
use edgenode::spec::{Node as Yaml, Spec, decode, document, merge};

/// What the images of vendors have, as far as specs ask for it.
fn vendor_file(base: &str, path: &str) -> Option<&'static str> {
    match path {
        "/etc/passwd" if base.contains("ubuntu:24.04") => {
            Some("root:x:0:0:root:/root:/bin/bash\nubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\n")
        }
        "/var/lib/dpkg/status" if base.contains("l4t") => Some(include_str!("../data/l4t-status")),
        "/usr/include/python3.10/patchlevel.h" => Some("#define PY_VERSION \"3.10.12\"\n"),
        "/usr/lib/python3.10/os.py" | "/usr/lib/python3.10/dist-packages/tensorrt/__init__.py" => Some("r"),
        "/usr/local/lib/python3.10/dist-packages/torch/version.py" => {
            Some("__version__ = '2.2.0'\ncuda: Optional[str] = '12.2'\n")
        }
        "/opt/conda/include/python3.11/patchlevel.h" => Some("#define PY_VERSION \"3.11.14\"\n"),
        "/opt/conda/lib/python3.11/os.py" | "/usr/local/lib/python3.13/os.py" => Some("r"),
        "/opt/conda/lib/python3.11/site-packages/torch/version.py" => {
            Some("__version__ = '2.9.1+cu128'\ndebug = False\ncuda: Optional[str] = '12.8'\n")
        }
        _ => None,
    }
}

fn vendor_files(spec: &Spec) -> BTreeMap<String, String> {
    spec.inspects()
        .into_iter()
        .filter_map(|path| Some((path.clone(), vendor_file(spec.base.value.as_str(), &path)?.to_owned())))
        .collect()
}

/// What is known of a base image by its name.
pub(crate) fn facts(spec: &Spec, architecture: &str) -> BaseFacts {
    let release = match spec.base.value.as_str() {
        base if base.contains("ratio1/") => "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=22.04\n",
        base if base.contains("ubuntu:24.04") => "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=24.04\n",
        base if base.contains("ubuntu:22.04") || base.contains("l4t") => {
            "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=22.04\n"
        }
        _ => "ID=debian\nVERSION_ID=13\n",
    };
    BaseFacts {
        reference: format!("{}@sha256:{}", spec.base, "0".repeat(64)),
        architecture: architecture.to_owned(),
        os_release: OsRelease::parse(release),
        layers: 1,
        env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        files: vendor_files(spec),
    }
}

/// The specs of the families in a directory, as paths in it.
pub(crate) fn specs(root: &Path) -> Vec<PathBuf> {
    let mut specs = Vec::new();
    for directory in ["", "experimental", "archive"] {
        let Ok(entries) = fs::read_dir(root.join(directory)) else { continue };
        let names = entries.flatten().map(|entry| Path::new(directory).join(entry.file_name()));
        specs.extend(names.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")));
    }
    specs.sort();
    specs
}

/// Reads a spec of a directory and what it extends, whose paths count from there.
pub(crate) fn load(root: &Path, path: &Path) -> Spec {
    let mut problems = Problems::default();
    let mut roots: Vec<Yaml> = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let text = fs::read_to_string(root.join(path)).expect("the file is there");
        let document = document(&text, roots.len() as u8, &mut problems).expect("YAML");
        roots.push(document.root);
        next = document.extends.map(|path| PathBuf::from(path.value.as_str()));
    }
    let merged = roots.into_iter().rev().reduce(merge).expect("a spec");
    decode(&merged, problems).unwrap_or_else(|found| panic!("{}: {found:#?}", path.display()))
}

/// A spec of a directory as a node, for each of its platforms or else for both.
pub(crate) fn nodes(root: &Path, path: &Path) -> Vec<(String, Node)> {
    let mut platforms: Vec<String> = load(root, path).platforms.iter().map(ToString::to_string).collect();
    if platforms.is_empty() {
        platforms = vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    }
    let node = |platform: &String| {
        let spec = load(root, path);
        let architecture = platform.trim_start_matches("linux/").to_owned();
        let facts = facts(&spec, &architecture);
        let inputs = inputs(&spec, &facts);
        let node = resolve(spec, facts, &inputs)
            .unwrap_or_else(|found| panic!("{} for {platform}: {found:#?}", path.display()));
        (architecture, node)
    };
    platforms.iter().map(node).collect()
}

/// What a build of the spec is given.
pub(crate) fn inputs(spec: &Spec, facts: &BaseFacts) -> Inputs {
    // Whatever the archive, it has what NVIDIA's has.
    let index = PackageIndex::parse(include_str!("../data/packages"));
    Inputs {
        indexes: spec.indexes(facts).into_iter().map(|address| (address.value, index.clone())).collect(),
        mirror: None,
        wheelhouse: false,
        lock: Default::default(),
        explain: false,
        replaced: Default::default(),
        directories: [
            ("conf".to_owned(), true),
            ("app.conf".to_owned(), false),
            ("site.conf".to_owned(), false),
        ]
        .into(),
        build_args: [("EDGENODE_ARCHIVED".to_owned(), "true".to_owned())].into(),
        files: [
            ("good.txt".to_owned(), "six\n".to_owned()),
            ("old.txt".to_owned(), "six\n\ntorch<2.9  # why\n".to_owned()),
            ("bad.txt".to_owned(), "six\n-r x\n".to_owned()),
        ]
        .into(),
    }
}

/// The readable form of a node's graph, and what its image says about itself.
pub(crate) fn llb(node: &Node, architecture: &str) -> String {
    let plan = plan(node);
    let platform = Platform::parse(&format!("linux/{architecture}")).expect("a platform");
    let base = Source::image("base").platform(&platform).output();
    let context = Source::local("context").output();
    let target = Target::new(&platform, base, context);
    let output: Output = lower(&plan, &target).output(plan.image);
    let files = vec![SourceFile::default(); 8];
    let labels: String =
        plan.config.labels.iter().map(|(key, value)| format!("label {key}={value}\n")).collect();
    let env: String =
        plan.config.environment(&[]).iter().map(|(key, value)| format!("env {key}={value}\n")).collect();
    format!("{}\n{labels}{env}", Definition::marshal(&output, &files).expect("a valid graph").to_text())
}

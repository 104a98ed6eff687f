//! Rules about Python, its packages, and the accelerators that they come with.

use super::base::older;
use super::subject::{Wanted, numbers};
use super::{Rule, Severity, Subject};
use crate::components::ONNXRUNTIME_FLAVOURS;
use crate::spec::{Span, Status, normal_name};

/// The packages that components install.
const OWNED: [(&str, &str); 9] = [
    ("torch", "torch"),
    ("torchvision", "torch"),
    ("torchaudio", "torch"),
    ("tensorrt", "tensorrt"),
    ("onnxruntime", "onnxruntime"),
    ("onnxruntime-gpu", "onnxruntime"),
    ("onnxruntime-openvino", "onnxruntime"),
    ("openvino", "openvino"),
    ("transformers", "transformers"),
];

/// Packages with a lighter twin that does the same on a machine without a screen. Source: the packages' descriptions.
const HEAVY: [(&str, &str); 4] = [
    ("opencv-python", "opencv-python-headless"),
    ("opencv-contrib-python", "opencv-contrib-python-headless"),
    ("tensorflow", "tensorflow-cpu"),
    ("psycopg2", "psycopg2-binary"),
];

/// Packages that are only another name, or have been replaced. Source: the packages' descriptions on the index.
const RENAMED: [(&str, &str); 9] = [
    ("pynvml", "nvidia-ml-py"),
    ("bs4", "beautifulsoup4"),
    ("sklearn", "scikit-learn"),
    ("docker-py", "docker"),
    ("pycrypto", "pycryptodome"),
    ("tensorflow-gpu", "tensorflow"),
    ("pil", "pillow"),
    ("opencv", "opencv-python-headless"),
    ("huggingface", "huggingface-hub"),
];

/// Wheel channels of CUDA releases that PyTorch no longer publishes for. Source: `src/catalog/torch.yaml`.
const ENDED_CHANNELS: [&str; 4] = ["cu118", "cu121", "cu124", "cu129"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "EndOfLifePython",
        severity: Severity::High,
        asks: "Python should be of a series that still gets security updates",
        why: "Series of Python end five years after their first release, 3.10 in October 2026; new releases of packages stop \
              having wheels for them soon after. A virtual environment of the distribution's Python (`venv`) is looked after by \
              the distribution, and is not found.",
        bad: "python: {version: 3.10.18}\n",
        good: "python: {version: 3.13.5}\n",
        find: ended_python,
    },
    Rule {
        id: "UnoptimizedPython",
        severity: Severity::Low,
        asks: "Python for production should be built with its optimizations",
        why: "`optimize: true` builds with profiles and link-time optimization: slow to build, once, and some 10 to 30 % faster \
              to run from then on.",
        bad: "status: production\npython: {version: 3.13.5}\n",
        good: "status: production\npython: {version: 3.13.5, optimize: true}\n",
        find: unoptimized,
    },
    Rule {
        id: "UnusedPython",
        severity: Severity::Low,
        asks: "A Python that is built should be used",
        why: "Nothing is installed into it, and neither the entrypoint nor a command or test names it. Leave `python` out, or \
              say what it is for.",
        bad: "python: {version: 3.13.5}\n",
        good: "python: {version: 3.13.5}\nentrypoint: [python3]\n",
        find: unused_python,
    },
    Rule {
        id: "FloatingRequirement",
        severity: Severity::Medium,
        asks: "Python requirements should name one version",
        why: "A requirement without `==` is resolved to the newest release that fits on the day of the build, so two builds of \
              one spec can differ. Name a version.",
        bad: "python: {version: 3.13.5}\nwheels: {requirements: [numpy]}\n",
        good: "python: {version: 3.13.5}\nwheels: {requirements: [numpy==2.2.6]}\n",
        find: floating,
    },
    Rule {
        id: "FloatingRelease",
        severity: Severity::Medium,
        asks: "Components should name one release",
        why: "A series such as `2.9` stands for the newest release of it that the frontend knows, which changes when the frontend \
              does. Write all its numbers.",
        bad: "python: {version: 3.13.5}\ntorch: {version: 2.9, channel: cpu}\n",
        good: "python: {version: 3.13.5}\ntorch: {version: 2.9.1, channel: cpu}\n",
        find: floating_release,
    },
    Rule {
        id: "DuplicateRequirement",
        severity: Severity::High,
        asks: "A package should be required once",
        why: "Both requirements must hold, which is either superfluous or impossible, and hard to see from far apart. Names that \
              differ in case, `-`, `_` or `.` are the same package.",
        bad: "python: {version: 3.13.5}\nwheels: {requirements: [PyYAML==6.0.3, pyyaml>=6]}\n",
        good: "python: {version: 3.13.5}\nwheels: {requirements: [pyyaml==6.0.3]}\n",
        find: duplicate,
    },
    Rule {
        id: "ShadowedRequirement",
        severity: Severity::High,
        asks: "A package of a component should not be required beside it",
        why: "The component chooses the release, the index and the layer of its packages. A second requirement can only agree, \
              or make the resolution fail.",
        bad: "python: {version: 3.13.5}\nonnxruntime: 1.23.2\nwheels: {requirements: [onnxruntime==1.23.2]}\n",
        good: "python: {version: 3.13.5}\nonnxruntime: 1.23.2\n",
        find: shadowed,
    },
    Rule {
        id: "ComponentAsRequirement",
        severity: Severity::Medium,
        asks: "What a component installs should be written as that component",
        why: "As a component it has a layer of its own, a channel that fits the accelerator, and is checked against the other \
              components before anything is downloaded. As a requirement it is one of many, and torch comes with CUDA's \
              libraries, wanted or not.",
        bad: "python: {version: 3.13.5}\nwheels: {requirements: [torch==2.9.1]}\n",
        good: "python: {version: 3.13.5}\ntorch: {version: 2.9.1, channel: cpu}\n",
        find: as_requirement,
    },
    Rule {
        id: "TwoOnnxRuntimes",
        severity: Severity::High,
        asks: "An image should have one flavour of ONNX Runtime",
        why: "All flavours install the module `onnxruntime` over each other's files; which one runs is an accident of the order. \
              Write `onnxruntime:` with the `flavour` you need.",
        bad: "python: {version: 3.13.5}\nwheels: {requirements: [onnxruntime==1.23.2, onnxruntime-gpu==1.23.2]}\n",
        good: "python: {version: 3.13.5}\nonnxruntime: {version: 1.23.2, flavour: openvino}\n",
        find: two_flavours,
    },
    Rule {
        id: "ExcludedRequirement",
        severity: Severity::High,
        asks: "A package should not be required and excluded at once",
        why: "`exclude` wins, so that the package is missing although the spec asks for it.",
        bad: "python: {version: 3.13.5}\nwheels: {requirements: [six==1.17.0], exclude: [six]}\n",
        good: "python: {version: 3.13.5}\nwheels: {requirements: [six==1.17.0]}\n",
        find: excluded,
    },
    Rule {
        id: "HeavyRequirement",
        severity: Severity::Low,
        asks: "Of two twins an edge node should have the lighter package",
        why: "Some packages bring libraries for screens or accelerators that a node does not have, or need a compiler; a twin \
              without them has the same modules.",
        bad: "python: {version: 3.13.5}\nwheels: {requirements: [opencv-python==4.12.0.88]}\n",
        good: "python: {version: 3.13.5}\nwheels: {requirements: [opencv-python-headless==4.12.0.88]}\n",
        find: heavy,
    },
    Rule {
        id: "RenamedRequirement",
        severity: Severity::Medium,
        asks: "Packages should be required by the name they are kept under",
        why: "The old name is an empty wrapper, no longer kept, or shadows the package that has replaced it: `pynvml` takes the \
              module of `nvidia-ml-py`, and torch warns of it.",
        bad: "python: {version: 3.13.5}\nwheels: {requirements: [pynvml==13.0.1]}\n",
        good: "python: {version: 3.13.5}\nwheels: {requirements: [nvidia-ml-py==13.580.82]}\n",
        find: renamed,
    },
    Rule {
        id: "EndOfLifeCuda",
        severity: Severity::Medium,
        asks: "torch should be of a CUDA release that it is still published for",
        why: "Newer releases of torch have no wheels in this channel, so the node stays at an old one, and at the security holes \
              that were mended since.",
        bad: "python: {version: 3.12.11}\ntorch: {version: 2.5.1, channel: cu121}\n",
        good: "python: {version: 3.13.5}\ntorch: {version: 2.9.1, channel: cu128}\n",
        find: ended_cuda,
    },
];

fn ended_python(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let Some((version, span)) = subject.text("python.version") else { return Vec::new() };
    // A first number alone leaves the series open.
    if subject.has("python.venv") || !version.contains('.') || !older(version, &[3, 11]) {
        return Vec::new();
    }
    vec![(span, format!("Python {version} gets no more updates; take 3.13 or newer"))]
}

fn unoptimized(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let production = subject.spec.status.as_ref().is_some_and(|status| status.value == Status::Production);
    let released = !subject.has("python.venv") && !subject.has("python.vendor");
    let optimized = subject.text("python.optimize").is_some_and(|(on, _)| on == "true");
    match subject.text("python.version") {
        Some((_, span)) if production && released && !optimized => {
            vec![(span, "add `optimize: true`".to_owned())]
        }
        _ => Vec::new(),
    }
}

fn unused_python(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let Some(python) = subject.get("python") else { return Vec::new() };
    let wheels = ["wheels", "torch", "tensorrt", "onnxruntime", "openvino", "transformers", "files"];
    let installs = wheels.iter().any(|key| subject.has(key));
    let programs = subject.programs();
    let named = programs.iter().flatten().any(|(word, _)| word.contains("python") || word.contains("pip"));
    if installs || named {
        return Vec::new();
    }
    vec![(python.span.first(), "nothing is installed into it and nothing runs it".to_owned())]
}

fn floating(subject: &Subject<'_>) -> Vec<(Span, String)> {
    // An address has one file, and a digest.
    let floats = |wanted: &Wanted<'_>| !wanted.text.contains("==") && !wanted.text.contains("://");
    let floating = subject.requirements().into_iter().filter(floats);
    floating
        .map(|Wanted { text, span, .. }| {
            (span, format!("`{text}` is another release tomorrow; write `==` and a version"))
        })
        .collect()
}

/// The numbers of a whole release, for components whose series are releases to choose from.
const WHOLE: [(&str, usize); 2] = [("torch", 3), ("tensorrt", 4)];

fn floating_release(subject: &Subject<'_>) -> Vec<(Span, String)> {
    WHOLE
        .iter()
        .filter_map(|(key, count)| {
            let (version, span) = subject.version(key)?;
            let series = (1..*count).contains(&numbers(version).len());
            series.then(|| (span, format!("`{version}` is a series of {key}; name a release of it")))
        })
        .collect()
}

fn duplicate(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let all = subject.requirements();
    // A marker (`; python_version < …`) makes two of one package sensible.
    let plain: Vec<_> = all.iter().filter(|wanted| !wanted.text.contains(';')).collect();
    plain
        .iter()
        .enumerate()
        .filter_map(|(i, wanted)| {
            let first = plain[..i].iter().find(|first| first.name == wanted.name)?;
            Some((wanted.span, format!("`{}` is already required at {}", wanted.name, first.span)))
        })
        .collect()
}

/// The requirements that belong to a component, with it.
fn owned<'s>(subject: &Subject<'s>) -> Vec<(Wanted<'s>, &'static str)> {
    subject
        .requirements()
        .into_iter()
        .filter_map(|wanted| {
            let (_, key) = OWNED.iter().find(|(package, _)| *package == wanted.name)?;
            Some((wanted, *key))
        })
        .collect()
}

fn shadowed(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let owned = owned(subject).into_iter().filter(|(_, key)| subject.has(key));
    owned.map(|(wanted, key)| (wanted.span, shadowing(subject, &wanted.name, key))).collect()
}

/// What a component does with a package of its own that is required beside it. Flavours that it does not have stay out.
fn shadowing(subject: &Subject<'_>, package: &str, key: &str) -> String {
    let chosen = subject.text("onnxruntime.flavour").map_or("cpu", |(flavour, _)| flavour);
    match ONNXRUNTIME_FLAVOURS.iter().find(|(_, of)| *of == package) {
        Some((flavour, _)) if *flavour != chosen => format!(
            "`{key}:` has the flavour `{chosen}`, beside which `{package}` is not installed; leave it out here, or write \
             `flavour: {flavour}` there"
        ),
        _ => format!("`{key}:` installs `{package}`; leave it out here"),
    }
}

fn as_requirement(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let owned = owned(subject).into_iter().filter(|(_, key)| !subject.has(key));
    owned.map(|(wanted, key)| (wanted.span, format!("write `{key}:` instead of `{}`", wanted.text))).collect()
}

fn two_flavours(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let flavours: Vec<_> =
        owned(subject).into_iter().filter(|(_, key)| *key == "onnxruntime").map(|(w, _)| w).collect();
    let others = flavours.iter().skip(1).filter(|wanted| wanted.name != flavours[0].name);
    others
        .map(|wanted| {
            (wanted.span, format!("`{}` has the same module as `{}`", wanted.name, flavours[0].name))
        })
        .collect()
}

fn excluded(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let excluded: Vec<_> = subject.texts("wheels.exclude").map(|(name, _)| normal_name(name)).collect();
    let both = subject.requirements().into_iter().filter(|wanted| excluded.contains(&wanted.name));
    both.map(|wanted| (wanted.span, format!("`{}` is also in `exclude`, which wins", wanted.name))).collect()
}

/// The requirements for which a table has something better.
fn better(subject: &Subject<'_>, table: &[(&str, &str)], words: &str) -> Vec<(Span, String)> {
    subject
        .requirements()
        .into_iter()
        .filter_map(|wanted| {
            let (_, better) = table.iter().find(|(name, _)| *name == wanted.name)?;
            Some((wanted.span, format!("{words} `{better}`")))
        })
        .collect()
}

fn heavy(subject: &Subject<'_>) -> Vec<(Span, String)> {
    better(subject, &HEAVY, "its lighter twin is")
}

fn renamed(subject: &Subject<'_>) -> Vec<(Span, String)> {
    better(subject, &RENAMED, "the package is now")
}

fn ended_cuda(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let channel = subject.text("torch.channel").filter(|(channel, _)| ENDED_CHANNELS.contains(channel));
    channel
        .map(|(channel, span)| (span, format!("no new release of torch has the channel `{channel}`")))
        .into_iter()
        .collect()
}

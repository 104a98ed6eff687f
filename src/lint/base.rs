//! Rules about what a spec stands on and how it is kept.

use super::subject::numbers;
use super::{Rule, Severity, Subject};
use crate::spec::{Span, Status, Suite};

/// Releases of distributions that got their last update before 2026-11-24. Sources: the release pages of Debian (long-term
/// support) and Ubuntu (standard support).
const ENDED: [(&str, &str); 22] = [
    ("debian", "8"),
    ("debian", "9"),
    ("debian", "10"),
    ("debian", "11"),
    ("debian", "jessie"),
    ("debian", "stretch"),
    ("debian", "buster"),
    ("debian", "bullseye"),
    ("ubuntu", "14.04"),
    ("ubuntu", "16.04"),
    ("ubuntu", "18.04"),
    ("ubuntu", "20.04"),
    ("ubuntu", "22.10"),
    ("ubuntu", "23.04"),
    ("ubuntu", "23.10"),
    ("ubuntu", "24.10"),
    ("ubuntu", "25.04"),
    ("ubuntu", "25.10"),
    ("ubuntu", "trusty"),
    ("ubuntu", "xenial"),
    ("ubuntu", "bionic"),
    ("ubuntu", "focal"),
];

/// Images that the families' owners no longer build. Source: the table of families in the README.
const ARCHIVED: [&str; 3] =
    ["ratio1/base_edge_node", "ratio1/base_edge_node_arm64_tegra", "ratio1/base_edge_node_dind"];

/// Images that have CUDA's libraries; those of NVIDIA with `-base-` in their tags have the smallest of them alone. Sources: the
/// images' own pages.
const WITH_CUDA: [&str; 4] =
    ["nvidia/cuda", "pytorch/pytorch", "nvcr.io/nvidia/pytorch", "nvcr.io/nvidia/tensorrt"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "UnpinnedBase",
        severity: Severity::Medium,
        asks: "The base image should be named by its digest",
        why: "A tag is moved with every update of the image, so the same spec gives another image tomorrow. A build without a \
              digest says which one the tag stands for today.",
        bad: "base: debian:13\n",
        good: "base: debian:13@sha256:0000000000000000000000000000000000000000000000000000000000000000\n",
        find: unpinned,
    },
    Rule {
        id: "FloatingBase",
        severity: Severity::High,
        asks: "The base image should name a release of its distribution",
        why: "Without a tag, or with `latest`, `stable` or `rolling`, the distribution itself changes under the spec: other \
              packages, other library versions, another Python. Name the release.",
        bad: "base: debian\n",
        good: "base: debian:13\n",
        find: floating,
    },
    Rule {
        id: "EndOfLifeBase",
        severity: Severity::High,
        asks: "The base image's distribution should still get security updates",
        why: "Nobody mends holes in a release after its end, and its archives are moved away some day, after which the spec \
              cannot be built. Take a release that is looked after.",
        bad: "base: ubuntu:20.04\n",
        good: "base: ubuntu:24.04\n",
        find: ended,
    },
    Rule {
        id: "ArchivedBase",
        severity: Severity::Medium,
        asks: "A spec should not stand on an image that is no longer built",
        why: "The image family is archived: nobody rebuilds it when its packages need updates. Stand on a distribution, and \
              name what the node needs as components.",
        bad: "base: ratio1/base_edge_node:0.1.6\n",
        good: "base: ubuntu:24.04\n",
        find: archived,
    },
    Rule {
        id: "CudaTwice",
        severity: Severity::Medium,
        asks: "CUDA's libraries should be in the image once",
        why: "torch's wheels bring CUDA's libraries, gigabytes of them. On a base image that has them as well, the image has two \
              copies, which can be of two releases, and which of them is loaded depends on who asks. Stand on a distribution, or \
              keep the vendor's own: `torch: vendor`, with `python: {version: …, vendor: …}`.",
        bad: "base: nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04\npython: {version: 3.13.5}\ntorch: {version: 2.9.1, channel: cu128}\n",
        good: "base: ubuntu:24.04\npython: {version: 3.13.5}\ntorch: {version: 2.9.1, channel: cu128}\n",
        find: cuda_twice,
    },
    Rule {
        id: "NotInProduction",
        severity: Severity::Medium,
        asks: "Nodes in production should not run this spec",
        why: "Its status says that it may change, fail, or is only kept to look at. Builds of such a spec say so as well.",
        bad: "status: experimental\n",
        good: "status: production\n",
        find: not_in_production,
    },
    Rule {
        id: "UnlockedSpec",
        severity: Severity::Low,
        asks: "A spec that takes packages from elsewhere should have a lock beside it",
        why: "Without a lock, versions and digests are looked up in every build: the same spec gives another image when an \
              archive or an index changes, and none when one is away. `--target lock -o .` writes `node.lock` beside \
              `node.yaml`; `--target update` moves it on.",
        bad: "system: {packages: [curl]}\n",
        good: "system: {packages: [curl]}\n",
        find: unlocked,
    },
    Rule {
        id: "NoStatus",
        severity: Severity::Low,
        asks: "A spec should say how far it can be relied on",
        why: "`status:` becomes a label of the image, by which operators keep experiments off production nodes. Write \
              `production`, `experimental` or `archived`.",
        bad: "workdir: /srv\n",
        good: "status: production\n",
        find: no_status,
    },
    Rule {
        id: "NoPlatforms",
        severity: Severity::Low,
        asks: "A spec should say which platforms it is meant for",
        why: "With `platforms:` a build for any other one is refused at once; without, it may fail late, or give an image that \
              nobody has tested there.",
        bad: "workdir: /srv\n",
        good: "platforms: [linux/amd64]\n",
        find: no_platforms,
    },
    Rule {
        id: "NoTests",
        severity: Severity::Medium,
        asks: "A spec should say what must hold in its image",
        why: "`--target test` runs the spec's `tests` in the finished image. Without them a library that does not load is found \
              by the node, not by the build.",
        bad: "workdir: /srv\n",
        good: "tests:\n  - {name: shell-starts, run: [sh, -c, exit]}\n",
        find: no_tests,
    },
    Rule {
        id: "UntestedComponent",
        severity: Severity::Low,
        asks: "Each program and Python library should be tried by a test",
        why: "A test that starts the program or imports the library finds what a build cannot: a missing shared library, a wheel \
              for another processor. A component counts as tried when a test names it.",
        bad: "ffmpeg: {version: 7.1.5}\ntests:\n  - {name: shell-starts, run: [sh, -c, exit]}\n",
        good: "ffmpeg: {version: 7.1.5}\ntests:\n  - {name: ffmpeg-starts, run: [ffmpeg, -version]}\n",
        find: untested,
    },
    Rule {
        id: "TestCannotFail",
        severity: Severity::Medium,
        asks: "A test should be able to fail",
        why: "`|| true` and `; true` at the end of a shell's words make every failure a success. Let the program's own exit \
              code count, or look for a text with `stdout_contains`.",
        bad: "tests:\n  - {name: starts, run: [sh, -c, \"ffmpeg -version || true\"]}\n",
        good: "tests:\n  - {name: starts, run: [sh, -c, \"ffmpeg -version\"]}\n",
        find: cannot_fail,
    },
];

/// Name and tag of the base image, without registry, digest and Docker's own `library/`.
pub(super) fn name_and_tag<'s>(subject: &Subject<'s>) -> (&'s str, &'s str) {
    let full = subject.spec.base.value.as_str();
    let bare = full.split('@').next().unwrap_or(full);
    let bare = bare.strip_prefix("docker.io/").unwrap_or(bare);
    let bare = bare.strip_prefix("library/").unwrap_or(bare);
    bare.rsplit_once(':').unwrap_or((bare, ""))
}

fn unpinned(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let base = &subject.spec.base;
    if base.value.has_digest() {
        return Vec::new();
    }
    vec![(base.span, format!("add `@sha256:…` to `{base}`"))]
}

fn floating(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let base = &subject.spec.base;
    let (name, tag) = name_and_tag(subject);
    if base.value.has_digest()
        || !["latest", "stable", "rolling", "testing", "unstable", "sid"].contains(&tag)
    {
        return Vec::new();
    }
    vec![(base.span, format!("`{name}:{tag}` is another distribution some day; name a release"))]
}

fn ended(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let (name, tag) = name_and_tag(subject);
    let release = tag.strip_suffix("-slim").unwrap_or(tag);
    if !ENDED.contains(&(name, release)) {
        return Vec::new();
    }
    vec![(subject.spec.base.span, format!("{name} {release} gets no more updates; take a newer release"))]
}

fn archived(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let (name, _) = name_and_tag(subject);
    if !ARCHIVED.contains(&name) {
        return Vec::new();
    }
    vec![(subject.spec.base.span, format!("`{name}` is no longer built; stand on a distribution"))]
}

fn cuda_twice(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let (name, tag) = name_and_tag(subject);
    let is_cpu = subject.text("torch.channel").is_some_and(|(channel, _)| channel == "cpu");
    let is_vendor = subject.text("torch").is_some_and(|(text, _)| text == "vendor");
    let brings = subject.has("torch") && !is_cpu && !is_vendor;
    if !brings || !WITH_CUDA.contains(&name) || tag.contains("-base-") {
        return Vec::new();
    }
    vec![(
        subject.spec.base.span,
        format!("`{name}` has CUDA's libraries, and torch's wheels bring them once more"),
    )]
}

fn not_in_production(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let status = subject.spec.status.as_ref().filter(|status| status.value != Status::Production);
    status
        .map(|status| (status.span, format!("its status is `{}`", status.value.word())))
        .into_iter()
        .collect()
}

/// One finding at the spec's name, if something is absent.
fn absent(subject: &Subject<'_>, key: &str, what: &str) -> Vec<(Span, String)> {
    if subject.has(key) { Vec::new() } else { vec![(subject.spec.name.span, what.to_owned())] }
}

fn unlocked(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let takes_packages = !subject.spec.components.is_empty() || !subject.packages().is_empty();
    if subject.locked || !takes_packages {
        return Vec::new();
    }
    vec![(subject.spec.name.span, "write its lock with `--target lock -o .`".to_owned())]
}

fn no_status(subject: &Subject<'_>) -> Vec<(Span, String)> {
    absent(subject, "status", "add `status: production`, or what it is")
}

fn no_platforms(subject: &Subject<'_>) -> Vec<(Span, String)> {
    absent(subject, "platforms", "add `platforms: [linux/amd64]`, or what it is built for")
}

fn no_tests(subject: &Subject<'_>) -> Vec<(Span, String)> {
    if !subject.spec.tests.is_empty() || !subject.spec.suites.is_empty() {
        return Vec::new();
    }
    vec![(subject.spec.name.span, "add `tests:` with a program that must succeed in the image".to_owned())]
}

/// The components that a test can name, and what names them.
const NAMES: [(&str, &str); 9] = [
    ("ffmpeg", "ffmpeg"),
    ("nodejs", "node"),
    ("ngrok", "ngrok"),
    ("uv", "uv"),
    ("torch", "torch"),
    ("tensorrt", "tensorrt"),
    ("onnxruntime", "onnxruntime"),
    ("openvino", "openvino"),
    ("transformers", "transformers"),
];

fn untested(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let starts_all = subject.spec.suites.iter().any(|suite| suite.value == Suite::Node);
    if subject.spec.tests.is_empty() || starts_all {
        return Vec::new();
    }
    let words: Vec<&str> = subject
        .spec
        .tests
        .iter()
        .flat_map(|test| test.program.iter().flat_map(|program| &program.run))
        .map(|argument| argument.value.as_str())
        .collect();
    let tried = |name: &str| {
        let parts = words.iter().flat_map(|word| word.split(|c: char| !c.is_ascii_alphanumeric()));
        parts.into_iter().any(|part| part == name)
    };
    let untried = NAMES.iter().filter(|(_, name)| !tried(name));
    untried
        .filter_map(|(key, name)| {
            let span = subject.get(key)?.span;
            Some((span.first(), format!("no test names `{name}`; add one that starts or imports it")))
        })
        .collect()
}

fn cannot_fail(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let last = subject.spec.tests.iter().filter_map(|test| test.program.as_ref()?.run.last());
    let ends = ["|| true", "||true", "; true", "|| :", "; exit 0", "|| exit 0"];
    last.filter(|word| ends.iter().any(|end| word.value.trim_end().ends_with(end)))
        .map(|word| (word.span, "what stands at the end makes every failure a success".to_owned()))
        .collect()
}

/// Whether a version is older than `oldest`, or of one of the `odd` first numbers.
pub(super) fn older(version: &str, oldest: &[u32]) -> bool {
    let numbers = numbers(version);
    !numbers.is_empty() && numbers.as_slice() < oldest
}

//! The tests that a suite stands for, given what the spec has.

use super::TextFile;
use super::planner::{Codec, Coder, Planner};
use crate::spec::{At, Check, Name, Need, Program, Span, Stream, Suite, Test, Text};

/// A test of a suite, with the files that its program finds in [`SUITE_DIR`].
pub(super) struct SuiteTest {
    pub(super) test: Test,
    pub(super) files: Vec<TextFile>,
}

/// Where programs of suites find their files.
pub(super) const SUITE_DIR: &str = "/run/edgenode/suite";

const COMMON: (&str, &str) = ("common.py", include_str!("../suites/common.py"));
const CPU: (&str, &str) = ("cpu.py", include_str!("../suites/cpu.py"));
const GPU: (&str, &str) = ("gpu.py", include_str!("../suites/gpu.py"));
const BERT: (&str, &str) = ("bert.py", include_str!("../suites/bert.py"));
const MEDIA: (&str, &str) = ("media.sh", include_str!("../suites/media.sh"));
const DIND: (&str, &str) = ("dind.sh", include_str!("../suites/dind.sh"));

/// What measures and compiles has more time than other programs, in seconds.
const LIMIT: u64 = 900;

/// The tests of a suite that is named at `span`.
pub(super) fn tests(suite: &At<Suite>, planner: &Planner) -> Vec<SuiteTest> {
    let span = suite.span;
    match suite.value {
        Suite::Cpu => {
            let network = script(span, "cpu-network", &[CPU, COMMON], &runtimes(planner), &[]);
            let bert = (has(planner, "torch") && has(planner, "transformers"))
                .then(|| script(span, "cpu-transformers", &[BERT], &["cpu"], &[]));
            network.into_iter().chain(bert.flatten()).collect()
        }
        Suite::Gpu => {
            let gpu = [Need::Gpu];
            let network = script(span, "gpu-network", &[GPU, COMMON], &runtimes(planner), &gpu);
            let bert = has(planner, "transformers")
                .then(|| script(span, "gpu-transformers", &[BERT], &["cuda"], &gpu));
            network.into_iter().chain(bert.flatten()).collect()
        }
        Suite::Media => planner.codecs().iter().filter_map(|codec| media(codec, span)).collect(),
        Suite::Dind => {
            script(span, "dind-runs-a-container", &[DIND], &[], &[Need::Privileged]).into_iter().collect()
        }
        Suite::Node => {
            planner.all_provided().iter().flat_map(|p| programs(&p.name, &p.version, span)).collect()
        }
    }
}

/// Whether the image has a component, or a Python package that the spec names.
fn has(planner: &Planner, name: &str) -> bool {
    planner.has(name) || planner.chosen().is_some_and(|chosen| chosen.named.iter().any(|have| have == name))
}

/// The runtimes that the spec has.
fn runtimes(planner: &Planner) -> Vec<&'static str> {
    ["torch", "onnxruntime", "openvino", "tensorrt"].into_iter().filter(|name| has(planner, name)).collect()
}

/// A test that runs the first of `files` with `words`, by Python or the shell.
fn script(
    span: Span,
    name: &str,
    files: &[(&str, &str)],
    words: &[&str],
    needs: &[Need],
) -> Option<SuiteTest> {
    let (first, _) = files.first()?;
    let program = if first.ends_with(".py") { "python3" } else { "/bin/sh" };
    let mut run = vec![program.to_owned(), format!("{SUITE_DIR}/{first}")];
    run.extend(words.iter().map(|&word| word.to_owned()));
    let run = run.into_iter().map(|word| At::new(word, span)).collect();
    let program = Program { limit: LIMIT, needs: needs.to_vec(), ..Program::new(run) };
    let checks = vec![At::new(Check::Exit(0), span)];
    let test = Test { name: At::new(Name::parse(name).ok()?, span), program: Some(program), checks };
    let file = |(name, text): &(&str, &str)| TextFile {
        path: format!("/{name}"),
        mode: 0o644,
        text: (*text).to_owned(),
    };
    Some(SuiteTest { test, files: files.iter().map(file).collect() })
}

fn media(codec: &Codec, span: Span) -> Option<SuiteTest> {
    let kind = match codec.coder {
        Coder::Video | Coder::GpuVideo => "video",
        Coder::Audio => "audio",
        Coder::Decoder => "decode",
    };
    let needs: &[Need] = if codec.coder == Coder::GpuVideo { &[Need::Gpu] } else { &[] };
    script(span, &format!("media-{}", codec.name.replace('_', "-")), &[MEDIA], &[kind, codec.name], needs)
}

/// Programs that tell their version, and whether that of the component must be in it.
fn programs(component: &str, version: &str, span: Span) -> Vec<SuiteTest> {
    let told: &[(&str, &[&str], bool)] = match component {
        "python" => &[
            ("python", &["python3", "--version"], true),
            ("pip", &["python3", "-m", "pip", "--version"], false),
        ],
        "ffmpeg" => &[("ffmpeg", &["ffmpeg", "-version"], true), ("ffprobe", &["ffprobe", "-version"], true)],
        "nodejs" => &[("nodejs", &["node", "--version"], true), ("npm", &["npm", "--version"], false)],
        "ngrok" => &[("ngrok", &["ngrok", "version"], true)],
        "uv" => &[("uv", &["uv", "--version"], true)],
        "docker" => {
            &[("docker", &["docker", "--version"], true), ("dockerd", &["dockerd", "--version"], true)]
        }
        _ => &[],
    };
    let test = |(name, words, tells): &(&str, &[&str], bool)| {
        let run = words.iter().map(|&word| At::new(word.to_owned(), span)).collect();
        let mut checks = vec![At::new(Check::Exit(0), span)];
        if *tells && version.starts_with(|c: char| c.is_ascii_digit()) {
            checks.push(At::new(Check::Output(Stream::Stdout, Text::Contains(version.to_owned())), span));
        }
        let name = At::new(Name::parse(&format!("node-{name}")).ok()?, span);
        let test = Test { name, program: Some(Program::new(run)), checks };
        Some(SuiteTest { test, files: Vec::new() })
    };
    told.iter().filter_map(test).collect()
}

//! The steps of a spec's tests. A program runs once; every check of what came out is a step of its own. None of these
//! steps fails: each leaves a verdict, so that all that is wrong is told at once.

use super::planner::{Planner, RUN_DIR, Script};
use super::suites::SUITE_DIR;
use super::{Config, Device, Mount, Run, RunResult, SecretFile, StepId, TextFile};
use crate::spec::{At, Check, FileCheck, Name, Need, Program, Span, Test};

const RUN: Script = Script { name: "test-run.sh", text: include_str!("../components/scripts/test-run.sh") };
const CHECK: Script =
    Script { name: "test-check.sh", text: include_str!("../components/scripts/test-check.sh") };
/// The GPUs of a builder by their CDI name. Source: NVIDIA's container toolkit, which writes their description.
const GPUS: &str = "nvidia.com/gpu=all";
/// Where the steps put what they leave.
const OUT_DIR: &str = "/run/edgenode-out";
/// Where a check finds what its program left.
const RESULT_DIR: &str = "/run/edgenode/result";
/// The file with what a check found: see `test-check.sh`.
pub const VERDICT: &str = "/verdict";

/// A test of the spec.
#[derive(Debug)]
pub struct PlannedTest {
    /// Its name.
    pub name: At<Name>,
    /// Where its program runs; the result has `stdout` and `stderr`.
    pub program: Option<StepId>,
    /// Whether the client must allow it.
    pub privileged: bool,
    /// What is looked at.
    pub checks: Vec<PlannedCheck>,
}

/// A check of a test.
#[derive(Debug)]
pub struct PlannedCheck {
    /// What it asks for, in words.
    pub what: String,
    /// The place in the spec that asks for it.
    pub span: Span,
    /// The step whose result has the [`VERDICT`].
    pub step: StepId,
}

/// Adds the steps of a test in the finished image. `files` is what its program finds in [`SUITE_DIR`].
pub(super) fn add_test(
    planner: &mut Planner,
    image: StepId,
    test: &Test,
    files: &[TextFile],
    config: &Config,
) -> PlannedTest {
    let program = test.program.as_ref().map(|program| {
        let mut run = run_program(planner, image, program, config);
        if !files.is_empty() {
            let from = planner.files("[internal] files of a suite".to_owned(), files.to_vec());
            run.mounts.push(Mount { at: SUITE_DIR.to_owned(), from, part: "/".to_owned() });
        }
        planner.run(format!("[test] {}", test.name), test.name.span, run)
    });
    let (limit, port) = test.program.as_ref().map_or((0, 0), |p| (p.limit, p.port.unwrap_or_default()));
    let checks = test.checks.iter().map(|check| {
        let mut words = check_words(&check.value, limit, port);
        words.splice(0..0, [OUT_DIR.to_owned(), RESULT_DIR.to_owned()]);
        let mut run = in_image(planner, &CHECK, image, words, config);
        if let Some(from) = program {
            run.mounts.push(Mount { at: RESULT_DIR.to_owned(), from, part: "/".to_owned() });
        }
        let what = check.value.describe();
        let step = planner.run(format!("[test] {}: {what}", test.name), check.span, run);
        PlannedCheck { what, span: check.span, step }
    });
    let checks = checks.collect();
    let privileged = test.program.as_ref().is_some_and(|p| p.needs.contains(&Need::Privileged));
    PlannedTest { name: test.name.clone(), program, privileged, checks }
}

/// A run of a script in the finished image with the image's environment, and none of ours.
fn in_image(
    planner: &mut Planner,
    script: &Script,
    image: StepId,
    words: Vec<String>,
    config: &Config,
) -> Run {
    let mut run = planner.script(script, image, words);
    run.env = config.environment(&planner.facts().env);
    run.result = RunResult::Directory(OUT_DIR.to_owned());
    run
}

fn run_program(planner: &mut Planner, image: StepId, program: &Program, config: &Config) -> Run {
    let input = format!("{RUN_DIR}/input");
    let gpu = program.needs.contains(&Need::Gpu);
    let mut words = vec![
        OUT_DIR.to_owned(),
        program.limit.to_string(),
        program.port.unwrap_or_default().to_string(),
        if gpu { "gpu" } else { "-" }.to_owned(),
        if program.stdin.is_empty() { "/dev/null".to_owned() } else { format!("{input}/stdin") },
    ];
    words.extend(program.run.iter().map(|word| word.value.clone()));
    let mut run = in_image(planner, &RUN, image, words, config);
    for (name, value) in &program.env {
        run.env.retain(|(have, _)| have != name.as_str());
        run.env.push((name.to_string(), value.clone()));
    }
    if !program.stdin.is_empty() {
        let file = TextFile { path: "/stdin".to_owned(), mode: 0o644, text: program.stdin.clone() };
        let from = planner.files("[internal] input of a test".to_owned(), vec![file]);
        run.mounts.push(Mount { at: input, from, part: "/".to_owned() });
    }
    if !program.inputs.is_empty() {
        let paths: Vec<_> = program.inputs.iter().map(ToString::to_string).collect();
        let from = planner.context(paths.clone());
        let mount =
            |path: &String| Mount { at: format!("{RUN_DIR}/inputs/{path}"), from, part: format!("/{path}") };
        run.mounts.extend(paths.iter().map(mount));
    }
    if let Some(workdir) = &config.settings.workdir {
        run.cwd = workdir.to_string();
    }
    run.secrets = program.secrets.iter().map(SecretFile::in_run).collect();
    run.devices = program.devices.iter().map(Device::required).collect();
    if gpu {
        run.devices.push(Device { name: GPUS.to_owned(), optional: true });
    }
    run.privileged = program.needs.contains(&Need::Privileged);
    run
}

/// A check as `test-check.sh` takes it.
fn check_words(check: &Check, limit: u64, port: u16) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    match check {
        Check::Exit(code) => words(&["exit", &code.to_string(), &limit.to_string()]),
        Check::Listens => words(&["listens", &port.to_string(), &limit.to_string()]),
        Check::Output(stream, text) => {
            let [kind, text] = text.words();
            words(&["output", stream.word(), &kind, &text])
        }
        Check::File(path, check) => {
            let rest = match check {
                FileCheck::Exists(wanted) => words(&["exists", &wanted.to_string()]),
                FileCheck::Mode(mode) => words(&["mode", &format!("{:o}", mode.bits())]),
                FileCheck::Owner(owner) => words(&["owner", owner]),
                FileCheck::Size(size) => words(&["size", size]),
                FileCheck::Sha256(digest) => words(&["sha256", digest.as_str()]),
                FileCheck::Content(text) => {
                    let [kind, text] = text.words();
                    words(&["content", &kind, &text])
                }
            };
            [words(&["file", path.as_str()]), rest].concat()
        }
        Check::Libraries(path) => words(&["libraries", path.as_str()]),
        Check::Import(module) => words(&["import", module]),
        Check::Package(package, version) => words(&["package", package, version]),
        Check::Encoder(name) => words(&["encoders", name]),
        Check::Decoder(name) => words(&["decoders", name]),
    }
}

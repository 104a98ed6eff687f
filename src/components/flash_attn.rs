//! `flash_attn:` FlashAttention, compiled by `nvcc` for the torch and the CUDA of the spec: nothing published fits every
//! pair of them. That takes hours and gigabytes of memory for each compiler, so it is built only where a spec asks, with
//! few compilers at once.

use super::sdists::{Sdist, SdistSpec, decode_jobs};
use super::wheels::{WheelRequest, installer, patterns};
use super::{Component, Declared, Registration, cuda, python, torch};
use crate::catalog::Capability;
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::Planner;
use crate::resolve::{Context, SourceFields, package};
use crate::spec::{At, Fields, Node, Span, Wish, checked, items};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "flash_attn", decode };

/// What its build runs with besides networkx: its own tools, and what torch imports. Source: its `setup.py`, torch's
/// metadata. From Python 3.10 on all of them have wheels.
const REQUIRES: [&str; 11] = [
    "einops==0.8.2",
    "filelock==3.20.0",
    "fsspec==2025.9.0",
    "jinja2==3.1.6",
    "ninja==1.13.0",
    "packaging==25.0",
    "psutil==7.1.0",
    "setuptools==80.9.0",
    "sympy==1.14.0",
    "typing-extensions==4.15.0",
    "wheel==0.45.1",
];

/// The package that is built.
const PACKAGE: &str = "flash-attn";

/// The second number of the oldest Python 3 that it is built with.
const OLDEST_PYTHON: u32 = 10;

/// The oldest GPUs that it runs on. Source: its README, "NVIDIA CUDA support".
const OLDEST_GPU: Capability = Capability { major: 8, minor: 0 };

/// What its build runs with in a series of Python.
fn requires(series: u32) -> Vec<String> {
    // The last release for Python 3.10, as the index tells.
    let networkx = if series == OLDEST_PYTHON { "networkx==3.4.2" } else { "networkx==3.5" };
    let mut all = [&REQUIRES[..], &[networkx]].concat();
    all.sort_unstable();
    all.into_iter().map(str::to_owned).collect()
}

#[derive(Debug)]
struct FlashAttnSpec {
    source: SourceFields,
    jobs: u8,
    capabilities: Vec<At<u32>>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let mut fields = Fields::open_versioned("`flash_attn`", node, problems)?;
    let source = SourceFields::decode(&mut fields, &package(PACKAGE), "2.8.3", problems);
    let jobs = decode_jobs(&mut fields, problems);
    let capabilities = match fields.take("capabilities") {
        Some(node) => items("`capabilities`", node, problems, |node, problems| {
            checked("a compute capability", node, problems, capability)
        }),
        None => Vec::new(),
    };
    fields.finish(problems);
    Some(Box::new(FlashAttnSpec { source: source?, jobs, capabilities }))
}

/// Reads `8.0` as 80.
pub(crate) fn capability(text: &str) -> Result<u32, String> {
    let help = "write compute capabilities from `8.0` on, such as `9.0`";
    let (major, minor) = text.split_once('.').ok_or(help)?;
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(major @ 8..=99), Ok(minor @ 0..=9)) => Ok(major * 10 + minor),
        _ => Err(help.to_owned()),
    }
}

impl Declared for FlashAttnSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn targets(&self) -> Vec<&'static str> {
        vec![PACKAGE]
    }

    fn keep(&mut self, lock: &PlatformLock) {
        self.source.keep(REGISTRATION.key, PACKAGE, lock);
    }

    fn brings(&self, _: &Context<'_>) -> Vec<(String, At<String>)> {
        let version = &self.source.version;
        vec![(PACKAGE.to_owned(), At::new(version.to_string(), version.span))]
    }

    fn choice(&self, _: &Context<'_>) -> Option<(At<Wish>, String)> {
        Some((self.source.wish.clone(), self.source.version.to_string()))
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let is_complete = self.check_components(context, span, problems);
        self.check_cuda(context, problems);
        self.check_gpus(context, span, problems);
        let installer = installer(REGISTRATION.key, context, span, problems);
        let (Some(series), true) = (self.series(context, problems), is_complete) else {
            // Else the archive is looked at with the rest of the build.
            self.source.resolve_package(PACKAGE, problems);
            return None;
        };
        let mut env = vec![
            // Its build would look for a published wheel.
            ("FLASH_ATTENTION_FORCE_BUILD".to_owned(), "TRUE".to_owned()),
            ("NVCC_THREADS".to_owned(), "1".to_owned()),
        ];
        if !self.capabilities.is_empty() {
            let list: Vec<_> = self.capabilities.iter().map(|c| c.value.to_string()).collect();
            env.push(("FLASH_ATTN_CUDA_ARCHS".to_owned(), list.join(";")));
        }
        let sdist = SdistSpec {
            name: At::new(PACKAGE.to_owned(), span),
            source: self.source.clone(),
            requires: requires(series),
            packages: Vec::new(),
            settings: Vec::new(),
            env,
            uses: vec![cuda::REGISTRATION.key, torch::REGISTRATION.key],
            jobs: self.jobs,
        };
        let einops = WheelRequest {
            requirements: vec!["einops".to_owned()],
            packages: patterns(&["einops"]),
            ..WheelRequest::new("einops", "of flash-attn", installer?, span)
        };
        Some(Box::new(FlashAttn { sdist: sdist.resolve(context, problems)?, einops }))
    }
}

impl FlashAttnSpec {
    /// Reports what it cannot be built without; tells whether all of that is there.
    fn check_components(&self, context: &Context<'_>, span: Span, problems: &mut Problems) -> bool {
        let (has_torch, has_nvcc) =
            (context.cuda_of(torch::REGISTRATION.key).is_some(), context.compiles_cuda());
        if !has_torch {
            problems.error_with_help(
                span,
                "FlashAttention runs in a torch for CUDA, which the spec does not have",
                "add `torch:` with a CUDA channel, such as `cu128`",
            );
        }
        if !has_nvcc {
            problems.error_with_help(
                span,
                "FlashAttention is compiled by nvcc, which the spec does not have",
                "add `cuda:` with `compiler: apt`",
            );
        }
        has_torch && has_nvcc
    }

    /// The series of Python, where what the build runs with has wheels for it.
    fn series(&self, context: &Context<'_>, problems: &mut Problems) -> Option<u32> {
        let series = context.python_home()?.series;
        if series < OLDEST_PYTHON {
            problems.error_with_help(
                self.source.version.span,
                format!("what FlashAttention is built with has no wheels for Python 3.{series}"),
                format!("take `{}` 3.{OLDEST_PYTHON} or newer", python::REGISTRATION.key),
            );
        }
        (series >= OLDEST_PYTHON).then_some(series)
    }

    /// Reports capabilities that the spec's CUDA does not compile for.
    fn check_cuda(&self, context: &Context<'_>, problems: &mut Problems) {
        let release = context.cuda_release();
        let Some(row) = release.and_then(|cuda| context.catalog.cuda_release(&cuda)) else { return };
        for (capability, span) in self.capabilities.iter().map(|c| (capability_of(c.value), c.span)) {
            if !row.gpus.lack(capability) {
                continue;
            }
            let newer = context.catalog.cuda.iter().find(|row| !row.gpus.lack(capability));
            let newer = newer.map(|row| format!("take torch and `cuda` of CUDA {} or newer, or ", row.cuda));
            problems.error_with_help(
                span,
                format!("the compiler of CUDA {} does not know compute capability {capability}", row.cuda),
                format!("{}leave it out of `capabilities`", newer.unwrap_or_default()),
            );
        }
    }

    /// Reports GPUs of the nodes that none of the compiled code runs on.
    fn check_gpus(&self, context: &Context<'_>, span: Span, problems: &mut Problems) {
        for gpu in &context.fleet.gpus {
            let ((name, capability), line) = (&gpu.value, gpu.span.line());
            let what = format!("compute capability {capability} (`{name}`, {line})");
            if *capability < OLDEST_GPU {
                problems.error_with_help(
                    span,
                    format!("FlashAttention does not run on {what}, only from {OLDEST_GPU} on"),
                    format!("take `{name}` out of `target.gpus`, or leave `flash_attn` out"),
                );
            } else if !self.has_code_for(*capability) {
                let places = self.capabilities.first().zip(self.capabilities.last());
                problems.error_with_help(
                    places.map_or(span, |(first, last)| first.span.to(last.span)),
                    format!("`capabilities` has nothing whose code runs on {what}"),
                    format!("add `{}.0` to it", capability.major),
                );
            }
        }
    }

    /// Whether what the spec has compiled runs on a GPU. Where it names nothing, the package chooses.
    fn has_code_for(&self, gpu: Capability) -> bool {
        self.capabilities.is_empty() || self.capabilities.iter().any(|c| capability_of(c.value).runs_on(gpu))
    }
}

/// `80` as `8.0`.
fn capability_of(number: u32) -> Capability {
    Capability { major: number / 10, minor: number % 10 }
}

#[derive(Debug)]
struct FlashAttn {
    sdist: Sdist,
    einops: WheelRequest,
}

impl Component for FlashAttn {
    fn plan(&self, _: Span, planner: &mut Planner) {
        self.sdist.plan(planner);
        planner.request_wheels(self.einops.clone());
    }

    fn finish(&self, _: Span, planner: &mut Planner) {
        self.sdist.finish(planner);
    }
}

//! `flash_attn:` FlashAttention, compiled by `nvcc` for the torch and the CUDA of the spec: nothing published fits every
//! pair of them. That takes hours and gigabytes of memory for each compiler, so it is built only where a spec asks, with
//! few compilers at once.

use super::sdists::{Sdist, SdistSpec, decode_jobs};
use super::wheels::{WheelRequest, installer, patterns};
use super::{Component, Declared, Registration, cuda, torch};
use crate::diagnostic::Problems;
use crate::plan::Planner;
use crate::resolve::{Context, SourceFields};
use crate::spec::{At, Fields, Node, Span, checked, items};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "flash_attn", decode };

/// What its build runs with: its own tools, and what torch imports. Source: its `setup.py`, torch's metadata.
const REQUIRES: [&str; 12] = [
    "einops==0.8.2",
    "filelock==3.20.0",
    "fsspec==2025.9.0",
    "jinja2==3.1.6",
    "networkx==3.5",
    "ninja==1.13.0",
    "packaging==25.0",
    "psutil==7.1.0",
    "setuptools==80.9.0",
    "sympy==1.14.0",
    "typing-extensions==4.15.0",
    "wheel==0.45.1",
];

#[derive(Debug)]
struct FlashAttnSpec {
    source: SourceFields,
    jobs: u8,
    capabilities: Vec<At<u32>>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let mut fields = Fields::open("`flash_attn`", node, problems)?;
    let source = SourceFields::decode(&mut fields, None, "2.8.3", problems);
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
        vec!["flash-attn"]
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        if context.cuda_of(torch::REGISTRATION.key).is_none() {
            problems.error_with_help(
                span,
                "FlashAttention runs in a torch for CUDA, which the spec does not have",
                "add `torch:` with a CUDA channel, such as `cu128`",
            );
        }
        if !context.compiles_cuda() {
            problems.error_with_help(
                span,
                "FlashAttention is compiled by nvcc, which the spec does not have",
                "add `cuda:` with `compiler: apt`",
            );
        }
        if problems.has_errors() {
            return None;
        }
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
            name: At::new("flash-attn".to_owned(), span),
            source: self.source.clone(),
            requires: REQUIRES.map(str::to_owned).to_vec(),
            packages: Vec::new(),
            settings: Vec::new(),
            env,
            uses: vec![cuda::REGISTRATION.key, torch::REGISTRATION.key],
            jobs: self.jobs,
        };
        let einops = WheelRequest {
            requirements: vec!["einops".to_owned()],
            packages: patterns(&["einops"]),
            ..WheelRequest::new(
                "einops",
                "of flash-attn",
                installer(REGISTRATION.key, context, span, problems)?,
                span,
            )
        };
        Some(Box::new(FlashAttn { sdist: sdist.resolve(context, problems)?, einops }))
    }
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

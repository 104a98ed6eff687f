//! `torch:` PyTorch with torchvision and torchaudio, from the wheel channel of an accelerator.

use super::wheels::{WheelRequest, installer, patterns};
use super::{Component, Declared, PythonHome, Registration, python};
use crate::catalog::{TorchRelease, torch_releases};
use crate::diagnostic::Problems;
use crate::plan::{Planner, Vendor};
use crate::resolve::Context;
use crate::spec::{At, Fields, Node, Scalar, Span, Value, Version, boolean, checked, text};
use crate::suggest::nearest;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "torch", decode };

/// The channel that is the package index itself, with the CUDA release that the index has.
const INDEX_CHANNEL: &str = "pypi";

/// What is installed in the component's group.
const PACKAGES: [&str; 5] = ["pytorch-triton*", "torch", "torchaudio", "torchvision", "triton"];

/// The group of NVIDIA's libraries. They are most of the bytes, and each stays as it is while its release does: every one is a
/// branch of its own.
const CUDA_GROUP: &str = "cuda";
const CUDA_PACKAGES: [&str; 14] = [
    "cuda-*",
    "nvidia-cublas*",
    "nvidia-cuda-*",
    "nvidia-cudnn*",
    "nvidia-cufft*",
    "nvidia-cufile*",
    "nvidia-curand*",
    "nvidia-cusolver*",
    "nvidia-cusparse*",
    "nvidia-nccl*",
    "nvidia-nvjitlink*",
    "nvidia-nvshmem*",
    "nvidia-nvtx*",
    "nvidia-nvvm*",
];

#[derive(Debug)]
struct TorchSpec {
    version: At<Version>,
    channel: At<String>,
    vision: bool,
    audio: bool,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if matches!(&node.value, Value::Scalar(Scalar { text, .. }) if text == "vendor") {
        return Some(Box::new(VendorSpec));
    }
    let mut fields = match &node.value {
        Value::Map(_) => Fields::open("`torch`", node, problems)?,
        _ => {
            let message = "`torch` is a mapping with `version` and `channel`";
            problems.error_with_help(
                node.span,
                message,
                "for example `torch: {version: 2.9.1, channel: cpu}`",
            );
            return None;
        }
    };
    let version = fields.require("version", "2.9.1", problems);
    let version = version.and_then(|n| checked("a version", n, problems, Version::parse));
    let channel = fields.require("channel", "cpu", problems);
    let channel = channel.and_then(|n| text("`channel`", n, problems));
    let mut switch = |key: &'static str, problems: &mut Problems| {
        fields.take(key).and_then(|n| boolean("a package", n, problems)).is_none_or(|on| on.value)
    };
    let (vision, audio) = (switch("vision", problems), switch("audio", problems));
    fields.finish(problems);
    Some(Box::new(TorchSpec { version: version?, channel: channel?, vision, audio }))
}

impl Declared for TorchSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn targets(&self) -> Vec<&'static str> {
        if self.channel.value == "cpu" { vec![REGISTRATION.key] } else { vec![CUDA_GROUP, REGISTRATION.key] }
    }

    /// The channel's name says it; that of the index itself is the release's usual one.
    fn cuda(&self, _: &Context<'_>) -> Option<u32> {
        match self.channel.value.strip_prefix("cu") {
            Some(digits) => digits.get(..2)?.parse().ok(),
            None if self.channel.value == INDEX_CHANNEL => {
                let minor: u32 = self.version.value.as_str().split('.').nth(1)?.parse().ok()?;
                // The public index has builds for CUDA 13 from torch 2.11 on. Source: the packages' metadata.
                Some(if minor >= 11 { 13 } else { 12 })
            }
            None => None,
        }
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems);
        let release = self.release(problems)?;
        check_python(&release, self.version.span, context, problems);
        self.check_channel(&release, problems);
        let mut requirements = vec![format!("torch=={}", release.torch)];
        if self.vision {
            requirements.push(format!("torchvision=={}", release.vision));
        }
        if self.audio {
            requirements.push(format!("torchaudio=={}", release.audio));
        }
        let channel = Some(self.channel.value.clone()).filter(|channel| channel != INDEX_CHANNEL);
        let torch = WheelRequest {
            requirements,
            packages: patterns(&PACKAGES),
            channel,
            ..WheelRequest::new(REGISTRATION.key, &release.torch, installer?, span)
        };
        let cuda = self.cuda(context).map(|major| WheelRequest {
            packages: patterns(&CUDA_PACKAGES),
            branches_from: Some(0),
            ..WheelRequest::new(CUDA_GROUP, &major.to_string(), torch.installer.clone(), span)
        });
        Some(Box::new(Torch { torch, cuda }))
    }
}

#[derive(Debug)]
struct Torch {
    torch: WheelRequest,
    cuda: Option<WheelRequest>,
}

impl Component for Torch {
    fn plan(&self, _: Span, planner: &mut Planner) {
        planner.request_wheels(self.torch.clone());
        self.cuda.iter().for_each(|cuda| planner.request_wheels(cuda.clone()));
    }
}

impl TorchSpec {
    /// The release of the spec, or the newest of the series that it names.
    fn release(&self, problems: &mut Problems) -> Option<TorchRelease> {
        let releases = torch_releases();
        let wanted = self.version.value.as_str();
        let series = format!("{wanted}.");
        let found = releases.iter().rev().find(|r| r.torch == wanted || r.torch.starts_with(&series));
        if found.is_none() {
            let known: Vec<_> = releases.iter().map(|release| release.torch.as_str()).collect();
            problems.error_with_help(
                self.version.span,
                format!("the catalog does not know torch {wanted}"),
                format!("it knows {}", known.join(", ")),
            );
        }
        found.cloned()
    }

    fn check_channel(&self, release: &TorchRelease, problems: &mut Problems) {
        let channel = self.channel.value.as_str();
        let mut channels: Vec<&str> = release.channels.iter().map(String::as_str).collect();
        channels.push(INDEX_CHANNEL);
        if channels.contains(&channel) {
            return;
        }
        // Another release may have the channel; then that is what helps.
        let elsewhere: Vec<_> = torch_releases()
            .into_iter()
            .filter(|release| release.channels.iter().any(|have| have == channel))
            .map(|release| release.torch)
            .collect();
        let help = match (elsewhere.as_slice(), nearest(channel, channels.iter().copied())) {
            ([_, ..], _) => {
                format!("it has {}; `{channel}` exists for {}", channels.join(", "), elsewhere.join(", "))
            }
            ([], Some(near)) => format!("did you mean `{near}`?"),
            ([], None) => format!("it has {}", channels.join(", ")),
        };
        let message = format!("torch {} has no channel `{}`", release.torch, channel.escape_debug());
        problems.error_with_help(self.channel.span, message, help);
    }
}

/// Reports a Python that the release has no wheels for.
fn check_python(release: &TorchRelease, span: Span, context: &Context<'_>, problems: &mut Problems) {
    let Some(series) = context.version(python::REGISTRATION.key).and_then(python::series) else { return };
    let fits = |release: &TorchRelease| (release.python.0..=release.python.1).contains(&series);
    if fits(release) {
        return;
    }
    let (oldest, newest) = release.python;
    let others: Vec<_> = torch_releases().iter().filter(|r| fits(r)).map(|r| r.torch.clone()).collect();
    let help = match others.as_slice() {
        [] => format!("take a Python from 3.{oldest} to 3.{newest}"),
        others => format!("take a Python from 3.{oldest} to 3.{newest}, or torch {}", others.join(", ")),
    };
    let message = format!("torch {} has no wheels for Python 3.{series}", release.torch);
    problems.error_with_help(span, message, help);
}

/// `torch: vendor`: the base image has it, in the Python of the spec.
#[derive(Debug)]
struct VendorSpec;

/// The file of torch that has its release, and that of CUDA it was built for.
fn witness(python: &PythonHome) -> String {
    format!("{}/lib/python3.{}/site-packages/torch/version.py", python.prefix, python.series)
}

/// The value of a line `name = 'value'`, with or without a type.
fn assigned<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let line = text
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with([':', '='])))?;
    line.split_once('=')?.1.trim().strip_prefix('\'')?.strip_suffix('\'')
}

impl VendorSpec {
    fn text<'c>(context: &'c Context<'_>) -> Option<&'c str> {
        context.base_file(&witness(&context.python_home()?))
    }
}

impl Declared for VendorSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn targets(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn cuda(&self, context: &Context<'_>) -> Option<u32> {
        assigned(Self::text(context)?, "cuda")?.split('.').next()?.parse().ok()
    }

    fn inspects(&self, python: Option<&PythonHome>) -> Vec<String> {
        python.map(witness).into_iter().collect()
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let version = Self::text(context).and_then(|text| assigned(text, "__version__"));
        let Some(version) = version else {
            let place = match context.python_home() {
                Some(python) => witness(&python),
                None => "the Python of the spec, which has none".to_owned(),
            };
            problems.error_with_help(
                span,
                format!("the base image has no torch: {place} is not there"),
                "name the base image's Python with `python: {version: …, vendor: …}`, or a release of torch",
            );
            return None;
        };
        Some(Box::new(VendorTorch { version: version.to_owned() }))
    }
}

#[derive(Debug)]
struct VendorTorch {
    version: String,
}

impl Component for VendorTorch {
    fn plan(&self, _: Span, planner: &mut Planner) {
        // None of what came with it is installed a second time.
        let names = ["torch", "torchaudio", "torchvision", "triton"].into_iter();
        let packages = names.chain(NVIDIA_PACKAGES).map(str::to_owned).collect();
        planner.keep(Vendor { name: REGISTRATION.key, version: self.version.clone(), packages });
    }
}

/// What torch's wheels ask for on amd64, for CUDA 12 and 13. Source: their metadata.
const NVIDIA_PACKAGES: [&str; 28] = [
    "nvidia-cublas",
    "nvidia-cublas-cu12",
    "nvidia-cuda-cupti",
    "nvidia-cuda-cupti-cu12",
    "nvidia-cuda-nvrtc",
    "nvidia-cuda-nvrtc-cu12",
    "nvidia-cuda-runtime",
    "nvidia-cuda-runtime-cu12",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "nvidia-cufft",
    "nvidia-cufft-cu12",
    "nvidia-cufile",
    "nvidia-cufile-cu12",
    "nvidia-curand",
    "nvidia-curand-cu12",
    "nvidia-cusolver",
    "nvidia-cusolver-cu12",
    "nvidia-cusparse",
    "nvidia-cusparse-cu12",
    "nvidia-cusparselt-cu12",
    "nvidia-cusparselt-cu13",
    "nvidia-nccl-cu12",
    "nvidia-nccl-cu13",
    "nvidia-nvjitlink",
    "nvidia-nvjitlink-cu12",
    "nvidia-nvtx",
    "nvidia-nvtx-cu12",
];

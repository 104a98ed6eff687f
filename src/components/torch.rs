//! `torch:` PyTorch with torchvision and torchaudio, from the wheel channel of an accelerator.

use super::vendor::Kept;
use super::wheels::{Parting, WheelRequest, installer, patterns};
use super::{
    Alternative, Component, CudaRelease, Declared, PythonHome, Registration, cuda, is_vendor, python,
};
use crate::catalog::{TorchRelease, channel_cuda, compare};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::{Planner, Vendor};
use crate::resolve::{BaseFacts, Context};
use crate::spec::{At, Fields, Node, Span, Value, Version, Wish, boolean, checked_version, text};
use crate::suggest::nearest;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "torch", decode };

/// The channel that is the package index itself, with the CUDA release that the index has.
const INDEX_CHANNEL: &str = "pypi";

/// What is installed in the component's group.
const PACKAGES: [&str; 5] = ["pytorch-triton*", "torch", "torchaudio", "torchvision", "triton"];

/// The group of NVIDIA's libraries. They are most of the bytes, and each stays as it is while its release does: every one
/// is a branch of its own.
pub(super) const CUDA_GROUP: &str = "cuda";
pub(super) const CUDA_PACKAGES: [&str; 14] = [
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

/// The channel of the newest CUDA release that `target` can run, or of none where `target` has no GPUs.
const AUTO_CHANNEL: &str = "auto";

#[derive(Clone, Debug)]
struct TorchSpec {
    version: At<Wish>,
    channel: At<String>,
    vision: bool,
    audio: bool,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if is_vendor(node) {
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
    let version = version.and_then(|n| checked_version(n, problems, Wish::parse));
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

    fn keep(&mut self, lock: &PlatformLock) {
        lock.keep(REGISTRATION.key, &mut self.version, &["torch"]);
    }

    fn targets(&self) -> Vec<&'static str> {
        if self.channel.value == "cpu" { vec![REGISTRATION.key] } else { vec![CUDA_GROUP, REGISTRATION.key] }
    }

    fn cuda(&self, context: &Context<'_>) -> Option<CudaRelease> {
        let (release, channel) = self.choose(context)?;
        CudaRelease::of_channel(&wheels_channel(&release, &channel, context.facts)?)
    }

    fn torch(&self, context: &Context<'_>) -> Option<String> {
        Some(self.choose(context)?.0.torch)
    }

    fn brings(&self, context: &Context<'_>) -> Vec<(String, At<String>)> {
        let Some((release, _)) = self.choose(context) else { return Vec::new() };
        let packages = self.packages(&release).into_iter();
        let at = |version: &str| At::new(version.to_owned(), self.version.span);
        packages.map(|(package, version)| (package.to_owned(), at(version))).collect()
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        Some((self.version.clone(), self.choose(context)?.0.torch))
    }

    /// Another channel of the release, another release of the channel, then another of both.
    fn alternatives(&self, context: &Context<'_>) -> Vec<Alternative> {
        let Some((chosen, channel)) = self.choose(context) else { return Vec::new() };
        let with = |version: Option<&str>, channel: Option<&str>| {
            let mut declared = self.clone();
            let mut change = Vec::new();
            let alone = version.filter(|_| channel.is_none()).map(str::to_owned);
            if let Some(version) = version.and_then(|version| Version::parse(version).ok()) {
                change.push(format!("`torch.version: {version}`"));
                declared.version.value = Wish::Prefix(version);
            }
            if let Some(channel) = channel {
                change.push(format!("`torch.channel: {channel}`"));
                declared.channel.value = channel.to_owned();
            }
            Alternative { change: change.join(" with "), version: alone, declared: Box::new(declared) }
        };
        let mut others: Vec<_> = context.catalog.torch.iter().filter(|r| r.torch != chosen.torch).collect();
        others.reverse();
        // The nearest newer ones first, then the older ones.
        others.sort_by_key(|other| compare(&other.torch, &chosen.torch).is_lt());
        let same = chosen.channels.iter().rev().filter(|other| **other != channel);
        let mut all: Vec<_> = same.map(|channel| (None, Some(channel.as_str()))).collect();
        all.extend(others.iter().map(|other| (Some(other.torch.as_str()), None)));
        for other in &others {
            let channels = other.channels.iter().rev();
            all.extend(channels.map(|channel| (Some(other.torch.as_str()), Some(channel.as_str()))));
        }
        // Nodes with GPUs are not there to compute without them.
        all.sort_by_key(|(_, channel)| context.fleet.has_gpus() && *channel == Some("cpu"));
        all.into_iter().map(|(version, channel)| with(version, channel)).collect()
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems);
        let (release, channel) = self.chosen(context, problems)?;
        check_python(&release, self.version.span, context, problems);
        self.check_channel(&release, &channel, context, problems);
        for reason in refusals(&release, &channel, context) {
            problems.error(self.channel.span, reason);
        }
        if let Some(unknown) = unknown_gpus(&release, &channel, context) {
            problems.warning(self.channel.span, unknown, "try it on such a node before it matters");
        }
        let requirements = self.packages(&release).into_iter();
        let requirements = requirements.map(|(package, version)| format!("{package}=={version}")).collect();
        let channel = Some(channel).filter(|channel| channel != INDEX_CHANNEL);
        let torch = WheelRequest {
            requirements,
            packages: patterns(&PACKAGES),
            channel,
            parting: Some(Parting::LARGE),
            ..WheelRequest::new(REGISTRATION.key, &release.torch, installer?, span)
        };
        let cuda = self.cuda(context).map(|release| WheelRequest {
            packages: patterns(&CUDA_PACKAGES),
            parting: Some(Parting::EACH),
            ..WheelRequest::new(CUDA_GROUP, &release.to_string(), torch.installer.clone(), span)
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
    /// The packages that are asked for, and their versions.
    fn packages<'r>(&self, release: &'r TorchRelease) -> Vec<(&'static str, &'r str)> {
        let all = [
            ("torch", &release.torch, true),
            ("torchvision", &release.vision, self.vision),
            ("torchaudio", &release.audio, self.audio),
        ];
        let wanted = all.into_iter().filter(|(_, _, is_wanted)| *is_wanted);
        wanted.map(|(package, version, _)| (package, version.as_str())).collect()
    }

    /// The newest release that the spec admits, with its channel. Where something is left open, those that fit the rest of
    /// the spec come before those that do not.
    fn choose(&self, context: &Context<'_>) -> Option<(TorchRelease, String)> {
        let mut admitted: Vec<_> = context
            .catalog
            .torch
            .iter()
            .filter(|release| self.version.value.admits(&release.torch))
            .collect();
        admitted.reverse();
        let pairs: Vec<_> = admitted
            .iter()
            .flat_map(|release| {
                self.channels(release, context).into_iter().map(move |channel| (*release, channel))
            })
            .collect();
        let fits = |(release, channel): &&(&TorchRelease, String)| {
            has_wheels(release, context)
                && has_channel(release, channel)
                && refusals(release, channel, context).is_empty()
        };
        let (release, channel) = pairs.iter().find(fits).or(pairs.first())?;
        Some(((*release).clone(), channel.clone()))
    }

    /// The channels of a release that the spec admits.
    fn channels(&self, release: &TorchRelease, context: &Context<'_>) -> Vec<String> {
        if self.channel.value != AUTO_CHANNEL {
            return vec![self.channel.value.clone()];
        }
        if !context.fleet.has_gpus() {
            return vec!["cpu".to_owned()];
        }
        release.channels.iter().rev().filter(|channel| *channel != "cpu").cloned().collect()
    }

    fn chosen(&self, context: &Context<'_>, problems: &mut Problems) -> Option<(TorchRelease, String)> {
        let chosen = self.choose(context);
        if chosen.is_none() {
            let known: Vec<_> = context.catalog.torch.iter().map(|release| release.torch.as_str()).collect();
            problems.error_with_help(
                self.version.span,
                format!("the catalog does not know torch {}", self.version),
                format!("it knows {}", known.join(", ")),
            );
        }
        chosen
    }

    fn check_channel(
        &self,
        release: &TorchRelease,
        channel: &str,
        context: &Context<'_>,
        problems: &mut Problems,
    ) {
        if has_channel(release, channel) {
            return;
        }
        let mut channels: Vec<&str> = release.channels.iter().map(String::as_str).collect();
        channels.push(INDEX_CHANNEL);
        // Another release may have the channel; then that is what helps.
        let has = |release: &&TorchRelease| release.channels.iter().any(|have| have == channel);
        let elsewhere: Vec<_> = context.catalog.torch.iter().filter(has).map(|r| r.torch.as_str()).collect();
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

/// Why what loads a major release of cuDNN does not fit the torch in the image, if it is known to bring another one.
pub(super) fn other_cudnn(what: &str, needs: Option<u32>, context: &Context<'_>) -> Option<String> {
    context.cuda_of(REGISTRATION.key)?;
    let torch = context.torch()?;
    let has = context.catalog.torch.iter().find(|row| row.torch == torch)?.cudnn?;
    let needs = needs.filter(|needs| *needs != has)?;
    Some(format!("{what} loads cuDNN {needs}, and torch {torch} brings cuDNN {has}"))
}

/// Whether a release has a channel.
fn has_channel(release: &TorchRelease, channel: &str) -> bool {
    channel == INDEX_CHANNEL || release.channels.iter().any(|have| have == channel)
}

/// Whether a release has wheels for the Python of the spec, as far as that is known.
fn has_wheels(release: &TorchRelease, context: &Context<'_>) -> bool {
    let series = context.version(python::REGISTRATION.key).and_then(python::series);
    series.is_none_or(|series| (release.python.0..=release.python.1).contains(&series))
}

/// The channel whose wheels are taken; `None` where nobody knows what the index has.
fn wheels_channel(release: &TorchRelease, channel: &str, facts: &BaseFacts) -> Option<String> {
    match (channel, facts.architecture.as_str()) {
        (INDEX_CHANNEL, "arm64") => release.pypi_arm64.clone(),
        (INDEX_CHANNEL, _) => release.pypi.clone(),
        _ => Some(channel.to_owned()),
    }
}

/// Why the nodes cannot run the wheels of a channel.
fn refusals(release: &TorchRelease, channel: &str, context: &Context<'_>) -> Vec<String> {
    let Some(wheels) = wheels_channel(release, channel, context.facts) else { return Vec::new() };
    let Some(cuda) = channel_cuda(&wheels) else { return Vec::new() };
    let mut reasons = match context.catalog.cuda_release(&cuda) {
        Some(cuda) => context.fleet.refuse_cuda(cuda),
        None => Vec::new(),
    };
    let torch = &release.torch;
    if let Some(board) = &context.fleet.board
        && !board.value.cuda.as_deref().is_some_and(|cuda| compare(cuda, "13.0").is_ge())
    {
        reasons.push(format!(
            "the published wheels of torch do not run on L4T {} ({}), only from JetPack 7 on",
            board.value.l4t,
            board.span.line()
        ));
    }
    let architecture = &context.facts.architecture;
    let Some(row) = context.catalog.torch_gpus(torch, &wheels, architecture) else { return reasons };
    for gpu in &context.fleet.gpus {
        let (name, capability) = &gpu.value;
        if row.run_on(*capability) == Some(false) {
            let have: Vec<_> = row.gpus.iter().flatten().map(ToString::to_string).collect();
            reasons.push(format!(
                "torch {torch} of the channel {channel} has no code for compute capability {capability} (`{name}`, {}), \
                 only for {}",
                gpu.span.line(),
                have.join(", ")
            ));
        }
    }
    reasons
}

/// GPUs of which nobody knows whether the wheels have code for them.
fn unknown_gpus(release: &TorchRelease, channel: &str, context: &Context<'_>) -> Option<String> {
    let wheels = wheels_channel(release, channel, context.facts)?;
    channel_cuda(&wheels)?;
    let row = context.catalog.torch_gpus(&release.torch, &wheels, &context.facts.architecture);
    let unknown =
        context.fleet.gpus.iter().filter(|gpu| row.and_then(|row| row.run_on(gpu.value.1)).is_none());
    let names: Vec<_> = unknown.map(|gpu| gpu.value.0.as_str()).collect();
    let message = format!(
        "nobody has established whether torch {} of the channel {channel} has code for {}",
        release.torch,
        names.join(", ")
    );
    (!names.is_empty()).then_some(message)
}

/// Reports a Python that the release has no wheels for.
fn check_python(release: &TorchRelease, span: Span, context: &Context<'_>, problems: &mut Problems) {
    let Some(series) = context.version(python::REGISTRATION.key).and_then(python::series) else { return };
    if has_wheels(release, context) {
        return;
    }
    let (oldest, newest) = release.python;
    let fits = context.catalog.torch.iter().filter(|release| has_wheels(release, context));
    let others: Vec<_> = fits.map(|release| release.torch.as_str()).collect();
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
    format!("{}/torch/version.py", python.site())
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

    fn cuda(&self, context: &Context<'_>) -> Option<CudaRelease> {
        CudaRelease::parse(assigned(Self::text(context)?, "cuda")?)
    }

    fn torch(&self, context: &Context<'_>) -> Option<String> {
        let version = assigned(Self::text(context)?, "__version__")?;
        Some(version.split('+').next().unwrap_or(version).to_owned())
    }

    fn is_vendor(&self) -> bool {
        true
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
        // The toolkit of the base image, if the spec names it, tells its release itself.
        let text = Self::text(context).filter(|_| !context.has_vendor(cuda::REGISTRATION.key));
        let cuda = text.and_then(|text| assigned(text, "cuda"));
        let cuda = cuda.map(|cuda| Vendor::new(CUDA_GROUP, cuda.to_owned()));
        // None of what came with it is installed a second time.
        let names = ["torch", "torchaudio", "torchvision", "triton"].into_iter();
        let packages = names.chain(NVIDIA_PACKAGES).map(str::to_owned).collect();
        let torch = Vendor { packages, ..Vendor::new(REGISTRATION.key, version.to_owned()) };
        Some(Box::new(Kept([torch].into_iter().chain(cuda).collect())))
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

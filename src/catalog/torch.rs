//! Which releases of torch there are, what goes with each, and which GPUs its wheels have code for.

use super::numbers::{Capability, numbers};
use super::rows::{Cells, Part, Row, capabilities, or_unknown, release, series, version, word};

/// A release of torch.
#[derive(Clone, Debug)]
pub struct TorchRelease {
    /// The release.
    pub torch: String,
    /// The oldest and the newest series of Python 3 with wheels: `(10, 14)`.
    pub python: (u32, u32),
    /// The wheel channels besides `pypi`.
    pub channels: Vec<String>,
    /// The channel that the wheels on the public index are the same as, where it is known.
    pub pypi: Option<String>,
    /// The same of the wheels for arm64.
    pub pypi_arm64: Option<String>,
    /// The major release of cuDNN that its wheels with CUDA load, where it is known.
    pub cudnn: Option<u32>,
    /// The release of torchvision built against it.
    pub vision: String,
    /// The release of torchaudio that goes with it.
    pub audio: String,
    /// Where this is known from.
    pub source: String,
}

impl Row for TorchRelease {
    const SUBJECT: &'static str = "torch";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let torch = cells.read("torch", release);
        let python = cells.range("python", series);
        let channels = cells.words("channels");
        let channel = |word: &str| Some(word.to_owned());
        let pypi = cells.known("pypi", channel);
        let pypi_arm64 = cells.optional("pypi_arm64", |word| or_unknown(word, channel));
        let cudnn = cells.optional("cudnn", |word| or_unknown(word, |word| word.parse().ok()));
        let (vision, audio) = (cells.read("vision", release), cells.read("audio", release));
        let source = cells.source();
        let (oldest, newest) = python?;
        Some(Self {
            torch: torch?,
            python: (oldest?, newest?),
            channels: channels?,
            pypi: pypi?,
            pypi_arm64: pypi_arm64?,
            cudnn: cudnn?,
            vision: vision?,
            audio: audio?,
            source: source?,
        })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.torch)]
    }
}

/// The compute capabilities compiled into the wheels of some releases.
#[derive(Clone, Debug)]
pub struct TorchGpus {
    /// The first and the last series of torch.
    pub torch: (String, String),
    /// The wheel channels.
    pub channels: Vec<String>,
    /// The processor architecture.
    pub architecture: String,
    /// Capabilities with machine code, where they are known.
    pub gpus: Option<Vec<Capability>>,
    /// The capability of the intermediate code, where there is some.
    pub ptx: Option<Capability>,
    /// Where this is known from.
    pub source: String,
}

impl Row for TorchGpus {
    const SUBJECT: &'static str = "torch_gpus";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let torch = cells.range("torch", release);
        let (channels, architecture) = (cells.words("channels"), cells.word("architecture"));
        let gpus = cells.known("gpus", capabilities);
        let ptx = cells
            .known("ptx", |word| if word == "-" { Some(None) } else { Capability::parse(word).map(Some) });
        let source = cells.source();
        let (first, last) = torch?;
        Some(Self {
            torch: (first?, last?),
            channels: channels?,
            architecture: architecture?,
            gpus: gpus?,
            ptx: ptx?.flatten(),
            source: source?,
        })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.torch.0), word(&self.architecture), word(&self.channels.join(" "))]
    }
}

impl TorchGpus {
    /// Whether the row is about the wheels of a release.
    pub(super) fn is_about(&self, torch: &str, channel: &str, architecture: &str) -> bool {
        let series: Vec<_> = numbers(torch).into_iter().take(2).collect();
        let (first, last) = (numbers(&self.torch.0), numbers(&self.torch.1));
        self.architecture == architecture
            && first <= series
            && series <= last
            && self.channels.iter().any(|have| have == channel)
    }

    /// Whether the wheels have code for a GPU; `None` where nobody knows.
    pub fn run_on(&self, gpu: Capability) -> Option<bool> {
        let gpus = self.gpus.as_ref()?;
        Some(gpus.iter().any(|have| have.runs_on(gpu)) || self.ptx.is_some_and(|ptx| ptx <= gpu))
    }
}

/// The CUDA release that a channel's name says: `12.8` for `cu128`.
pub fn channel_cuda(channel: &str) -> Option<String> {
    let (major, minor) = channel.strip_prefix("cu")?.split_at_checked(2)?;
    let numeric = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    (numeric(major) && numeric(minor)).then(|| format!("{major}.{minor}"))
}

//! What nodes are made of: CUDA and drivers, GPUs, Jetson's releases, distributions, Python's series, video coding.

use super::numbers::{Capability, Gpus};
use super::rows::{Cells, Part, Row, capabilities, release, series, version, word};

/// A release of CUDA.
#[derive(Clone, Debug)]
pub struct CudaRelease {
    /// The release, such as `12.8`.
    pub cuda: String,
    /// The oldest driver that runs anything of the same major release.
    pub floor: String,
    /// The driver that came with it, where that is known.
    pub driver: Option<String>,
    /// The compute capabilities that it compiles for.
    pub gpus: Gpus,
    /// Where this is known from.
    pub source: String,
}

impl Row for CudaRelease {
    const SUBJECT: &'static str = "cuda";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let (cuda, floor) = (cells.read("cuda", release), cells.read("floor", release));
        let driver = cells.known("driver", release);
        let gpus = cells.gpus();
        let source = cells.source();
        Some(Self { cuda: cuda?, floor: floor?, driver: driver?, gpus: gpus?, source: source? })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.cuda)]
    }
}

/// A GPU by the name of the product.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// The product, or the family of products.
    pub gpu: String,
    /// Its compute capability.
    pub capability: Capability,
    /// Where this is known from.
    pub source: String,
}

impl Row for Gpu {
    const SUBJECT: &'static str = "gpus";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let (gpu, capability) = (cells.word("gpu"), cells.read("capability", Capability::parse));
        let source = cells.source();
        Some(Self { gpu: gpu?, capability: capability?, source: source? })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.capability.to_string()), word(&self.gpu)]
    }
}

impl Gpu {
    /// Whether a name that a spec uses is that of the product: `RTX 4090` is one of `RTX 40`.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let (family, name) = (self.gpu.to_ascii_lowercase(), name.to_ascii_lowercase());
        let of_family = |rest: &str| {
            let mut chars = rest.chars();
            chars.by_ref().take(2).filter(char::is_ascii_digit).count() == 2
                && chars.next().is_none_or(|next| next == ' ')
        };
        let is_family = family.contains("tx ") && family.ends_with(|c: char| c.is_ascii_digit());
        name == family || is_family && name.strip_prefix(&family).is_some_and(of_family)
    }
}

/// A release of Jetson's Linux for Tegra.
#[derive(Clone, Debug)]
pub struct JetPackRelease {
    /// The release of L4T, such as `36.4.0`.
    pub l4t: String,
    /// The JetPack that it is part of.
    pub jetpack: String,
    /// The release of Ubuntu.
    pub ubuntu: String,
    /// The series of the distribution's Python 3.
    pub python: u32,
    /// The release of CUDA, where it is known.
    pub cuda: Option<String>,
    /// The release of cuDNN, where it is known.
    pub cudnn: Option<String>,
    /// The release of TensorRT, where it is known.
    pub tensorrt: Option<String>,
    /// The compute capabilities of the boards.
    pub gpus: Vec<Capability>,
    /// Where this is known from.
    pub source: String,
}

impl Row for JetPackRelease {
    const SUBJECT: &'static str = "jetpack";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let [l4t, jetpack, ubuntu] = ["l4t", "jetpack", "ubuntu"].map(|key| cells.read(key, release));
        let python = cells.read("python", series);
        let [cuda, cudnn, tensorrt] = ["cuda", "cudnn", "tensorrt"].map(|key| cells.known(key, release));
        let gpus = cells.read("gpus", capabilities);
        let source = cells.source();
        Some(Self {
            l4t: l4t?,
            jetpack: jetpack?,
            ubuntu: ubuntu?,
            python: python?,
            cuda: cuda?,
            cudnn: cudnn?,
            tensorrt: tensorrt?,
            gpus: gpus?,
            source: source?,
        })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.l4t)]
    }
}

/// A release of a distribution.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// `ID` and `VERSION_ID` of `os-release`, such as `debian 13`.
    pub distribution: String,
    /// The series of its Python 3.
    pub python: u32,
    /// Its C library, where it is known.
    pub glibc: Option<String>,
    /// The day on which the support that costs nothing ends.
    pub end: String,
    /// Where this is known from.
    pub source: String,
}

impl Row for Distribution {
    const SUBJECT: &'static str = "distributions";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let (distribution, python) = (cells.word("distribution"), cells.read("python", series));
        let (glibc, end, source) =
            (cells.known("glibc", release), cells.read("end", release), cells.source());
        Some(Self { distribution: distribution?, python: python?, glibc: glibc?, end: end?, source: source? })
    }

    fn key(&self) -> Vec<Part> {
        let (name, number) = self.distribution.split_once(' ').unwrap_or((&self.distribution, ""));
        vec![word(name), version(number)]
    }
}

/// A series of Python 3.
#[derive(Clone, Debug)]
pub struct PythonSeries {
    /// The second number.
    pub python: u32,
    /// The month in which its support ends.
    pub end: String,
    /// Where this is known from.
    pub source: String,
}

impl Row for PythonSeries {
    const SUBJECT: &'static str = "pythons";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let (python, end, source) =
            (cells.read("python", series), cells.read("end", release), cells.source());
        Some(Self { python: python?, end: end?, source: source? })
    }

    fn key(&self) -> Vec<Part> {
        vec![Part::Numbers(vec![self.python])]
    }
}

/// A release of NVIDIA's headers for video coding.
#[derive(Clone, Debug)]
pub struct NvencHeaders {
    /// The release.
    pub nvenc: String,
    /// The oldest driver.
    pub driver: String,
    /// The oldest FFmpeg that can be built with them, where that is known.
    pub ffmpeg: Option<String>,
    /// Where this is known from.
    pub source: String,
}

impl Row for NvencHeaders {
    const SUBJECT: &'static str = "nvenc";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let (nvenc, driver) = (cells.read("nvenc", release), cells.read("driver", release));
        let (ffmpeg, source) = (cells.known("ffmpeg", release), cells.source());
        Some(Self { nvenc: nvenc?, driver: driver?, ffmpeg: ffmpeg?, source: source? })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.nvenc)]
    }
}

//! What releases of Python packages need: ONNX Runtime in its flavours, OpenVINO, transformers, numpy.

use super::rows::{Cells, Part, Row, release, series, version, word};

/// Releases of a Python package that are alike, from a first to a last one.
pub trait Ranged {
    /// The first and the last release.
    fn versions(&self) -> &(String, String);
}

impl Ranged for OnnxRuntimeReleases {
    fn versions(&self) -> &(String, String) {
        &self.versions
    }
}

impl Ranged for OpenVinoReleases {
    fn versions(&self) -> &(String, String) {
        &self.versions
    }
}

impl Ranged for TransformersReleases {
    fn versions(&self) -> &(String, String) {
        &self.versions
    }
}

/// Releases of one of ONNX Runtime's packages.
#[derive(Clone, Debug)]
pub struct OnnxRuntimeReleases {
    /// The package, such as `onnxruntime-gpu`.
    pub package: String,
    /// The first and the last release.
    pub versions: (String, String),
    /// The oldest and the newest series of Python 3 with wheels, where they are known.
    pub python: (Option<u32>, Option<u32>),
    /// The major release of CUDA that it loads.
    pub cuda: Option<u32>,
    /// The major release of cuDNN that it loads.
    pub cudnn: Option<u32>,
    /// The release of OpenVINO inside, where there is one and it is known.
    pub openvino: Option<String>,
    /// The processor architectures with wheels.
    pub architectures: Vec<String>,
    /// Where this is known from.
    pub source: String,
}

impl Row for OnnxRuntimeReleases {
    const SUBJECT: &'static str = "onnxruntime";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let package = cells.word("package");
        let versions = cells.range("versions", release);
        let python = cells.range("python", series);
        let major = |word: &str| word.parse().ok();
        let (cuda, cudnn) = (cells.present("cuda", major), cells.present("cudnn", major));
        let openvino = cells.word("openvino");
        let architectures = cells.words("architectures");
        let source = cells.source();
        let (first, last) = versions?;
        Some(Self {
            package: package?,
            versions: (first?, last?),
            python: python?,
            cuda: cuda?,
            cudnn: cudnn?,
            openvino: release(&openvino?),
            architectures: architectures?,
            source: source?,
        })
    }

    fn key(&self) -> Vec<Part> {
        vec![word(&self.package), version(&self.versions.0)]
    }
}

/// Releases of OpenVINO.
#[derive(Clone, Debug)]
pub struct OpenVinoReleases {
    /// The first and the last release.
    pub versions: (String, String),
    /// The oldest and the newest series of Python 3 with wheels on amd64, where they are known.
    pub python: (Option<u32>, Option<u32>),
    /// The same on arm64.
    pub python_arm64: (Option<u32>, Option<u32>),
    /// Where this is known from.
    pub source: String,
}

impl Row for OpenVinoReleases {
    const SUBJECT: &'static str = "openvino";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let versions = cells.range("versions", release);
        let (python, python_arm64) = (cells.range("python", series), cells.range("python_arm64", series));
        let source = cells.source();
        let (first, last) = versions?;
        Some(Self {
            versions: (first?, last?),
            python: python?,
            python_arm64: python_arm64?,
            source: source?,
        })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.versions.0)]
    }
}

/// Releases of transformers.
#[derive(Clone, Debug)]
pub struct TransformersReleases {
    /// The first and the last release.
    pub versions: (String, String),
    /// The oldest series of Python 3.
    pub oldest_python: u32,
    /// The oldest torch that it works with, where that is known.
    pub oldest_torch: Option<String>,
    /// Where this is known from.
    pub source: String,
}

impl Row for TransformersReleases {
    const SUBJECT: &'static str = "transformers";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let versions = cells.range("versions", release);
        let oldest_python = cells.read("python", series);
        let torch = cells.word("torch");
        let source = cells.source();
        let (first, last) = versions?;
        Some(Self {
            versions: (first?, last?),
            oldest_python: oldest_python?,
            oldest_torch: release(&torch?),
            source: source?,
        })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.versions.0)]
    }
}

/// The processors that numpy's wheels for amd64 ask for.
#[derive(Clone, Debug)]
pub struct NumpyBaseline {
    /// The first release that asks for it.
    pub numpy: String,
    /// The level of processors: `x86-64-v2`.
    pub cpu: String,
    /// Where this is known from.
    pub source: String,
}

impl Row for NumpyBaseline {
    const SUBJECT: &'static str = "numpy";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let (numpy, cpu, source) = (cells.read("numpy", release), cells.word("cpu"), cells.source());
        Some(Self { numpy: numpy?, cpu: cpu?, source: source? })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.numpy)]
    }
}

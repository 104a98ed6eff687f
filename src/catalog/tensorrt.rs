//! Which releases of TensorRT there are, and what each needs.

use super::numbers::Gpus;
use super::rows::{Cells, Part, Row, release, series, version};

/// A release of TensorRT.
#[derive(Clone, Debug)]
pub struct TensorRtRelease {
    /// The release.
    pub tensorrt: String,
    /// The major releases of CUDA that it is built for.
    pub cuda: Vec<u32>,
    /// The newest series of Python 3 with bindings.
    pub newest_python: u32,
    /// The compute capabilities that it runs on.
    pub gpus: Gpus,
    /// Where this is known from.
    pub source: String,
}

impl Row for TensorRtRelease {
    const SUBJECT: &'static str = "tensorrt";

    fn decode(cells: &mut Cells<'_, '_>) -> Option<Self> {
        let tensorrt = cells.read("tensorrt", release);
        let cuda = cells.read("cuda", |cell| cell.split(' ').map(|major| major.parse().ok()).collect());
        let python = cells.range("python", series);
        let gpus = cells.gpus();
        let source = cells.source();
        Some(Self {
            tensorrt: tensorrt?,
            cuda: cuda?,
            newest_python: python?.1?,
            gpus: gpus?,
            source: source?,
        })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.tensorrt)]
    }
}

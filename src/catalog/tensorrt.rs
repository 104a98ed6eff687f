//! Which releases of TensorRT there are, and what each needs.

use super::numbers::Gpus;
use super::rows::{Cells, Part, Row, release, series, version};

/// A release of TensorRT.
#[derive(Clone, Debug)]
pub struct TensorRtRelease {
    /// The release.
    pub tensorrt: String,
    /// What the indexes of wheels call it.
    pub wheels: String,
    /// Whether the names of its wheels do not tell what CUDA they are for.
    pub plain_names: bool,
    /// The major release of cuDNN that it loads, where it loads one.
    pub cudnn: Option<u32>,
    /// The major releases of CUDA that it is built for.
    pub cuda: Vec<u32>,
    /// Those of them that it has bindings for arm64 for, where the row says so.
    pub arm64: Option<Vec<u32>>,
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
        let wheels = cells.optional("wheels", |cell| release(cell).map(Some));
        let names = cells.optional("names", |cell| (cell == "plain").then_some(true));
        let cudnn = cells.optional("cudnn", |cell| cell.parse().ok().map(Some));
        let cuda = cells.read("cuda", majors);
        let arm64 =
            cells.optional("arm64", |cell| Some(Some(if cell == "-" { Vec::new() } else { majors(cell)? })));
        let python = cells.range("python", series);
        let gpus = cells.gpus();
        let source = cells.source();
        Some(Self {
            wheels: wheels?.or_else(|| tensorrt.clone())?,
            tensorrt: tensorrt?,
            plain_names: names?,
            cudnn: cudnn?,
            cuda: cuda?,
            arm64: arm64?,
            newest_python: python?.1?,
            gpus: gpus?,
            source: source?,
        })
    }

    fn key(&self) -> Vec<Part> {
        vec![version(&self.tensorrt)]
    }
}

/// Major releases with spaces between them.
fn majors(cell: &str) -> Option<Vec<u32>> {
    cell.split(' ').map(|major| major.parse().ok()).collect()
}

impl TensorRtRelease {
    /// What the wheel of a part (`bindings`, `libs`) for a major release of CUDA is called.
    pub fn package(&self, cuda: u32, part: &str) -> String {
        if self.plain_names { format!("tensorrt-{part}") } else { format!("tensorrt-cu{cuda}-{part}") }
    }

    /// The major releases of CUDA that it can be installed for on an architecture.
    pub fn cuda_on(&self, architecture: &str) -> &[u32] {
        match &self.arm64 {
            Some(arm64) if architecture == "arm64" => arm64,
            _ => &self.cuda,
        }
    }
}

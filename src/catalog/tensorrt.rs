//! Which releases of TensorRT there are, and what each needs.

use super::{field, rows};
use crate::spec::Node;

const TENSORRT: &str = include_str!("tensorrt.yaml");

/// A release of TensorRT.
#[derive(Clone, Debug)]
pub struct TensorRtRelease {
    /// The release.
    pub tensorrt: String,
    /// The major releases of CUDA that it is built for.
    pub cuda: Vec<u32>,
    /// The newest series of Python 3 with bindings.
    pub newest_python: u32,
}

/// All releases, the oldest first.
pub fn tensorrt_releases() -> Vec<TensorRtRelease> {
    rows(TENSORRT).iter().filter_map(release).collect()
}

fn release(row: &Node) -> Option<TensorRtRelease> {
    Some(TensorRtRelease {
        tensorrt: field(row, "tensorrt")?,
        cuda: field(row, "cuda")?.split(' ').map(|major| major.parse().ok()).collect::<Option<_>>()?,
        newest_python: field(row, "python")?.strip_prefix("3.")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole() {
        assert_eq!(tensorrt_releases().len(), rows(TENSORRT).len());
        assert!(tensorrt_releases().iter().all(|release| !release.cuda.is_empty()));
    }
}

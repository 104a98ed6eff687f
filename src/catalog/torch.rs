//! Which releases of torch there are, and what goes with each.

use super::{field, rows};
use crate::spec::Node;

const TORCH: &str = include_str!("torch.yaml");

/// A release of torch.
#[derive(Clone, Debug)]
pub struct TorchRelease {
    /// The release.
    pub torch: String,
    /// The oldest and the newest series of Python 3 with wheels: `(10, 14)`.
    pub python: (u32, u32),
    /// The wheel channels besides `pypi`.
    pub channels: Vec<String>,
    /// The release of torchvision built against it.
    pub vision: String,
    /// The release of torchaudio built against it.
    pub audio: String,
}

/// All releases, the oldest first.
pub fn torch_releases() -> Vec<TorchRelease> {
    rows(TORCH).iter().filter_map(release).collect()
}

fn release(row: &Node) -> Option<TorchRelease> {
    let python = field(row, "python")?;
    let (oldest, newest) = python.split_once(' ')?;
    let series = |text: &str| text.strip_prefix("3.")?.parse().ok();
    Some(TorchRelease {
        torch: field(row, "torch")?,
        python: (series(oldest)?, series(newest)?),
        channels: field(row, "channels")?.split(' ').map(str::to_owned).collect(),
        vision: field(row, "vision")?,
        audio: field(row, "audio")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole() {
        assert_eq!(torch_releases().len(), rows(TORCH).len());
        for release in torch_releases() {
            assert!(release.python.0 <= release.python.1, "{release:?}");
            assert!(release.channels.contains(&"cpu".to_owned()), "{release:?}");
        }
    }
}

//! Facts that are kept as data beside the code, each with its source.

mod tensorrt;
mod torch;

pub use tensorrt::{TensorRtRelease, tensorrt_releases};
pub use torch::{TorchRelease, torch_releases};

use crate::diagnostic::Problems;
use crate::spec::{Node, Sha256, Url, Value, parse_yaml};

const SOURCES: &str = include_str!("sources.yaml");

/// A release archive that the catalog knows.
#[derive(Clone, Debug)]
pub struct KnownSource {
    /// The component it is the source of.
    pub component: String,
    /// The release.
    pub version: String,
    /// Where it is published.
    pub url: Url,
    /// What its bytes hash to.
    pub sha256: Sha256,
}

/// The archive of one release.
pub fn source(component: &str, version: &str) -> Option<KnownSource> {
    sources().into_iter().find(|row| row.component == component && row.version == version)
}

/// The releases of a component, in the order of the catalog.
pub fn versions(component: &str) -> Vec<String> {
    sources().into_iter().filter(|row| row.component == component).map(|row| row.version).collect()
}

/// Where a component publishes a release, whether the catalog knows its digest or not.
pub fn address(component: &str, version: &str) -> Option<Url> {
    let template = match component {
        "python" => "https://www.python.org/ftp/python/{release}/Python-{version}.tar.xz",
        "ffmpeg" => "https://ffmpeg.org/releases/ffmpeg-{version}.tar.xz",
        "dav1d" => "https://downloads.videolan.org/pub/videolan/dav1d/{version}/dav1d-{version}.tar.xz",
        "svt-av1" => "https://gitlab.com/AOMediaCodec/SVT-AV1/-/archive/v{version}/SVT-AV1-v{version}.tar.gz",
        "nvenc" => {
            "https://github.com/FFmpeg/nv-codec-headers/releases/download/n{version}/nv-codec-headers-{version}.tar.gz"
        }
        "openh264" => "https://github.com/cisco/openh264/archive/refs/tags/v{version}.tar.gz",
        "docker-amd64" => "https://download.docker.com/linux/static/stable/x86_64/docker-{version}.tgz",
        "docker-arm64" => "https://download.docker.com/linux/static/stable/aarch64/docker-{version}.tgz",
        "nodejs-amd64" => "https://nodejs.org/dist/v{version}/node-v{version}-linux-x64.tar.xz",
        "nodejs-arm64" => "https://nodejs.org/dist/v{version}/node-v{version}-linux-arm64.tar.xz",
        "uv-amd64" => {
            "https://github.com/astral-sh/uv/releases/download/{version}/uv-x86_64-unknown-linux-gnu.tar.gz"
        }
        "uv-arm64" => {
            "https://github.com/astral-sh/uv/releases/download/{version}/uv-aarch64-unknown-linux-gnu.tar.gz"
        }
        _ => return None,
    };
    // Pre-releases of Python lie in the directory of their release.
    let release = version.split(['a', 'b', 'r']).next()?;
    Url::parse(&template.replace("{version}", version).replace("{release}", release)).ok()
}

fn sources() -> Vec<KnownSource> {
    rows(SOURCES).iter().filter_map(row).collect()
}

/// The rows of a data file.
fn rows(text: &str) -> Vec<Node> {
    match parse_yaml(text, 0, &mut Problems::default()).map(|root| root.value) {
        Some(Value::List(rows)) => rows,
        _ => Vec::new(),
    }
}

/// A field of a row.
fn field(row: &Node, key: &str) -> Option<String> {
    let Value::Map(entries) = &row.value else { return None };
    let (_, value) = entries.iter().find(|(k, _)| k.value == key)?;
    match &value.value {
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    }
}

fn row(node: &Node) -> Option<KnownSource> {
    let (component, version) = (field(node, "component")?, field(node, "version")?);
    let url = match field(node, "url") {
        Some(url) => Url::parse(&url).ok()?,
        None => address(&component, &version)?,
    };
    Some(KnownSource { component, version, url, sha256: Sha256::parse(&field(node, "sha256")?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole_and_says_how_it_was_checked() {
        let rows = rows(SOURCES);
        for node in &rows {
            assert!(row(node).is_some(), "the row at {} is not whole", node.span);
            assert!(field(node, "checked").is_some(), "{} lacks `checked`", node.span);
        }
        assert!(!rows.is_empty());
    }

    #[test]
    fn rows_are_sorted_and_unique() {
        let keys: Vec<_> = sources().into_iter().map(|row| (row.component, row.version)).collect();
        let mut sorted = keys.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(keys, sorted);
    }
}

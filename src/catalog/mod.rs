//! Facts that are kept as data beside the code, each with its source.

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
    let Some(root) = parse_yaml(SOURCES, &mut Problems::default()) else { return Vec::new() };
    let Value::List(rows) = root.value else { return Vec::new() };
    rows.iter().filter_map(row).collect()
}

fn row(node: &Node) -> Option<KnownSource> {
    let Value::Map(entries) = &node.value else { return None };
    let field = |key: &str| {
        let (_, value) = entries.iter().find(|(k, _)| k.value == key)?;
        match &value.value {
            Value::Scalar(scalar) => Some(scalar.text.clone()),
            _ => None,
        }
    };
    let (component, version) = (field("component")?, field("version")?);
    let url = match field("url") {
        Some(url) => Url::parse(&url).ok()?,
        None => address(&component, &version)?,
    };
    Some(KnownSource { component, version, url, sha256: Sha256::parse(&field("sha256")?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole_and_says_how_it_was_checked() {
        let root = parse_yaml(SOURCES, &mut Problems::default()).expect("valid YAML");
        let Value::List(rows) = root.value else { panic!("not a list") };
        for node in &rows {
            assert!(row(node).is_some(), "the row at {} is not whole", node.span);
            let Value::Map(entries) = &node.value else { panic!("not a mapping") };
            assert!(entries.iter().any(|(k, _)| k.value == "checked"), "{} lacks `checked`", node.span);
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

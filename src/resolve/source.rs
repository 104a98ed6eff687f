//! Release archives: where they come from and what they must hash to.

use crate::catalog;
use crate::diagnostic::Problems;
use crate::spec::{At, Fields, Node, Sha256, Span, Url, Value, Version, checked};

/// The fields by which a spec names a release: `version`, and for one that the catalog does not know `url` and `sha256`.
#[derive(Clone, Debug)]
pub struct SourceFields {
    /// The release.
    pub version: At<Version>,
    url: Option<At<Url>>,
    sha256: Option<At<Sha256>>,
}

impl SourceFields {
    /// Takes the fields out of a component's fields.
    pub fn decode(fields: &mut Fields<'_>, example: &str, problems: &mut Problems) -> Option<Self> {
        let version = fields.require("version", example, problems);
        let version = version.and_then(|n| checked("a version", n, problems, Version::parse));
        let url = fields.take("url").and_then(|n| checked("an address", n, problems, Url::parse));
        let sha256 = fields.take("sha256");
        let sha256 = sha256.and_then(|n| checked("a SHA-256", n, problems, Sha256::parse));
        Some(Self { version: version?, url, sha256 })
    }

    /// Reads a version alone, or a mapping with these fields and no other.
    pub fn decode_short(of: &'static str, node: &Node, problems: &mut Problems) -> Option<Self> {
        if let Value::Map(_) = node.value {
            let mut fields = Fields::open(of, node, problems)?;
            let source = Self::decode(&mut fields, "1.5.1", problems);
            fields.finish(problems);
            return source;
        }
        let version = checked("a version", node, problems, Version::parse)?;
        Some(Self { version, url: None, sha256: None })
    }

    /// Finds the archive in the spec or the catalog.
    pub fn resolve(&self, component: &str, problems: &mut Problems) -> Option<SourceArchive> {
        let version = &self.version;
        let known = catalog::source(component, version.value.as_str());
        let (url, sha256) = match (&self.url, &self.sha256, known) {
            (Some(url), Some(sha256), _) => (url.value.clone(), sha256.value.clone()),
            (None, Some(sha256), _) => {
                let Some(url) = catalog::address(component, version.value.as_str()) else {
                    problems.error_with_help(
                        sha256.span,
                        format!("nobody knows where {component} is published"),
                        "add `url:` with the address of the release",
                    );
                    return None;
                };
                (url, sha256.value.clone())
            }
            (None, None, Some(known)) => (known.url, known.sha256),
            (Some(url), None, _) => {
                problems.error_with_help(
                    url.span,
                    "a download needs a digest",
                    "add `sha256:` with what `sha256sum` prints for the file",
                );
                return None;
            }
            (None, None, None) => {
                let known = match catalog::versions(component).as_slice() {
                    [] => "it knows no release of it".to_owned(),
                    versions => format!("it knows {}", versions.join(", ")),
                };
                problems.error_with_help(
                    version.span,
                    format!("the catalog does not know {component} {version}"),
                    format!("{known}; for another release add `sha256:` with its digest"),
                );
                return None;
            }
        };
        Some(SourceArchive { version: version.value.clone(), url, sha256, span: version.span })
    }
}

/// One release, pinned.
#[derive(Clone, Debug)]
pub struct SourceArchive {
    /// The release.
    pub version: Version,
    /// Where it is published.
    pub url: Url,
    /// What its bytes hash to.
    pub sha256: Sha256,
    /// The line that asks for it.
    pub span: Span,
}

/// A release that the program itself chose, by the catalog.
pub fn pinned(component: &str, version: &str, span: Span) -> Option<SourceArchive> {
    let known = catalog::source(component, version)?;
    let version = Version::parse(version).ok()?;
    Some(SourceArchive { version, url: known.url, sha256: known.sha256, span })
}

//! Release archives: where they come from and what they must hash to.

use super::Context;
use crate::catalog;
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::spec::{At, Fields, Node, Sha256, Span, Url, Value, Version, Wish, checked, checked_version};

/// Where digests are written that are not the same for all platforms.
const APART: &str = "in a spec for each of `platforms`, of which one `extends` the other, and has `platforms`, `sha256` and, \
                     if there is one, `url` of its own";

/// The fields by which a spec names a release: `version`, which may leave a choice of those that the catalog knows, and
/// for another one `url` and `sha256`.
#[derive(Clone, Debug)]
pub struct SourceFields {
    /// The release.
    pub version: At<Version>,
    /// What the spec says of it.
    pub wish: At<Wish>,
    url: Option<At<Url>>,
    sha256: Option<At<Sha256>>,
}

/// What the catalog calls a Python package, which may have the name of a program.
pub fn package(name: &str) -> String {
    format!("package {name}")
}

/// What to do about a release that the catalog does not know.
const DIGEST: &str = "add `sha256:` with its digest";

impl SourceFields {
    /// Takes the fields out of a component's fields. `component` is its name in the catalog.
    pub fn decode(
        fields: &mut Fields<'_>,
        component: &str,
        example: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let wish = fields.require("version", example, problems);
        let wish = wish.and_then(|n| checked_version(n, problems, Wish::parse));
        let url = fields.take("url").and_then(|n| checked("an address", n, problems, Url::parse));
        let sha256 = fields.take("sha256");
        let sha256 = sha256.and_then(|n| checked("a SHA-256", n, problems, Sha256::parse));
        Self::of(component, wish?, url, sha256)
    }

    /// Reads a version alone, or a mapping with these fields and no other.
    pub fn decode_short(
        of: &'static str,
        component: &str,
        node: &Node,
        problems: &mut Problems,
    ) -> Option<Self> {
        if let Value::Map(_) = node.value {
            let mut fields = Fields::open(of, node, problems)?;
            let source = Self::decode(&mut fields, component, "1.5.1", problems);
            fields.finish(problems);
            return source;
        }
        let wish = checked_version(node, problems, Wish::parse)?;
        Self::of(component, wish, None, None)
    }

    /// Chooses the release that a wish names, else the newest that the catalog knows of those that it admits, else one to
    /// speak of, which is refused when it is looked for.
    fn of(component: &str, wish: At<Wish>, url: Option<At<Url>>, sha256: Option<At<Sha256>>) -> Option<Self> {
        let known = catalog::releases(component);
        let known = || known.iter().map(String::as_str);
        let is_named = |version: &Version| {
            url.is_some() || sha256.is_some() || known().any(|known| known == version.as_str())
        };
        let version = match &wish.value {
            Wish::Prefix(version) if is_named(version) => Some(version.clone()),
            wish => {
                let newest = wish.newest(known()).and_then(|version| Version::parse(version).ok());
                newest.or_else(|| wish.bound().cloned()).or_else(|| Version::parse("0.0").ok())
            }
        };
        Some(Self { version: At::new(version?, wish.span), wish, url, sha256 })
    }

    /// Takes the release that a lock has of what the spec leaves open. `field` is the one of the spec that it belongs to,
    /// `label` what the lock calls it.
    pub fn keep(&mut self, field: &str, label: &str, lock: &PlatformLock) {
        if self.wish.value.named() == Some(&self.version.value) {
            return;
        }
        let locked = lock.releases(field, label).into_iter().find(|version| self.wish.value.admits(version));
        if let Some(version) = locked.and_then(|version| Version::parse(version).ok()) {
            self.wish.value = Wish::Locked(version.clone());
            self.version.value = version;
        }
    }

    /// Finds the archive in the spec or the catalog.
    pub fn resolve(&self, component: &str, problems: &mut Problems) -> Option<SourceArchive> {
        self.find(component, component, DIGEST, problems)
    }

    /// The same of a Python package.
    pub fn resolve_package(&self, name: &str, problems: &mut Problems) -> Option<SourceArchive> {
        self.find(&package(name), name, DIGEST, problems)
    }

    /// Finds the archive of the image's architecture, where each has its own. One `sha256` is not that of two archives.
    pub fn resolve_built(
        &self,
        component: &str,
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<SourceArchive> {
        let name = format!("{component}-{}", context.facts.architecture);
        if context.platforms.len() < 2 {
            return self.resolve(&name, problems);
        }
        if let Some(sha256) = &self.sha256 {
            let message =
                format!("{component} has an archive for each of `platforms`, and `sha256` is of one of them");
            problems.error_with_help(sha256.span, message, format!("write it {APART}"));
            return None;
        }
        self.find(&name, &name, &format!("{DIGEST} {APART}"), problems)
    }

    /// `known_as` is what the catalog calls the component; `unknown` says what to do about a release that it does not know.
    fn find(
        &self,
        known_as: &str,
        component: &str,
        unknown: &str,
        problems: &mut Problems,
    ) -> Option<SourceArchive> {
        let version = &self.version;
        let has_source = self.url.is_some() || self.sha256.is_some();
        let is_whole = matches!(&self.wish.value, Wish::Prefix(version) if version.as_str().contains('.'));
        if has_source && !is_whole {
            problems.error_with_help(
                version.span,
                "one archive has one version",
                "name the release that is at the address, or leave `url` and `sha256` out",
            );
            return None;
        }
        let known = catalog::source(known_as, version.value.as_str());
        let known = known.filter(|_| self.wish.value.admits(version.value.as_str()));
        let (url, sha256) = match (&self.url, &self.sha256, known) {
            (Some(url), Some(sha256), _) => (url.value.clone(), sha256.value.clone()),
            (None, Some(sha256), _) => {
                let Some(url) = catalog::address(known_as, version.value.as_str()) else {
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
                let known = match catalog::versions(known_as).as_slice() {
                    [] => "it knows no release of it".to_owned(),
                    versions => format!("it knows {}", versions.join(", ")),
                };
                problems.error_with_help(
                    version.span,
                    format!("the catalog does not know {component} {}", self.wish),
                    format!("{known}; for another release {unknown}"),
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

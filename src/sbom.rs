//! What is in an image, as SPDX 2.3 has it: see <https://spdx.github.io/spdx-spec/v2.3/>.
//!
//! Versions are those that the finished image tells of itself. Addresses and digests are those that the plan, the lock or
//! the resolution has for just these versions. What nobody knows is `NOASSERTION`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::components::{address_label, source_label};
use crate::lock::LockedFile;
use crate::plan::Plan;
use crate::resolve::{BaseFacts, OsRelease};
use crate::spec::{Sha256, Span, Url, normal_name};

/// What SPDX calls what nobody knows.
const UNKNOWN: &str = "NOASSERTION";
/// The licences of sources that say so themselves in one word. Sources: the file `COPYING` or `LICENSE` of each release;
/// uv's `Cargo.toml`.
const LICENCES: [(&str, &str); 3] =
    [("dav1d", "BSD-2-Clause"), ("openh264", "BSD-2-Clause"), ("uv", "MIT OR Apache-2.0")];
/// What installs wheels, and is in an image only where the spec asks for it.
const INSTALLER: &str = "uv";

/// What a finished image tells of itself: the lists of `sbom-list.sh`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    debs: Vec<Deb>,
    python: Vec<PythonPackage>,
    /// The wheels of the build context: digests by package and version.
    local: BTreeMap<(String, String), Sha256>,
}

/// A package that dpkg has installed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Deb {
    name: String,
    architecture: String,
    version: String,
}

/// A Python package by its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PythonPackage {
    file: String,
    name: String,
    version: String,
    /// `License-Expression`, which is of SPDX's form.
    expression: Option<String>,
    /// `License`, which is any text.
    licence: Option<String>,
}

impl Parts {
    /// Reads the lists `debs`, `python` and `local`.
    pub fn parse(debs: &str, python: &str, local: &str) -> Self {
        let deb = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            Some(Deb { name: words.next()?, architecture: words.next()?, version: words.next()? })
        };
        let wheel = |line: &str| {
            let (digest, file) = line.split_once(' ')?;
            let mut parts = file.split('-');
            let key = (normal_name(parts.next()?), parts.next()?.to_owned());
            Some((key, Sha256::parse(digest).ok()?))
        };
        Self {
            debs: debs.lines().filter_map(deb).collect(),
            python: python_packages(python),
            local: local.lines().filter_map(wheel).collect(),
        }
    }
}

fn python_packages(text: &str) -> Vec<PythonPackage> {
    let mut packages: Vec<PythonPackage> = Vec::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once(": ")) {
        let value = value.trim().to_owned();
        match (key, packages.last_mut()) {
            ("File", _) => packages.push(PythonPackage { file: value, ..PythonPackage::default() }),
            ("Name", Some(package)) => package.name = normal_name(&value),
            ("Version", Some(package)) => package.version = value,
            ("License-Expression", Some(package)) => package.expression = Some(value),
            ("License", Some(package)) => package.licence = Some(value),
            _ => {}
        }
    }
    packages
}

/// A package of the document.
#[derive(Default)]
struct Package {
    /// What kind of thing it is, which keeps the ids of different kinds apart.
    kind: &'static str,
    name: String,
    version: String,
    location: Option<String>,
    sha256: Option<String>,
    licence: Option<String>,
    licence_words: Option<String>,
    purl: Option<String>,
    source: Option<String>,
}

impl Package {
    fn new(kind: &'static str, name: &str, version: &str) -> Self {
        Self { kind, name: name.to_owned(), version: version.to_owned(), ..Self::default() }
    }

    /// Whence it comes, if that is known.
    fn from(mut self, file: Option<&LockedFile>) -> Self {
        self.location = file.map(|file| without_query(&file.url));
        self.sha256 = file.map(|file| file.sha256.to_string());
        self
    }

    fn to_json(&self, id: &str) -> Value {
        let unknown = |value: &Option<String>| value.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        let mut value = json!({
            "SPDXID": id,
            "name": self.name,
            "downloadLocation": unknown(&self.location),
            "filesAnalyzed": false,
            "licenseConcluded": UNKNOWN,
            "licenseDeclared": unknown(&self.licence),
            "copyrightText": UNKNOWN,
        });
        let optional = [
            ("versionInfo", Some(&self.version).filter(|version| !version.is_empty())),
            ("licenseComments", self.licence_words.as_ref()),
            ("sourceInfo", self.source.as_ref()),
        ];
        for (key, text) in optional.into_iter().filter_map(|(key, text)| Some((key, text?))) {
            value[key] = json!(text);
        }
        if let Some(sha256) = &self.sha256 {
            value["checksums"] = json!([{"algorithm": "SHA256", "checksumValue": sha256}]);
        }
        if let Some(purl) = &self.purl {
            value["externalRefs"] = json!([{
                "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl,
            }]);
        }
        value
    }
}

/// The document about the image of a plan. `wheels` are the files that Python packages were installed from, by package
/// and version; `created` is the time in it.
pub fn document(
    plan: &Plan,
    base: &BaseFacts,
    parts: &Parts,
    wheels: &BTreeMap<(String, String), LockedFile>,
    created: &str,
) -> Value {
    let mut packages = vec![base_image(&base.reference)];
    packages.extend(components(plan, parts));
    packages.extend(parts.debs.iter().map(|deb| deb_package(deb, plan, &base.os_release)));
    packages.extend(parts.python.iter().map(|package| python_package(package, plan, parts, wheels)));

    let image = "SPDXRef-image";
    let mut rows = vec![Package::new("image", &plan.name, "").to_json(image)];
    rows[0]["primaryPackagePurpose"] = json!("CONTAINER");
    let relation = |from: &str, kind: &str, to: &str| json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to});
    let mut relations = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", image)];
    let mut taken = BTreeSet::new();
    for package in &packages {
        let id = id(package, &mut taken);
        let kind = if package.kind == "base" { "DESCENDANT_OF" } else { "CONTAINS" };
        relations.push(relation(image, kind, &id));
        rows.push(package.to_json(&id));
    }
    let digest = Sha256::of(json!(rows).to_string().as_bytes());
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": plan.name,
        "documentNamespace": format!("https://spdx.org/spdxdocs/edgenode-{}-{digest}", plan.name),
        "creationInfo": {
            "created": created,
            "creators": [concat!("Tool: edgenode-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": rows,
        "relationships": relations,
    })
}

/// An id that no other package has, of the characters that ids may have.
fn id(package: &Package, taken: &mut BTreeSet<String>) -> String {
    let words = [package.kind, &package.name, &package.version].into_iter().filter(|word| !word.is_empty());
    let text = words.collect::<Vec<_>>().join("-");
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let plain: String = text.chars().map(fit).collect();
    let names = std::iter::once(plain.clone()).chain((2_u32..).map(|n| format!("{plain}-{n}")));
    let free = names.into_iter().find(|name| taken.insert(name.clone()));
    format!("SPDXRef-{}", free.unwrap_or(plain))
}

fn base_image(reference: &str) -> Package {
    let (name, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, ""),
    };
    let short = repository.rsplit('/').next().unwrap_or_default();
    let purl = format!(
        "pkg:oci/{}@{}?repository_url={}&tag={}",
        encoded(short),
        encoded(digest),
        encoded(repository),
        encoded(tag)
    );
    Package {
        sha256: digest.strip_prefix("sha256:").map(str::to_owned),
        purl: (!digest.is_empty()).then_some(purl),
        ..Package::new("base", repository, tag)
    }
}

/// The releases that were built or unpacked into the image, and the components that are something else.
fn components(plan: &Plan, parts: &Parts) -> Vec<Package> {
    let is_python = |name: &str| parts.python.iter().any(|package| package.name == normal_name(name));
    let groups = plan.release.wheels.iter().flat_map(|wheels| &wheels.groups);
    let groups: BTreeSet<&str> = groups.map(String::as_str).collect();
    let has_component = |name: &str| plan.components.iter().any(|component| component.name == name);
    let releases: Vec<_> = plan
        .sources
        .iter()
        .filter_map(|(label, file)| Some((label.split_once(' ')?, file)))
        .filter(|((name, _), _)| (*name != INSTALLER || has_component(name)) && !is_python(name))
        .collect();
    let released = |name: &str| releases.iter().any(|((release, _), _)| *release == name);
    let others = plan.components.iter().filter(|component| {
        let name = component.name.as_str();
        component.part_of.is_none() && !groups.contains(name) && !is_python(name) && !released(name)
    });
    let mut packages: Vec<_> = releases
        .iter()
        .map(|((name, version), file)| {
            let licence = LICENCES.iter().find(|(of, _)| of == name);
            let licence = licence.map(|(_, licence)| (*licence).to_owned());
            Package { licence, ..Package::new("release", name, version).from(Some(file)) }
        })
        .collect();
    packages.extend(others.map(|other| Package::new("component", &other.name, &other.version)));
    packages
}

fn deb_package(deb: &Deb, plan: &Plan, distribution: &OsRelease) -> Package {
    let Deb { name, architecture, version } = deb;
    let vendors =
        plan.archives.values().find_map(|archive| archive.files.get(&(name.clone(), version.clone())));
    let locked = plan
        .lock
        .iter()
        .flat_map(|lock| lock.packages.values())
        .filter_map(|packages| packages.files.get(&format!("{name}:{architecture}")))
        .find(|package| package.version == *version);
    let purl = format!(
        "pkg:deb/{}/{}@{}?arch={}&distro={}-{}",
        encoded(&distribution.id),
        encoded(name),
        encoded(version),
        encoded(architecture),
        encoded(&distribution.id),
        encoded(&distribution.version_id)
    );
    // What is not the distribution's has no name among its packages.
    let ours = vendors.is_some() || name.starts_with("edgenode-");
    Package {
        purl: (!ours).then_some(purl),
        ..Package::new("deb", name, version)
            .from(vendors.map(|deb| &deb.file).or(locked.map(|package| &package.file)))
    }
}

fn python_package(
    package: &PythonPackage,
    plan: &Plan,
    parts: &Parts,
    wheels: &BTreeMap<(String, String), LockedFile>,
) -> Package {
    let PythonPackage { name, version, .. } = package;
    let key = (name.clone(), version.clone());
    let built = plan.sources.get(&format!("{name} {version}"));
    let fetched =
        plan.sources.get(&address_label(name, version)).map(|file| (file, "a wheel by its address"));
    // What is built says its version itself. The base image may have a package of that name, too.
    let is_here = plan.site.as_ref().is_some_and(|site| package.file.starts_with(site));
    let archive = plan.sources.get(&source_label(name)).filter(|_| is_here);
    let archive = archive.map(|file| (file, "built from its source by its address"));
    let origin = plan.origin(name).filter(|_| is_here);
    let checkout = origin.and_then(|origin| origin.checkouts.first().cloned());
    let source = |what: &str| Some(format!("{what}; {}", package.file));
    let made = Package::new("python", name, version);
    // A file that the spec names need not be what the public index has by that name.
    if let Some((repository, commit)) = checkout {
        let location = Some(format!("git+{repository}@{commit}"));
        return told(Package { location, source: source("built from its repository"), ..made }, package);
    }
    let made = match (fetched.or(archive), parts.local.get(&key)) {
        (Some((file, what)), _) => Package { source: source(what), ..made.from(Some(file)) },
        (None, Some(sha256)) => Package {
            sha256: Some(sha256.to_string()),
            source: source("a wheel of the build context"),
            ..made
        },
        (None, None) => {
            let purl = format!("pkg:pypi/{}@{}", encoded(name), encoded(version));
            let found = built.or(wheels.get(&key));
            Package { purl: Some(purl), source: source("a Python package"), ..made.from(found) }
        }
    };
    told(made, package)
}

/// Adds what a package says of its licence.
fn told(made: Package, package: &PythonPackage) -> Package {
    let licence = package.expression.as_ref().filter(|text| is_expression(text)).cloned();
    let words = package.expression.as_ref().or(package.licence.as_ref());
    let licence_words = words.filter(|_| licence.is_none()).map(|text| format!("its metadata says: {text}"));
    Package { licence, licence_words, ..made }
}

/// Whether a text has the form of an SPDX licence expression that refers to nothing outside of SPDX's list.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let (mut depth, mut wants_name) = (0_i32, true);
    for word in spaced.split_whitespace() {
        let fits = match word {
            "(" => {
                depth += 1;
                wants_name
            }
            ")" => {
                depth -= 1;
                !wants_name && depth >= 0
            }
            "AND" | "OR" | "WITH" => !std::mem::replace(&mut wants_name, true),
            name => {
                let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-.+".contains(c));
                std::mem::replace(&mut wants_name, false) && plain && !name.starts_with("LicenseRef-")
            }
        };
        if !fits {
            return false;
        }
    }
    depth == 0 && !wants_name
}

/// The files of a resolution: lines `NAME VERSION SHA-256 SIZE ADDRESS`. Lines without a digest are passed over.
pub fn wheel_files(text: &str) -> BTreeMap<(String, String), LockedFile> {
    let file = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let [name, version, sha256, size, url] = words.as_slice() else { return None };
        let (url, sha256) = (Url::parse(url).ok()?, Sha256::parse(sha256).ok()?);
        let file = LockedFile { url, sha256, size: size.parse().ok(), span: Span::default() };
        Some(((normal_name(name), (*version).to_owned()), file))
    };
    text.lines().filter_map(file).collect()
}

/// An address without what may be a signature that lets anybody in.
fn without_query(url: &Url) -> String {
    url.as_str().split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// A text as a part of a package URL. Source: the purl specification.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Seconds since 1970 as SPDX writes a time.
pub fn time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    // Years begin in March here, so that a day that not every year has is the last. Source: Howard Hinnant,
    // "chrono-Compatible Low-Level Date Algorithms".
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (date, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(time(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(time(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(time(1_735_689_599), "2024-12-31T23:59:59Z");
    }

    #[test]
    fn licence_expressions() {
        for text in [
            "MIT",
            "MIT OR Apache-2.0",
            "(MIT AND BSD-3-Clause) OR GPL-2.0+",
            "GPL-3.0-only WITH GCC-exception-3.1",
        ] {
            assert!(is_expression(text), "{text}");
        }
        for text in [
            "",
            "MIT License",
            "BSD, MIT",
            "(MIT",
            "MIT)",
            "MIT AND",
            "OR MIT",
            "LicenseRef-NVIDIA",
            "MIT/X11",
            ")MIT(",
        ] {
            assert!(!is_expression(text), "{text}");
        }
    }

    #[test]
    fn lists_of_an_image() {
        let sum = "a".repeat(64);
        let python = "File: /opt/a/METADATA\nName: My_App\nVersion: 1.0\nLicense: BSD\nFile: /b/METADATA\nName: b\nVersion: 2\nLicense-Expression: MIT\n";
        let parts =
            Parts::parse("curl amd64 8.1-2\n", python, &format!("{sum} My_App-1.0-py3-none-any.whl\n"));
        assert_eq!(parts.debs[0].version, "8.1-2");
        assert_eq!(parts.python[0].name, "my-app");
        assert_eq!(parts.python[0].licence.as_deref(), Some("BSD"));
        assert_eq!(parts.python[1].expression.as_deref(), Some("MIT"));
        assert!(parts.local.contains_key(&("my-app".to_owned(), "1.0".to_owned())));
    }

    #[test]
    fn ids_differ_and_have_only_letters_digits_dots_and_hyphens() {
        let mut taken = BTreeSet::new();
        let a = id(&Package::new("deb", "libstdc++6", "1:2"), &mut taken);
        let b = id(&Package::new("deb", "libstdc--6", "1-2"), &mut taken);
        assert_eq!((a.as_str(), b.as_str()), ("SPDXRef-deb-libstdc--6-1-2", "SPDXRef-deb-libstdc--6-1-2-2"));
    }

    #[test]
    fn the_base_image_has_its_digest() {
        let sum = "b".repeat(64);
        let base = base_image(&format!("docker.io/library/debian:13@sha256:{sum}"));
        assert_eq!((base.name.as_str(), base.version.as_str()), ("docker.io/library/debian", "13"));
        assert_eq!(base.sha256.as_ref(), Some(&sum));
        assert_eq!(
            base.purl,
            Some(format!("pkg:oci/debian@sha256:{sum}?repository_url=docker.io%2Flibrary%2Fdebian&tag=13"))
        );
        assert_eq!(base_image("the build context `base`").purl, None);
    }

    #[test]
    fn addresses_are_told_without_signatures() {
        let url = Url::parse("https://example.org/a.whl?token=secret#x").expect("an address");
        assert_eq!(without_query(&url), "https://example.org/a.whl");
        assert_eq!(encoded("1:2+b~1 x"), "1:2%2Bb~1%20x");
    }
}

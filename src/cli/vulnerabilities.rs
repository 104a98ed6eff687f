//! The vulnerabilities that the lists of parts beside an image name. Our own lists name none; those of generators that look
//! for them may. Sources: BuildKit's `docs/attestations/attestation-storage.md`, by which such a list is SPDX; SPDX 2.3,
//! annex F.2.4 (`advisory`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::registry::{Manifest, Repository};
use super::{Failure, REGISTRY};

/// Identifiers, such as `CVE-2024-3094`, to the packages that have them, such as `xz-utils 5.6.1-1`.
pub(super) type Vulnerabilities = BTreeMap<String, BTreeSet<String>>;

const SPDX: &str = "https://spdx.dev/Document";

/// What the lists of the image with this digest name; `None` where the index has no list for it.
pub(super) fn vulnerabilities(
    repository: &Repository,
    index: &Manifest,
    image: &str,
) -> Result<Option<Vulnerabilities>, Failure> {
    let of_image = |entry: &&Value| {
        entry["annotations"]["vnd.docker.reference.type"] == "attestation-manifest"
            && entry["annotations"]["vnd.docker.reference.digest"] == image
    };
    let gone = |digest: &str| {
        let message = format!("{digest} is not in the registry, though the index of the image lists it");
        Failure::new(message).code(REGISTRY)
    };
    let mut found = None;
    for entry in list(&index.json["manifests"]).iter().filter(of_image) {
        let digest = text(&entry["digest"]);
        let attestation = repository.manifest(digest)?.ok_or_else(|| gone(digest))?;
        for layer in list(&attestation.json["layers"]) {
            if layer["annotations"]["in-toto.io/predicate-type"] != SPDX {
                continue;
            }
            let digest = text(&layer["digest"]);
            let statement = repository.json(digest)?.ok_or_else(|| gone(digest))?;
            add(&statement["predicate"], found.get_or_insert_with(Vulnerabilities::new));
        }
    }
    Ok(found)
}

/// Adds what a document names.
fn add(document: &Value, found: &mut Vulnerabilities) {
    for package in list(&document["packages"]) {
        for reference in list(&package["externalRefs"]) {
            if reference["referenceCategory"] == "SECURITY" && reference["referenceType"] == "advisory" {
                // The address of the advisory ends with its name.
                let address = text(&reference["referenceLocator"]).trim_end_matches('/');
                let name = address.rsplit('/').next().unwrap_or(address);
                let package = format!("{} {}", text(&package["name"]), text(&package["versionInfo"]));
                found.entry(name.to_owned()).or_default().insert(package.trim_end().to_owned());
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Says which vulnerabilities are gone, new, and in both; nothing where neither side has a list that names any.
pub(super) fn compared(before: Option<&Vulnerabilities>, after: Option<&Vulnerabilities>) -> String {
    let (Some(before), Some(after)) = (before, after) else {
        return match (before.or(after), before.is_some()) {
            (Some(named), has_before) if !named.is_empty() => {
                let (with, without) = if has_before { ("first", "second") } else { ("second", "first") };
                format!(
                    "vulnerabilities: the {with} image's list of parts names {}, the {without} has no list\n",
                    named.len()
                )
            }
            _ => String::new(),
        };
    };
    let only = |one: &Vulnerabilities, other: &Vulnerabilities, word: &str| -> String {
        let lines = one.iter().filter(|(name, _)| !other.contains_key(*name)).map(|(name, packages)| {
            let packages: Vec<_> = packages.iter().map(String::as_str).collect();
            format!("vulnerability {word}: {name} ({})\n", packages.join(", "))
        });
        lines.collect()
    };
    let both = before.keys().filter(|name| after.contains_key(*name)).count();
    let both = if both == 0 { String::new() } else { format!("vulnerabilities in both: {both}\n") };
    only(before, after, "gone") + &only(after, before, "new") + &both
}

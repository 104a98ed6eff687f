//! What a build gives back.

use std::sync::Arc;

use buildkit_llb::Platform;
use buildkit_proto::{frontend, pb};
use serde_json::{Value, json};

/// A file system that the daemon knows, solved or about to be.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    pub(crate) id: String,
    /// What it is the result of.
    pub(crate) graph: Arc<pb::Definition>,
}

impl Reference {
    /// The empty file system.
    pub fn scratch() -> Self {
        Self::default()
    }
}

/// The result for one platform.
#[derive(Clone, Debug)]
struct Image {
    platform: Platform,
    reference: Reference,
    config: Option<Value>,
}

/// A document about an image, which exporters put beside it, signed by nobody: an in-toto statement whose predicate is a
/// JSON file and whose subject is the image.
#[derive(Clone, Debug)]
pub struct Attestation {
    /// The file system that has the document.
    pub reference: Reference,
    /// Where it lies there.
    pub path: String,
    /// What kind of document it is, such as `https://spdx.dev/Document`.
    pub predicate_type: String,
    /// Why it is there, as BuildKit calls it: `sbom`, `provenance`.
    pub reason: String,
}

impl Attestation {
    /// The predicate type of SPDX documents. Where a result has one, BuildKit runs no scanner of its own. Source:
    /// BuildKit's `frontend/attestations/sbom`.
    pub const SPDX: &str = "https://spdx.dev/Document";

    fn into_message(self) -> frontend::Attestation {
        frontend::Attestation {
            kind: frontend::AttestationKind::InToto.into(),
            metadata: [("reason".to_owned(), self.reason.into_bytes())].into(),
            r#ref: Some(frontend::Ref { id: self.reference.id, def: None }),
            path: self.path,
            in_toto_predicate_type: self.predicate_type,
            in_toto_subjects: Vec::new(),
        }
    }
}

/// What a frontend returns: file systems with their image configurations, or the answer to a subrequest.
#[derive(Clone, Debug, Default)]
pub struct BuildResult {
    images: Vec<Image>,
    index: bool,
    metadata: Vec<(String, Vec<u8>)>,
    attestations: Vec<(Platform, Attestation)>,
}

impl BuildResult {
    /// One file system. With a configuration it is an image, without one just files.
    pub fn single(platform: &Platform, reference: Reference, config: Option<Value>) -> Self {
        let image = Image { platform: platform.clone(), reference, config };
        Self { images: vec![image], ..Self::default() }
    }

    /// An index of images, one for each platform, in this order.
    pub fn index(images: impl IntoIterator<Item = (Platform, Reference, Option<Value>)>) -> Self {
        let images = images
            .into_iter()
            .map(|(platform, reference, config)| Image { platform, reference, config })
            .collect();
        Self { images, index: true, ..Self::default() }
    }

    /// No file system at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds an entry that clients read.
    pub fn metadata(mut self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.metadata.push((key.to_owned(), value.into()));
        self
    }

    /// Adds a document about the image of this platform.
    pub fn attest(mut self, platform: &Platform, attestation: Attestation) -> Self {
        self.attestations.push((platform.clone(), attestation));
        self
    }

    pub(crate) fn into_message(self) -> frontend::Result {
        use frontend::result::Result as Refs;
        let mut result = frontend::Result::default();
        result.metadata.extend(self.metadata);
        for (platform, attestation) in self.attestations {
            let all = result.attestations.entry(platform.to_string()).or_default();
            all.attestation.push(attestation.into_message());
        }
        if !self.images.is_empty() {
            let platforms: Vec<_> = self.images.iter().map(|image| describe(&image.platform)).collect();
            let platforms = json!({ "Platforms": platforms }).to_string();
            result.metadata.insert("refs.platforms".to_owned(), platforms.into_bytes());
        }
        let mut refs = frontend::RefMap::default();
        for Image { platform, reference, config } in self.images {
            let id = platform.to_string();
            let suffix = if self.index { format!("/{id}") } else { String::new() };
            if let Some(config) = config {
                let key = format!("containerimage.config{suffix}");
                result.metadata.insert(key, config.to_string().into_bytes());
            }
            let reference = frontend::Ref { id: reference.id, def: None };
            if self.index {
                refs.refs.insert(id, reference);
            } else {
                result.result = Some(Refs::Ref(reference));
            }
        }
        if self.index {
            result.result = Some(Refs::Refs(refs));
        }
        result
    }
}

fn describe(platform: &Platform) -> Value {
    let mut fields = json!({ "architecture": platform.architecture, "os": platform.os });
    if !platform.variant.is_empty() {
        fields["variant"] = json!(platform.variant);
    }
    json!({ "ID": platform.to_string(), "Platform": fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        Platform::parse(text).expect("a platform")
    }

    fn named(id: &str) -> Reference {
        Reference { id: id.to_owned(), ..Reference::default() }
    }

    #[test]
    fn one_image_has_plain_keys() {
        let result = BuildResult::single(&platform("linux/amd64"), named("r"), Some(json!({"a": 1})));
        let message = result.into_message();
        assert_eq!(message.metadata["containerimage.config"], br#"{"a":1}"#);
        assert!(matches!(message.result, Some(frontend::result::Result::Ref(r)) if r.id == "r"));
    }

    #[test]
    fn an_attestation_is_about_its_platform() {
        let spdx = Attestation {
            reference: named("s"),
            path: "/sbom.spdx.json".into(),
            predicate_type: Attestation::SPDX.into(),
            reason: "sbom".into(),
        };
        let amd64 = platform("linux/amd64");
        let message = BuildResult::single(&amd64, named("r"), None).attest(&amd64, spdx).into_message();
        let [attestation] = message.attestations["linux/amd64"].attestation.as_slice() else { panic!("one") };
        assert_eq!(attestation.in_toto_predicate_type, "https://spdx.dev/Document");
        assert_eq!((attestation.kind, attestation.path.as_str()), (0, "/sbom.spdx.json"));
        assert!(attestation.r#ref.as_ref().is_some_and(|r| r.id == "s"));
    }

    #[test]
    fn an_index_has_a_key_for_each_platform() {
        let images = ["linux/arm64", "linux/amd64"].map(|p| (platform(p), named(p), Some(json!({}))));
        let message = BuildResult::index(images).into_message();
        let expected = r#"{"Platforms":[{"ID":"linux/arm64","Platform":{"architecture":"arm64","os":"linux"}},{"ID":"linux/amd64","Platform":{"architecture":"amd64","os":"linux"}}]}"#;
        assert_eq!(String::from_utf8_lossy(&message.metadata["refs.platforms"]), expected);
        assert!(message.metadata.contains_key("containerimage.config/linux/arm64"));
        let Some(frontend::result::Result::Refs(refs)) = message.result else { panic!("no refs") };
        assert_eq!(refs.refs["linux/amd64"].id, "linux/amd64");
    }
}

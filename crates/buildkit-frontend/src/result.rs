//! What a build gives back.

use buildkit_llb::Platform;
use buildkit_proto::frontend;
use serde_json::{Value, json};

/// A file system that the daemon knows, solved or about to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    pub(crate) id: String,
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

/// What a frontend returns: file systems with their image configurations, or the answer to a subrequest.
#[derive(Clone, Debug, Default)]
pub struct BuildResult {
    images: Vec<Image>,
    index: bool,
    metadata: Vec<(String, Vec<u8>)>,
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

    pub(crate) fn into_message(self) -> frontend::Result {
        use frontend::result::Result as Refs;
        let mut result = frontend::Result::default();
        result.metadata.extend(self.metadata);
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

    #[test]
    fn one_image_has_plain_keys() {
        let result = BuildResult::single(
            &platform("linux/amd64"),
            Reference { id: "r".into() },
            Some(json!({"a": 1})),
        );
        let message = result.into_message();
        assert_eq!(message.metadata["containerimage.config"], br#"{"a":1}"#);
        assert!(matches!(message.result, Some(frontend::result::Result::Ref(r)) if r.id == "r"));
    }

    #[test]
    fn an_index_has_a_key_for_each_platform() {
        let images = ["linux/arm64", "linux/amd64"]
            .map(|p| (platform(p), Reference { id: p.into() }, Some(json!({}))));
        let message = BuildResult::index(images).into_message();
        let expected = r#"{"Platforms":[{"ID":"linux/arm64","Platform":{"architecture":"arm64","os":"linux"}},{"ID":"linux/amd64","Platform":{"architecture":"amd64","os":"linux"}}]}"#;
        assert_eq!(String::from_utf8_lossy(&message.metadata["refs.platforms"]), expected);
        assert!(message.metadata.contains_key("containerimage.config/linux/arm64"));
        let Some(frontend::result::Result::Refs(refs)) = message.result else { panic!("no refs") };
        assert_eq!(refs.refs["linux/amd64"].id, "linux/amd64");
    }
}

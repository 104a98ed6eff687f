//! `transformers:` Hugging Face's library of models, with what only it needs.

use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{Component, Declared, Registration};
use crate::diagnostic::Problems;
use crate::resolve::Context;
use crate::spec::{At, Node, Span, Version, checked};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "transformers", decode };

#[derive(Debug)]
struct TransformersSpec {
    version: At<Version>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let version = checked("a version", node, problems, Version::parse)?;
    Some(Box::new(TransformersSpec { version }))
}

impl Declared for TransformersSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems)?;
        Some(Box::new(Wheels(WheelRequest {
            requirements: vec![format!("transformers=={}", self.version)],
            packages: patterns(&["hf-xet", "huggingface-hub", "safetensors", "tokenizers", "transformers"]),
            ..WheelRequest::new(REGISTRATION.key, self.version.value.as_str(), installer, span)
        })))
    }
}

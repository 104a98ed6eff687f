//! `onnxruntime:` ONNX Runtime in one of its flavours. They share the name that programs import, so an image has one.

use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{Component, Declared, Registration};
use crate::diagnostic::Problems;
use crate::resolve::Context;
use crate::spec::{At, Fields, Node, Span, Value, Version, checked, text};
use crate::suggest::nearest;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "onnxruntime", decode };

/// The flavours and their packages.
const FLAVOURS: [(&str, &str); 3] =
    [("cpu", "onnxruntime"), ("gpu", "onnxruntime-gpu"), ("openvino", "onnxruntime-openvino")];

#[derive(Debug)]
struct OnnxRuntimeSpec {
    version: At<Version>,
    flavour: At<&'static str>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if let Value::Scalar(_) = &node.value {
        let version = checked("a version", node, problems, Version::parse)?;
        return Some(Box::new(OnnxRuntimeSpec { version, flavour: At::new("cpu", node.span) }));
    }
    let mut fields = Fields::open("`onnxruntime`", node, problems)?;
    let version = fields.require("version", "1.23.2", problems);
    let version = version.and_then(|n| checked("a version", n, problems, Version::parse));
    let flavour = match fields.take("flavour") {
        Some(node) => flavour(node, problems),
        None => Some(At::new("cpu", node.span)),
    };
    fields.finish(problems);
    Some(Box::new(OnnxRuntimeSpec { version: version?, flavour: flavour? }))
}

fn flavour(node: &Node, problems: &mut Problems) -> Option<At<&'static str>> {
    let text = text("`flavour`", node, problems)?;
    if let Some((flavour, _)) = FLAVOURS.iter().find(|(flavour, _)| *flavour == text.value) {
        return Some(At::new(*flavour, text.span));
    }
    let help = match nearest(&text.value, FLAVOURS.iter().map(|(flavour, _)| *flavour)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "there are `cpu`, `gpu` and `openvino`".to_owned(),
    };
    let message = format!("ONNX Runtime has no flavour `{}`", text.value.escape_debug());
    problems.error_with_help(text.span, message, help);
    None
}

impl Declared for OnnxRuntimeSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems);
        if self.flavour.value != "cpu" && context.facts.architecture != "amd64" {
            problems.error_with_help(
                self.flavour.span,
                format!(
                    "the flavour `{}` has no wheels for {}",
                    self.flavour.value, context.facts.architecture
                ),
                "take `cpu`, or build for linux/amd64",
            );
        }
        if self.flavour.value == "gpu" && context.cuda().is_none() {
            problems.error_with_help(
                self.flavour.span,
                "the flavour `gpu` needs the CUDA libraries, which the spec does not have",
                "add `torch:` with a CUDA channel, or take the flavour `cpu`",
            );
        }
        let (wanted, others): (Vec<_>, Vec<_>) =
            FLAVOURS.iter().partition(|(flavour, _)| *flavour == self.flavour.value);
        Some(Box::new(Wheels(WheelRequest {
            requirements: wanted.iter().map(|(_, package)| format!("{package}=={}", self.version)).collect(),
            packages: patterns(&["onnxruntime*"]),
            exclude: others.iter().map(|(_, package)| (*package).to_owned()).collect(),
            ..WheelRequest::new(REGISTRATION.key, self.version.value.as_str(), installer?, span)
        })))
    }
}

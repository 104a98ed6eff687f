//! `onnxruntime:` ONNX Runtime in one of its flavours. They share the name that programs import, so an image has one.

use super::releases::{alternatives, choose, is_outside, row_of};
use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{Alternative, Component, Declared, Registration, one_brought, torch};
use crate::catalog::OnnxRuntimeReleases;
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::resolve::Context;
use crate::spec::{At, Fields, Node, Span, Value, Wish, checked_version, text};
use crate::suggest::nearest;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "onnxruntime", decode };

/// The flavours and their packages.
pub(crate) const FLAVOURS: [(&str, &str); 3] =
    [("cpu", "onnxruntime"), ("gpu", "onnxruntime-gpu"), ("openvino", "onnxruntime-openvino")];

#[derive(Clone, Debug)]
struct OnnxRuntimeSpec {
    version: At<Wish>,
    flavour: At<&'static str>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if let Value::Scalar(_) = &node.value {
        let version = checked_version(node, problems, Wish::parse)?;
        return Some(Box::new(OnnxRuntimeSpec { version, flavour: At::new("cpu", node.span) }));
    }
    let mut fields = Fields::open("`onnxruntime`", node, problems)?;
    let version = fields.require("version", "1.23.2", problems);
    let version = version.and_then(|n| checked_version(n, problems, Wish::parse));
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

    fn keep(&mut self, lock: &PlatformLock) {
        let package = self.package();
        lock.keep(REGISTRATION.key, &mut self.version, &[package]);
    }

    fn brings(&self, context: &Context<'_>) -> Vec<(String, At<String>)> {
        let release = self.version(context, &mut Problems::default());
        one_brought(self.package(), release, self.version.span)
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        let version = self.version(context, &mut Problems::default())?;
        Some((self.version.clone(), version))
    }

    fn alternatives(&self, context: &Context<'_>) -> Vec<Alternative> {
        let field = match self.flavour.value {
            "cpu" => REGISTRATION.key.to_owned(),
            _ => format!("{}.version", REGISTRATION.key),
        };
        let with = |version| -> Box<dyn Declared> { Box::new(Self { version, ..self.clone() }) };
        alternatives(&field, &self.version, &rows(self.package(), context), with)
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems);
        let package = self.package();
        let version = self.version(context, problems)?;
        if let Some(row) = row_of(&version, &rows(package, context)) {
            self.refusals(&version, row, context)
                .into_iter()
                .for_each(|reason| problems.error(self.version.span, reason));
            if !row.architectures.contains(&context.facts.architecture) {
                problems.error_with_help(
                    self.flavour.span,
                    format!("{package} {version} has no wheels for {}", context.facts.architecture),
                    "take the flavour `cpu`, or build for linux/amd64",
                );
            }
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
            requirements: wanted.iter().map(|(_, package)| format!("{package}=={version}")).collect(),
            packages: patterns(&["onnxruntime*"]),
            exclude: others.iter().map(|(_, package)| (*package).to_owned()).collect(),
            ..WheelRequest::new(REGISTRATION.key, &version, installer?, span)
        })))
    }
}

/// What is known of a package's releases, the oldest first.
fn rows<'c>(package: &str, context: &Context<'c>) -> Vec<&'c OnnxRuntimeReleases> {
    context.catalog.onnxruntime.iter().filter(|row| row.package == package).collect()
}

impl OnnxRuntimeSpec {
    fn package(&self) -> &'static str {
        FLAVOURS
            .iter()
            .find(|(flavour, _)| *flavour == self.flavour.value)
            .map_or("onnxruntime", |(_, package)| package)
    }

    fn version(&self, context: &Context<'_>, problems: &mut Problems) -> Option<String> {
        let fits = |row: &OnnxRuntimeReleases| self.refusals(&row.versions.1, row, context).is_empty();
        choose(self.package(), &self.version, &rows(self.package(), context), fits, problems)
    }

    /// Why a release does not fit the rest of the spec: nothing where it does, or where nobody knows.
    fn refusals(&self, version: &str, row: &OnnxRuntimeReleases, context: &Context<'_>) -> Vec<String> {
        let package = &row.package;
        let mut reasons = Vec::new();
        if let Some(series) = context.python_home().map(|python| python.series)
            && is_outside(series, row.python)
        {
            reasons.push(format!("{package} {version} has no wheels for Python 3.{series}"));
        }
        if let (Some(needs), Some(has)) = (row.cuda, context.cuda())
            && needs != has
        {
            reasons.push(format!(
                "{package} {version} loads the libraries of CUDA {needs}, and the spec has CUDA {has}"
            ));
        }
        reasons.extend(torch::other_cudnn(&format!("{package} {version}"), row.cudnn, context));
        reasons
    }
}

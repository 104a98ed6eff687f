//! `transformers:` Hugging Face's library of models, with what only it needs.

use super::releases::{alternatives, choose, row_of};
use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{Alternative, Component, Declared, Registration, one_brought};
use crate::catalog::{TransformersReleases, compare};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::resolve::Context;
use crate::spec::{At, Node, Span, Wish, checked_version};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "transformers", decode };

#[derive(Debug)]
struct TransformersSpec {
    version: At<Wish>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let version = checked_version(node, problems, Wish::parse)?;
    Some(Box::new(TransformersSpec { version }))
}

impl Declared for TransformersSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn keep(&mut self, lock: &PlatformLock) {
        lock.keep(REGISTRATION.key, &mut self.version, &["transformers"]);
    }

    fn brings(&self, context: &Context<'_>) -> Vec<(String, At<String>)> {
        let release = self.version(context, &mut Problems::default());
        one_brought(REGISTRATION.key, release, self.version.span)
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        let version = self.version(context, &mut Problems::default())?;
        Some((self.version.clone(), version))
    }

    fn alternatives(&self, context: &Context<'_>) -> Vec<Alternative> {
        alternatives(REGISTRATION.key, &self.version, &rows(context), |version| Box::new(Self { version }))
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems)?;
        let version = self.version(context, problems)?;
        let row = row_of(&version, &rows(context));
        let reasons = row.map(|row| refusals(&version, row, context)).unwrap_or_default();
        reasons.into_iter().for_each(|reason| problems.error(self.version.span, reason));
        Some(Box::new(Wheels(WheelRequest {
            requirements: vec![format!("transformers=={version}")],
            packages: patterns(&["hf-xet", "huggingface-hub", "safetensors", "tokenizers", "transformers"]),
            ..WheelRequest::new(REGISTRATION.key, &version, installer, span)
        })))
    }
}

impl TransformersSpec {
    fn version(&self, context: &Context<'_>, problems: &mut Problems) -> Option<String> {
        let fits = |row: &TransformersReleases| refusals(&row.versions.1, row, context).is_empty();
        choose(REGISTRATION.key, &self.version, &rows(context), fits, problems)
    }
}

fn rows<'c>(context: &Context<'c>) -> Vec<&'c TransformersReleases> {
    context.catalog.transformers.iter().collect()
}

/// Why a release does not fit the rest of the spec: nothing where it does, or where nobody knows.
fn refusals(version: &str, row: &TransformersReleases, context: &Context<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(series) = context.python_home().map(|python| python.series)
        && series < row.oldest_python
    {
        reasons.push(format!(
            "transformers {version} needs Python 3.{} or newer, not 3.{series}",
            row.oldest_python
        ));
    }
    if let (Some(needs), Some(has)) = (&row.oldest_torch, context.torch())
        && compare(&has, needs).is_lt()
    {
        reasons.push(format!("transformers {version} needs torch {needs} or newer, not {has}"));
    }
    reasons
}

//! `transformers:` Hugging Face's library of models, with what only it needs.

use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{Alternative, Component, Declared, Registration};
use crate::catalog::{TransformersReleases, between, compare};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::resolve::Context;
use crate::spec::{At, Node, Span, Version, Wish, checked};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "transformers", decode };

#[derive(Debug)]
struct TransformersSpec {
    version: At<Wish>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let version = checked("a version", node, problems, Wish::parse)?;
    Some(Box::new(TransformersSpec { version }))
}

impl Declared for TransformersSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn keep(&mut self, lock: &PlatformLock) {
        lock.keep(REGISTRATION.key, &mut self.version, &["transformers"]);
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        let version = self.version(context, &mut Problems::default())?;
        Some((self.version.clone(), version))
    }

    fn alternatives(&self, context: &Context<'_>) -> Vec<Alternative> {
        let with = |row: &TransformersReleases| {
            let version = Version::parse(&row.versions.1).ok()?;
            let change = format!("`transformers: {version}`");
            let name = Some(version.to_string());
            let version = At::new(Wish::Prefix(version), self.version.span);
            Some(Alternative { change, version: name, declared: Box::new(Self { version }) })
        };
        context.catalog.transformers.iter().rev().filter_map(with).collect()
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems)?;
        let version = self.version(context, problems)?;
        let rows = context.catalog.transformers.iter();
        for row in rows.filter(|row| between(&version, &row.versions.0, &row.versions.1)) {
            refusals(&version, row, context)
                .into_iter()
                .for_each(|reason| problems.error(self.version.span, reason));
        }
        Some(Box::new(Wheels(WheelRequest {
            requirements: vec![format!("transformers=={version}")],
            packages: patterns(&["hf-xet", "huggingface-hub", "safetensors", "tokenizers", "transformers"]),
            ..WheelRequest::new(REGISTRATION.key, &version, installer, span)
        })))
    }
}

impl TransformersSpec {
    /// The version that is written out, or the newest that the catalog knows to fit. A written one that the catalog does
    /// not know is left to the package index.
    fn version(&self, context: &Context<'_>, problems: &mut Problems) -> Option<String> {
        if let Wish::Prefix(version) = &self.version.value
            && version.as_str().split('.').count() > 2
        {
            return Some(version.to_string());
        }
        let rows = || context.catalog.transformers.iter().rev();
        // The ends of a range of releases are the ones that are known to exist.
        let ends = |row: &TransformersReleases| [row.versions.1.clone(), row.versions.0.clone()];
        let admitted = |version: &String| self.version.value.admits(version);
        let fits = |row: &&TransformersReleases| refusals(&row.versions.1, row, context).is_empty();
        let found = rows().filter(fits).flat_map(ends).find(admitted);
        let found = found.or_else(|| rows().flat_map(ends).find(admitted));
        if found.is_none() {
            let known: Vec<_> = context.catalog.transformers.iter().flat_map(ends).collect();
            let message = format!("the catalog does not know transformers {}", self.version);
            problems.error_with_help(self.version.span, message, format!("it knows {}", known.join(", ")));
        }
        found
    }
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

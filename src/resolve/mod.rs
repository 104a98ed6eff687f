//! `Spec` + catalog + facts of the base image → [`Node`]: every version chosen, every source pinned, every conflict
//! reported. No LLB.

mod facts;
mod source;

pub use facts::{BaseFacts, OsRelease};
pub use source::{SourceArchive, SourceFields, pinned};

use crate::components::{Component, System};
use crate::diagnostic::{Diagnostic, Problems};
use crate::spec::{At, ImageSettings, Name, Spec, Test};

/// A spec in which nothing is left to choose.
#[derive(Debug)]
pub struct Node {
    /// What the node is called.
    pub name: At<Name>,
    /// The base image's place in the spec, and what was read from it.
    pub base: At<BaseFacts>,
    /// The packages of the distribution.
    pub system: System,
    /// The components in the order of the registry.
    pub components: Vec<At<Box<dyn Component>>>,
    /// What the image's configuration says.
    pub image: ImageSettings,
    /// What must hold in the finished image.
    pub tests: Vec<Test>,
    /// What the user should know though it stops nothing.
    pub warnings: Vec<Diagnostic>,
}

/// Chooses versions and sources. All conflicts are reported at once.
pub fn resolve(spec: Spec, facts: BaseFacts) -> Result<Node, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    facts.check_supported(spec.base.span, &mut problems);
    let keys: Vec<&str> = spec.components.iter().map(|c| c.value.key()).collect();
    let context = Context { facts: &facts, keys: &keys };
    let components: Vec<_> = spec
        .components
        .iter()
        .filter_map(|declared| {
            let component = declared.value.resolve(&context, declared.span, &mut problems)?;
            Some(At::new(component, declared.span))
        })
        .collect();
    if !spec.base.value.has_digest() {
        problems.warning(
            spec.base.span,
            format!("the base image `{}` is not pinned", spec.base),
            format!("today it is `{}`", facts.reference),
        );
    }
    problems.check(Some(()))?;
    Ok(Node {
        name: spec.name,
        base: At::new(facts, spec.base.span),
        system: spec.system,
        components,
        image: spec.image,
        tests: spec.tests,
        warnings: problems.into_warnings(),
    })
}

/// What a component can look at when it chooses.
#[derive(Debug)]
pub struct Context<'a> {
    /// What was read from the base image.
    pub facts: &'a BaseFacts,
    keys: &'a [&'static str],
}

impl<'a> Context<'a> {
    /// Whether the spec has the component.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(&key)
    }
}

//! Why components have the versions that they have, and which parts of a spec clash where none fits.

use super::{Context, errors, told};
use crate::catalog::{SUBJECTS, between, compare};
use crate::components::{Alternative, Declared};
use crate::diagnostic::{Diagnostic, Problems, Severity};
use crate::spec::{At, Span, Wish, tell_others};

/// Releases that were passed over and are told of at most.
const MAX_PASSED: usize = 5;

/// Why a component has the version that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The component.
    pub component: &'static str,
    /// Its version.
    pub version: String,
    /// The field that admits it.
    pub span: Span,
    /// What decided, the spec's own words first.
    pub because: Vec<String>,
}

impl Decision {
    /// The same decision with the names of other files that it speaks of, as findings have them.
    pub fn named(&self, files: &[String]) -> Self {
        let because = self.because.iter().map(|reason| tell_others(reason, files)).collect();
        Self { because, ..self.clone() }
    }

    /// What was decided and why, in lines; `place` says where the field is.
    pub fn to_text(&self, place: &str) -> String {
        let because = self.because.iter().map(|reason| format!("    {reason}\n"));
        format!("  {} {} ({place})\n{}", self.component, self.version, because.collect::<String>())
    }
}

/// Why the components that choose among releases chose theirs.
pub(super) fn decisions(context: &Context<'_>) -> Vec<Decision> {
    let before = told(context);
    let decide = |(place, component): (usize, &At<&dyn Declared>)| {
        let (wish, version) = component.value.choice(context)?;
        let mut because = vec![match &wish.value {
            Wish::Prefix(exact) if exact.as_str() == version.as_str() => "the spec names it".to_owned(),
            _ if context.inputs.lock.locked().is_some() => "the lock has it".to_owned(),
            wish => format!("the newest of `{wish}` that fits the rest"),
        }];
        let newer = component.value.alternatives(context).into_iter().filter(|other| {
            let admitted = |other: &str| wish.value.admits(other) && compare(other, version.as_str()).is_gt();
            other.version.as_deref().is_some_and(admitted)
        });
        because
            .extend(newer.filter_map(|other| passed_over(place, &other, &before, context)).take(MAX_PASSED));
        let key = component.value.key();
        because.extend(row(key, &version).map(|row| format!("the catalog's row: {row}")));
        Some(Decision { component: key, version, span: wish.span, because })
    };
    context.components.iter().enumerate().filter_map(decide).collect()
}

/// Why another release does not fit, as trying it tells: what is wrong with it, or else what it is warned of and those that
/// were chosen are not, such as that nobody has established what it runs on.
fn passed_over(
    place: usize,
    other: &Alternative,
    before: &Problems,
    context: &Context<'_>,
) -> Option<String> {
    let mut components = context.components.to_vec();
    components[place].value = other.declared.as_ref();
    let after = told(&Context { components: &components, ..*context });
    let is_new = |found: &&Diagnostic| !before.found().contains(found);
    let new = |severity| after.found().iter().filter(is_new).find(|found| found.severity == severity);
    let reason = new(Severity::Error).or_else(|| new(Severity::Warning))?;
    Some(format!("not {}: {}", other.version.as_deref().unwrap_or_default(), reason.message))
}

/// The cells of the row about a release.
fn row(subject: &str, version: &str) -> Option<String> {
    let subject = SUBJECTS.iter().find(|have| have.name == subject)?;
    let about = |row: &&Vec<(String, String)>| {
        row.iter().any(|(key, cell)| match cell.split_once(' ') {
            Some((oldest, newest)) if key == "versions" => between(version, oldest, newest),
            _ => *key == subject.name && cell == version,
        })
    };
    let rows = subject.rows();
    let cells = rows.iter().find(about)?.iter().map(|(key, cell)| format!("{key} {cell}"));
    Some(cells.collect::<Vec<_>>().join(", "))
}

/// The smallest set of fields without any of which the error would not be there: components and parts of `target`, each
/// with its line. One alone is no clash.
pub(super) fn clash(error: &Diagnostic, context: &Context<'_>) -> Option<String> {
    let remains = |context: &Context<'_>| {
        errors(context).iter().any(|found| found.span == error.span && found.message == error.message)
    };
    let mut components = context.components.to_vec();
    for component in context.components {
        let without: Vec<_> = components.iter().filter(|c| c.span != component.span).cloned().collect();
        if remains(&Context { components: &without, ..*context }) {
            components = without;
        }
    }
    let mut fleet = context.fleet.clone();
    let parts = fleet.parts();
    let mut fields: Vec<_> =
        components.iter().map(|component| (component.span, component.value.key().to_owned())).collect();
    for (span, name) in parts {
        let without = fleet.without(span);
        if remains(&Context { components: &components, fleet: &without, ..*context }) {
            fleet = without;
        } else {
            fields.push((span, name.to_owned()));
        }
    }
    fields.sort();
    let fields: Vec<_> = fields.iter().map(|(span, name)| format!("`{name}` ({})", span.line())).collect();
    match fields.as_slice() {
        [] | [_] => None,
        [first @ .., last] => Some(format!("{} and {last} clash", first.join(", "))),
    }
}

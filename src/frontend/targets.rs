//! What can be built of a spec: a target is one line of a table, and each component is one besides.

use buildkit_frontend::Error;

use crate::lock::{LOCK_TARGET, UPDATE_TARGET};
use crate::spec::{Spec, list};
use crate::suggest::nearest;

/// A target that every spec has.
pub(super) struct Target {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// What it gives.
    pub(super) description: &'static str,
    /// How it is made.
    pub(super) kind: Kind,
}

/// How a target is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The finished image.
    Image,
    /// The spec with all it extends merged into it.
    Spec,
    /// The reports of the spec's tests, which must pass.
    Tests,
    /// The same, whether they pass or not.
    Report,
    /// The steps and what each needs.
    Graph,
    /// What the spec was resolved to.
    Lock,
    /// What a build with a lock downloads.
    Bundle,
    /// A list of what is in the image.
    Sbom,
    /// The tree of one component.
    Component,
    /// The name is kept for what is not there yet.
    Reserved,
}

/// The targets that every spec has; the first is the one that is built when none is named.
pub(super) const TARGETS: &[Target] = &[
    Target { name: "image", description: "The node's image", kind: Kind::Image },
    Target { name: "spec", description: "The spec with all it extends", kind: Kind::Spec },
    Target {
        name: "test",
        description: "The reports of the spec's tests, which must pass",
        kind: Kind::Tests,
    },
    Target {
        name: "report",
        description: "The reports of the spec's tests, pass or fail",
        kind: Kind::Report,
    },
    Target { name: "graph", description: "The steps of the build as text and as a graph", kind: Kind::Graph },
    Target { name: LOCK_TARGET, description: "The spec's lock: what it was resolved to", kind: Kind::Lock },
    Target { name: UPDATE_TARGET, description: "The lock with newer versions", kind: Kind::Lock },
    Target { name: "bundle", description: "All that a build with a lock downloads", kind: Kind::Bundle },
    Target { name: "sbom", description: "A list of all parts, as SPDX", kind: Kind::Sbom },
    Target { name: "bake", description: "A bake file of all families", kind: Kind::Reserved },
];

/// The targets that can be built today.
pub(super) fn available() -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().filter(|target| target.kind != Kind::Reserved)
}

/// What a target's name stands for.
///
/// # Errors
///
/// A name that is nothing in this spec; the message lists what there is.
pub(super) fn find(name: &str, spec: &Spec) -> Result<Kind, Error> {
    let components: Vec<_> = spec.components.iter().flat_map(|component| component.value.targets()).collect();
    // A component comes first: a spec means what it says, whatever else has that name.
    if components.contains(&name) {
        return Ok(Kind::Component);
    }
    let mut names: Vec<_> = available().map(|target| target.name).collect();
    names.extend(&components);
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) if target.kind == Kind::Reserved => Err(Error::user(format!(
            "the target `{name}` ({}) is planned and not there yet; there are {}",
            target.description.to_lowercase(),
            list(&names)
        ))),
        Some(target) => Ok(target.kind),
        None => {
            let hint = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name one of them".to_owned(),
            };
            let name = name.escape_debug();
            Err(Error::user(format!("there is no target `{name}`; there are {}; {hint}", list(&names))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::REGISTRY;
    use crate::spec::parse;

    #[test]
    fn names_are_told_apart() {
        let spec = parse("name: n\nbase: debian:13\npython: {version: 3.13.5}\n").expect("valid");
        let words = |name: &str| find(name, &spec).map_err(|error| error.to_string());
        assert_eq!(words("image"), Ok(Kind::Image));
        assert_eq!(words("python"), Ok(Kind::Component));
        assert_eq!(
            words("pyton"),
            Err("there is no target `pyton`; there are `image`, `spec`, `test`, `report`, `graph`, `lock`, `update`, `bundle`, `sbom`, `python`; did you mean `python`?"
                .to_owned())
        );
        assert!(words("ffmpeg").is_err_and(|words| words.ends_with("name one of them")));
        let reserved = TARGETS.iter().filter(|target| target.kind == Kind::Reserved);
        for target in reserved {
            assert!(
                words(target.name).is_err_and(|words| words.contains("not there yet")),
                "{}",
                target.name
            );
        }
    }

    #[test]
    fn no_component_has_the_name_of_a_target() {
        for component in REGISTRY {
            assert!(TARGETS.iter().all(|target| target.name != component.key), "{}", component.key);
        }
    }
}

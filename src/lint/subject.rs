//! What rules look at.

use crate::spec::{At, Node, Scalar, Span, Spec, Value, normal_name};

/// A spec and its text, with everything it extends merged into it.
#[derive(Debug)]
pub struct Subject<'s> {
    /// The spec, all of whose values are valid.
    pub spec: &'s Spec,
    /// Whether a lock lies beside it.
    pub locked: bool,
}

/// A Python requirement as the spec writes it.
#[derive(Clone, Debug)]
pub struct Wanted<'s> {
    /// The normal form of the package's name.
    pub name: String,
    /// The whole requirement.
    pub text: &'s str,
    /// Where.
    pub span: Span,
}

impl<'s> Subject<'s> {
    /// A spec to look at.
    pub fn new(spec: &'s Spec, locked: bool) -> Self {
        Self { spec, locked }
    }

    /// The value at a path of keys, such as `ffmpeg.version`.
    pub fn get(&self, path: &str) -> Option<&'s Node> {
        path.split('.').try_fold(&self.spec.root, field)
    }

    /// Whether the spec has a value there.
    pub fn has(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// The single value at a path.
    pub fn text(&self, path: &str) -> Option<(&'s str, Span)> {
        self.get(path).and_then(scalar)
    }

    /// The release of a component, written alone or as its `version`.
    pub fn version(&self, component: &str) -> Option<(&'s str, Span)> {
        self.text(component).or_else(|| self.text(&format!("{component}.version")))
    }

    /// The items of the list at a path; none where there is no list.
    pub fn list(&self, path: &str) -> &'s [Node] {
        match self.get(path).map(|node| &node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// The single values in the list at a path.
    pub fn texts(&self, path: &str) -> impl Iterator<Item = (&'s str, Span)> {
        self.list(path).iter().filter_map(scalar)
    }

    /// The entries of the mapping at a path; none where there is no mapping.
    pub fn entries(&self, path: &str) -> &'s [(At<String>, Node)] {
        match self.get(path).map(|node| &node.value) {
            Some(Value::Map(entries)) => entries,
            _ => &[],
        }
    }

    /// The Python requirements that the spec writes out.
    pub fn requirements(&self) -> Vec<Wanted<'s>> {
        let wanted = |(text, span)| Wanted { name: normal_name(text), text, span };
        self.texts("wheels.requirements").map(wanted).collect()
    }

    /// The packages of the distribution that the spec names, without their versions.
    pub fn packages(&self) -> Vec<(&'s str, Span)> {
        let bare = |(text, span): (&'s str, Span)| (text.split('=').next().unwrap_or(text), span);
        self.texts("system.packages").map(bare).collect()
    }

    /// The programs that the spec runs, each with its arguments.
    pub fn programs(&self) -> Vec<Vec<(&'s str, Span)>> {
        let alone = ["entrypoint", "cmd", "healthcheck.run"].map(|path| self.list(path));
        let listed = ["commands", "tests"].map(|path| self.list(path)).into_iter().flatten();
        let run = listed.filter_map(|item| match field(item, "run").map(|node| &node.value) {
            Some(Value::List(run)) => Some(run.as_slice()),
            _ => None,
        });
        let programs = alone.into_iter().chain(run).map(|run| run.iter().filter_map(scalar).collect());
        programs.filter(|run: &Vec<_>| !run.is_empty()).collect()
    }

    /// Every single value of the spec, with the key it is at; items of lists have the key of their list.
    pub fn scalars(&self) -> Vec<(&'s str, &'s str, Span)> {
        let mut found = Vec::new();
        let mut open = vec![("", &self.spec.root)];
        while let Some((key, node)) = open.pop() {
            match &node.value {
                Value::Scalar(Scalar { text, .. }) => found.push((key, text.as_str(), node.span)),
                Value::List(items) => open.extend(items.iter().map(|item| (key, item))),
                Value::Map(entries) => open.extend(entries.iter().map(|(k, item)| (k.value.as_str(), item))),
            }
        }
        found
    }
}

/// A field of a mapping.
pub(super) fn field<'s>(node: &'s Node, key: &str) -> Option<&'s Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|(k, _)| k.value == key).map(|(_, value)| value),
        _ => None,
    }
}

/// A single value's text and place.
pub(super) fn scalar(node: &Node) -> Option<(&str, Span)> {
    match &node.value {
        Value::Scalar(scalar) if !scalar.is_null() => Some((scalar.text.as_str(), node.span)),
        _ => None,
    }
}

/// The leading numbers of a version: 3, 13 and 5 of `3.13.5`.
pub(super) fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

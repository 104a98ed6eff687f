//! Secrets of the client that steps can read: files that are in no layer, no history and no provenance.

use super::{At, Fields, Name, Node, Span, Value, boolean, checked};
use crate::diagnostic::Problems;

/// The secrets that steps of the whole spec read.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Names and passwords for archives and indexes of packages, in the format of netrc(5).
    pub netrc: Option<Secret>,
}

impl Secrets {
    /// Reads `secrets:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("`secrets`", node, problems)?;
        let netrc = fields.take("netrc").and_then(|node| Secret::decode(node, problems));
        fields.finish(problems);
        Some(Self { netrc })
    }
}

/// A secret that a step reads.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What it is called on the client's command line (`--secret id=…`, `--ssh …`).
    pub id: At<Name>,
    /// Whether the step can do without it.
    pub optional: bool,
}

impl Secret {
    /// What names and passwords are called where a spec says nothing of them; there may be none.
    pub fn netrc() -> Option<Self> {
        Name::parse("netrc").ok().map(|id| Self { id: At::new(id, Span::default()), optional: true })
    }

    /// Reads an id alone, or a mapping with `id` and `optional`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        Self::decode_as(["a secret", "the id of a secret", "netrc"], node, problems)
    }

    /// Reads the same of an ssh agent.
    pub fn decode_agent(node: &Node, problems: &mut Problems) -> Option<Self> {
        Self::decode_as(["`ssh`", "the id of an ssh agent", "default"], node, problems)
    }

    fn decode_as(
        [what, id_of, example]: [&'static str; 3],
        node: &Node,
        problems: &mut Problems,
    ) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            let id = checked(id_of, node, problems, Name::parse)?;
            return Some(Self { id, optional: false });
        }
        let mut fields = Fields::open(what, node, problems)?;
        let id = fields.require("id", example, problems);
        let id = id.and_then(|node| checked(id_of, node, problems, Name::parse));
        let optional = fields.take("optional").and_then(|node| boolean("`optional`", node, problems));
        fields.finish(problems);
        Some(Self { id: id?, optional: optional.is_some_and(|optional| optional.value) })
    }
}

//! `status:` how far a spec can be relied on.

use super::{At, Node, text};
use crate::diagnostic::Problems;
use crate::suggest::nearest;

/// How far a spec can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nodes run it.
    Production,
    /// It may change or fail.
    Experimental,
    /// It is kept to look at, and to build again if need be.
    Archived,
}

impl Status {
    const ALL: [Self; 3] = [Self::Production, Self::Experimental, Self::Archived];

    /// Its word in a spec and in labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Experimental => "experimental",
            Self::Archived => "archived",
        }
    }

    /// Reads `status:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<At<Self>> {
        let text = text("`status`", node, problems)?;
        if let Some(status) = Self::ALL.into_iter().find(|status| status.word() == text.value) {
            return Some(At::new(status, text.span));
        }
        let help = match nearest(&text.value, Self::ALL.map(Self::word)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write `production`, `experimental` or `archived`".to_owned(),
        };
        problems.error_with_help(text.span, format!("`{}` is no status", text.value.escape_debug()), help);
        None
    }
}

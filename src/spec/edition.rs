//! `apiVersion:` the edition of the language that a spec is written in.

use super::decode::text;
use super::node::Node;
use crate::diagnostic::Problems;

/// The editions that this program reads; the last one is that of a spec without the field.
pub const EDITIONS: &[&str] = &["v1"];

/// Whether the spec is written in an edition that this program reads; else what it holds means nothing here, and only
/// that is a problem.
pub(super) fn check(node: &Node, problems: &mut Problems) -> Option<()> {
    let edition = text("`apiVersion`", node, problems)?;
    if EDITIONS.contains(&edition.value.as_str()) {
        return Some(());
    }
    problems.error_with_help(
        edition.span,
        format!("`{}` is not an edition of specs that this frontend reads", edition.value.escape_debug()),
        format!(
            "it reads {}; a later edition needs a later frontend, such as `# syntax=ratio1/edgenode:2` names",
            EDITIONS.join(", ")
        ),
    );
    None
}

//! `uv:` the installer of Python packages in the image itself, into `/usr/local/bin`. The one that installs `wheels` is
//! a tool of the build and has nothing to do with it.

use super::prebuilt::Program;
use super::{Declared, Registration};
use crate::diagnostic::Problems;
use crate::plan::Part;
use crate::spec::Node;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "uv", decode };

const PROGRAM: Program = Program { key: "uv", archive: true, parts, programs: &["uv"], packages: &[] };

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    PROGRAM.decode(node, problems)
}

fn parts(file_name: &str) -> Vec<Part> {
    let folder = file_name.trim_end_matches(".tar.gz");
    let part = |name: &str| Part::program(format!("/{folder}/{name}"), format!("/usr/local/bin/{name}"));
    // Old releases have no `uvx`.
    vec![part("uv"), part("uvx").if_there()]
}

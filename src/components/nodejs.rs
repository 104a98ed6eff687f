//! `nodejs:` Node.js with npm, as its project publishes it, into `/usr/local`.

use super::prebuilt::Program;
use super::{Declared, Registration};
use crate::diagnostic::Problems;
use crate::plan::Part;
use crate::spec::Node;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "nodejs", decode };

const PROGRAM: Program = Program {
    key: "nodejs",
    archive: true,
    parts,
    programs: &["node", "npm", "npx"],
    packages: &["libstdc++6"],
};

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    PROGRAM.decode(node, problems)
}

/// The headers and the documentation stay behind.
fn parts(file_name: &str) -> Vec<Part> {
    let folder = file_name.trim_end_matches(".tar.xz").trim_end_matches(".tar.gz");
    let directory = |from: &str, to: &str| Part::directory(format!("/{folder}/{from}"), to.to_owned());
    vec![directory("bin", "/usr/local/bin"), directory("lib/node_modules", "/usr/local/lib/node_modules")]
}

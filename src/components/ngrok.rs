//! `ngrok:` the tunnel agent, as its vendor publishes it, into `/usr/local/bin`.

use super::prebuilt::Program;
use super::{Declared, Registration};
use crate::diagnostic::Problems;
use crate::plan::Part;
use crate::spec::Node;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "ngrok", decode };

const PROGRAM: Program =
    Program { key: "ngrok", archive: false, parts, programs: &["ngrok"], packages: &["ca-certificates"] };

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    PROGRAM.decode(node, problems)
}

fn parts(file_name: &str) -> Vec<Part> {
    vec![Part::program(format!("/{file_name}"), "/usr/local/bin/ngrok".to_owned())]
}

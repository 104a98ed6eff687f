//! `commands:` what no component does: programs that run in the assembled image and may change it.

use super::{At, ContextPath, DeviceName, Fields, Name, Node, Secret, boolean, checked, items, text};
use crate::diagnostic::Problems;

/// A program that changes the image.
#[derive(Debug)]
pub struct Command {
    /// Its name in progress and errors.
    pub name: At<Name>,
    /// Program and arguments; no shell reads them, unless the program is one.
    pub run: Vec<At<String>>,
    /// What of the build context it can read, below `/run/edgenode/inputs`.
    pub inputs: Vec<At<ContextPath>>,
    /// Whether it has a network.
    pub network: bool,
    /// What it can read below `/run/secrets`.
    pub secrets: Vec<Secret>,
    /// What it gets of the builder's devices.
    pub devices: Vec<At<DeviceName>>,
    /// The agent of the client whose keys it can use, by its id (`--ssh ID`).
    pub ssh: Option<Secret>,
}

impl Command {
    /// Reads one entry of `commands:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("a command", node, problems)?;
        let name = fields.require("name", "warm-cache", problems);
        let name = name.and_then(|node| checked("a command's name", node, problems, Name::parse));
        let run = fields.require("run", "[python3, -m, compileall, /app]", problems);
        let run = run.map(|node| {
            let run = items("`run`", node, problems, |n, p| text("an argument", n, p));
            if run.is_empty() {
                problems.error_with_help(
                    node.span,
                    "a command has no program",
                    "for example `run: [ldconfig]`",
                );
            }
            run
        });
        let inputs = fields.take("inputs").map(|node| {
            items("`inputs`", node, problems, |n, p| {
                checked("a path in the build context", n, p, ContextPath::parse)
            })
        });
        let network = fields.take("network").and_then(|node| boolean("`network`", node, problems));
        let secrets = fields.take("secrets").map(|node| items("`secrets`", node, problems, Secret::decode));
        let devices = fields.take("devices").map(|node| devices(node, problems));
        let ssh = fields.take("ssh").and_then(|node| Secret::decode_agent(node, problems));
        fields.finish(problems);
        Some(Self {
            name: name?,
            run: run?,
            inputs: inputs.unwrap_or_default(),
            network: network.is_some_and(|network| network.value),
            secrets: secrets.unwrap_or_default(),
            devices: devices.unwrap_or_default(),
            ssh,
        })
    }
}

/// Reads a list of devices.
pub(super) fn devices(node: &Node, problems: &mut Problems) -> Vec<At<DeviceName>> {
    items("`devices`", node, problems, |n, p| checked("a device", n, p, DeviceName::parse))
}

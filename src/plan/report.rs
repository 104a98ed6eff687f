//! A plan for people and programs to read: its graph, what its components come from, and which line causes what.

use serde_json::{Value, json};

use super::{Action, Plan, RunResult, Step, StepId};
use crate::spec::Span;

impl Action {
    /// The steps whose results it needs, each once.
    pub fn inputs(&self) -> Vec<StepId> {
        let mut inputs = match self {
            Self::Base
            | Self::Fetch { .. }
            | Self::Checkout { .. }
            | Self::Files(_)
            | Self::Context(_)
            | Self::Named(_)
            | Self::Unresolved => Vec::new(),
            Self::Unpack { archive, .. } => vec![*archive],
            Self::Place { from, .. } => vec![*from],
            Self::Run(run) => {
                std::iter::once(run.root).chain(run.mounts.iter().map(|mount| mount.from)).collect()
            }
            Self::Assemble { root, trees } => std::iter::once(*root).chain(trees.iter().copied()).collect(),
            Self::Collect(parts) => parts.clone(),
        };
        inputs.sort();
        inputs.dedup();
        inputs
    }

    /// What it does, in a word or two.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Base => "pull",
            Self::Fetch { .. } => "download",
            Self::Checkout { .. } => "check out",
            Self::Unpack { .. } => "unpack",
            Self::Files(_) => "write",
            Self::Context(_) | Self::Named(_) => "transfer",
            Self::Place { .. } | Self::Collect(_) => "copy",
            Self::Run(run) if run.network => "run with a network",
            Self::Run(_) => "run",
            Self::Assemble { .. } => "merge",
            Self::Unresolved => "wait",
        }
    }
}

/// Where the bytes of a component come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its downloads: address and SHA-256.
    pub downloads: Vec<(String, String)>,
    /// Repositories that it is built from: address and commit.
    pub checkouts: Vec<(String, String)>,
    /// Whether a package index chooses some of its files on the day of the build.
    pub index: bool,
    /// The packages of the distribution that it asks for.
    pub packages: Vec<String>,
}

impl Plan {
    /// The base image, with its digest where the daemon knows it.
    pub fn base(&self) -> &str {
        let base = self.steps.iter().find(|step| matches!(step.action, Action::Base));
        base.map_or("", |step| step.name.trim_start_matches("[base] "))
    }

    /// The graph as text: a step, what it does, and the numbers of the steps that it needs.
    pub fn graph_text(&self) -> String {
        let mut text = String::new();
        for (number, step) in self.steps.iter().enumerate() {
            let needs: Vec<_> = step.action.inputs().iter().map(|id| format!(" #{}", id.0)).collect();
            let needs = if needs.is_empty() { String::new() } else { format!(", needs{}", needs.concat()) };
            text.push_str(&format!("#{number} {} ({}{needs})\n", step.name, step.action.verb()));
        }
        text
    }

    /// The graph in the language of Graphviz.
    pub fn graph_dot(&self) -> String {
        let mut text =
            "digraph edgenode {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
        for (number, step) in self.steps.iter().enumerate() {
            let label = step.name.replace('\\', "\\\\").replace('"', "\\\"");
            let style = match step.action {
                Action::Run(_) => "",
                _ => ", style=rounded",
            };
            text.push_str(&format!("  s{number} [label=\"{label}\"{style}];\n"));
        }
        for (number, step) in self.steps.iter().enumerate() {
            for input in step.action.inputs() {
                text.push_str(&format!("  s{} -> s{number};\n", input.0));
            }
        }
        text.push_str("}\n");
        text
    }

    /// Where a component's files come from. What it only builds with or installs into, such as Python for wheels, is a
    /// component of its own.
    pub fn origin(&self, name: &str) -> Option<Origin> {
        let component = self.components.iter().find(|component| component.name == name)?;
        let others =
            self.components.iter().filter(|other| other.tree != component.tree).map(|other| other.tree);
        // Those that choose wheels see all that are built; who installs what was chosen has nothing of that.
        let others: Vec<_> = others.chain(self.release.wheels.iter().map(|chosen| chosen.step)).collect();
        let mut origin = Origin { packages: component.packages.clone(), ..Origin::default() };
        for step in self.own_steps(component.tree, &others) {
            match &step.action {
                Action::Fetch { url, sha256, .. } => origin.downloads.push((url.clone(), sha256.clone())),
                Action::Checkout { repository, commit } => {
                    origin.checkouts.push((repository.clone(), commit.clone()));
                }
                Action::Run(run) if run.network && matches!(run.result, RunResult::Directory(_)) => {
                    origin.index = true;
                }
                _ => {}
            }
        }
        Some(origin)
    }

    /// A step and all it needs, without what only `others` need.
    fn own_steps(&self, from: StepId, others: &[StepId]) -> Vec<&Step> {
        let mut wanted = vec![false; self.steps.len()];
        wanted[from.0] = true;
        // Steps only refer to earlier ones.
        for number in (0..=from.0).rev() {
            if wanted[number] {
                for input in self.steps[number].action.inputs() {
                    wanted[input.0] |= !others.contains(&input);
                }
            }
        }
        self.steps.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(step, _)| step).collect()
    }

    /// The steps by the place in the spec that causes them, in the order of the text. Internal ones have no place.
    pub fn by_place(&self) -> Vec<(Span, Vec<&Step>)> {
        let mut places: Vec<(Span, Vec<&Step>)> = Vec::new();
        for step in self.steps.iter().filter(|step| step.span != Span::default()) {
            match places
                .iter_mut()
                .find(|(span, _)| (span.file, span.start) == (step.span.file, step.span.start))
            {
                Some((_, steps)) => steps.push(step),
                None => places.push((step.span, vec![step])),
            }
        }
        places.sort_by_key(|(span, _)| *span);
        places
    }
}

impl Origin {
    /// Whether the same files come tomorrow.
    pub fn pinned(&self) -> bool {
        let is_fetched = !self.downloads.is_empty() || !self.checkouts.is_empty();
        !self.index && (is_fetched || self.packages.is_empty())
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let downloads: Vec<_> =
            self.downloads.iter().map(|(url, sha256)| json!({"url": url, "sha256": sha256})).collect();
        let checkouts = self.checkouts.iter();
        let checkouts: Vec<_> = checkouts
            .map(|(repository, commit)| json!({"repository": repository, "commit": commit}))
            .collect();
        json!({"checkouts": checkouts, "downloads": downloads, "index": self.index, "packages": self.packages, "pinned": self.pinned()})
    }
}

//! What is seen in components' trees: which libraries their files need, and which files they have. What comes after only sees
//! these lists: which packages own the libraries is asked again if a component needs others, where the compilers are,
//! which nothing else needs; and a component that changes but needs the same leaves the system step cached.

use std::collections::BTreeMap;

use super::planner::{Planner, Provided, RUN_DIR, Script};
use super::{Mount, StepId};
use crate::components::WHEELS;
use crate::spec::Span;

const LOOK: Script = Script { name: "look.sh", text: include_str!("../components/scripts/look.sh") };
const OWNERS: Script = Script { name: "owners.sh", text: include_str!("../components/scripts/owners.sh") };

/// A look at a component's tree.
#[derive(Clone, Debug)]
pub struct Look {
    /// The component.
    pub name: String,
    /// The step, whose result has the list of files below `/has` and the libraries below `/needs`.
    pub step: StepId,
    tree: StepId,
    built_in: Option<StepId>,
    optional_libraries: bool,
    span: Span,
}

impl Planner {
    /// Looks at all trees that are provided so far and `wanted`; each tree is looked at once.
    pub fn look(&mut self, wanted: impl Fn(&Provided) -> bool) -> Vec<Look> {
        let looks: Vec<_> = self.all_provided().iter().filter(|p| wanted(p)).map(Look::new).collect();
        let mut planned = |look: Look| {
            let step = self.looks.get(&look.tree).copied().unwrap_or_else(|| look.plan(self));
            self.looks.insert(look.tree, step);
            Look { step, ..look }
        };
        looks.into_iter().map(&mut planned).collect()
    }

    /// Finds the packages of the distribution that own the libraries which were seen to be needed: a step for all trees
    /// that were built in the same root. Gives the steps, whose results have lists `/packages`, each with a name.
    pub fn find_owners(&mut self, looks: &[Look]) -> Vec<(String, StepId)> {
        let mut together = BTreeMap::<(StepId, bool), Vec<&Look>>::new();
        for look in looks {
            if let Some(root) = look.built_in {
                together.entry((root, look.optional_libraries)).or_default().push(look);
            }
        }
        let mut owners: Vec<_> = together
            .into_iter()
            .map(|((root, optional), looks)| self.owners_in(root, optional, &looks))
            .collect();
        owners.sort();
        owners
    }

    fn owners_in(&mut self, root: StepId, optional: bool, looks: &[&Look]) -> (String, StepId) {
        let name = match looks {
            [only] => only.name.clone(),
            // What is installed into the same Python.
            _ => WHEELS.to_owned(),
        };
        let at = format!("{RUN_DIR}/needed");
        let mut run = self.script(&OWNERS, root, vec![at.clone()]);
        run.mounts.extend(looks.iter().map(|look| Mount {
            at: format!("{at}/{}", look.name),
            from: look.step,
            part: "/needs".to_owned(),
        }));
        run.env.extend(optional.then(|| ("OPTIONAL".to_owned(), "1".to_owned())));
        let span = looks.first().map(|look| look.span).unwrap_or_default();
        let step = self.run(format!("[{name}] find needed packages"), span, run);
        (name, step)
    }
}

/// Mounts the lists of files of `looks` below a directory, each by the name of what was looked at.
pub fn mount_lists(looks: &[Look], directory: &str) -> Vec<Mount> {
    let mount = |look: &Look| Mount {
        at: format!("{directory}/{}", look.name),
        from: look.step,
        part: "/has".to_owned(),
    };
    looks.iter().map(mount).collect()
}

impl Look {
    fn new(provided: &Provided) -> Self {
        let Provided { tree, built_in, optional_libraries, span, .. } = *provided;
        Self { name: provided.name.clone(), step: tree, tree, built_in, optional_libraries, span }
    }

    fn plan(&self, planner: &mut Planner) -> StepId {
        let at = format!("{RUN_DIR}/tree");
        let (root, what) = match self.built_in {
            Some(_) => (planner.elf_tools(), "find needed libraries"),
            None => (planner.base(), "list files"),
        };
        let mut run = planner.script(&LOOK, root, vec![at.clone()]);
        run.mounts.push(Mount { at, from: self.tree, part: "/".to_owned() });
        let libraries = match (self.built_in, self.optional_libraries) {
            (None, _) => "none",
            (Some(_), true) => "names",
            (Some(_), false) => "files",
        };
        run.env.push(("LIBRARIES".to_owned(), libraries.to_owned()));
        planner.run(format!("[{}] {what}", self.name), self.span, run)
    }
}

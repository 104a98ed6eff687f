//! What is seen in components' trees: which packages own the libraries that their files need, and which files they have.
//! What comes after only sees these lists, so that a component that changes but needs the same leaves the system step
//! cached, and nothing but the component's own step has to have its tree.

use super::planner::{Planner, Provided, RUN_DIR, Script};
use super::{Mount, StepId};
use crate::spec::Span;

const LOOK: Script = Script { name: "look.sh", text: include_str!("../components/scripts/look.sh") };

impl Planner {
    /// Looks at all trees that are provided so far and `wanted`. Gives their names and the looks; each tree is looked at
    /// once.
    pub fn look(&mut self, wanted: impl Fn(&Provided) -> bool) -> Vec<(String, StepId)> {
        let looks: Vec<_> = self.all_provided().iter().filter(|p| wanted(p)).map(Look::new).collect();
        let mut planned = |look: Look| {
            let step = self.looks.get(&look.tree).copied().unwrap_or_else(|| look.plan(self));
            self.looks.insert(look.tree, step);
            (look.name, step)
        };
        looks.into_iter().map(&mut planned).collect()
    }
}

/// Mounts the lists of files of `looks` below a directory, each by the name of what was looked at.
pub fn mount_lists(looks: &[(String, StepId)], directory: &str) -> Vec<Mount> {
    let mount = |(name, from): &(String, StepId)| Mount {
        at: format!("{directory}/{name}"),
        from: *from,
        part: "/has".to_owned(),
    };
    looks.iter().map(mount).collect()
}

/// A look at a component's tree.
struct Look {
    name: String,
    tree: StepId,
    built_in: Option<StepId>,
    optional_libraries: bool,
    span: Span,
}

impl Look {
    fn new(provided: &Provided) -> Self {
        let Provided { tree, built_in, optional_libraries, span, .. } = *provided;
        Self { name: provided.name.clone(), tree, built_in, optional_libraries, span }
    }

    fn plan(&self, planner: &mut Planner) -> StepId {
        let at = format!("{RUN_DIR}/tree");
        let root = self.built_in.unwrap_or(planner.base());
        let mut run = planner.script(&LOOK, root, vec![at.clone()]);
        run.mounts.push(Mount { at, from: self.tree, part: "/".to_owned() });
        let libraries = match (self.built_in, self.optional_libraries) {
            (None, _) => "none",
            (Some(_), true) => "optional",
            (Some(_), false) => "required",
        };
        run.env.push(("LIBRARIES".to_owned(), libraries.to_owned()));
        let what = if self.built_in.is_some() { "find needed packages" } else { "list files" };
        planner.run(format!("[{}] {what}", self.name), self.span, run)
    }
}

//! The named build context `wheelhouse`: a directory of wheels that all Python packages come from, in place of indexes.
//! Steps that resolve and install them have no network then.

use crate::plan::{Action, Mount, Planner, Run, Script, StepId};
use crate::spec::Span;

/// What the client calls it.
pub const CONTEXT: &str = "wheelhouse";

/// Where steps find the wheels.
const WHEELS_DIR: &str = "/run/edgenode/wheelhouse";
/// Where they find the index of them.
const INDEX_DIR: &str = "/run/edgenode/wheelhouse-index";

const LOAD: &str = "[wheels] load the wheelhouse";
const LOOK: &str = "[wheels] look into the wheelhouse";

const INDEX: Script =
    Script { name: "wheelhouse-index.sh", text: include_str!("scripts/wheelhouse-index.sh") };

/// The wheels of the client, and the index of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wheelhouse {
    wheels: StepId,
    index: StepId,
}

impl Wheelhouse {
    /// Plans the index, if the client has a wheelhouse and it is not planned yet. `root` has a shell.
    pub(super) fn open(root: StepId, span: Span, planner: &mut Planner) -> Option<Self> {
        if !planner.has_wheelhouse() {
            return None;
        }
        if let (Some(wheels), Some(index)) = (planner.step_called(LOAD), planner.step_called(LOOK)) {
            return Some(Self { wheels, index });
        }
        let wheels = planner.step(LOAD.to_owned(), span, Action::Named(CONTEXT.to_owned()));
        let mut run = planner.script_with(&INDEX, &[], root, Vec::new());
        run.mounts.push(mount(WHEELS_DIR, wheels));
        run.env.push(("WHEELS".to_owned(), WHEELS_DIR.to_owned()));
        let index = planner.run(LOOK.to_owned(), span, run);
        Some(Self { wheels, index })
    }

    /// Has a run with uv take packages from here and from nowhere else.
    pub(super) fn apply(self, run: &mut Run) {
        run.mounts.extend([mount(WHEELS_DIR, self.wheels), mount(INDEX_DIR, self.index)]);
        run.env.push(("UV_DEFAULT_INDEX".to_owned(), format!("file://{INDEX_DIR}")));
        // uv takes for granted that a file of an index stays what it was.
        run.env.push(("UV_NO_CACHE".to_owned(), "1".to_owned()));
    }
}

fn mount(at: &str, from: StepId) -> Mount {
    Mount { at: at.to_owned(), from, part: "/".to_owned() }
}

//! Ops on whole trees.

use buildkit_proto::{caps::llb, pb};

use crate::op::{Draft, Inputs};
use crate::{Meta, Output, Platform};

/// Lays trees over each other, the later over the earlier. Scratch adds nothing; of one tree there is nothing to merge.
pub fn merge(trees: &[Output], meta: Meta) -> Output {
    let trees: Vec<_> = trees.iter().filter(|tree| !tree.is_scratch()).collect();
    match trees.as_slice() {
        [] => return Output::scratch(),
        [one] => return (*one).clone(),
        _ => {}
    }
    let mut inputs = Inputs::default();
    let merged = trees.iter().map(|tree| pb::MergeInput { input: inputs.push(tree) }).collect();
    draft(pb::op::Op::Merge(pb::MergeOp { inputs: merged }), inputs, llb::MERGE_OP, meta)
}

/// What `upper` has that `lower` has not, deletions included.
pub fn diff(lower: &Output, upper: &Output, meta: Meta) -> Output {
    if lower.is_scratch() {
        return upper.clone();
    }
    let mut inputs = Inputs::default();
    let lower = Some(pb::LowerDiffInput { input: inputs.push(lower) });
    let input = if upper.is_scratch() { -1 } else { inputs.push(upper) };
    let op = pb::DiffOp { lower, upper: Some(pb::UpperDiffInput { input }) };
    draft(pb::op::Op::Diff(op), inputs, llb::DIFF_OP, meta)
}

/// Solves the definition that lies in `tree` as the file `path`, and gives its result.
pub fn build(tree: &Output, path: &str, platform: &Platform, meta: Meta) -> Output {
    let mut inputs = Inputs::default();
    let op = pb::BuildOp {
        // The daemon itself, no other program.
        builder: -1,
        inputs: [("buildkit.llb.definition".to_owned(), pb::BuildInput { input: inputs.push(tree) })].into(),
        attrs: [("llbbuild.filename".to_owned(), path.to_owned())].into(),
        def: None,
    };
    let (op, caps) = (pb::op::Op::Build(op), vec![llb::BUILD_LLB_FILE_NAME]);
    Draft { op, inputs, platform: Some(platform.to_pb()), caps, meta, problem: None }.finish()
}

fn draft(op: pb::op::Op, inputs: Inputs, cap: &'static str, meta: Meta) -> Output {
    Draft { op, inputs, platform: None, caps: vec![cap], meta, problem: None }.finish()
}

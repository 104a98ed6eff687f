//! Graphs that others made: named contexts and results of other solves.

use std::collections::BTreeMap;
use std::sync::Arc;

use buildkit_proto::pb;
use prost::Message;

use crate::op::{Vertex, digest};
use crate::{Error, Output};

impl Output {
    /// The result of a definition that someone else encoded. Its ops keep their bytes, so their digests stay the same.
    /// An empty definition is scratch. Locations are not taken over, because their source files are others.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] where the definition is not whole.
    pub fn import(definition: &pb::Definition) -> Result<Self, Error> {
        let Some(terminal) = definition.def.last() else { return Ok(Self::scratch()) };
        let mut ops = BTreeMap::new();
        for bytes in &definition.def {
            let op =
                pb::Op::decode(bytes.as_slice()).map_err(|_| Error::Import("an op cannot be decoded"))?;
            ops.insert(digest(bytes), (bytes, op));
        }
        let mut importer = Importer { definition, ops, done: BTreeMap::new() };
        let terminal =
            pb::Op::decode(terminal.as_slice()).map_err(|_| Error::Import("an op cannot be decoded"))?;
        match terminal.inputs.as_slice() {
            [one] => importer.output(one),
            _ => Err(Error::Import("its last op has not exactly one input")),
        }
    }
}

struct Importer<'a> {
    definition: &'a pb::Definition,
    ops: BTreeMap<String, (&'a Vec<u8>, pb::Op)>,
    done: BTreeMap<String, Output>,
}

impl Importer<'_> {
    /// Builds what `wanted` needs. The stack is on the heap, so that a long chain of ops is no danger; a digest cannot
    /// refer to itself, so that it ends.
    fn output(&mut self, wanted: &pb::Input) -> Result<Output, Error> {
        let mut stack = vec![wanted.digest.clone()];
        while let Some(name) = stack.last().cloned() {
            let Some((bytes, op)) = self.ops.get(&name) else {
                return Err(Error::Import("an op that another one needs is missing"));
            };
            let missing: Vec<_> = op
                .inputs
                .iter()
                .map(|i| &i.digest)
                .filter(|d| !self.done.contains_key(*d))
                .cloned()
                .collect();
            if !missing.is_empty() {
                stack.extend(missing);
                continue;
            }
            let inputs = op.inputs.iter().map(|i| self.done[&i.digest].with_index(i.index)).collect();
            let vertex = Vertex {
                bytes: (*bytes).clone(),
                digest: name.clone(),
                op: op.clone(),
                metadata: self.definition.metadata.get(&name).cloned().unwrap_or_default(),
                limits: None,
                locations: Vec::new(),
                inputs,
                problem: None,
            };
            self.done.insert(name, Output { vertex: Some(Arc::new(vertex)), index: 0 });
            stack.pop();
        }
        Ok(self.done[&wanted.digest].with_index(wanted.index))
    }
}

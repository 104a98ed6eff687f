//! Vertices of the graph and their canonical encoding.

use std::sync::Arc;

use buildkit_proto::pb;
use buildkit_proto::resources::LinuxResources;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{Location, Meta};

/// One output of an op: a file system. Scratch, the empty one, comes from no op.
#[derive(Clone, Debug, Default)]
pub struct Output {
    pub(crate) vertex: Option<Arc<Vertex>>,
    pub(crate) index: i64,
}

/// An op whose bytes are final, with all that it depends on.
#[derive(Debug)]
pub(crate) struct Vertex {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) op: pb::Op,
    pub(crate) metadata: pb::OpMetadata,
    pub(crate) limits: Option<LinuxResources>,
    pub(crate) locations: Vec<Location>,
    pub(crate) inputs: Vec<Output>,
    /// What makes the op one that BuildKit would refuse.
    pub(crate) problem: Option<String>,
}

/// Takes a long chain of ops apart one by one. The drop that the compiler makes would recurse once for each op.
impl Drop for Vertex {
    fn drop(&mut self) {
        let mut orphans = std::mem::take(&mut self.inputs);
        while let Some(orphan) = orphans.pop() {
            if let Some(mut vertex) = orphan.vertex.and_then(Arc::into_inner) {
                orphans.append(&mut vertex.inputs);
            }
        }
    }
}

impl Output {
    /// The empty file system.
    pub fn scratch() -> Self {
        Self::default()
    }

    /// Whether this is the empty file system.
    pub fn is_scratch(&self) -> bool {
        self.vertex.is_none()
    }

    /// The digest of the op, `sha256:` and 64 digits; none for scratch.
    pub fn digest(&self) -> Option<&str> {
        self.vertex.as_ref().map(|vertex| vertex.digest.as_str())
    }

    /// The source that this is made of alone: an image, a repository, a download. `None` where it is made of more.
    pub fn only_source(&self) -> Option<&pb::SourceOp> {
        let mut vertex = self.vertex.as_ref()?;
        loop {
            match (&vertex.op.op, vertex.inputs.as_slice()) {
                (Some(pb::op::Op::Source(source)), _) => return Some(source),
                (_, [input]) => vertex = input.vertex.as_ref()?,
                _ => return None,
            }
        }
    }

    /// The same vertex's output with another index.
    pub(crate) fn with_index(&self, index: i64) -> Self {
        Self { vertex: self.vertex.clone(), index }
    }
}

impl PartialEq for Output {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest() && self.index == other.index
    }
}

impl Eq for Output {}

/// The inputs of an op, each once unless it is pushed anyway.
#[derive(Debug, Default)]
pub(crate) struct Inputs(Vec<Output>);

impl Inputs {
    /// The place of `output` among the inputs; −1 for scratch.
    pub(crate) fn index(&mut self, output: &Output) -> i64 {
        if output.is_scratch() {
            return -1;
        }
        match self.0.iter().position(|have| have == output) {
            Some(place) => place as i64,
            None => self.push(output),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds `output` even if it is there already.
    pub(crate) fn push(&mut self, output: &Output) -> i64 {
        self.0.push(output.clone());
        self.0.len() as i64 - 1
    }
}

/// An op before it is encoded.
pub(crate) struct Draft {
    pub(crate) op: pb::op::Op,
    pub(crate) inputs: Inputs,
    pub(crate) platform: Option<pb::Platform>,
    pub(crate) caps: Vec<&'static str>,
    pub(crate) meta: Meta,
    pub(crate) problem: Option<String>,
}

impl Draft {
    /// Encodes the op; gives its output 0.
    pub(crate) fn finish(self) -> Output {
        let mut metadata = self.meta.pb;
        metadata.caps.extend(self.caps.iter().map(|&cap| (cap.to_owned(), true)));
        let inputs = self.inputs.0;
        let op = pb::Op {
            inputs: inputs.iter().map(input).collect(),
            op: Some(self.op),
            platform: self.platform,
            constraints: Some(pb::WorkerConstraints::default()),
        };
        let bytes = encode(&op);
        let vertex = Vertex {
            digest: digest(&bytes),
            bytes,
            op,
            metadata,
            limits: self.meta.limits,
            locations: self.meta.locations,
            inputs,
            problem: self.problem,
        };
        Output { vertex: Some(Arc::new(vertex)), index: 0 }
    }
}

/// How an op refers to one of its inputs.
pub(crate) fn input(output: &Output) -> pb::Input {
    pb::Input { digest: output.digest().unwrap_or_default().to_owned(), index: output.index }
}

/// The bytes of an op in the order of BuildKit's Go client: all plain fields first, then the kind of op. Prost would
/// write the kind before `platform` and `constraints`, which gives other digests.
pub(crate) fn encode(op: &pb::Op) -> Vec<u8> {
    let plain = pb::Op { op: None, ..op.clone() };
    let kind = pb::Op { op: op.op.clone(), ..pb::Op::default() };
    let mut bytes = plain.encode_to_vec();
    bytes.extend(kind.encode_to_vec());
    bytes
}

/// The digest of an op's bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

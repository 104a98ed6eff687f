//! From a graph to the message that BuildKit solves.

use std::collections::BTreeMap;
use std::sync::Arc;

use buildkit_proto::resources::{self, LinuxResources};
use buildkit_proto::{caps, pb};

use crate::op::{Vertex, digest, encode, input};
use crate::{Location, Output};

/// Why a graph cannot be sent.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// BuildKit would refuse the op.
    #[error("invalid operation `{name}`: {problem}")]
    Op {
        /// The op's name in progress.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A location names a source file that is not there.
    #[error("`{name}` is located in source file {source_index}, but there are {count}")]
    Location {
        /// The op's name in progress.
        name: String,
        /// The file it names.
        source_index: usize,
        /// How many there are.
        count: usize,
    },
    /// Not a platform.
    #[error("`{0}` is not a platform such as `linux/amd64`")]
    Platform(String),
    /// A definition that someone else made is not whole.
    #[error("the definition of another build cannot be used: {0}")]
    Import(&'static str),
    /// Scratch has no definition.
    #[error("there is nothing to build: the result is scratch")]
    Scratch,
}

/// A file that ops come from.
#[derive(Clone, Debug, Default)]
pub struct SourceFile {
    /// Its name, as the user knows it.
    pub filename: String,
    /// Its language, in linguist's names: `YAML`.
    pub language: String,
    /// Its bytes.
    pub data: Vec<u8>,
    /// The graph that fetched it, if any.
    pub definition: Option<pb::Definition>,
}

/// A graph that is ready to be solved.
#[derive(Clone, Debug)]
pub struct Definition {
    pub(crate) pb: Arc<pb::Definition>,
    pub(crate) order: Vec<(String, pb::Op)>,
    limits: BTreeMap<String, LinuxResources>,
    head: String,
}

impl Definition {
    /// Encodes the graph below `output`. Ops come before those that use them, each once, in an order that depends on
    /// nothing but the graph. Equal ops are one; the first keeps its name, and all their locations are kept.
    pub fn marshal(output: &Output, files: &[SourceFile]) -> Result<Self, Error> {
        let Some(head) = &output.vertex else {
            return Err(Error::Scratch);
        };
        let mut collected = Collected::default();
        collected.visit(head)?;
        let mut pb = pb::Definition::default();
        let mut order = Vec::new();
        let (mut located, mut limits) = (BTreeMap::new(), BTreeMap::new());
        for (vertex, locations) in collected.in_order() {
            let name = vertex.metadata.description.get("llb.customname").cloned().unwrap_or_default();
            if let Some(bad) = locations.iter().find(|location| location.source >= files.len()) {
                let (source_index, count) = (bad.source, files.len());
                return Err(Error::Location { name, source_index, count });
            }
            pb.def.push(vertex.bytes.clone());
            pb.metadata.insert(vertex.digest.clone(), vertex.metadata.clone());
            limits.extend(vertex.limits.iter().map(|limit| (vertex.digest.clone(), limit.clone())));
            order.push((vertex.digest.clone(), vertex.op.clone()));
            if !locations.is_empty() {
                located.insert(vertex.digest.clone(), locations_pb(&locations));
            }
        }
        let terminal = pb::Op { inputs: vec![input(output)], ..pb::Op::default() };
        let bytes = encode(&terminal);
        let caps = common_caps(pb.metadata.values());
        pb.metadata.insert(digest(&bytes), pb::OpMetadata { caps, ..pb::OpMetadata::default() });
        pb.def.push(bytes);
        let infos = files.iter().map(SourceFile::to_pb).collect();
        pb.source = Some(pb::Source { locations: located, infos });
        Ok(Self { pb: Arc::new(pb), order, limits, head: head.digest.clone() })
    }

    /// The message, without limits, which its type does not have.
    pub fn to_pb(&self) -> pb::Definition {
        pb::Definition::clone(&self.pb)
    }

    /// The message, shared.
    pub fn shared_pb(&self) -> Arc<pb::Definition> {
        Arc::clone(&self.pb)
    }

    /// The message's bytes, as `buildctl build` reads them.
    pub fn to_bytes(&self) -> Vec<u8> {
        resources::encode(&self.pb, &self.limits)
    }

    /// The digest of the op whose output this is.
    pub fn head(&self) -> &str {
        &self.head
    }
}

impl SourceFile {
    /// As BuildKit writes it.
    pub fn to_pb(&self) -> pb::SourceInfo {
        pb::SourceInfo {
            filename: self.filename.clone(),
            data: self.data.clone(),
            definition: self.definition.clone(),
            language: self.language.clone(),
        }
    }
}

/// The capabilities that no single op needs: as in Go's client they are told with the last op.
fn common_caps<'a>(metadata: impl Iterator<Item = &'a pb::OpMetadata>) -> BTreeMap<String, bool> {
    let mut caps = vec![caps::llb::CONSTRAINTS, caps::llb::PLATFORM];
    for op in metadata {
        caps.extend(op.ignore_cache.then_some(caps::llb::META_IGNORE_CACHE));
        caps.extend((!op.description.is_empty()).then_some(caps::llb::META_DESCRIPTION));
    }
    caps.into_iter().map(|id| (id.to_owned(), true)).collect()
}

fn locations_pb(locations: &[Location]) -> pb::Locations {
    let locations = locations.iter().map(|location| pb::Location {
        source_index: location.source as i32,
        ranges: location.ranges.iter().map(|range| range.to_pb()).collect(),
    });
    pb::Locations { locations: locations.collect() }
}

/// The vertices of a graph, inputs first.
#[derive(Default)]
struct Collected {
    places: BTreeMap<String, usize>,
    found: Vec<(Arc<Vertex>, Vec<Location>)>,
}

impl Collected {
    /// Visits depth first. The stack is on the heap, so that a long chain of ops is no danger.
    fn visit(&mut self, head: &Arc<Vertex>) -> Result<(), Error> {
        let mut stack = vec![(head.clone(), 0)];
        while let Some((vertex, next)) = stack.pop() {
            let known = self.places.contains_key(&vertex.digest);
            match vertex.inputs.get(next).and_then(|input| input.vertex.clone()) {
                Some(below) if !known => {
                    stack.push((vertex, next + 1));
                    stack.push((below, 0));
                }
                _ => self.add(&vertex)?,
            }
        }
        Ok(())
    }

    fn add(&mut self, vertex: &Arc<Vertex>) -> Result<(), Error> {
        if let Some(problem) = &vertex.problem {
            let name = vertex.metadata.description.get("llb.customname").cloned().unwrap_or_default();
            return Err(Error::Op { name, problem: problem.clone() });
        }
        match self.places.get(&vertex.digest) {
            Some(&place) => self.found[place].1.extend(vertex.locations.iter().cloned()),
            None => {
                self.places.insert(vertex.digest.clone(), self.found.len());
                self.found.push((vertex.clone(), vertex.locations.clone()));
            }
        }
        Ok(())
    }

    fn in_order(self) -> impl Iterator<Item = (Arc<Vertex>, Vec<Location>)> {
        self.found.into_iter().map(|(vertex, mut locations)| {
            locations.sort();
            locations.dedup();
            (vertex, locations)
        })
    }
}

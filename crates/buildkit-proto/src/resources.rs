//! Memory and processors of containers: a field of `OpMetadata` that BuildKit has since 0.31 (`solver/pb/ops.proto`) and the
//! generated types do not have yet. What they lack is written behind what they write: to protobuf, one message after
//! another is one message.

use std::collections::BTreeMap;

use prost::Message;

use crate::frontend::CacheOptionsEntry;
use crate::pb;

/// What a container gets at most (message `pb.LinuxResources`). Zero and empty are no limit.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LinuxResources {
    /// Memory, in bytes.
    #[prost(int64, tag = "1")]
    pub memory: i64,
    /// Memory and swap together, in bytes; -1 is no limit.
    #[prost(int64, tag = "2")]
    pub memory_swap: i64,
    /// The weight among other containers.
    #[prost(uint64, tag = "3")]
    pub cpu_shares: u64,
    /// The length of a period of the scheduler, in microseconds.
    #[prost(uint64, tag = "4")]
    pub cpu_period: u64,
    /// How much of a period it may run, in microseconds, of all processors together.
    #[prost(int64, tag = "5")]
    pub cpu_quota: i64,
    /// Which processors it may use: `0-2,7`.
    #[prost(string, tag = "6")]
    pub cpuset_cpus: String,
    /// Which memory nodes it may use, likewise.
    #[prost(string, tag = "7")]
    pub cpuset_mems: String,
}

/// `SolveRequest` with a definition that is encoded already. Fields that no frontend of this project fills are left out.
#[derive(Clone, PartialEq, Message)]
pub struct SolveRequest {
    /// The graph, as [`encode`] gives it.
    #[prost(bytes = "vec", tag = "1")]
    pub definition: Vec<u8>,
    /// As in the generated type.
    #[prost(bool, tag = "5")]
    pub allow_result_return: bool,
    /// As in the generated type.
    #[prost(bool, tag = "6")]
    pub allow_result_array_ref: bool,
    /// As in the generated type.
    #[prost(message, repeated, tag = "12")]
    pub cache_imports: Vec<CacheOptionsEntry>,
    /// As in the generated type.
    #[prost(bool, tag = "14")]
    pub evaluate: bool,
}

/// The bytes of a definition in which the ops of these digests have limits.
pub fn encode(definition: &pb::Definition, limits: &BTreeMap<String, LinuxResources>) -> Vec<u8> {
    let mut bytes = definition.encode_to_vec();
    let metadata = limits.iter().filter_map(|(digest, resources)| {
        let mut metadata = definition.metadata.get(digest)?.encode_to_vec();
        metadata.extend(Limit { resources: Some(resources.clone()) }.encode_to_vec());
        Some((digest.clone(), metadata))
    });
    // Of two entries with one key the last one counts.
    bytes.extend(Limited { metadata: metadata.collect() }.encode_to_vec());
    bytes
}

/// `Definition` with nothing but its metadata, encoded.
#[derive(Clone, PartialEq, Message)]
struct Limited {
    #[prost(btree_map = "string, bytes", tag = "2")]
    metadata: BTreeMap<String, Vec<u8>>,
}

/// `OpMetadata` with nothing but its limits.
#[derive(Clone, PartialEq, Message)]
struct Limit {
    #[prost(message, optional, tag = "7")]
    resources: Option<LinuxResources>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_as_it_is() {
        let metadata = |name: &str| pb::OpMetadata {
            description: [("llb.customname".to_owned(), name.to_owned())].into(),
            ..pb::OpMetadata::default()
        };
        let definition = pb::Definition {
            def: vec![vec![1], vec![2]],
            metadata: [("a".to_owned(), metadata("first")), ("b".to_owned(), metadata("second"))].into(),
            ..pb::Definition::default()
        };
        assert_eq!(encode(&definition, &BTreeMap::new()), definition.encode_to_vec());

        let resources =
            LinuxResources { memory: 7, cpuset_cpus: "0-1".to_owned(), ..LinuxResources::default() };
        let limits = [("b".to_owned(), resources.clone()), ("no op".to_owned(), resources.clone())].into();
        let bytes = encode(&definition, &limits);
        assert_eq!(pb::Definition::decode(&*bytes).expect("a definition"), definition);
        let limited = Limited::decode(&*bytes).expect("a definition");
        let limit = |digest: &str| Limit::decode(&*limited.metadata[digest]).expect("metadata").resources;
        assert_eq!((limit("a"), limit("b"), limited.metadata.len()), (None, Some(resources), 2));
    }
}

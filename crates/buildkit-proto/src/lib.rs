#![doc = include_str!("../README.md")]

pub mod caps;
pub mod errdefs;
pub mod resources;

/// LLB: operations, definitions, source maps (package `pb`).
pub use bollard_buildkit_proto::pb;

/// The gateway service between BuildKit and a frontend (package `moby.buildkit.v1.frontend`).
pub use bollard_buildkit_proto::moby::buildkit::v1::frontend;

/// Capabilities as the daemon lists them (package `moby.buildkit.v1.apicaps`).
pub use bollard_buildkit_proto::moby::buildkit::v1::apicaps;

/// Source policies (package `moby.buildkit.v1.sourcepolicy`).
pub use bollard_buildkit_proto::moby::buildkit::v1::sourcepolicy;

/// Worker records (package `moby.buildkit.v1.types`).
pub use bollard_buildkit_proto::moby::buildkit::v1::types;

/// What is said of a file (package `fsutil.types`).
pub use bollard_buildkit_proto::fsutil::types as fsutil;

/// gRPC status with details (package `google.rpc`).
pub use bollard_buildkit_proto::google::rpc;

/// Well-known types that BuildKit's messages use (package `google.protobuf`).
pub use bollard_buildkit_proto::google::protobuf;

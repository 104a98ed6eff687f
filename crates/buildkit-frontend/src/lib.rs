#![doc = include_str!("../README.md")]

mod caps;
mod context;
mod error;
mod gateway;
mod git;
mod ignore;
mod image;
mod options;
mod result;
mod run;
mod run_options;
mod transport;

pub use caps::Capabilities;
pub use context::{BuildContext, NamedContext, SpecFile};
pub use error::Error;
pub use gateway::{Gateway, ResolvedImage, Warning};
pub use ignore::patterns as ignore_patterns;
pub use image::ImageConfig;
pub use options::{CacheImport, NoCache, Options};
pub use result::{Attestation, BuildResult, Reference};
pub use run::{Frontend, run, serve};
pub use run_options::RunOptions;
pub use transport::Call;

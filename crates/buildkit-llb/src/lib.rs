#![doc = include_str!("../README.md")]

mod definition;
mod exec;
mod file;
mod import;
mod meta;
mod op;
mod platform;
mod source;
mod text;
mod trees;

pub use definition::{Definition, Error, SourceFile};
pub use exec::{Exec, ExecOutputs, Mount, Network, Security, Sharing};
pub use file::{Copy, File, Mkdir, Mkfile, Rm, Symlink};
pub use meta::{Location, Meta, Position, Range};
pub use op::Output;
pub use platform::Platform;
pub use source::Source;
pub use trees::{build, diff, merge};

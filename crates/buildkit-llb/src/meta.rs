//! What is known about an op beside the op itself: it takes no part in digests or cache keys.

use buildkit_proto::pb;
use buildkit_proto::resources::LinuxResources;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column; BuildKit counts from 0, most clients only show lines.
    pub character: u32,
}

/// A part of a file, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// First place.
    pub start: Position,
    /// Last place.
    pub end: Position,
}

impl Range {
    /// As BuildKit writes it, with both ends present.
    pub fn to_pb(self) -> pb::Range {
        let position =
            |p: Position| Some(pb::Position { line: p.line as i32, character: p.character as i32 });
        pb::Range { start: position(self.start), end: position(self.end) }
    }
}

/// The lines that an op comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Which of the source files given to [`crate::Definition::marshal`].
    pub source: usize,
    /// Which parts of it.
    pub ranges: Vec<Range>,
}

/// Name, place and wishes of an op.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    pub(crate) pb: pb::OpMetadata,
    pub(crate) limits: Option<LinuxResources>,
    pub(crate) locations: Vec<Location>,
}

impl Meta {
    /// Metadata with the name that progress shows.
    pub fn named(name: &str) -> Self {
        Self::default().description("llb.customname", name)
    }

    /// Adds an entry of the description.
    pub fn description(mut self, key: &str, value: &str) -> Self {
        self.pb.description.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Says which lines the op comes from.
    pub fn at(mut self, location: Location) -> Self {
        self.locations.push(location);
        self
    }

    /// Runs the op again even where its result is known.
    pub fn ignore_cache(mut self, ignore: bool) -> Self {
        self.pb.ignore_cache = ignore;
        self
    }

    /// Forces or forbids the op's record in an exported cache.
    pub fn export_cache(mut self, value: bool) -> Self {
        self.pb.export_cache = Some(pb::ExportCache { value });
        self
    }

    /// Shows the op under a common line; a group of weak ops only stays hidden.
    pub fn progress_group(mut self, id: &str, name: &str, weak: bool) -> Self {
        self.pb.progress_group = Some(pb::ProgressGroup { id: id.to_owned(), name: name.to_owned(), weak });
        self
    }
}

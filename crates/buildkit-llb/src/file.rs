//! Changes to trees without running a program.

use buildkit_proto::{caps::llb, pb};
use pb::file_action::Action;

use crate::op::{Draft, Inputs};
use crate::{Meta, Output};

/// Keeps the mode or time of what is copied, or takes the time of the build.
const KEEP: i32 = -1;

/// A copy from one tree to another.
#[derive(Clone, Debug)]
pub struct Copy {
    from: Output,
    pb: pb::FileActionCopy,
}

impl Copy {
    /// Copies `src` of `from` to `dest`. A slash at the end of `dest` means "into this directory".
    pub fn new(from: &Output, src: impl Into<String>, dest: impl Into<String>) -> Self {
        let pb = pb::FileActionCopy {
            src: src.into(),
            dest: dest.into(),
            mode: KEEP,
            timestamp: KEEP.into(),
            ..pb::FileActionCopy::default()
        };
        Self { from: from.clone(), pb }
    }

    /// Sets the permission bits of everything copied.
    pub fn mode(mut self, mode: u32) -> Self {
        self.pb.mode = mode as i32;
        self
    }

    /// Sets the time of everything copied, in nanoseconds since 1970.
    pub fn timestamp(mut self, nanoseconds: i64) -> Self {
        self.pb.timestamp = nanoseconds;
        self
    }

    /// Sets user and group by number.
    pub fn owner(mut self, user: u32, group: u32) -> Self {
        self.pb.owner = Some(by_id(user, group));
        self
    }

    /// Unpacks what is an archive.
    pub fn unpack(mut self) -> Self {
        self.pb.attempt_unpack_docker_compatibility = true;
        self
    }

    /// Makes the directories above `dest`.
    pub fn create_dest_path(mut self) -> Self {
        self.pb.create_dest_path = true;
        self
    }

    /// Copies what a link points to.
    pub fn follow_symlink(mut self) -> Self {
        self.pb.follow_symlink = true;
        self
    }

    /// Copies what is in a directory, not the directory.
    pub fn dir_contents(mut self) -> Self {
        self.pb.dir_copy_contents = true;
        self
    }

    /// Takes `src` as a pattern; with `allow_empty` one that may match nothing.
    pub fn wildcard(mut self, allow_empty: bool) -> Self {
        self.pb.allow_wildcard = true;
        self.pb.allow_empty_wildcard = allow_empty;
        self
    }

    /// Only what one of these patterns matches.
    pub fn include(mut self, pattern: &str) -> Self {
        self.pb.include_patterns.push(pattern.to_owned());
        self
    }

    /// Nothing of what this pattern matches.
    pub fn exclude(mut self, pattern: &str) -> Self {
        self.pb.exclude_patterns.push(pattern.to_owned());
        self
    }
}

fn by_id(user: u32, group: u32) -> pb::ChownOpt {
    let id = |id| Some(pb::UserOpt { user: Some(pb::user_opt::User::ById(id)) });
    pb::ChownOpt { user: id(user), group: id(group) }
}

/// A new file.
#[derive(Clone, Debug)]
pub struct Mkfile(pb::FileActionMkFile);

impl Mkfile {
    /// A file with permission bits and content.
    pub fn new(path: &str, mode: u32, data: Vec<u8>) -> Self {
        Self(pb::FileActionMkFile {
            path: path.to_owned(),
            mode: mode as i32,
            data,
            owner: None,
            timestamp: KEEP.into(),
        })
    }

    /// Sets its time, in nanoseconds since 1970.
    pub fn timestamp(mut self, nanoseconds: i64) -> Self {
        self.0.timestamp = nanoseconds;
        self
    }
}

/// A new directory.
#[derive(Clone, Debug)]
pub struct Mkdir(pb::FileActionMkDir);

impl Mkdir {
    /// A directory with permission bits.
    pub fn new(path: &str, mode: u32) -> Self {
        Self(pb::FileActionMkDir {
            path: path.to_owned(),
            mode: mode as i32,
            make_parents: false,
            owner: None,
            timestamp: KEEP.into(),
        })
    }

    /// Makes the directories above it too, and does not mind if it exists.
    pub fn parents(mut self) -> Self {
        self.0.make_parents = true;
        self
    }

    /// Sets its time, in nanoseconds since 1970.
    pub fn timestamp(mut self, nanoseconds: i64) -> Self {
        self.0.timestamp = nanoseconds;
        self
    }
}

/// A removal.
#[derive(Clone, Debug)]
pub struct Rm(pb::FileActionRm);

impl Rm {
    /// Removes a file, or a directory with all in it.
    pub fn new(path: &str) -> Self {
        Self(pb::FileActionRm { path: path.to_owned(), allow_not_found: false, allow_wildcard: false })
    }

    /// Does not mind if there is nothing.
    pub fn allow_not_found(mut self) -> Self {
        self.0.allow_not_found = true;
        self
    }
}

/// A new symbolic link.
#[derive(Clone, Debug)]
pub struct Symlink(pb::FileActionSymlink);

impl Symlink {
    /// A link at `path` to `target`.
    pub fn new(target: &str, path: &str) -> Self {
        Self(pb::FileActionSymlink {
            oldpath: target.to_owned(),
            newpath: path.to_owned(),
            owner: None,
            timestamp: KEEP.into(),
        })
    }
}

/// A file op: some changes, one layer.
#[derive(Debug)]
pub struct File {
    base: Output,
    actions: Vec<(Action, Option<Output>)>,
    caps: Vec<&'static str>,
    meta: Meta,
}

impl File {
    /// Changes `base`.
    pub fn on(base: &Output) -> Self {
        let caps = vec![llb::FILE_BASE];
        Self { base: base.clone(), actions: Vec::new(), caps, meta: Meta::default() }
    }

    fn action(mut self, action: Action, from: Option<Output>, cap: Option<&'static str>) -> Self {
        self.actions.push((action, from));
        self.caps.extend(cap);
        self
    }

    /// Copies from another tree.
    pub fn copy(self, copy: Copy) -> Self {
        let patterns = !copy.pb.include_patterns.is_empty() || !copy.pb.exclude_patterns.is_empty();
        let cap = patterns.then_some(llb::FILE_COPY_INCLUDE_EXCLUDE);
        self.action(Action::Copy(copy.pb), Some(copy.from), cap)
    }

    /// Makes a file.
    pub fn mkfile(self, file: Mkfile) -> Self {
        self.action(Action::Mkfile(file.0), None, None)
    }

    /// Makes a directory.
    pub fn mkdir(self, directory: Mkdir) -> Self {
        self.action(Action::Mkdir(directory.0), None, None)
    }

    /// Removes something.
    pub fn rm(self, rm: Rm) -> Self {
        self.action(Action::Rm(rm.0), None, None)
    }

    /// Makes a link.
    pub fn symlink(self, link: Symlink) -> Self {
        self.action(Action::Symlink(link.0), None, Some(llb::FILE_SYMLINK_CREATE))
    }

    /// Sets name and place.
    pub fn meta(mut self, meta: Meta) -> Self {
        self.meta = meta;
        self
    }

    /// The changed tree. Without changes it is the tree itself.
    pub fn output(self) -> Output {
        if self.actions.is_empty() {
            return self.base;
        }
        let mut inputs = Inputs::default();
        let base = inputs.index(&self.base);
        let sources: Vec<_> = self
            .actions
            .iter()
            .map(|(_, from)| from.as_ref().map_or(-1, |from| inputs.index(from)))
            .collect();
        let problem = self.problem();
        let last = self.actions.len() - 1;
        // Action k works on the result of action k - 1, which is counted after the op's inputs.
        let count = inputs.len() as i64;
        let actions = self.actions.into_iter().zip(sources).enumerate();
        let actions = actions.map(|(k, ((action, _), source))| pb::FileAction {
            input: if k == 0 { base } else { count + k as i64 - 1 },
            secondary_input: source,
            output: if k == last { 0 } else { -1 },
            action: Some(action),
        });
        let op = pb::op::Op::File(pb::FileOp { actions: actions.collect() });
        Draft { op, inputs, platform: None, caps: self.caps, meta: self.meta, problem }.finish()
    }

    fn problem(&self) -> Option<String> {
        self.actions.iter().find_map(|(action, from)| match action {
            Action::Copy(copy) if from.as_ref().is_some_and(Output::is_scratch) => {
                Some(format!("there is nothing to copy to `{}`: the source is scratch", copy.dest))
            }
            Action::Mkfile(file) if !file.path.starts_with('/') => {
                Some(format!("the file `{}` is not at an absolute path", file.path))
            }
            Action::Mkdir(dir) if !dir.path.starts_with('/') => {
                Some(format!("the directory `{}` is not at an absolute path", dir.path))
            }
            _ => None,
        })
    }
}

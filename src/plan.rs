//! What is done to make the image: a graph of steps, as plain data. No protobuf, no sockets, no I/O.
//!
//! A [`Planner`] is filled by the components, each of which adds its own branch of steps and hands over the tree
//! of files it provides. [`plan`] then puts the branches together (see `assemble`).

mod assemble;
mod planner;

pub use assemble::plan;
pub use planner::{Interpreter, Planner, Provided, RUN_DIR, Script, Vendor};

use crate::spec::{ImageSettings, Span};

/// A step of the plan, by its place in [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId(pub usize);

/// Everything that is done for one image on one platform.
#[derive(Debug)]
pub struct Plan {
    /// All steps; a step only refers to earlier ones.
    pub steps: Vec<Step>,
    /// What the components provide, in the order in which their trees are laid on the system.
    pub components: Vec<Provided>,
    /// The step that resolves the Python requirements, if there are any.
    pub resolution: Option<StepId>,
    /// Steps that need nothing of the Python requirements, with all that they need: the looks at the other components.
    pub independent: Vec<StepId>,
    /// The finished file system.
    pub image: StepId,
    /// One step for each test of the spec, whose result is a report.
    pub tests: Vec<StepId>,
    /// What the image's configuration says.
    pub config: Config,
}

/// The image's configuration, beside what the base image says.
#[derive(Debug, Default)]
pub struct Config {
    /// The fields of the spec.
    pub settings: ImageSettings,
    /// Directories that components put in front of `PATH`.
    pub path: Vec<String>,
    /// Variables that components set, unless the spec sets them.
    pub env: Vec<(String, String)>,
    /// The program that a component brings, unless the spec names one.
    pub entrypoint: Option<Vec<String>>,
    /// Labels that tell what is in the image, sorted by key.
    pub labels: Vec<(String, String)>,
}

/// One step: its name for the user, its line in the spec, and what it does.
#[derive(Debug)]
pub struct Step {
    /// What progress shows, such as `[ffmpeg 7.1.3] build`.
    pub name: String,
    /// The line that a failure is shown at.
    pub span: Span,
    /// What is done.
    pub action: Action,
}

/// What a step does. Its result is always one tree of files.
#[derive(Debug)]
pub enum Action {
    /// The base image.
    Base,
    /// Downloads one file; the result holds just it.
    Fetch {
        /// Where from.
        url: String,
        /// What its bytes must hash to, 64 hexadecimal digits.
        sha256: String,
        /// What it is called in the result.
        file_name: String,
    },
    /// Unpacks the archive that `archive` fetched.
    Unpack {
        /// The step that fetched it.
        archive: StepId,
        /// The archive's name in that step's result.
        file_name: String,
    },
    /// Small text files.
    Files(Vec<TextFile>),
    /// Files of the build context: these paths, or all of it if there are none.
    Context(Vec<String>),
    /// Parts of another step's result, each at its place, and nothing else.
    Place {
        /// Whose result it is.
        from: StepId,
        /// What of it goes where.
        parts: Vec<Part>,
    },
    /// Runs a program.
    Run(Run),
    /// Lays trees on a root, the later over the earlier.
    Assemble {
        /// The root.
        root: StepId,
        /// What is laid on it.
        trees: Vec<StepId>,
    },
    /// Puts files from several results side by side into one tree.
    Collect(Vec<StepId>),
}

/// A file or directory that is put somewhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its absolute path where it comes from.
    pub from: String,
    /// Its absolute path where it goes. What is in a directory goes into it.
    pub to: String,
    /// Other permission bits than it has.
    pub mode: Option<u32>,
    /// Whether it is, or may be, a directory.
    pub directory: bool,
}

impl Part {
    /// A directory with all that is in it.
    pub fn directory(from: String, to: String) -> Self {
        Self { from, to, mode: None, directory: true }
    }

    /// A program.
    pub fn program(from: String, to: String) -> Self {
        Self { from, to, mode: Some(0o755), directory: false }
    }
}

/// A small file whose text is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Absolute path.
    pub path: String,
    /// Unix permission bits.
    pub mode: u32,
    /// What is in it.
    pub text: String,
}

/// A program that runs in a container.
#[derive(Debug)]
pub struct Run {
    /// The container's root file system.
    pub root: StepId,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment variables, sorted by name when lowered.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub cwd: String,
    /// Who runs it; empty for root.
    pub user: String,
    /// Read-only trees.
    pub mounts: Vec<Mount>,
    /// Directories kept between builds.
    pub caches: Vec<Cache>,
    /// Empty directories that are thrown away.
    pub scratch: Vec<String>,
    /// Only package managers have a network.
    pub network: bool,
    /// What of the container is kept.
    pub result: RunResult,
}

/// What of a container becomes the step's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunResult {
    /// The whole root.
    Root,
    /// Only what the program wrote into this directory, empty at the start.
    Directory(String),
}

/// A tree that a program can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it appears.
    pub at: String,
    /// Whose result it is.
    pub from: StepId,
    /// Which part of it; `/` for all.
    pub part: String,
}

/// A directory that lives on the builder between builds and is in no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Where it appears.
    pub at: String,
    /// What it is known by on the builder.
    pub id: String,
    /// Whether only one step may use it at a time.
    pub locked: bool,
}

impl Plan {
    /// The paths of the build context that the steps read; `None` when they read none of it.
    pub fn context_paths(&self) -> Option<Vec<String>> {
        let wanted = self.steps.iter().filter_map(|step| match &step.action {
            Action::Context(paths) => Some(paths.clone()),
            _ => None,
        });
        let mut paths: Vec<String> = wanted.flatten().collect();
        paths.sort();
        paths.dedup();
        (!paths.is_empty()).then_some(paths)
    }
}

/// What BuildKit and Docker use where an image sets no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Config {
    /// The environment of the image: the base image's, the components' over it, the spec's over both, and the
    /// components' directories in front of `PATH`.
    pub fn environment(&self, base: &[(String, String)]) -> Vec<(String, String)> {
        let mut env = base.to_vec();
        let spec = self.settings.env.iter().map(|(name, value)| (name.to_string(), value.value.clone()));
        for (name, value) in self.env.iter().cloned().chain(spec) {
            env.retain(|(have, _)| *have != name);
            env.push((name, value));
        }
        prepend_path(&mut env, &self.path);
        env
    }
}

/// Puts directories in front of the variable `PATH`.
fn prepend_path(env: &mut Vec<(String, String)>, directories: &[String]) {
    let rest = match env.iter().find(|(name, _)| name == "PATH") {
        Some((_, value)) => value.clone(),
        None => DEFAULT_PATH.to_owned(),
    };
    let mut parts: Vec<&str> = directories.iter().map(String::as_str).collect();
    parts.extend(rest.split(':').filter(|part| !directories.iter().any(|d| d == part)));
    let value = parts.join(":");
    env.retain(|(name, _)| name != "PATH");
    env.push(("PATH".to_owned(), value));
}

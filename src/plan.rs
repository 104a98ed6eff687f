//! What is done to make the image: a graph of steps, as plain data. No protobuf, no sockets, no I/O.
//!
//! A [`Planner`] is filled by the components, each of which adds its own branch of steps and hands over the tree
//! of files it provides. [`plan`] then puts the branches together (see `assemble`).

mod assemble;
mod look;
mod planner;
mod report;
mod suites;
mod tests;

pub use assemble::plan;
pub use look::mount_lists;
pub use planner::{
    ChosenWheels, Codec, Coder, Interpreter, MAX_LAYERS, Planner, Provided, RUN_DIR, Script, Vendor,
};
pub use report::Origin;
pub use tests::{PlannedCheck, PlannedTest, VERDICT};

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::lock::{LockedArchive, LockedFile, PlatformLock};
use crate::resolve::Decision;
use crate::spec::{At, DeviceName, ImageSettings, Repository, Secret, Span, TagSchema};

/// A step of the plan, by its place in [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId(pub usize);

/// Everything that is done for one image on one platform.
#[derive(Debug)]
pub struct Plan {
    /// What the node is called.
    pub name: String,
    /// All steps; a step only refers to earlier ones.
    pub steps: Vec<Step>,
    /// What the components provide, in the order in which their trees are laid on the system.
    pub components: Vec<Provided>,
    /// The looks at components and at what they need. With what they stand on they are all steps but those of the system and
    /// the image.
    pub looks: Vec<StepId>,
    /// The finished file system.
    pub image: StepId,
    /// The tests of the spec, which run in the finished image and leave it as it is.
    pub tests: Vec<PlannedTest>,
    /// Whether there is no image where a test fails.
    pub require_tests: bool,
    /// What the image's configuration says.
    pub config: Config,
    /// What its tag is made of.
    pub release: Release,
    /// Why versions are what they are, where that was asked for.
    pub decisions: Vec<Decision>,
    /// The list of what is in the finished image: see `sbom-list.sh`.
    pub parts: StepId,
    /// What everything comes from, if there is a lock.
    pub lock: Option<PlatformLock>,
    /// What must be resolved before the rest is known; nothing unless a lock is being made.
    pub pending: Vec<Pending>,
    /// The directory that Python packages are installed into.
    pub site: Option<String>,
    /// The release archives and tools, by what they are called.
    pub sources: BTreeMap<String, LockedFile>,
    /// What was taken from archives of Debian packages, by the addresses of their indexes.
    pub archives: BTreeMap<String, LockedArchive>,
    /// What the lock should have and does not.
    pub problems: Vec<Diagnostic>,
    /// What may be a mistake.
    pub warnings: Vec<Diagnostic>,
}

/// What an image's name and labels are made of.
#[derive(Debug, Default)]
pub struct Release {
    /// The repository that images are pushed to.
    pub repository: Option<At<Repository>>,
    /// How tags are made.
    pub tag: Option<At<TagSchema>>,
    /// The versions that are known before anything is built, by the names that tags use.
    pub versions: BTreeMap<String, String>,
    /// Where the versions of Python packages are found.
    pub wheels: Option<ChosenWheels>,
}

/// Something that is resolved while a lock is being made.
#[derive(Debug)]
pub struct Pending {
    /// What it is.
    pub what: Unlocked,
    /// The step that resolves it.
    pub step: StepId,
}

/// What a lock does not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// The packages of the distribution that a step installs.
    Packages {
        /// What the lock calls the step.
        step: String,
        /// What it asks for.
        asked: Vec<String>,
    },
    /// The Python packages.
    Wheels,
    /// What a Python package is built with.
    Requires(String),
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

impl Step {
    /// Whether a name that a user gives means this step: the part of the image that it is for (`ffmpeg` of
    /// `[ffmpeg 7.1.3] build`), or the command or test that it runs (`warm` of `[command] warm`).
    pub fn answers_to(&self, name: &str) -> bool {
        let rest = self.name.split_once(']').map_or("", |(_, rest)| rest.trim_start());
        self.part().eq_ignore_ascii_case(name) || rest.eq_ignore_ascii_case(name)
    }

    /// The part of the image that it is for.
    pub fn part(&self) -> &str {
        let inside = self.name.strip_prefix('[').unwrap_or_default();
        inside.split([' ', ']']).next().unwrap_or_default()
    }
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
        /// Where from once it is gone there.
        spare: Option<String>,
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
    /// Fetches a commit of a git repository; the result has its files and no history.
    Checkout {
        /// Where from.
        repository: String,
        /// The commit, all digits.
        commit: String,
    },
    /// Small text files.
    Files(Vec<TextFile>),
    /// Files of the build context: these paths, or all of it if there are none.
    Context(Vec<String>),
    /// What the client brings as the named build context of this name.
    Named(String),
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
    /// Stands for what is not known before something is resolved. Nothing that stands on it may run.
    Unresolved,
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
    /// Whether it may be missing.
    pub optional: bool,
}

impl Part {
    /// A directory with all that is in it.
    pub fn directory(from: String, to: String) -> Self {
        Self { from, to, mode: None, directory: true, optional: false }
    }

    /// A program.
    pub fn program(from: String, to: String) -> Self {
        Self { from, to, mode: Some(0o755), directory: false, optional: false }
    }

    /// The same, if it is there.
    pub fn if_there(self) -> Self {
        Self { optional: true, ..self }
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
    /// Secrets of the client.
    pub secrets: Vec<SecretFile>,
    /// An ssh agent of the client, whose socket is at [`SSH_SOCKET`].
    pub agent: Option<SshAgent>,
    /// Only package managers have a network.
    pub network: bool,
    /// What it gets of the builder's devices.
    pub devices: Vec<Device>,
    /// Whether it is not confined, which the client must allow.
    pub privileged: bool,
    /// What of the container is kept.
    pub result: RunResult,
}

impl Run {
    /// Puts directories in front of where its programs are looked for.
    pub fn prepend_path(&mut self, directories: &[String]) {
        prepend_path(&mut self.env, directories);
    }
}

/// A device of the builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name in the Container Device Interface.
    pub name: String,
    /// Whether the step runs without it, too.
    pub optional: bool,
}

impl Device {
    /// One that a spec names.
    pub fn required(name: &At<DeviceName>) -> Self {
        Self { name: name.to_string(), optional: false }
    }
}

/// A secret of the client as a file that is in no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// Where it appears.
    pub at: String,
    /// What it is called on the client's command line.
    pub id: String,
    /// Whether the step runs without it, too.
    pub optional: bool,
}

impl SecretFile {
    /// A secret of the spec.
    pub fn new(at: String, secret: &Secret) -> Self {
        Self { at, id: secret.id.to_string(), optional: secret.optional }
    }

    /// One of a command or test, which finds it below `/run/secrets`.
    pub fn in_run(secret: &Secret) -> Self {
        Self::new(format!("/run/secrets/{}", secret.id), secret)
    }
}

/// Where programs find the socket of an ssh agent, as `SSH_AUTH_SOCK` tells them. Dockerfiles have it there, too.
pub const SSH_SOCKET: &str = "/run/buildkit/ssh_agent.0";

/// An ssh agent of the client. Its keys are in no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshAgent {
    /// What it is called on the client's command line.
    pub id: String,
    /// Whether the step runs without it, too.
    pub optional: bool,
}

impl SshAgent {
    /// An agent of the spec.
    pub fn new(agent: &Secret) -> Self {
        Self { id: agent.id.to_string(), optional: agent.optional }
    }
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

/// A directory that lives on the builder between builds and is in no image. Steps share it: what cannot be used by several
/// at a time they lock themselves, for as long as they must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Where it appears.
    pub at: String,
    /// What it is known by on the builder.
    pub id: String,
}

/// The label that tells the version of a component.
pub fn component_label(name: &str) -> String {
    format!("{VERSION_LABEL}{name}")
}

/// What the labels of versions begin with.
pub const VERSION_LABEL: &str = "ai.ratio1.edgenode.";
/// What the labels of Python packages' versions begin with.
pub const PACKAGE_LABEL: &str = "ai.ratio1.edgenode.package.";
/// The label with the tag that the image's versions make.
pub const TAG_LABEL: &str = "ai.ratio1.tag";

impl Plan {
    /// Has what is pending resolved anew in each session of a client, and what that needs of a network. To tell BuildKit
    /// to take no earlier result would have it throw away all that is in the caches of these steps, which other builds
    /// share.
    pub fn resolve_for(&mut self, session: &str) {
        let mut needed = vec![false; self.steps.len()];
        for pending in &self.pending {
            needed[pending.step.0] = true;
        }
        // Steps only refer to earlier ones.
        for (number, step) in self.steps.iter_mut().enumerate().rev() {
            if !needed[number] {
                continue;
            }
            step.action.inputs().iter().for_each(|input| needed[input.0] = true);
            match &mut step.action {
                Action::Run(run) if run.network => run.env.push(("SESSION".to_owned(), session.to_owned())),
                _ => {}
            }
        }
    }

    /// Whether something is downloaded that is kept in a second place.
    pub fn has_spares(&self) -> bool {
        let is_kept = |step: &Step| matches!(step.action, Action::Fetch { spare: Some(_), .. });
        self.steps.iter().any(is_kept)
    }

    /// Where the file with this digest is downloaded from, with `spares` where it is kept.
    pub fn download_of(&self, digest: &str, spares: bool) -> Option<String> {
        let is_it = |step: &Step| match &step.action {
            Action::Fetch { url, spare, sha256, .. } if sha256 == digest => {
                Some(spare.as_ref().filter(|_| spares).unwrap_or(url).clone())
            }
            _ => None,
        };
        self.steps.iter().find_map(is_it)
    }

    /// What a client can bring by a named build context: each component's tree under the component's name, and the
    /// unpacked sources of what is built from an archive under its name and `-source`; and what only a client can bring.
    pub fn replaceable(&self) -> Vec<(String, StepId)> {
        let whole = self.components.iter().filter(|component| component.part_of.is_none());
        let trees = whole.map(|component| (component.name.clone(), component.tree));
        let sources = self.steps.iter().enumerate().filter_map(|(number, step)| match step.action {
            Action::Unpack { .. } => Some((format!("{}-source", step.part()), StepId(number))),
            Action::Named(ref name) => Some((name.clone(), StepId(number))),
            _ => None,
        });
        trees.chain(sources).collect()
    }

    /// What can be resolved now: nothing of it stands on anything unresolved.
    pub fn ready(&self) -> Vec<&Pending> {
        let mut blocked: Vec<bool> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let below = step.action.inputs().iter().any(|input| blocked[input.0]);
            blocked.push(below || matches!(step.action, Action::Unresolved));
        }
        self.pending.iter().filter(|pending| !blocked[pending.step.0]).collect()
    }

    /// For each step, whether it needs the result of `step` or is it.
    pub fn needing(&self, step: StepId) -> Vec<bool> {
        let mut needing = vec![false; self.steps.len()];
        needing[step.0] = true;
        // Steps only refer to earlier ones.
        for number in step.0 + 1..needing.len() {
            needing[number] = self.steps[number].action.inputs().iter().any(|input| needing[input.0]);
        }
        needing
    }

    /// Whether something is fetched from a server.
    pub fn fetches(&self) -> bool {
        let is_fetched = |step: &Step| matches!(step.action, Action::Fetch { .. } | Action::Checkout { .. });
        self.steps.iter().any(is_fetched)
    }

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

//! What components plan with.

use std::collections::BTreeMap;

use super::{Action, Cache, Mount, Pending, Run, RunResult, SecretFile, Step, StepId, TextFile, Unlocked};
use crate::components::{PythonHome, WheelRequest};
use crate::diagnostic::{Diagnostic, Problems};
use crate::lock::{LockUse, LockedArchive, LockedFile, LockedPackage, LockedPackages};
use crate::resolve::{BaseFacts, SourceArchive};
use crate::spec::{Secret, Span};

/// Where steps find their scripts and read-only inputs.
pub const RUN_DIR: &str = "/run/edgenode";
/// Where steps put their result.
const OUT_DIR: &str = "/run/edgenode-out";

/// Docker's own store takes no image with more layers: of the 127 that its drivers take it keeps two for containers. Source:
/// `maxLayerDepth` of Docker's layer store.
pub const MAX_LAYERS: usize = 125;

/// A fixed shell script of a step. Values reach it as arguments, environment and files, never as text in it.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Its file name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Script {
    /// Its file, with these permission bits, in the directory that it is mounted as.
    pub fn file(&self, mode: u32) -> TextFile {
        TextFile { path: format!("/{}", self.name), mode, text: self.text.to_owned() }
    }
}

/// What a component gives to the image.
#[derive(Debug)]
pub struct Provided {
    /// The component.
    pub name: String,
    /// Its version, as labels tell it.
    pub version: String,
    /// The component that it is parted from, if it is not the whole of one.
    pub part_of: Option<String>,
    /// Its files, as they lie in the image.
    pub tree: StepId,
    /// The root in which the tree was built, where the libraries it needs have an owner. None for what is known to
    /// need no more than `packages`.
    pub built_in: Option<StepId>,
    /// Whether it may lack libraries: wheels carry plug-ins whose libraries nobody has.
    pub optional_libraries: bool,
    /// Whether the loader may find libraries of it where it looks by itself, so that they belong into its index.
    pub indexed: bool,
    /// Whether it is small: then it is laid last where trees are copied over one another, as whatever lies on one that
    /// changes is copied again.
    pub small: bool,
    /// Packages of the distribution that it needs.
    pub packages: Vec<String>,
    /// Directories for the front of `PATH`.
    pub path: Vec<String>,
    /// Variables for the image's environment.
    pub env: Vec<(String, String)>,
    /// Directories in which programs find shared libraries, besides the distribution's.
    pub libraries: Vec<String>,
    /// The components that have the files of those directories, besides this one.
    pub libraries_of: Vec<&'static str>,
    /// What dpkg's database says about the files, for packages that were unpacked into the tree.
    pub records: Option<StepId>,
    /// The program that containers of the image start with.
    pub entrypoint: Option<Vec<String>>,
    /// Its place in the spec.
    pub span: Span,
}

impl Provided {
    /// Whether it is the component of this name or a part of it.
    pub fn belongs_to(&self, component: &str) -> bool {
        self.name == component || self.part_of.as_deref() == Some(component)
    }

    /// A tree that needs nothing and sets nothing.
    pub fn new(name: &str, version: impl Into<String>, tree: StepId, span: Span) -> Self {
        Self {
            name: name.to_owned(),
            version: version.into(),
            part_of: None,
            tree,
            built_in: None,
            optional_libraries: false,
            indexed: true,
            small: false,
            packages: Vec::new(),
            path: Vec::new(),
            env: Vec::new(),
            libraries: Vec::new(),
            libraries_of: Vec::new(),
            records: None,
            entrypoint: None,
            span,
        }
    }
}

/// A component that the base image already has.
#[derive(Clone, Debug)]
pub struct Vendor {
    /// The component.
    pub name: &'static str,
    /// Its version as the base image tells it.
    pub version: String,
    /// Python packages that are not installed again, whoever asks for them.
    pub packages: Vec<String>,
    /// What builds that use it are told of it, as names and values.
    pub env: Vec<(String, String)>,
}

impl Vendor {
    /// One that keeps no Python packages out, and that builds are told nothing of.
    pub fn new(name: &'static str, version: String) -> Self {
        Self { name, version, packages: Vec::new(), env: Vec::new() }
    }
}

/// Which wheels were chosen: lists `/GROUP.txt` with lines such as `numpy==2.2.6`.
#[derive(Clone, Debug)]
pub struct ChosenWheels {
    /// The step whose result has the lists.
    pub step: StepId,
    /// The groups.
    pub groups: Vec<String>,
    /// The packages that the spec names, whose versions labels tell, in the normal form of their names, sorted.
    pub named: Vec<String>,
    /// The versions that are known before anything is built: those that a requirement pins.
    pub pinned: BTreeMap<String, String>,
}

/// What FFmpeg is built to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    /// FFmpeg's name of the coder.
    pub name: &'static str,
    /// What it does.
    pub coder: Coder,
}

/// What a coder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coder {
    /// Encodes video.
    Video,
    /// Encodes video on a GPU.
    GpuVideo,
    /// Encodes audio.
    Audio,
    /// Decodes AV1.
    Decoder,
}

/// The Python that packages are installed into.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// Where it lies in the image.
    pub home: PythonHome,
    /// A root that it runs in.
    pub root: StepId,
    /// Its files, if the root does not have them.
    pub tree: Option<StepId>,
    /// A root in which its libraries have an owner.
    pub built_in: StepId,
    /// A root in which it runs beside the programs that change libraries, if what is installed into it is freed of what
    /// nothing loads.
    pub slim: Option<StepId>,
}

/// Collects steps and what they provide.
#[derive(Debug)]
pub struct Planner {
    facts: BaseFacts,
    steps: Vec<Step>,
    provided: Vec<Provided>,
    /// The looks at trees.
    pub(super) looks: BTreeMap<StepId, StepId>,
    wheels: Vec<WheelRequest>,
    interpreter: Option<Interpreter>,
    vendor: Vec<Vendor>,
    excluded: Vec<String>,
    wheel_files: Vec<Mount>,
    local_wheels: Option<StepId>,
    codecs: Vec<Codec>,
    chosen: Option<ChosenWheels>,
    netrc: Option<Secret>,
    mirror: Option<String>,
    has_wheelhouse: bool,
    constraints: Vec<String>,
    base: StepId,
    elf_tools: Option<StepId>,
    toolchain: Option<StepId>,
    lock: LockUse,
    pending: Vec<Pending>,
    sources: BTreeMap<String, LockedFile>,
    archives: BTreeMap<String, LockedArchive>,
    downloads: BTreeMap<(String, String), StepId>,
    problems: Problems,
}

/// The time that compilers and packers are told where a lock promises the same bytes: the first that zip archives know.
const EPOCH: &str = "315532800";

/// Packages that every compile step has.
const COMMON_TOOLS: [&str; 4] = ["build-essential", "ccache", "pkg-config", "xz-utils"];

/// Where compile steps find programs: the compilers by way of the cache of compiled files, which its package puts there.
const COMPILE_PATH: &str = "/usr/lib/ccache:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const APT_PACKAGES: Script =
    Script { name: "apt-packages.sh", text: include_str!("../components/scripts/apt-packages.sh") };
const APT_INSTALL: Script =
    Script { name: "apt-install.sh", text: include_str!("../components/scripts/apt-install.sh") };
const APT_RESOLVE: Script =
    Script { name: "apt-resolve.sh", text: include_str!("../components/scripts/apt-resolve.sh") };
const APT_LOCKED: Script =
    Script { name: "apt-locked.sh", text: include_str!("../components/scripts/apt-locked.sh") };

impl Planner {
    /// A plan that has nothing but the base image.
    pub fn new(facts: BaseFacts, base: Span, lock: LockUse) -> Self {
        let step = Step { name: format!("[base] {}", facts.reference), span: base, action: Action::Base };
        Self {
            facts,
            steps: vec![step],
            provided: Vec::new(),
            looks: BTreeMap::new(),
            wheels: Vec::new(),
            interpreter: None,
            vendor: Vec::new(),
            excluded: Vec::new(),
            wheel_files: Vec::new(),
            local_wheels: None,
            codecs: Vec::new(),
            chosen: None,
            netrc: None,
            mirror: None,
            has_wheelhouse: false,
            constraints: Vec::new(),
            base: StepId(0),
            elf_tools: None,
            toolchain: None,
            lock,
            pending: Vec::new(),
            sources: BTreeMap::new(),
            archives: BTreeMap::new(),
            downloads: BTreeMap::new(),
            problems: Problems::default(),
        }
    }

    /// The base image.
    pub fn base(&self) -> StepId {
        self.base
    }

    /// What was read from the base image.
    pub fn facts(&self) -> &BaseFacts {
        &self.facts
    }

    /// Adds a step.
    pub fn step(&mut self, name: String, span: Span, action: Action) -> StepId {
        self.steps.push(Step { name, span, action });
        StepId(self.steps.len() - 1)
    }

    /// The step of this name, if there is one.
    pub fn step_called(&self, name: &str) -> Option<StepId> {
        self.steps.iter().position(|step| step.name == name).map(StepId)
    }

    /// The fetched and unpacked sources of `label`.
    pub fn source(&mut self, label: &str, archive: &SourceArchive) -> StepId {
        let SourceArchive { url, sha256, span, .. } = archive.clone();
        self.unpacked(label, LockedFile { url, sha256, size: None, span })
    }

    /// The unpacked files of an archive; what the lock has of `label` comes first.
    pub fn unpacked(&mut self, label: &str, file: LockedFile) -> StepId {
        let span = file.span;
        let file = self.locked_file(label, file);
        let file_name = file.name();
        let fetched = self.download(label, &file);
        let action = Action::Unpack { archive: fetched, file_name };
        self.step(format!("[{label}] unpack"), span, action)
    }

    /// The fetched archive of `label`, as it is.
    pub fn fetch(&mut self, label: &str, archive: &SourceArchive) -> StepId {
        let SourceArchive { url, sha256, span, .. } = archive.clone();
        self.fetch_file(label, LockedFile { url, sha256, size: None, span })
    }

    /// A file that is fetched as it is; what the lock has of `label` comes first.
    pub fn fetch_file(&mut self, label: &str, file: LockedFile) -> StepId {
        let file = self.locked_file(label, file);
        self.download(label, &file)
    }

    /// The file of the lock, where there is one.
    fn locked_file(&mut self, label: &str, mut file: LockedFile) -> LockedFile {
        if let LockUse::Fixed(lock) = &self.lock {
            match lock.sources.get(label) {
                Some(locked) => file = locked.clone(),
                None => self.unlocked(label, file.span),
            }
        }
        self.sources.insert(label.to_owned(), file.clone());
        file
    }

    /// Reports something that the lock should have.
    pub fn unlocked(&mut self, what: &str, span: Span) {
        let help = "make the lock anew with `--target lock`";
        self.problems.error_with_help(span, format!("the lock has no entry for `{what}`"), help);
    }

    /// Warns of an image that has more layers than Docker's own store takes; others take more.
    pub(super) fn check_layers(&mut self, image: StepId, span: Span) {
        let layers = self.facts.layers + self.layers_on_base(image);
        if layers > MAX_LAYERS {
            let message = format!("the image has {layers} layers, and Docker's own store takes {MAX_LAYERS}");
            let help = "take a base image with fewer layers, or put together what has one each: `groups` of `wheels`, entries \
                        of `sdists`, `commands`; Docker with containerd's store takes more";
            self.problems.warning(span, message, help);
        }
    }

    /// How many layers a step adds to those of the base image.
    fn layers_on_base(&self, step: StepId) -> usize {
        match &self.steps[step.0].action {
            Action::Assemble { root, trees } => self.layers_on_base(*root) + trees.len(),
            Action::Run(run) if run.result == RunResult::Root => self.layers_on_base(run.root) + 1,
            _ => 0,
        }
    }

    /// Downloads a file; the same file is the same step.
    pub fn download(&mut self, label: &str, file: &LockedFile) -> StepId {
        self.download_or(label, file, None)
    }

    fn download_or(&mut self, label: &str, file: &LockedFile, spare: Option<String>) -> StepId {
        let key = (file.url.to_string(), file.sha256.to_string());
        if let Some(step) = self.downloads.get(&key) {
            return *step;
        }
        let action = Action::Fetch {
            url: file.url.to_string(),
            spare,
            sha256: file.sha256.to_string(),
            file_name: file.name(),
        };
        let step = self.step(format!("[{label}] download {}", file.url), file.span, action);
        self.downloads.insert(key, step);
        step
    }

    /// Takes note of what was taken from an archive, by the address of its index.
    pub fn note_archive(&mut self, index: &str, taken: LockedArchive) {
        self.archives.entry(index.to_owned()).or_default().add(taken);
    }

    /// How the build uses a lock.
    pub fn lock(&self) -> &LockUse {
        &self.lock
    }

    /// Takes note of something that must be resolved before the steps that stand on it are known. Gives what stands in
    /// its place.
    pub fn pend(&mut self, what: Unlocked, step: StepId) -> StepId {
        let name = self.steps[step.0].name.clone();
        self.pending.push(Pending { what, step });
        self.step(name, Span::default(), Action::Unresolved)
    }

    /// The base image with the programs that read and change ELF files, which are small beside compilers.
    pub fn elf_tools(&mut self) -> StepId {
        if let Some(step) = self.elf_tools {
            return step;
        }
        let step = match self.has_compilers_alone() {
            true => self.toolchain("", &[], Span::default()),
            false => {
                let (base, at) = (self.base, self.steps[self.base.0].span);
                self.apt("[binutils] install packages", base, vec!["binutils".to_owned()], &[], false, at)
            }
        };
        self.elf_tools = Some(step);
        step
    }

    /// Whether the lock was made when compilers brought the programs that read ELF files.
    fn has_compilers_alone(&self) -> bool {
        let LockUse::Fixed(lock) = &self.lock else { return false };
        lock.packages.contains_key("toolchain") && !lock.packages.contains_key("binutils")
    }

    /// The base image with compilers, and with the packages that one build needs besides.
    pub fn toolchain(&mut self, label: &str, packages: &[&str], span: Span) -> StepId {
        let common = match self.toolchain {
            Some(step) => step,
            None => {
                let root = if self.has_compilers_alone() { self.base } else { self.elf_tools() };
                let tools = COMMON_TOOLS.map(str::to_owned).to_vec();
                // Shown at the base image's line: the distribution decides what these packages are.
                let at = self.steps[self.base.0].span;
                let step = self.apt("[toolchain] install compilers", root, tools, &[], false, at);
                self.toolchain = Some(step);
                step
            }
        };
        if packages.is_empty() {
            return common;
        }
        let mut packages: Vec<String> = packages.iter().map(|&p| p.to_owned()).collect();
        packages.sort();
        packages.dedup();
        self.apt(&format!("[{label}] install build packages"), common, packages, &[], false, span)
    }

    /// Installs packages of the distribution on `root`: those named, and those that own what trees need. What is `slim`
    /// lacks what no program needs.
    pub fn apt(
        &mut self,
        name: &str,
        root: StepId,
        packages: Vec<String>,
        owners: &[(String, StepId)],
        slim: bool,
        span: Span,
    ) -> StepId {
        let mut mounts = Vec::new();
        for (name, from) in owners {
            mounts.push(Mount { at: format!("{RUN_DIR}/needs/{name}"), from: *from, part: "/".into() });
        }
        let key = lock_key(name);
        let locked = self.lock.locked().and_then(|lock| lock.packages.get(&key)).cloned();
        match (locked, &self.lock) {
            (Some(locked), _) if locked.asked == packages => {
                return self.apt_locked(name, root, &locked, mounts, slim, span);
            }
            (_, LockUse::Fixed(_)) => self.unlocked(&format!("{key}: {}", packages.join(" ")), span),
            _ => {}
        }
        let distribution = self.facts.cache_key();
        let cache = |at: &str, what: &str| Cache {
            at: at.to_owned(),
            id: format!("edgenode-apt-{what}-{distribution}"),
        };
        let caches = vec![cache("/var/cache/apt", "archives"), cache("/var/lib/apt", "lists")];
        let making = matches!(self.lock, LockUse::Making(_));
        let mut run =
            self.apt_script(if making { &APT_RESOLVE } else { &APT_INSTALL }, root, &packages, mounts);
        run.caches = caches;
        run.network = true;
        self.sign_in(&mut run);
        run.env.extend(self.mirror.iter().map(|mirror| ("MIRROR".to_owned(), mirror.clone())));
        if making {
            let step = self.run(format!("[{key}] find packages"), span, run);
            return self.pend(Unlocked::Packages { step: key, asked: packages }, step);
        }
        run.env.extend(slim.then(|| ("SLIM".to_owned(), "1".to_owned())));
        run.result = RunResult::Root;
        self.run(name.to_owned(), span, run)
    }

    /// A run of one of apt's scripts, for these packages and those that the `needs` name.
    fn apt_script(&mut self, script: &Script, root: StepId, packages: &[String], needs: Vec<Mount>) -> Run {
        let mut run = self.script_with(script, &[APT_PACKAGES], root, packages.to_vec());
        run.mounts.extend(needs);
        run.env.push(("LISTS".to_owned(), format!("{RUN_DIR}/needs")));
        run
    }

    /// Installs the packages that the lock names, offline.
    fn apt_locked(
        &mut self,
        name: &str,
        root: StepId,
        locked: &LockedPackages,
        needs: Vec<Mount>,
        slim: bool,
        span: Span,
    ) -> StepId {
        let at = format!("{RUN_DIR}/archives");
        let mut run = self.apt_script(&APT_LOCKED, root, &locked.asked, needs);
        for (package, LockedPackage { file, .. }) in &locked.files {
            let from = self.download_or(package, file, locked.spare(file));
            let file = file.name();
            run.mounts.push(Mount { at: format!("{at}/{file}"), from, part: format!("/{file}") });
        }
        run.env.push(("ARCHIVES".to_owned(), at));
        self.fix_date(&mut run);
        run.scratch = vec!["/var/cache/apt".to_owned(), "/var/lib/apt".to_owned()];
        run.env.extend(slim.then(|| ("SLIM".to_owned(), "1".to_owned())));
        run.result = RunResult::Root;
        self.run(name.to_owned(), span, run)
    }

    /// A run of a script in `root`, offline, that keeps what is written to [`OUT_DIR`]. Callers add mounts, environment
    /// and caches, then make it a step with [`Planner::run`].
    pub fn script(&mut self, script: &Script, root: StepId, arguments: Vec<String>) -> Run {
        self.script_with(script, &[], root, arguments)
    }

    /// The same of a script that sources `others`.
    pub fn script_with(
        &mut self,
        script: &Script,
        others: &[Script],
        root: StepId,
        arguments: Vec<String>,
    ) -> Run {
        let at = format!("{RUN_DIR}/scripts");
        let files = std::iter::once(script).chain(others).map(|script| script.file(0o755)).collect();
        let files = self.files(format!("[internal] {}", script.name), files);
        let mut argv = vec!["/bin/sh".to_owned(), format!("{at}/{}", script.name)];
        argv.extend(arguments);
        Run {
            root,
            argv,
            env: vec![("OUT".to_owned(), OUT_DIR.to_owned())],
            cwd: "/".to_owned(),
            user: String::new(),
            mounts: vec![Mount { at, from: files, part: "/".to_owned() }],
            caches: Vec::new(),
            scratch: Vec::new(),
            secrets: Vec::new(),
            agent: None,
            network: false,
            devices: Vec::new(),
            privileged: false,
            result: RunResult::Directory(OUT_DIR.to_owned()),
        }
    }

    /// With a lock, what a run writes does not tell the day: users have the one of their last password, and so on.
    pub fn fix_date(&self, run: &mut Run) {
        if !matches!(self.lock, LockUse::None) {
            run.env.push(("SOURCE_DATE_EPOCH".to_owned(), EPOCH.to_owned()));
        }
    }

    /// A run that compiles the unpacked `source` with `script`, offline, for installation under `prefix`.
    pub fn compile(&mut self, script: &Script, root: StepId, source: StepId, prefix: &str) -> Run {
        let source = Mount { at: format!("{RUN_DIR}/source"), from: source, part: "/".to_owned() };
        self.compile_mounted(script, &[], root, source, prefix)
    }

    /// The same of a source that is mounted at `source` in [`RUN_DIR`] or below, with a script that sources `others`.
    pub fn compile_mounted(
        &mut self,
        script: &Script,
        others: &[Script],
        root: StepId,
        source: Mount,
        prefix: &str,
    ) -> Run {
        let mut run = self.script_with(script, others, root, Vec::new());
        let build = format!("{RUN_DIR}-build");
        let cache = format!("{RUN_DIR}-ccache");
        run.mounts.push(source);
        run.scratch.push(build.clone());
        run.env.extend([
            ("SOURCE".to_owned(), format!("{RUN_DIR}/source")),
            ("BUILD".to_owned(), build),
            ("PREFIX".to_owned(), prefix.to_owned()),
            ("PATH".to_owned(), COMPILE_PATH.to_owned()),
            ("CCACHE_DIR".to_owned(), cache.clone()),
        ]);
        self.fix_date(&mut run);
        // What is compiled depends on the compiler, which is part of each entry's key, so that all builds can share it.
        let id = format!("edgenode-ccache-{}", self.facts.cache_key());
        run.caches.push(Cache { at: cache, id });
        run
    }

    /// A tree of small files. The same files are the same step.
    pub fn files(&mut self, name: String, files: Vec<TextFile>) -> StepId {
        let same = |step: &Step| matches!(&step.action, Action::Files(have) if *have == files);
        match self.steps.iter().position(same) {
            Some(step) => StepId(step),
            None => self.step(name, Span::default(), Action::Files(files)),
        }
    }

    /// Files of the build context. All steps share one transfer, so that one may read what another named.
    pub fn context(&mut self, paths: impl IntoIterator<Item = String>) -> StepId {
        let place = self.steps.iter().position(|step| matches!(step.action, Action::Context(_)));
        let name = "[internal] load build context".to_owned();
        let step = match place {
            Some(step) => StepId(step),
            None => self.step(name, Span::default(), Action::Context(Vec::new())),
        };
        if let Action::Context(have) = &mut self.steps[step.0].action {
            have.extend(paths);
        }
        step
    }

    /// Says where steps find the wheels that the spec names by their files.
    pub fn set_wheel_files(&mut self, files: Vec<Mount>) {
        self.wheel_files = files;
    }

    /// Where steps find the wheels that the spec names by their files.
    pub fn wheel_files(&self) -> &[Mount] {
        &self.wheel_files
    }

    /// Says which step has those of the build context.
    pub fn set_local_wheels(&mut self, step: StepId) {
        self.local_wheels = Some(step);
    }

    /// The step that has the wheels of the build context.
    pub fn local_wheels(&self) -> Option<StepId> {
        self.local_wheels
    }

    /// Adds a run as a step.
    pub fn run(&mut self, name: String, span: Span, run: Run) -> StepId {
        self.step(name, span, Action::Run(run))
    }

    /// Says which Python packages are installed into.
    pub fn set_interpreter(&mut self, interpreter: Interpreter) {
        self.interpreter = Some(interpreter);
    }

    /// The Python that packages are installed into.
    pub fn interpreter(&self) -> Option<&Interpreter> {
        self.interpreter.as_ref()
    }

    /// Takes note of what the base image already has.
    pub fn keep(&mut self, vendor: Vendor) {
        self.vendor.push(vendor);
    }

    /// What the base image already has.
    pub fn kept(&self) -> &[Vendor] {
        &self.vendor
    }

    /// Takes note of what FFmpeg is built to do.
    pub fn promise(&mut self, codecs: &[Codec]) {
        self.codecs.extend(codecs);
    }

    /// What FFmpeg is built to do.
    pub fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// Whether the image has a component, its own or the base image's.
    pub fn has(&self, component: &str) -> bool {
        self.provided.iter().any(|provided| provided.name == component)
            || self.vendor.iter().any(|vendor| vendor.name == component)
    }

    /// Says where the versions of Python packages are found.
    pub fn set_chosen(&mut self, chosen: ChosenWheels) {
        self.chosen = Some(chosen);
    }

    /// Where the versions of Python packages are found.
    pub fn chosen(&self) -> Option<&ChosenWheels> {
        self.chosen.as_ref()
    }

    /// Keeps a Python package from being installed from a wheel, whoever asks for it.
    pub fn exclude(&mut self, package: String) {
        self.excluded.push(package);
    }

    /// The Python packages that are not installed from wheels.
    pub fn excluded(&self) -> &[String] {
        &self.excluded
    }

    /// Says where steps find names and passwords for archives and indexes of packages.
    pub fn set_netrc(&mut self, netrc: Option<Secret>) {
        self.netrc = netrc;
    }

    /// Gives a package manager names and passwords, if there are any.
    pub fn sign_in(&self, run: &mut Run) {
        if let Some(netrc) = &self.netrc {
            let at = format!("{RUN_DIR}-secrets/netrc");
            run.env.push(("NETRC".to_owned(), at.clone()));
            run.secrets.push(SecretFile::new(at, netrc));
        }
    }

    /// Says which mirror package managers ask.
    pub fn set_mirror(&mut self, mirror: Option<String>) {
        self.mirror = mirror;
    }

    /// The mirror that package managers ask.
    pub fn mirror(&self) -> Option<&str> {
        self.mirror.as_deref()
    }

    /// Says whether the client brings the wheels.
    pub fn set_wheelhouse(&mut self, has_wheelhouse: bool) {
        self.has_wheelhouse = has_wheelhouse;
    }

    /// Sets what Python packages must be if anybody asks for them.
    pub fn set_constraints(&mut self, constraints: Vec<String>) {
        self.constraints = constraints;
    }

    /// What Python packages must be if anybody asks for them, as PEP 508 has it.
    pub fn constraints(&self) -> &[String] {
        &self.constraints
    }

    /// Whether the client brings the wheels.
    pub fn has_wheelhouse(&self) -> bool {
        self.has_wheelhouse
    }

    /// Takes a wish for Python packages, all of which are resolved together in the end.
    /// What is wanted for a group that is there already is added to it.
    pub fn request_wheels(&mut self, request: WheelRequest) {
        match self.wheels.iter_mut().find(|have| have.group == request.group) {
            Some(have) => {
                have.requirements.extend(request.requirements);
                let more = request.packages.into_iter().filter(|package| !have.packages.contains(package));
                have.packages.extend(more.collect::<Vec<_>>());
            }
            None => self.wheels.push(request),
        }
    }

    /// Hands the wishes over.
    pub fn take_wheel_requests(&mut self) -> Vec<WheelRequest> {
        std::mem::take(&mut self.wheels)
    }

    /// Takes over what a component provides.
    pub fn provide(&mut self, provided: Provided) {
        self.provided.push(provided);
    }

    /// Everything that was collected.
    pub(super) fn into_collected(self) -> Collected {
        Collected {
            steps: self.steps,
            provided: self.provided,
            pending: self.pending,
            sources: self.sources,
            archives: self.archives,
            problems: self.problems.found().to_vec(),
        }
    }

    /// All that was provided so far.
    pub fn all_provided(&self) -> &[Provided] {
        &self.provided
    }
}

/// What a planner has collected in the end.
pub(super) struct Collected {
    pub(super) steps: Vec<Step>,
    pub(super) provided: Vec<Provided>,
    pub(super) pending: Vec<Pending>,
    pub(super) sources: BTreeMap<String, LockedFile>,
    pub(super) archives: BTreeMap<String, LockedArchive>,
    pub(super) problems: Vec<Diagnostic>,
}

/// What the lock calls a step that installs packages: `python` for `[python 3.13.5] install build packages`.
fn lock_key(name: &str) -> String {
    let label = name.trim_start_matches('[').split(']').next().unwrap_or_default();
    label.split(' ').next().unwrap_or_default().to_owned()
}

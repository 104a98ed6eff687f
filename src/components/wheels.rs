//! Python packages from their published wheels, installed by uv into the tree of `python`.
//!
//! All requirements of a spec, whichever component they belong to, are resolved together, so that they fit together.
//! What came out is then installed group by group: one group for each component that asks for packages of its own, one
//! for the rest. A group's step reads only its own part of the resolution, so that a new requirement of one group leaves
//! the others cached.
//!
//! `wheels:` is the rest: whatever packages the spec names.

use std::collections::BTreeMap;

use super::local_wheels::{self, LOCAL_DIR, LocalWheel};
use super::{Alternative, Component, Declared, Registration, python};
use crate::catalog::compare;
use crate::diagnostic::Problems;
use crate::lock::{LockUse, LockedWheel, PlatformLock};
use crate::plan::{
    Cache, ChosenWheels, Interpreter, Mount, Planner, Provided, RUN_DIR, Run, Script, SecretFile, StepId,
    TextFile, Unlocked,
};
use crate::resolve::{Context, SourceArchive, pinned};
use crate::spec::{
    At, ContextPath, CpuLevel, Fields, Name, Node, Requirement, Sha256, Span, Url, checked, items,
    normal_name, text,
};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "wheels", decode };

/// The installer. It is a tool of the build and not in the image.
const UV_VERSION: &str = "0.12.1";

const CHOOSE: Script = Script { name: "wheels-choose.sh", text: include_str!("scripts/wheels-choose.sh") };
const RESOLVE: Script = Script { name: "wheels-resolve.sh", text: include_str!("scripts/wheels-resolve.sh") };
const LOCKED: Script = Script { name: "wheels-locked.sh", text: include_str!("scripts/wheels-locked.sh") };
const INSTALL: Script = Script { name: "wheels-install.sh", text: include_str!("scripts/wheels-install.sh") };

const SLIM: Script = Script { name: "wheels-slim.py", text: include_str!("scripts/wheels-slim.py") };

/// What a component wants to have installed.
#[derive(Clone, Debug)]
pub struct WheelRequest {
    /// The component.
    pub group: &'static str,
    /// Its version, as labels tell it.
    pub version: String,
    /// What it asks for (PEP 508).
    pub requirements: Vec<String>,
    /// The packages that are installed in its group, in the normal form of their names; `*` at the end stands for any
    /// rest. No pattern at all is the group of all that no other group takes.
    pub packages: &'static [&'static str],
    /// Packages that must not be in the image, whoever asks for them.
    pub exclude: Vec<String>,
    /// Package indexes that are asked before the public one, in this order.
    pub indexes: Vec<String>,
    /// PyTorch's wheel channel, such as `cu128`.
    pub channel: Option<String>,
    /// Who installs.
    pub installer: SourceArchive,
    /// Its place in the spec.
    pub span: Span,
}

/// The installer for the platform, where the spec has a Python for it to install into.
pub(super) fn installer(
    what: &'static str,
    context: &Context<'_>,
    span: Span,
    problems: &mut Problems,
) -> Option<SourceArchive> {
    if !context.has(python::REGISTRATION.key) {
        problems.error_with_help(
            span,
            format!("`{what}` is installed into `python`, which the spec does not have"),
            "add `python:` with a `version`",
        );
        return None;
    }
    let uv = pinned(&format!("uv-{}", context.facts.architecture), UV_VERSION, span);
    if uv.is_none() {
        problems.error_with_help(
            span,
            format!("there is no wheel installer for {}", context.facts.architecture),
            "build for linux/amd64 or linux/arm64",
        );
    }
    uv
}

#[derive(Clone, Debug)]
struct WheelsSpec {
    requirements: Vec<At<Requirement>>,
    files: Vec<At<ContextPath>>,
    exclude: Vec<At<Name>>,
    indexes: Vec<At<Url>>,
    local: Vec<LocalWheel>,
    cpu_baseline: Option<CpuBaseline>,
}

/// The oldest processor that the packages must run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CpuBaseline {
    /// Any amd64 processor. numpy's wheels ask for more from 2.4 on. Source: numpy's release notes.
    X86_64,
    /// SSE 4.2 and what came with it; what today's wheels are built for.
    X86_64V2,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let mut fields = Fields::open("`wheels`", node, problems)?;
    let mut requirements = match fields.take("requirements") {
        Some(list) => items("`requirements`", list, problems, |node, problems| {
            checked("a Python requirement", node, problems, Requirement::parse)
        }),
        None => Vec::new(),
    };
    let files = match fields.take("files") {
        Some(list) => items("`files`", list, problems, |node, problems| {
            checked("a path in the build context", node, problems, ContextPath::parse)
        }),
        None => Vec::new(),
    };
    let exclude = match fields.take("exclude") {
        Some(list) => items("`exclude`", list, problems, |node, problems| {
            checked("the name of a package", node, problems, Name::parse)
        }),
        None => Vec::new(),
    };
    let indexes = match fields.take("indexes") {
        Some(list) => items("`indexes`", list, problems, |node, problems| {
            checked("an address", node, problems, Url::parse)
        }),
        None => Vec::new(),
    };
    let local = fields.take("local").map(|list| local_wheels::decode(list, problems)).unwrap_or_default();
    let cpu_baseline = fields.take("cpu_baseline").and_then(|node| baseline(node, problems));
    fields.finish(problems);
    requirements.sort_by(|a, b| a.value.cmp(&b.value));
    Some(Box::new(WheelsSpec { requirements, files, exclude, indexes, local, cpu_baseline }))
}

fn baseline(node: &Node, problems: &mut Problems) -> Option<CpuBaseline> {
    let text = text("`cpu_baseline`", node, problems)?;
    match text.value.as_str() {
        "x86-64" => Some(CpuBaseline::X86_64),
        "x86-64-v2" => Some(CpuBaseline::X86_64V2),
        other => {
            let message = format!("`{}` is no level of processors that is known here", other.escape_debug());
            problems.error_with_help(text.span, message, "write `x86-64` or `x86-64-v2`");
            None
        }
    }
}

impl Declared for WheelsSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn requirements(&self) -> Vec<At<Requirement>> {
        self.requirements.clone()
    }

    fn reads(&self) -> Vec<At<ContextPath>> {
        self.files.clone()
    }

    fn alternatives(&self, context: &Context<'_>) -> Vec<Alternative> {
        let mut all = Vec::new();
        let limit = self.numpy_limit(context).map(|limit| format!("numpy<{}", short(limit)));
        if let Some(requirement) = limit.and_then(|text| Requirement::parse(&text).ok()) {
            let mut declared = self.clone();
            for numpy in declared.requirements.iter_mut().filter(|r| r.value.package() == "numpy") {
                numpy.value = requirement.clone();
            }
            all.push(Alternative {
                change: format!("`{requirement}`"),
                version: None,
                declared: Box::new(declared),
            });
        }
        if self.cpu_baseline == Some(CpuBaseline::X86_64) {
            let declared = Self { cpu_baseline: Some(CpuBaseline::X86_64V2), ..self.clone() };
            let change = "`wheels.cpu_baseline: x86-64-v2`".to_owned();
            all.push(Alternative { change, version: None, declared: Box::new(declared) });
        }
        all
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems);
        let mut requirements: Vec<_> = self.requirements.iter().map(|r| r.value.to_string()).collect();
        for path in &self.files {
            requirements.extend(read_file(path, context, problems));
        }
        if let Some(limit) = self.numpy_limit(context) {
            self.check_numpy(limit, problems);
            requirements.push(format!("numpy<{}", short(limit)));
        }
        self.local.iter().for_each(|wheel| wheel.check(context, problems));
        requirements.extend(self.local.iter().map(LocalWheel::requirement));
        requirements.sort();
        requirements.dedup();
        let wheels = Wheels(WheelRequest {
            group: REGISTRATION.key,
            version: format!("{} requirements", requirements.len()),
            requirements,
            packages: &[],
            exclude: self.exclude.iter().map(ToString::to_string).collect(),
            indexes: self.indexes.iter().map(ToString::to_string).collect(),
            channel: None,
            installer: installer?,
            span,
        });
        match self.local.as_slice() {
            [] => Some(Box::new(wheels)),
            local => Some(Box::new(WithLocal { wheels, local: local.to_vec() })),
        }
    }
}

impl WheelsSpec {
    /// The first release of numpy whose wheels do not run on the oldest processor of the spec.
    fn numpy_limit<'c>(&self, context: &Context<'c>) -> Option<&'c str> {
        let oldest = context.fleet.cpu.as_ref().is_some_and(|cpu| cpu.value == CpuLevel::X86_64);
        if context.facts.architecture != "amd64"
            || !(oldest || self.cpu_baseline == Some(CpuBaseline::X86_64))
        {
            return None;
        }
        context
            .catalog
            .numpy
            .iter()
            .find(|row| row.cpu != CpuLevel::X86_64.word())
            .map(|row| row.numpy.as_str())
    }

    /// Reports a requirement that asks for numpy from `limit` on.
    fn check_numpy(&self, limit: &str, problems: &mut Problems) {
        for requirement in self.requirements.iter().filter(|r| r.value.package() == "numpy") {
            if requirement.value.lower_bound().is_some_and(|lowest| compare(&lowest, limit).is_ge()) {
                let message = format!(
                    "numpy's wheels from {} on ask for processors of level x86-64-v2, and the spec is for any x86-64",
                    short(limit)
                );
                problems.error(requirement.span, message);
            }
        }
    }
}

/// A release without zeros at its end: `2.4` for `2.4.0`.
fn short(version: &str) -> &str {
    version.strip_suffix(".0").unwrap_or(version)
}

/// The requirements of a file of the build context, in the form that pip reads: one in a line, `#` before comments.
fn read_file(path: &At<ContextPath>, context: &Context<'_>, problems: &mut Problems) -> Vec<String> {
    let Some(text) = context.file(path.value.as_str()) else {
        problems.error_with_help(
            path.span,
            format!("`{path}` is not in the build context"),
            "name a file beside the spec, and see whether `.dockerignore` leaves it out",
        );
        return Vec::new();
    };
    let mut requirements = Vec::new();
    for (number, line) in whole_lines(text) {
        match requirement_of(&line) {
            Ok(requirement) => requirements.push(requirement),
            Err(help) => {
                let message = format!("`{path}`, line {number}: this is not a Python requirement");
                problems.error_with_help(path.span, message, help);
            }
        }
    }
    requirements
}

/// The lines of a file of requirements with their numbers, without comments; one that ends with `\` goes on in the next.
fn whole_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        // A `#` inside a word belongs to the word, as in pip.
        let line = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
        let (part, more) = match line.trim_end().strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => whole.push_str(part),
            None => lines.push((number + 1, part.to_owned())),
        }
        goes_on = more;
    }
    lines
        .into_iter()
        .map(|(number, line)| (number, line.trim().to_owned()))
        .filter(|(_, l)| !l.is_empty())
        .collect()
}

/// A requirement, and behind it the digests that its files may have, as pip writes them: `--hash=sha256:…`.
fn requirement_of(line: &str) -> Result<String, String> {
    let (words, digests): (Vec<_>, Vec<_>) =
        line.split_whitespace().partition(|word| !word.starts_with("--hash="));
    let requirement = Requirement::parse(&words.join(" "))?;
    for digest in &digests {
        let sha256 = digest.strip_prefix("--hash=sha256:").map(Sha256::parse);
        if !matches!(sha256, Some(Ok(_))) {
            return Err(format!(
                "`{digest}` is no digest that is known here; write `--hash=sha256:` and 64 digits"
            ));
        }
    }
    Ok([&[requirement.as_str()], digests.as_slice()].concat().join(" "))
}

/// A component that is nothing but packages.
#[derive(Debug)]
pub(super) struct Wheels(pub WheelRequest);

impl Component for Wheels {
    fn plan(&self, _: Span, planner: &mut Planner) {
        planner.request_wheels(self.0.clone());
    }
}

/// The same with wheels of the build context.
#[derive(Debug)]
struct WithLocal {
    wheels: Wheels,
    local: Vec<LocalWheel>,
}

impl Component for WithLocal {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let files = local_wheels::gather(&self.local, span, planner);
        planner.set_local_wheels(files);
        self.wheels.plan(span, planner);
    }

    fn finish(&self, _: Span, planner: &mut Planner) {
        let Some(files) = planner.local_wheels() else { return };
        self.local.iter().for_each(|wheel| wheel.plan(files, &self.wheels.0.installer, planner));
    }
}

/// Installs what the components asked for.
pub fn install_wheels(planner: &mut Planner) {
    let requests = planner.take_wheel_requests();
    let (Some(first), Some(interpreter)) = (requests.first(), planner.interpreter().cloned()) else { return };
    let tools = Tools {
        channel: requests.iter().find_map(|request| request.channel.clone()),
        indexes: requests.iter().flat_map(|request| request.indexes.clone()).collect(),
        ..Tools::new(interpreter, &first.installer, planner)
    };
    match planner.lock().clone() {
        LockUse::None => {}
        LockUse::Making(PlatformLock { wheels: None, preferred, .. }) => {
            return resolve_for_lock(&requests, &tools, &preferred, planner);
        }
        LockUse::Making(PlatformLock { wheels: Some(wheels), .. })
        | LockUse::Fixed(PlatformLock { wheels: Some(wheels), .. }) => {
            return install_locked(&requests, &tools, &wheels, planner);
        }
        LockUse::Fixed(_) => return planner.unlocked("wheels", first.span),
    }
    let chosen = choose(&requests, &tools, planner);
    let pinned = requests.iter().flat_map(|request| &request.requirements);
    let pinned = pinned.filter_map(|requirement| pin(requirement)).collect();
    note_chosen(&requests, chosen, pinned, planner);
    for request in &requests {
        let list = format!("{RUN_DIR}/chosen.txt");
        let mut run = tools.run(&INSTALL, planner);
        tools.slim(&mut run, planner);
        let part = format!("/{}.txt", request.group);
        run.mounts.push(Mount { at: list.clone(), from: chosen, part });
        run.env.push(("REQUIREMENTS".to_owned(), list));
        let tree = planner.run(format!("[{}] install wheels", request.group), request.span, run);
        provide(request, tree, &tools, planner);
    }
}

/// Takes note of where the lists of what was chosen are, for labels and tags.
fn note_chosen(
    requests: &[WheelRequest],
    step: StepId,
    pinned: BTreeMap<String, String>,
    planner: &mut Planner,
) {
    let named = requests.iter().flat_map(|request| &request.requirements);
    let mut named: Vec<_> = named.map(|requirement| normal_name(requirement)).collect();
    named.sort();
    named.dedup();
    let groups = requests.iter().map(|request| request.group.to_owned()).collect();
    planner.set_chosen(ChosenWheels { step, groups, named, pinned });
}

/// Hands over the tree of a group.
fn provide(request: &WheelRequest, tree: StepId, tools: &Tools, planner: &mut Planner) {
    planner.provide(Provided {
        built_in: Some(tools.interpreter.built_in),
        optional_libraries: true,
        ..Provided::new(request.group, request.version.clone(), tree, request.span)
    });
}

/// Resolves for a lock that is being made; what is installed is not known yet.
fn resolve_for_lock(requests: &[WheelRequest], tools: &Tools, preferred: &[String], planner: &mut Planner) {
    let span = requests.last().map(|request| request.span).unwrap_or_default();
    let step = tools.resolve("wheels", Requirements::of(requests, planner), preferred, span, planner);
    let tree = planner.pend(Unlocked::Wheels, step);
    requests.iter().for_each(|request| provide(request, tree, tools, planner));
}

/// Installs what the lock names, offline, each group's packages into a tree of its own.
fn install_locked(
    requests: &[WheelRequest],
    tools: &Tools,
    wheels: &BTreeMap<String, LockedWheel>,
    planner: &mut Planner,
) {
    report_unlocked(requests, wheels, planner);
    let of = |group: &'static str| wheels.iter().filter(move |(name, _)| group_of(name, requests) == group);
    let list = |request: &WheelRequest| {
        let versions = of(request.group).map(|(name, wheel)| format!("{name}=={}", wheel.version));
        lines(&format!("/{}.txt", request.group), versions.collect())
    };
    let lists = planner.files("[wheels] locked versions".to_owned(), requests.iter().map(list).collect());
    let versions = wheels.iter().map(|(name, wheel)| (name.clone(), wheel.version.clone()));
    note_chosen(requests, lists, versions.collect(), planner);
    for request in requests {
        let mut run = tools.install(request.group, of(request.group), planner);
        tools.slim(&mut run, planner);
        let tree = planner.run(format!("[{}] install wheels", request.group), request.span, run);
        provide(request, tree, tools, planner);
    }
}

/// The group that a package is installed in.
fn group_of(package: &str, requests: &[WheelRequest]) -> &'static str {
    let fits = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(begin) => package.starts_with(begin),
        None => package == *pattern,
    };
    let named = requests.iter().find(|request| request.packages.iter().any(&fits));
    let rest = requests.iter().find(|request| request.packages.is_empty());
    named.or(rest).or(requests.first()).map_or("", |request| request.group)
}

/// Reports requirements that no package of the lock meets.
fn report_unlocked(requests: &[WheelRequest], wheels: &BTreeMap<String, LockedWheel>, planner: &mut Planner) {
    let excluded: Vec<_> = requests.iter().flat_map(|request| &request.exclude).cloned().collect();
    let kept: Vec<_> = planner.kept().iter().flat_map(|vendor| vendor.packages.clone()).collect();
    for request in requests {
        // What a marker says is for uv to know.
        let plain = request.requirements.iter().filter(|requirement| !requirement.contains(';'));
        for requirement in plain.filter_map(|text| Requirement::parse(text).ok()) {
            let name = requirement.package();
            let met = wheels.get(&name).is_some_and(|wheel| requirement.admits(&wheel.version));
            if !met && !excluded.contains(&name) && !kept.contains(&name) {
                planner.unlocked(requirement.as_str(), request.span);
            }
        }
    }
}

/// The package and version of a requirement that names just one: `numpy==2.2.6`.
fn pin(requirement: &str) -> Option<(String, String)> {
    let requirement = requirement.split(" --hash=").next()?;
    let (name, version) = requirement.split_once("==")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || ".+".contains(c);
    version.chars().all(fits).then(|| (normal_name(name), version.to_owned()))
}

/// What all steps with uv have.
pub(super) struct Tools {
    interpreter: Interpreter,
    uv: StepId,
    folder: String,
    channel: Option<String>,
    indexes: Vec<String>,
}

impl Tools {
    /// Steps that install into this interpreter from the public index.
    pub(super) fn new(interpreter: Interpreter, installer: &SourceArchive, planner: &mut Planner) -> Self {
        let uv = planner.source(&format!("uv {UV_VERSION}"), installer);
        let folder = installer.url.file_name().trim_end_matches(".tar.gz").to_owned();
        Self { interpreter, uv, folder, channel: None, indexes: Vec::new() }
    }

    /// A run of a script that installs with uv.
    pub(super) fn run(&self, script: &Script, planner: &mut Planner) -> Run {
        let mut run = planner.script(script, self.interpreter.root, Vec::new());
        let mount = |at: &str, from, part: &str| Mount { at: at.to_owned(), from, part: part.to_owned() };
        let uv_dir = format!("{RUN_DIR}/uv");
        let prefix = &self.interpreter.prefix;
        run.mounts.extend(self.interpreter.tree.map(|tree| mount(prefix, tree, prefix)));
        run.mounts.push(mount(&uv_dir, self.uv, "/"));
        let cache = format!("{RUN_DIR}-uv-cache");
        run.env.extend([
            ("PREFIX".to_owned(), prefix.clone()),
            ("PYTHON".to_owned(), format!("{prefix}/bin/python3")),
            ("UV".to_owned(), format!("{uv_dir}/{}/uv", self.folder)),
            ("UV_CACHE_DIR".to_owned(), cache.clone()),
        ]);
        if !self.indexes.is_empty() {
            run.env.push(("UV_INDEX".to_owned(), self.indexes.join(" ")));
        }
        if let Some(channel) = &self.channel {
            run.env.push(("UV_TORCH_BACKEND".to_owned(), channel.clone()));
        }
        run.caches.push(Cache { at: cache, id: "edgenode-uv".to_owned(), locked: false });
        if let Some(netrc) = planner.netrc() {
            let at = format!("{RUN_DIR}-secrets/netrc");
            run.env.push(("NETRC".to_owned(), at.clone()));
            run.secrets.push(SecretFile::new(at, netrc));
        }
        run.network = true;
        run
    }

    /// Frees what is installed of what nothing loads, if the interpreter is slim.
    pub(super) fn slim(&self, run: &mut Run, planner: &mut Planner) {
        if self.interpreter.slim {
            let at = format!("{RUN_DIR}/slim");
            let file = TextFile { path: format!("/{}", SLIM.name), mode: 0o644, text: SLIM.text.to_owned() };
            let from = planner.files(format!("[internal] {}", SLIM.name), vec![file]);
            run.env.push(("SLIM".to_owned(), format!("{at}/{}", SLIM.name)));
            run.mounts.push(Mount { at, from, part: "/".to_owned() });
            // The programs that change libraries are there.
            run.root = self.interpreter.built_in;
        }
    }

    /// The same without network, cache, indexes and secrets.
    pub(super) fn run_offline(&self, script: &Script, planner: &mut Planner) -> Run {
        const ONLINE: [&str; 4] = ["UV_CACHE_DIR", "UV_INDEX", "UV_TORCH_BACKEND", "NETRC"];
        let mut run = self.run(script, planner);
        run.env.retain(|(name, _)| !ONLINE.contains(&name.as_str()));
        run.caches.clear();
        run.secrets.clear();
        run.network = false;
        run
    }

    /// A step that finds the wheels that `requirements` take, for a lock that is being made. `label` says whose they
    /// are. The versions of `preferred` are kept where they still fit.
    fn resolve(
        &self,
        label: &str,
        requirements: Requirements,
        preferred: &[String],
        span: Span,
        planner: &mut Planner,
    ) -> StepId {
        let Requirements { requirements, exclude } = requirements;
        let files = vec![
            lines("/requirements.txt", requirements),
            lines("/exclude.txt", exclude),
            lines("/preferences.txt", preferred.to_vec()),
        ];
        let from = planner.files(format!("[{label}] requirements"), files);
        let mut run = self.run(&RESOLVE, planner);
        mount_local(&mut run, planner);
        let at = format!("{RUN_DIR}/wheels");
        run.env.push(("INPUTS".to_owned(), at.clone()));
        run.mounts.push(Mount { at, from, part: "/".to_owned() });
        planner.run(format!("[{label}] find versions"), span, run)
    }

    /// A run that installs these wheels offline.
    fn install<'w>(
        &self,
        label: &str,
        wheels: impl Iterator<Item = (&'w String, &'w LockedWheel)>,
        planner: &mut Planner,
    ) -> Run {
        let at = format!("{RUN_DIR}/wheels");
        let (mut list, mut mounts) = (Vec::new(), Vec::new());
        for (name, wheel) in wheels {
            list.push(format!("{name}=={} --hash=sha256:{}", wheel.version, wheel.file.sha256));
            let from = planner.download(&format!("{name} {}", wheel.version), &wheel.file);
            let file = wheel.file.name();
            mounts.push(Mount { at: format!("{at}/{file}"), from, part: format!("/{file}") });
        }
        let list = planner.files(format!("[{label}] locked wheels"), vec![lines("/locked.txt", list)]);
        let mut run = self.run_offline(&LOCKED, planner);
        let list_at = format!("{RUN_DIR}/locked");
        run.env.push(("REQUIREMENTS".to_owned(), format!("{list_at}/locked.txt")));
        run.env.push(("WHEELS".to_owned(), at));
        run.mounts.push(Mount { at: list_at, from: list, part: "/".to_owned() });
        run.mounts.extend(mounts);
        run
    }

    /// A tree of these requirements and what they depend on, for a step that is thrown away. `script` installs them
    /// where there is no lock; `package` is what the lock calls them.
    pub(super) fn install_requirements(
        &self,
        package: &str,
        label: &str,
        requirements: &[String],
        script: &Script,
        span: Span,
        planner: &mut Planner,
    ) -> StepId {
        let locked = planner.lock().locked().and_then(|lock| lock.builds.get(package)).cloned();
        let name = format!("[{label}] install build requirements");
        match (locked, planner.lock()) {
            (Some(wheels), _) => {
                let run = self.install(label, wheels.iter(), planner);
                return planner.run(name, span, run);
            }
            (None, LockUse::Making(_)) => {
                let wanted = Requirements { requirements: requirements.to_vec(), exclude: Vec::new() };
                let step = self.resolve(label, wanted, &[], span, planner);
                return planner.pend(Unlocked::Requires(package.to_owned()), step);
            }
            (None, LockUse::Fixed(_)) => planner.unlocked(&format!("what `{package}` is built with"), span),
            (None, LockUse::None) => {}
        }
        let file = lines("/requirements.txt", requirements.to_vec());
        let from = planner.files(format!("[{label}] requirements"), vec![file]);
        let mut run = self.run(script, planner);
        let at = format!("{RUN_DIR}/requirements");
        run.env.push(("INPUTS".to_owned(), at.clone()));
        run.mounts.push(Mount { at, from, part: "/".to_owned() });
        planner.run(name, span, run)
    }
}

/// What is resolved together.
struct Requirements {
    /// As PEP 508 has it, sorted.
    requirements: Vec<String>,
    /// Packages that are left out, whoever asks for them, sorted.
    exclude: Vec<String>,
}

impl Requirements {
    fn of(requests: &[WheelRequest], planner: &Planner) -> Self {
        let mut requirements: Vec<_> =
            requests.iter().flat_map(|request| request.requirements.clone()).collect();
        requirements.sort();
        requirements.dedup();
        let mut exclude: Vec<_> = requests.iter().flat_map(|request| request.exclude.clone()).collect();
        exclude.extend(planner.kept().iter().flat_map(|vendor| vendor.packages.clone()));
        exclude.extend(planner.excluded().iter().cloned());
        exclude.sort();
        exclude.dedup();
        Self { requirements, exclude }
    }
}

/// A text file of lines.
fn lines(path: &str, lines: Vec<String>) -> TextFile {
    let text = lines.iter().map(|line| format!("{line}\n")).collect();
    TextFile { path: path.to_owned(), mode: 0o644, text }
}

/// Shows a resolution the wheels of the build context, whose dependencies it must know.
fn mount_local(run: &mut Run, planner: &Planner) {
    let mount = |from| Mount { at: LOCAL_DIR.to_owned(), from, part: "/".to_owned() };
    run.mounts.extend(planner.local_wheels().map(mount));
}

/// Resolves all requirements together; the result is a list for each group, with versions and digests.
fn choose(requests: &[WheelRequest], tools: &Tools, planner: &mut Planner) -> StepId {
    let Requirements { requirements, exclude } = Requirements::of(requests, planner);
    let patterns = requests
        .iter()
        .flat_map(|request| request.packages.iter().map(|pattern| format!("{} {pattern}", request.group)));
    let rest = requests.iter().find(|request| request.packages.is_empty());
    // What no group takes belongs to the first, if the spec has no group for the rest.
    let rest = rest.or(requests.first()).map(|request| format!("{} *", request.group));
    let inputs = vec![
        lines("/requirements.txt", requirements),
        lines("/exclude.txt", exclude),
        lines("/groups.txt", patterns.chain(rest).collect()),
    ];
    let span = requests.last().map(|request| request.span).unwrap_or_default();
    let inputs = planner.files("[wheels] requirements".to_owned(), inputs);
    let mut run = tools.run(&CHOOSE, planner);
    mount_local(&mut run, planner);
    let at = format!("{RUN_DIR}/wheels");
    run.env.push(("INPUTS".to_owned(), at.clone()));
    run.mounts.push(Mount { at, from: inputs, part: "/".to_owned() });
    planner.run("[wheels] find versions".to_owned(), span, run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_keep_their_digests() {
        let sum = "a".repeat(64);
        let text = format!(
            "# all\nsix==1.17.0 \\\n    --hash=sha256:{sum}  # why\n\nnumpy>=2 ; python_version > '3'\n"
        );
        let lines = whole_lines(&text);
        assert_eq!(lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(requirement_of(&lines[0].1), Ok(format!("six==1.17.0 --hash=sha256:{sum}")));
        assert!(requirement_of(&lines[1].1).is_ok());
        assert_eq!(
            pin(&format!("six==1.17.0 --hash=sha256:{sum}")),
            Some(("six".to_owned(), "1.17.0".to_owned()))
        );
        for wrong in ["six --hash=md5:aa", "six --hash=sha256:xyz", "--hash=sha256:", "six --index-url=x"] {
            assert!(requirement_of(wrong).is_err(), "{wrong}");
        }
    }
}

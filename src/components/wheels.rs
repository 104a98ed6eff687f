//! Python packages from their published wheels, installed by uv into the tree of `python`.
//!
//! All requirements of a spec, whichever component they belong to, are resolved together, so that they fit together.
//! What came out is then installed group by group: one group for each component that asks for packages of its own, one
//! for each that the spec names, one for the rest. A group's step reads only its own part of the resolution, so that a
//! new requirement of one group leaves the others cached.
//!
//! Large wheels of the rest are branches of their own, and those of medium size one together, so that a small package more
//! does not lay them anew. Which ones are large is known when the resolution has run: the frontend reads that back, and
//! plans again.
//!
//! `wheels:` is the rest, whatever packages the spec names, and the groups that it parts them into.

mod locked;

pub(super) use locked::{BuildRequires, PROJECT, Project};

use std::collections::{BTreeMap, BTreeSet};

use super::wheel_files::{self, WheelFile};
use super::wheelhouse::Wheelhouse;
use super::{Alternative, Component, Declared, REGISTRY, Registration, python, torch};
use crate::catalog::compare;
use crate::diagnostic::Problems;
use crate::mirror;
use crate::plan::{
    Cache, ChosenWheels, Interpreter, MAX_LAYERS, Mount, Planner, Provided, RUN_DIR, Run, Script, StepId,
    TextFile,
};
use crate::resolve::{Context, Node as ResolvedNode, SourceArchive, pinned, short};
use crate::spec::{
    At, ContextPath, Fields, Name, Node, PackagePattern, PackageRequirement, Requirement, Sha256, Span, Url,
    checked, entries, items, normal_name, text,
};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "wheels", decode };

/// The installer. It is a tool of the build and not in the image.
const UV_VERSION: &str = "0.12.1";

const CHOOSE: Script = Script { name: "wheels-choose.sh", text: include_str!("scripts/wheels-choose.sh") };
const INSTALL: Script = Script { name: "wheels-install.sh", text: include_str!("scripts/wheels-install.sh") };

/// What the scripts that resolve have in common, and how they see what a base image's Python has.
const COMPILE: Script = Script { name: "wheels-compile.sh", text: include_str!("scripts/wheels-compile.sh") };
const KEPT: Script = Script { name: "wheels-kept.py", text: include_str!("scripts/wheels-kept.py") };

const OFFLINE: Script = Script { name: "wheels-offline.sh", text: include_str!("scripts/wheels-offline.sh") };

const SLIM: Script = Script { name: "wheels-slim.py", text: include_str!("scripts/wheels-slim.py") };

/// The public index of packages (PEP 503), and what it says of how long its pages and its files are good for, in HTTP's terms.
/// Source: its own answers.
const PUBLIC_INDEX: &str = "https://pypi.org/simple";
const PAGES_ARE_GOOD_FOR: &str = "max-age=600";
const FILES_ARE_GOOD_FOR: &str = "max-age=365000000, immutable";

/// Where PyTorch's channels are, each an index of packages (PEP 503).
const CHANNELS: &str = "https://download.pytorch.org/whl";

/// The packages that a channel is asked for, and no index. Source: what uv 0.12.1 asks `--torch-backend` for, name by name.
const CHANNEL_PACKAGES: [&str; 22] = [
    "fbgemm-gpu",
    "fbgemm-gpu-genai",
    "pytorch-triton",
    "pytorch-triton-rocm",
    "pytorch-triton-xpu",
    "torch",
    "torch-tensorrt",
    "torchao",
    "torcharrow",
    "torchaudio",
    "torchcodec",
    "torchcsprng",
    "torchdistx",
    "torchrec",
    "torchserve",
    "torchtext",
    "torchtune",
    "torchvision",
    "triton",
    "triton-rocm",
    "triton-xpu",
    "xformers",
];

/// From how many bytes on wheels are parted from the rest of their group; those whose size the index does not tell have
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parting {
    /// Wheels from this size on lie in a branch beside the rest.
    apart: u64,
    /// Wheels from this size on have a branch each.
    alone: u64,
}

impl Parting {
    /// Every wheel has a branch, whatever its size.
    pub const EACH: Self = Self { apart: 0, alone: 0 };
    /// Only the largest have a branch: libraries that are loaded across packages stay together. What takes longest to
    /// compress decides when an export ends, and triton is a quarter of torch's group.
    pub const LARGE: Self = Self { apart: 100_000_000, alone: 100_000_000 };
    /// Of the 125 packages of the CPU family's rest, 97 are below 1 MB and have 16 MB together, of which one of them more
    /// lays a quarter anew; 20 of medium size have 89 MB; 8 have 227 MB. Source: sizes on the index, 2026-11-24.
    const BY_SIZE: Self = Self { apart: 1_000_000, alone: 10_000_000 };
}

/// There are no more wheels with a branch each than this, so that the list of them does not change with the rest of the
/// spec.
const MOST_ALONE: usize = 64;
/// Over so many branches the wheels of a group that are not parted from it are spread by their names, where they have so
/// many times [`Parting::apart`] together.
const PARTS: usize = 4;

/// Packages that are a branch of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelBranch {
    /// The group that they are parted from.
    pub group: String,
    /// What the branch is called: the group and the package, or the group and `.medium` or `.small-N`.
    pub name: String,
}

impl WheelBranch {
    /// The file in the resolution's result that lists them.
    pub const LIST: &str = "/branches";

    /// Reads that file: one `GROUP NAME` in a line.
    pub fn parse_list(text: &str) -> Vec<Self> {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(group, name)| Self { group: group.to_owned(), name: name.to_owned() }).collect()
    }
}

/// What a component wants to have installed.
#[derive(Clone, Debug)]
pub struct WheelRequest {
    /// The component, or the group of the spec.
    pub group: String,
    /// Its version, as labels tell it.
    pub version: String,
    /// What it asks for (PEP 508).
    pub requirements: Vec<String>,
    /// The packages that are installed in its group, in the normal form of their names; `*` at the end stands for any
    /// rest. No pattern at all is the group of all that no other group takes.
    pub packages: Vec<String>,
    /// Which wheels are parted from the rest of the group; none, if it is not said.
    pub parting: Option<Parting>,
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

impl WheelRequest {
    /// A group that asks for nothing yet.
    pub fn new(group: &str, version: &str, installer: SourceArchive, span: Span) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            requirements: Vec::new(),
            packages: Vec::new(),
            parting: None,
            exclude: Vec::new(),
            indexes: Vec::new(),
            channel: None,
            installer,
            span,
        }
    }

    /// From which sizes on a package is parted from the group, which what the group is called after never is.
    fn parting_of(&self, package: &str) -> Option<Parting> {
        self.parting.filter(|_| package != self.group)
    }
}

/// Patterns of packages as requests have them.
pub(super) fn patterns(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(|&pattern| pattern.to_owned()).collect()
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
    wheel_files: Vec<WheelFile>,
    groups: Vec<Group>,
    cpu_baseline: Option<CpuBaseline>,
    /// A package that nothing is required of, to see whether the rest fits then.
    without: Option<String>,
}

/// Packages that the spec keeps together.
#[derive(Clone, Debug)]
struct Group {
    name: At<Name>,
    packages: Vec<At<PackagePattern>>,
}

/// Reads `groups`: names, each with the packages that belong to it.
fn groups(node: &Node, problems: &mut Problems) -> Vec<Group> {
    entries("`groups`", node, problems, |key, node, problems| {
        let name = Name::parse(&key.value);
        if name.is_err() || RESERVED.contains(&key.value.as_str()) || is_component(&key.value) {
            problems.error_with_help(
                key.span,
                format!("a group of packages cannot be called `{}`", key.value.escape_debug()),
                "use letters, digits, `.`, `_` and `-`, and none of the names of components and targets",
            );
        }
        let packages = items("a group", node, problems, |node, problems| {
            checked("a package", node, problems, PackagePattern::parse)
        });
        if packages.is_empty() {
            problems.error_with_help(
                node.span,
                "a group has at least one package",
                "for example `[shapely]`",
            );
        }
        Some(Group { name: At::new(name.ok()?, key.span), packages })
    })
}

/// Reports packages that are in two groups, or are a branch of their own as wheels that are named by their files are, and
/// groups that are called like another part of the image.
fn check_groups(groups: &[Group], wheels: &[WheelFile], context: &Context<'_>, problems: &mut Problems) {
    let by_file = |name: &str| wheels.iter().any(|wheel| wheel.name == name);
    for Group { name, packages } in groups {
        let called = normal_name(name.value.as_str());
        for package in packages.iter().filter(|package| by_file(package.value.as_str())) {
            let message = format!("`{package}` is a wheel that is named by its file, and lies by itself");
            problems.error_with_help(package.span, message, "take it out of the group");
        }
        if by_file(&called) {
            let message =
                format!("a group cannot be called `{name}`, like a wheel that is named by its file");
            problems.error_with_help(name.span, message, "give the group another name");
        }
    }
    for Group { name, .. } in groups.iter().filter(|group| context.builds(group.name.value.as_str())) {
        let message = format!("a group cannot be called `{name}`, which `sdists` builds a package of");
        problems.error_with_help(name.span, message, "give the group another name");
    }
    let all: Vec<_> = groups.iter().flat_map(|group| &group.packages).collect();
    for (place, package) in all.iter().enumerate() {
        if let Some(first) = all[..place].iter().find(|first| first.value == package.value) {
            let message = format!("`{package}` is in two groups");
            problems.error_with_help(package.span, message, format!("it is also at {}", first.span.place()));
        }
    }
}

/// Names of targets that are no components.
pub(super) const RESERVED: [&str; 13] = [
    "bake",
    "base",
    "bundle",
    "graph",
    "image",
    "libraries",
    "lock",
    "report",
    "sbom",
    "spec",
    "system",
    "test",
    "update",
];

fn is_component(name: &str) -> bool {
    // Branches that are parted from a component begin with its name.
    REGISTRY.iter().any(|entry| {
        name.strip_prefix(entry.key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
    })
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
    let wanted = match fields.take("requirements") {
        Some(list) => items("`requirements`", list, problems, |node, problems| {
            checked("a Python requirement", node, problems, PackageRequirement::parse)
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
    let mut wheel_files =
        fields.take("local").map(|list| wheel_files::decode(list, problems)).unwrap_or_default();
    let groups = fields.take("groups").map(|node| groups(node, problems)).unwrap_or_default();
    let cpu_baseline = fields.take("cpu_baseline").and_then(|node| baseline(node, problems));
    fields.finish(problems);
    let mut requirements = Vec::new();
    for At { value, span } in wanted {
        match value {
            PackageRequirement::Release(requirement) => requirements.push(At::new(requirement, span)),
            PackageRequirement::Address(address) => {
                wheel_files.extend(WheelFile::of_address(address, span, "", problems));
            }
        }
    }
    requirements.sort_by(|a, b| a.value.cmp(&b.value));
    Some(Box::new(WheelsSpec {
        requirements,
        files,
        exclude,
        indexes,
        wheel_files,
        groups,
        cpu_baseline,
        without: None,
    }))
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

    fn local_wheels(&self) -> Vec<At<ContextPath>> {
        self.wheel_files.iter().filter_map(WheelFile::path).collect()
    }

    fn is_for_any_x86(&self) -> bool {
        self.cpu_baseline == Some(CpuBaseline::X86_64)
    }

    fn alternatives(&self, context: &Context<'_>) -> Vec<Alternative> {
        let mut all = Vec::new();
        let limits = context.constraints().into_iter();
        for requirement in limits.filter_map(|text| Requirement::parse(&text).ok()) {
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
        let (wanted, _) = self.wanted(context, &mut Problems::default());
        let contradicting = contradicting(&wanted, &self.exclude, context);
        let packages: BTreeSet<_> = contradicting.map(|(wanted, ..)| wanted.requirement.package()).collect();
        for package in packages {
            let change = format!("`wheels` without a requirement of `{package}`");
            let declared = Self { without: Some(package), ..self.clone() };
            all.push(Alternative { change, version: None, declared: Box::new(declared) });
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
        let (wanted, mut wheel_files) = self.wanted(context, problems);
        wheel_files.retain(|wheel| wheel.is_wanted(context));
        let wheel_files = wheel_files::join(wheel_files);
        if let Some(limit) = context.numpy_limit() {
            check_numpy(&wanted, &wheel_files, limit, problems);
        }
        check_torch(&wanted, &wheel_files, context, problems);
        check_brought(&wanted, &self.exclude, context, problems);
        let mut requirements: Vec<_> = wanted.into_iter().map(|wanted| wanted.line).collect();
        wheel_files::check(&wheel_files, &self.exclude, context, problems);
        check_groups(&self.groups, &wheel_files, context, problems);
        requirements.extend(wheel_files.iter().map(WheelFile::requirement));
        requirements.sort();
        requirements.dedup();
        let installer = installer?;
        let version = format!("{} requirements", requirements.len());
        let rest = WheelRequest {
            requirements,
            parting: Some(Parting::BY_SIZE),
            exclude: self.exclude.iter().map(ToString::to_string).collect(),
            indexes: self.indexes.iter().map(ToString::to_string).collect(),
            ..WheelRequest::new(REGISTRATION.key, &version, installer.clone(), span)
        };
        let groups = self.groups.iter().map(|group| WheelRequest {
            packages: group.packages.iter().map(ToString::to_string).collect(),
            ..WheelRequest::new(group.name.value.as_str(), "group", installer.clone(), group.name.span)
        });
        Some(Box::new(AllWheels { requests: groups.chain([rest]).collect(), wheel_files }))
    }
}

impl WheelsSpec {
    /// All that is required, by the spec and by files, and the wheels that are named by their files.
    fn wanted(&self, context: &Context<'_>, problems: &mut Problems) -> (Vec<Wanted>, Vec<WheelFile>) {
        let mut wanted: Vec<_> = self.requirements.iter().map(Wanted::of_spec).collect();
        let mut wheel_files = self.wheel_files.clone();
        for path in &self.files {
            read_file(path, context, &mut wanted, &mut wheel_files, problems);
        }
        if let Some(without) = &self.without {
            wanted.retain(|wanted| wanted.requirement.package() != *without);
        }
        (wanted, wheel_files)
    }
}

/// The groups of the spec, the rest, and wheels that are named by their files.
#[derive(Debug)]
struct AllWheels {
    requests: Vec<WheelRequest>,
    wheel_files: Vec<WheelFile>,
}

impl Component for AllWheels {
    fn plan(&self, _: Span, planner: &mut Planner) {
        let Some(rest) = self.requests.last() else { return };
        let files = wheel_files::gather(&self.wheel_files, rest, planner);
        planner.set_wheel_files(files);
        self.requests.iter().for_each(|request| planner.request_wheels(request.clone()));
    }

    fn finish(&self, _: Span, planner: &mut Planner) {
        let Some(rest) = self.requests.last() else { return };
        for (wheel, file) in self.wheel_files.iter().zip(planner.wheel_files().to_vec()) {
            wheel.plan(file, &rest.installer, planner);
        }
    }
}

/// A package that the spec asks for, or a file that it names.
#[derive(Debug)]
struct Wanted {
    requirement: Requirement,
    /// The requirement, and behind it the digests that its files may have.
    line: String,
    /// Its place in the spec.
    span: Span,
    /// Its place in the file, as messages begin with it; nothing where the spec itself has it.
    place: String,
}

impl Wanted {
    fn of_spec(requirement: &At<Requirement>) -> Self {
        let (line, span) = (requirement.value.to_string(), requirement.span);
        Self { requirement: requirement.value.clone(), line, span, place: String::new() }
    }
}

/// A place where a package is asked for, by its releases or by a wheel of it.
struct Asked<'a> {
    /// The oldest version that is admitted, where one is named.
    lowest: Option<String>,
    span: Span,
    place: &'a str,
}

/// All places where a package is asked for.
fn asked<'a>(
    package: &str,
    wanted: &'a [Wanted],
    wheels: &'a [WheelFile],
) -> impl Iterator<Item = Asked<'a>> {
    let wanted = wanted.iter().filter(move |wanted| wanted.requirement.package() == package);
    let wheels = wheels.iter().filter(move |wheel| wheel.name == package);
    let released =
        |w: &'a Wanted| Asked { lowest: w.requirement.lower_bound(), span: w.span, place: &w.place };
    let filed =
        |w: &'a WheelFile| Asked { lowest: w.released().map(str::to_owned), span: w.span, place: &w.place };
    wanted.map(released).chain(wheels.map(filed))
}

/// Reports torch as a package like any other where the spec says what GPUs it must run on: nobody would look whether
/// its wheels do.
fn check_torch(wanted: &[Wanted], wheels: &[WheelFile], context: &Context<'_>, problems: &mut Problems) {
    if !context.fleet.has_gpus() || context.has(torch::REGISTRATION.key) {
        return;
    }
    for Asked { span, place, .. } in asked("torch", wanted, wheels) {
        problems.error_with_help(
            span,
            format!("{place}whether a torch that is required as a package runs on the `target` is not known"),
            "take it out and write it as a component, such as `torch: {version: auto, channel: auto}`, whose wheels \
             are chosen for the target",
        );
    }
}

/// The requirements that do not admit the release of a package which a component brings, each with the component and that
/// release. One with a marker, or of an excluded package, may count for nothing.
fn contradicting<'w>(
    wanted: &'w [Wanted],
    exclude: &'w [At<Name>],
    context: &Context<'_>,
) -> impl Iterator<Item = (&'w Wanted, &'static str, At<String>)> {
    let brought = context.brought();
    wanted.iter().filter_map(move |wanted| {
        let requirement = &wanted.requirement;
        let (key, release) = brought.get(&requirement.package())?;
        let is_excluded =
            exclude.iter().any(|name| normal_name(name.value.as_str()) == requirement.package());
        let counts = !requirement.has_marker() && !is_excluded;
        let contradicts = counts && !requirement.admits_build_of(&release.value);
        contradicts.then(|| (wanted, *key, release.clone()))
    })
}

/// Reports requirements that contradict a component: both cannot be had, and the resolver would say so late. Of a package that
/// is built the published releases are left out, whoever asks for them, so that such a requirement is passed over.
fn check_brought(wanted: &[Wanted], exclude: &[At<Name>], context: &Context<'_>, problems: &mut Problems) {
    for (Wanted { requirement, span, place, .. }, key, release) in contradicting(wanted, exclude, context) {
        let package = requirement.package();
        let line = release.span.line();
        let message = format!(
            "{place}`{requirement}` does not admit {package} {release}, which `{key}` ({line}) brings"
        );
        match context.builds(&package) {
            true => problems.warning(*span, message, "take the requirement out: it counts for nothing"),
            false => problems.error(*span, message),
        }
    }
}

/// Reports requirements that ask for numpy from `limit` on.
fn check_numpy(wanted: &[Wanted], wheels: &[WheelFile], limit: &str, problems: &mut Problems) {
    for Asked { lowest, span, place } in asked("numpy", wanted, wheels) {
        if lowest.is_some_and(|lowest| compare(&lowest, limit).is_ge()) {
            let message = format!(
                "{place}numpy's wheels from {} on ask for processors of level x86-64-v2, and the spec is for any x86-64",
                short(limit)
            );
            problems.error(span, message);
        }
    }
}

/// Adds the requirements of a file of the build context, in the form that pip reads: one in a line, `#` before comments.
fn read_file(
    path: &At<ContextPath>,
    context: &Context<'_>,
    wanted: &mut Vec<Wanted>,
    wheel_files: &mut Vec<WheelFile>,
    problems: &mut Problems,
) {
    let span = path.span;
    let Some(text) = context.file(path.value.as_str()) else {
        problems.error_with_help(
            span,
            format!("`{path}` is not in the build context"),
            "name a file beside the spec, and see whether `.dockerignore` leaves it out",
        );
        return;
    };
    for (number, line) in whole_lines(text) {
        let place = format!("`{path}`, line {number}: ");
        match requirement_of(&line) {
            Ok((PackageRequirement::Release(requirement), line)) => {
                wanted.push(Wanted { requirement, line, span, place });
            }
            Ok((PackageRequirement::Address(address), _)) => {
                wheel_files.extend(WheelFile::of_address(address, span, &place, problems));
            }
            Err(help) => {
                let message = format!("{place}this is not a Python requirement");
                problems.error_with_help(span, message, help);
            }
        }
    }
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

/// A requirement, and the same with the digests behind it that its files may have, as pip writes them: `--hash=sha256:…`.
fn requirement_of(line: &str) -> Result<(PackageRequirement, String), String> {
    let (words, digests): (Vec<_>, Vec<_>) =
        line.split_whitespace().partition(|word| !word.starts_with("--hash="));
    for digest in &digests {
        let sha256 = digest.strip_prefix("--hash=sha256:").map(Sha256::parse);
        if !matches!(sha256, Some(Ok(_))) {
            return Err(format!(
                "`{digest}` is no digest that is known here; write `--hash=sha256:` and 64 digits"
            ));
        }
    }
    let requirement = PackageRequirement::parse(&with_digest(&words, &digests))?;
    let line = [words, digests].concat().join(" ");
    Ok((requirement, line))
}

/// The words of a requirement; where they have an address, the digest that its file has ends it.
fn with_digest(words: &[&str], digests: &[&str]) -> String {
    let Some(place) = words.iter().position(|word| word.contains("://")).filter(|_| !digests.is_empty())
    else {
        return words.join(" ");
    };
    let fragments = digests.iter().map(|digest| digest.trim_start_matches("--hash=").replace(':', "="));
    let fragments: Vec<_> = fragments.collect();
    let address = match words[place].split_once('#') {
        Some((_, has)) if has.split('&').any(|part| fragments.iter().any(|allowed| allowed == part)) => {
            words[place].to_owned()
        }
        // What does not fit together is no address.
        Some(_) => format!("{}&{}", words[place], fragments.join("&")),
        None => format!("{}#{}", words[place], fragments.join("&")),
    };
    [&words[..place], &[address.as_str()], &words[place + 1..]].concat().join(" ")
}

/// A component that is nothing but packages.
#[derive(Debug)]
pub(super) struct Wheels(pub WheelRequest);

impl Component for Wheels {
    fn plan(&self, _: Span, planner: &mut Planner) {
        planner.request_wheels(self.0.clone());
    }
}

/// Installs what the components asked for.
pub fn install_wheels(planner: &mut Planner, node: &ResolvedNode) {
    let requests = planner.take_wheel_requests();
    let (Some(first), Some(interpreter)) = (requests.first(), planner.interpreter().cloned()) else { return };
    let tools = Tools {
        channel: requests.iter().find_map(|request| request.channel.clone()),
        indexes: requests.iter().flat_map(|request| request.indexes.clone()).collect(),
        ..Tools::new(interpreter, &first.installer, planner)
    };
    let most = most_alone(&requests, node, planner.wheel_files().len());
    if locked::take_over(&requests, most, &tools, planner) {
        return;
    }
    let wheelhouse = Wheelhouse::open(tools.interpreter.root, first.span, planner);
    let tools = Tools { wheelhouse, ..tools };
    let chosen = choose(&requests, most, &tools, planner);
    let pinned = requests.iter().flat_map(|request| &request.requirements);
    let pinned = pinned.filter_map(|requirement| pin(requirement)).collect();
    planner.set_chosen(chosen_of(&requests, chosen, pinned));
    for request in &requests {
        for branch in node.wheel_branches.iter().filter(|branch| branch.group == request.group) {
            let tree = tools.install(&branch.name, chosen, request.span, planner);
            planner.provide(Provided { part_of: Some(request.group.clone()), ..tree });
        }
        let tree = tools.install(&request.group, chosen, request.span, planner);
        planner.provide(Provided { version: request.version.clone(), ..tree });
    }
}

/// Where the frontend finds what was chosen, and what is known of it before.
fn chosen_of(requests: &[WheelRequest], step: StepId, pinned: BTreeMap<String, String>) -> ChosenWheels {
    let requirements = requests.iter().flat_map(|request| &request.requirements);
    let mut named: Vec<_> = requirements.map(|requirement| normal_name(requirement)).collect();
    named.sort();
    named.dedup();
    let groups = requests.iter().map(|request| request.group.clone()).collect();
    ChosenWheels { step, groups, named, pinned }
}

/// How many wheels may have a branch each, with all the layers that the image has besides, `files` of them of wheels that
/// are named by their files.
fn most_alone(requests: &[WheelRequest], node: &ResolvedNode, files: usize) -> usize {
    // Groups have a second tree of what is parted; the system has three layers and its indexes one.
    let spread = requests.iter().filter(|request| request.parting.is_some_and(|parting| parting.apart > 0));
    let groups = 2 * requests.len() + (PARTS - 1) * spread.count();
    let trees: usize = node.components.iter().map(|component| component.value.most_trees()).sum();
    let others = node.base.value.layers + trees + groups + node.commands.len() + files + 4;
    MAX_LAYERS.saturating_sub(others).min(MOST_ALONE)
}

/// The package and version of a requirement that names just one: `numpy==2.2.6`.
fn pin(requirement: &str) -> Option<(String, String)> {
    let requirement = requirement.split(" --hash=").next()?;
    let (name, version) = requirement.split_once("==")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || ".+".contains(c);
    version.chars().all(fits).then(|| (normal_name(name), version.to_owned()))
}

/// What all steps with uv have.
#[derive(Clone)]
pub(super) struct Tools {
    interpreter: Interpreter,
    uv: StepId,
    folder: String,
    channel: Option<String>,
    indexes: Vec<String>,
    wheelhouse: Option<Wheelhouse>,
}

impl Tools {
    /// Steps that install into this interpreter from the public index.
    pub(super) fn new(interpreter: Interpreter, installer: &SourceArchive, planner: &mut Planner) -> Self {
        let uv = planner.source(&format!("uv {UV_VERSION}"), installer);
        let folder = installer.url.file_name().trim_end_matches(".tar.gz").to_owned();
        Self { interpreter, uv, folder, channel: None, indexes: Vec::new(), wheelhouse: None }
    }

    /// The same with other indexes asked before.
    pub(super) fn asking(self, indexes: &[String]) -> Self {
        Self { indexes: indexes.to_vec(), ..self }
    }

    /// Installs the packages of the branch's list in the result of `chosen`.
    fn install(&self, branch: &str, chosen: StepId, span: Span, planner: &mut Planner) -> Provided {
        let list = format!("{RUN_DIR}/chosen.txt");
        let mut run = self.run(&INSTALL, planner);
        self.slim(&mut run, planner);
        run.mounts.push(Mount { at: list.clone(), from: chosen, part: format!("/lists/{branch}") });
        run.env.push(("REQUIREMENTS".to_owned(), list));
        let tree = planner.run(format!("[{branch}] install wheels"), span, run);
        self.provided(branch, tree, span)
    }

    /// What a tree of wheels gives to the image.
    pub(super) fn provided(&self, branch: &str, tree: StepId, span: Span) -> Provided {
        Provided {
            built_in: Some(self.interpreter.built_in),
            optional_libraries: true,
            // Below any other prefix the loader does not look.
            indexed: self.interpreter.home.packages_prefix() == "/usr/local",
            ..Provided::new(branch, "", tree, span)
        }
    }

    /// A run of a script that installs with uv.
    pub(super) fn run(&self, script: &Script, planner: &mut Planner) -> Run {
        self.run_sourcing(script, &[], planner)
    }

    fn run_sourcing(&self, script: &Script, others: &[Script], planner: &mut Planner) -> Run {
        let mut run = self.prepare(script, others, planner);
        match self.wheelhouse {
            Some(wheelhouse) => wheelhouse.apply(&mut run),
            None => self.connect(&mut run, planner),
        }
        run
    }

    /// A run of a script with uv and the interpreter, and nothing yet to take packages from.
    fn prepare(&self, script: &Script, others: &[Script], planner: &mut Planner) -> Run {
        let mut run = planner.script_with(script, others, self.interpreter.root, Vec::new());
        let mount = |at: &str, from, part: &str| Mount { at: at.to_owned(), from, part: part.to_owned() };
        let uv_dir = format!("{RUN_DIR}/uv");
        let home = &self.interpreter.home;
        run.mounts.extend(self.interpreter.tree.map(|tree| mount(&home.prefix, tree, &home.prefix)));
        run.mounts.push(mount(&uv_dir, self.uv, "/"));
        run.env.extend([
            ("PREFIX".to_owned(), home.packages_prefix().to_owned()),
            ("PYTHON".to_owned(), home.program()),
            ("UV".to_owned(), format!("{uv_dir}/{}/uv", self.folder)),
        ]);
        if home.is_distribution() {
            run.env.push(("SITE".to_owned(), home.site()));
        }
        run
    }

    /// Has a run take packages from indexes, and keep them on the builder.
    fn connect(&self, run: &mut Run, planner: &mut Planner) {
        let cache = format!("{RUN_DIR}-uv-cache");
        run.env.push(("UV_CACHE_DIR".to_owned(), cache.clone()));
        let settings = planner.files("[internal] uv.toml".to_owned(), vec![settings(planner.mirror())]);
        let at = format!("{RUN_DIR}/uv-settings");
        run.env.push(("UV_CONFIG_FILE".to_owned(), format!("{at}/uv.toml")));
        run.mounts.push(Mount { at, from: settings, part: "/".to_owned() });
        let mirror = planner.mirror();
        if !self.indexes.is_empty() {
            let indexes: Vec<_> = self.indexes.iter().map(|index| mirror::address(mirror, index)).collect();
            run.env.push(("UV_INDEX".to_owned(), indexes.join(" ")));
        }
        match (&self.channel, mirror) {
            (Some(channel), None) => run.env.push(("UV_TORCH_BACKEND".to_owned(), channel.clone())),
            (Some(channel), Some(_)) => run.env.extend([
                ("CHANNEL".to_owned(), mirror::address(mirror, &format!("{CHANNELS}/{channel}"))),
                ("CHANNEL_PACKAGES".to_owned(), CHANNEL_PACKAGES.join("|")),
            ]),
            (None, _) => {}
        }
        // The files in it are named as wheels are, by Python and platform, so that releases of Python can share them.
        let id = format!("edgenode-uv-{}", planner.facts().architecture);
        run.caches.push(Cache { at: cache, id });
        planner.sign_in(run);
        run.network = true;
    }

    /// The same of a script that reads these files, and may resolve what they ask for.
    fn run_with(&self, script: &Script, label: &str, files: Vec<TextFile>, planner: &mut Planner) -> Run {
        let from = planner.files(format!("[{label}] requirements"), files);
        let mut run = self.run_sourcing(script, &[COMPILE, KEPT], planner);
        let at = format!("{RUN_DIR}/inputs");
        run.env.push(("INPUTS".to_owned(), at.clone()));
        run.mounts.push(Mount { at, from, part: "/".to_owned() });
        run
    }

    /// Frees what is installed of what nothing loads, if the interpreter is slim.
    pub(super) fn slim(&self, run: &mut Run, planner: &mut Planner) {
        if let Some(root) = self.interpreter.slim {
            let at = format!("{RUN_DIR}/slim");
            bring(&[SLIM], &at, run, planner);
            run.env.push(("SLIM".to_owned(), format!("{at}/{}", SLIM.name)));
            run.root = root;
        }
    }

    /// A run that installs wheels which it has, as its arguments tell uv: without network, cache, indexes and secrets.
    pub(super) fn run_offline(&self, planner: &mut Planner) -> Run {
        self.prepare(&OFFLINE, &[], planner)
    }
}

/// Mounts scripts in a directory.
fn bring(scripts: &[Script], at: &str, run: &mut Run, planner: &mut Planner) {
    let files = scripts.iter().map(|script| script.file(0o644)).collect();
    let name = scripts.first().map_or("", |script| script.name);
    let from = planner.files(format!("[internal] {name}"), files);
    run.mounts.push(Mount { at: at.to_owned(), from, part: "/".to_owned() });
}

/// Tells uv where the public index is, and on a line of its own how long what it says is good for, whoever answers for it:
/// mirrors seldom say, and what says nothing uv fetches anew each time.
fn settings(mirror: Option<&str>) -> TextFile {
    let index = mirror.map_or_else(|| PUBLIC_INDEX.to_owned(), mirror::public_index);
    let text = format!(
        "[[index]]\nurl = \"{index}\"\ndefault = true\n\
         cache-control = {{ api = \"{PAGES_ARE_GOOD_FOR}\", files = \"{FILES_ARE_GOOD_FOR}\" }}\n"
    );
    TextFile { path: "/uv.toml".to_owned(), mode: 0o644, text }
}

/// What is resolved together.
#[derive(Default)]
struct Requirements {
    /// As PEP 508 has it, sorted.
    requirements: Vec<String>,
    /// Packages that are left out, whoever asks for them, sorted.
    exclude: Vec<String>,
    /// What packages must be if anybody asks for them.
    constraints: Vec<String>,
    /// The Python of the base image whose packages stay as they are, if it is the spec's.
    vendor: Vec<String>,
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
        let vendor = planner.kept().iter().filter(|vendor| vendor.name == python::REGISTRATION.key);
        let vendor = vendor.map(|vendor| vendor.version.clone()).collect();
        Self { requirements, exclude, constraints: planner.constraints().to_vec(), vendor }
    }

    /// The files that `wheels-compile.sh` reads.
    fn files(self) -> Vec<TextFile> {
        vec![
            lines("/requirements.txt", self.requirements),
            lines("/exclude.txt", self.exclude),
            lines("/constraints.txt", self.constraints),
            lines("/vendor.txt", self.vendor),
        ]
    }
}

/// A text file of lines.
fn lines(path: &str, lines: Vec<String>) -> TextFile {
    let text = lines.iter().map(|line| format!("{line}\n")).collect();
    TextFile { path: path.to_owned(), mode: 0o644, text }
}

/// Resolves all requirements together. The result is a list for each branch, with versions and digests, and the list of
/// those that are parted from their groups. No more than `most` have just one wheel.
fn choose(requests: &[WheelRequest], most: usize, tools: &Tools, planner: &mut Planner) -> StepId {
    let line = |request: &WheelRequest, pattern: &str| {
        let sizes = request.parting.map_or("never never".to_owned(), |p| format!("{} {}", p.apart, p.alone));
        format!("{} {pattern} {sizes}", request.group)
    };
    let patterns = requests
        .iter()
        .flat_map(|request| request.packages.iter().map(move |pattern| line(request, pattern)));
    let rest = requests.iter().find(|request| request.packages.is_empty());
    // What no group takes belongs to the first, if the spec has no group for the rest.
    let rest = rest.or(requests.first()).map(|request| line(request, "*"));
    let mut inputs = Requirements::of(requests, planner).files();
    inputs.push(lines("/groups.txt", patterns.chain(rest).collect()));
    let span = requests.last().map(|request| request.span).unwrap_or_default();
    let mut run = tools.run_with(&CHOOSE, "wheels", inputs, planner);
    // It must know what wheels that are named by their files depend on.
    run.mounts.extend(planner.wheel_files().iter().cloned());
    run.env.push(("MOST_ALONE".to_owned(), most.to_string()));
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
        assert_eq!(
            requirement_of(&lines[0].1).map(|(_, line)| line),
            Ok(format!("six==1.17.0 --hash=sha256:{sum}"))
        );
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

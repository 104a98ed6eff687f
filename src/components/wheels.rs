//! Python packages from their published wheels, installed by uv into the tree of `python`.
//!
//! All requirements of a spec, whichever component they belong to, are resolved together, so that they fit together.
//! What came out is then installed group by group: one group for each component that asks for packages of its own, one
//! for each that the spec names, one for the rest. A group's step reads only its own part of the resolution, so that a
//! new requirement of one group leaves the others cached.
//!
//! Large wheels of the rest are branches of their own, so that a small package more does not lay them anew. Which ones
//! are large is known when the resolution has run: the frontend reads that back, and plans again.
//!
//! `wheels:` is the rest, whatever packages the spec names, and the groups that it parts them into.

use super::{Component, Declared, REGISTRY, Registration, python};
use crate::diagnostic::Problems;
use crate::plan::{Cache, Interpreter, Mount, Planner, Provided, RUN_DIR, Run, Script, StepId, TextFile};
use crate::resolve::{Context, Node as ResolvedNode, SourceArchive, pinned};
use crate::spec::{At, ContextPath, Fields, Name, Node, Requirement, Span, checked, entries, items, text};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "wheels", decode };

/// The installer. It is a tool of the build and not in the image.
const UV_VERSION: &str = "0.12.1";

const CHOOSE: Script = Script { name: "wheels-choose.sh", text: include_str!("scripts/wheels-choose.sh") };
const INSTALL: Script = Script { name: "wheels-install.sh", text: include_str!("scripts/wheels-install.sh") };

/// A wheel of the rest of at least so many bytes is a branch of its own. Of the 120 packages of the CPU family's rest, 29
/// are that large, and have 95 % of the bytes; the other 91 are 17 MB. With 2 MB it would be 25 and 23 MB, with 500 kB 39
/// and 10 MB, and each branch costs two short steps in the first build. Source: sizes on the index, 2026-11-24.
const LARGE_BYTES: u64 = 1_000_000;
/// There are no more branches of large wheels than this, so that the list of them does not change with the rest of the
/// spec.
const MOST_LARGE: usize = 64;
/// An image cannot have more layers: overlayfs takes no more in one mount with Docker. Source: docker's layer store.
const MAX_LAYERS: usize = 127;

/// A wheel that is a branch of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeWheel {
    /// The group it would be in.
    pub group: String,
    /// The package, in the normal form of its name.
    pub package: String,
}

impl LargeWheel {
    /// The file in the resolution's result that lists them.
    pub const LIST: &str = "/large";

    /// Reads that file: one `GROUP PACKAGE` in a line.
    pub fn parse_list(text: &str) -> Vec<Self> {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(group, package)| Self { group: group.to_owned(), package: package.to_owned() }).collect()
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
    /// Wheels of at least so many bytes are branches of their own; those whose size the index does not tell have none.
    pub branches_from: Option<u64>,
    /// Packages that must not be in the image, whoever asks for them.
    pub exclude: Vec<String>,
    /// A package index that is asked before the public one.
    pub index: Option<String>,
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
            branches_from: None,
            exclude: Vec::new(),
            index: None,
            channel: None,
            installer,
            span,
        }
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

#[derive(Debug)]
struct WheelsSpec {
    requirements: Vec<At<Requirement>>,
    files: Vec<At<ContextPath>>,
    exclude: Vec<At<Name>>,
    groups: Vec<Group>,
    cpu_baseline: Option<CpuBaseline>,
}

/// Packages that the spec keeps together.
#[derive(Debug)]
struct Group {
    name: At<Name>,
    packages: Vec<At<Pattern>>,
}

/// The name of a package in its normal form, or its beginning and `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(String);

impl Pattern {
    /// Reads `shapely` or `opencv-*`. Source of the normal form: PEP 503.
    fn parse(text: &str) -> Result<Self, String> {
        let (name, any) = match text.strip_suffix('*') {
            Some(beginning) => (beginning.trim_end_matches(['-', '_', '.']), "*"),
            None => (text, ""),
        };
        Name::parse(name).map_err(|_| "write the name of a package, or its beginning and `*`".to_owned())?;
        let whole = text.strip_suffix('*').unwrap_or(text).to_ascii_lowercase();
        let mut normal = String::new();
        for c in whole.chars() {
            match c {
                '-' | '_' | '.' if normal.ends_with('-') => {}
                '-' | '_' | '.' => normal.push('-'),
                c => normal.push(c),
            }
        }
        Ok(Self(normal + any))
    }
}

/// Reads `groups`: names, each with the packages that belong to it.
fn groups(node: &Node, problems: &mut Problems) -> Vec<Group> {
    let groups = entries("`groups`", node, problems, |key, node, problems| {
        let name = Name::parse(&key.value);
        if name.is_err() || RESERVED.contains(&key.value.as_str()) || is_component(&key.value) {
            problems.error_with_help(
                key.span,
                format!("a group of packages cannot be called `{}`", key.value.escape_debug()),
                "use letters, digits, `.`, `_` and `-`, and none of the names of components and targets",
            );
        }
        let packages = items("a group", node, problems, |node, problems| {
            checked("a package", node, problems, Pattern::parse)
        });
        if packages.is_empty() {
            problems.error_with_help(
                node.span,
                "a group has at least one package",
                "for example `[shapely]`",
            );
        }
        Some(Group { name: At::new(name.ok()?, key.span), packages })
    });
    let all: Vec<_> = groups.iter().flat_map(|group| &group.packages).collect();
    for (place, package) in all.iter().enumerate() {
        if let Some(first) = all[..place].iter().find(|first| first.value == package.value) {
            let message = format!("`{}` is in two groups", package.value.0);
            problems.error_with_help(package.span, message, format!("it is also at {}", first.span));
        }
    }
    groups
}

/// Names of targets that are no components.
const RESERVED: [&str; 6] = ["base", "cuda", "image", "lock", "spec", "test"];

fn is_component(name: &str) -> bool {
    // Branches of large wheels begin with the name of their group.
    name.starts_with("wheels-") || name.starts_with("cuda-") || REGISTRY.iter().any(|entry| entry.key == name)
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
    let groups = fields.take("groups").map(|node| groups(node, problems)).unwrap_or_default();
    let cpu_baseline = fields.take("cpu_baseline").and_then(|node| baseline(node, problems));
    fields.finish(problems);
    requirements.sort_by(|a, b| a.value.cmp(&b.value));
    Some(Box::new(WheelsSpec { requirements, files, exclude, groups, cpu_baseline }))
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
        if self.cpu_baseline == Some(CpuBaseline::X86_64) && context.facts.architecture == "amd64" {
            requirements.push("numpy<2.4".to_owned());
        }
        requirements.sort();
        requirements.dedup();
        let installer = installer?;
        let version = format!("{} requirements", requirements.len());
        let rest = WheelRequest {
            requirements,
            branches_from: Some(LARGE_BYTES),
            exclude: self.exclude.iter().map(ToString::to_string).collect(),
            ..WheelRequest::new(REGISTRATION.key, &version, installer.clone(), span)
        };
        let groups = self.groups.iter().map(|group| WheelRequest {
            packages: group.packages.iter().map(|pattern| pattern.value.0.clone()).collect(),
            ..WheelRequest::new(group.name.value.as_str(), "group", installer.clone(), group.name.span)
        });
        Some(Box::new(AllWheels(groups.chain([rest]).collect())))
    }
}

/// The groups of the spec and the rest.
#[derive(Debug)]
struct AllWheels(Vec<WheelRequest>);

impl Component for AllWheels {
    fn plan(&self, _: Span, planner: &mut Planner) {
        self.0.iter().for_each(|request| planner.request_wheels(request.clone()));
    }
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
    for (number, line) in text.lines().enumerate() {
        // A `#` inside a word belongs to the word, as in pip.
        let line = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        match Requirement::parse(line) {
            Ok(requirement) => requirements.push(requirement.to_string()),
            Err(help) => {
                let message = format!("`{path}`, line {}: this is not a Python requirement", number + 1);
                problems.error_with_help(path.span, message, help);
            }
        }
    }
    requirements
}

/// A component that is nothing but packages.
#[derive(Debug)]
pub(super) struct Wheels(pub WheelRequest);

impl Component for Wheels {
    fn plan(&self, _: Span, planner: &mut Planner) {
        planner.request_wheels(self.0.clone());
    }
}

/// Installs what the components asked for, and gives the step that resolves it.
pub fn install_wheels(planner: &mut Planner, node: &ResolvedNode) -> Option<StepId> {
    let requests = planner.take_wheel_requests();
    let (first, interpreter) = (requests.first()?, planner.interpreter().cloned()?);
    let uv = planner.source(&format!("uv {UV_VERSION}"), &first.installer);
    let tools = Tools {
        interpreter,
        uv,
        folder: first.installer.url.file_name().trim_end_matches(".tar.gz").to_owned(),
        channel: requests.iter().find_map(|request| request.channel.clone()),
        indexes: requests.iter().filter_map(|request| request.index.clone()).collect(),
        architecture: node.base.value.architecture.clone(),
    };
    let chosen = choose(&requests, most_large(&requests, node), &tools, planner);
    for request in &requests {
        let group = request.group.as_str();
        for large in node.large_wheels.iter().filter(|large| large.group == group) {
            let name = format!("{group}-{}", large.package);
            let list = format!("/lists/{group}/{}.txt", large.package);
            let tree = tools.install(&name, chosen, list, request.span, planner);
            tools.provide(Provided { part_of: Some(group.to_owned()), ..tree }, planner);
        }
        let tree = tools.install(group, chosen, format!("/lists/{group}/rest"), request.span, planner);
        tools.provide(Provided { version: request.version.clone(), ..tree }, planner);
    }
    Some(chosen)
}

/// How many branches of large wheels there may be, with all the layers that the image has besides.
fn most_large(requests: &[WheelRequest], node: &ResolvedNode) -> usize {
    // Some components have a second tree; the system has two layers and its indexes one.
    let others =
        node.base.value.layers + 2 * node.components.len() + requests.len() + node.commands.len() + 3;
    MAX_LAYERS.saturating_sub(others).min(MOST_LARGE)
}

/// What all steps with uv have.
struct Tools {
    interpreter: Interpreter,
    uv: StepId,
    folder: String,
    channel: Option<String>,
    indexes: Vec<String>,
    architecture: String,
}

impl Tools {
    /// Installs the packages of one of the lists of `chosen`.
    fn install(
        &self,
        name: &str,
        chosen: StepId,
        part: String,
        span: Span,
        planner: &mut Planner,
    ) -> Provided {
        let list = format!("{RUN_DIR}/chosen.txt");
        let mut run = self.run(&INSTALL, planner);
        run.mounts.push(Mount { at: list.clone(), from: chosen, part });
        run.env.push(("REQUIREMENTS".to_owned(), list));
        let tree = planner.run(format!("[{name}] install wheels"), span, run);
        Provided::new(name, "", tree, span)
    }

    fn provide(&self, tree: Provided, planner: &mut Planner) {
        planner.provide(Provided {
            built_in: Some(self.interpreter.built_in),
            is_wheels: true,
            optional_libraries: true,
            // Below any other prefix the loader does not look.
            indexed: matches!(self.interpreter.prefix.as_str(), "/usr" | "/usr/local"),
            ..tree
        });
    }

    fn run(&self, script: &Script, planner: &mut Planner) -> Run {
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
        // The files in it are named as wheels are, by Python and platform, so that releases of Python can share them.
        let id = format!("edgenode-uv-{}", self.architecture);
        run.caches.push(Cache { at: cache, id, locked: false });
        run.network = true;
        run
    }
}

/// Resolves all requirements together. The result is a list for each group and for each large wheel, with versions and
/// digests, and the list of the large wheels, of which there are no more than `most`.
fn choose(requests: &[WheelRequest], most: usize, tools: &Tools, planner: &mut Planner) -> StepId {
    let mut requirements: Vec<_> = requests.iter().flat_map(|request| request.requirements.clone()).collect();
    requirements.sort();
    requirements.dedup();
    let mut exclude: Vec<_> = requests.iter().flat_map(|request| request.exclude.clone()).collect();
    exclude.extend(planner.kept().iter().flat_map(|vendor| vendor.packages.clone()));
    exclude.sort();
    exclude.dedup();
    let line = |request: &WheelRequest, pattern: &str| {
        let from = request.branches_from.map_or("never".to_owned(), |bytes| bytes.to_string());
        format!("{} {pattern} {from}", request.group)
    };
    let patterns = requests
        .iter()
        .flat_map(|request| request.packages.iter().map(move |pattern| line(request, pattern)));
    let rest = requests.iter().find(|request| request.packages.is_empty());
    // What no group takes belongs to the first, if the spec has no group for the rest.
    let rest = rest.or(requests.first()).map(|request| line(request, "*"));
    let file = |path: &str, lines: Vec<String>| TextFile {
        path: path.to_owned(),
        mode: 0o644,
        text: lines.iter().map(|line| format!("{line}\n")).collect(),
    };
    let inputs = vec![
        file("/requirements.txt", requirements),
        file("/exclude.txt", exclude),
        file("/groups.txt", patterns.chain(rest).collect()),
    ];
    let span = requests.last().map(|request| request.span).unwrap_or_default();
    let inputs = planner.files("[wheels] requirements".to_owned(), inputs);
    let mut run = tools.run(&CHOOSE, planner);
    let at = format!("{RUN_DIR}/wheels");
    run.env.push(("INPUTS".to_owned(), at.clone()));
    run.env.push(("MOST_LARGE".to_owned(), most.to_string()));
    run.mounts.push(Mount { at, from: inputs, part: "/".to_owned() });
    planner.run("[wheels] find versions".to_owned(), span, run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_the_normal_form_of_names() {
        let parse = |text| Pattern::parse(text).map(|pattern| pattern.0);
        assert_eq!(parse("Foo._Bar"), Ok("foo-bar".to_owned()));
        assert_eq!(parse("nvidia_*"), Ok("nvidia-*".to_owned()));
        assert_eq!(parse("opencv*"), Ok("opencv*".to_owned()));
        for wrong in ["*", "-*", "a*b", "a b", "", "../a"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}

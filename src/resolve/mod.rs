//! `Spec` + catalog + facts of the base image → [`Node`]: every version chosen, every source pinned, every conflict
//! reported. No LLB.

mod debian;
mod explain;
mod facts;
mod fleet;
mod source;

pub use debian::{DebPackage, INSTALLED, PackageIndex, Selection, compare_versions, installed};
pub use explain::Decision;
pub use facts::{BaseFacts, LINKS_TO_USR, OsRelease, USERS, link_of, machine};
pub use fleet::{Fleet, is_older};
pub use source::{SourceArchive, SourceFields, package, pinned};

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, NumpyBaseline};
use crate::components::{Component, CudaRelease, Declared, PythonHome, System, WheelBranch};
use crate::diagnostic::{Diagnostic, Problems, Severity};
use crate::lock::LockUse;
use crate::spec::{
    Arg, At, Command, ContextPath, CpuLevel, ImageSettings, Name, PlatformName, Repository, Secret, Span,
    Spec, Status, Suite, TagSchema, Test, Version, list, normal_name,
};

/// A spec in which nothing is left to choose.
#[derive(Debug)]
pub struct Node {
    /// What the node is called.
    pub name: At<Name>,
    /// How far the spec can be relied on, if it says so.
    pub status: Option<Status>,
    /// The repository that its images are pushed to.
    pub repository: Option<At<Repository>>,
    /// How the tags of its images are made.
    pub tag: Option<At<TagSchema>>,
    /// The base image's place in the spec, and what was read from it.
    pub base: At<BaseFacts>,
    /// The packages of the distribution.
    pub system: System,
    /// The components in the order of the registry.
    pub components: Vec<At<Box<dyn Component>>>,
    /// The Python packages that are branches of their own; known once the requirements are resolved, empty before.
    pub wheel_branches: Vec<WheelBranch>,
    /// What the image's configuration says.
    pub image: ImageSettings,
    /// Programs that run in the assembled image and may change it, in their order.
    pub commands: Vec<Command>,
    /// What must hold in the finished image.
    pub tests: Vec<Test>,
    /// Variables that say what nodes the image is for.
    pub fleet_env: Vec<(String, String)>,
    /// Labels that say it.
    pub fleet_labels: Vec<(String, String)>,
    /// Tests that come with the program.
    pub suites: Vec<At<Suite>>,
    /// Whether there is no image where a test fails.
    pub require_tests: bool,
    /// Names and passwords for archives and indexes of packages.
    pub netrc: Option<Secret>,
    /// The mirror that package managers ask.
    pub mirror: Option<String>,
    /// Whether the client brings the wheels.
    pub wheelhouse: bool,
    /// What was chosen before.
    pub lock: LockUse,
    /// What Python packages must be if anybody asks for them.
    pub constraints: Vec<String>,
    /// Why versions are what they are, where that was asked for.
    pub decisions: Vec<Decision>,
    /// What the user should know though it stops nothing, and what was not looked at.
    pub warnings: Vec<Diagnostic>,
}

/// What the choice depends on besides the spec and its base image.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The texts of the files that the spec [reads](Spec::reads), as far as they are there.
    pub files: BTreeMap<String, String>,
    /// The components that the client brings as named build contexts, among other names.
    pub replaced: BTreeSet<String>,
    /// Whether what the spec [compares](Spec::compared) is a directory, by its path, as far as it is there.
    pub directories: BTreeMap<String, bool>,
    /// The client's build arguments.
    pub build_args: BTreeMap<String, String>,
    /// The indexes of the archives that the spec [takes packages from](Spec::indexes), by their addresses.
    pub indexes: BTreeMap<String, PackageIndex>,
    /// The mirror that the client names.
    pub mirror: Option<String>,
    /// Whether the client brings the wheels, by the build context [`WHEELHOUSE`](crate::components::WHEELHOUSE).
    pub wheelhouse: bool,
    /// What was chosen before.
    pub lock: LockUse,
    /// Whether decisions are explained, which takes trying others.
    pub explain: bool,
}

/// The build argument that lets an archived spec be built.
pub const ARCHIVED_ARG: &str = "EDGENODE_ARCHIVED";

/// Chooses versions and sources. All conflicts are reported at once.
pub fn resolve(mut spec: Spec, facts: BaseFacts, inputs: &Inputs) -> Result<Node, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    facts.check_supported(spec.base.span, &mut problems);
    spec.system.check_users(&facts, &mut problems);
    check_platform(&spec.platforms, &facts, &mut problems);
    check_status(spec.status.as_ref(), inputs, &mut problems);
    warn_of_predefined(&spec.args, &mut problems);
    if let Some(lock) = inputs.lock.locked() {
        spec.components.iter_mut().for_each(|component| component.value.keep(lock));
    }
    let declared: Vec<_> = spec.components.iter().map(|c| At::new(c.value.as_ref(), c.span)).collect();
    let ours = Catalog::embedded();
    let site = site_catalog(&spec, ours, inputs, &mut problems);
    let catalog = site.as_ref().unwrap_or(ours);
    let fleet = Fleet::resolve(&spec.target, catalog, &mut problems);
    check_cpu(&fleet, &spec.platforms, &facts, &mut problems);
    fleet.check_architecture(&facts.architecture, names(&spec.platforms, "arm64"), &mut problems);
    // Components ask for them again and again, and large images have thousands.
    let database = facts.files.get(INSTALLED).map(String::as_str).unwrap_or_default();
    let packages: BTreeMap<_, _> = installed(database).collect();
    let context = Context {
        facts: &facts,
        components: &declared,
        inputs,
        catalog,
        fleet: &fleet,
        platforms: &spec.platforms,
        base_packages: &packages,
    };
    check_suites(&spec.suites, &context, &mut problems);
    let mut found = Problems::default();
    let components = resolve_components(&context, &mut found);
    if found.has_errors() {
        let before = found.clone();
        let all = ways_out(&context, is_settled);
        found.help(|error| {
            let ways = match all.as_slice() {
                [] => {
                    let ways = ways_out(&context, |after| is_mended(error, &before, after));
                    tell("what would work for this alone", &ways)
                }
                ways => tell("what would work", ways),
            };
            match explain::clash(error, &context) {
                Some(clash) => format!("{clash}; {ways}"),
                None => ways,
            }
        });
    }
    if site.is_some() {
        let ours = Context { catalog: ours, ..context };
        warn_of_lifted(&ours, &mut found, spec.catalog.as_ref().map(|path| path.span).unwrap_or_default());
    }
    found.found().iter().cloned().for_each(|found| problems.add(found));
    warn_of_age(&context, spec.base.span, &mut problems);
    let decisions = if inputs.explain { explain::decisions(&context) } else { Vec::new() };
    let cuda = context.cuda_release();
    let video = declared.iter().any(|component| component.value.codes_video());
    let (fleet_env, fleet_labels) = (fleet.env(cuda.as_deref(), video), fleet.labels());
    let constraints = context.constraints();
    // Without a builder nobody knows what it is today.
    let known = facts.reference.contains('@');
    if known && !spec.base.value.has_digest() && inputs.lock.locked().is_none() {
        problems.warning(
            spec.base.span,
            format!("the base image `{}` is not pinned", spec.base),
            format!("today it is `{}`", facts.reference),
        );
    }
    problems.check(Some(()))?;
    Ok(Node {
        name: spec.name,
        status: spec.status.map(|status| status.value),
        repository: spec.repository,
        tag: spec.tag,
        base: At::new(facts, spec.base.span),
        system: spec.system,
        components,
        wheel_branches: Vec::new(),
        image: spec.image,
        commands: spec.commands,
        tests: spec.tests,
        fleet_env,
        fleet_labels,
        suites: spec.suites,
        require_tests: spec.require_tests,
        // Where the spec names no passwords, those for a mirror may come with it.
        netrc: spec.secrets.netrc.or_else(|| inputs.mirror.as_ref().and_then(|_| Secret::netrc())),
        mirror: inputs.mirror.clone(),
        wheelhouse: inputs.wheelhouse,
        lock: inputs.lock.clone(),
        constraints,
        decisions,
        warnings: problems.into_warnings(),
    })
}

/// Resolves every component; `None` stands for nothing, the reasons are among the problems.
fn resolve_components(context: &Context<'_>, problems: &mut Problems) -> Vec<At<Box<dyn Component>>> {
    let resolve = |declared: &At<&dyn Declared>| {
        let component = declared.value.resolve(context, declared.span, problems)?;
        Some(At::new(component, declared.span))
    };
    context.components.iter().filter_map(resolve).collect()
}

/// All that there is to say about how the components fit together.
fn told(context: &Context<'_>) -> Problems {
    let mut problems = Problems::default();
    resolve_components(context, &mut problems);
    problems
}

/// What keeps the components from fitting together.
fn errors(context: &Context<'_>) -> Vec<Diagnostic> {
    told(context).found().iter().filter(|found| found.severity == Severity::Error).cloned().collect()
}

/// The facts of the site, where the spec names a file of them.
fn site_catalog(spec: &Spec, ours: &Catalog, inputs: &Inputs, problems: &mut Problems) -> Option<Catalog> {
    let path = spec.catalog.as_ref()?;
    let Some(text) = inputs.files.get(path.value.as_str()) else {
        problems.error_with_help(
            path.span,
            format!("`{path}` is not in the build context"),
            "name a file below the top of the build context",
        );
        return None;
    };
    let mut found = Problems::default();
    let site = ours.extended(text, &mut found);
    for problem in found.found() {
        // The place counts in another file.
        let message = format!("`{path}`:{}: {}", problem.span, problem.message);
        match &problem.help {
            Some(help) => problems.error_with_help(path.span, message, help.clone()),
            None => problems.error(path.span, message),
        }
    }
    Some(site)
}

/// Ways out that are named at most.
const MAX_WAYS: usize = 4;

/// The changes of one field after which what is wrong `is_out`. Each is tried before it is named.
fn ways_out(context: &Context<'_>, is_out: impl Fn(&Problems) -> bool) -> Vec<String> {
    let fits = |context: &Context<'_>| is_out(&told(context));
    let mut ways = Vec::new();
    for (place, component) in context.components.iter().enumerate() {
        let mut found = component.value.alternatives(context).into_iter().filter_map(|alternative| {
            let mut components: Vec<_> = context.components.to_vec();
            components[place] = At::new(alternative.declared.as_ref(), component.span);
            fits(&Context { components: &components, ..*context }).then_some(alternative.change)
        });
        // Two of each component, so that one with many does not hide the others.
        ways.extend(found.by_ref().take(2));
    }
    let of_fleet = context.fleet.alternatives(context.catalog).into_iter();
    ways.extend(
        of_fleet.filter_map(|(change, fleet)| fits(&Context { fleet: &fleet, ..*context }).then_some(change)),
    );
    ways.truncate(MAX_WAYS);
    ways
}

/// Whether nothing is wrong, whatever was not looked at. What nobody has established is no way out.
fn is_settled(after: &Problems) -> bool {
    after.found().iter().all(|found| found.severity == Severity::Note)
}

/// Whether an error is gone and nothing new is wrong. What nobody has established is no way out.
fn is_mended(error: &Diagnostic, before: &Problems, after: &Problems) -> bool {
    after.found().iter().all(|found| found != error && before.found().contains(found))
}

fn tell(beginning: &str, ways: &[String]) -> String {
    match ways {
        [] => "no change of a single field makes it fit".to_owned(),
        ways => format!("{beginning}: {}", ways.join(", or ")),
    }
}

/// Errors that only the site's facts keep away become warnings.
fn warn_of_lifted(ours: &Context<'_>, found: &mut Problems, catalog: Span) {
    let mut lifted = errors(ours);
    lifted.retain(|error| !found.found().iter().any(|d| d.span == error.span));
    for error in lifted {
        let help = format!("the file that `catalog` names ({}) says that it works", catalog.line());
        found.warning(error.span, error.message, help);
    }
}

/// The day on which the embedded facts were collected. Nothing here asks a clock.
const COLLECTED: &str = "2026-11-23";

/// Says what is past the end of its support.
fn warn_of_age(context: &Context<'_>, base: Span, problems: &mut Problems) {
    let release = &context.facts.os_release;
    let name = format!("{} {}", release.id, release.version_id);
    let distribution = context.catalog.distributions.iter().find(|row| row.distribution == name);
    if let Some(row) = distribution.filter(|row| row.end.as_str() < COLLECTED) {
        problems.warning(
            base,
            format!("{name} has no free support since {}", row.end),
            "take a newer release",
        );
    }
    let python = context.components.iter().find(|component| component.value.key() == "python");
    let series = context.python_home().map(|home| home.series);
    let row = context.catalog.pythons.iter().find(|row| Some(row.python) == series);
    if let (Some(python), Some(row)) = (python, row.filter(|row| row.end.as_str() < COLLECTED)) {
        let message = format!("Python 3.{} has no support since {}", row.python, row.end);
        problems.warning(python.span, message, "take a newer series");
    }
}

/// Reports a platform that the spec is not meant for.
fn check_platform(platforms: &[At<PlatformName>], facts: &BaseFacts, problems: &mut Problems) {
    let wanted = format!("linux/{}", facts.architecture);
    let Some(first) = platforms.first() else { return };
    if platforms.iter().all(|platform| platform.value.as_str() != wanted) {
        problems.error_with_help(
            first.span,
            format!("the spec is not meant for {wanted}"),
            format!("build it with `--platform {first}`, on a builder that can, or add the platform here"),
        );
    }
}

/// Whether an architecture is among the platforms that a spec names.
fn names(platforms: &[At<PlatformName>], architecture: &str) -> bool {
    platforms.iter().any(|platform| platform.value.as_str() == format!("linux/{architecture}"))
}

/// Reports a level of processors that none of the spec's platforms has.
fn check_cpu(fleet: &Fleet, platforms: &[At<PlatformName>], facts: &BaseFacts, problems: &mut Problems) {
    let Some(cpu) = &fleet.cpu else { return };
    let architecture = if cpu.value == CpuLevel::Armv8 { "arm64" } else { "amd64" };
    if facts.architecture != architecture && !names(platforms, architecture) {
        problems.error_with_help(
            cpu.span,
            format!(
                "`{}` is a level of {architecture} processors, and the image is for {}",
                cpu.value.word(),
                facts.architecture
            ),
            "name one of the image's own architecture, or leave it out",
        );
    }
}

/// A release without zeros at its end: `2.4` for `2.4.0`.
pub(crate) fn short(version: &str) -> &str {
    version.strip_suffix(".0").unwrap_or(version)
}

/// Tells of suites that have nothing to test: a spec may inherit one of what it leaves out.
fn check_suites(suites: &[At<Suite>], context: &Context<'_>, problems: &mut Problems) {
    for suite in suites {
        let wants = suite.value.wants();
        if !wants.iter().any(|component| context.has(component)) {
            let message = format!("the suite `{}` has nothing to test in this spec", suite.value.word());
            problems.warning(suite.span, message, format!("it tests {}", list(wants)));
        }
    }
}

/// Says what it means to build a spec of this status; one that is archived is not built by accident.
fn check_status(status: Option<&At<Status>>, inputs: &Inputs, problems: &mut Problems) {
    let Some(status) = status else { return };
    let allowed = matches!(inputs.build_args.get(ARCHIVED_ARG).map(String::as_str), Some("true" | "1"));
    match status.value {
        Status::Production => {}
        Status::Experimental => {
            problems.warning(status.span, "the spec is experimental", "nodes in production do not run it");
        }
        Status::Archived if allowed => {
            problems.warning(status.span, "the spec is archived", "nobody looks after what it installs");
        }
        Status::Archived => problems.error_with_help(
            status.span,
            "the spec is archived, so it is not built by accident",
            format!("to build it all the same add `--build-arg {ARCHIVED_ARG}=true`"),
        ),
    }
}

/// Says which arguments have a default that counts for nothing.
fn warn_of_predefined(args: &[Arg], problems: &mut Problems) {
    for Arg { name, value, .. } in args.iter().filter(|arg| arg.predefined) {
        let message = format!("`{name}` is what the platform says, `{value}`, whatever its default");
        problems.warning(name.span, message, "leave it out of `args`: every spec can use it");
    }
}

/// What a component can look at when it chooses.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What was read from the base image.
    pub facts: &'a BaseFacts,
    /// What goes together.
    pub catalog: &'a Catalog,
    /// What the image must run on.
    pub fleet: &'a Fleet,
    /// The platforms that the spec names.
    pub platforms: &'a [At<PlatformName>],
    /// The packages of the base image and their versions, where a component of the spec [inspects](INSTALLED) them.
    pub base_packages: &'a BTreeMap<&'a str, &'a str>,
    components: &'a [At<&'a dyn Declared>],
    inputs: &'a Inputs,
}

impl<'a> Context<'a> {
    /// Whether the spec has the component.
    pub fn has(&self, key: &str) -> bool {
        self.component(key).is_some()
    }

    /// The component of the spec that is called like a Python package, whose name is in its normal form: `flash_attn` for
    /// `flash-attn`.
    pub fn called(&self, package: &str) -> Option<&'static str> {
        self.components.iter().map(|component| component.value.key()).find(|key| normal_name(key) == package)
    }

    /// The release of a component that the spec has.
    pub fn version(&self, key: &str) -> Option<&Version> {
        self.component(key)?.version()
    }

    /// The text of a file of the base image that the spec inspects; `None` where there is no such file.
    pub fn base_file(&self, path: &str) -> Option<&str> {
        self.facts.files.get(path).map(String::as_str)
    }

    /// The Python of the spec.
    pub fn python_home(&self) -> Option<PythonHome> {
        self.components.iter().find_map(|component| component.value.python_home())
    }

    /// The major release of the CUDA libraries that a component of the spec brings.
    pub fn cuda(&self) -> Option<u32> {
        self.components.iter().find_map(|component| component.value.cuda(self)).map(|release| release.major)
    }

    /// The release of the CUDA libraries that one component brings.
    pub fn cuda_of(&self, key: &str) -> Option<CudaRelease> {
        self.component(key)?.cuda(self)
    }

    /// The first release of numpy whose wheels do not run on the oldest processor of the spec; none where all do, or where
    /// the spec has it built.
    pub fn numpy_limit(&self) -> Option<&'a str> {
        let oldest = self.fleet.cpu.as_ref().is_some_and(|cpu| cpu.value == CpuLevel::X86_64)
            || self.components.iter().any(|component| component.value.is_for_any_x86());
        if self.facts.architecture != "amd64" || !oldest || self.builds("numpy") {
            return None;
        }
        let newer = |row: &&NumpyBaseline| row.cpu != CpuLevel::X86_64.word();
        self.catalog.numpy.iter().find(newer).map(|row| row.numpy.as_str())
    }

    /// What Python packages must be if anybody asks for them, as PEP 508 has it.
    pub fn constraints(&self) -> Vec<String> {
        self.numpy_limit().map(|limit| format!("numpy<{}", short(limit))).into_iter().collect()
    }

    /// Whether a component of the spec builds a Python package from its source archive.
    pub fn builds(&self, package: &str) -> bool {
        self.components.iter().any(|component| component.value.builds(package))
    }

    /// Whether a component of the spec brings `nvcc`.
    pub fn compiles_cuda(&self) -> bool {
        self.components.iter().any(|component| component.value.compiles_cuda(self))
    }

    /// Whether the base image has the component already.
    pub fn has_vendor(&self, key: &str) -> bool {
        self.component(key).is_some_and(Declared::is_vendor)
    }

    fn component(&self, key: &str) -> Option<&dyn Declared> {
        let found = self.components.iter().find(|component| component.value.key() == key)?;
        Some(found.value)
    }

    /// The release of the CUDA libraries, such as `12.8`, where that is known.
    pub fn cuda_release(&self) -> Option<String> {
        let release = self.components.iter().find_map(|component| component.value.cuda(self))?;
        release.minor.map(|minor| format!("{}.{minor}", release.major))
    }

    /// The release of torch.
    pub fn torch(&self) -> Option<String> {
        self.components.iter().find_map(|component| component.value.torch(self))
    }

    /// The text of a file of the build context that the spec reads; `None` where there is no such file.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.inputs.files.get(path).map(String::as_str)
    }

    /// Whether a path of the build context that the spec compares is a directory; `None` where nobody knows.
    pub fn is_directory(&self, path: &ContextPath) -> Option<bool> {
        self.inputs.directories.get(path.as_str()).copied()
    }

    /// The Python packages that components bring, each with the component and the release, at the field that names it.
    pub fn brought(&self) -> BTreeMap<String, (&'static str, At<String>)> {
        let brought = |component: &At<&'a dyn Declared>| {
            let key = component.value.key();
            let packages = component.value.brings(self).into_iter();
            packages.map(move |(package, version)| (package, (key, version)))
        };
        self.components.iter().flat_map(brought).collect()
    }

    /// The files that components certainly put into the image, each with its component, at that one's place.
    pub fn installed(&self) -> Vec<At<(&'static str, String)>> {
        let files = |component: &At<&'a dyn Declared>| {
            let (key, span) = (component.value.key(), component.span);
            component.value.installs(self).into_iter().map(move |path| At::new((key, path), span))
        };
        let own =
            self.components.iter().filter(|component| !self.inputs.replaced.contains(component.value.key()));
        own.flat_map(files).collect()
    }

    /// What the index at an address lists; `None` where nobody asked for it.
    pub fn index(&self, address: &str) -> Option<&'a PackageIndex> {
        self.inputs.indexes.get(address)
    }
}

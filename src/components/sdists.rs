//! `sdists:` Python packages that are built from their source archives: for processors that published wheels are not built
//! for, or with settings of one's own. They take the place of the published wheels, whoever asks for the package.
//!
//! A package is a branch of its own: what it is built with is installed into a tree that is thrown away, and the compiler
//! has no network. It sees the distribution's compilers, Python, and of the other components only those that it `uses`.

use super::wheels::{BuildRequires, Tools, installer};
use super::{Component, Declared, Registration, cuda, torch};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::{Action, Interpreter, Planner, Provided, Script, StepId};
use crate::resolve::{Context, SourceArchive, SourceFields, package};
use crate::spec::{
    At, DebianPackage, EnvName, Fields, Name, Node, Requirement, Span, checked, entries, items, list,
    normal_name, text,
};
use crate::suggest::nearest;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "sdists", decode };

const BUILD: Script = Script { name: "sdist-build.sh", text: include_str!("scripts/sdist-build.sh") };

/// The components whose trees a package can be built with.
const USABLE: [&str; 2] = [cuda::REGISTRATION.key, torch::REGISTRATION.key];

/// Compilers at once, unless the spec says otherwise: those of CUDA take gigabytes each.
pub(super) const USUAL_JOBS: u8 = 4;

/// A package as a spec asks for it.
#[derive(Clone, Debug)]
pub(super) struct SdistSpec {
    /// The package.
    pub name: At<String>,
    /// Its archive.
    pub source: SourceFields,
    /// What it is built with (PEP 508), each pinned.
    pub requires: Vec<String>,
    /// The distribution's packages that it is built with.
    pub packages: Vec<String>,
    /// Settings for its build system.
    pub settings: Vec<String>,
    /// Variables of the build's environment.
    pub env: Vec<(String, String)>,
    /// Components that it is built with.
    pub uses: Vec<&'static str>,
    /// Compilers at once.
    pub jobs: u8,
}

#[derive(Debug)]
struct Sdists(Vec<SdistSpec>);

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let sdists = items("`sdists`", node, problems, decode_sdist);
    for (i, sdist) in sdists.iter().enumerate() {
        if let Some(first) = sdists[..i].iter().find(|other| other.name == sdist.name) {
            let message = format!("the package `{}` is here for the second time", sdist.name);
            problems.error_with_help(
                sdist.name.span,
                message,
                format!("the first is at {}", first.name.span.place()),
            );
        }
    }
    Some(Box::new(Sdists(sdists)))
}

fn decode_sdist(node: &Node, problems: &mut Problems) -> Option<SdistSpec> {
    let mut fields = Fields::open("an entry of `sdists`", node, problems)?;
    let name = fields.require("name", "numpy", problems);
    let name = name.and_then(|n| checked("the name of a package", n, problems, Name::parse));
    let name = name.map(|name| name.map(|name| normal_name(name.as_str())));
    let known_as = package(name.as_ref().map(|name| name.value.as_str()).unwrap_or_default());
    let source = SourceFields::decode(&mut fields, &known_as, "2.3.5", problems);
    let requires = match fields.take("requires") {
        Some(node) => items("`requires`", node, problems, pinned_requirement),
        None => Vec::new(),
    };
    let packages = match fields.take("packages") {
        Some(node) => items("`packages`", node, problems, |node, problems| {
            checked("a package", node, problems, DebianPackage::parse).map(|package| package.to_string())
        }),
        None => Vec::new(),
    };
    let settings = match fields.take("settings") {
        Some(node) => items("`settings`", node, problems, setting),
        None => Vec::new(),
    };
    let env = match fields.take("env") {
        Some(node) => entries("`env`", node, problems, variable),
        None => Vec::new(),
    };
    let uses = match fields.take("uses") {
        Some(node) => items("`uses`", node, problems, usable),
        None => Vec::new(),
    };
    let jobs = decode_jobs(&mut fields, problems);
    fields.finish(problems);
    Some(SdistSpec { name: name?, source: source?, requires, packages, settings, env, uses, jobs })
}

/// Takes `jobs`: compilers at once.
pub(super) fn decode_jobs(fields: &mut Fields<'_>, problems: &mut Problems) -> u8 {
    let jobs = fields.take("jobs").and_then(|node| {
        checked("a number of compilers", node, problems, |text| match text.parse() {
            Ok(jobs @ 1..=64) => Ok(jobs),
            _ => Err("write a number from 1 to 64".to_owned()),
        })
    });
    jobs.map_or(USUAL_JOBS, |jobs| jobs.value)
}

fn pinned_requirement(node: &Node, problems: &mut Problems) -> Option<String> {
    let requirement = checked("a Python requirement", node, problems, Requirement::parse)?;
    if !requirement.value.as_str().contains("==") {
        let message = format!("`{requirement}` is another release tomorrow, and so would be what it builds");
        problems.error_with_help(requirement.span, message, "write `==` and a version");
    }
    Some(requirement.to_string())
}

fn setting(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = text("a setting", node, problems)?;
    let fits = text.value.split_once('=').is_some_and(|(key, _)| Name::parse(key).is_ok());
    if !fits || text.value.contains('\0') {
        let message = format!("`{}` is not a setting of a build system", text.value.escape_debug());
        problems.error_with_help(text.span, message, "for example `setup-args=-Dcpu-baseline=none`");
        return None;
    }
    Some(text.value)
}

fn variable(key: &At<String>, node: &Node, problems: &mut Problems) -> Option<(String, String)> {
    if let Err(help) = EnvName::parse(&key.value) {
        let message = format!("`{}` is not the name of a variable", key.value.escape_debug());
        problems.error_with_help(key.span, message, help);
        return None;
    }
    Some((key.value.clone(), text("the value of a variable", node, problems)?.value))
}

fn usable(node: &Node, problems: &mut Problems) -> Option<&'static str> {
    let text = text("a component", node, problems)?;
    if let Some(key) = USABLE.into_iter().find(|key| *key == text.value) {
        return Some(key);
    }
    let help = match nearest(&text.value, USABLE) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it can use {}; of Python packages `requires` takes others", list(&USABLE)),
    };
    let message = format!("no package is built with `{}`", text.value.escape_debug());
    problems.error_with_help(text.span, message, help);
    None
}

impl Declared for Sdists {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn targets(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn keep(&mut self, lock: &PlatformLock) {
        for sdist in &mut self.0 {
            sdist.source.keep(REGISTRATION.key, &sdist.name.value, lock);
        }
    }

    fn builds(&self, package: &str) -> bool {
        self.0.iter().any(|sdist| sdist.name.value == package)
    }

    fn brings(&self, _: &Context<'_>) -> Vec<(String, At<String>)> {
        let packages = self.0.iter().map(|sdist| (sdist.name.value.clone(), &sdist.source.version));
        packages.map(|(package, version)| (package, At::new(version.to_string(), version.span))).collect()
    }

    fn resolve(&self, context: &Context<'_>, _: Span, problems: &mut Problems) -> Option<Box<dyn Component>> {
        for name in self.0.iter().map(|sdist| &sdist.name) {
            if let Some(key) = context.called(&name.value) {
                problems.error_with_help(
                    name.span,
                    format!("`{name}` is a component of the spec already"),
                    format!("take `{key}:` out, or this entry"),
                );
            }
        }
        let sdists: Vec<_> = self.0.iter().map(|sdist| sdist.resolve(context, problems)).collect();
        Some(Box::new(Built(sdists.into_iter().collect::<Option<_>>()?)))
    }
}

impl SdistSpec {
    /// Finds the archive and checks that what the package uses is there.
    pub(super) fn resolve(&self, context: &Context<'_>, problems: &mut Problems) -> Option<Sdist> {
        let installer = installer(REGISTRATION.key, context, self.name.span, problems);
        for key in self.uses.iter().filter(|key| !context.has(key)) {
            problems.error_with_help(
                self.name.span,
                format!("`{}` is built with `{key}`, which the spec does not have", self.name),
                format!("add `{key}:` to the spec"),
            );
        }
        let archive = self.source.resolve_package(&self.name.value, problems)?;
        Some(Sdist { spec: self.clone(), archive, installer: installer? })
    }
}

#[derive(Debug)]
struct Built(Vec<Sdist>);

impl Component for Built {
    fn plan(&self, _: Span, planner: &mut Planner) {
        self.0.iter().for_each(|sdist| sdist.plan(planner));
    }

    fn finish(&self, _: Span, planner: &mut Planner) {
        self.0.iter().for_each(|sdist| sdist.finish(planner));
    }

    fn most_trees(&self) -> usize {
        self.0.len()
    }
}

/// A package with nothing left to choose.
#[derive(Debug)]
pub(super) struct Sdist {
    spec: SdistSpec,
    archive: SourceArchive,
    installer: SourceArchive,
}

impl Sdist {
    /// Keeps the published wheel out.
    pub(super) fn plan(&self, planner: &mut Planner) {
        planner.exclude(self.spec.name.value.clone());
    }

    /// Adds the build, which sees the trees of the components that it uses.
    pub(super) fn finish(&self, planner: &mut Planner) {
        let (spec, span) = (&self.spec, self.spec.name.span);
        let Some(interpreter) = planner.interpreter().cloned() else { return };
        let label = format!("{} {}", spec.name, self.archive.version);
        let tools = Tools::new(interpreter.clone(), &self.installer, planner);
        let requires = self.requires(&label, tools, planner);
        let used = planner.all_provided().iter().filter(|provided| self.is_used(provided));
        let trees = used.map(|provided| provided.tree).chain([requires]).collect();
        let compilers = compilers(&label, &interpreter, &spec.packages, span, planner);
        let name = format!("[{label}] assemble what it is built with");
        let root = build_root(name, &interpreter, compilers, trees, span, planner);
        let source = planner.source(&label, &self.archive);
        let mut run = planner.compile(&BUILD, root, source, interpreter.home.packages_prefix());
        run.argv.extend(spec.settings.iter().cloned());
        run.env.extend([
            ("NAME".to_owned(), spec.name.to_string()),
            ("VERSION".to_owned(), self.archive.version.to_string()),
            ("PYTHON".to_owned(), interpreter.home.program()),
            ("MAX_JOBS".to_owned(), spec.jobs.to_string()),
        ]);
        let provided = planner.all_provided().iter().flat_map(|provided| &provided.env);
        let kept = planner.kept().iter().flat_map(|vendor| &vendor.env);
        let home = provided.chain(kept).find(|(name, _)| name == "CUDA_HOME");
        let mut path = vec![format!("{}/bin", interpreter.home.prefix)];
        if let Some((_, home)) = home.filter(|_| spec.uses.contains(&cuda::REGISTRATION.key)) {
            path.push(format!("{home}/bin"));
            run.env.push(("CUDA_HOME".to_owned(), home.clone()));
        }
        run.prepend_path(&path);
        // The spec's variables never hide those that the script is called with.
        let taken: Vec<String> = run.env.iter().map(|(name, _)| name.clone()).collect();
        run.env.extend(spec.env.iter().filter(|(name, _)| !taken.contains(name)).cloned());
        let tree = planner.run(format!("[{label}] build"), span, run);
        planner.provide(Provided {
            built_in: Some(root),
            optional_libraries: true,
            ..Provided::new(&spec.name.value, self.archive.version.as_str(), tree, span)
        });
    }

    fn is_used(&self, provided: &Provided) -> bool {
        self.spec.uses.iter().any(|key| match *key {
            key if key == cuda::REGISTRATION.key => cuda::TREES.iter().any(|tree| provided.belongs_to(tree)),
            key => provided.belongs_to(key),
        })
    }

    /// What it is built with, in a tree that is thrown away.
    fn requires(&self, label: &str, tools: Tools, planner: &mut Planner) -> StepId {
        let SdistSpec { name, requires, .. } = &self.spec;
        let requires = BuildRequires::Listed(requires);
        tools.install_requirements(&name.value, label, requires, name.span, planner)
    }
}

/// Compilers and these packages of the distribution, for packages of an interpreter.
pub(super) fn compilers(
    label: &str,
    interpreter: &Interpreter,
    packages: &[String],
    span: Span,
    planner: &mut Planner,
) -> StepId {
    let mut packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    if interpreter.root != planner.base() {
        // The environment of the distribution's Python lacks its headers.
        packages.push("python3-dev");
    }
    planner.toolchain(label, &packages, span)
}

/// A root in which packages are built for an interpreter: compilers, Python, and on them these trees.
pub(super) fn build_root(
    name: String,
    interpreter: &Interpreter,
    compilers: StepId,
    trees: Vec<StepId>,
    span: Span,
    planner: &mut Planner,
) -> StepId {
    let trees = interpreter.tree.into_iter().chain(trees).collect();
    planner.step(name, span, Action::Assemble { root: compilers, trees })
}

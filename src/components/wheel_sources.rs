//! Python packages that are required by the address of their source, a git repository or an archive: each is built into a
//! wheel, offline, which then is one like those that are named by their files. What it is built with is what its project says
//! (PEP 518) and what its build backend asks for (PEP 517), from published wheels.

use super::sdists;
use super::wheel_files::locked;
use super::wheels::{BuildRequires, PROJECT, Project, Tools, WheelRequest};
use crate::plan::{Action, Interpreter, Mount, Planner, RUN_DIR, Run, Script, StepId};
use crate::spec::{ContextPath, PackageAddress, PackageOrigin, Span};

const BUILD: Script = Script { name: "wheel-build.sh", text: include_str!("scripts/wheel-build.sh") };
const ASK: Script = Script { name: "wheel-ask.sh", text: include_str!("scripts/wheel-ask.sh") };
const ASK_BACKEND: Script = Script { name: "wheel-ask.py", text: include_str!("scripts/wheel-ask.py") };

/// How much of a commit tells it apart from others.
const COMMIT_DIGITS: usize = 12;

/// What is built, in a word: the package says its version itself.
pub(super) fn version(origin: &PackageOrigin) -> String {
    match origin {
        PackageOrigin::Git { commit, .. } => commit[..COMMIT_DIGITS].to_owned(),
        PackageOrigin::Wheel(file) | PackageOrigin::Archive { file, .. } => {
            let named = named_version(file.url.file_name());
            named.unwrap_or_else(|| file.sha256.as_str()[..COMMIT_DIGITS].to_owned())
        }
    }
}

/// The version that the name of an archive has, as those of releases do: `NAME-VERSION.tar.gz` (PEP 625).
fn named_version(file_name: &str) -> Option<String> {
    let (stem, _) = file_name.split_once(".t")?;
    let (_, version) = stem.rsplit_once('-')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || ".+!".contains(c);
    (version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(fits))
        .then(|| version.to_owned())
}

/// What the lock calls the archive that a package is built from.
pub fn source_label(name: &str) -> String {
    format!("{name} source")
}

/// Adds the steps that build the wheel. The result of the last one is a directory that has just it; nothing where there is no
/// Python to build it with.
pub(super) fn build(
    address: &PackageAddress,
    rest: &WheelRequest,
    span: Span,
    planner: &mut Planner,
) -> Option<StepId> {
    let interpreter = planner.interpreter().cloned()?;
    let name = &address.package;
    let label = format!("{name} {}", version(&address.origin));
    let project = project(address, &label, span, planner)?;
    let tools = Tools::new(interpreter.clone(), &rest.installer, planner).asking(&rest.indexes);
    let first = tools.install_first(name, &label, &project, span, planner);
    let compilers = sdists::compilers(&label, &interpreter, &[], span, planner);
    let workshop =
        Workshop { address, label: &label, project: &project, interpreter: &interpreter, compilers, span };
    let requires = match first {
        Some(first) => BuildRequires::Asked(&project, workshop.ask(first, planner)),
        None => BuildRequires::OfProject(&project),
    };
    let requires = tools.install_requirements(name, &label, requires, span, planner);
    Some(workshop.build(requires, planner))
}

/// Where the code of a package's project runs, offline.
struct Workshop<'a> {
    address: &'a PackageAddress,
    label: &'a str,
    project: &'a Project,
    interpreter: &'a Interpreter,
    compilers: StepId,
    span: Span,
}

impl Workshop<'_> {
    /// Asks the project for what it is built with besides what it says, in a tree of that. The result is the list.
    fn ask(&self, first: StepId, planner: &mut Planner) -> StepId {
        let root = self.root("assemble first build requirements", first, planner);
        let run = self.run(&ASK, &[ASK_BACKEND, PROJECT], root, planner);
        planner.run(format!("[{}] ask for build requirements", self.label), self.span, run)
    }

    fn build(&self, requires: StepId, planner: &mut Planner) -> StepId {
        let root = self.root("assemble what it is built with", requires, planner);
        let run = self.run(&BUILD, &[PROJECT], root, planner);
        planner.run(format!("[{}] build wheel", self.label), self.span, run)
    }

    fn root(&self, what: &str, requires: StepId, planner: &mut Planner) -> StepId {
        let name = format!("[{}] {what}", self.label);
        sdists::build_root(name, self.interpreter, self.compilers, vec![requires], self.span, planner)
    }

    /// A run of a script that enters the project: what it asks for may depend on all that it sees.
    fn run(&self, script: &Script, others: &[Script], root: StepId, planner: &mut Planner) -> Run {
        let home = &self.interpreter.home;
        let source = self.project.source.clone();
        let mut run = planner.compile_mounted(script, others, root, source, home.packages_prefix());
        run.env.extend([
            ("NAME".to_owned(), self.address.package.clone()),
            ("SUBDIRECTORY".to_owned(), self.project.subdirectory.clone()),
            ("PYTHON".to_owned(), home.program()),
            ("MAX_JOBS".to_owned(), sdists::USUAL_JOBS.to_string()),
        ]);
        if let PackageOrigin::Git { commit, .. } = &self.address.origin {
            // A checkout has no history to read a version from.
            run.env.push(("SCM_VERSION".to_owned(), format!("0+g{}", &commit[..COMMIT_DIGITS])));
        }
        run.prepend_path(&[format!("{}/bin", home.prefix)]);
        run
    }
}

/// Fetches the project of a package.
fn project(address: &PackageAddress, label: &str, span: Span, planner: &mut Planner) -> Option<Project> {
    let at = format!("{RUN_DIR}/source");
    let path = |path: &Option<ContextPath>| path.as_ref().map(ToString::to_string).unwrap_or_default();
    match &address.origin {
        PackageOrigin::Wheel(_) => None,
        PackageOrigin::Git { repository, commit, subdirectory } => {
            let action = Action::Checkout { repository: repository.to_string(), commit: commit.clone() };
            let from = planner.step(format!("[{label}] check out {repository}"), span, action);
            let source = Mount { at: format!("{at}/checkout"), from, part: "/".to_owned() };
            Some(Project { source, subdirectory: path(subdirectory) })
        }
        PackageOrigin::Archive { file, subdirectory } => {
            let from = planner.unpacked(&source_label(&address.package), locked(file, span));
            let source = Mount { at, from, part: "/".to_owned() };
            Some(Project { source, subdirectory: path(subdirectory) })
        }
    }
}

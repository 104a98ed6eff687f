//! Python packages that are required by the address of their source, a git repository or an archive: each is built into a
//! wheel, offline, which then is one like those that are named by their files. What it is built with is what its project says
//! (PEP 518), from published wheels.

use super::sdists;
use super::wheel_files::locked;
use super::wheels::{BuildRequires, Tools, WheelRequest};
use crate::plan::{Action, Mount, Planner, RUN_DIR, Script, StepId};
use crate::spec::{ContextPath, PackageAddress, PackageOrigin, Span};

const BUILD: Script = Script { name: "wheel-build.sh", text: include_str!("scripts/wheel-build.sh") };

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
    let (source, subdirectory) = source(address, &label, span, planner)?;
    let tools = Tools::new(interpreter.clone(), &rest.installer, planner).asking(&rest.indexes);
    let requires = BuildRequires::OfProject { source: source.clone(), subdirectory: subdirectory.clone() };
    let requires = tools.install_requirements(name, &label, requires, span, planner);
    let root = sdists::build_root(&label, &interpreter, &[], vec![requires], span, planner);
    let mut run = planner.compile_mounted(&BUILD, root, source, interpreter.home.packages_prefix());
    run.env.extend([
        ("NAME".to_owned(), name.clone()),
        ("SUBDIRECTORY".to_owned(), subdirectory),
        ("PYTHON".to_owned(), interpreter.home.program()),
        ("MAX_JOBS".to_owned(), sdists::USUAL_JOBS.to_string()),
    ]);
    if let PackageOrigin::Git { commit, .. } = &address.origin {
        // A checkout has no history to read a version from.
        run.env.push(("SCM_VERSION".to_owned(), format!("0+g{}", &commit[..COMMIT_DIGITS])));
    }
    run.prepend_path(&[format!("{}/bin", interpreter.home.prefix)]);
    Some(planner.run(format!("[{label}] build wheel"), span, run))
}

/// Where scripts find the source, and which part of it has the package.
fn source(
    address: &PackageAddress,
    label: &str,
    span: Span,
    planner: &mut Planner,
) -> Option<(Mount, String)> {
    let at = format!("{RUN_DIR}/source");
    let path = |path: &Option<ContextPath>| path.as_ref().map(ToString::to_string).unwrap_or_default();
    match &address.origin {
        PackageOrigin::Wheel(_) => None,
        PackageOrigin::Git { repository, commit, subdirectory } => {
            let action = Action::Checkout { repository: repository.to_string(), commit: commit.clone() };
            let from = planner.step(format!("[{label}] check out {repository}"), span, action);
            let mount = Mount { at: format!("{at}/checkout"), from, part: "/".to_owned() };
            Some((mount, path(subdirectory)))
        }
        PackageOrigin::Archive { file, subdirectory } => {
            let from = planner.unpacked(&source_label(&address.package), locked(file, span));
            Some((Mount { at, from, part: "/".to_owned() }, path(subdirectory)))
        }
    }
}

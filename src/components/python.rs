//! `python:` CPython built from its release archive into `/opt/python`, with a shared library and pip; or the one that the
//! base image has, where the spec says `vendor` and its place (`/usr` for the distribution's own); or the distribution's,
//! with a virtual environment, where it says `venv` and its place.
//!
//! `slim: true` leaves out what only developers of Python use, and the symbols that nothing loads; from the packages that
//! are installed into it, too.
//!
//! The tree is self-contained: programs find `libpython` by their run path, so no `LD_LIBRARY_PATH` is needed.

use super::{Component, Declared, PythonHome, Registration};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::{Interpreter, Mount, Planner, Provided, RUN_DIR, Script, Vendor};
use crate::resolve::{Context, SourceArchive, SourceFields};
use crate::spec::{
    At, Fields, ImagePath, Node, Scalar, Span, Value, Version, Wish, boolean, checked, checked_version,
    not_a_mapping,
};
use crate::suggest::nearest;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "python", decode };

/// Where it lies in the image.
pub(super) const PREFIX: &str = "/opt/python";

const BUILD: Script = Script { name: "python.sh", text: include_str!("scripts/python.sh") };

const SLIM: Script = Script { name: "python-slim.sh", text: include_str!("scripts/python-slim.sh") };

const VENV: Script = Script { name: "venv.sh", text: include_str!("scripts/venv.sh") };

/// What its standard library is built with. The names are the same from Debian 12 and Ubuntu 22.04 on.
const BUILD_PACKAGES: [&str; 11] = [
    "libbz2-dev",
    "libffi-dev",
    "libgdbm-dev",
    "liblzma-dev",
    "libncurses-dev",
    "libreadline-dev",
    "libsqlite3-dev",
    "libssl-dev",
    "tk-dev",
    "uuid-dev",
    "zlib1g-dev",
];

/// What it certainly has in `bin`, built or as a virtual environment.
const PROGRAMS: [&str; 4] = ["pip", "pip3", "python", "python3"];

#[derive(Debug)]
struct PythonSpec {
    origin: Origin,
    slim: bool,
}

/// Where Python comes from.
#[derive(Debug)]
enum Origin {
    /// Its release archive.
    Release { source: SourceFields, optimize: bool },
    /// The base image has it at this place.
    Vendor { version: At<Version>, prefix: At<ImagePath> },
    /// The distribution's packages, with a virtual environment at this place.
    Venv { version: At<Version>, prefix: At<ImagePath> },
}

/// Words that suffice for other components. Here each is a field, beside the version.
const PLACES: [(&str, &str); 2] = [
    (
        "vendor",
        "name the series and where it lies, such as `python: {version: '3.11', vendor: /opt/conda}`, or `vendor: /usr` for \
         the distribution's",
    ),
    (
        "venv",
        "name the distribution's series and a place for it, such as `python: {version: '3.13', venv: /opt/venv}`",
    ),
];

/// What to write instead of a word alone.
fn place_help(node: &Node) -> Option<&'static str> {
    let Value::Scalar(Scalar { text, .. }) = &node.value else { return None };
    let word = nearest(text, PLACES.map(|(word, _)| word))?;
    PLACES.iter().find(|(place, _)| *place == word).map(|(_, help)| *help)
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if let Some(help) = place_help(node) {
        problems.error_with_help(node.span, not_a_mapping("`python`", node), help);
        return None;
    }
    let mut fields = Fields::open_versioned("`python`", node, problems)?;
    let (vendor, venv) = (fields.take("vendor"), fields.take("venv"));
    let slim =
        fields.take("slim").and_then(|n| boolean("`slim`", n, problems)).is_some_and(|slim| slim.value);
    if let (Some(_), Some(venv)) = (vendor, venv) {
        let message = "`venv` means nothing beside `vendor`: Python is the base image's";
        problems.warning(venv.span, message, "leave one of them out");
    }
    let origin = match vendor.or(venv) {
        Some(place) => {
            let prefix = checked("a directory", place, problems, ImagePath::parse);
            let version = fields.require("version", "3.13", problems);
            let version = version.and_then(|n| checked_version(n, problems, Version::parse));
            fields.finish(problems);
            let (version, prefix) = (version?, prefix?);
            if vendor.is_some() {
                Origin::Vendor { version, prefix }
            } else {
                Origin::Venv { version, prefix }
            }
        }
        None => {
            let source = SourceFields::decode(&mut fields, REGISTRATION.key, "3.13.5", problems);
            let optimize = fields.take("optimize").and_then(|n| boolean("`optimize`", n, problems));
            fields.finish(problems);
            Origin::Release { source: source?, optimize: optimize.is_some_and(|o| o.value) }
        }
    };
    Some(Box::new(PythonSpec { origin, slim }))
}

fn refuse_series(version: &At<Version>, problems: &mut Problems) {
    if version.value.as_str().split('.').count() < 3 {
        problems.error_with_help(
            version.span,
            format!("`{version}` is a series of Python, not a release"),
            format!("name the release, such as `{version}.5`"),
        );
    }
}

/// Reports what is no Python 3.
fn refuse_other(version: &At<Version>, problems: &mut Problems) -> Option<PythonHome> {
    problems.error_with_help(
        version.span,
        format!("`{version}` is not a Python 3"),
        "name one, such as `3.13.5`",
    );
    None
}

/// The second number of a release of Python 3: 13 for `3.13.5`.
pub(super) fn series(version: &Version) -> Option<u32> {
    let mut parts = version.as_str().split('.');
    (parts.next() == Some("3")).then(|| parts.next()?.parse().ok()).flatten()
}

/// The files that tell which Python is at a place: its header, which has the release, and its library.
fn witnesses(prefix: &ImagePath, series: u32) -> [String; 2] {
    [
        format!("{prefix}/include/python3.{series}/patchlevel.h"),
        format!("{prefix}/lib/python3.{series}/os.py"),
    ]
}

impl Declared for PythonSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn version(&self) -> Option<&Version> {
        Some(match &self.origin {
            Origin::Release { source, .. } => &source.version.value,
            Origin::Vendor { version, .. } | Origin::Venv { version, .. } => &version.value,
        })
    }

    fn keep(&mut self, lock: &PlatformLock) {
        if let Origin::Release { source, .. } = &mut self.origin {
            source.keep(REGISTRATION.key, REGISTRATION.key, lock);
        }
    }

    fn choice(&self, _: &Context<'_>) -> Option<(At<Wish>, String)> {
        match &self.origin {
            Origin::Release { source, .. } => Some((source.wish.clone(), source.version.to_string())),
            Origin::Vendor { .. } | Origin::Venv { .. } => None,
        }
    }

    fn is_vendor(&self) -> bool {
        matches!(self.origin, Origin::Vendor { .. })
    }

    fn python_home(&self) -> Option<PythonHome> {
        let (version, prefix) = match &self.origin {
            Origin::Release { source, .. } => (&source.version, PREFIX.to_owned()),
            Origin::Vendor { version, prefix } | Origin::Venv { version, prefix } => {
                (version, prefix.to_string())
            }
        };
        Some(PythonHome { prefix, series: series(&version.value)? })
    }

    fn installs(&self, _: &Context<'_>) -> Vec<String> {
        let Some(home) = self.python_home().filter(|_| !self.is_vendor()) else { return Vec::new() };
        PROGRAMS.map(|name| format!("{}/bin/{name}", home.prefix)).into()
    }

    fn inspects(&self, _: Option<&PythonHome>) -> Vec<String> {
        match &self.origin {
            Origin::Vendor { version, prefix } => series(&version.value)
                .map(|series| witnesses(&prefix.value, series).into())
                .unwrap_or_default(),
            Origin::Release { .. } | Origin::Venv { .. } => Vec::new(),
        }
    }

    fn resolve(&self, context: &Context<'_>, _: Span, problems: &mut Problems) -> Option<Box<dyn Component>> {
        let slim = self.slim;
        let home = self.python_home();
        match &self.origin {
            Origin::Release { source, optimize } => {
                let version = &source.version;
                let source = source.resolve(REGISTRATION.key, problems)?;
                refuse_series(version, problems);
                let home = home.or_else(|| refuse_other(version, problems))?;
                Some(Box::new(Python { source, home, optimize: *optimize, slim }))
            }
            Origin::Vendor { version, prefix } => {
                let home = home.or_else(|| refuse_other(version, problems))?;
                let [header, library] = witnesses(&prefix.value, home.series);
                let release = context.base_file(&header).and_then(|text| {
                    Some(text.split("#define PY_VERSION").nth(1)?.split('"').nth(1)?.to_owned())
                });
                let wanted = version.value.as_str();
                let fits = release
                    .as_ref()
                    .is_none_or(|release| release == wanted || release.starts_with(&format!("{wanted}.")));
                if context.base_file(&library).is_none() || !fits {
                    let help = match release {
                        Some(release) => format!("it has {release} there"),
                        None => {
                            "name the series and the place of the Python that the base image has".to_owned()
                        }
                    };
                    let message = format!("the base image has no Python {version} at {prefix}");
                    problems.error_with_help(version.span, message, help);
                    return None;
                }
                // What the header says is the whole release.
                let version = release.unwrap_or_else(|| wanted.to_owned());
                Some(Box::new(VendorPython { version, home, slim }))
            }
            Origin::Venv { version, prefix } => {
                let home = home.or_else(|| refuse_other(version, problems))?;
                check_venv(version, prefix, problems);
                check_distribution(version, context, problems);
                Some(Box::new(Venv { version: version.value.clone(), home, slim }))
            }
        }
    }
}

/// The directories of the distribution's own Python, which no virtual environment can lie in.
const TAKEN: [&str; 3] = ["/", "/usr", "/usr/local"];

/// Reports what no virtual environment can be made of.
fn check_venv(version: &At<Version>, prefix: &At<ImagePath>, problems: &mut Problems) {
    if version.value.as_str().split('.').count() > 2 {
        problems.error_with_help(
            version.span,
            format!("which release of a series the distribution has is up to it, and may not be {version}"),
            format!("name the series: `version: 3.{}`", series(&version.value).unwrap_or_default()),
        );
    }
    if TAKEN.contains(&prefix.value.as_str()) {
        problems.error_with_help(
            prefix.span,
            format!("a virtual environment cannot be at {prefix}"),
            "name a directory of its own, such as `/opt/venv`",
        );
    }
}

/// Reports a series that the distribution is known not to have.
fn check_distribution(version: &At<Version>, context: &Context<'_>, problems: &mut Problems) {
    let release = &context.facts.os_release;
    let name = format!("{} {}", release.id, release.version_id);
    let known = context.catalog.distributions.iter().find(|row| row.distribution == name);
    if let Some(row) = known
        && series(&version.value) != Some(row.python)
    {
        problems.error_with_help(
            version.span,
            format!("{name} has no Python {version}"),
            format!("it has 3.{}; another one can be built from its release: leave `venv` out", row.python),
        );
    }
}

#[derive(Debug)]
struct Venv {
    version: Version,
    home: PythonHome,
    slim: bool,
}

impl Component for Venv {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let (name, base) = (REGISTRATION.key, planner.base());
        let packages = vec!["python3".to_owned(), "python3-venv".to_owned()];
        let root =
            planner.apt("[python] install the distribution's", base, packages.clone(), &[], false, span);
        let mut run = planner.script(&VENV, root, Vec::new());
        run.env.extend([
            ("PREFIX".to_owned(), self.home.prefix.clone()),
            ("SERIES".to_owned(), self.version.to_string()),
        ]);
        let tree = planner.run("[python] build virtual environment".to_owned(), span, run);
        // Slimming runs where both Python and the programs that change libraries are.
        let tools: &[&str] = if self.slim { &["python3", "python3-venv"] } else { &[] };
        let built_in = planner.toolchain(name, tools, span);
        planner.set_interpreter(Interpreter {
            home: self.home.clone(),
            root,
            tree: Some(tree),
            built_in,
            slim: self.slim.then_some(built_in),
        });
        planner.provide(Provided {
            packages,
            path: vec![format!("{}/bin", self.home.prefix)],
            ..Provided::new(name, self.version.as_str(), tree, span)
        });
    }
}

#[derive(Debug)]
struct VendorPython {
    version: String,
    home: PythonHome,
    slim: bool,
}

impl Component for VendorPython {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let built_in = planner.toolchain(REGISTRATION.key, &[], span);
        let root = planner.base();
        let slim = self.slim.then(|| planner.elf_tools());
        planner.set_interpreter(Interpreter { home: self.home.clone(), root, tree: None, built_in, slim });
        planner.keep(Vendor::new(REGISTRATION.key, self.version.clone()));
    }
}

#[derive(Debug)]
struct Python {
    source: SourceArchive,
    home: PythonHome,
    optimize: bool,
    slim: bool,
}

impl Component for Python {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let label = format!("python {}", self.source.version);
        let root = planner.toolchain(&label, &BUILD_PACKAGES, span);
        let source = planner.source(&label, &self.source);
        let mut run = planner.compile(&BUILD, root, source, PREFIX);
        if self.optimize {
            run.env.push(("OPTIMIZE".to_owned(), "1".to_owned()));
        }
        let mut tree = planner.run(format!("[{label}] build"), span, run);
        if self.slim {
            let mut run = planner.script(&SLIM, root, Vec::new());
            let at = format!("{RUN_DIR}/python");
            run.mounts.push(Mount { at: at.clone(), from: tree, part: "/".to_owned() });
            run.env.extend([("TREE".to_owned(), at), ("PREFIX".to_owned(), PREFIX.to_owned())]);
            tree = planner.run(format!("[{label}] build slim"), span, run);
        }
        let base = planner.base();
        let slim = self.slim.then(|| planner.elf_tools());
        planner.set_interpreter(Interpreter {
            home: self.home.clone(),
            root: base,
            tree: Some(tree),
            built_in: root,
            slim,
        });
        planner.provide(Provided {
            built_in: Some(root),
            path: vec![format!("{PREFIX}/bin")],
            ..Provided::new(REGISTRATION.key, self.source.version.as_str(), tree, span)
        });
    }
}

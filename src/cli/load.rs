//! Specs from the disk: with all that they extend, and without a builder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use buildkit_llb::Platform;

use super::{Failure, REGISTRY, causes, runtime};
use crate::diagnostic::{Diagnostic, Problems, Severity};
use crate::frontend::predefined;
use crate::lock::{self, Lock, LockUse};
use crate::plan::{Plan, plan};
use crate::resolve::{ARCHIVED_ARG, BaseFacts, Inputs, OsRelease, PackageIndex, USERS, resolve};
use crate::spec::{
    At, ContextPath, Document, Node, PlatformName, Span, Spec, Value, Values, decode_with, document, merge,
};

/// Specs that stand on each other at most.
const MAX_FILES: usize = 8;
/// What the images of the distributions say of themselves, by which they are called as well. Source: their `os-release`.
const RELEASES: [(&str, &str, &str); 6] = [
    ("debian", "12", "bookworm"),
    ("debian", "13", "trixie"),
    ("ubuntu", "20.04", "focal"),
    ("ubuntu", "22.04", "jammy"),
    ("ubuntu", "24.04", "noble"),
    ("ubuntu", "26.04", "resolute"),
];
/// The one of Ubuntu 24.04's users whose number a spec could want; those of the system have numbers below 1000. Source: the
/// image's `/etc/passwd`.
const UBUNTU_USERS: &str = "ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\n";
/// What a spec is taken to be for that names no platform.
const ARCHITECTURE: &str = "amd64";
/// NVIDIA's indexes have a few MiB.
const MAX_INDEX_BYTES: usize = 64 << 20;

/// A spec and where it is.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) spec: Spec,
    /// Its text as a tree, before arguments are put in.
    root: Node,
    /// The directory that paths in it count from.
    pub(super) context: PathBuf,
    /// Its files, in the order of their numbers.
    pub(super) files: Vec<PathBuf>,
}

/// What a spec comes to on one architecture.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) plan: Plan,
    /// What the user should know though it stops nothing, and what was not looked at.
    pub(super) found: Vec<Diagnostic>,
}

/// What is wrong with a spec, in lines that name its files.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) files: Vec<PathBuf>,
    pub(super) found: Vec<Diagnostic>,
}

impl Wrong {
    pub(super) fn lines(&self) -> Vec<String> {
        lines(&self.files, &self.found)
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::new(wrong.lines().join("\n"))
    }
}

/// Findings as `FILE:LINE:COLUMN: MESSAGE; HELP`.
pub(super) fn lines(files: &[PathBuf], found: &[Diagnostic]) -> Vec<String> {
    let names = names(files);
    let line = |found: &Diagnostic| format!("{}:{}", name(&names, found.span), found.named(&names).line());
    found.iter().map(line).collect()
}

/// The name of the file that a place is in.
pub(super) fn name(names: &[String], span: Span) -> &str {
    names.get(usize::from(span.file)).or(names.first()).map_or("", String::as_str)
}

/// Files as messages name them.
pub(super) fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.display().to_string()).collect()
}

/// Reads a spec. `context` is the directory that paths count from; without one it is the nearest above the spec that
/// has the file which the spec extends.
pub(super) fn load(path: &Path, context: Option<&Path>) -> Result<Loaded, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    let mut problems = Problems::default();
    let mut files = vec![path.to_owned()];
    let mut roots = Vec::new();
    let mut context = context.map(Path::to_owned);
    let mut read = document(&text, 0, &mut problems);
    while let Some(found) = read.take() {
        roots.push(found.root);
        let Some(extends) = found.extends else { break };
        let below = files.last().cloned().unwrap_or_default();
        let root = context.get_or_insert_with(|| directory_with(&below, extends.value.as_str()));
        let next = root.join(extends.value.as_str());
        if files.iter().any(|file| is_same(file, &next)) {
            // Nothing is missing, so that the rest can be checked as well.
            let message = format!("the spec extends itself by way of `{extends}`");
            problems.error_with_help(extends.span, message, "leave `extends` out of one of these specs");
            break;
        }
        read = add(&mut files, next, root, &extends, &mut problems);
        if read.is_none() {
            // What the file would have said is not known: nothing can be said to be missing.
            roots.clear();
        }
    }
    let context = context.unwrap_or_else(|| parent(path));
    let decoded = match roots.into_iter().rev().reduce(merge) {
        Some(root) => {
            decode_with(&root, &values(first_architecture(&root)), problems).map(|spec| (spec, root))
        }
        None => problems.check(None),
    };
    match decoded {
        Ok((spec, root)) => Ok(Loaded { spec, root, context, files }),
        Err(found) => Err(Wrong { files, found }.into()),
    }
}

/// The architecture of the first of a spec's platforms, which its tree tells before anything is put in.
fn first_architecture(root: &Node) -> &str {
    let Value::Map(fields) = &root.value else { return ARCHITECTURE };
    let platforms = fields.iter().find(|(key, _)| key.value == "platforms").map(|(_, node)| &node.value);
    let Some(Value::List(platforms)) = platforms else { return ARCHITECTURE };
    match platforms.first().map(|platform| &platform.value) {
        Some(Value::Scalar(platform)) if PlatformName::parse(&platform.text).is_ok() => {
            platform.text.trim_start_matches("linux/")
        }
        _ => ARCHITECTURE,
    }
}

/// What names stand for where nobody builds. The builder is taken to be of the platform that it builds for.
pub(super) fn values(architecture: &str) -> Values {
    let platform =
        Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), ..Platform::default() };
    Values { predefined: predefined(&platform, &platform, "image"), ..Values::default() }
}

/// Whether a tag of a distribution's image names this release: `13`, `13.2-slim`, `trixie-20251117`.
fn is_release((of, number, codename): &(&str, &str, &str), id: &str, tag: &str) -> bool {
    let release = tag.split('-').next().unwrap_or_default();
    // Only Debian's releases have points that its `os-release` does not tell.
    let point = id == "debian" && release.strip_prefix(number).is_some_and(|rest| rest.starts_with('.'));
    *of == id && (release == *number || release == *codename || point)
}

/// What its base image is like, as far as its name tells: nothing of vendors' images is known without a builder.
fn assumed_facts(spec: &Spec, architecture: &str) -> Option<BaseFacts> {
    if spec.inspects().iter().any(|path| path != USERS) {
        return None;
    }
    let reference = spec.base.value.as_str();
    let name = reference.split('@').next().unwrap_or_default().strip_prefix("docker.io/library/")?;
    let (id, tag) = name.split_once(':')?;
    let (_, number, codename) = RELEASES.iter().find(|release| is_release(release, id, tag))?;
    let users = if *number == "24.04" { UBUNTU_USERS } else { "" };
    let text = format!("ID={id}\nID_LIKE=debian\nVERSION_ID={number}\nVERSION_CODENAME={codename}\n");
    Some(BaseFacts {
        reference: reference.to_owned(),
        architecture: architecture.to_owned(),
        os_release: OsRelease::parse(&text),
        files: [(USERS.to_owned(), users.to_owned())].into(),
        ..BaseFacts::default()
    })
}

/// Reads one more file that a spec stands on.
fn add(
    files: &mut Vec<PathBuf>,
    next: PathBuf,
    context: &Path,
    extends: &At<ContextPath>,
    problems: &mut Problems,
) -> Option<Document> {
    if files.len() == MAX_FILES {
        let message = format!("more than {MAX_FILES} specs stand on each other");
        problems.error_with_help(extends.span, message, "merge some of them into one");
        return None;
    }
    match fs::read_to_string(&next) {
        Ok(text) => {
            files.push(next);
            document(&text, files.len() as u8 - 1, problems)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let message = format!("`{extends}` is not in the build context, `{}`", context.display());
            let help =
                "a spec extends a file that is named from the top of it; `--context` says where that is";
            problems.error_with_help(extends.span, message, help);
            None
        }
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", next.display());
            problems.error_with_help(extends.span, message, "a spec extends a text file that can be read");
            None
        }
    }
}

/// Whether two paths lead to one file that is there.
fn is_same(one: &Path, other: &Path) -> bool {
    fs::canonicalize(one).ok().is_some_and(|path| fs::canonicalize(other).ok() == Some(path))
}

/// The directory that a file is in.
pub(super) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn directory_with(spec: &Path, wanted: &str) -> PathBuf {
    let first = parent(spec);
    let absolute = fs::canonicalize(&first).unwrap_or_else(|_| first.clone());
    let mut depth = first.clone();
    for directory in absolute.ancestors() {
        if directory.join(wanted).is_file() {
            return depth;
        }
        depth.push("..");
    }
    first
}

impl Loaded {
    /// The architectures that it is meant for, by BuildKit's names.
    pub(super) fn architectures(&self) -> Vec<String> {
        let platforms = self.spec.platforms.iter().map(|platform| platform.value.as_str());
        let architectures: Vec<_> =
            platforms.filter_map(|platform| platform.strip_prefix("linux/")).map(str::to_owned).collect();
        if architectures.is_empty() { vec![ARCHITECTURE.to_owned()] } else { architectures }
    }

    /// The versions that the spec itself says, by the names of the components.
    pub(super) fn declared_versions(&self) -> BTreeMap<String, String> {
        let components = self.spec.components.iter().map(|component| &component.value);
        components.filter_map(|c| Some((c.key().to_owned(), c.version()?.to_string()))).collect()
    }

    /// The plan for one architecture; `None` where too little is known without a builder.
    pub(super) fn plan(&self, architecture: &str, archives: Archives) -> Result<Option<Plan>, Failure> {
        Ok(self.resolved(architecture, archives)?.map(|resolved| resolved.plan))
    }

    /// The same with what the user should know of it.
    pub(super) fn resolved(
        &self,
        architecture: &str,
        archives: Archives,
    ) -> Result<Option<Resolved>, Failure> {
        let wrong = |found| Wrong { files: self.files.clone(), found };
        let spec = decode_with(&self.root, &values(architecture), Problems::default()).map_err(wrong)?;
        let Some(facts) = assumed_facts(&spec, architecture) else { return Ok(None) };
        let lock = self.lock(architecture)?;
        let addresses = spec.indexes(&facts);
        let indexes = match (lock.archives(), archives) {
            (Some(locked), _) => lock::indexes(locked),
            (None, Archives::LeftOut) => BTreeMap::new(),
            (None, Archives::Read) => {
                let read =
                    addresses.iter().map(|address| Ok((address.value.clone(), index(&address.value)?)));
                read.collect::<Result<_, Failure>>()?
            }
        };
        let mut texts = BTreeMap::new();
        for path in spec.reads() {
            if let Ok(text) = fs::read_to_string(self.context.join(path.value.as_str())) {
                texts.insert(path.to_string(), text);
            }
        }
        let kind = |path: At<ContextPath>| {
            let found = fs::metadata(self.context.join(path.value.as_str())).ok()?;
            Some((path.to_string(), found.is_dir()))
        };
        let directories = spec.compared().into_iter().filter_map(kind).collect();
        let build_args = BTreeMap::from([(ARCHIVED_ARG.to_owned(), "true".to_owned())]);
        let inputs = Inputs {
            files: texts,
            directories,
            replaced: BTreeSet::new(),
            build_args,
            indexes,
            mirror: None,
            wheelhouse: false,
            lock,
            explain: true,
        };
        let node = resolve(spec, facts, &inputs).map_err(wrong)?;
        let plan = plan(&node);
        if !plan.problems.is_empty() {
            return Err(wrong(plan.problems).into());
        }
        let found = [node.warnings, plan.warnings.clone()].concat();
        Ok(Some(Resolved { plan, found }))
    }

    /// What there is to say where there is no plan.
    pub(super) fn unknown(&self) -> Diagnostic {
        let base = &self.spec.base;
        Diagnostic {
            severity: Severity::Note,
            message: format!(
                "what goes together was not checked: what `{base}` has is known to a builder only"
            ),
            help: Some("`docker buildx build --call explain` asks one".to_owned()),
            span: base.span,
        }
    }

    /// What the lock beside the spec has for an architecture, if there is one.
    fn lock(&self, architecture: &str) -> Result<LockUse, Failure> {
        let path = self.lock_path();
        if !path.exists() {
            return Ok(LockUse::None);
        }
        let number = u8::try_from(self.files.len()).unwrap_or(u8::MAX);
        let lock = read_lock(&path, number, self.files.iter().cloned().chain([path.clone()]).collect())?;
        let locked = lock.platforms.get(&format!("linux/{architecture}"));
        Ok(locked.map_or(LockUse::None, |locked| LockUse::Fixed(locked.clone())))
    }

    /// Where its lock is, if it has one.
    pub(super) fn lock_path(&self) -> PathBuf {
        let spec = self.files.first().cloned().unwrap_or_default();
        let name = spec.file_name().unwrap_or_default().to_string_lossy();
        spec.with_file_name(lock::file_name(&name))
    }
}

/// Reads a lock, which is the file of this number among those of a spec.
pub(super) fn read_lock(path: &Path, number: u8, files: Vec<PathBuf>) -> Result<Lock, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    let mut problems = Problems::default();
    let lock = Lock::parse(&text, number, &mut problems);
    Ok(problems.check(lock).map_err(|found| Wrong { files, found })?)
}

/// What is done about archives of packages, whose indexes a spec may choose from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Archives {
    /// Their indexes are read.
    Read,
    /// Nothing is read; what comes from them is left out of the plan.
    LeftOut,
}

/// Reads the index of an archive of packages.
fn index(address: &str) -> Result<PackageIndex, Failure> {
    let read = async {
        let mut response = reqwest::get(address).await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await?
            && bytes.len() < MAX_INDEX_BYTES
        {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let bytes = runtime()?.block_on(read).map_err(|error: reqwest::Error| {
        Failure::new(format!("{address} cannot be read: {}", causes(&error))).code(REGISTRY)
    })?;
    Ok(PackageIndex::parse(&String::from_utf8_lossy(&bytes)))
}

/// All specs of a directory, sorted, without those that others only stand on: they have no name.
pub(super) fn specs(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut specs = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", directory.display())))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") && has_name(&path) {
                specs.push(path);
            }
        }
    }
    specs.sort();
    Ok(specs)
}

/// Whether a file names a frontend on its first line, as specs do that are built.
fn has_name(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.starts_with("# syntax="))
}

//! The lock: what a spec was resolved to, in a file beside it.
//!
//! It is YAML that a program writes and a person reads: one line for each file that is downloaded, in the order of its
//! name, so that a change of one package is a change of one line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::diagnostic::{Diagnostic, Problems, Severity};
use crate::mirror;
use crate::resolve::{DebPackage, PackageIndex};
use crate::spec::{
    At, Fields, ImageReference, Node, PlatformName, Sha256, Span, Url, Value, Version, Wish, checked,
    entries, items, normal_name, parse_yaml, text,
};

/// What the inputs of a lock call wheels of the build context.
const WHEEL: &str = "wheel";

/// The form of the file. Older ones are read, too: in the second, lists have no digest of their names.
const FORM: &str = "3";
const OLD_FORM: &str = "2";

/// The target that is the lock of the spec.
pub const LOCK_TARGET: &str = "lock";
/// The target that is the lock with newer versions.
pub const UPDATE_TARGET: &str = "update";
/// The build argument that names what is updated.
pub const UPDATE_ARG: &str = "EDGENODE_UPDATE";

/// What helps where a lock is not what was written.
const ANEW: &str = "the lock was changed by hand; make it anew with `--target lock`";

/// What a spec was resolved to.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// What it was resolved to, by platform.
    pub platforms: BTreeMap<String, PlatformLock>,
}

/// What a spec was resolved to for one platform.
#[derive(Clone, Debug, Default)]
pub struct PlatformLock {
    /// The fields of the spec that it was resolved from, with a digest of each one's value. Arguments can make them other
    /// ones for another platform.
    pub inputs: BTreeMap<String, String>,
    /// The base image with its digest.
    pub base: String,
    /// Release archives and tools, by what they are called: `ffmpeg 7.1.5`.
    pub sources: BTreeMap<String, LockedFile>,
    /// Packages of the distribution, by the step that installs them.
    pub packages: BTreeMap<String, LockedPackages>,
    /// Python packages by name; `None` before they are resolved.
    pub wheels: Option<BTreeMap<String, LockedWheel>>,
    /// Python packages that are required and that the base image's own Python has.
    pub vendor: BTreeSet<String>,
    /// What Python packages that are compiled are built with, by the package.
    pub builds: BTreeMap<String, BTreeMap<String, LockedWheel>>,
    /// What is taken from archives of Debian packages, by the addresses of their indexes.
    pub archives: BTreeMap<String, LockedArchive>,
    /// What an older lock had, while this one is being made.
    pub earlier: Earlier,
    /// What says that it was changed by hand, where the build may have more to say of it: that an entry is missing.
    pub doubts: Vec<Diagnostic>,
    /// Its place in the lock.
    pub span: Span,
}

/// What an older lock had, of which a new one keeps what it can.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    /// Versions of Python packages.
    pub wheels: BTreeMap<String, String>,
    /// The same of what Python packages are built with, by the package.
    pub builds: BTreeMap<String, BTreeMap<String, String>>,
    /// Release archives, as the lock calls them.
    pub sources: BTreeSet<String>,
    /// The fields of the spec that have changed since then.
    pub moved: BTreeSet<String>,
    /// What newer versions are asked for of: groups of Python packages and packages, by their normal names.
    pub updated: BTreeSet<String>,
}

/// A file that is downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedFile {
    /// Where from.
    pub url: Url,
    /// What its bytes hash to.
    pub sha256: Sha256,
    /// How many bytes, where that is known.
    pub size: Option<u64>,
    /// Its place in the lock.
    pub span: Span,
}

/// What one step installs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedPackages {
    /// What was asked for.
    pub asked: Vec<String>,
    /// The state of archives that keep what they drop, by the addresses of the archives.
    pub snapshots: BTreeMap<String, Url>,
    /// What is installed, by name and architecture.
    pub files: BTreeMap<String, LockedPackage>,
    /// Its place in the lock.
    pub span: Span,
}

/// A package of the distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedPackage {
    /// Its version.
    pub version: String,
    /// Its file.
    pub file: LockedFile,
}

/// A Python package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedWheel {
    /// Its version.
    pub version: String,
    /// Its wheel.
    pub file: LockedFile,
}

/// What is taken from an archive of Debian packages that is not the distribution's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedArchive {
    /// The packages, by name and version.
    pub files: BTreeMap<(String, String), LockedDeb>,
    /// Packages (name and version) that the archive has but something else stands in for.
    pub replaced: BTreeSet<(String, String)>,
}

/// A package of such an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedDeb {
    /// Its file.
    pub file: LockedFile,
    /// What it depends on, as its index has it.
    pub depends: String,
}

impl LockedArchive {
    /// Takes more of the same archive in.
    pub fn add(&mut self, more: Self) {
        self.files.extend(more.files);
        self.replaced.extend(more.replaced);
    }

    /// An index that has nothing but what the lock has, so that the same is chosen from it again.
    pub fn index(&self) -> PackageIndex {
        let files = self.files.iter().map(|((name, version), deb)| {
            DebPackage::new(name, version, deb.file.url.as_str(), deb.file.sha256.clone(), &deb.depends)
        });
        let replaced = self.replaced.iter().filter(|pair| !self.files.contains_key(*pair));
        // Of these only name and version are ever asked.
        let nothing = Sha256::of(b"");
        let replaced =
            replaced.map(|(name, version)| DebPackage::new(name, version, "", nothing.clone(), ""));
        PackageIndex::of(files.chain(replaced))
    }
}

/// The indexes that stand in for those of archives, by their addresses.
pub fn indexes(archives: &BTreeMap<String, LockedArchive>) -> BTreeMap<String, PackageIndex> {
    archives.iter().map(|(address, archive)| (address.clone(), archive.index())).collect()
}

/// How a build uses a lock.
#[derive(Clone, Debug, Default)]
pub enum LockUse {
    /// There is none.
    #[default]
    None,
    /// It is being made, and this is what it has so far.
    Making(PlatformLock),
    /// Everything comes from it.
    Fixed(PlatformLock),
}

impl LockUse {
    /// The base image that is locked.
    pub fn base(&self) -> Option<&str> {
        self.locked().map(|lock| lock.base.as_str())
    }

    /// What is taken from archives, if that is final.
    pub fn archives(&self) -> Option<&BTreeMap<String, LockedArchive>> {
        match self {
            Self::Fixed(lock) => Some(&lock.archives),
            Self::None | Self::Making(_) => None,
        }
    }

    /// What is locked so far.
    pub fn locked(&self) -> Option<&PlatformLock> {
        match self {
            Self::None => None,
            Self::Making(lock) | Self::Fixed(lock) => Some(lock),
        }
    }
}

impl LockedFile {
    /// The file's name as it is on disk: the end of the address without its escapes.
    pub fn name(&self) -> String {
        mirror::unescaped(self.url.file_name()).replace('/', "_")
    }
}

/// The name of the lock of a spec: `node.lock` for `node.yaml`.
pub fn file_name(spec: &str) -> String {
    let stem = spec.strip_suffix(".yaml").or_else(|| spec.strip_suffix(".yml")).unwrap_or(spec);
    format!("{stem}.lock")
}

/// What decides beside the fields of a spec what is resolved.
#[derive(Debug, Default)]
pub struct Beside {
    /// The texts of the files that the spec reads, by their paths.
    pub files: BTreeMap<String, String>,
    /// Marks of the wheels of the build context, by their paths.
    pub wheels: BTreeMap<String, String>,
}

/// All that decides what is resolved, with a digest of each value. Fields of the image's configuration, files, commands
/// and tests are not among it. The `root` is that of a spec whose arguments have their values.
pub fn inputs(root: &Node, beside: &Beside) -> BTreeMap<String, String> {
    const IGNORED: [&str; 24] = [
        "args",
        "cmd",
        "commands",
        "entrypoint",
        "env",
        "extends",
        "files",
        "healthcheck",
        "labels",
        "lint",
        "name",
        "platforms",
        "ports",
        "repository",
        "require_tests",
        "secrets",
        "status",
        "stop_signal",
        "suites",
        "tag",
        "tests",
        "user",
        "volumes",
        "workdir",
    ];
    let Value::Map(fields) = &root.value else { return BTreeMap::new() };
    let mut inputs = BTreeMap::new();
    for (key, value) in fields.iter().filter(|(key, _)| !IGNORED.contains(&key.value.as_str())) {
        match &value.value {
            Value::Map(parts) => {
                let part = |(part, value): &(At<String>, Node)| {
                    (format!("{}.{}", key.value, part.value), digest(&canonical(value)))
                };
                inputs.extend(
                    parts.iter().filter(|(part, _)| key.value != "system" || part.value != "users").map(part),
                );
            }
            _ => {
                inputs.insert(key.value.clone(), digest(&canonical(value)));
            }
        }
    }
    let Beside { files, wheels } = beside;
    for (kind, values) in [("file", files), (WHEEL, wheels)] {
        inputs.extend(values.iter().map(|(name, value)| (format!("{kind} {name}"), digest(value))));
    }
    inputs
}

/// A value as text that is the same for the same value, wherever and however it is written.
fn canonical(node: &Node) -> String {
    match &node.value {
        Value::Scalar(scalar) => format!("{:?}", scalar.text),
        Value::List(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Map(fields) => {
            let mut fields: Vec<_> =
                fields.iter().map(|(key, value)| format!("{:?}:{}", key.value, canonical(value))).collect();
            fields.sort();
            format!("{{{}}}", fields.join(","))
        }
    }
}

/// Enough of a SHA-256 to tell one value of a field from another.
fn digest(text: &str) -> String {
    Sha256::of(text.as_bytes()).as_str().chars().take(16).collect()
}

/// The place of a field of [`inputs`] in a spec.
pub fn place(root: &Node, input: &str) -> Span {
    let find = |node: &Node, name: &str| match &node.value {
        Value::Map(fields) => {
            fields.iter().find(|(key, _)| key.value == name).map(|(_, value)| value.clone())
        }
        _ => None,
    };
    let wheel = input.strip_prefix(WHEEL).and_then(|rest| rest.strip_prefix(' '));
    let (field, part) = match wheel {
        Some(_) => ("wheels", "local"),
        None => input.split_once('.').unwrap_or((input, "")),
    };
    let Some(node) = find(root, field) else { return root.span.first() };
    let part = find(&node, part).unwrap_or(node);
    match (&part.value, wheel) {
        (Value::List(items), Some(wheel)) => {
            let is_it = |item: &&Node| matches!(&item.value, Value::Scalar(scalar) if scalar.text == wheel);
            items.iter().find(is_it).map_or(part.span, |item| item.span)
        }
        _ => part.span,
    }
}

/// The fields that are not what they were when a platform's lock was made.
pub fn moved(locked: &PlatformLock, now: &BTreeMap<String, String>) -> BTreeSet<String> {
    let changed = now.iter().filter(|(key, value)| locked.inputs.get(*key) != Some(value));
    let gone = locked.inputs.keys().filter(|key| !now.contains_key(*key));
    changed.map(|(key, _)| key).chain(gone).cloned().collect()
}

impl Lock {
    /// What says that it was changed by hand.
    pub fn doubts(&self) -> Vec<Diagnostic> {
        self.platforms.values().flat_map(|platform| platform.doubts.clone()).collect()
    }

    /// Reads a lock, which is the file with this number.
    pub fn parse(text: &str, file: u8, problems: &mut Problems) -> Option<Self> {
        let root = parse_yaml(text, file, problems)?;
        check_keys(&root, problems);
        let mut fields = Fields::open("the lock", &root, problems)?;
        let form = fields.require_or("lock", ANEW, problems).and_then(|node| word(node, problems));
        if form.as_ref().is_some_and(|form| ![OLD_FORM, FORM].contains(&form.value.as_str())) {
            problems.error_with_help(
                root.span.first(),
                "the lock is of a form that is not known here",
                "make it anew with `--target lock`",
            );
            return None;
        }
        if form.is_some_and(|form| form.value == FORM) {
            check_names(&root, problems);
        }
        let platforms = match fields.require_or("platforms", ANEW, problems) {
            Some(node) => {
                let platforms = entries("`platforms`", node, problems, platform);
                if platforms.is_empty() {
                    problems.error_with_help(node.span, "the lock is for no platform", ANEW);
                }
                platforms
            }
            None => Vec::new(),
        };
        fields.finish(problems);
        Some(Self { platforms: platforms.into_iter().collect() })
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = "# What the spec beside this file was resolved to. `docker buildx build --target lock` writes it, `--target update` \
                        takes\n# newer versions in; do not change it by hand.\n"
            .to_owned();
        let _ = writeln!(text, "lock: {FORM}\nplatforms:");
        for (name, platform) in &self.platforms {
            let _ = writeln!(text, "  {}:", quoted(name));
            platform.write(&mut text);
        }
        text
    }
}

impl PlatformLock {
    /// Leaves of what a component's field admits only the locked version of the first of these Python packages that the
    /// lock has, or the one that an older lock had, as long as nothing has moved that the choice depends on.
    pub fn keep(&self, component: &str, wish: &mut At<Wish>, packages: &[&str]) {
        let version = |package: &&str| match &self.wheels {
            Some(wheels) => wheels.get(*package).map(|wheel| wheel.version.as_str()),
            None => self.earlier.version_for(component, package),
        };
        let Some(version) = packages.iter().find_map(version) else { return };
        // The catalog knows releases; what stands behind a plus sign is the channel, and wheels may be made anew.
        let release = version.split('+').next().unwrap_or_default();
        let release = release.split(".post").next().unwrap_or_default();
        if let (true, Ok(version)) = (wish.value.admits(release), Version::parse(release))
            && wish.value.named() != Some(&version)
        {
            wish.value = Wish::Locked(version);
        }
    }

    fn parse(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("a platform of the lock", node, problems)?;
        let inputs = match fields.take("inputs") {
            Some(node) => entries("`inputs`", node, problems, |key, node, problems| {
                Some((key.value.clone(), word(node, problems)?.value))
            }),
            None => Vec::new(),
        };
        let base = fields.require_or("base", ANEW, problems).and_then(|node| base(node, problems));
        let sources = rows(&mut fields, "sources", problems, |row, problems| {
            Some((cell(row, "name", problems)?, file(row, problems)?))
        });
        let packages = match fields.take("packages") {
            Some(node) => entries("`packages`", node, problems, |key, node, problems| {
                Some((key.value.clone(), LockedPackages::parse(node, problems)?))
            }),
            None => Vec::new(),
        };
        let wheels = rows(&mut fields, "wheels", problems, wheel);
        let vendor = match fields.take("vendor") {
            Some(node) => {
                items("`vendor`", node, problems, |node, problems| Some(word(node, problems)?.value))
            }
            None => Vec::new(),
        };
        let builds = match fields.take("builds") {
            Some(node) => entries("`builds`", node, problems, |key, node, problems| {
                Some((key.value.clone(), list(node, problems, wheel)?))
            }),
            None => Vec::new(),
        };
        let archives = match fields.take("archives") {
            Some(node) => entries("`archives`", node, problems, |key, node, problems| {
                Some((key.value.clone(), LockedArchive::parse(node, problems)?))
            }),
            None => Vec::new(),
        };
        fields.finish(problems);
        Some(Self {
            inputs: inputs.into_iter().collect(),
            base: base?,
            sources: sources.unwrap_or_default(),
            packages: packages.into_iter().collect(),
            builds: builds.into_iter().collect(),
            archives: archives.into_iter().collect(),
            wheels,
            vendor: vendor.into_iter().collect(),
            earlier: Earlier::default(),
            doubts: Vec::new(),
            span: node.span,
        })
    }

    fn write(&self, text: &mut String) {
        text.push_str("    inputs:\n");
        for (key, value) in &self.inputs {
            let _ = writeln!(text, "      {}: {}", quoted(key), quoted(value));
        }
        let _ = writeln!(text, "    base: {}", quoted(&self.base));
        if !self.sources.is_empty() {
            let _ = writeln!(text, "    sources:");
            write_count(self.sources.keys(), "      ", text);
            for (name, file) in &self.sources {
                let _ = writeln!(text, "        - {{name: {}, {}}}", quoted(name), file.cells());
            }
        }
        if !self.packages.is_empty() {
            text.push_str("    packages:\n");
        }
        for (step, packages) in &self.packages {
            let asked: Vec<_> = packages.asked.iter().map(|name| quoted(name)).collect();
            let _ = writeln!(text, "      {}:\n        asked: [{}]", quoted(step), asked.join(", "));
            if !packages.snapshots.is_empty() {
                text.push_str("        snapshots:\n");
            }
            for (archive, snapshot) in &packages.snapshots {
                let _ = writeln!(text, "          {}: {}", quoted(archive), quoted(snapshot.as_str()));
            }
            write_count(packages.files.keys(), "        ", text);
            for (name, package) in &packages.files {
                let (version, cells) = (quoted(&package.version), package.file.cells());
                let _ = writeln!(text, "          - {{name: {}, version: {version}, {cells}}}", quoted(name));
            }
        }
        if let Some(wheels) = &self.wheels {
            text.push_str("    wheels:\n");
            write_wheels(wheels, "      ", text);
        }
        if !self.vendor.is_empty() {
            let names: Vec<_> = self.vendor.iter().map(|name| quoted(name)).collect();
            let _ = writeln!(text, "    vendor: [{}]", names.join(", "));
        }
        if !self.builds.is_empty() {
            text.push_str("    builds:\n");
        }
        for (package, wheels) in &self.builds {
            let _ = writeln!(text, "      {}:", quoted(package));
            write_wheels(wheels, "        ", text);
        }
        if !self.archives.is_empty() {
            text.push_str("    archives:\n");
        }
        for (index, archive) in &self.archives {
            let _ = writeln!(text, "      {}:", quoted(index));
            archive.write(text);
        }
    }

    /// The releases that it has, or that an older lock had, of what is called `label` and belongs to a field of the spec.
    pub fn releases(&self, field: &str, label: &str) -> Vec<&str> {
        let earlier = &self.earlier;
        let is_kept =
            !earlier.has_moved(field) && ![field, label].iter().any(|name| earlier.is_updated(name));
        let names = self.sources.keys().chain(earlier.sources.iter().filter(|_| is_kept));
        names.filter_map(|name| name.strip_prefix(label)?.strip_prefix(' ')).collect()
    }

    /// What can be updated of it by name: the base image, steps, packages.
    pub fn names(&self) -> Vec<String> {
        let debs = self.archives.values().flat_map(|archive| archive.files.keys().map(|(name, _)| name));
        let wheels = self.wheels.iter().chain(self.builds.values()).flat_map(BTreeMap::keys);
        let names = self.packages.keys().chain(self.builds.keys()).chain(debs).chain(wheels);
        names.cloned().chain(["base".to_owned()]).collect()
    }

    /// Where the archives' files are once they have dropped them, by their own addresses.
    pub fn spares(&self) -> BTreeMap<String, String> {
        self.packages.values().flat_map(LockedPackages::spares).collect()
    }

    /// Every file that is downloaded, with what it is called in messages.
    pub fn files_mut(&mut self) -> Vec<(String, &mut LockedFile)> {
        let mut all: Vec<_> = self.sources.iter_mut().map(|(name, file)| (name.clone(), file)).collect();
        for packages in self.packages.values_mut() {
            all.extend(
                packages.files.iter_mut().map(|(name, p)| (format!("{name} {}", p.version), &mut p.file)),
            );
        }
        let debs = self.archives.values_mut().flat_map(|archive| &mut archive.files);
        all.extend(debs.map(|((name, version), deb)| (format!("{name} {version}"), &mut deb.file)));
        let wheels = self.wheels.iter_mut().chain(self.builds.values_mut()).flatten();
        all.extend(wheels.map(|(name, wheel)| (format!("{name} {}", wheel.version), &mut wheel.file)));
        all
    }
}

impl Earlier {
    /// The version of a package, if nothing has moved that decides which one a component takes.
    fn version_for(&self, component: &str, package: &str) -> Option<&str> {
        let is_free = self.has_news_for(component) || self.is_updated(package);
        if is_free { None } else { self.wheels.get(package).map(String::as_str) }
    }

    /// Whether something has moved that decides what a component takes, or newer versions of it are asked for.
    pub fn has_news_for(&self, component: &str) -> bool {
        let fields = ["base", "cuda", "python", "target", "torch", component];
        // The toolkit is of torch's release.
        let follows = component == "cuda" && self.is_updated("torch");
        fields.iter().any(|field| self.has_moved(field)) || self.is_updated(component) || follows
    }

    /// Whether a field of the spec, or one below it, has changed.
    pub fn has_moved(&self, field: &str) -> bool {
        self.moved.iter().any(|input| input.split('.').next() == Some(field))
    }

    /// Whether nothing is asked for that is not there already.
    pub fn is_all(&self) -> bool {
        self.moved.is_empty() && self.updated.is_empty()
    }

    /// Whether newer versions of something are asked for, however its name is written.
    pub fn is_updated(&self, name: &str) -> bool {
        self.updated.contains(&normal_name(name))
    }
}

/// Reports keys that YAML could not read back as they are written: those of a line have 1024 characters at most.
fn check_keys(node: &Node, problems: &mut Problems) {
    if let Value::Map(entries) = &node.value {
        for (key, value) in entries {
            if quoted(&key.value).len() > 1000 {
                problems.error_with_help(key.span, "a name in the lock is too long", ANEW);
            }
            check_keys(value, problems);
        }
    }
}

/// Reports lists that lack the digest of their names.
fn check_names(node: &Node, problems: &mut Problems) {
    let Value::Map(fields) = &node.value else { return };
    let has = |name: &str| fields.iter().any(|(key, _)| key.value == name);
    if has("entries") && has("files") && !has("names") {
        problems.error_with_help(node.span.first(), "this list of the lock lacks the field `names`", ANEW);
    }
    fields.iter().for_each(|(_, node)| check_names(node, problems));
}

/// Reads what a lock has for a platform, which is for no other one.
fn platform(key: &At<String>, node: &Node, problems: &mut Problems) -> Option<(String, PlatformLock)> {
    let name = key.value.clone();
    if PlatformName::parse(&name).is_err() {
        let message = format!("`{}` is no platform that is locked", name.escape_debug());
        problems.error_with_help(key.span, message, ANEW);
        return None;
    }
    let mut found = Problems::default();
    let locked = PlatformLock::parse(node, &mut found);
    let (doubts, errors): (Vec<_>, Vec<_>) =
        found.found().iter().cloned().partition(|found| found.severity == Severity::Warning);
    errors.into_iter().for_each(|error| problems.add(error));
    let mut locked = locked?;
    locked.doubts =
        doubts.into_iter().map(|doubt| Diagnostic { severity: Severity::Error, ..doubt }).collect();
    let others: &[&str] =
        if name == "linux/amd64" { &["_arm64.deb", "_aarch64.whl"] } else { &["_amd64.deb", "_x86_64.whl"] };
    for (entry, file) in locked.files_mut() {
        if others.iter().any(|end| file.name().ends_with(end)) {
            let message = format!("the entry `{entry}` of the lock is not for {name}: {}", file.name());
            problems.error_with_help(file.span, message, ANEW);
        }
    }
    Some((name, locked))
}

/// Reads a base image, which has a digest.
fn base(node: &Node, problems: &mut Problems) -> Option<String> {
    let base = word(node, problems)?.value;
    let has_digest = ImageReference::parse(&base).is_ok_and(|image| image.has_digest());
    if !has_digest {
        let message = format!("the base image of the lock has no digest: `{}`", base.escape_debug());
        problems.error_with_help(node.span, message, ANEW);
    }
    has_digest.then_some(base)
}

fn write_wheels(wheels: &BTreeMap<String, LockedWheel>, indent: &str, text: &mut String) {
    write_count(wheels.keys(), indent, text);
    for (name, wheel) in wheels {
        let (version, cells) = (quoted(&wheel.version), wheel.file.cells());
        let _ = writeln!(text, "{indent}  - {{name: {}, version: {version}, {cells}}}", quoted(name));
    }
}

impl LockedArchive {
    fn parse(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("an archive of the lock", node, problems)?;
        let replaced = match fields.take("replaced") {
            Some(node) => items("`replaced`", node, problems, |node, problems| {
                let word = word(node, problems)?;
                word.value.split_once('=').map(|(name, version)| (name.to_owned(), version.to_owned()))
            }),
            None => Vec::new(),
        };
        let files = counted(&mut fields, node.span, problems, |row, problems| {
            let name = cell(row, "name", problems);
            let version = cell(row, "version", problems);
            let depends = cell(row, "depends", &mut Problems::default()).unwrap_or_default();
            let file = file(row, problems);
            Some(((name?, version?), LockedDeb { file: file?, depends }))
        });
        fields.finish(problems);
        Some(Self { files: files?, replaced: replaced.into_iter().collect() })
    }

    fn write(&self, text: &mut String) {
        if !self.replaced.is_empty() {
            let pairs = self.replaced.iter().map(|(name, version)| quoted(&format!("{name}={version}")));
            let _ = writeln!(text, "        replaced: [{}]", pairs.collect::<Vec<_>>().join(", "));
        }
        write_count(self.files.keys().map(|(name, _)| name), "        ", text);
        for ((name, version), deb) in &self.files {
            let depends = match deb.depends.as_str() {
                "" => String::new(),
                depends => format!("depends: {}, ", quoted(depends)),
            };
            let (name, version, cells) = (quoted(name), quoted(version), deb.file.cells());
            let _ = writeln!(text, "          - {{name: {name}, version: {version}, {depends}{cells}}}");
        }
    }
}

/// What a list begins with: how many entries it has, and a digest of their names, so that none is taken out unnoticed.
fn write_count<'n>(names: impl ExactSizeIterator<Item = &'n String>, indent: &str, text: &mut String) {
    let empty = if names.len() == 0 { " []" } else { "" };
    let _ = writeln!(text, "{indent}entries: {}", names.len());
    let _ = writeln!(text, "{indent}names: {}\n{indent}files:{empty}", quoted(&digest_of_names(names)));
}

fn digest_of_names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let mut names: Vec<_> = names.map(String::as_str).collect();
    names.sort_unstable();
    digest(&names.join("\n"))
}

impl LockedFile {
    fn cells(&self) -> String {
        let size = self.size.map(|size| format!("size: {size}, ")).unwrap_or_default();
        format!("sha256: {}, {size}url: {}", quoted(self.sha256.as_str()), quoted(self.url.as_str()))
    }
}

impl LockedPackages {
    /// Where its files are once the archives have dropped them, by their own addresses.
    fn spares(&self) -> impl Iterator<Item = (String, String)> {
        let files = self.files.values().map(|package| &package.file);
        files.filter_map(|file| Some((file.url.to_string(), self.spare(file)?)))
    }

    /// Where a file is once the archive has dropped it.
    pub fn spare(&self, file: &LockedFile) -> Option<String> {
        let of = |(archive, snapshot): (&String, &Url)| {
            Some(format!("{snapshot}{}", file.url.as_str().strip_prefix(archive.as_str())?))
        };
        self.snapshots.iter().find_map(of)
    }

    fn parse(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("a step of the lock", node, problems)?;
        let asked = match fields.require_or("asked", ANEW, problems) {
            Some(node) => {
                items("`asked`", node, problems, |node, problems| Some(word(node, problems)?.value))
            }
            None => Vec::new(),
        };
        let snapshots = match fields.take("snapshots") {
            Some(node) => entries("`snapshots`", node, problems, |key, node, problems| {
                Some((key.value.clone(), checked("an address", node, problems, Url::parse)?.value))
            }),
            None => Vec::new(),
        };
        let files = counted(&mut fields, node.span, problems, |row, problems| {
            let (name, version) = (cell(row, "name", problems), cell(row, "version", problems));
            let file = file(row, problems);
            Some((name?, LockedPackage { version: version?, file: file? }))
        });
        fields.finish(problems);
        Some(Self { asked, snapshots: snapshots.into_iter().collect(), files: files?, span: node.span })
    }

    /// Reads what `apt-resolve.sh` writes.
    pub fn from_resolution(asked: &[String], text: &str) -> Result<Self, String> {
        let file = |line: &str| {
            let [name, version, architecture, sha256, size, url] = words(line)?;
            let package = LockedPackage { version: version.to_owned(), file: resolved(sha256, size, url)? };
            Ok::<_, String>((format!("{name}:{architecture}"), package))
        };
        let snapshot = |line: &str| {
            let [archive, snapshot] = words(line)?;
            Ok::<_, String>((archive.to_owned(), Url::parse(snapshot)?))
        };
        let (snapshots, files): (Vec<_>, Vec<_>) =
            text.lines().partition(|line| line.split(' ').count() == 2);
        let snapshots = snapshots.into_iter().map(snapshot).collect::<Result<_, _>>()?;
        let files = files.into_iter().map(file).collect::<Result<_, _>>()?;
        Ok(Self { asked: asked.to_vec(), snapshots, files, span: Span::default() })
    }
}

/// Reads what `wheels-resolve.sh` writes of packages that are not there, which may have asked a mirror.
pub fn wheels_from_resolution(
    text: &str,
    mirror: Option<&str>,
) -> Result<BTreeMap<String, LockedWheel>, String> {
    let wheel = |line: &str| {
        let [name, version, sha256, size, url] = words(line)?;
        let file = resolved(sha256, size, &mirror::origin(mirror, url))?;
        Ok((name.to_owned(), LockedWheel { version: version.to_owned(), file }))
    };
    text.lines().filter(|line| line.contains(' ')).map(wheel).collect()
}

/// Reads what `wheels-resolve.sh` writes of packages that the base image's own Python has.
pub fn vendor_from_resolution(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| !line.contains(' ')).map(str::to_owned).collect()
}

fn words<const N: usize>(line: &str) -> Result<[&str; N], String> {
    let words: Vec<_> = line.split(' ').collect();
    words.try_into().map_err(|_| format!("this line of a resolution cannot be read: {line}"))
}

fn resolved(sha256: &str, size: &str, url: &str) -> Result<LockedFile, String> {
    let url = Url::parse(url).map_err(|why| format!("`{url}`: {why}"))?;
    let sha256 = Sha256::parse(sha256).map_err(|_| format!("the index has no SHA-256 of {url}"))?;
    Ok(LockedFile { url, sha256, size: size.parse().ok(), span: Span::default() })
}

fn wheel(row: &Node, problems: &mut Problems) -> Option<(String, LockedWheel)> {
    let (name, version) = (cell(row, "name", problems), cell(row, "version", problems));
    let file = file(row, problems);
    Some((name?, LockedWheel { version: version?, file: file? }))
}

/// A list with the number of its entries.
fn rows<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    problems: &mut Problems,
    row: impl Fn(&Node, &mut Problems) -> Option<(String, T)>,
) -> Option<BTreeMap<String, T>> {
    list(fields.take(key)?, problems, row)
}

fn list<T>(
    node: &Node,
    problems: &mut Problems,
    row: impl Fn(&Node, &mut Problems) -> Option<(String, T)>,
) -> Option<BTreeMap<String, T>> {
    let mut list = Fields::open("a list of the lock", node, problems)?;
    let rows = counted(&mut list, node.span, problems, row);
    list.finish(problems);
    rows
}

/// The entries of a list, whose number and names must be those that were written.
fn counted<K: Ord, T>(
    fields: &mut Fields<'_>,
    span: Span,
    problems: &mut Problems,
    row: impl Fn(&Node, &mut Problems) -> Option<(K, T)>,
) -> Option<BTreeMap<K, T>> {
    let count = fields.require_or("entries", ANEW, problems).and_then(|node| word(node, problems));
    let digest = fields.take("names").and_then(|node| word(node, problems));
    let node = fields.require_or("files", ANEW, problems)?;
    let written: &[Node] = match &node.value {
        Value::List(rows) => rows,
        _ => &[],
    };
    let names: Vec<_> =
        written.iter().filter_map(|row| cell(row, "name", &mut Problems::default())).collect();
    let rows: BTreeMap<_, _> = items("`files`", node, problems, row).into_iter().collect();
    let count = count?.value;
    let is_other = digest.is_some_and(|digest| digest.value != digest_of_names(names.iter()));
    if count.parse() == Ok(written.len()) && is_other {
        let message = "the entries of this list of the lock are not those that were written";
        problems.warning(span.first(), message, ANEW);
    }
    if count.parse() != Ok(written.len()) || written.len() != rows.len() {
        problems.error_with_help(
            span.first(),
            format!(
                "this list of the lock has {} entries, and {} were written",
                rows.len(),
                count.escape_debug()
            ),
            ANEW,
        );
    }
    Some(rows)
}

fn word(node: &Node, problems: &mut Problems) -> Option<At<String>> {
    text("an entry of the lock", node, problems)
}

/// A cell of a row.
fn cell(row: &Node, key: &'static str, problems: &mut Problems) -> Option<String> {
    let mut fields = Fields::open("an entry of the lock", row, problems)?;
    fields.require_or(key, ANEW, problems).and_then(|node| word(node, problems)).map(|word| word.value)
}

/// The cells of a row that are about its file.
fn file(row: &Node, problems: &mut Problems) -> Option<LockedFile> {
    let (url, sha256) = (cell(row, "url", problems)?, cell(row, "sha256", problems)?);
    let name = cell(row, "name", &mut Problems::default()).unwrap_or_default();
    let mut refuse = |message: String| {
        problems.error_with_help(row.span, message, ANEW);
        None
    };
    let Ok(sha256) = Sha256::parse(&sha256) else {
        return refuse(format!("the entry `{name}` of the lock has no SHA-256: `{}`", sha256.escape_debug()));
    };
    let Ok(url) = Url::parse(&url) else {
        return refuse(format!("the entry `{name}` of the lock has no address: `{}`", url.escape_debug()));
    };
    let size = cell(row, "size", &mut Problems::default()).and_then(|size| size.parse().ok());
    Some(LockedFile { url, sha256, size, span: row.span })
}

/// A text as YAML reads it back.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+=~@%".contains(c);
    let is_null = text.eq_ignore_ascii_case("null");
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let safe = text.chars().all(plain) && begins && !is_null;
    if safe {
        return text.to_owned();
    }
    // JSON is YAML but for characters that YAML wants escaped.
    let escaped = |c: char| match u32::from(c) {
        0x20..0x7f => c.to_string(),
        code @ ..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    serde_json::Value::from(text).to_string().chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> LockedArchive {
        let file = resolved(&"b".repeat(64), "5", "https://example.org/a_1_amd64.deb").expect("valid");
        let deb = LockedDeb { file, depends: "libc6 (>= 2.27) | libc, b (= 2), curl".to_owned() };
        LockedArchive {
            files: [(("a".to_owned(), "1".to_owned()), deb)].into(),
            replaced: [("b".to_owned(), "2".to_owned())].into(),
        }
    }

    #[test]
    fn the_same_is_chosen_from_what_is_locked_of_an_archive() {
        let index = archive().index();
        let wanted = vec![index.newest("a", |_| true).expect("there")];
        let selection = index.select(wanted, |name| name == "b").expect("fits");
        assert_eq!(selection.packages[0].depends(), archive().files.values().next().expect("one").depends);
        assert_eq!(selection.distribution, ["curl", "libc6"]);
        assert_eq!(selection.replaced, [("b".to_owned(), "2".to_owned())]);
    }

    fn locked() -> Lock {
        let sum = "a".repeat(64);
        let packages = format!(
            "http://deb.debian.org/ https://snapshot.debian.org/archive/debian/20261125T120000Z/\n\
             curl 8.14.1-2+deb13u1 amd64 {sum} 123 http://deb.debian.org/pool/curl_8%2b1.deb\n\
             libx264-164 2:0.164-1 amd64 {sum} 7 http://deb.debian.org/pool/x264.deb\n"
        );
        let wheels = format!("numpy 2.2.6 {sum} - https://example.org/numpy-2.2.6%2Bcpu.whl\n");
        let platform = PlatformLock {
            inputs: [("base".to_owned(), "0123".to_owned())].into(),
            base: format!("docker.io/library/debian:13@sha256:{sum}"),
            sources: [(
                "ffmpeg 7.1.5".to_owned(),
                resolved(&sum, "5", "https://ffmpeg.org/f.tar.xz").expect("valid"),
            )]
            .into(),
            packages: [(
                "system".to_owned(),
                LockedPackages::from_resolution(&["curl".to_owned()], &packages).expect("valid"),
            )]
            .into(),
            builds: [("numpy".to_owned(), wheels_from_resolution(&wheels, None).expect("valid"))].into(),
            archives: [("https://example.org/Packages".to_owned(), archive())].into(),
            wheels: Some(wheels_from_resolution(&wheels, None).expect("valid")),
            vendor: ["six".to_owned()].into(),
            earlier: Earlier::default(),
            doubts: Vec::new(),
            span: Span::default(),
        };
        Lock { platforms: [("linux/amd64".to_owned(), platform)].into() }
    }

    fn problems(text: &str) -> String {
        let mut problems = Problems::default();
        Lock::parse(text, 1, &mut problems);
        problems.found().iter().map(crate::diagnostic::Diagnostic::line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_lock_reads_back_as_it_was_written() {
        let text = locked().to_text();
        let mut problems = Problems::default();
        let again = Lock::parse(&text, 1, &mut problems).expect("read");
        assert_eq!(problems.found(), []);
        assert_eq!(again.to_text(), text);
        let wheel = &again.platforms["linux/amd64"].wheels.as_ref().expect("wheels")["numpy"];
        assert_eq!(wheel.file.name(), "numpy-2.2.6+cpu.whl");
        assert_eq!(wheel.file.span.file, 1);
        let system = &again.platforms["linux/amd64"].packages["system"];
        let spare = "https://snapshot.debian.org/archive/debian/20261125T120000Z/pool/x264.deb";
        assert_eq!(system.spare(&system.files["libx264-164:amd64"].file).as_deref(), Some(spare));
        assert_eq!(system.spare(&wheel.file), None);
    }

    #[test]
    fn a_new_version_of_a_package_changes_one_line() {
        let before = locked();
        let mut after = before.clone();
        let platform = after.platforms.get_mut("linux/amd64").expect("there");
        platform
            .packages
            .get_mut("system")
            .expect("there")
            .files
            .get_mut("curl:amd64")
            .expect("there")
            .version = "9".to_owned();
        let (before, after) = (before.to_text(), after.to_text());
        assert_eq!(before.lines().zip(after.lines()).filter(|(a, b)| a != b).count(), 1);
    }

    #[test]
    fn what_was_changed_by_hand_is_told() {
        let text = locked().to_text();
        let sum = "a".repeat(64);
        let without = |line: &str| {
            text.lines().filter(|l| !l.contains(line)).map(|l| format!("{l}\n")).collect::<String>()
        };
        let cases = [
            (
                text.replacen(&format!("sha256: {sum}, url"), "sha256: abc, url", 1),
                "the entry `numpy` of the lock has no SHA-256: `abc`",
            ),
            (without("name: numpy"), "this list of the lock has 0 entries, and 1 were written"),
            (without("name: \"curl"), "this list of the lock has 1 entries, and 2 were written"),
            (
                text.replace("https://ffmpeg.org/f.tar.xz", "ffmpeg.tar.xz"),
                "the entry `ffmpeg 7.1.5` of the lock has no address",
            ),
            (text.replace("lock: 3", "lock: 1"), "the lock is of a form that is not known here"),
            (without("asked"), "lacks the field `asked`; the lock was changed by hand"),
            (
                without("      names: "),
                "this list of the lock lacks the field `names`; the lock was changed by hand",
            ),
            (
                text.split("platforms:").next().unwrap_or_default().to_owned(),
                "the lock lacks the field `platforms`; the lock was changed by hand; make it anew",
            ),
            (
                format!("{}platforms: {{}}\n", text.split("platforms:").next().unwrap_or_default()),
                "the lock is for no platform",
            ),
            (text.replace("linux/amd64", "linux/amd46"), "`linux/amd46` is no platform that is locked"),
            (
                text.replace("linux/amd64", "linux/arm64").replace("x264.deb", "x264_amd64.deb"),
                "the entry `libx264-164:amd64 2:0.164-1` of the lock is not for linux/arm64: x264_amd64.deb",
            ),
            (text.replace("    wheels:", "    weels:"), "did you mean `wheels`?"),
            (
                text.replace(&format!("debian:13@sha256:{sum}"), "debian:13"),
                "the base image of the lock has no digest",
            ),
            ("[".to_owned(), "not valid YAML"),
        ];
        for (text, expected) in cases {
            let found = problems(&text);
            assert!(found.contains(expected), "{expected}: {found}\n{text}");
        }
    }

    #[test]
    fn an_entry_that_is_gone_with_its_count_is_doubted() {
        let text = locked().to_text();
        let lines = text.lines().filter(|line| !line.contains("name: \"libx264"));
        let text = lines.map(|line| format!("{line}\n")).collect::<String>();
        let lock = Lock::parse(&text.replacen("entries: 2", "entries: 1", 1), 1, &mut Problems::default());
        let lock = lock.expect("read");
        assert_eq!(locked().doubts(), []);
        let doubts = lock.doubts();
        assert_eq!(doubts.len(), 1);
        assert_eq!(doubts[0].message, "the entries of this list of the lock are not those that were written");
    }

    #[test]
    fn a_lock_of_the_form_before_is_read() {
        let text = locked().to_text().replace("lock: 3", "lock: 2");
        let lines = text.lines().filter(|line| !line.contains(" names: ")).map(|line| format!("{line}\n"));
        let mut problems = Problems::default();
        let old = Lock::parse(&lines.collect::<String>(), 1, &mut problems).expect("read");
        assert_eq!(problems.found(), []);
        assert_eq!(old.to_text(), locked().to_text());
    }

    #[test]
    fn names_that_yaml_reads_as_something_else_are_quoted() {
        assert_eq!(["null", "Null", "numpy"].map(quoted), ["\"null\"", "\"Null\"", "numpy"]);
    }

    #[test]
    fn resolutions_that_cannot_be_read_are_refused() {
        assert!(
            wheels_from_resolution("numpy 2.2.6 - - https://example.org/x.whl\n", None)
                .is_err_and(|why| why.contains("no SHA-256"))
        );
        assert!(wheels_from_resolution("numpy 2.2.6\n", None).is_err());
        assert!(LockedPackages::from_resolution(&[], "curl 1 amd64 x 1 file:///x.deb\n").is_err());
    }

    #[test]
    fn the_field_that_moved_is_named() {
        let read = |text: &str| parse_yaml(text, 0, &mut Problems::default()).expect("YAML");
        let before = read(
            "name: a\nbase: debian:13\nffmpeg: {version: 7.1, libraries: {aom: distribution}}\nenv: {A: b}\n",
        );
        let lock = PlatformLock { inputs: inputs(&before, &Beside::default()), ..PlatformLock::default() };
        let moved_in = |text: &str| Vec::from_iter(moved(&lock, &inputs(&read(text), &Beside::default())));
        let same = "env: {A: c}\nffmpeg: {libraries: {aom: distribution}, version: '7.1'}\nname: b\nbase: debian:13\n";
        assert_eq!(moved_in(same), [""; 0]);
        let other = read(
            "name: a\nbase: debian:12\nffmpeg: {version: 7.1.5, libraries: {aom: distribution}}\npython: {version: 3.13.5}\n",
        );
        let found = moved(&lock, &inputs(&other, &Beside::default()));
        assert_eq!(Vec::from_iter(found), ["base", "ffmpeg.version", "python.version"]);
        assert_eq!(place(&other, "ffmpeg.version").start, (3, 19));
    }

    #[test]
    fn a_wheel_that_moved_is_named_at_its_line() {
        let text =
            "name: a\nwheels:\n  local:\n    - dist/a-1-py3-none-any.whl\n    - dist/b-1-py3-none-any.whl\n";
        let root = parse_yaml(text, 0, &mut Problems::default()).expect("YAML");
        let path = "dist/b-1-py3-none-any.whl";
        let with = |mark: &str| {
            let wheels = [(path.to_owned(), mark.to_owned())].into();
            inputs(&root, &Beside { wheels, ..Beside::default() })
        };
        let lock = PlatformLock { inputs: with("one"), ..PlatformLock::default() };
        assert_eq!(moved(&lock, &with("one")), [].into());
        assert_eq!(moved(&lock, &with("two")), [format!("wheel {path}")].into());
        assert_eq!(place(&root, &format!("wheel {path}")).start, (5, 7));
        assert_eq!(place(&root, "wheel dist/gone.whl").start, (4, 5));
    }

    #[test]
    fn the_lock_lies_beside_the_spec() {
        assert_eq!(file_name("node.yaml"), "node.lock");
        assert_eq!(file_name("specs/a.yml"), "specs/a.lock");
        assert_eq!(file_name("Dockerfile"), "Dockerfile.lock");
    }
}

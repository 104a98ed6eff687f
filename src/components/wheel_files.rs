//! Wheels that are named by their file: `wheels.local` in the build context, and those that a requirement has the address
//! of, or of what they are built from. Each is a branch of its own, installed as it is; what it depends on is resolved with
//! all other requirements.

use super::wheels::{RESERVED, Tools, WheelRequest};
use super::{PythonHome, wheel_sources};
use crate::diagnostic::Problems;
use crate::lock::LockedFile;
use crate::plan::{Action, Mount, Part, Planner, Provided, RUN_DIR, StepId};
use crate::resolve::{Context, SourceArchive, machine};
use crate::spec::{
    At, ContextPath, Name, Node, PackageAddress, PackageOrigin, RemoteFile, Sha256, Span, checked, items,
    normal_name,
};

/// As many can be in an image beside all else: each is a layer.
const MOST: usize = 64;

/// How much of a wheel's end is read to tell what it says of itself. The list of its files is there; that of torch, one
/// of the longest, has 2 MB.
pub const WHEEL_END_BYTES: usize = 4 << 20;

/// What changes when the metadata of a wheel do, given the end of the wheel. For what is no wheel it is a digest of the
/// whole end.
pub fn wheel_mark(end: &[u8]) -> String {
    match metadata_checksum(end) {
        Some(checksum) => Sha256::of(&checksum),
        None => Sha256::of(end),
    }
    .to_string()
}

/// Checksum and size of a wheel's metadata, as the list of files at the end of a zip archive has them: enough to notice a
/// change, and nothing need be unpacked. Source of the form: PKWARE's APPNOTE, 4.3.12 and 4.3.16.
fn metadata_checksum(end: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let last = end.windows(4).rposition(|word| word == b"PK\x05\x06")?;
    let size = number(end.get(last + 12..last + 16)?);
    let mut entry = end.get(last.checked_sub(size)?..last)?;
    while entry.starts_with(b"PK\x01\x02") {
        let [name, extra, comment] = [entry.get(28..30)?, entry.get(30..32)?, entry.get(32..34)?].map(number);
        // Packages can hold others within them, which have metadata further below.
        let path = entry.get(46..46 + name)?.strip_suffix(b".dist-info/METADATA");
        if path.is_some_and(|path| !path.contains(&b'/')) {
            return Some([entry.get(16..20)?, entry.get(24..28)?].concat());
        }
        entry = entry.get(46 + name + extra + comment..)?;
    }
    None
}

/// A wheel that is named by its file, or built. Source of the form of its name: the binary distribution format (PEP 427).
#[derive(Clone, Debug)]
pub(super) struct WheelFile {
    /// The package, in the normal form of its name.
    pub name: String,
    /// The package's version; of what is built, which says that itself, the commit or the archive.
    version: String,
    /// What it is built for, unless it is built here.
    tags: Option<Tags>,
    file_name: String,
    origin: Origin,
    /// Its place in the spec.
    pub span: Span,
    /// Its place in the file of requirements, as messages begin with it; nothing where the spec itself has it.
    pub place: String,
}

#[derive(Clone, Debug)]
enum Origin {
    Context(ContextPath),
    Address(PackageAddress),
}

/// Whether a path of the build context can be that of a wheel.
pub fn is_wheel_path(text: &str) -> bool {
    ContextPath::parse(text)
        .is_ok_and(|path| WheelFile::of_context(&At::new(path, Span::default())).is_some())
}

/// Reads the list of those in the build context.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Vec<WheelFile> {
    items("`local`", node, problems, |node, problems| {
        let path = checked("a wheel in the build context", node, problems, ContextPath::parse)?;
        let wheel = WheelFile::of_context(&path);
        if wheel.is_none() {
            problems.error_with_help(
                path.span,
                format!("`{path}` does not have the name of a wheel"),
                "keep the name that it was built with, such as `dist/node-1.0-py3-none-any.whl`",
            );
        }
        wheel
    })
}

/// Joins those that are named more than once, in an order that does not depend on the spec's.
pub(super) fn join(mut wheels: Vec<WheelFile>) -> Vec<WheelFile> {
    wheels.sort_by(|a, b| a.name.cmp(&b.name));
    wheels.dedup_by(|other, first| {
        let (Origin::Address(other), Origin::Address(first)) = (&other.origin, &mut first.origin) else {
            return false;
        };
        let is_same = (&other.package, &other.origin) == (&first.package, &first.origin);
        if is_same {
            first.extras.extend(other.extras.clone());
            first.extras.sort();
            first.extras.dedup();
        }
        is_same
    });
    wheels
}

/// Refuses packages that the spec has twice or from elsewhere, those that it excludes, and wheels for another Python or
/// machine.
pub(super) fn check(
    wheels: &[WheelFile],
    exclude: &[At<Name>],
    context: &Context<'_>,
    problems: &mut Problems,
) {
    if let Some(wheel) = wheels.get(MOST) {
        let message = format!(
            "{}more than {MOST} wheels are named by their files, each a layer of the image",
            wheel.place
        );
        problems.error_with_help(
            wheel.span,
            message,
            "require released versions, and give the wheels as the build context `wheelhouse`",
        );
    }
    for (i, wheel) in wheels.iter().enumerate() {
        let mut refuse = |message: String, help: String| {
            problems.error_with_help(wheel.span, format!("{}{message}", wheel.place), help);
        };
        if let Some(first) = wheels[..i].iter().find(|other| other.name == wheel.name) {
            let message = format!("the package `{}` is here for the second time", wheel.name);
            refuse(message, format!("{}the first is at {}", first.place, first.span.place()));
        }
        if exclude.iter().any(|name| normal_name(name.value.as_str()) == wheel.name) {
            let message = format!("`{}` is here and in `exclude`", wheel.name);
            refuse(message, "take it out of one of them".to_owned());
        }
        if context.builds(&wheel.name) {
            let message = format!("`{}` is here and built by `sdists`", wheel.name);
            refuse(message, "take it out of one of them".to_owned());
        }
        wheel.check(context, &mut refuse);
    }
}

/// What the lock calls the wheel of a package that a requirement has the address of.
pub fn address_label(name: &str, version: &str) -> String {
    format!("{name} {version} wheel")
}

impl WheelFile {
    fn of_context(path: &At<ContextPath>) -> Option<Self> {
        let file_name = path.value.as_str().rsplit('/').next().unwrap_or_default();
        Self::of(file_name, Origin::Context(path.value.clone()), path.span)
    }

    /// The wheel at an address, or that is built from what is there. `place` is where a file of requirements names it.
    pub(super) fn of_address(
        address: PackageAddress,
        span: Span,
        place: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let package = address.package.clone();
        let file_name = match &address.origin {
            PackageOrigin::Wheel(file) => locked(file, span).name(),
            origin => {
                return Some(Self {
                    version: wheel_sources::version(origin),
                    tags: None,
                    file_name: format!("{package}/*.whl"),
                    name: package,
                    origin: Origin::Address(address),
                    span,
                    place: place.to_owned(),
                });
            }
        };
        let wheel =
            Self::of(&file_name, Origin::Address(address), span).filter(|wheel| wheel.name == package);
        if wheel.is_none() {
            problems.error_with_help(
                span,
                format!("{place}`{}` is not the name of a wheel of `{package}`", file_name.escape_debug()),
                format!(
                    "name the file that it was built as, such as `{}-1.0-py3-none-any.whl`, and the package that it is",
                    package.replace('-', "_")
                ),
            );
        }
        wheel.map(|wheel| Self { place: place.to_owned(), ..wheel })
    }

    fn of(file_name: &str, origin: Origin, span: Span) -> Option<Self> {
        let parts: Vec<_> = file_name.strip_suffix(".whl")?.split('-').collect();
        let ([name, version, python, abi, platform] | [name, version, _, python, abi, platform]) =
            parts.as_slice()
        else {
            return None;
        };
        let name = Name::parse(name).ok()?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+' | '!' | '_');
        if !version.starts_with(|c: char| c.is_ascii_digit()) || !file_name.chars().all(fits) {
            return None;
        }
        Some(Self {
            name: normal_name(name.as_str()),
            version: (*version).to_owned(),
            tags: Some(Tags { python: set(python), abi: set(abi), platform: set(platform) }),
            file_name: file_name.to_owned(),
            origin,
            span,
            place: String::new(),
        })
    }

    /// Its path in the build context, where the spec names it.
    pub(super) fn path(&self) -> Option<At<ContextPath>> {
        match &self.origin {
            Origin::Context(path) => Some(At::new(path.clone(), self.span)),
            Origin::Address(_) => None,
        }
    }

    /// The package's version, where it is known before anything is built.
    pub(super) fn released(&self) -> Option<&str> {
        self.tags.as_ref().map(|_| self.version.as_str())
    }

    /// Whether the image is to have it: what the marker of its requirement says.
    pub(super) fn is_wanted(&self, context: &Context<'_>) -> bool {
        match (&self.origin, context.python_home()) {
            (Origin::Address(address), Some(home)) => {
                address.is_for(home.series, machine(&context.facts.architecture))
            }
            _ => true,
        }
    }

    /// The requirement that only this file meets. Its characters need no escapes. The name of one that is built is not
    /// known yet; scripts put it in the pattern's place.
    pub(super) fn requirement(&self) -> String {
        let extras = match &self.origin {
            Origin::Address(address) if !address.extras.is_empty() => {
                format!("[{}]", address.extras.join(","))
            }
            _ => String::new(),
        };
        format!("{}{extras} @ file://{RUN_DIR}/local/{}", self.name, self.file_name)
    }

    fn check(&self, context: &Context<'_>, refuse: &mut impl FnMut(String, String)) {
        if let Some(key) = context.called(&self.name) {
            let message = format!("`{}` is a component of the spec already", self.name);
            refuse(message, format!("take `{key}:` out, or this wheel"));
        }
        if self.tags.is_none() && (RESERVED.contains(&self.name.as_str()) || self.name == "toolchain") {
            let message =
                format!("a package that is built cannot be called `{}`, like a part of the build", self.name);
            refuse(message, "require its wheel".to_owned());
        }
        let Some(tags) = &self.tags else { return };
        if let Some(PythonHome { series, .. }) = context.python_home()
            && !tags.fit_python(series)
        {
            let message = format!(
                "`{}` is built for another Python than 3.{series}: its name says {}-{}",
                self.file_name,
                tags.python.join("."),
                tags.abi.join(".")
            );
            let help = format!("take one with `cp3{series}-cp3{series}`, `abi3` or `py3-none` in its name");
            refuse(message, help);
        }
        let architecture = context.facts.architecture.as_str();
        if !tags.fit_machine(architecture) {
            let message = format!(
                "`{}` is built for other machines than Linux on {architecture}: its name says {}",
                self.file_name,
                tags.platform.join(".")
            );
            let help = format!("take one that ends with `{}.whl` or `any.whl`", machine(architecture));
            refuse(message, help);
        }
    }

    /// Adds the step that installs it from where it is found.
    pub(super) fn plan(&self, file: Mount, installer: &SourceArchive, planner: &mut Planner) {
        let Some(interpreter) = planner.interpreter().cloned() else { return };
        let tools = Tools::new(interpreter, installer, planner);
        let mut run = tools.run_offline(planner);
        match self.tags {
            Some(_) => run.argv.push(file.at.clone()),
            None => run.argv.extend(["--find-links".to_owned(), file.at.clone(), self.name.clone()]),
        }
        run.mounts.push(file);
        tools.slim(&mut run, planner);
        let tree = planner.run(format!("[{} {}] install wheel", self.name, self.version), self.span, run);
        let version = self.version.clone();
        planner.provide(Provided { version, ..tools.provided(&self.name, tree, self.span) });
    }

    /// Adds the steps that fetch or build it. Gives where steps find it.
    fn mount(&self, gathered: Option<StepId>, rest: &WheelRequest, planner: &mut Planner) -> Option<Mount> {
        let from = match &self.origin {
            Origin::Context(_) => gathered?,
            Origin::Address(PackageAddress { origin: PackageOrigin::Wheel(remote), .. }) => {
                planner.fetch_file(&address_label(&self.name, &self.version), locked(remote, self.span))
            }
            Origin::Address(address) => {
                // The whole directory, as the name of what is in it is not known.
                let from = wheel_sources::build(address, rest, self.span, planner)?;
                let at = format!("{RUN_DIR}/local/{}", self.name);
                return Some(Mount { at, from, part: "/".to_owned() });
            }
        };
        let part = format!("/{}", self.file_name);
        Some(Mount { at: format!("{RUN_DIR}/local{part}"), from, part })
    }
}

/// The file at an address.
pub(super) fn locked(file: &RemoteFile, span: Span) -> LockedFile {
    LockedFile { url: file.url.clone(), sha256: file.sha256.clone(), size: None, span }
}

/// Where steps find each of the wheels. They are mounted one by one, so that no other wheel's change runs a step again.
/// Those that are built ask the indexes of `rest`.
pub(super) fn gather(wheels: &[WheelFile], rest: &WheelRequest, planner: &mut Planner) -> Vec<Mount> {
    let local: Vec<_> = wheels.iter().filter_map(|wheel| Some((wheel, wheel.path()?.value))).collect();
    let gathered = (!local.is_empty()).then(|| {
        let from = planner.context(local.iter().map(|(_, path)| path.to_string()));
        let parts = local.iter().map(|(wheel, path)| Part {
            from: format!("/{path}"),
            to: format!("/{}", wheel.file_name),
            mode: None,
            directory: false,
            optional: false,
        });
        let action = Action::Place { from, parts: parts.collect() };
        let step = planner.step("[wheels] gather local wheels".to_owned(), rest.span, action);
        planner.set_local_wheels(step);
        step
    });
    wheels.iter().filter_map(|wheel| wheel.mount(gathered, rest, planner)).collect()
}

/// What a wheel is built for, as its name says: it fits where one of each set does. Source: PEP 425.
#[derive(Clone, Debug)]
struct Tags {
    python: Vec<String>,
    abi: Vec<String>,
    platform: Vec<String>,
}

/// A set of tags: `py2.py3` is two.
fn set(text: &str) -> Vec<String> {
    text.split('.').map(str::to_ascii_lowercase).collect()
}

impl Tags {
    /// Whether CPython of a series of Python 3 loads it.
    fn fit_python(&self, series: u32) -> bool {
        let fits = |python: &str| self.abi.iter().any(|abi| fits_python(python, abi, series));
        self.python.iter().any(|python| fits(python))
    }

    /// Whether it is for Linux with glibc on machines of an architecture. Musl's wheels are for neither Debian nor Ubuntu.
    /// Source: PEP 600, PEP 656.
    fn fit_machine(&self, architecture: &str) -> bool {
        let is_linux = |tag: &str| tag.starts_with("linux_") || tag.starts_with("manylinux");
        let is_for = |tag: &str| is_linux(tag) && tag.ends_with(&format!("_{}", machine(architecture)));
        self.platform.iter().any(|tag| tag == "any" || is_for(tag))
    }
}

/// Whether a pair of tags is one that CPython of a series takes: its own, older ones of the stable interface, and those
/// without any interface. Source: PEP 425, PEP 384.
fn fits_python(python: &str, abi: &str, series: u32) -> bool {
    let number = |prefix: &str| python.strip_prefix(prefix).and_then(|digits| digits.parse::<u32>().ok());
    let is_older = number("py3").is_some_and(|built| built <= series);
    match number("cp3") {
        // Free-threaded builds, and before Python 3.8 those with another allocator, put a letter behind the number.
        Some(built) if built == series => {
            let own = abi.strip_prefix(&format!("cp3{series}"));
            abi == "none" || abi == "abi3" || own.is_some_and(|rest| ["", "m", "t"].contains(&rest))
        }
        Some(built) => built < series && abi == "abi3",
        None => abi == "none" && (python == "py3" || is_older),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(path: &str) -> Option<WheelFile> {
        WheelFile::of_context(&At::new(ContextPath::parse(path).ok()?, Span::default()))
    }

    /// The list of an archive's files: names and checksums.
    fn list(files: &[(&str, u8)]) -> Vec<u8> {
        let mut list = Vec::new();
        for (name, checksum) in files {
            let mut entry = [0; 46];
            entry[..4].copy_from_slice(b"PK\x01\x02");
            (entry[16], entry[28]) = (*checksum, name.len() as u8);
            list.extend([&entry, name.as_bytes()].concat());
        }
        let mut last = [0; 22];
        last[..4].copy_from_slice(b"PK\x05\x06");
        last[12] = list.len() as u8;
        [list.as_slice(), &last].concat()
    }

    #[test]
    fn only_the_metadata_mark_a_wheel() {
        let wheel = |code, metadata| list(&[("a.py", code), ("a-1.dist-info/METADATA", metadata)]);
        let mark = wheel_mark(&wheel(1, 2));
        assert_eq!(wheel_mark(&[b"files".as_slice(), &wheel(3, 2)].concat()), mark);
        assert_ne!(wheel_mark(&wheel(1, 3)), mark);
        // What is no wheel is told apart by all that is read of it.
        assert_ne!(wheel_mark(b"a"), wheel_mark(b"b"));
        assert_ne!(wheel_mark(&list(&[("a.py", 1)])), wheel_mark(&list(&[("a.py", 2)])));
        for length in 0..wheel(1, 2).len() {
            wheel_mark(&wheel(1, 2)[..length]);
        }
    }

    #[test]
    fn the_names_of_wheels() {
        let found = wheel("dist/My_App-1.0.2-py3-none-any.whl").expect("a wheel");
        assert_eq!((found.name.as_str(), found.version.as_str()), ("my-app", "1.0.2"));
        assert_eq!(found.requirement(), "my-app @ file:///run/edgenode/local/My_App-1.0.2-py3-none-any.whl");
        assert!(wheel("a-1-1_build-cp313-cp313-manylinux_2_28_x86_64.whl").is_some());
        for path in [
            "a.whl",
            "a-1-any.whl",
            "a-1-py3-none-any.zip",
            "a b-1-py3-none-any.whl",
            "a-$(x)-py3-none-any.whl",
            "a-1-py3-none-any.x\nsix.whl",
            "a-1-py3-none-any#x.whl",
        ] {
            assert!(wheel(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_wheel_fits_where_one_of_its_tags_does() {
        let fits = |tags: &str, series: u32, architecture: &str| {
            let tags = wheel(&format!("a-1-{tags}.whl")).expect("a wheel").tags.expect("tags");
            tags.fit_python(series) && tags.fit_machine(architecture)
        };
        for tags in [
            "cp313-cp313-linux_x86_64",
            "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
            "cp38-abi3-manylinux1_x86_64",
            "cp312.cp313-cp312.cp313-manylinux_2_28_x86_64",
            "cp313-none-any",
            "py2.py3-none-any",
            "py3-none-manylinux_2_17_aarch64.manylinux_2_17_x86_64",
            "py310-none-any",
            "1-py3-none-any",
        ] {
            assert!(fits(tags, 13, "amd64"), "{tags}");
        }
        for tags in [
            "cp312-cp312-linux_x86_64",
            "cp314-abi3-linux_x86_64",
            "cp312-none-any",
            "cp313-cp313-linux_aarch64",
            "cp313-cp313-musllinux_1_2_x86_64",
            "cp313-cp313-macosx_11_0_arm64",
            "py2-none-any",
            "py314-none-any",
            "pp310-pypy310_pp73-linux_x86_64",
        ] {
            assert!(!fits(tags, 13, "amd64"), "{tags}");
        }
        assert!(fits("cp313-cp313-linux_aarch64", 13, "arm64"));
        assert!(fits("cp36-cp36m-linux_aarch64", 6, "arm64"));
    }
}

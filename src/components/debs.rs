//! Packages that are taken from an archive one by one: each `.deb` is a download with its digest, all are unpacked into a
//! tree of their own, and dpkg's database in the finished image lists them like installed ones. Their maintainers'
//! scripts do not run; what they would do is up to the component.

use crate::diagnostic::Problems;
use crate::lock::{LockedArchive, LockedDeb, LockedFile};
use crate::plan::{Mount, Planner, RUN_DIR, Script, StepId};
use crate::resolve::{Context, DebPackage, PackageIndex, Selection};
use crate::spec::{At, Span, Url, Wish};
use crate::suggest::nearest;

const UNPACK: Script = Script { name: "debs-unpack.sh", text: include_str!("scripts/debs-unpack.sh") };
const RECORD: Script = Script { name: "debs-record.sh", text: include_str!("scripts/debs-record.sh") };

/// Where an archive is.
#[derive(Clone, Debug)]
pub(super) struct Archive {
    /// The address of its index, at the place in the spec that asks for it.
    pub index: At<String>,
    /// What the addresses of its files begin with, with a slash at the end.
    files: String,
}

impl Archive {
    /// An archive that is one directory.
    pub(super) fn flat(address: &str, span: Span) -> Self {
        Self::suite(address, "", span)
    }

    /// An archive whose index lies in a directory below its address, which ends with a slash unless it is empty.
    pub(super) fn suite(address: &str, directory: &str, span: Span) -> Self {
        let files = format!("{}/", address.trim_end_matches('/'));
        Self { index: At::new(format!("{files}{directory}Packages"), span), files }
    }

    /// The newest release of a package that the archive has of what the spec admits. Where it has none it is what the spec
    /// says, which [`select`](Self::select) then reports; where nobody has read its index it is nothing, unless the spec
    /// names a whole release.
    pub(super) fn newest(&self, package: &str, wish: &At<Wish>, context: &Context<'_>) -> String {
        let Some(index) = context.index(&self.index.value) else {
            return wish.value.release().map(ToString::to_string).unwrap_or_default();
        };
        let versions = index.versions(package);
        // What comes before a release has another character in its version.
        let is_final = |release: &&str| release.chars().all(|c| c.is_ascii_digit() || c == '.');
        let releases = versions.iter().map(|version| release_of(version)).filter(is_final);
        wish.value.newest(releases).map_or_else(|| wish.to_string(), str::to_owned)
    }

    /// The packages with these names, each in the newest version that `fits`, and what they depend on. What `stands_in`
    /// says yes to is left out. What the archive lacks is reported.
    pub(super) fn select(
        &self,
        wanted: &[Wanted<'_>],
        stands_in: impl Fn(&str) -> bool,
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<Debs> {
        let Some(index) = context.index(&self.index.value) else {
            // Only a builder has the address; without one nothing is downloaded either.
            let message = format!("{} was not read, so that its packages were not checked", self.index);
            problems.note(self.index.span, message, "a build reads it, and `edgenode plan`");
            let selection = Selection::default();
            return Some(self.debs(selection, Vec::new()));
        };
        let found: Vec<_> = wanted.iter().map(|wanted| find(index, wanted, problems)).collect();
        let found: Vec<_> = found.into_iter().collect::<Option<_>>()?;
        match index.select(found, stands_in) {
            Ok(selection) => {
                let urls = selection.packages.iter().map(|package| self.url(package, problems));
                let urls = urls.collect::<Option<_>>()?;
                Some(self.debs(selection, urls))
            }
            Err(message) => {
                let help = "take another release; the archive's index is at fault or changing";
                problems.error_with_help(self.index.span, message, help);
                None
            }
        }
    }
}

impl Archive {
    fn debs(&self, selection: Selection, urls: Vec<Url>) -> Debs {
        Debs { index: self.index.value.clone(), selection, urls, drop: None, stand_in: None }
    }

    /// Where a package is downloaded. A lock knows its whole address.
    fn url(&self, package: &DebPackage, problems: &mut Problems) -> Option<Url> {
        let whole = package.file.contains("://");
        let text = if whole { package.file.clone() } else { format!("{}{}", self.files, package.file) };
        match Url::parse(&text) {
            Ok(url) => Some(url),
            Err(_) => {
                let message = format!("the archive's index has no address for `{}`", package.name);
                problems.error_with_help(self.index.span, message, "the index is at fault");
                None
            }
        }
    }
}

/// The release that a package is made of: its version without epoch and revision, `28.5.2` of `5:28.5.2-1~noble`. Source:
/// deb-version(7).
pub(super) fn release_of(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    version.rsplit_once('-').map_or(version, |(release, _)| release)
}

/// A package that is asked for.
pub(super) struct Wanted<'a> {
    /// Its name, at the place in the spec that asks for it.
    pub name: At<String>,
    /// Which of its versions will do.
    pub fits: Box<dyn Fn(&str) -> bool + 'a>,
}

/// Packages of an archive, chosen.
#[derive(Debug)]
pub(super) struct Debs {
    /// The address of the index that they are from.
    pub index: String,
    /// The packages.
    pub selection: Selection,
    /// Where each of them is downloaded.
    pub urls: Vec<Url>,
    /// File names, as patterns, that are left out, and those of them that are kept.
    pub drop: Option<(&'static str, &'static str)>,
    /// A package that stands in for those the selection leaves out, and its version.
    pub stand_in: Option<(&'static str, String)>,
}

/// What unpacking gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacked {
    /// The files.
    pub tree: StepId,
    /// What dpkg's database says about them.
    pub records: StepId,
}

/// The newest version of a package that `fits`, or a report of what the archive has instead.
fn find<'i>(
    index: &'i PackageIndex,
    Wanted { name, fits }: &Wanted<'_>,
    problems: &mut Problems,
) -> Option<&'i DebPackage> {
    let found = index.newest(&name.value, fits);
    if found.is_none() {
        let versions = index.versions(&name.value);
        let near = || nearest(&name.value, index.names());
        let (message, help) = match (versions.as_slice(), near()) {
            ([], Some(near)) => {
                (format!("the archive has no package `{name}`"), format!("did you mean `{near}`?"))
            }
            ([], None) => {
                (format!("the archive has no package `{name}`"), "see what its index lists".to_owned())
            }
            (versions, _) => (
                format!("the archive does not have the release of `{name}` that the spec asks for"),
                format!("it has {}", versions.join(", ")),
            ),
        };
        problems.error_with_help(name.span, message, help);
    }
    found
}

fn locked_file(package: &DebPackage, url: &Url, span: Span) -> LockedFile {
    LockedFile { url: url.clone(), sha256: package.sha256.clone(), size: None, span }
}

impl Debs {
    /// What a lock notes of them.
    fn locked(&self, span: Span) -> LockedArchive {
        let files = self.selection.packages.iter().zip(&self.urls).map(|(package, url)| {
            let deb = LockedDeb { file: locked_file(package, url, span), depends: package.depends() };
            ((package.name.clone(), package.version.clone()), deb)
        });
        LockedArchive { files: files.collect(), replaced: self.selection.replaced.iter().cloned().collect() }
    }

    /// Adds the steps that fetch and unpack the packages.
    pub(super) fn plan(&self, label: &str, span: Span, planner: &mut Planner) -> Unpacked {
        let debs = format!("{RUN_DIR}/debs");
        planner.note_archive(&self.index, self.locked(span));
        let files = self.selection.packages.iter().zip(&self.urls).map(|(package, url)| {
            let file = locked_file(package, url, span);
            let from = planner.download(label, &file);
            let name = file.name();
            Mount { at: format!("{debs}/{name}"), from, part: format!("/{name}") }
        });
        let files: Vec<_> = files.collect();
        let base = planner.base();

        let mut run = planner.script(&UNPACK, base, Vec::new());
        run.mounts.extend(files.clone());
        run.env.push(("DEBS".to_owned(), debs.clone()));
        if let Some((drop, keep)) = self.drop {
            run.env.extend([("DROP".to_owned(), drop.to_owned()), ("KEEP".to_owned(), keep.to_owned())]);
        }
        let tree = planner.run(format!("[{label}] install packages"), span, run);

        let mut run = planner.script(&RECORD, base, Vec::new());
        let at = format!("{RUN_DIR}/tree");
        run.mounts.extend(files);
        run.mounts.push(Mount { at: at.clone(), from: tree, part: "/".to_owned() });
        run.env.extend([("DEBS".to_owned(), debs), ("TREE".to_owned(), at)]);
        if let (Some((name, version)), false) = (&self.stand_in, self.selection.replaced.is_empty()) {
            let provides =
                self.selection.replaced.iter().map(|(name, version)| format!("{name} (= {version})"));
            run.env.extend([
                ("STAND_IN".to_owned(), (*name).to_owned()),
                ("VERSION".to_owned(), version.clone()),
                ("PROVIDES".to_owned(), provides.collect::<Vec<_>>().join(", ")),
            ]);
        }
        let records = planner.run(format!("[{label}] find package records"), span, run);
        Unpacked { tree, records }
    }
}

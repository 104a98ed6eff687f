//! Archives of Debian packages that a component takes single packages from: what their index says, which versions go
//! together. Source of the format: Debian Policy, chapters 5 and 7, and deb822(5).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::spec::{DebianPackage, Sha256};

/// A package as an archive's index describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it lies: a path below the archive's address, or an address of its own.
    pub file: String,
    /// What its bytes hash to.
    pub sha256: Sha256,
    /// What it depends on: one of each list.
    depends: Vec<Vec<Relation>>,
}

/// One alternative of a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Relation {
    name: String,
    /// An operator such as `>=`, and a version.
    version: Option<(String, String)>,
}

/// The packages of an archive, for one architecture.
#[derive(Clone, Debug, Default)]
pub struct PackageIndex {
    packages: BTreeMap<String, Vec<DebPackage>>,
}

/// Packages that go together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those that come from the archive, sorted by name.
    pub packages: Vec<DebPackage>,
    /// Those that the archive has but that are left out, as something else stands in for them: name and version.
    pub replaced: Vec<(String, String)>,
    /// Those that the distribution must have.
    pub distribution: Vec<String>,
}

/// The file that tells which packages a Debian system has: dpkg's database.
pub const INSTALLED: &str = "/var/lib/dpkg/status";

/// The packages that a Debian system has, by the text of [`INSTALLED`]: names and versions.
pub fn installed(status: &str) -> impl Iterator<Item = (&str, &str)> {
    status.split("\n\n").filter_map(|entry| {
        let field = |name: &str| {
            entry.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
        };
        field("Status")?.ends_with(" installed").then_some((field("Package")?, field("Version")?))
    })
}

impl PackageIndex {
    /// An index of these packages and no others.
    pub fn of(packages: impl IntoIterator<Item = DebPackage>) -> Self {
        let mut index = Self::default();
        for package in packages {
            index.packages.entry(package.name.clone()).or_default().push(package);
        }
        index
    }

    /// Reads the text of a `Packages` file. Entries without a file, digest or proper name are left out.
    pub fn parse(text: &str) -> Self {
        Self::of(text.split("\n\n").filter_map(DebPackage::parse))
    }

    /// The newest version of a package that `fits`.
    pub fn newest(&self, name: &str, fits: impl Fn(&str) -> bool) -> Option<&DebPackage> {
        let versions = self.packages.get(name)?.iter().filter(|package| fits(&package.version));
        versions.max_by(|a, b| compare_versions(&a.version, &b.version))
    }

    /// The versions of a package, the oldest first.
    pub fn versions(&self, name: &str) -> Vec<&str> {
        let packages = self.packages.get(name).into_iter().flatten();
        let mut versions: Vec<_> = packages.map(|package| package.version.as_str()).collect();
        versions.sort_by(|a, b| compare_versions(a, b));
        versions
    }

    /// The names of all packages.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.packages.keys().map(String::as_str)
    }

    /// The packages and all that they depend on. What `stands_in` says yes to is left out: the image has it from
    /// elsewhere. The error says which package's wish cannot be met.
    pub fn select(
        &self,
        wanted: Vec<&DebPackage>,
        stands_in: impl Fn(&str) -> bool,
    ) -> Result<Selection, String> {
        let mut selection = Selection::default();
        let mut open: Vec<DebPackage> = wanted.into_iter().cloned().collect();
        while let Some(package) = open.pop() {
            if selection.packages.iter().any(|have| have.name == package.name) {
                continue;
            }
            let depends = package.depends.clone();
            let by = format!("{} {}", package.name, package.version);
            selection.packages.push(package);
            for alternatives in &depends {
                let known: Vec<_> = selection.packages.iter().chain(&open).collect();
                if alternatives.iter().any(|one| known.iter().any(|have| one.is_met_by(have))) {
                    continue;
                }
                if let Some(other) = alternatives.iter().find_map(|one| clash(one, &known)) {
                    return Err(format!("{by} does not go with {} {}", other.name, other.version));
                }
                match alternatives.iter().find_map(|one| self.newest(&one.name, |v| one.takes(v))) {
                    Some(found) if stands_in(&found.name) => {
                        selection.replaced.push((found.name.clone(), found.version.clone()));
                    }
                    Some(found) => open.push(found.clone()),
                    None => selection.distribution.push(distribution_package(alternatives, &by)?),
                }
            }
        }
        selection.packages.sort_by(|a, b| a.name.cmp(&b.name));
        selection.distribution.sort();
        selection.distribution.dedup();
        selection.replaced.sort();
        selection.replaced.dedup();
        Ok(selection)
    }
}

/// A package that was chosen already, in a version that the relation does not take.
fn clash<'p>(relation: &Relation, known: &[&'p DebPackage]) -> Option<&'p DebPackage> {
    known.iter().find(|have| have.name == relation.name && !relation.takes(&have.version)).copied()
}

/// The first alternative that can be asked of the distribution.
fn distribution_package(alternatives: &[Relation], by: &str) -> Result<String, String> {
    let names = alternatives.iter().map(|one| one.name.as_str());
    let name = names.clone().find(|name| DebianPackage::parse(name).is_ok());
    name.map(str::to_owned).ok_or_else(|| {
        format!("{by} depends on `{}`, which is no package", names.collect::<Vec<_>>().join(" | "))
    })
}

impl DebPackage {
    /// A package that depends on `depends`, written like the field of that name.
    pub fn new(name: &str, version: &str, file: &str, sha256: Sha256, depends: &str) -> Self {
        let [name, version, file] = [name, version, file].map(str::to_owned);
        Self { name, version, file, sha256, depends: parse_relations(depends) }
    }

    /// What it depends on, in the form that [`DebPackage::new`] reads.
    pub fn depends(&self) -> String {
        let groups = self.depends.iter();
        let groups =
            groups.map(|group| group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "));
        groups.collect::<Vec<_>>().join(", ")
    }

    fn parse(paragraph: &str) -> Option<Self> {
        let fields: BTreeMap<&str, &str> = paragraph
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key, value.trim()))
            .collect();
        let name = *fields.get("Package")?;
        DebianPackage::parse(name).ok()?;
        let file = fields.get("Filename")?.trim_start_matches("./");
        let stays = file.split('/').all(|part| !part.is_empty() && part != ".." && part != ".");
        let relations = |key| fields.get(key).map(|text| parse_relations(text)).unwrap_or_default();
        let mut depends: Vec<_> = relations("Pre-Depends");
        depends.extend(relations("Depends"));
        if !stays {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            version: (*fields.get("Version")?).to_owned(),
            file: file.to_owned(),
            sha256: Sha256::parse(fields.get("SHA256")?).ok()?,
            depends,
        })
    }
}

/// Reads `a (>= 1) | b, c`.
fn parse_relations(text: &str) -> Vec<Vec<Relation>> {
    let relation = |text: &str| {
        let (name, rest) = text.trim().split_once([' ', '(']).unwrap_or((text.trim(), ""));
        let version = rest.split_once(')').map_or(rest, |(inside, _)| inside).trim_start_matches(['(', ' ']);
        let end = version.find(|c: char| !"<=>".contains(c)).unwrap_or(version.len());
        let (operator, version) = version.split_at(end);
        // The architecture qualifier says nothing here: an index has one architecture.
        let name = name.split(':').next().unwrap_or_default().to_owned();
        let version = (!operator.is_empty()).then(|| (operator.to_owned(), version.trim().to_owned()));
        Relation { name, version }
    };
    let one = |group: &str| group.split('|').map(relation).filter(|r| !r.name.is_empty()).collect::<Vec<_>>();
    text.split(',').map(one).filter(|group| !group.is_empty()).collect()
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some((operator, version)) => write!(f, "{} ({operator} {version})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Relation {
    fn takes(&self, version: &str) -> bool {
        let Some((operator, wanted)) = &self.version else { return true };
        let order = compare_versions(version, wanted);
        match operator.as_str() {
            "=" => order == Ordering::Equal,
            ">=" | ">" => order != Ordering::Less,
            ">>" => order == Ordering::Greater,
            "<=" | "<" => order != Ordering::Greater,
            "<<" => order == Ordering::Less,
            _ => false,
        }
    }

    fn is_met_by(&self, package: &DebPackage) -> bool {
        self.name == package.name && self.takes(&package.version)
    }
}

/// The order of two versions. Source: Debian Policy 5.6.12, deb-version(7).
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch.parse::<u64>().unwrap_or(0), upstream.to_owned(), revision.to_owned())
    };
    let (a, b) = (parts(a), parts(b));
    a.0.cmp(&b.0).then_with(|| compare_part(&a.1, &b.1)).then_with(|| compare_part(&a.2, &b.2))
}

/// Compares text and numbers by turns.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let ((text_a, rest_a), (text_b, rest_b)) = (split(a, false), split(b, false));
        // The end weighs less than a letter and more than `~`.
        let weights = |text: &str| text.chars().map(weight).chain([1]).collect::<Vec<_>>();
        let order = weights(text_a).cmp(&weights(text_b));
        let ((digits_a, rest_a), (digits_b, rest_b)) = (split(rest_a, true), split(rest_b, true));
        let (digits_a, digits_b) = (digits_a.trim_start_matches('0'), digits_b.trim_start_matches('0'));
        let order =
            order.then_with(|| digits_a.len().cmp(&digits_b.len())).then_with(|| digits_a.cmp(digits_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

fn split(text: &str, digits: bool) -> (&str, &str) {
    text.split_at(text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len()))
}

fn weight(c: char) -> u32 {
    match c {
        '~' => 0,
        c if c.is_ascii_alphabetic() => 2 + u32::from(c),
        c => 1000 + u32::from(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    fn entry(name: &str, version: &str, depends: &str) -> String {
        format!(
            "Package: {name}\nVersion: {version}\nDepends: {depends}\nFilename: ./{name}_{version}.deb\nSHA256: {}\n\n",
            "a".repeat(64)
        )
    }

    fn names(selection: &Selection) -> Vec<String> {
        selection.packages.iter().map(|p| format!("{}={}", p.name, p.version)).collect()
    }

    #[test]
    fn what_dpkg_has_installed_is_told_from_what_it_had() {
        let status = "Package: a\nStatus: install ok installed\nVersion: 1.0-1\nDescription: of\n Version: none\n\n\
                      Package: b\nStatus: deinstall ok config-files\nVersion: 2\n\n\
                      Package: c\nStatus: install ok half-installed\nVersion: 3\n\n\
                      Package: d\nStatus: hold ok installed\nVersion: 1:4\n";
        assert_eq!(installed(status).collect::<Vec<_>>(), [("a", "1.0-1"), ("d", "1:4")]);
        assert_eq!(installed("").count(), 0);
    }

    #[test]
    fn dependencies_are_followed_in_the_versions_that_fit() {
        let text = [
            entry("trt-bin", "10.1-1+cuda12.9", "libtrt10 (= 10.1-1+cuda12.9), libc6 (>= 2.27) | libc"),
            entry("libtrt10", "10.1-1+cuda12.9", "libcublas"),
            entry("libtrt10", "10.9-1+cuda13.0", "libcublas"),
            entry("libcublas", "12.8", ""),
        ];
        let index = PackageIndex::parse(&text.concat());
        let bin = index.newest("trt-bin", |_| true).expect("there");
        let selection = index.select(vec![bin], |_| false).expect("fits");
        assert_eq!(
            names(&selection),
            ["libcublas=12.8", "libtrt10=10.1-1+cuda12.9", "trt-bin=10.1-1+cuda12.9"]
        );
        assert_eq!(selection.distribution, ["libc6"]);
        let selection = index.select(vec![bin], |name| name == "libcublas").expect("fits");
        assert_eq!(names(&selection), ["libtrt10=10.1-1+cuda12.9", "trt-bin=10.1-1+cuda12.9"]);
        assert_eq!(selection.replaced, [("libcublas".to_owned(), "12.8".to_owned())]);
        let other = index.newest("libtrt10", |_| true).expect("there");
        assert_eq!(other.version, "10.9-1+cuda13.0");
        let error = index.select(vec![other, bin], |_| false).expect_err("two releases");
        assert_eq!(error, "trt-bin 10.1-1+cuda12.9 does not go with libtrt10 10.9-1+cuda13.0");
    }

    #[test]
    fn entries_that_could_leave_the_archive_are_left_out() {
        for file in ["../x.deb", "/x.deb", "a//b.deb", "a/../../x.deb"] {
            let text = entry("aa", "1", "").replace("./aa_1.deb", file);
            assert!(PackageIndex::parse(&text).newest("aa", |_| true).is_none(), "{file}");
        }
        let text = entry("--option", "1", "");
        assert!(PackageIndex::parse(&text).packages.is_empty());
    }

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        let sorted = ["1.0~rc1", "1.0", "1.0-1", "1.0-1+b1", "1.0+dfsg", "1.0.1", "1.2", "1.10", "2:0.1"];
        for pair in sorted.windows(2) {
            assert_eq!(compare_versions(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare_versions(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare_versions("1.0", "1.0-0"), Ordering::Equal);
        assert_eq!(compare_versions("1.01", "1.1"), Ordering::Equal);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn dpkg_agrees(a in "[0-9][0-9a-c.+~]{0,6}(-[0-9a+~]{1,3})?", b in "[0-9][0-9a-c.+~]{0,6}(-[0-9a+~]{1,3})?") {
            let less = compare_versions(&a, &b) == Ordering::Less;
            let dpkg = Command::new("dpkg").args(["--compare-versions", &a, "lt", &b]).status().expect("dpkg starts");
            prop_assert_eq!(less, dpkg.success(), "{} < {}", a, b);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(Package: [a-z]{2,3}\n|Depends: [a-z(|,)>= 1]{0,20}\n|Filename: x\n|\n| )*") {
            let index = PackageIndex::parse(&text);
            let all: Vec<_> = index.packages.values().flatten().collect();
            let _ = index.select(all, |_| false);
        }
    }
}

//! Python packages by a lock: resolved once, then taken from downloads of their own and installed without a network.

use std::collections::BTreeMap;

use super::{PARTS, Requirements, Tools, WheelRequest, bring, chosen_of, lines};
use crate::components::python;
use crate::components::wheelhouse::Wheelhouse;
use crate::lock::{Earlier, LockUse, LockedWheel, PlatformLock};
use crate::plan::{Mount, Planner, Provided, RUN_DIR, Run, Script, StepId, Unlocked};
use crate::spec::{Requirement, Span, normal_name};

const RESOLVE: Script =
    Script { name: "wheels-resolve.sh", text: include_str!("../scripts/wheels-resolve.sh") };
const BUILT_WITH: Script =
    Script { name: "wheel-requires.py", text: include_str!("../scripts/wheel-requires.py") };
const REQUIRES: Script =
    Script { name: "sdist-requires.sh", text: include_str!("../scripts/sdist-requires.sh") };

/// What the scripts that read, ask and build a project have in common.
pub(in crate::components) const PROJECT: Script =
    Script { name: "wheel-project.sh", text: include_str!("../scripts/wheel-project.sh") };

/// Plans the packages if there is a lock, or one is being made; says whether that is so.
pub(super) fn take_over(
    requests: &[WheelRequest],
    most_alone: usize,
    tools: &Tools,
    planner: &mut Planner,
) -> bool {
    match planner.lock().clone() {
        LockUse::None => return false,
        LockUse::Making(PlatformLock { wheels: None, earlier, .. }) => {
            resolve(requests, tools, &earlier, planner);
        }
        LockUse::Making(PlatformLock { wheels: Some(wheels), .. })
        | LockUse::Fixed(PlatformLock { wheels: Some(wheels), .. }) => {
            install(requests, most_alone, tools, &wheels, planner);
        }
        LockUse::Fixed(_) => {
            planner.unlocked("wheels", requests.first().map(|request| request.span).unwrap_or_default());
        }
    }
    true
}

/// Resolves for a lock that is being made; what is installed is not known yet.
fn resolve(requests: &[WheelRequest], tools: &Tools, earlier: &Earlier, planner: &mut Planner) {
    let is_updated = |package: &str| {
        let group = group_of(package, requests).map(|number| requests[number].group.as_str());
        group.into_iter().chain([package]).any(|name| earlier.is_updated(name))
    };
    let preferred = preferences(&earlier.wheels, is_updated);
    let span = requests.last().map(|request| request.span).unwrap_or_default();
    let mut run = tools.resolve("wheels", Requirements::of(requests, planner), &preferred, planner);
    run.mounts.extend(planner.wheel_files().iter().cloned());
    let step = planner.run("[wheels] find versions".to_owned(), span, run);
    let tree = planner.pend(Unlocked::Wheels, step);
    for request in requests {
        let provided = tools.provided(&request.group, tree, request.span);
        planner.provide(Provided { version: request.version.clone(), ..provided });
    }
}

/// What uv keeps where it still fits.
fn preferences(versions: &BTreeMap<String, String>, is_updated: impl Fn(&str) -> bool) -> Vec<String> {
    let kept = versions.iter().filter(|(package, _)| !is_updated(package));
    kept.map(|(package, version)| format!("{package}=={version}")).collect()
}

/// Installs what the lock names, offline, each branch's packages into a tree of its own.
fn install(
    requests: &[WheelRequest],
    most_alone: usize,
    tools: &Tools,
    wheels: &BTreeMap<String, LockedWheel>,
    planner: &mut Planner,
) {
    report_unlocked(requests, wheels, planner);
    let alone = alone(requests, wheels, most_alone);
    let mut lists = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        let own: Vec<_> =
            wheels.iter().filter(|(name, _)| group_of(name, requests) == Some(number)).collect();
        let versions = own.iter().map(|(name, wheel)| format!("{name}=={}", wheel.version));
        lists.push(lines(&format!("/{}.txt", request.group), versions.collect()));
        let mut branches = BTreeMap::<String, Vec<_>>::new();
        let is_spread = is_spread(&own, request, &alone);
        for (name, wheel) in own {
            let branch = branch_of(name, wheel, request, &alone, is_spread);
            branches.entry(branch).or_default().push((name, wheel));
        }
        // As without a lock, the group itself comes last, and has what others have, too.
        let rest = branches.remove(&request.group).unwrap_or_default();
        for (branch, wheels) in branches.into_iter().chain([(request.group.clone(), rest)]) {
            let mut run = tools.install_locked(&branch, wheels.into_iter(), planner);
            tools.slim(&mut run, planner);
            let tree = planner.run(format!("[{branch}] install wheels"), request.span, run);
            let provided = tools.provided(&branch, tree, request.span);
            planner.provide(match branch == request.group {
                true => Provided { version: request.version.clone(), ..provided },
                false => Provided { part_of: Some(request.group.clone()), ..provided },
            });
        }
    }
    let lists = planner.files("[wheels] locked versions".to_owned(), lists);
    let versions = wheels.iter().map(|(name, wheel)| (name.clone(), wheel.version.clone()));
    planner.set_chosen(chosen_of(requests, lists, versions.collect()));
}

/// The packages that have a branch each, as `wheels-choose.sh` finds them without a lock.
fn alone<'w>(
    requests: &[WheelRequest],
    wheels: &'w BTreeMap<String, LockedWheel>,
    most: usize,
) -> Vec<&'w str> {
    let mut large: Vec<_> = wheels
        .iter()
        .filter_map(|(name, wheel)| {
            let parting = requests.get(group_of(name, requests)?)?.parting_of(name)?;
            let size = wheel.file.size.unwrap_or_default();
            (size >= parting.alone).then_some((std::cmp::Reverse(size), name.as_str()))
        })
        .collect();
    large.sort();
    large.truncate(most);
    large.into_iter().map(|(_, name)| name).collect()
}

/// Whether the small wheels among those of a group are enough to be spread over several branches, as `wheels-choose.sh`
/// finds it without a lock.
fn is_spread(own: &[(&String, &LockedWheel)], request: &WheelRequest, alone: &[&str]) -> bool {
    let Some(parting) = request.parting else { return false };
    let parted = |name: &str| request.parting_of(name).is_some() && !alone.contains(&name);
    let sizes = own.iter().filter(|(name, _)| parted(name));
    let sizes = sizes.map(|(_, wheel)| wheel.file.size.unwrap_or_default());
    let small: u64 = sizes.filter(|size| *size < parting.apart).sum();
    small > 0 && small >= PARTS as u64 * parting.apart
}

/// Which of the branches a small wheel belongs to, which does not depend on what else there is: the same sum.
fn part(name: &str) -> usize {
    const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
    name.chars().map(|c| ALPHABET.find(c).map_or(0, |place| place + 1)).sum::<usize>() % PARTS
}

fn branch_of(
    name: &str,
    wheel: &LockedWheel,
    request: &WheelRequest,
    alone: &[&str],
    is_spread: bool,
) -> String {
    let group = &request.group;
    let Some(parting) = request.parting_of(name) else { return group.clone() };
    let apart = wheel.file.size.unwrap_or_default() >= parting.apart;
    match alone.contains(&name) {
        true => format!("{group}-{name}"),
        false if apart => format!("{group}.medium"),
        false if is_spread && part(name) > 0 => format!("{group}.small-{}", part(name)),
        false => group.clone(),
    }
}

/// The request whose group a package is installed in.
fn group_of(package: &str, requests: &[WheelRequest]) -> Option<usize> {
    let fits = |pattern: &String| match pattern.strip_suffix('*') {
        Some(begin) => package.starts_with(begin),
        None => package == pattern,
    };
    let named = requests.iter().position(|request| request.packages.iter().any(fits));
    let rest = || requests.iter().position(|request| request.packages.is_empty());
    // What no group takes belongs to the first, if the spec has no group for the rest.
    named.or_else(rest).or((!requests.is_empty()).then_some(0))
}

/// Reports requirements that no package of the lock meets.
fn report_unlocked(requests: &[WheelRequest], wheels: &BTreeMap<String, LockedWheel>, planner: &mut Planner) {
    let excluded = requests.iter().flat_map(|request| &request.exclude).chain(planner.excluded());
    let excluded: Vec<_> = excluded.cloned().collect();
    // What the base image's own Python has was looked at when the lock was made.
    let is_vendor = planner.kept().iter().any(|kept| kept.name == python::REGISTRATION.key);
    let vendor = planner.lock().locked().filter(|_| is_vendor).map(|lock| lock.vendor.clone());
    let vendor = vendor.unwrap_or_default();
    let kept: Vec<_> = planner.kept().iter().flat_map(|vendor| vendor.packages.clone()).collect();
    // Wheels that are named by their files are not in this part of the lock.
    let files = requests.iter().flat_map(|request| &request.requirements).filter(|text| text.contains(" @ "));
    let files: Vec<_> = files.map(|text| normal_name(text)).collect();
    for request in requests {
        // What a marker says is for uv to know.
        let plain = request.requirements.iter().filter(|requirement| !requirement.contains(';'));
        for (requirement, digests) in plain.filter_map(|text| with_digests(text)) {
            let name = requirement.package();
            let met = wheels.get(&name).is_some_and(|wheel| {
                let is_pinned = digests.is_empty() || digests.contains(&wheel.file.sha256.as_str());
                is_pinned && requirement.admits(&wheel.version)
            });
            let elsewhere = excluded.contains(&name) || kept.contains(&name) || vendor.contains(&name);
            if !met && !elsewhere && !files.contains(&name) {
                planner.unlocked(requirement.as_str(), request.span);
            }
        }
    }
}

/// A requirement and the digests that it allows, none for any.
fn with_digests(text: &str) -> Option<(Requirement, Vec<&str>)> {
    let mut parts = text.split(" --hash=sha256:");
    let requirement = Requirement::parse(parts.next()?.trim()).ok()?;
    Some((requirement, parts.map(str::trim).collect()))
}

/// What a package is built with.
pub(in crate::components) enum BuildRequires<'a> {
    /// These (PEP 508).
    Listed(&'a [String]),
    /// What its project says (PEP 518).
    OfProject(&'a Project),
    /// That, and what it asks for (PEP 517), as the result of a step has it.
    Asked(&'a Project, StepId),
}

/// A Python project: a source, its only directory, or a directory in that.
pub(in crate::components) struct Project {
    /// Where scripts find the source.
    pub source: Mount,
    /// The directory in it, empty for none.
    pub subdirectory: String,
}

impl BuildRequires<'_> {
    /// Those that are known already.
    fn listed(&self) -> Vec<String> {
        match self {
            Self::Listed(requirements) => requirements.to_vec(),
            Self::OfProject(_) | Self::Asked(..) => Vec::new(),
        }
    }

    /// Has a run read the others.
    fn apply(&self, run: &mut Run, planner: &mut Planner) {
        let (Self::OfProject(project) | Self::Asked(project, _)) = self else { return };
        let at = format!("{RUN_DIR}/built-with");
        bring(&[BUILT_WITH, PROJECT], &at, run, planner);
        run.env.push(("BUILT_WITH".to_owned(), at));
        run.env.push(("SOURCE".to_owned(), format!("{RUN_DIR}/source")));
        run.env.push(("SUBDIRECTORY".to_owned(), project.subdirectory.clone()));
        run.mounts.push(project.source.clone());
        if let Self::Asked(_, from) = self {
            // Just the file: what the project's own code wrote may be a link, which leads out of a directory.
            let (at, part) = (format!("{RUN_DIR}/asked.txt"), "/requirements.txt".to_owned());
            run.env.push(("ASKED".to_owned(), at.clone()));
            run.mounts.push(Mount { at, from: *from, part });
        }
    }
}

impl Tools {
    /// A run that finds the wheels that `requirements` take, for a lock that is being made. `label` says whose they
    /// are. The versions of `preferred` are kept where they still fit.
    fn resolve(
        &self,
        label: &str,
        requirements: Requirements,
        preferred: &[String],
        planner: &mut Planner,
    ) -> Run {
        let mut files = requirements.files();
        files.push(lines("/preferences.txt", preferred.to_vec()));
        self.run_with(&RESOLVE, label, files, planner)
    }

    /// A run that installs these wheels offline.
    fn install_locked<'w>(
        &self,
        label: &str,
        wheels: impl Iterator<Item = (&'w String, &'w LockedWheel)>,
        planner: &mut Planner,
    ) -> Run {
        let at = format!("{RUN_DIR}/wheels");
        let (mut list, mut mounts) = (Vec::new(), Vec::new());
        for (name, wheel) in wheels {
            list.push(format!("{name}=={} --hash=sha256:{}", wheel.version, wheel.file.sha256));
            let from = planner.download(&format!("{name} {}", wheel.version), &wheel.file);
            let file = wheel.file.name();
            mounts.push(Mount { at: format!("{at}/{file}"), from, part: format!("/{file}") });
        }
        let mut run = self.run_offline(planner);
        if list.is_empty() {
            return run;
        }
        let list = planner.files(format!("[{label}] locked wheels"), vec![lines("/locked.txt", list)]);
        let list_at = format!("{RUN_DIR}/locked");
        let requirements = format!("{list_at}/locked.txt");
        let arguments = ["--find-links", &at, "--require-hashes", "--requirements", &requirements];
        run.argv.extend(arguments.map(str::to_owned));
        run.mounts.push(Mount { at: list_at, from: list, part: "/".to_owned() });
        run.mounts.extend(mounts);
        run
    }

    /// A tree of what a package is built with and what that depends on, for a step that is thrown away. `package` is what
    /// the lock calls it.
    pub(in crate::components) fn install_requirements(
        &self,
        package: &str,
        label: &str,
        requires: BuildRequires<'_>,
        span: Span,
        planner: &mut Planner,
    ) -> StepId {
        let locked = planner.lock().locked().and_then(|lock| lock.builds.get(package)).cloned();
        let name = format!("[{label}] install build requirements");
        match (locked, planner.lock()) {
            (Some(wheels), _) => {
                let run = self.install_locked(label, wheels.iter(), planner);
                return planner.run(name, span, run);
            }
            (None, LockUse::Making(lock)) => {
                let preferred = kept_of(package, &lock.earlier);
                let wanted = Requirements { requirements: requires.listed(), ..Requirements::default() };
                let mut run = self.resolve(label, wanted, &preferred, planner);
                requires.apply(&mut run, planner);
                let step = planner.run(format!("[{label}] find versions"), span, run);
                return planner.pend(Unlocked::Requires(package.to_owned()), step);
            }
            (None, LockUse::Fixed(_)) => planner.unlocked(&format!("what `{package}` is built with"), span),
            (None, LockUse::None) => {}
        }
        self.install_unlocked(name, label, &requires, Vec::new(), span, planner)
    }

    /// A tree of what a project says that it is built with, in which it can be asked for the rest; nothing where the lock
    /// has all of it, or should.
    pub(in crate::components) fn install_first(
        &self,
        package: &str,
        label: &str,
        project: &Project,
        span: Span,
        planner: &mut Planner,
    ) -> Option<StepId> {
        let preferred = match planner.lock() {
            LockUse::None => Vec::new(),
            LockUse::Making(lock) if lock.builds.contains_key(package) => return None,
            // What another release asks for may be something else.
            LockUse::Making(lock) => kept_of(package, &lock.earlier),
            LockUse::Fixed(_) => return None,
        };
        let name = format!("[{label}] install first build requirements");
        let requires = BuildRequires::OfProject(project);
        Some(self.install_unlocked(name, label, &requires, preferred, span, planner))
    }

    fn install_unlocked(
        &self,
        name: String,
        label: &str,
        requires: &BuildRequires<'_>,
        preferred: Vec<String>,
        span: Span,
        planner: &mut Planner,
    ) -> StepId {
        let mut files = vec![lines("/requirements.txt", requires.listed())];
        if !preferred.is_empty() {
            files.push(lines("/preferences.txt", preferred));
        }
        let wheelhouse = Wheelhouse::open(self.interpreter.root, span, planner);
        let tools = Self { wheelhouse, ..self.clone() };
        let mut run = tools.run_with(&REQUIRES, label, files, planner);
        requires.apply(&mut run, planner);
        planner.run(name, span, run)
    }
}

/// What a package was built with and is kept if it still fits.
fn kept_of(package: &str, earlier: &Earlier) -> Vec<String> {
    let versions = earlier.builds.get(package).filter(|_| !earlier.is_updated(package));
    versions.map_or_else(Vec::new, |versions| preferences(versions, |name| earlier.is_updated(name)))
}

#[cfg(test)]
mod tests {
    use super::super::Parting;
    use super::*;
    use crate::lock::LockedFile;
    use crate::resolve::pinned;
    use crate::spec::{Sha256, Url};

    fn locked(size: u64) -> LockedWheel {
        let url = Url::parse("https://example.org/x.whl").expect("an address");
        let file = LockedFile { url, sha256: Sha256::of(b""), size: Some(size), span: Span::default() };
        LockedWheel { version: "1".to_owned(), file }
    }

    fn request(group: &str, packages: &[&str], parting: Option<Parting>) -> WheelRequest {
        let installer = pinned("uv-amd64", super::super::UV_VERSION, Span::default()).expect("a release");
        WheelRequest {
            packages: super::super::patterns(packages),
            parting,
            ..WheelRequest::new(group, "1", installer, Span::default())
        }
    }

    #[test]
    fn wheels_are_parted_by_their_sizes_in_the_lock() {
        let requests = [
            request("torch", &["torch*", "triton*"], Some(Parting::LARGE)),
            request("wheels", &[], Some(Parting::BY_SIZE)),
        ];
        let sizes = [
            ("huge", 20_000_000),
            ("large", 10_000_000),
            ("medium", 9_999_999),
            ("small", 999_999),
            ("torch", 900_000_000),
            ("torchvision", 8_000_000),
            ("triton", 155_000_000),
        ];
        let wheels: BTreeMap<_, _> =
            sizes.iter().map(|(name, size)| ((*name).to_owned(), locked(*size))).collect();
        let branches = |most: usize| {
            let alone = alone(&requests, &wheels, most);
            let branch = |(name, wheel): (&String, &LockedWheel)| {
                let request = &requests[group_of(name, &requests).expect("a group")];
                branch_of(name, wheel, request, &alone, false)
            };
            wheels.iter().map(branch).collect::<Vec<_>>()
        };
        let parted =
            ["wheels-huge", "wheels-large", "wheels.medium", "wheels", "torch", "torch", "torch-triton"];
        assert_eq!(branches(64), parted);
        // Where an image can have no more layers, the largest come first.
        assert_eq!(
            branches(1),
            ["wheels.medium", "wheels.medium", "wheels.medium", "wheels", "torch", "torch", "torch-triton"]
        );
    }

    #[test]
    fn many_small_wheels_are_spread_by_their_names() {
        let request = request("wheels", &[], Some(Parting::BY_SIZE));
        let names = ["a", "b", "c", "d", "python-multipart", "big"].map(str::to_owned);
        let sizes = [999_999, 999_999, 999_999, 999_999, 5, 20_000_000];
        let wheels: Vec<_> = names.iter().zip(sizes.map(locked)).collect();
        let own: Vec<_> = wheels.iter().map(|(name, wheel)| (*name, wheel)).collect();
        assert!(is_spread(&own, &request, &["big"]));
        assert!(!is_spread(&own[1..], &request, &["big"]), "a few need one branch");
        assert!(!is_spread(&own, &WheelRequest { parting: Some(Parting::EACH), ..request.clone() }, &[]));
        assert!(!is_spread(&own, &WheelRequest { parting: None, ..request.clone() }, &[]));
        let branches = own.iter().map(|(name, wheel)| branch_of(name, wheel, &request, &["big"], true));
        let expected =
            ["wheels.small-1", "wheels.small-2", "wheels.small-3", "wheels", "wheels", "wheels-big"];
        assert_eq!(branches.collect::<Vec<_>>(), expected);
    }
}

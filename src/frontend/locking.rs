//! The lock of a spec: finding it, holding the spec to it, making it.
//!
//! A lock is made in rounds. What can be resolved is resolved in steps of BuildKit, and what was found is planned with,
//! until nothing is left: compilers are locked first, then what they build, then what was built says which packages of the
//! distribution the system needs. So a build with the lock finds in the cache what making it has built.

use std::collections::{BTreeMap, BTreeSet};

use buildkit_frontend::{BuildResult, Error, Gateway, Reference};
use buildkit_llb::{File, Meta, Mkfile, Output, Platform};
use futures_util::future::{join_all, try_join_all};

use super::args::LOCKED_ARG;
use super::reads::Reads;
use super::{Base, Build, downloads, marshal, read_text};
use crate::components::{Declared, WHEELHOUSE};
use crate::diagnostic::Problems;
use crate::lock::{
    self, Beside, Earlier, LOCK_TARGET, Lock, LockUse, LockedArchive, LockedFile, LockedPackages,
    LockedWheel, PlatformLock, UPDATE_ARG, UPDATE_TARGET, vendor_from_resolution, wheels_from_resolution,
};
use crate::lower::{self, Lowered};
use crate::plan::{Pending, Plan, Unlocked, plan};
use crate::resolve::{BaseFacts, Inputs, resolve};
use crate::spec::{At, MAX_BYTES, Node, Spec, Value, normal_name};
use crate::suggest::nearest;

/// No resolution comes near.
const MAX_RESOLUTION_BYTES: usize = 1 << 22;
/// Rounds that no spec needs.
const MAX_ROUNDS: usize = 16;
/// Downloads that fail at once and are told of at most.
const MAX_TOLD: usize = 10;

/// What the client wants of the lock.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LockWish {
    /// To build by it, if there is one.
    Use,
    /// To build by it, and not without.
    Require,
    /// To build as if there was none.
    Ignore,
    /// To have it made, with these updates.
    Make(Update),
}

/// What is resolved anew although the spec has not changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// Nothing.
    None,
    /// Everything.
    All,
    /// What belongs to these, by their normal names: components, steps that install packages, groups of Python packages
    /// and packages, `base`.
    Only(BTreeSet<String>),
}

impl Update {
    /// Reads the names that the client gives.
    fn read(names: &str) -> Self {
        let names: BTreeSet<_> =
            names.split(',').map(|name| normal_name(name.trim())).filter(|name| !name.is_empty()).collect();
        if names.is_empty() { Self::All } else { Self::Only(names) }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(names) => names.contains(&normal_name(name)),
        }
    }

    /// The names, if only something is updated.
    fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Only(names) => names.clone(),
            Self::None | Self::All => BTreeSet::new(),
        }
    }

    /// Refuses names that mean nothing of what is locked.
    fn check(&self, old: Option<&Lock>, specs: &[(Platform, Spec)]) -> Result<(), Error> {
        let (Self::Only(names), Some(old)) = (self, old) else { return Ok(()) };
        let locked = old.platforms.values().flat_map(PlatformLock::names);
        let known = locked.chain(specs.iter().flat_map(|(_, spec)| parts(spec)));
        let known: BTreeSet<_> = known.map(|name| normal_name(&name)).collect();
        let unknown: Vec<_> = names
            .difference(&known)
            .map(|name| {
                let near = nearest(name, known.iter().map(String::as_str));
                near.map_or(format!("`{name}`"), |near| format!("`{name}` (did you mean `{near}`?)"))
            })
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::user(format!(
            "{UPDATE_ARG} names what neither the spec nor its lock has: {}",
            unknown.join(", ")
        )))
    }
}

/// The fields of a spec, and what its components and its groups of Python packages are called.
fn parts(spec: &Spec) -> Vec<String> {
    let keys = |node: &Node| match &node.value {
        Value::Map(fields) => fields.iter().map(|(key, value)| (key.value.clone(), value.clone())).collect(),
        _ => Vec::new(),
    };
    let own = keys(&spec.root);
    let wheels = own.iter().filter(|(key, _)| key == "wheels").flat_map(|(_, wheels)| keys(wheels));
    let groups = wheels.filter(|(key, _)| key == "groups").flat_map(|(_, groups)| keys(&groups));
    let groups = groups.map(|(key, _)| key);
    let components = spec.components.iter().flat_map(|component| component.value.targets());
    let components = components.map(str::to_owned);
    own.iter().map(|(key, _)| key.clone()).chain(groups).chain(components).collect()
}

impl LockWish {
    /// Reads the target and the build arguments.
    pub(super) fn read(gateway: &Gateway) -> Result<Self, Error> {
        let args = &gateway.options().build_args;
        match gateway.options().target.as_deref() {
            Some(LOCK_TARGET) if args.contains_key(UPDATE_ARG) => {
                return Err(Error::user(format!(
                    "{UPDATE_ARG} goes with `--target {UPDATE_TARGET}`; `--target {LOCK_TARGET}` keeps what still fits"
                )));
            }
            Some(LOCK_TARGET) => return Ok(Self::Make(Update::None)),
            Some(UPDATE_TARGET) => {
                return Ok(Self::Make(Update::read(args.get(UPDATE_ARG).map_or("", String::as_str))));
            }
            _ => {}
        }
        match args.get(LOCKED_ARG).map(String::as_str) {
            None | Some("") => Ok(Self::Use),
            Some("1" | "true") => Ok(Self::Require),
            Some("0" | "false") => Ok(Self::Ignore),
            Some(other) => Err(Error::user(format!("{LOCKED_ARG} is `1` or `0`, not `{other}`"))),
        }
    }

    /// The name of the lock of a spec, unless nobody wants it.
    pub(super) fn file(&self, spec: &str) -> Option<String> {
        (*self != Self::Ignore).then(|| lock::file_name(spec))
    }
}

/// The text of the lock of a spec.
pub(super) fn text(data: Vec<u8>, spec: &str) -> Result<String, Error> {
    let name = lock::file_name(spec);
    if data.len() > MAX_BYTES {
        return Err(Error::user(format!("{name} has more than {MAX_BYTES} bytes, which no lock has")));
    }
    String::from_utf8(data).map_err(|_| Error::user(format!("{name} is not a text file (it is not UTF-8)")))
}

impl Build<'_> {
    /// All that decides what a spec is resolved to.
    fn lock_inputs(&self, spec: &Spec) -> BTreeMap<String, String> {
        let Reads { files, wheels, .. } = self.reads.of(spec);
        lock::inputs(&spec.root, &Beside { files, wheels })
    }

    /// What the lock has for each platform and its spec. Refuses one that was made for another spec or platform, and a
    /// missing one where it is asked for.
    pub(super) fn locks(
        &self,
        wish: &LockWish,
        lock: Option<&Lock>,
        specs: &[(Platform, Spec)],
    ) -> Result<Vec<LockUse>, Error> {
        let name = lock::file_name(&self.sources.files[0].filename);
        let Some(lock) = lock else {
            return match wish {
                LockWish::Require => Err(Error::user(format!(
                    "{LOCKED_ARG} asks for a lock, and there is no {name}; make it with `--target {LOCK_TARGET} --output .`"
                ))),
                _ => Ok(specs.iter().map(|_| LockUse::None).collect()),
            };
        };
        let (mut locks, mut moved) = (Vec::new(), BTreeSet::new());
        for (platform, spec) in specs {
            let locked = self.lock_of(lock, platform)?;
            let inputs = lock::moved(locked, &self.lock_inputs(spec));
            moved.extend(inputs.into_iter().map(|input| (lock::place(&spec.root, &input), input)));
            locks.push(LockUse::Fixed(locked.clone()));
        }
        let mut problems = Problems::default();
        for (place, input) in moved {
            problems.error_with_help(
                place,
                format!("`{input}` is not what {name} was made for"),
                format!("make it anew with `--target {LOCK_TARGET} --output .`, or build without it: `--build-arg {LOCKED_ARG}=0`"),
            );
        }
        problems.check(Some(locks)).map_err(|found| self.sources.report(&found))
    }

    /// What the lock has for a platform.
    fn lock_of<'l>(&self, lock: &'l Lock, platform: &Platform) -> Result<&'l PlatformLock, Error> {
        let name = locked_name(platform);
        lock.platforms.get(&name).ok_or_else(|| {
            let have: Vec<_> = lock.platforms.keys().map(String::as_str).collect();
            Error::user(format!(
                "{} has nothing for {name}, only for {}; make it with `--target {LOCK_TARGET} --platform {},{name}`",
                lock::file_name(&self.sources.files[0].filename),
                have.join(", "),
                have.join(",")
            ))
        })
    }

    /// Makes the lock for these platforms. What an older one has is kept where the spec has not changed and no update is
    /// asked for.
    pub(super) async fn make_lock(
        &self,
        specs: &[(Platform, Spec)],
        read: impl Fn(&Platform) -> Result<Spec, Error>,
        old: Option<&Lock>,
        update: &Update,
    ) -> Result<BuildResult, Error> {
        if self.has_wheelhouse() {
            return Err(Error::user(format!(
                "a lock says where wheels come from, and those of the build context `{WHEELHOUSE}` come from nowhere else; \
                 make the lock without it"
            )));
        }
        update.check(old, specs)?;
        // A part of one that is not as it was written is not built upon.
        let doubts = old.map(Lock::doubts).unwrap_or_default();
        if !doubts.is_empty() {
            return Err(self.sources.report(&doubts));
        }
        let made = specs.iter().map(|(platform, spec)| async {
            let name = locked_name(platform);
            let old = old.and_then(|old| old.platforms.get(&name));
            let locked = self.make_platform(platform, spec, || read(platform), old, update).await?;
            Ok::<_, Error>((name, locked))
        });
        let mut all: BTreeMap<String, PlatformLock> = try_join_all(made).await?.into_iter().collect();
        for (name, locked) in old.into_iter().flat_map(|old| &old.platforms) {
            // Of platforms that are not made now what there is stays.
            all.entry(name.clone()).or_insert_with(|| locked.clone());
        }
        let text = Lock { platforms: all }.to_text();
        let name = lock::file_name(&self.sources.files[0].filename);
        let name = name.rsplit('/').next().unwrap_or_default();
        let file = Mkfile::new(&format!("/{name}"), 0o644, text.into_bytes()).timestamp(0);
        let output =
            File::on(&Output::scratch()).mkfile(file).meta(Meta::named(&format!("write {name}"))).output();
        let reference = self.gateway.solve(&marshal(&output, self.sources)?).await?;
        Ok(BuildResult::single(&self.gateway.build_platform(), reference, None))
    }

    async fn make_platform(
        &self,
        platform: &Platform,
        spec: &Spec,
        read: impl Fn() -> Result<Spec, Error>,
        old: Option<&PlatformLock>,
        update: &Update,
    ) -> Result<PlatformLock, Error> {
        let inputs = self.lock_inputs(spec);
        let moved = old.map(|old| lock::moved(old, &inputs)).unwrap_or_default();
        let kept_base = old.filter(|_| !moved.contains("base") && !update.has("base"));
        let base = self.load_base(spec, platform, kept_base.map(|old| old.base.as_str())).await?;
        if !base.facts.reference.contains('@') {
            return Err(Error::user(format!(
                "{} has no digest, so it cannot be locked",
                base.facts.reference
            )));
        }
        let reference = base.facts.reference.clone();
        let mut locked = PlatformLock { inputs, base: reference, ..PlatformLock::default() };
        if let (Some(old), false) = (old, *update == Update::All) {
            keep(old, Earlier { moved, updated: update.names(), ..Earlier::default() }, &mut locked);
        }
        let archives = match old {
            Some(old) if *update != Update::All => kept_archives(old, spec, &base.facts, &locked.earlier),
            _ => BTreeMap::new(),
        };
        let indexes = self.read_indexes(spec, &base.facts, lock::indexes(&archives)).await?;
        let mut inputs = self.inputs(spec, indexes);
        let (mut known, mut spares) = (BTreeSet::new(), false);
        for _ in 0..MAX_ROUNDS {
            inputs.lock = LockUse::Making(locked.clone());
            let (plan, lowered) = self.plan_with(&inputs, platform, read()?, &base, spares).await?;
            let ready = plan.ready();
            if ready.is_empty() {
                let mut problems = Problems::default();
                plan.problems.iter().for_each(|problem| problems.add(problem.clone()));
                problems.check(Some(())).map_err(|found| self.sources.report(&found))?;
                (locked.sources, locked.archives) = (plan.sources, plan.archives);
                self.verify(&mut locked, &mut known).await?;
                return Ok(locked);
            }
            let answers = ready.iter().map(|pending| self.answer(pending, &plan, &lowered));
            let answers = match try_join_all(answers).await {
                Err(error) => {
                    let error = self.told(error, &plan, spares).await;
                    if spares || !self.can_take_spares(&error, &plan, spec.base.span).await {
                        return Err(error);
                    }
                    spares = true;
                    continue;
                }
                Ok(answers) => answers,
            };
            for (pending, text) in ready.iter().zip(answers) {
                take(&mut locked, pending, &text, self.mirror.as_deref()).map_err(Error::user)?;
            }
            self.verify(&mut locked, &mut known).await?;
        }
        Err(Error::internal("the lock is not done after many rounds"))
    }

    async fn plan_with(
        &self,
        inputs: &Inputs,
        platform: &Platform,
        spec: Spec,
        base: &Base,
        spares: bool,
    ) -> Result<(Plan, Lowered), Error> {
        let node = resolve(spec, base.facts.clone(), inputs).map_err(|found| self.sources.report(&found))?;
        self.warn(&node.warnings).await;
        let mut plan = plan(&node);
        // What archives have today is asked anew each time, whatever an earlier build was told.
        plan.resolve_for(&self.gateway.options().session_id);
        let lowered = self.lower(&plan, base, platform, spares).await?;
        Ok((plan, lowered))
    }

    /// Runs a resolution and gives what it wrote.
    async fn answer(&self, pending: &Pending, plan: &Plan, lowered: &Lowered) -> Result<String, Error> {
        let root = self.gateway.solve(&marshal(&lowered.output(pending.step), self.sources)?).await?;
        let file = match pending.what {
            Unlocked::Packages { .. } => "/packages",
            Unlocked::Wheels | Unlocked::Requires(_) => "/wheels",
        };
        let text = read_text(&self.gateway, &root, file, MAX_RESOLUTION_BYTES).await?;
        self.warn_of_resolution(&root, plan.steps[pending.step.0].span).await?;
        text.ok_or_else(|| Error::internal(format!("a resolution wrote no {file}")))
    }

    /// Downloads what the lock names and is not among the `known`, so that it names nothing that is not there or is
    /// something else.
    async fn verify(
        &self,
        locked: &mut PlatformLock,
        known: &mut BTreeSet<(String, String)>,
    ) -> Result<(), Error> {
        let kept = locked.spares();
        let mut new = |file: &LockedFile| known.insert((file.url.to_string(), file.sha256.to_string()));
        let files: Vec<_> = locked.files_mut().into_iter().filter(|(_, file)| new(file)).collect();
        let checks = files.into_iter().map(|(name, file)| {
            let spare = kept.get(file.url.as_str());
            async move {
                let size = self.size(&name, file, spare).await;
                file.size = Some(size.map_err(|error| format!("  {name} ({}): {error}", file.url))?);
                Ok(())
            }
        });
        let failed: Vec<String> = join_all(checks).await.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let told: Vec<_> = failed.iter().take(MAX_TOLD).cloned().collect();
        Err(Error::user(format!(
            "{} of the files that were resolved are not what their index says; no lock is written:\n{}",
            failed.len(),
            told.join("\n")
        )))
    }

    /// Downloads a file by its digest, from where it is kept if its own address has dropped it, and tells its size. The op
    /// is the one that a build has, which finds it cached.
    async fn size(&self, name: &str, file: &LockedFile, spare: Option<&String>) -> Result<u64, Error> {
        let meta = |url: &str| Meta::named(&format!("[lock] download {name} {url}"));
        let (mirror, url, sha256) = (self.mirror.as_deref(), file.url.as_str(), file.sha256.as_str());
        let own = lower::fetch(mirror, url, sha256, &file.name(), meta(url));
        let error = match self.size_of(&own, file).await {
            Err(error) => self.told_of(error, url).await,
            size => return size,
        };
        match spare.filter(|_| downloads::is_gone(&error)) {
            Some(spare) => {
                let kept = lower::fetch_spare(mirror, spare, sha256, &file.name(), meta(spare));
                self.size_of(&kept, file).await
            }
            None => Err(error),
        }
    }

    async fn size_of(&self, download: &Output, file: &LockedFile) -> Result<u64, Error> {
        let reference: Reference = self.gateway.solve(&marshal(download, self.sources)?).await?;
        self.gateway.file_size(&reference, &file.name()).await
    }
}

/// What the lock calls a platform: for its variants the same packages are taken.
fn locked_name(platform: &Platform) -> String {
    format!("{}/{}", platform.os, platform.architecture)
}

/// Takes over what an older lock has and the spec still wants.
fn keep(old: &PlatformLock, earlier: Earlier, locked: &mut PlatformLock) {
    let versions = |wheels: &BTreeMap<String, LockedWheel>| {
        wheels.iter().map(|(name, wheel)| (name.clone(), wheel.version.clone())).collect()
    };
    let builds = old.builds.iter().map(|(package, wheels)| (package.clone(), versions(wheels)));
    let wheels = old.wheels.as_ref().map(versions).unwrap_or_default();
    let sources = old.sources.keys().cloned().collect();
    locked.earlier = Earlier { wheels, builds: builds.collect(), sources, ..earlier };
    let earlier = &locked.earlier;
    if old.base != locked.base {
        return;
    }
    for (step, packages) in &old.packages {
        let is_kept = match step.as_str() {
            // Which libraries are needed depends on everything that is built, and on what the system has.
            "libraries" => earlier.is_all(),
            step => !earlier.has_moved(step) && !earlier.is_updated(step),
        };
        if is_kept {
            locked.packages.insert(step.clone(), packages.clone());
        }
    }
    if earlier.is_all() {
        locked.wheels.clone_from(&old.wheels);
        locked.vendor.clone_from(&old.vendor);
        locked.builds.clone_from(&old.builds);
    }
}

/// What stays as it is of archives of Debian packages that are not the distribution's: all of an archive, unless
/// something has moved that decides what is taken from it, or newer versions are asked for.
fn kept_archives(
    old: &PlatformLock,
    spec: &Spec,
    facts: &BaseFacts,
    earlier: &Earlier,
) -> BTreeMap<String, LockedArchive> {
    let is_kept = |address: &str, archive: &LockedArchive| {
        let of = |component: &&At<Box<dyn Declared>>| {
            component.value.indexes(facts).iter().any(|index| index.value == address)
        };
        let mut users = spec.components.iter().filter(of).map(|component| component.value.key());
        let mut packages = archive.files.keys();
        !users.any(|user| earlier.has_news_for(user)) && !packages.any(|(name, _)| earlier.is_updated(name))
    };
    let kept = old.archives.iter().filter(|(address, archive)| is_kept(address, archive));
    kept.map(|(address, archive)| (address.clone(), archive.clone())).collect()
}

/// Puts what a resolution found, perhaps on a mirror, into the lock.
fn take(
    locked: &mut PlatformLock,
    pending: &Pending,
    text: &str,
    mirror: Option<&str>,
) -> Result<(), String> {
    match &pending.what {
        Unlocked::Packages { step, asked } => {
            locked.packages.insert(step.clone(), LockedPackages::from_resolution(asked, text)?);
        }
        Unlocked::Wheels => {
            locked.wheels = Some(wheels_from_resolution(text, mirror)?);
            locked.vendor = vendor_from_resolution(text);
        }
        Unlocked::Requires(package) => {
            locked.builds.insert(package.clone(), wheels_from_resolution(text, mirror)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps whose packages stay as they are in the lock.
    fn kept(moved: &[&str], updated: &[&str]) -> Vec<String> {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let packages = LockedPackages::from_resolution(&[], "").expect("valid");
        let steps = ["libraries", "python", "system"].map(|step| (step.to_owned(), packages.clone()));
        let old = PlatformLock { base: "base".to_owned(), packages: steps.into(), ..PlatformLock::default() };
        let mut locked = PlatformLock { base: "base".to_owned(), ..PlatformLock::default() };
        let earlier = Earlier { moved: names(moved), updated: names(updated), ..Earlier::default() };
        keep(&old, earlier, &mut locked);
        locked.packages.into_keys().collect()
    }

    #[test]
    fn what_is_kept_does_not_depend_on_what_is_new() {
        assert_eq!(kept(&[], &[]), ["libraries", "python", "system"]);
        assert_eq!(kept(&["catalog"], &[]), ["python", "system"]);
        assert_eq!(kept(&["system.packages"], &[]), ["python"]);
        assert_eq!(kept(&[], &["system"]), ["python"]);
        // Another numpy may need other libraries.
        assert_eq!(kept(&[], &["numpy"]), ["python", "system"]);
    }

    #[test]
    fn names_of_updates_are_normal_and_known() {
        assert_eq!(Update::read(" , "), Update::All);
        let update = Update::read("PyYAML, ruamel_yaml,");
        assert!(update.has("pyyaml") && update.has("ruamel.yaml") && !update.has("numpy"));
        let sum = "a".repeat(64);
        let wheels =
            wheels_from_resolution(&format!("pyyaml 6.0.3 {sum} - https://example.org/x.whl\n"), None);
        let wheels = Some(wheels.expect("valid"));
        let locked = PlatformLock { wheels, ..PlatformLock::default() };
        let lock = Lock { platforms: [("linux/amd64".to_owned(), locked)].into() };
        let told = |names: &str| match Update::read(names).check(Some(&lock), &[]) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(told("PyYAML,base"), "");
        assert!(told("pyaml").contains("`pyaml` (did you mean `pyyaml`?)"), "{}", told("pyaml"));
    }
}

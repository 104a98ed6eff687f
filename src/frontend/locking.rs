//! The lock of a spec: finding it, holding the spec to it, making it.
//!
//! A lock is made in rounds. What can be resolved is resolved in steps of BuildKit, and what was found is planned with,
//! until nothing is left: compilers are locked first, then what they build, then what was built says which packages of the
//! distribution the system needs. So a build with the lock finds in the cache what making it has built.

use std::collections::{BTreeMap, BTreeSet};

use buildkit_frontend::{BuildContext, BuildResult, Error, Gateway, Reference};
use buildkit_llb::{File, Meta, Mkfile, Output, Platform};
use futures_util::future::{join_all, try_join_all};

use super::args::LOCKED_ARG;
use super::reads::Reads;
use super::{Base, Build, downloads, marshal, read_text};
use crate::components::WHEELHOUSE;
use crate::diagnostic::Problems;
use crate::lock::{
    self, Beside, LOCK_TARGET, Lock, LockUse, LockedFile, LockedPackages, PlatformLock, UPDATE_ARG,
    UPDATE_TARGET, wheels_from_resolution,
};
use crate::lower::{self, Lowered};
use crate::plan::{Pending, Plan, Unlocked, plan};
use crate::resolve::{Inputs, resolve};
use crate::spec::{MAX_BYTES, Node, Spec};

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
    /// What belongs to these: components, steps that install packages, Python packages, `base`.
    Only(BTreeSet<String>),
}

impl Update {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

impl LockWish {
    /// Reads the target and the build arguments.
    pub(super) fn read(gateway: &Gateway) -> Result<Self, Error> {
        let args = &gateway.options().build_args;
        match gateway.options().target.as_deref() {
            Some(LOCK_TARGET) => return Ok(Self::Make(Update::None)),
            Some(UPDATE_TARGET) => {
                let names = args.get(UPDATE_ARG).map_or("", String::as_str).split(',');
                let names: BTreeSet<_> =
                    names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
                return Ok(Self::Make(if names.is_empty() { Update::All } else { Update::Only(names) }));
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

    /// The text of the lock beside the spec; `None` where there is none, or nobody wants it.
    pub(super) async fn read_lock(&self, context: &BuildContext) -> Result<Option<String>, Error> {
        if *self == Self::Ignore {
            return Ok(None);
        }
        let name = lock::file_name(&context.spec().filename);
        let Some(data) = context.beside(&name, MAX_BYTES).await? else { return Ok(None) };
        if data.len() > MAX_BYTES {
            return Err(Error::user(format!("{name} has more than {MAX_BYTES} bytes, which no lock has")));
        }
        let text = String::from_utf8(data);
        text.map(Some).map_err(|_| Error::user(format!("{name} is not a text file (it is not UTF-8)")))
    }
}

impl Build<'_> {
    /// The values that the client gave for the arguments of the spec.
    fn given(&self, spec: &Spec) -> BTreeMap<String, String> {
        let given = &self.gateway.options().build_args;
        let of = |name: &String| given.get(name).map(|value| (name.clone(), value.clone()));
        spec.args.iter().filter_map(|arg| of(&arg.name.value)).collect()
    }

    /// All that decides what a spec is resolved to.
    fn lock_inputs(&self, root: &Node, spec: &Spec) -> BTreeMap<String, String> {
        let Reads { files, wheels } = self.reads.of(spec);
        lock::inputs(root, &Beside { files, wheels, args: self.given(spec) })
    }

    /// Refuses a lock that was made for another spec, and a missing one where it is asked for.
    pub(super) fn check_lock(
        &self,
        wish: &LockWish,
        lock: Option<&Lock>,
        root: &Node,
        spec: &Spec,
    ) -> Result<(), Error> {
        let name = lock::file_name(&self.sources.files[0].filename);
        let Some(lock) = lock else {
            return match wish {
                LockWish::Require => Err(Error::user(format!(
                    "{LOCKED_ARG} asks for a lock, and there is no {name}; make it with `--target {LOCK_TARGET} --output .`"
                ))),
                _ => Ok(()),
            };
        };
        let now = self.lock_inputs(root, spec);
        let mut problems = Problems::default();
        for input in lock::moved(lock, &now) {
            problems.error_with_help(
                lock::place(root, &input),
                format!("`{input}` is not what {name} was made for"),
                format!("make it anew with `--target {LOCK_TARGET} --output .`, or build without it: `--build-arg {LOCKED_ARG}=0`"),
            );
        }
        problems.check(Some(())).map_err(|found| self.sources.report(&found))
    }

    /// What the lock has for a platform.
    pub(super) fn lock_of(&self, lock: Option<&Lock>, platform: &Platform) -> Result<LockUse, Error> {
        let Some(lock) = lock else { return Ok(LockUse::None) };
        let name = platform.to_string();
        match lock.platforms.get(&name) {
            Some(locked) => Ok(LockUse::Fixed(locked.clone())),
            None => {
                let have: Vec<_> = lock.platforms.keys().map(String::as_str).collect();
                Err(Error::user(format!(
                    "{} has nothing for {name}, only for {}; make it with `--target {LOCK_TARGET} --platform {},{name}`",
                    lock::file_name(&self.sources.files[0].filename),
                    have.join(", "),
                    have.join(",")
                )))
            }
        }
    }

    /// Makes the lock for these platforms. What an older one has is kept where the spec has not changed and no update is
    /// asked for.
    pub(super) async fn make_lock(
        &self,
        platforms: &[Platform],
        root: &Node,
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
        let inputs = self.lock_inputs(root, &read(&platforms[0])?);
        let moved = old.map(|old| lock::moved(old, &inputs)).unwrap_or_default();
        let made = platforms.iter().map(|platform| async {
            let old = old.and_then(|old| old.platforms.get(&platform.to_string()));
            let read = || read(platform);
            let locked = self.make_platform(platform, &read, old, &moved, update).await?;
            Ok::<_, Error>((platform.to_string(), locked))
        });
        let mut all: BTreeMap<String, PlatformLock> = try_join_all(made).await?.into_iter().collect();
        if let Some(old) = old.filter(|_| moved.is_empty()) {
            // Of platforms that are not made now what there is stays.
            for (name, locked) in &old.platforms {
                all.entry(name.clone()).or_insert_with(|| locked.clone());
            }
        }
        let text = Lock { inputs, platforms: all }.to_text();
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
        read: &impl Fn() -> Result<Spec, Error>,
        old: Option<&PlatformLock>,
        moved: &[String],
        update: &Update,
    ) -> Result<PlatformLock, Error> {
        let keeps_base = !moved.iter().any(|input| input == "base") && !update.has("base");
        let kept_base = old.filter(|_| keeps_base).map(|old| old.base.as_str());
        let spec = read()?;
        let base = self.load_base(&spec, platform, kept_base).await?;
        if !base.facts.reference.contains('@') {
            return Err(Error::user(format!(
                "{} has no digest, so it cannot be locked",
                base.facts.reference
            )));
        }
        let mut locked = PlatformLock { base: base.facts.reference.clone(), ..PlatformLock::default() };
        if let Some(old) = old {
            keep(old, moved, update, &base.facts.reference, &mut locked);
        }
        let archives = old.filter(|_| moved.is_empty() && *update == Update::None).map(|old| &old.archives);
        let mut inputs = self.inputs(&spec, &base, archives).await?;
        let (mut known, mut spares) = (BTreeSet::new(), false);
        for _ in 0..MAX_ROUNDS {
            inputs.lock = LockUse::Making(locked.clone());
            let (plan, lowered) = self.plan_with(&inputs, platform, read()?, &base, spares).await?;
            let ready = plan.ready();
            if ready.is_empty() {
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

/// Takes over what an older lock has and the spec still wants.
fn keep(old: &PlatformLock, moved: &[String], update: &Update, base: &str, locked: &mut PlatformLock) {
    let wheels = old.wheels.iter().flatten().map(|(name, wheel)| (name, &wheel.version));
    let preferred = wheels.filter(|(name, _)| !update.has(name) && *update != Update::All);
    locked.preferred = preferred.map(|(name, version)| format!("{name}=={version}")).collect();
    if old.base != base {
        return;
    }
    let is_same = moved.is_empty() && *update == Update::None;
    for (step, packages) in &old.packages {
        let is_kept = match step.as_str() {
            // Which libraries are needed depends on everything that is built, and on what the system has.
            "libraries" => is_same,
            step => !moved.iter().any(|input| input.split('.').next() == Some(step)) && !update.has(step),
        };
        if is_kept {
            locked.packages.insert(step.clone(), packages.clone());
        }
    }
    if is_same {
        locked.wheels = old.wheels.clone();
        locked.builds = old.builds.clone();
    }
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
        Unlocked::Wheels => locked.wheels = Some(wheels_from_resolution(text, mirror)?),
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
    fn kept(moved: &[&str], update: &Update) -> Vec<String> {
        let moved: Vec<_> = moved.iter().map(|&input| input.to_owned()).collect();
        let packages = LockedPackages::from_resolution(&[], "").expect("valid");
        let steps = ["libraries", "python", "system"].map(|step| (step.to_owned(), packages.clone()));
        let old = PlatformLock { base: "base".to_owned(), packages: steps.into(), ..PlatformLock::default() };
        let mut locked = PlatformLock::default();
        keep(&old, &moved, update, "base", &mut locked);
        locked.packages.into_keys().collect()
    }

    #[test]
    fn what_is_kept_does_not_depend_on_what_is_new() {
        let only = |name: &str| Update::Only([name.to_owned()].into());
        assert_eq!(kept(&[], &Update::None), ["libraries", "python", "system"]);
        assert_eq!(kept(&["files"], &Update::None), ["python", "system"]);
        assert_eq!(kept(&["system.packages"], &Update::None), ["python"]);
        assert_eq!(kept(&[], &only("system")), ["python"]);
        // Another numpy may need other libraries.
        assert_eq!(kept(&[], &only("numpy")), ["python", "system"]);
        assert!(kept(&[], &Update::All).is_empty());
    }
}

//! The build as BuildKit sees it: spec in, image out. The only async code of this package.

mod args;
mod bundle;
mod devices;
mod downloads;
mod epoch;
mod locking;
mod reads;
mod release;
mod requests;
mod sbom;
mod sources;
mod targets;
mod tests;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use buildkit_frontend::{BuildContext, BuildResult, Error, Frontend, Gateway, Reference};
use buildkit_llb::{Definition, File, Meta, Mkfile, Output, Platform, Source, merge};
use futures_util::future::{try_join, try_join_all};
use serde_json::Value;
use tokio::time::timeout;

use self::args::MERGE_ARG;
#[cfg(feature = "cli")]
pub(crate) use self::args::predefined;
use self::epoch::{EPOCH_KEY, Epoch};
use self::locking::{LockWish, Update};
use self::reads::Reads;
use self::requests::Request;
use self::sources::Sources;
use self::targets::Kind;
use crate::components::{WHEELHOUSE, WheelBranch};
use crate::diagnostic::{self, Diagnostic};
use crate::lint::{CHECK_ARG, CheckOptions, Finding, Severity, lint};
use crate::lock::{self, LockUse};
use crate::lower::{self, Lowered, Target, lower};
use crate::mirror;
use crate::plan::{Plan, StepId, plan};
use crate::report::Report;
use crate::resolve::{self, BaseFacts, Inputs, OsRelease, PackageIndex};
use crate::spec::{At, Healthcheck, MAX_BYTES, Node, Span, Spec, decode_with, to_text};
use crate::suggest::nearest;

/// The frontend.
#[derive(Debug)]
pub struct EdgeNode;

/// What linguist calls the language of a spec.
const LANGUAGE: &str = "YAML";
/// No `os-release` comes near.
const MAX_OS_RELEASE_BYTES: usize = 1 << 16;
/// What is read of a file of the base image that tells what the image has. dpkg's database has about a KiB for each
/// package, of which large images have thousands; BuildKit's messages have 16 MiB.
const MAX_INSPECTED_BYTES: usize = 1 << 23;
/// What package indexes are called when they are read.
const INDEX_FILE: &str = "Packages";
/// NVIDIA's indexes have a few MiB; BuildKit's messages have 16.
const MAX_INDEX_BYTES: usize = 15 << 20;
/// In this time a resolution is read that the builder has in its cache; another one takes seconds.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Findings of the linter that a build shows at most; `--check` shows all.
const MAX_FINDINGS: usize = 10;

impl Frontend for EdgeNode {
    async fn build(&self, gateway: Gateway) -> Result<BuildResult, Error> {
        answer(gateway.clone()).await.map_err(|error| downloads::explain(error, &gateway))
    }
}

/// What the client asks for: an image, another target, or an answer to a question.
async fn answer(gateway: Gateway) -> Result<BuildResult, Error> {
    let request = match &gateway.options().request_id {
        Some(id) => Some(Request::parse(id).ok_or_else(|| Error::unsupported_request(id))?),
        None => None,
    };
    match request {
        Some(Request::Describe) => return Ok(requests::describe()),
        Some(Request::Schema) => return Ok(requests::schema()),
        _ => {}
    }
    let wish = LockWish::read(&gateway)?;
    let loaded = BuildContext::load_with(&gateway, LANGUAGE, MAX_BYTES, |spec| wish.file(spec));
    let (context, lock) = loaded.await?;
    let lock = lock.map(|data| locking::text(data, &context.spec().filename)).transpose()?;
    let (mut sources, root, problems) = Sources::load(&gateway, &context).await?;
    let lock = match (lock.map(|text| sources.add_lock(&text)), &wish) {
        // One that cannot be read, or is not as it was written, is made anew, where not only a part of it is.
        (Some(Err(_)), LockWish::Make(Update::None | Update::All)) => None,
        (Some(Ok(lock)), LockWish::Make(Update::None | Update::All)) if !lock.doubts().is_empty() => None,
        (lock, _) => lock.transpose()?,
    };
    if request.is_none() && gateway.options().target.as_deref() == Some("spec") {
        problems.check(Some(())).map_err(|found| sources.report(&found))?;
        return merged_spec(&gateway, &sources, &root).await;
    }
    let platforms = target_platforms(&gateway);
    let read = |platform: &Platform| {
        let values = args::values(&gateway, platform);
        decode_with(&root, &values, problems.clone()).map_err(|found| sources.report(&found))
    };
    let spec = read(&platforms[0])?;
    let findings = findings(&gateway, &spec, lock.is_some())?;
    let wanted = gateway.options().target.as_deref().unwrap_or("image");
    match request {
        Some(Request::Outline) => return Ok(requests::outline(&spec, wanted, &sources)),
        Some(Request::Targets) => return Ok(requests::targets(&spec, &sources)),
        Some(Request::Lint) => return Ok(requests::check(&findings, &sources)),
        _ => {}
    }
    let target = targets::find(wanted, &spec)?;
    let specs = platforms.iter().map(|platform| Ok((platform.clone(), read(platform)?)));
    let specs = specs.collect::<Result<Vec<_>, Error>>()?;
    let several = platforms.len() > 1;
    let index = wants_index(&gateway, several)?;
    let warned = Mutex::new(Vec::new());
    let mirror = args::mirror(&gateway)?;
    let wants_trace = args::wants_trace(&gateway)?;
    let explain = request == Some(Request::Explain);
    // Questions about a spec without a lock need none of its wheels.
    let with_wheels = request.is_none() || lock.is_some();
    let reads = Reads::load(&gateway, &context, &sources, &specs, with_wheels);
    let (reads, epoch) = try_join(reads, Epoch::read(&gateway, &context)).await?;
    let (gateway, sources) = (gateway.clone(), &sources);
    let build = Build { gateway, context, sources, reads, several, explain, mirror, epoch, warned };
    if let (LockWish::Make(update), None) = (&wish, request) {
        return build.make_lock(&specs, read, lock.as_ref(), update).await;
    }
    let locks = build.locks(&wish, lock.as_ref(), &specs)?;
    let specs = specs.into_iter().map(|(_, spec)| spec);
    let all = platforms.iter().zip(specs).zip(locks);
    if let Some(request) = request {
        let plans = all.map(|((platform, spec), lock)| build.plan(platform, spec, lock));
        return Ok(requests::about(request, &platforms, &try_join_all(plans).await?, sources));
    }
    build.show(&findings).await;
    build.warn(&args::unknown(&build.gateway, &spec)).await;
    build.warn(args::unlimited(&build.gateway, &spec).as_slice()).await;
    build.warn(build.epoch.problem(spec.name.span).as_slice()).await;
    let builds = all.map(|((platform, spec), lock)| build.run(platform, spec, target, lock));
    let result = result(try_join_all(builds).await?, index)?;
    if wants_trace {
        build.warn(&[args::trace(&build.gateway, spec.name.span)]).await;
    }
    Ok(match build.epoch {
        Epoch::OfContext(Some(seconds)) => result.metadata(EPOCH_KEY, seconds.to_string()),
        _ => result,
    })
}

/// What the linter finds, as far as the client wants to know. Findings end the build where the client says so.
fn findings(gateway: &Gateway, spec: &Spec, locked: bool) -> Result<Vec<Finding>, Error> {
    let options = gateway.options().build_args.get(CHECK_ARG).map_or("", String::as_str);
    let options = CheckOptions::parse(options).map_err(Error::user)?;
    let mut findings = lint(spec, locked);
    findings.retain(|finding| options.wants(finding));
    if options.error && gateway.options().request_id.is_none() && CheckOptions::fails(&findings) {
        let words = findings.iter().map(|finding| format!("{} ({})", finding.detail, finding.rule.id));
        return Err(Error::user(format!(
            "the checks found something, and {CHECK_ARG} says that this ends the build: {}",
            words.collect::<Vec<_>>().join("; ")
        )));
    }
    Ok(findings)
}

/// The platforms to build for, each once.
fn target_platforms(gateway: &Gateway) -> Vec<Platform> {
    let mut platforms: Vec<Platform> = Vec::new();
    for platform in &gateway.options().platforms {
        if !platforms.contains(platform) {
            platforms.push(platform.clone());
        }
    }
    if platforms.is_empty() { vec![gateway.build_platform()] } else { platforms }
}

/// Whether the result is an index of images: for several platforms, or where the client asks for one.
fn wants_index(gateway: &Gateway, several: bool) -> Result<bool, Error> {
    let options = gateway.options();
    let asked = options.get("multi-platform").or(options.get("build-arg:BUILDKIT_MULTI_PLATFORM"));
    match asked.unwrap_or_default() {
        "" => Ok(several),
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" if several => Err(Error::user(
            "several platforms make an index, which BUILDKIT_MULTI_PLATFORM says is not wanted",
        )),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        other => Err(Error::user(format!(
            "BUILDKIT_MULTI_PLATFORM is `true` or `false`, not `{}`",
            other.escape_debug()
        ))),
    }
}

/// The merged spec as a file, in which every value says where it comes from.
async fn merged_spec(gateway: &Gateway, sources: &Sources, root: &Node) -> Result<BuildResult, Error> {
    let text = to_text(root, &sources.names());
    let output = text_files("[spec] merge", [("/edgenode.yaml", text)]);
    let reference = gateway.solve(&marshal(&output, sources)?).await?;
    Ok(BuildResult::single(&gateway.build_platform(), reference, None))
}

/// A tree of texts that are known already.
fn text_files<const N: usize>(name: &str, files: [(&str, String); N]) -> Output {
    let op = files.into_iter().fold(File::on(&Output::scratch()), |op, (path, text)| {
        op.mkfile(Mkfile::new(path, 0o644, text.into_bytes()).timestamp(0))
    });
    op.meta(Meta::named(name)).output()
}

fn marshal(output: &Output, sources: &Sources) -> Result<Definition, Error> {
    Definition::marshal(output, &sources.files).map_err(|error| Error::user(error.to_string()))
}

/// The text of a file of a result; `None` where there is no such file.
async fn read_text(
    gateway: &Gateway,
    root: &Reference,
    path: &str,
    limit: usize,
) -> Result<Option<String>, Error> {
    let Some(data) = gateway.read_file_opt(root, path, limit).await? else { return Ok(None) };
    let text = String::from_utf8(data)
        .map_err(|_| Error::user(format!("{path} is not a text file (it is not UTF-8)")))?;
    Ok(Some(text))
}

/// What the builds of a spec for several platforms share.
struct Build<'s> {
    gateway: Gateway,
    context: BuildContext,
    sources: &'s Sources,
    /// What was read of the build context.
    reads: Reads,
    /// Whether there are several, which progress tells apart.
    several: bool,
    /// Whether decisions are explained.
    explain: bool,
    /// Where downloads come from instead of their own addresses.
    mirror: Option<String>,
    /// The time of all that is made.
    epoch: Epoch,
    /// Warnings that were shown for one of the platforms.
    warned: Mutex<Vec<Diagnostic>>,
}

/// What was built for one platform.
struct Built {
    platform: Platform,
    reference: Reference,
    config: Option<Value>,
    /// What the image is called, where the client leaves that to the frontend.
    names: Option<String>,
    /// The list of what is in it, where the client asks for one.
    sbom: Option<Reference>,
}

/// The key of the names. Source: BuildKit's `exporter/containerimage/exptypes`.
const NAMES_KEY: &str = "image.name";

/// All that was built as one result.
fn result(mut built: Vec<Built>, index: bool) -> Result<BuildResult, Error> {
    let names = built.first().and_then(|first| first.names.clone());
    if let Some(other) = built.iter().find(|other| other.names != names) {
        let [a, b] = [&names, &other.names].map(|names| names.clone().unwrap_or_default());
        return Err(Error::user(format!(
            "the platforms of one index have different names: {a} and {b}; build them one by one, or take out of \
             `tag` what differs"
        )));
    }
    let sboms: Vec<_> = built.iter().filter_map(|b| Some((b.platform.clone(), b.sbom.clone()?))).collect();
    let result = if index {
        BuildResult::index(built.into_iter().map(|b| (b.platform, b.reference, b.config)))
    } else {
        let Built { platform, reference, config, .. } = built.remove(0);
        BuildResult::single(&platform, reference, config)
    };
    let result = sboms
        .into_iter()
        .fold(result, |result, (platform, reference)| result.attest(&platform, sbom::attestation(reference)));
    Ok(match names {
        Some(names) => result.metadata(NAMES_KEY, names),
        None => result,
    })
}

impl Build<'_> {
    async fn run(
        &self,
        platform: &Platform,
        spec: Spec,
        target: Kind,
        lock: LockUse,
    ) -> Result<Built, Error> {
        let base = self.load_base(&spec, platform, lock.base()).await?;
        let at = spec.base.span;
        let copied = spec.copied(matches!(target, Kind::Tests | Kind::Report) || spec.require_tests);
        let node = self.resolve(spec, &base, lock).await?;
        self.warn(&node.warnings).await;
        let first = self.checked_plan(&node)?;
        self.show_unused(&first, node.base.span).await;
        let devices = devices::wanted(&first, target);
        devices::check(&self.gateway, self.sources, &devices)?;
        let explained = async |error: Error, spares: bool| {
            devices::explain(self.told(error, &first, spares).await, self.sources, &devices)
        };
        let lowered = self.lower(&first, &base, platform, false).await?;
        let built = match self.resolution(&first, target) {
            Some(resolution) => {
                self.build_resolved(node, &first, resolution, &lowered, &base, platform, target).await
            }
            None => self.build_target(&first, &lowered, &base, platform, target).await,
        };
        let Err(error) = built else { return built };
        reads::require(&self.gateway, &self.context, self.sources, &copied).await?;
        let error = explained(error, false).await;
        if !self.can_take_spares(&error, &first, at).await {
            return Err(error);
        }
        let lowered = self.lower(&first, &base, platform, true).await?;
        match self.build_target(&first, &lowered, &base, platform, target).await {
            Err(error) => Err(explained(error, true).await),
            built => built,
        }
    }

    /// Builds what depends on a resolution of Python requirements, which says how the plan goes on.
    #[expect(clippy::too_many_arguments, reason = "all that a build has")]
    async fn build_resolved(
        &self,
        mut node: resolve::Node,
        first: &Plan,
        resolution: StepId,
        lowered: &Lowered,
        base: &Base,
        platform: &Platform,
        target: Kind,
    ) -> Result<Built, Error> {
        let output = lowered.output(resolution);
        let mut resolved = pin!(self.wheel_branches(&output, first.steps[resolution.0].span));
        let mut whole = async |branches| {
            node.wheel_branches = branches;
            let plan = plan(&node);
            let lowered = self.lower(&plan, base, platform, false).await?;
            self.build_target(&plan, &lowered, base, platform, target).await
        };
        if let Ok(branches) = timeout(AT_ONCE, resolved.as_mut()).await {
            return whole(branches?).await;
        }
        // The rest of the image does not wait for it. Both end together: what nobody waits for is cancelled.
        let whole = async { whole(resolved.await?).await };
        let (built, ()) = try_join(whole, self.run_independent(first, resolution, lowered, target)).await?;
        Ok(built)
    }

    /// The step that resolves the Python requirements, if what is wanted depends on it.
    fn resolution(&self, plan: &Plan, target: Kind) -> Option<StepId> {
        let resolution = plan.release.wheels.as_ref()?.step;
        let wanted = match target {
            // A lock tells the sizes.
            _ if plan.lock.is_some() => false,
            Kind::Image | Kind::Tests | Kind::Report | Kind::Sbom => true,
            Kind::Component => {
                let name = self.gateway.options().target.as_deref().unwrap_or_default();
                let needing = plan.needing(resolution);
                plan.components.iter().any(|component| component.name == name && needing[component.tree.0])
            }
            Kind::Graph | Kind::Spec | Kind::Lock | Kind::Bundle | Kind::Reserved => false,
        };
        wanted.then_some(resolution)
    }

    /// Runs the resolution of the Python requirements, and reads what is parted from their groups. Groups that the client
    /// brings are whole.
    async fn wheel_branches(&self, resolution: &Output, at: Span) -> Result<Vec<WheelBranch>, Error> {
        let root = self.gateway.solve(&marshal(resolution, self.sources)?).await?;
        let list = read_text(&self.gateway, &root, WheelBranch::LIST, MAX_BYTES);
        let (list, ()) = try_join(list, self.warn_of_resolution(&root, at)).await?;
        let mut branches = WheelBranch::parse_list(&list.unwrap_or_default());
        branches.retain(|branch| self.gateway.options().named_contexts().all(|name| name != branch.group));
        Ok(branches)
    }

    /// Shows what a resolution of Python requirements warns of, such as a release that was taken back.
    async fn warn_of_resolution(&self, root: &Reference, span: Span) -> Result<(), Error> {
        let text = read_text(&self.gateway, root, "/warnings", MAX_BYTES).await?.unwrap_or_default();
        let severity = diagnostic::Severity::Warning;
        let found = text.lines().map(str::to_owned);
        let found = found.map(|message| Diagnostic { severity, message, help: None, span });
        self.warn(&found.collect::<Vec<_>>()).await;
        Ok(())
    }

    /// Runs what does not depend on the Python requirements, if the whole image is wanted.
    async fn run_independent(
        &self,
        plan: &Plan,
        resolution: StepId,
        lowered: &Lowered,
        target: Kind,
    ) -> Result<(), Error> {
        if target == Kind::Component {
            return Ok(());
        }
        let needing = plan.needing(resolution);
        let looks = plan.looks.iter().filter(|look| !needing[look.0]);
        // One by one: for a step that joins them BuildKit would ask what is in trees that it needs for nothing else.
        let evaluate = async |look: &StepId| -> Result<(), Error> {
            self.gateway.evaluate(&marshal(&lowered.output(*look), self.sources)?).await?;
            Ok(())
        };
        try_join_all(looks.map(evaluate)).await?;
        Ok(())
    }

    /// Whether the client brings the wheels.
    fn has_wheelhouse(&self) -> bool {
        self.gateway.options().named_contexts().any(|name| name == WHEELHOUSE)
    }

    async fn resolve(&self, spec: Spec, base: &Base, lock: LockUse) -> Result<resolve::Node, Error> {
        let indexes = match lock.archives() {
            Some(archives) => lock::indexes(archives),
            None => self.read_indexes(&spec, &base.facts, BTreeMap::new()).await?,
        };
        let mut inputs = self.inputs(&spec, indexes);
        inputs.lock = lock;
        resolve::resolve(spec, base.facts.clone(), &inputs).map_err(|found| self.sources.report(&found))
    }

    /// What a spec is resolved with, besides these indexes of packages.
    fn inputs(&self, spec: &Spec, indexes: BTreeMap<String, PackageIndex>) -> Inputs {
        let Reads { files, directories, .. } = self.reads.of(spec);
        let build_args = self.gateway.options().build_args.clone();
        let mirror = self.mirror.clone();
        let wheelhouse = self.has_wheelhouse();
        let (lock, explain) = (LockUse::None, self.explain);
        let replaced = self.gateway.options().named_contexts().map(str::to_owned).collect();
        Inputs { files, directories, replaced, build_args, indexes, mirror, wheelhouse, lock, explain }
    }

    /// What would be done, without doing it. Only the base image is looked at.
    async fn plan(&self, platform: &Platform, spec: Spec, lock: LockUse) -> Result<Plan, Error> {
        let base = self.load_base(&spec, platform, lock.base()).await?;
        self.checked_plan(&self.resolve(spec, &base, lock).await?)
    }

    /// The plan of a node, for which the lock has everything.
    fn checked_plan(&self, node: &resolve::Node) -> Result<Plan, Error> {
        let plan = plan(node);
        if plan.problems.is_empty() { Ok(plan) } else { Err(self.sources.report(&plan.problems)) }
    }

    /// The results of steps that the client brings as named build contexts.
    async fn replaced(&self, plan: &Plan, platform: &Platform) -> Result<BTreeMap<StepId, Output>, Error> {
        let mut replaced = BTreeMap::new();
        for (name, step) in plan.replaceable() {
            let at = |error: Error| self.sources.locate(error, plan.steps[step.0].span);
            if let Some(named) = self.context.named(&name, platform).await.map_err(at)? {
                replaced.insert(step, named.output);
            }
        }
        Ok(replaced)
    }

    /// Says which named build contexts are of no use, as a wrong name looks like success.
    async fn show_unused(&self, plan: &Plan, base: Span) {
        let names: Vec<_> =
            plan.replaceable().into_iter().map(|(name, _)| name).chain(["base".to_owned()]).collect();
        for context in self.gateway.options().named_contexts() {
            // Names of images replace the frontend itself, before it starts.
            if names.iter().any(|name| name == context) || context.contains(['/', ':', '.']) {
                continue;
            }
            let hint = match nearest(context, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", names.join(", ")),
            };
            let message = format!("nothing uses the build context `{}`", context.escape_debug());
            let severity = diagnostic::Severity::Warning;
            self.warn(&[Diagnostic { severity, message, help: Some(hint), span: base }]).await;
        }
    }

    /// Shows the findings that a build must not pass over.
    async fn show(&self, findings: &[Finding]) {
        let grave = findings.iter().filter(|finding| finding.rule.severity == Severity::High);
        for finding in grave.take(MAX_FINDINGS) {
            self.sources.warn_of(&self.gateway, finding).await;
        }
    }

    /// Shows the warnings that were not shown for another platform.
    async fn warn(&self, warnings: &[Diagnostic]) {
        for warning in warnings.iter().filter(|warning| self.is_new(warning)) {
            self.sources.warn(&self.gateway, warning).await;
        }
    }

    /// Takes note of a warning; says whether no platform had it before. Texts that name what was read from a base image
    /// differ from platform to platform, so only place and message count.
    fn is_new(&self, warning: &Diagnostic) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let known = warned.iter().any(|have| have.span == warning.span && have.message == warning.message);
        if !known {
            warned.push(warning.clone());
        }
        !known
    }

    /// The package indexes that the spec chooses from. They change without their addresses changing, so they have no
    /// digest; what is taken from them has one.
    async fn read_indexes(
        &self,
        spec: &Spec,
        facts: &BaseFacts,
        mut indexes: BTreeMap<String, PackageIndex>,
    ) -> Result<BTreeMap<String, PackageIndex>, Error> {
        let mut wanted = spec.indexes(facts);
        wanted.retain(|address| !indexes.contains_key(&address.value));
        let read = try_join_all(wanted.iter().map(|address| self.read_index(address))).await?;
        indexes.extend(wanted.into_iter().map(|address| address.value).zip(read));
        Ok(indexes)
    }

    async fn read_index(&self, At { value: address, span }: &At<String>) -> Result<PackageIndex, Error> {
        let at = |error: Error| self.sources.locate(error, *span);
        let meta = Meta::named(&format!("[internal] load {address}")).at(lower::location(*span));
        let from = mirror::address(self.mirror.as_deref(), address);
        let file = Source::http(&from).filename(INDEX_FILE).meta(meta).output();
        let root = self.gateway.solve(&marshal(&file, self.sources)?).await.map_err(at)?;
        let text = read_text(&self.gateway, &root, INDEX_FILE, MAX_INDEX_BYTES).await.map_err(at)?;
        let text = text.unwrap_or_default();
        if text.len() == MAX_INDEX_BYTES {
            let message = format!("{address} has more than {MAX_INDEX_BYTES} bytes, which no index has");
            return Err(at(Error::user(message)));
        }
        Ok(PackageIndex::parse(&text))
    }

    /// Reads the base image: the one that the lock has, or that of the spec.
    async fn load_base(&self, spec: &Spec, platform: &Platform, locked: Option<&str>) -> Result<Base, Error> {
        let gateway = &self.gateway;
        let reference = locked.unwrap_or(spec.base.value.as_str());
        let at = |error: Error| self.sources.locate(error, spec.base.span);
        let (output, reference, config) = match self.context.named("base", platform).await.map_err(at)? {
            Some(named) => {
                let config = named.image.map(|image| image.config).unwrap_or(Value::Null);
                (named.output, "the build context `base`".to_owned(), config)
            }
            None => {
                let log = format!("[internal] load metadata for {reference}");
                let image = gateway.resolve_image_config(reference, platform, &log).await.map_err(at)?;
                let pinned = pin(&image.reference, image.digest.as_deref());
                let meta = Meta::named(&format!("[base] {pinned}")).at(lower::location(spec.base.span));
                (Source::image(&pinned).platform(platform).meta(meta).output(), pinned, image.config)
            }
        };
        let root = gateway.solve(&marshal(&output, self.sources)?).await.map_err(at)?;
        let os_release = gateway.read_file_opt(&root, "/etc/os-release", MAX_OS_RELEASE_BYTES);
        let paths = spec.inspects();
        let files = paths.iter().map(|path| gateway.read_file_opt(&root, path, MAX_INSPECTED_BYTES));
        let (os_release, files) = try_join(os_release, try_join_all(files)).await.map_err(at)?;
        let text = |data: Vec<u8>| String::from_utf8_lossy(&data).into_owned();
        let os_release = text(os_release.unwrap_or_default());
        let files =
            paths.into_iter().zip(files).filter_map(|(path, data)| Some((path, text(data?)))).collect();
        let facts = BaseFacts {
            reference,
            architecture: platform.architecture.clone(),
            os_release: OsRelease::parse(&os_release),
            layers: layers(&config),
            env: environment(&config),
            files,
        };
        Ok(Base { output, facts, config })
    }

    /// Whether a build that failed can go on with packages from where they are kept, as archives have dropped them; then
    /// the user is told.
    async fn can_take_spares(&self, error: &Error, plan: &Plan, span: Span) -> bool {
        if !downloads::is_gone(error) || !plan.has_spares() {
            return false;
        }
        let message =
            "the archives have dropped some packages of the lock; they come from where they are kept";
        let help = Some("`--target update` takes what the archives have today".to_owned());
        let severity = diagnostic::Severity::Warning;
        self.warn(&[Diagnostic { severity, message: message.to_owned(), help, span }]).await;
        true
    }

    /// Lowers the plan for this builder; with `spares` packages that archives may have dropped come from where they are
    /// kept.
    async fn lower(
        &self,
        plan: &Plan,
        base: &Base,
        platform: &Platform,
        spares: bool,
    ) -> Result<Lowered, Error> {
        let options = self.gateway.options();
        let files = match plan.context_paths() {
            Some(paths) => self.context.files(&paths).await?,
            None => Output::scratch(),
        };
        let target = Target {
            name_prefix: if self.several { format!("{platform} ") } else { String::new() },
            can_merge: can_merge(&self.gateway)?,
            run_options: args::run_options(&self.gateway),
            cache_namespace: options.cache_mount_ns.as_deref().unwrap_or_default(),
            no_cache: &options.no_cache,
            replaced: self.replaced(plan, platform).await?,
            can_give_devices: self.gateway.caps().llb(devices::CAP),
            mirror: self.mirror.as_deref(),
            spares,
            ..Target::new(platform, base.output.clone(), files)
        };
        Ok(lower(plan, &target))
    }

    async fn build_target(
        &self,
        plan: &Plan,
        lowered: &Lowered,
        base: &Base,
        platform: &Platform,
        kind: Kind,
    ) -> Result<Built, Error> {
        let output = match kind {
            Kind::Image => {
                self.warn(&plan.warnings).await;
                if plan.require_tests {
                    self.test(plan, lowered, true).await?;
                }
                return self.build_image(plan, lowered, base, platform).await;
            }
            Kind::Tests | Kind::Report => {
                let report = self.test(plan, lowered, kind == Kind::Tests).await?;
                tests::files(self.sources, plan, lowered, &report)
            }
            Kind::Bundle => bundle::bundle(plan, lowered)?,
            Kind::Sbom => self.sbom(plan, lowered, base).await?,
            Kind::Graph => {
                let files = [("/graph.txt", plan.graph_text()), ("/graph.dot", plan.graph_dot())];
                text_files("[graph] write", files)
            }
            _ => {
                let name = self.gateway.options().target.as_deref().unwrap_or_default();
                component(plan, lowered, name, can_merge(&self.gateway)?)?
            }
        };
        let reference = self.result_of(plan, &marshal(&output, self.sources)?).await?;
        Ok(Built { platform: platform.clone(), reference, config: None, names: None, sbom: None })
    }

    /// Hands the last graph of a build over.
    async fn result_of(&self, plan: &Plan, definition: &Definition) -> Result<Reference, Error> {
        // What a server, the builder or the build context refuses is told here, where it can be explained.
        let explains = plan.fetches() || self.mirror.is_some() || plan.context_paths().is_some();
        match explains || !devices::wanted(plan, Kind::Image).is_empty() {
            true => self.gateway.evaluate(definition).await,
            false => self.gateway.solve(definition).await,
        }
    }

    async fn build_image(
        &self,
        plan: &Plan,
        lowered: &Lowered,
        base: &Base,
        platform: &Platform,
    ) -> Result<Built, Error> {
        let definition = marshal(&lowered.output(plan.image), self.sources)?;
        let name = release::name(&self.gateway, self.sources, &plan.release, lowered);
        let (reference, named) = match plan.release.wheels {
            // What was chosen is known only when that step has run, and all others need not wait for it.
            Some(_) => try_join(self.gateway.evaluate(&definition), name).await?,
            None => try_join(self.result_of(plan, &definition), name).await?,
        };
        let sbom = match sbom::is_wanted(self.gateway.options()) {
            true => {
                let files = self.sbom(plan, lowered, base).await?;
                Some(self.gateway.solve(&marshal(&files, self.sources)?).await?)
            }
            false => None,
        };
        let config = image_config(plan, base, self.gateway.options(), platform, named.labels);
        Ok(Built { platform: platform.clone(), reference, config: Some(config), names: named.names, sbom })
    }

    async fn sbom(&self, plan: &Plan, lowered: &Lowered, base: &Base) -> Result<Output, Error> {
        sbom::files(&self.gateway, self.sources, plan, lowered, &base.facts, self.epoch).await
    }

    /// Runs the tests. What was skipped is a warning; what fails is an error, where `required`.
    async fn test<'p>(&self, plan: &'p Plan, lowered: &Lowered, required: bool) -> Result<Report<'p>, Error> {
        let report = tests::run(&self.gateway, self.sources, plan, lowered).await?;
        self.warn(&report.skips()).await;
        match report.failures().as_slice() {
            [_, ..] if required => Err(self.sources.report(&report.failures())),
            _ => Ok(report),
        }
    }
}

/// The base image: where it is in LLB, and what it says about itself.
struct Base {
    output: Output,
    facts: BaseFacts,
    config: Value,
}

/// `name:tag@digest`, so that what was looked at is what is built on. A daemon may know no digest of a local image.
fn pin(reference: &str, digest: Option<&str>) -> String {
    match digest {
        Some(digest) if !digest.is_empty() && !reference.contains('@') => format!("{reference}@{digest}"),
        _ => reference.to_owned(),
    }
}

/// How many layers the image has whose configuration this is.
fn layers(config: &Value) -> usize {
    config.pointer("/rootfs/diff_ids").and_then(Value::as_array).map_or(0, Vec::len)
}

fn environment(config: &Value) -> Vec<(String, String)> {
    let Some(env) = config.pointer("/config/Env").and_then(Value::as_array) else { return Vec::new() };
    env.iter()
        .filter_map(|entry| entry.as_str()?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether trees are merged: `--build-arg EDGENODE_MERGE=false` lays them by copying, for daemons whose merging is at fault.
fn can_merge(gateway: &Gateway) -> Result<bool, Error> {
    match gateway.options().build_args.get(MERGE_ARG).map(String::as_str) {
        None | Some("true" | "1") => Ok(gateway.caps().llb("mergeop")),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(Error::user(format!("{MERGE_ARG} is `true` or `false`, not `{other}`"))),
    }
}

/// A component alone, with the layers that it has in the image where the builder can merge.
fn component(plan: &Plan, lowered: &Lowered, name: &str, can_merge: bool) -> Result<Output, Error> {
    let parts = plan.components.iter().filter(|component| component.belongs_to(name));
    let parts: Vec<_> = parts.map(|part| lowered.output(part.tree)).collect();
    match parts.as_slice() {
        [] => Err(Error::user(format!("`{name}` adds no files to the image"))),
        [whole] => Ok(whole.clone()),
        parts => {
            let lay = if can_merge { merge } else { lower::collect };
            Ok(lay(parts, Meta::named(&format!("[{name}] collect"))))
        }
    }
}

/// A health check as Docker writes it: times in nanoseconds, absent ones left out.
fn healthcheck(check: &Healthcheck) -> Value {
    let mut test = vec!["CMD".to_owned()];
    test.extend(check.run.iter().map(|argument| argument.value.clone()));
    let mut value = serde_json::json!({ "Test": test });
    let times =
        [("Interval", check.interval), ("Timeout", check.timeout), ("StartPeriod", check.start_period)];
    for (key, time) in times {
        if let Some(time) = time {
            value[key] = time.nanoseconds().into();
        }
    }
    if let Some(retries) = check.retries {
        value["Retries"] = retries.into();
    }
    value
}

fn image_config(
    plan: &Plan,
    base: &Base,
    options: &buildkit_frontend::Options,
    platform: &Platform,
    told: Vec<(String, String)>,
) -> Value {
    let settings = &plan.config.settings;
    let texts = |list: &Option<Vec<crate::spec::At<String>>>| -> Option<Vec<String>> {
        list.as_ref().map(|list| list.iter().map(|text| text.value.clone()).collect())
    };
    let mut labels = plan.config.labels.clone();
    labels.extend(told);
    labels.extend(settings.labels.iter().map(|(key, value)| (key.value.clone(), value.value.clone())));
    labels.extend(options.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
    buildkit_frontend::ImageConfig {
        env: plan.config.environment(&base.facts.env),
        labels,
        entrypoint: texts(&settings.entrypoint).or_else(|| plan.config.entrypoint.clone()),
        cmd: texts(&settings.cmd),
        working_dir: settings.workdir.as_ref().map(|dir| dir.to_string()),
        user: settings.user.as_ref().map(|user| user.to_string()),
        volumes: settings.volumes.iter().map(ToString::to_string).collect(),
        exposed_ports: settings.ports.iter().map(ToString::to_string).collect(),
        stop_signal: settings.stop_signal.as_ref().map(ToString::to_string),
        healthcheck: settings.healthcheck.as_ref().map(healthcheck),
    }
    .over(&base.config, platform)
}

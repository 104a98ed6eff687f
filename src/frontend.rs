//! The build as BuildKit sees it: spec in, image out. The only async code of this package.

mod requests;
mod sources;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use buildkit_frontend::{BuildContext, BuildResult, Error, Frontend, Gateway, NoCache, Reference};
use buildkit_llb::{Definition, File, Meta, Mkfile, Output, Platform, Source};
use futures_util::future::{try_join, try_join_all};
use serde_json::Value;

use self::requests::Request;
use self::sources::Sources;
use crate::components::LargeWheel;
use crate::diagnostic::Diagnostic;
use crate::lower::{self, Lowered, Target, lower};
use crate::plan::{Action, Plan, Step, StepId, plan};
use crate::resolve::{BaseFacts, Inputs, OsRelease, resolve};
use crate::spec::{Healthcheck, MAX_BYTES, Node, Spec, decode, to_text};
use crate::suggest::nearest;

/// The frontend.
#[derive(Debug)]
pub struct EdgeNode;

/// What linguist calls the language of a spec.
const LANGUAGE: &str = "YAML";
/// No `os-release` comes near.
const MAX_OS_RELEASE_BYTES: usize = 1 << 16;
/// The build argument that forbids merging.
const MERGE_ARG: &str = "EDGENODE_MERGE";
/// What is read of a file of the base image that tells what the image has.
const MAX_INSPECTED_BYTES: usize = 1 << 16;
/// The target that is the spec itself, with everything it extends merged into it.
const SPEC_TARGET: &str = "spec";

impl Frontend for EdgeNode {
    async fn build(&self, gateway: Gateway) -> Result<BuildResult, Error> {
        let request = match &gateway.options().request_id {
            Some(id) => Some(Request::parse(id).ok_or_else(|| Error::unsupported_request(id))?),
            None => None,
        };
        if request == Some(Request::Describe) {
            return Ok(requests::describe());
        }
        let context = BuildContext::load(&gateway, LANGUAGE, MAX_BYTES).await?;
        let (sources, root, problems) = Sources::load(&gateway, &context).await?;
        if request.is_none() && gateway.options().target.as_deref() == Some(SPEC_TARGET) {
            problems.check(Some(())).map_err(|found| sources.report(&found))?;
            return merged_spec(&gateway, &sources, &root).await;
        }
        let read = || decode(&root, problems.clone()).map_err(|found| sources.report(&found));
        let spec = read()?;
        match request {
            Some(Request::Outline) => Ok(requests::outline(&spec, &sources)),
            Some(Request::Targets) => Ok(requests::targets(&spec, &sources)),
            Some(Request::Lint) => Ok(requests::check(&spec, &sources)),
            Some(Request::Describe) | None => {
                let platforms = target_platforms(&gateway);
                let specs = platforms.iter().map(|_| read()).collect::<Result<Vec<_>, _>>()?;
                let several = platforms.len() > 1;
                let build =
                    Build { gateway, context, sources: &sources, several, warned: Mutex::new(Vec::new()) };
                let builds = platforms.iter().zip(specs).map(|(platform, spec)| build.run(platform, spec));
                let mut built = try_join_all(builds).await?;
                match built.len() {
                    1 => Ok(built.remove(0).into_result()),
                    _ => {
                        Ok(BuildResult::index(built.into_iter().map(|b| (b.platform, b.reference, b.config))))
                    }
                }
            }
        }
    }
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

/// The merged spec as a file, in which every value says where it comes from.
async fn merged_spec(gateway: &Gateway, sources: &Sources, root: &Node) -> Result<BuildResult, Error> {
    let text = to_text(root, &sources.names());
    let file = Mkfile::new("/edgenode.yaml", 0o644, text.into_bytes()).timestamp(0);
    let meta = Meta::named("[spec] merge");
    let output = File::on(&Output::scratch()).mkfile(file).meta(meta).output();
    let reference = gateway.solve(&marshal(&output, sources)?).await?;
    Ok(BuildResult::single(&gateway.build_platform(), reference, None))
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
    /// Whether there are several, which progress tells apart.
    several: bool,
    /// Warnings that were shown for one of the platforms.
    warned: Mutex<Vec<Diagnostic>>,
}

/// When a graph runs.
#[derive(Clone, Copy, Debug)]
enum Solve {
    /// When its result is looked at, by the client at the latest.
    Later,
    /// Before the frontend ends.
    Now,
}

/// What was built for one platform.
struct Built {
    platform: Platform,
    reference: Reference,
    config: Option<Value>,
}

impl Built {
    fn into_result(self) -> BuildResult {
        BuildResult::single(&self.platform, self.reference, self.config)
    }
}

impl Build<'_> {
    async fn run(&self, platform: &Platform, spec: Spec) -> Result<Built, Error> {
        let base = self.load_base(&spec, platform).await?;
        let files = self.read_files(&spec).await?;
        let inputs = Inputs { files, build_args: self.gateway.options().build_args.clone() };
        let mut node =
            resolve(spec, base.facts.clone(), &inputs).map_err(|found| self.sources.report(&found))?;
        for warning in &node.warnings {
            if self.is_new(warning) {
                self.sources.warn(&self.gateway, warning).await;
            }
        }
        let first = plan(&node);
        let Some(resolution) = first.resolution.filter(|_| self.wants_wheels(&first)) else {
            return self.build_target(&first, &base, platform, Solve::Later).await;
        };
        let whole = async {
            node.large_wheels = self.large_wheels(&first, resolution, &base, platform).await?;
            self.build_target(&plan(&node), &base, platform, Solve::Now).await
        };
        // The rest of the image does not wait for the resolution. Both end together: what nobody waits for is cancelled.
        let (built, ()) = try_join(whole, self.run_independent(&first, &base, platform)).await?;
        Ok(built)
    }

    /// Runs what does not depend on the Python requirements, if the whole image is wanted.
    async fn run_independent(&self, plan: &Plan, base: &Base, platform: &Platform) -> Result<(), Error> {
        let wanted = self.gateway.options().target.as_deref().unwrap_or_default();
        if plan.independent.is_empty() || !matches!(wanted, "" | "image" | "test") {
            return Ok(());
        }
        let target = self.target(plan, base, platform).await?;
        let output =
            collect("[internal] look at all components", &plan.independent, &lower(plan, &target), &target);
        self.gateway.solve_now(&marshal(&output, self.sources)?).await?;
        Ok(())
    }

    /// Whether what is wanted has packages of Python in it; all that is no component by itself has.
    fn wants_wheels(&self, plan: &Plan) -> bool {
        let wanted = self.gateway.options().target.as_deref().unwrap_or_default();
        plan.components.iter().find(|component| component.name == wanted).is_none_or(|c| c.is_wheels)
    }

    /// Runs the resolution of the Python requirements and reads which of their wheels are branches of their own.
    async fn large_wheels(
        &self,
        plan: &Plan,
        resolution: StepId,
        base: &Base,
        platform: &Platform,
    ) -> Result<Vec<LargeWheel>, Error> {
        let lowered = lower(plan, &self.target(plan, base, platform).await?);
        let output = lowered.output(resolution);
        let root = self.gateway.solve(&marshal(&output, self.sources)?).await?;
        let list = read_text(&self.gateway, &root, LargeWheel::LIST, MAX_BYTES).await?;
        Ok(LargeWheel::parse_list(&list.unwrap_or_default()))
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

    /// The texts of the files of the build context that the spec reads. Those that are not there are left out.
    async fn read_files(&self, spec: &Spec) -> Result<BTreeMap<String, String>, Error> {
        let paths = spec.reads();
        let mut texts = BTreeMap::new();
        if paths.is_empty() {
            return Ok(texts);
        }
        let names: Vec<String> = paths.iter().map(ToString::to_string).collect();
        let files = self.context.files(&names).await?;
        let root = self.gateway.solve(&marshal(&files, self.sources)?).await?;
        for path in paths {
            let name = path.to_string();
            let text = read_text(&self.gateway, &root, &name, MAX_BYTES).await;
            if let Some(text) = text.map_err(|error| self.sources.locate(error, path.span))? {
                texts.insert(name, text);
            }
        }
        Ok(texts)
    }

    async fn load_base(&self, spec: &Spec, platform: &Platform) -> Result<Base, Error> {
        let gateway = &self.gateway;
        let reference = spec.base.value.as_str();
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
        let os_release =
            gateway.read_file_opt(&root, "/etc/os-release", MAX_OS_RELEASE_BYTES).await.map_err(at)?;
        let os_release = String::from_utf8_lossy(&os_release.unwrap_or_default()).into_owned();
        let mut files = BTreeMap::new();
        for path in spec.inspects() {
            let data = gateway.read_file_opt(&root, &path, MAX_INSPECTED_BYTES).await.map_err(at)?;
            files.extend(data.map(|data| (path, String::from_utf8_lossy(&data).into_owned())));
        }
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

    /// What a plan is lowered for.
    async fn target<'t>(
        &'t self,
        plan: &Plan,
        base: &Base,
        platform: &'t Platform,
    ) -> Result<Target<'t>, Error> {
        let options = self.gateway.options();
        let files = match plan.context_paths() {
            Some(paths) => self.context.files(&paths).await?,
            None => Output::scratch(),
        };
        Ok(Target {
            platform,
            name_prefix: if self.several { format!("{platform} ") } else { String::new() },
            base: base.output.clone(),
            context: files,
            can_merge: self.gateway.caps().llb("mergeop") && merge_wanted(&self.gateway)?,
            run_options: options.run.clone(),
            cache_namespace: options.cache_mount_ns.as_deref().unwrap_or_default(),
            no_cache: options.no_cache == NoCache::All,
        })
    }

    async fn build_target(
        &self,
        plan: &Plan,
        base: &Base,
        platform: &Platform,
        solve: Solve,
    ) -> Result<Built, Error> {
        let options = self.gateway.options();
        let target = self.target(plan, base, platform).await?;
        let lowered = lower(plan, &target);
        let wanted = options.target.as_deref().unwrap_or_default();
        let (output, config) = match wanted {
            "" | "image" => (lowered.output(plan.image), Some(image_config(plan, base, options, platform))),
            "test" => (collect("[test] collect reports", &plan.tests, &lowered, &target), None),
            name => (component(plan, &lowered, &target, name)?, None),
        };
        let definition = marshal(&output, self.sources)?;
        let reference = match solve {
            Solve::Later => self.gateway.solve(&definition).await?,
            Solve::Now => self.gateway.solve_now(&definition).await?,
        };
        Ok(Built { platform: platform.clone(), reference, config })
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

/// `--build-arg EDGENODE_MERGE=false` lays trees by copying, for daemons whose merging is at fault.
fn merge_wanted(gateway: &Gateway) -> Result<bool, Error> {
    match gateway.options().build_args.get(MERGE_ARG).map(String::as_str) {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(Error::user(format!("{MERGE_ARG} is `true` or `false`, not `{other}`"))),
    }
}

/// The results of several steps side by side; nothing when there are none.
fn collect(name: &str, steps: &[StepId], lowered: &Lowered, target: &Target<'_>) -> Output {
    let collect = Step {
        name: name.to_owned(),
        span: crate::spec::Span::default(),
        action: Action::Collect(steps.to_vec()),
    };
    lower::lower_step(&collect, lowered, target)
}

fn component(plan: &Plan, lowered: &Lowered, target: &Target<'_>, name: &str) -> Result<Output, Error> {
    let parts = plan.components.iter().filter(|c| c.name == name || c.part_of.as_deref() == Some(name));
    match parts.map(|part| part.tree).collect::<Vec<_>>().as_slice() {
        [] => {}
        [tree] => return Ok(lowered.output(*tree)),
        trees => return Ok(collect(&format!("[{name}] collect"), trees, lowered, target)),
    }
    let mut names = vec!["image", SPEC_TARGET, "test"];
    let whole = plan.components.iter().filter(|component| component.part_of.is_none());
    names.extend(whole.map(|component| component.name.as_str()));
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name one of them".to_owned(),
    };
    Err(Error::user(format!("there is no target `{name}`; there are {}; {hint}", crate::spec::list(&names))))
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
) -> Value {
    let settings = &plan.config.settings;
    let texts = |list: &Option<Vec<crate::spec::At<String>>>| -> Option<Vec<String>> {
        list.as_ref().map(|list| list.iter().map(|text| text.value.clone()).collect())
    };
    let mut labels = plan.config.labels.clone();
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

//! The build as BuildKit sees it: spec in, image out. The only async code of this package.

use buildkit_frontend::{BuildContext, BuildResult, Error, Frontend, Gateway, NoCache, SpecFile, Warning};
use buildkit_llb::{Definition, Meta, Output, Platform, Range, Source};
use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::lower::{self, Lowered, Target, lower};
use crate::plan::{Action, Plan, Step, plan};
use crate::resolve::{BaseFacts, OsRelease, resolve};
use crate::spec::{MAX_BYTES, Spec, parse};
use crate::suggest::nearest;

/// The frontend.
#[derive(Debug)]
pub struct EdgeNode;

/// What linguist calls the language of a spec.
const LANGUAGE: &str = "YAML";
/// No `os-release` comes near.
const MAX_OS_RELEASE_BYTES: usize = 1 << 16;

impl Frontend for EdgeNode {
    async fn build(&self, gateway: Gateway) -> Result<BuildResult, Error> {
        if let Some(request) = &gateway.options().request_id {
            return Err(Error::unsupported_request(request));
        }
        let context = BuildContext::load(&gateway, LANGUAGE, MAX_BYTES).await?;
        let file = context.spec();
        let text = std::str::from_utf8(&file.data)
            .map_err(|_| Error::user(format!("{} is not a text file (it is not UTF-8)", file.filename)))?;
        let spec = parse(text).map_err(|found| report(file, &found))?;
        let platform = target_platform(&gateway)?;
        let base = Base::load(&gateway, &context, &spec, &platform).await?;
        let node = resolve(spec, base.facts.clone()).map_err(|found| report(file, &found))?;
        for warning in &node.warnings {
            warn(&gateway, file, warning).await;
        }
        let plan = plan(node);
        build_target(&gateway, file, &plan, &base, &platform).await
    }
}

fn target_platform(gateway: &Gateway) -> Result<Platform, Error> {
    match gateway.options().platforms.as_slice() {
        [] => Ok(gateway.build_platform()),
        [platform] => Ok(platform.clone()),
        many => Err(Error::user(format!("one platform at a time is supported so far, not {}", many.len()))),
    }
}

/// The base image: where it is in LLB, and what it says about itself.
struct Base {
    output: Output,
    facts: BaseFacts,
    config: Value,
}

impl Base {
    async fn load(
        gateway: &Gateway,
        context: &BuildContext,
        spec: &Spec,
        platform: &Platform,
    ) -> Result<Self, Error> {
        let reference = spec.base.value.as_str();
        let at = |error: Error| locate(error, context.spec(), spec.base.span);
        let (output, reference, config) = match context.named("base", platform).await.map_err(at)? {
            Some(named) => {
                let config = named.image.map(|image| image.config).unwrap_or(Value::Null);
                (named.output, "the build context `base`".to_owned(), config)
            }
            None => {
                let log = format!("[internal] load metadata for {reference}");
                let image = gateway.resolve_image_config(reference, platform, &log).await.map_err(at)?;
                let pinned = pin(&image.reference, image.digest.as_deref());
                let meta = Meta::named(&format!("[base] {pinned}"))
                    .at(buildkit_llb::Location { source: 0, ranges: vec![lower::range(spec.base.span)] });
                (Source::image(&pinned).platform(platform).meta(meta).output(), pinned, image.config)
            }
        };
        let definition = marshal(&output, context.spec())?;
        let root = gateway.solve(&definition).await.map_err(at)?;
        let os_release =
            gateway.read_file_opt(&root, "/etc/os-release", MAX_OS_RELEASE_BYTES).await.map_err(at)?;
        let os_release = String::from_utf8_lossy(&os_release.unwrap_or_default()).into_owned();
        let facts = BaseFacts {
            reference,
            architecture: platform.architecture.clone(),
            os_release: OsRelease::parse(&os_release),
            env: environment(&config),
        };
        Ok(Self { output, facts, config })
    }
}

/// `name:tag@digest`, so that what was looked at is what is built on. A daemon may know no digest of a local image.
fn pin(reference: &str, digest: Option<&str>) -> String {
    match digest {
        Some(digest) if !digest.is_empty() && !reference.contains('@') => format!("{reference}@{digest}"),
        _ => reference.to_owned(),
    }
}

fn environment(config: &Value) -> Vec<(String, String)> {
    let Some(env) = config.pointer("/config/Env").and_then(Value::as_array) else { return Vec::new() };
    env.iter()
        .filter_map(|entry| entry.as_str()?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

async fn build_target(
    gateway: &Gateway,
    file: &SpecFile,
    plan: &Plan,
    base: &Base,
    platform: &Platform,
) -> Result<BuildResult, Error> {
    let options = gateway.options();
    let target = Target {
        platform,
        base: base.output.clone(),
        can_merge: gateway.caps().llb("mergeop") && merge_wanted(gateway)?,
        cache_namespace: options.cache_mount_ns.as_deref().unwrap_or_default(),
        no_cache: options.no_cache == NoCache::All,
    };
    let lowered = lower(plan, &target);
    let wanted = options.target.as_deref().unwrap_or_default();
    let (output, config) = match wanted {
        "" | "image" => (lowered.output(plan.image), Some(image_config(plan, base, options, platform))),
        "test" => (reports(plan, &lowered, &target), None),
        name => (component(plan, &lowered, name)?, None),
    };
    let definition = marshal(&output, file)?;
    let reference = gateway.solve(&definition).await?;
    Ok(BuildResult::single(platform, reference, config))
}

/// `--build-arg EDGENODE_MERGE=false` lays trees by copying, for daemons whose merging is at fault.
fn merge_wanted(gateway: &Gateway) -> Result<bool, Error> {
    match gateway.options().build_args.get("EDGENODE_MERGE").map(String::as_str) {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(Error::user(format!("EDGENODE_MERGE is `true` or `false`, not `{other}`"))),
    }
}

/// The reports of all tests side by side; nothing when there are no tests.
fn reports(plan: &Plan, lowered: &Lowered, target: &Target<'_>) -> Output {
    let collect = Step {
        name: "[test] collect reports".to_owned(),
        span: crate::spec::Span::default(),
        action: Action::Collect(plan.tests.clone()),
    };
    lower::lower_step(&collect, lowered, target)
}

fn component(plan: &Plan, lowered: &Lowered, name: &str) -> Result<Output, Error> {
    if let Some(component) = plan.components.iter().find(|component| component.name == name) {
        return Ok(lowered.output(component.tree));
    }
    let mut names = vec!["image", "test"];
    names.extend(plan.components.iter().map(|component| component.name.as_str()));
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name one of them".to_owned(),
    };
    Err(Error::user(format!("there is no target `{name}`; there are {}; {hint}", crate::spec::list(&names))))
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
        entrypoint: texts(&settings.entrypoint),
        cmd: texts(&settings.cmd),
        working_dir: settings.workdir.as_ref().map(|dir| dir.to_string()),
        user: settings.user.as_ref().map(|user| user.to_string()),
    }
    .over(&base.config, platform)
}

fn marshal(output: &Output, file: &SpecFile) -> Result<Definition, Error> {
    Definition::marshal(output, &[file.source_file()]).map_err(|error| Error::user(error.to_string()))
}

/// Snippets that a client shows at most; each carries the whole file, and a message has 16 MiB.
const MAX_SNIPPETS: usize = 5;
/// Findings that a message lists at most.
const MAX_LISTED: usize = 50;

/// All findings as one error, each with its snippet of the spec.
fn report(file: &SpecFile, found: &[Diagnostic]) -> Error {
    let name = &file.filename;
    let mut lines: Vec<_> =
        found.iter().take(MAX_LISTED).map(|found| format!("  {name}:{}", found.line())).collect();
    if found.len() > MAX_LISTED {
        lines.push(format!("  and {} more", found.len() - MAX_LISTED));
    }
    let message = match lines.as_slice() {
        [one] => one.trim_start().to_owned(),
        many => format!("{} problems in {name}:\n{}", found.len(), many.join("\n")),
    };
    snippets(found)
        .into_iter()
        .take(MAX_SNIPPETS)
        .fold(Error::user(message), |error, ranges| error.with_source(&file.source_file(), ranges))
}

/// The places of the findings. Those that are near each other share a snippet, as clients show every line in between.
fn snippets(found: &[Diagnostic]) -> Vec<Vec<Range>> {
    let mut snippets: Vec<Vec<Range>> = Vec::new();
    let mut last_line = 0;
    for Diagnostic { span, .. } in found {
        match snippets.last_mut() {
            Some(ranges) if span.start.0 <= last_line + 4 => ranges.push(lower::range(*span)),
            _ => snippets.push(vec![lower::range(*span)]),
        }
        last_line = span.start.0;
    }
    snippets
}

/// Shows the line of the spec that an error comes from, unless it already has one.
fn locate(error: Error, file: &SpecFile, span: crate::spec::Span) -> Error {
    if error.has_source() {
        return error;
    }
    error.with_source(&file.source_file(), vec![lower::range(span)])
}

async fn warn(gateway: &Gateway, file: &SpecFile, found: &Diagnostic) {
    let warning = Warning {
        digest: file.digest.clone(),
        short: format!("{} (line {})", found.message, found.span.start.0),
        detail: found.help.iter().cloned().collect(),
        url: String::new(),
        source: Some(file.source_file()),
        ranges: vec![lower::range(found.span)],
    };
    gateway.warn(warning).await;
}

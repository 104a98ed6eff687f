//! `Plan` + platform + capabilities → LLB. Knows nothing of the spec language.

use std::collections::BTreeMap;

use buildkit_frontend::{NoCache, RunOptions};
use buildkit_llb::{
    Copy, Exec, File, Location, Meta, Mkdir, Mkfile, Mount, Output, Platform, Position, Range, Security,
    Sharing, Source, merge,
};

use crate::mirror;
use crate::plan::{Action, Part, Plan, Run, RunResult, SSH_SOCKET, Step, StepId, TextFile};
use crate::spec::Span;

/// What differs from builder to builder, and from call to call.
#[derive(Debug)]
pub struct Target<'a> {
    /// What the image is built for.
    pub platform: &'a Platform,
    /// What the names of steps begin with, where several platforms are built at once.
    pub name_prefix: String,
    /// The base image.
    pub base: Output,
    /// The files of the build context that the plan asks for.
    pub context: Output,
    /// Whether the daemon can merge trees; else they are copied, which gives the same files in more layers.
    pub can_merge: bool,
    /// What the client asks for the containers of steps.
    pub run_options: RunOptions,
    /// Namespace of cache mounts (`BUILDKIT_CACHE_MOUNT_NS`); empty for none.
    pub cache_namespace: &'a str,
    /// Which steps run again.
    pub no_cache: &'a NoCache,
    /// Steps whose results the client brings; nothing that only they need is done.
    pub replaced: BTreeMap<StepId, Output>,
    /// Whether the builder can give steps its devices.
    pub can_give_devices: bool,
    /// The mirror that downloads come from.
    pub mirror: Option<&'a str>,
    /// Whether what may be gone where it was comes from where it is kept.
    pub spares: bool,
}

impl<'a> Target<'a> {
    /// A builder that can do everything, and a client that asks for nothing besides.
    pub fn new(platform: &'a Platform, base: Output, context: Output) -> Self {
        Self {
            platform,
            name_prefix: String::new(),
            base,
            context,
            can_merge: true,
            run_options: RunOptions::default(),
            cache_namespace: "",
            no_cache: &NoCache::None,
            replaced: BTreeMap::new(),
            can_give_devices: true,
            mirror: None,
            spares: false,
        }
    }
}

/// The outputs of a lowered plan.
#[derive(Debug)]
pub struct Lowered {
    /// One output for each step of the plan.
    outputs: Vec<Output>,
}

impl Lowered {
    /// The result of a step.
    pub fn output(&self, step: StepId) -> Output {
        self.outputs[step.0].clone()
    }
}

/// Lowers every step of a plan.
pub fn lower(plan: &Plan, target: &Target<'_>) -> Lowered {
    let mut lowered = Lowered { outputs: Vec::with_capacity(plan.steps.len()) };
    for (number, step) in plan.steps.iter().enumerate() {
        let output = match target.replaced.get(&StepId(number)) {
            Some(output) => output.clone(),
            None => lower_step(plan, step, &lowered, target),
        };
        lowered.outputs.push(output);
    }
    lowered
}

/// Lowers one step whose inputs are done.
fn lower_step(plan: &Plan, step: &Step, done: &Lowered, target: &Target<'_>) -> Output {
    let meta = meta(step, target);
    match &step.action {
        Action::Base => target.base.clone(),
        Action::Fetch { url, spare, sha256, file_name } => match spare.as_ref().filter(|_| target.spares) {
            Some(spare) => fetch_spare(target.mirror, spare, sha256, file_name, meta),
            None => fetch(target.mirror, url, sha256, file_name, meta),
        },
        Action::Unpack { archive, file_name } => {
            let from = done.output(*archive);
            let copy = Copy::new(&from, format!("/{file_name}"), "/").unpack().create_dest_path();
            File::on(&Output::scratch()).copy(copy).meta(meta).output()
        }
        Action::Checkout { repository, commit } => {
            let (_, place) = repository.split_once("://").unwrap_or(("", repository));
            Source::git(&format!("{place}#{commit}"), repository).meta(meta).output()
        }
        Action::Files(files) => lower_files(files, meta),
        Action::Context(_) => target.context.clone(),
        Action::Place { from, parts } => place(&done.output(*from), parts, meta),
        Action::Run(run) => lower_run(run, done, target, meta),
        Action::Assemble { root, trees } => {
            let mut trees = trees.clone();
            if !target.can_merge {
                trees.sort_by_cached_key(|tree| copied_after(plan, *tree));
            }
            let trees: Vec<_> = trees.iter().map(|tree| done.output(*tree)).collect();
            assemble(done.output(*root), &trees, target, meta)
        }
        Action::Collect(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| done.output(*part)).collect();
            collect(&parts, meta)
        }
        // What the client brings is among what is replaced.
        Action::Named(_) | Action::Unresolved => Output::scratch(),
    }
}

/// A download from the mirror, if there is one, or from its own address.
pub fn fetch(mirror: Option<&str>, url: &str, sha256: &str, file_name: &str, meta: Meta) -> Output {
    download(mirror, url, sha256, file_name).meta(meta).output()
}

/// The same from where a file is kept that its own address has dropped. BuildKit takes downloads of one digest for the
/// same, and what failed for failed: the permissions, which are those that files have anyway, tell this one apart.
pub fn fetch_spare(mirror: Option<&str>, url: &str, sha256: &str, file_name: &str, meta: Meta) -> Output {
    download(mirror, url, sha256, file_name).perm(0o600).meta(meta).output()
}

fn download(mirror: Option<&str>, url: &str, sha256: &str, file_name: &str) -> Source {
    let source = Source::http(&mirror::address(mirror, url)).checksum(&format!("sha256:{sha256}"));
    source.filename(file_name)
}

fn meta(step: &Step, target: &Target<'_>) -> Meta {
    // Downloads and small files are the same for all platforms.
    let prefix = match step.action {
        Action::Run(_) | Action::Assemble { .. } => target.name_prefix.as_str(),
        _ => "",
    };
    // What a builder without a GPU skipped says nothing of a builder that has one.
    let again = runs_again(step, target.no_cache)
        || matches!(&step.action, Action::Run(run) if run.devices.iter().any(|device| device.optional));
    let meta = Meta::named(&format!("{prefix}{}", step.name)).ignore_cache(again);
    if step.span == Span::default() { meta } else { meta.at(location(step.span)) }
}

/// Whether the client wants a step to run again, though its result is known. It names components, commands, `system`, …
fn runs_again(step: &Step, no_cache: &NoCache) -> bool {
    match no_cache {
        NoCache::None => false,
        NoCache::All => true,
        NoCache::Only(names) => names.iter().any(|name| step.answers_to(name)),
    }
}

/// The source files are those of the spec, in the order of their numbers.
pub fn location(span: Span) -> Location {
    Location { source: usize::from(span.file), ranges: vec![range(span)] }
}

/// A span as BuildKit writes it.
pub fn range(span: Span) -> Range {
    let position = |(line, character)| Position { line, character };
    Range { start: position(span.start), end: position(span.end) }
}

fn lower_files(files: &[TextFile], meta: Meta) -> Output {
    let mut op = File::on(&Output::scratch());
    let mut parents: Vec<&str> =
        files.iter().filter_map(|file| Some(file.path.rsplit_once('/')?.0)).collect();
    parents.sort_unstable();
    parents.dedup();
    for parent in parents.into_iter().filter(|parent| !parent.is_empty()) {
        op = op.mkdir(Mkdir::new(parent, 0o755).parents().timestamp(0));
    }
    for file in files {
        // A fixed time keeps the bytes of the layer the same on every builder.
        let data = file.text.clone().into_bytes();
        op = op.mkfile(Mkfile::new(&file.path, file.mode, data).timestamp(0));
    }
    op.meta(meta).output()
}

fn place(from: &Output, parts: &[Part], meta: Meta) -> Output {
    let mut op = File::on(&Output::scratch());
    for part in parts {
        let path = if part.optional { pattern(&part.from) } else { part.from.clone() };
        let copy = Copy::new(from, &path, &part.to).create_dest_path();
        let copy = if part.directory { copy.dir_contents() } else { copy };
        let copy = if part.optional { copy.wildcard(true) } else { copy };
        op = op.copy(match part.mode {
            Some(mode) => copy.mode(mode),
            None => copy,
        });
    }
    op.meta(meta).output()
}

/// A pattern that only this path matches: BuildKit takes for one, which may match nothing, just what has a wildcard.
fn pattern(path: &str) -> String {
    match path.char_indices().next_back() {
        Some((end, last)) => format!("{}[{last}]", &path[..end]),
        None => String::new(),
    }
}

fn lower_run(run: &Run, done: &Lowered, target: &Target<'_>, meta: Meta) -> Output {
    let mut exec = Exec::new(run.argv.clone())
        .cwd(&run.cwd)
        .platform(target.platform)
        .mount(Mount::bind("/", &done.output(run.root)));
    exec = target.run_options.apply(exec, run.network);
    if !run.user.is_empty() {
        exec = exec.user(&run.user);
    }
    for device in run.devices.iter().filter(|device| target.can_give_devices || !device.optional) {
        exec = exec.device(&device.name, device.optional);
    }
    if run.privileged {
        exec = exec.security(Security::Insecure);
    }
    let mut env = run.env.clone();
    env.sort();
    for (name, value) in &env {
        exec = exec.env(name, value);
    }
    for mount in &run.mounts {
        let bind = Mount::bind(&mount.at, &done.output(mount.from)).readonly();
        exec = exec.mount(if mount.part == "/" { bind } else { bind.selector(&mount.part) });
    }
    for cache in &run.caches {
        let id = match target.cache_namespace {
            "" => cache.id.clone(),
            namespace => format!("{namespace}/{}", cache.id),
        };
        exec = exec.mount(Mount::cache(&cache.at, &id, Sharing::Shared));
    }
    for secret in &run.secrets {
        exec = exec.mount(Mount::secret(&secret.at, &secret.id, secret.optional));
    }
    if let Some(agent) = &run.agent {
        exec = exec.mount(Mount::ssh(SSH_SOCKET, &agent.id, agent.optional));
    }
    for directory in &run.scratch {
        exec = exec.mount(Mount::scratch(directory).no_output());
    }
    if let RunResult::Directory(directory) = &run.result {
        exec = exec.mount(Mount::scratch(directory));
        let outputs = exec.meta(meta).run();
        return outputs.mount(directory).unwrap_or_else(Output::scratch);
    }
    exec.meta(meta).run().root()
}

/// In which order trees are copied over one another: what is small on all other components, and on them what is made of
/// the whole.
fn copied_after(plan: &Plan, tree: StepId) -> u8 {
    match plan.components.iter().find(|component| component.tree == tree) {
        Some(component) => u8::from(component.small),
        None => 2,
    }
}

fn assemble(root: Output, trees: &[Output], target: &Target<'_>, meta: Meta) -> Output {
    if target.can_merge {
        let mut inputs = vec![root];
        inputs.extend_from_slice(trees);
        return merge(&inputs, meta);
    }
    trees.iter().fold(root, |below, tree| {
        let copy = Copy::new(tree, "/", "/").dir_contents().create_dest_path();
        File::on(&below).copy(copy).meta(meta.clone()).output()
    })
}

/// Puts the files of several results side by side.
pub fn collect(parts: &[Output], meta: Meta) -> Output {
    let mut op = File::on(&Output::scratch());
    for part in parts {
        op = op.copy(Copy::new(part, "/", "/").dir_contents().create_dest_path());
    }
    op.meta(meta).output()
}

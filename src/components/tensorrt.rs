//! `tensorrt:` TensorRT's libraries and Python bindings, of one release by construction, for the CUDA release of the image.
//!
//! The libraries come from NVIDIA's wheels, or with `provider: apt` from its archive of Debian packages, together with
//! `trtexec`; with `tensorrt: vendor` they are those that the base image has.

use super::debs::{Debs, Wanted};
use super::vendor::VendorTensorRt;
use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{
    Alternative, Component, Declared, PythonHome, Registration, is_vendor, nvidia, torch, wish_or_vendor,
};
use crate::catalog::{Capability, TensorRtRelease, compare};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::{Planner, Provided, TextFile};
use crate::resolve::{BaseFacts, Context};
use crate::spec::{At, Fields, Node, Span, Url, Value, Version, Wish, checked, checked_version, text};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "tensorrt", decode };

/// Where NVIDIA publishes the libraries; the public index has only stubs of them.
const INDEX: &str = "https://pypi.nvidia.com/";

/// What is installed in the component's group.
const PACKAGES: [&str; 1] = ["tensorrt-*"];
/// What the bindings are called that a lock may have.
const BINDINGS: [&str; 5] = [
    "tensorrt-cu11-bindings",
    "tensorrt-cu12-bindings",
    "tensorrt-cu13-bindings",
    "tensorrt-bindings",
    "tensorrt",
];

/// The bindings' module has another name. NVIDIA's package of this name is not published as a wheel.
const MODULE: &str = "\"\"\"TensorRT by the name that programs import.\"\"\"\n\nfrom tensorrt_bindings import *\n\
                      from tensorrt_bindings import __version__\n";

/// Where that module lies.
fn module(python: &PythonHome) -> String {
    format!("{}/tensorrt/__init__.py", python.site())
}

/// Where `trtexec` lies in NVIDIA's package.
const PROGRAMS: &str = "/usr/src/tensorrt/bin";

#[derive(Clone, Debug)]
struct TensorRtSpec {
    version: At<Wish>,
    provider: Provider,
}

/// Where the libraries come from.
#[derive(Clone, Debug)]
enum Provider {
    /// NVIDIA's wheels, from another index than its own if the spec says so.
    Wheels { index: Option<At<Url>> },
    /// NVIDIA's Debian packages, from another archive than its own if the spec says so.
    Apt { repository: Option<At<Url>> },
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if is_vendor(node) {
        return Some(Box::new(VendorTensorRt));
    }
    if let Value::Scalar(_) = &node.value {
        let version = wish_or_vendor("a version", node, problems)?;
        return Some(Box::new(TensorRtSpec { version, provider: Provider::Wheels { index: None } }));
    }
    let mut fields = Fields::open("`tensorrt`", node, problems)?;
    let version = fields.require("version", "10.13.3.9", problems);
    let version = version.and_then(|n| checked_version(n, problems, Wish::parse));
    let provider = match fields.take("provider") {
        Some(node) => provider(node, problems)?,
        None => WHEELS,
    };
    let mut url = |key| fields.take(key).and_then(|n| checked("an address", n, problems, Url::parse));
    let provider = match provider {
        APT => Provider::Apt { repository: url("repository") },
        _ => Provider::Wheels { index: url("index") },
    };
    fields.finish(problems);
    Some(Box::new(TensorRtSpec { version: version?, provider }))
}

/// The words for the providers.
const WHEELS: &str = "wheels";
const APT: &str = "apt";

fn provider(node: &Node, problems: &mut Problems) -> Option<&'static str> {
    let text = text("`provider`", node, problems)?;
    let known = [WHEELS, APT].into_iter().find(|word| *word == text.value);
    if known.is_none() {
        let message = format!("TensorRT does not come from `{}`", text.value.escape_debug());
        problems.error_with_help(text.span, message, "write `wheels` or `apt`");
    }
    known
}

impl Declared for TensorRtSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn keep(&mut self, lock: &PlatformLock) {
        lock.keep(REGISTRATION.key, &mut self.version, &BINDINGS);
    }

    fn version(&self) -> Option<&Version> {
        self.version.value.named()
    }

    fn indexes(&self, facts: &BaseFacts) -> Vec<At<String>> {
        match &self.provider {
            Provider::Wheels { .. } => Vec::new(),
            Provider::Apt { repository } => {
                let archive = nvidia::archive(repository.as_ref(), facts, self.version.span);
                archive.map(|archive| archive.index).into_iter().collect()
            }
        }
    }

    fn brings(&self, context: &Context<'_>) -> Vec<(String, At<String>)> {
        let Some(release) = self.release(context, &mut Problems::default()) else { return Vec::new() };
        // The package of this name is another way to get the others, in the same release.
        let mut packages = vec![REGISTRATION.key.to_owned()];
        packages.extend(context.cuda().map(|cuda| release.package(cuda, "bindings")));
        let version = At::new(release.wheels, self.version.span);
        packages.into_iter().map(|package| (package, version.clone())).collect()
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        let release = self.release(context, &mut Problems::default())?;
        Some((self.version.clone(), release.tensorrt))
    }

    fn alternatives(&self, context: &Context<'_>) -> Vec<Alternative> {
        let with = |release: &TensorRtRelease| {
            let version = Version::parse(&release.tensorrt).ok()?;
            let change = format!("`tensorrt: {version}`");
            let name = Some(version.to_string());
            let version = At::new(Wish::Prefix(version), self.version.span);
            Some(Alternative { change, version: name, declared: Box::new(Self { version, ..self.clone() }) })
        };
        context.catalog.tensorrt.iter().rev().filter_map(with).collect()
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems);
        let cuda = self.cuda(context, span, problems);
        let release = self.release(context, problems);
        let (release, cuda, python) = (release?, cuda?, context.python_home()?);
        self.check(&release, cuda, python.series, context, problems);
        let package = |part: &str| format!("{}=={}", release.package(cuda, part), release.wheels);
        let mut requirements = vec![package("bindings")];
        let mut indexes = Vec::new();
        let mut debs = None;
        match &self.provider {
            Provider::Wheels { index: named } => {
                requirements.push(package("libs"));
                indexes.push(named.as_ref().map_or(INDEX, |named| named.value.as_str()).to_owned());
            }
            Provider::Apt { repository } => {
                debs = Some(self.choose(&release, cuda, repository.as_ref(), context, problems)?);
            }
        }
        let wheels = Wheels(WheelRequest {
            requirements,
            packages: patterns(&PACKAGES),
            indexes,
            ..WheelRequest::new(REGISTRATION.key, &release.tensorrt, installer?, span)
        });
        Some(Box::new(TensorRt { wheels, debs, python }))
    }
}

impl TensorRtSpec {
    /// The newest release that the spec admits; those that fit the rest of the spec come first.
    fn release(&self, context: &Context<'_>, problems: &mut Problems) -> Option<TensorRtRelease> {
        let releases = || context.catalog.tensorrt.iter().rev();
        let admitted = || releases().filter(|release| self.version.value.admits(&release.tensorrt));
        let (cuda, python) = (context.cuda(), context.python_home().map(|python| python.series));
        let fits = |release: &&TensorRtRelease| {
            cuda.is_none_or(|cuda| is_built_for(release, cuda, context))
                && python.is_none_or(|series| series <= release.newest_python)
                && refusals(release, context).is_empty()
        };
        // What is known to run goes before what nobody has tried.
        let known = |release: &&TensorRtRelease| context.fleet.gpus.is_empty() || is_established(release);
        let found = admitted().find(|release| fits(release) && known(release));
        let found = found.or_else(|| admitted().find(fits)).or_else(|| admitted().next());
        if found.is_none() {
            let known: Vec<_> =
                context.catalog.tensorrt.iter().map(|release| release.tensorrt.as_str()).collect();
            problems.error_with_help(
                self.version.span,
                format!("the catalog does not know TensorRT {}", self.version),
                format!("it knows {}", known.join(", ")),
            );
        }
        found.cloned()
    }

    /// The packages of the release that are built for the image's CUDA.
    fn choose(
        &self,
        release: &TensorRtRelease,
        cuda: u32,
        repository: Option<&At<Url>>,
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<Debs> {
        let (otherwise, span) = ("take `provider: wheels`", self.version.span);
        let archive = nvidia::require_archive(repository, context.facts, span, otherwise, problems)?;
        // One build serves all minor releases of a major one. Source: NVIDIA's support matrix.
        let build = format!("{}-1+cuda{cuda}.", release.tensorrt);
        let programs = Wanted {
            name: At::new("libnvinfer-bin".to_owned(), self.version.span),
            fits: Box::new(move |version| version.starts_with(&build)),
        };
        let in_wheels = context.cuda_of(torch::REGISTRATION.key).is_some();
        let cudnn = release.cudnn.map(|major| format!("libcudnn{major}"));
        let stands_in = |name: &str| {
            in_wheels && (nvidia::is_in_wheels(name, cuda) || Some(name) == cudnn.as_deref())
                || context.base_packages.contains_key(name)
        };
        let debs = archive.select(&[programs], stands_in, context, problems)?;
        let stand_in = Some(("edgenode-tensorrt-libraries", release.tensorrt.clone()));
        Some(Debs { drop: Some(("*.a", "")), stand_in, ..debs })
    }

    /// The major release of the CUDA libraries in the image.
    fn cuda(&self, context: &Context<'_>, span: Span, problems: &mut Problems) -> Option<u32> {
        let cuda = context.cuda();
        if cuda.is_none() {
            problems.error_with_help(
                span,
                "TensorRT needs the CUDA libraries, which the spec does not have",
                format!("add `{}:` with a CUDA channel, such as `cu128`", torch::REGISTRATION.key),
            );
        }
        cuda
    }

    fn check(
        &self,
        release: &TensorRtRelease,
        cuda: u32,
        series: u32,
        context: &Context<'_>,
        problems: &mut Problems,
    ) {
        for reason in refusals(release, context) {
            problems.error(self.version.span, reason);
        }
        if !context.fleet.gpus.is_empty() && !is_established(release) {
            let message = format!("nobody has established which GPUs TensorRT {} runs on", release.tensorrt);
            problems.warning(self.version.span, message, "try it on such a node before it matters");
        }
        let is_built = |r: &&TensorRtRelease| is_built_for(r, cuda, context);
        if is_built(&release) && series <= release.newest_python {
            return;
        }
        let built: Vec<_> = context.catalog.tensorrt.iter().filter(is_built).collect();
        let others = built.iter().filter(|r| series <= r.newest_python && refusals(r, context).is_empty());
        let others: Vec<_> = others.map(|r| r.tensorrt.as_str()).collect();
        let help = match (others.as_slice(), built.iter().map(|r| r.newest_python).max()) {
            ([], Some(newest)) if newest < series => format!("take Python 3.{newest}"),
            ([], _) => "take a torch for another CUDA, or leave `tensorrt` out".to_owned(),
            (others, _) => format!("take TensorRT {}", others.join(", ")),
        };
        let message = format!(
            "TensorRT {} is not built for CUDA {cuda} with Python 3.{series} on {}",
            release.tensorrt, context.facts.architecture
        );
        problems.error_with_help(self.version.span, message, help);
    }
}

/// Whether a release can be installed beside the libraries of a major release of CUDA.
fn is_built_for(release: &TensorRtRelease, cuda: u32, context: &Context<'_>) -> bool {
    release.cuda_on(&context.facts.architecture).contains(&cuda)
}

/// Whether anybody has established which GPUs a release runs on.
fn is_established(release: &TensorRtRelease) -> bool {
    release.gpus.oldest.is_some()
}

/// The release that dropped a GPU, of those up to `release`: where nobody has established what a newer one runs on, it is
/// not taken to have come back.
fn dropped_by<'a>(release: &TensorRtRelease, gpu: Capability, context: &Context<'a>) -> Option<&'a str> {
    let is_older = |row: &&TensorRtRelease| compare(&row.tensorrt, &release.tensorrt).is_le();
    let mut rows = context.catalog.tensorrt.iter().filter(is_older);
    rows.find(|row| row.gpus.dropped(gpu)).map(|row| row.tensorrt.as_str())
}

/// Why the nodes cannot run a release: nothing where they can, or where nobody knows.
fn refusals(release: &TensorRtRelease, context: &Context<'_>) -> Vec<String> {
    let name = &release.tensorrt;
    let mut reasons = Vec::new();
    if let Some(board) = &context.fleet.board {
        // Source: the packages' setup, which ends where the kernel is Tegra's.
        reasons.push(format!(
            "TensorRT's wheels do not install on L4T {} ({}), which has its own",
            board.value.l4t,
            board.span.line()
        ));
    }
    reasons.extend(torch::other_cudnn(&format!("TensorRT {name}"), release.cudnn, context));
    for gpu in &context.fleet.gpus {
        let ((gpu_name, capability), line) = (&gpu.value, gpu.span.line());
        if release.gpus.dropped(*capability) || release.gpus.lack(*capability) {
            reasons.push(format!(
                "TensorRT {name} does not run on compute capability {capability} (`{gpu_name}`, {line})"
            ));
        } else if !is_established(release)
            && let Some(older) = dropped_by(release, *capability, context)
        {
            reasons.push(format!(
                "TensorRT {older} does not run on compute capability {capability} any more (`{gpu_name}`, {line}), \
                 and nobody has established that {name} does"
            ));
        }
    }
    reasons
}

#[derive(Debug)]
struct TensorRt {
    wheels: Wheels,
    debs: Option<Debs>,
    python: PythonHome,
}

impl Component for TensorRt {
    fn plan(&self, span: Span, planner: &mut Planner) {
        self.wheels.plan(span, planner);
        let version = self.wheels.0.version.clone();
        let site = self.python.site();
        if let Some(debs) = &self.debs {
            let unpacked = debs.plan(&format!("tensorrt {version}"), span, planner);
            planner.provide(Provided {
                records: Some(unpacked.records),
                packages: debs.selection.distribution.clone(),
                path: vec![PROGRAMS.to_owned()],
                ..Provided::new("tensorrt-libraries", version.clone(), unpacked.tree, span)
            });
        }
        let module = TextFile { path: module(&self.python), mode: 0o644, text: MODULE.to_owned() };
        let tree = planner.files("[tensorrt] module".to_owned(), vec![module]);
        // Programs that are no Python find the wheels' libraries, too.
        let libraries = if self.debs.is_none() { vec![format!("{site}/tensorrt_libs")] } else { Vec::new() };
        let libraries_of = vec![REGISTRATION.key];
        planner.provide(Provided {
            libraries,
            libraries_of,
            ..Provided::new("tensorrt-module", version, tree, span)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn the_bindings_of_all_releases_are_found_in_a_lock() {
        let builds = Catalog::embedded()
            .tensorrt
            .iter()
            .flat_map(|release| release.cuda.iter().map(move |&cuda| release.package(cuda, "bindings")));
        let unknown: Vec<_> = builds.filter(|name| !BINDINGS.contains(&name.as_str())).collect();
        assert_eq!(unknown, [""; 0]);
    }
}

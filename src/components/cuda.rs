//! `cuda:` the CUDA toolkit where programs and compilers look for it, in `/usr/local/cuda-RELEASE`.
//!
//! The shared libraries are those of the `nvidia-*` wheels that torch itself uses: an image has one copy of each, which
//! the toolkit's directory links to and the index of shared libraries names. What the wheels lack (the compiler of CUDA
//! 12, headers) comes from NVIDIA's archive of Debian packages, without the packages whose libraries are there already.
//!
//! With `cuda: vendor` it is the toolkit that the base image has.

use super::debs::{Debs, Wanted};
use super::vendor::VendorCuda;
use super::wheels::{Parting, WheelRequest, installer, patterns};
use super::{
    Component, CudaRelease, Declared, PythonHome, Registration, is_vendor, nvidia, torch, wish_or_vendor,
};
use crate::catalog;
use crate::diagnostic::Problems;
use crate::plan::{Planner, Provided, RUN_DIR, Script, StepId, mount_lists};
use crate::resolve::{BaseFacts, Context, PackageIndex};
use crate::spec::{At, DebianPackage, Fields, Node, Span, Url, Value, Wish, checked, items, text};
use crate::suggest::nearest;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "cuda", decode };

/// The tree of NVIDIA's packages, and that of links.
const TOOLKIT: &str = "cuda-toolkit";
const LINKS: &str = "cuda-links";

/// All trees of the toolkit, those of the wheels among them.
pub(super) const TREES: [&str; 3] = [torch::CUDA_GROUP, TOOLKIT, LINKS];

const LINK: Script = Script { name: "cuda-link.sh", text: include_str!("scripts/cuda-link.sh") };

/// Where a compiler can come from.
const COMPILERS: [&str; 2] = ["apt", "wheels"];

/// What a compiler is made of in NVIDIA's archive.
const APT_COMPILER: [&str; 2] = ["cuda-nvcc", "cuda-cudart-dev"];

/// What a compiler is made of as wheels. There is none of CUDA 12, whose wheel of this name has no `nvcc`.
const WHEEL_COMPILER: [&str; 4] = ["nvidia-cuda-nvcc", "nvidia-cuda-crt", "nvidia-nvvm", "nvidia-cuda-cccl"];

/// Static libraries are most of the toolkit's bytes; `nvcc` itself links with two of them.
const STATIC: (&str, &str) = ("*.a", "libcudart_static.a libcudadevrt.a");

#[derive(Debug)]
struct CudaSpec {
    version: At<Wish>,
    compiler: Option<At<&'static str>>,
    packages: Vec<At<DebianPackage>>,
    repository: Option<At<Url>>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if is_vendor(node) {
        return Some(Box::new(VendorCuda));
    }
    if let Value::Scalar(_) = &node.value {
        let version = wish_or_vendor("a release of CUDA", node, problems)?;
        return Some(Box::new(CudaSpec { version, compiler: None, packages: Vec::new(), repository: None }));
    }
    let mut fields = Fields::open("`cuda`", node, problems)?;
    let version = fields.require("version", "12.8", problems);
    let version = version.and_then(|n| checked("a release of CUDA", n, problems, Wish::parse));
    let compiler = fields.take("compiler").and_then(|node| compiler(node, problems));
    let packages = match fields.take("packages") {
        Some(node) => items("`packages`", node, problems, |node, problems| {
            checked("a package", node, problems, DebianPackage::parse)
        }),
        None => Vec::new(),
    };
    let repository = fields.take("repository").and_then(|n| checked("an address", n, problems, Url::parse));
    fields.finish(problems);
    Some(Box::new(CudaSpec { version: version?, compiler, packages, repository }))
}

fn compiler(node: &Node, problems: &mut Problems) -> Option<At<&'static str>> {
    let text = text("`compiler`", node, problems)?;
    if let Some(compiler) = COMPILERS.iter().find(|compiler| **compiler == text.value) {
        return Some(At::new(*compiler, text.span));
    }
    let help = match nearest(&text.value, COMPILERS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "it can come from `apt` and, for CUDA 13, from `wheels`".to_owned(),
    };
    problems.error_with_help(
        text.span,
        format!("no compiler comes from `{}`", text.value.escape_debug()),
        help,
    );
    None
}

impl Declared for CudaSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn targets(&self) -> Vec<&'static str> {
        let toolkit = self.wants_archive().then_some(TOOLKIT);
        toolkit.into_iter().collect()
    }

    fn cuda(&self, context: &Context<'_>) -> Option<CudaRelease> {
        self.wants_archive().then(|| self.release(context)).flatten()
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        Some((self.version.clone(), self.release(context)?.to_string()))
    }

    fn compiles_cuda(&self, _: &Context<'_>) -> bool {
        self.compiler.is_some()
    }

    fn indexes(&self, facts: &BaseFacts) -> Vec<At<String>> {
        let archive = nvidia::archive(self.repository.as_ref(), facts, self.version.span);
        archive.filter(|_| self.wants_archive()).map(|archive| archive.index).into_iter().collect()
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let release = self.release(context).or_else(|| self.tell_unknown(context, problems))?;
        let libraries = self.libraries(release, context, problems);
        self.check_compiler(release, libraries, problems);
        let archive = match self.wants_archive() {
            true => Some(self.choose(release, libraries, context, problems)?),
            false => None,
        };
        let wheels = match self.compiler.as_ref().map(|compiler| compiler.value) {
            Some("wheels") => Some(compiler_wheels(release, context, span, problems)?),
            _ => None,
        };
        Some(Box::new(Cuda {
            release,
            libraries,
            python: context.python_home(),
            target: nvidia::target(&context.facts.architecture),
            archive,
            wheels,
        }))
    }
}

/// Who has the shared libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Libraries {
    /// The wheels that torch uses.
    Wheels,
    /// The same, in the base image.
    Base,
    /// Nobody else.
    Archive,
}

impl CudaSpec {
    fn wants_archive(&self) -> bool {
        !self.packages.is_empty() || self.compiler.as_ref().is_some_and(|compiler| compiler.value == "apt")
    }

    /// The release that the spec names: its two numbers.
    fn named(&self) -> Option<CudaRelease> {
        let version = self.version.value.named()?.as_str();
        CudaRelease::parse(version).filter(|_| version.split('.').count() == 2)
    }

    /// The packages that are wanted of NVIDIA's archive, without the release at the end of their names.
    fn names(&self) -> Vec<At<String>> {
        let packages = self.packages.iter().map(|package| At::new(package.to_string(), package.span));
        let compiler = self.compiler.as_ref().filter(|compiler| compiler.value == "apt");
        let compiler = compiler
            .into_iter()
            .flat_map(|compiler| APT_COMPILER.map(|name| At::new(name.to_owned(), compiler.span)));
        packages.chain(compiler).collect()
    }

    /// The release, which has two numbers in the names of packages and directories: the one that is written out, or of
    /// what the spec admits torch's, else the newest that the archive has and the nodes can run, else the newest known.
    fn release(&self, context: &Context<'_>) -> Option<CudaRelease> {
        if let Some(named) = self.named() {
            return Some(named);
        }
        let torch = context.cuda_of(torch::REGISTRATION.key).filter(|torch| torch.minor.is_some());
        let torch = torch.filter(|torch| self.version.value.admits(&torch.to_string()));
        let newest = |is_wanted: &dyn Fn(&catalog::CudaRelease) -> bool| {
            let rows = context.catalog.cuda.iter().filter(|row| is_wanted(row));
            CudaRelease::parse(self.version.value.newest(rows.map(|row| row.cuda.as_str()))?)
        };
        let is_there = |row: &catalog::CudaRelease| self.is_in_archive(row, context);
        let runs = |row: &catalog::CudaRelease| context.fleet.refuse_cuda(row).is_empty();
        torch
            .or_else(|| newest(&|row| is_there(row) && runs(row)))
            .or_else(|| newest(&is_there))
            .or_else(|| newest(&|_| true))
    }

    /// Whether the archive has the wanted packages of a release, or was not read. With a lock it is what the lock has.
    fn is_in_archive(&self, row: &catalog::CudaRelease, context: &Context<'_>) -> bool {
        let archive = nvidia::archive(self.repository.as_ref(), context.facts, self.version.span);
        let index = archive.and_then(|archive| context.index(&archive.index.value));
        let (Some(index), Some(release)) = (index, CudaRelease::parse(&row.cuda)) else { return true };
        self.names().iter().all(|name| {
            let name = wanted(index, name, release).name;
            !index.versions(&name.value).is_empty()
        })
    }

    /// Reports that there is no release as the spec wants it.
    fn tell_unknown(&self, context: &Context<'_>, problems: &mut Problems) -> Option<CudaRelease> {
        let known: Vec<_> = context.catalog.cuda.iter().map(|row| row.cuda.as_str()).collect();
        problems.error_with_help(
            self.version.span,
            format!("`{}` is not a release of the CUDA toolkit as packages are named", self.version),
            format!("write two numbers, such as `12.8`; the catalog knows {}", known.join(", ")),
        );
        None
    }

    /// Who has the libraries; torch and the toolkit must be of one release.
    fn libraries(&self, release: CudaRelease, context: &Context<'_>, problems: &mut Problems) -> Libraries {
        let Some(torch) = context.cuda_of(torch::REGISTRATION.key) else {
            if !self.wants_archive() {
                problems.error_with_help(
                    self.version.span,
                    "nothing in the spec brings the libraries of CUDA",
                    "add `torch:` with a CUDA channel such as `cu128`, or name `packages` of NVIDIA's archive",
                );
            }
            self.check_fleet(release, context, problems);
            return Libraries::Archive;
        };
        let same =
            torch.major == release.major && torch.minor.is_none_or(|minor| Some(minor) == release.minor);
        if !same && self.named().is_some() {
            problems.error_with_help(
                self.version.span,
                format!("the toolkit is CUDA {release}, but torch brings the libraries of CUDA {torch}"),
                format!("write `version: {torch}` here, or take torch's channel `{}`", release.channel()),
            );
        } else if !same {
            let message = format!(
                "torch brings the libraries of CUDA {torch}, which `{}` does not admit",
                self.version
            );
            problems.error(self.version.span, message);
        }
        if context.has_vendor(torch::REGISTRATION.key) { Libraries::Base } else { Libraries::Wheels }
    }

    /// Reports nodes that cannot run the release. Where torch brings the libraries, they are its own.
    fn check_fleet(&self, release: CudaRelease, context: &Context<'_>, problems: &mut Problems) {
        let row = context.catalog.cuda_release(&release.to_string());
        let reasons = row.map(|row| context.fleet.refuse_cuda(row)).unwrap_or_default();
        reasons.into_iter().for_each(|reason| problems.error(self.version.span, reason));
    }

    fn check_compiler(&self, release: CudaRelease, libraries: Libraries, problems: &mut Problems) {
        let Some(compiler) = self.compiler.as_ref().filter(|compiler| compiler.value == "wheels") else {
            return;
        };
        if release.major < 13 {
            problems.error_with_help(
                compiler.span,
                format!("the wheels of CUDA {release} have no compiler"),
                "write `compiler: apt`; the wheels have one from CUDA 13 on",
            );
        } else if libraries != Libraries::Wheels {
            problems.error_with_help(
                compiler.span,
                "a compiler from wheels goes with libraries from wheels, which the spec does not have",
                "add `torch:` with a CUDA channel, or write `compiler: apt`",
            );
        } else if let Some(package) = self.packages.first() {
            problems.error_with_help(
                package.span,
                "packages of NVIDIA's archive cannot lie beside a compiler from wheels",
                "write `compiler: apt`, or leave the packages out",
            );
        }
    }

    /// The packages of NVIDIA's archive.
    fn choose(
        &self,
        release: CudaRelease,
        libraries: Libraries,
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<Debs> {
        let otherwise = "take Ubuntu or Debian as the base";
        let (repository, span) = (self.repository.as_ref(), self.version.span);
        let archive = nvidia::require_archive(repository, context.facts, span, otherwise, problems)?;
        let unread = PackageIndex::default();
        let index = context.index(&archive.index.value).unwrap_or(&unread);
        let names = self.names();
        let wanted: Vec<_> = names.iter().map(|name| wanted(index, name, release)).collect();
        let stands_in =
            |name: &str| libraries != Libraries::Archive && nvidia::is_in_wheels(name, release.major);
        if let Some(Wanted { name, .. }) = wanted.iter().find(|wanted| stands_in(&wanted.name.value)) {
            problems.error_with_help(
                name.span,
                format!("the libraries of `{name}` are in the image already: torch's wheels bring them"),
                "leave the package out; the toolkit's directory links to them",
            );
            return None;
        }
        let debs = archive.select(&wanted, stands_in, context, problems)?;
        let stand_in = Some(("edgenode-cuda-libraries", release.to_string()));
        Some(Debs { drop: Some(STATIC), stand_in, ..debs })
    }
}

/// A package by its whole name, or by its name without the release at the end.
fn wanted<'a>(index: &PackageIndex, name: &'a At<String>, release: CudaRelease) -> Wanted<'a> {
    let (plain, version) = match name.value.split_once('=') {
        Some((plain, version)) => (plain, Some(version)),
        None => (name.value.as_str(), None),
    };
    let suffixed = format!("{plain}-{}", release.suffix());
    let has = |name: &str| !index.versions(name).is_empty();
    let full = if has(plain) && !has(&suffixed) { plain.to_owned() } else { suffixed };
    let fits = move |have: &str| version.is_none_or(|version| version == have);
    Wanted { name: At::new(full, name.span), fits: Box::new(fits) }
}

/// The wheels of the compiler, which join the group of torch's CUDA libraries.
fn compiler_wheels(
    release: CudaRelease,
    context: &Context<'_>,
    span: Span,
    problems: &mut Problems,
) -> Option<WheelRequest> {
    Some(WheelRequest {
        requirements: WHEEL_COMPILER.iter().map(|name| format!("{name}=={release}.*")).collect(),
        packages: patterns(&torch::CUDA_PACKAGES),
        parting: Some(Parting::EACH),
        ..WheelRequest::new(
            torch::CUDA_GROUP,
            &release.to_string(),
            installer(REGISTRATION.key, context, span, problems)?,
            span,
        )
    })
}

/// Where a release lies in an image.
fn home(release: CudaRelease) -> String {
    format!("/usr/local/cuda-{release}")
}

/// How programs and builds are told of it.
pub(super) fn env(release: CudaRelease) -> Vec<(String, String)> {
    ["CUDA_HOME", "CUDA_ROOT"].map(|name| (name.to_owned(), home(release))).into()
}

#[derive(Debug)]
struct Cuda {
    release: CudaRelease,
    libraries: Libraries,
    python: Option<PythonHome>,
    target: &'static str,
    archive: Option<Debs>,
    wheels: Option<WheelRequest>,
}

impl Component for Cuda {
    fn plan(&self, span: Span, planner: &mut Planner) {
        self.wheels.iter().for_each(|wheels| planner.request_wheels(wheels.clone()));
        let Some(debs) = &self.archive else { return };
        let unpacked = debs.plan(&format!("cuda {}", self.release), span, planner);
        planner.provide(Provided {
            records: Some(unpacked.records),
            packages: debs.selection.distribution.clone(),
            ..Provided::new(TOOLKIT, self.release.to_string(), unpacked.tree, span)
        });
    }

    /// Links to the libraries, which are there once the wheels are installed.
    fn finish(&self, span: Span, planner: &mut Planner) {
        let tree = self.link(span, planner);
        let home = self.home();
        let mut libraries = vec![format!("{home}/{}/lib", self.target)];
        if self.is_in_one_wheel_directory() {
            libraries = vec![format!("{home}/lib")];
        }
        planner.provide(Provided {
            path: vec![format!("{home}/bin")],
            env: env(self.release),
            libraries,
            libraries_of: vec![torch::CUDA_GROUP],
            ..Provided::new(LINKS, self.release.to_string(), tree, span)
        });
    }
}

impl Cuda {
    fn home(&self) -> String {
        home(self.release)
    }

    /// The wheels of CUDA 13 share a directory that is laid out like the toolkit's.
    fn is_in_one_wheel_directory(&self) -> bool {
        self.release.major >= 13 && self.archive.is_none() && self.libraries != Libraries::Archive
    }

    fn link(&self, span: Span, planner: &mut Planner) -> StepId {
        let base = planner.base();
        let mut run = planner.script(&LINK, base, Vec::new());
        run.env.extend([
            ("CUDA_HOME".to_owned(), self.home()),
            ("TARGET".to_owned(), self.target.to_owned()),
            ("MAJOR".to_owned(), self.release.major.to_string()),
        ]);
        let mut list = |variable: &str, component: &str| {
            let looks = planner.look(|provided| provided.belongs_to(component));
            if looks.is_empty() {
                return;
            }
            let at = format!("{RUN_DIR}/{}", variable.to_ascii_lowercase());
            run.mounts.extend(mount_lists(&looks, &at));
            run.env.push((variable.to_owned(), at));
        };
        list("TOOLKIT", TOOLKIT);
        if self.libraries == Libraries::Wheels {
            list("WHEELS", torch::CUDA_GROUP);
        }
        if let Some(python) = self.python.as_ref().filter(|_| self.libraries != Libraries::Archive) {
            run.env.push(("SITE".to_owned(), python.site()));
        }
        if self.is_in_one_wheel_directory() {
            run.env.push(("WHOLE".to_owned(), "1".to_owned()));
        }
        planner.run(format!("[cuda {}] find libraries", self.release), span, run)
    }
}

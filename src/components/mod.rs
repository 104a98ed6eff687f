//! The components: one file each, with all that is known about it. To add one, add its file and its line in
//! [`REGISTRY`].

mod container_toolkit;
mod cuda;
mod debs;
mod docker;
mod ffmpeg;
mod files;
mod flash_attn;
mod ngrok;
mod nodejs;
mod nvidia;
mod onnxruntime;
mod openvino;
mod prebuilt;
mod python;
mod releases;
mod sdists;
mod system;
mod tensorrt;
mod torch;
mod transformers;
mod uv;
mod vendor;
mod wheel_files;
mod wheel_sources;
mod wheelhouse;
mod wheels;

pub(crate) use ffmpeg::flag as ffmpeg_flag;
pub(crate) use flash_attn::capability;
pub(crate) use onnxruntime::FLAVOURS as ONNXRUNTIME_FLAVOURS;
pub use system::System;
pub use wheel_files::{WHEEL_END_BYTES, address_label, is_wheel_path, wheel_mark};
pub use wheel_sources::source_label;
pub use wheelhouse::CONTEXT as WHEELHOUSE;
pub use wheels::{WheelBranch, WheelRequest, install_wheels};

use std::fmt::{self, Debug};

use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::Planner;
use crate::resolve::{BaseFacts, Context};
use crate::spec::{At, ContextPath, Node, Requirement, Scalar, Span, Value, Version, Wish, checked};
use crate::suggest::nearest;

/// A component's entry in the language.
#[derive(Debug)]
pub struct Registration {
    /// Its field at the top of a spec.
    pub key: &'static str,
    /// Reads the field's value.
    pub decode: fn(&Node, &mut Problems) -> Option<Box<dyn Declared>>,
}

/// The component of Python packages that no other component asks for, which is installed together with those of others.
pub const WHEELS: &str = wheels::REGISTRATION.key;

/// All components. Later ones may use what earlier ones provide, and are laid over them.
pub const REGISTRY: &[Registration] = &[
    python::REGISTRATION,
    ffmpeg::REGISTRATION,
    nodejs::REGISTRATION,
    ngrok::REGISTRATION,
    uv::REGISTRATION,
    torch::REGISTRATION,
    cuda::REGISTRATION,
    tensorrt::REGISTRATION,
    onnxruntime::REGISTRATION,
    openvino::REGISTRATION,
    transformers::REGISTRATION,
    wheels::REGISTRATION,
    sdists::REGISTRATION,
    flash_attn::REGISTRATION,
    docker::REGISTRATION,
    container_toolkit::REGISTRATION,
    files::REGISTRATION,
];

/// Whether a component's field says that the base image has it.
fn is_vendor(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(Scalar { text, .. }) if text == "vendor")
}

/// The wish for a version, in a place where `vendor` would do as well.
fn wish_or_vendor(what: &str, node: &Node, problems: &mut Problems) -> Option<At<Wish>> {
    match &node.value {
        Value::Scalar(Scalar { text, .. }) if nearest(text, ["vendor"]).is_some() => {
            let message = format!("{what} cannot be `{}`", text.escape_debug());
            problems.error_with_help(node.span, message, "did you mean `vendor`?");
            None
        }
        _ => checked(what, node, problems, Wish::parse),
    }
}

/// Where a Python lies in the image.
#[derive(Clone, Debug)]
pub struct PythonHome {
    /// Its directory.
    pub prefix: String,
    /// The second number of its release.
    pub series: u32,
}

impl PythonHome {
    /// Whether it is the Python of Debian's or Ubuntu's packages, which keeps what others install out of its own directory.
    /// Source: Debian's Python policy, section 2.5.
    pub fn is_distribution(&self) -> bool {
        self.prefix == "/usr"
    }

    /// What packages are installed below: programs into `bin`, modules into [`site`](Self::site).
    pub fn packages_prefix(&self) -> &str {
        if self.is_distribution() { "/usr/local" } else { &self.prefix }
    }

    /// The directory that it finds installed packages in.
    pub fn site(&self) -> String {
        let name = if self.is_distribution() { "dist-packages" } else { "site-packages" };
        format!("{}/lib/python3.{}/{name}", self.packages_prefix(), self.series)
    }

    /// Its program.
    pub fn program(&self) -> String {
        format!("{}/bin/python3", self.prefix)
    }
}

/// A release of CUDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaRelease {
    /// Its first number, which libraries and programs must agree on.
    pub major: u32,
    /// Its second number, if it is known.
    pub minor: Option<u32>,
}

impl CudaRelease {
    /// Reads `12.8`, `12.8.1` or `12`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next().map(str::parse).transpose().ok()?;
        Some(Self { major, minor })
    }

    /// Reads the name of a wheel channel: `cu128`.
    pub fn of_channel(channel: &str) -> Option<Self> {
        let digits = channel.strip_prefix("cu")?;
        let major = digits.get(..2)?.parse().ok()?;
        Some(Self { major, minor: digits.get(2..)?.parse().ok() })
    }

    /// The name of its wheel channel.
    pub fn channel(self) -> String {
        format!("cu{}{}", self.major, self.minor.unwrap_or_default())
    }

    /// How it ends the names of NVIDIA's packages: `12-8`.
    pub fn suffix(self) -> String {
        self.to_string().replace('.', "-")
    }
}

impl fmt::Display for CudaRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            Some(minor) => write!(f, "{}.{minor}", self.major),
            None => write!(f, "{}", self.major),
        }
    }
}

/// Another way to declare a component.
#[derive(Debug)]
pub struct Alternative {
    /// The field and its value, as a spec would say it.
    pub change: String,
    /// The release, where nothing else is different.
    pub version: Option<String>,
    /// The component then.
    pub declared: Box<dyn Declared>,
}

/// A component as a spec declares it.
pub trait Declared: Debug + Send + Sync {
    /// Its field at the top of a spec.
    fn key(&self) -> &'static str;

    /// Its release, for components that only fit certain ones.
    fn version(&self) -> Option<&Version> {
        None
    }

    /// The Python requirements that the spec writes out.
    fn requirements(&self) -> Vec<At<Requirement>> {
        Vec::new()
    }

    /// The Python packages of which it brings a release of its own choice, each with that, at the field that names it.
    fn brings(&self, _context: &Context<'_>) -> Vec<(String, At<String>)> {
        Vec::new()
    }

    /// What of it can be built alone: nothing of what the base image has.
    fn targets(&self) -> Vec<&'static str> {
        if self.is_vendor() { Vec::new() } else { vec![self.key()] }
    }

    /// The release of the CUDA libraries that it brings.
    fn cuda(&self, _context: &Context<'_>) -> Option<CudaRelease> {
        None
    }

    /// Whether it builds a Python package from its source archive, so that nothing of the published wheels is asked for.
    fn builds(&self, _package: &str) -> bool {
        false
    }

    /// Whether it brings `nvcc`.
    fn compiles_cuda(&self, _context: &Context<'_>) -> bool {
        false
    }

    /// Whether the base image has it already.
    fn is_vendor(&self) -> bool {
        false
    }

    /// The release of torch that it brings.
    fn torch(&self, _context: &Context<'_>) -> Option<String> {
        None
    }

    /// Whether it codes video on GPUs.
    fn codes_video(&self) -> bool {
        false
    }

    /// What its field admits, and the release that is chosen of that, if it chooses among releases.
    fn choice(&self, _context: &Context<'_>) -> Option<(At<Wish>, String)> {
        None
    }

    /// What one of its fields could be instead, the nearest first. They are tried where the spec's own fields clash.
    fn alternatives(&self, _context: &Context<'_>) -> Vec<Alternative> {
        Vec::new()
    }

    /// The Python that it brings.
    fn python_home(&self) -> Option<PythonHome> {
        None
    }

    /// The files of the base image that tell what the image already has, given the Python of the spec.
    fn inspects(&self, _python: Option<&PythonHome>) -> Vec<String> {
        Vec::new()
    }

    /// The addresses of the package indexes that it chooses from, each with its place in the spec.
    fn indexes(&self, _facts: &BaseFacts) -> Vec<At<String>> {
        Vec::new()
    }

    /// The files of the build context that it reads to choose.
    fn reads(&self) -> Vec<At<ContextPath>> {
        Vec::new()
    }

    /// What of the build context is in the image as it is.
    fn copied(&self) -> Vec<At<ContextPath>> {
        Vec::new()
    }

    /// Paths of the build context of which it must know whether they are files or directories.
    fn compared(&self) -> Vec<At<ContextPath>> {
        Vec::new()
    }

    /// Files that it certainly puts into the image, by their absolute paths. There may be many more.
    fn installs(&self, _context: &Context<'_>) -> Vec<String> {
        Vec::new()
    }

    /// The wheels of the build context, whose dependencies are resolved with the rest.
    fn local_wheels(&self) -> Vec<At<ContextPath>> {
        Vec::new()
    }

    /// Whether it wants its packages to run on every amd64 processor.
    fn is_for_any_x86(&self) -> bool {
        false
    }

    /// Takes the versions that a lock has, where its own fields leave a choice.
    fn keep(&mut self, _lock: &PlatformLock) {}

    /// Chooses versions and sources. Conflicts go to `problems`, and then it gives `None`.
    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>>;
}

/// What [`Declared::brings`] tells of one package, if its release is known.
fn one_brought(package: &str, release: Option<String>, at: Span) -> Vec<(String, At<String>)> {
    release.map(|release| (package.to_owned(), At::new(release, at))).into_iter().collect()
}

/// A component with nothing left to choose.
pub trait Component: Debug + Send + Sync {
    /// Adds the component's branch of steps, and what it provides.
    fn plan(&self, span: Span, planner: &mut Planner);

    /// Adds what must see the trees of all other components, those of Python packages among them.
    fn finish(&self, _span: Span, _planner: &mut Planner) {}

    /// How many trees it may add, each of them a layer of the image, besides those of Python packages.
    fn most_trees(&self) -> usize {
        2
    }
}

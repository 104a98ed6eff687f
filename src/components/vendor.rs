//! `cuda: vendor` and `tensorrt: vendor`: NVIDIA's packages that the base image has already. They stay as they are; what
//! dpkg's database says of them is checked, and told in labels.

use super::debs::release_of;
use super::{Component, CudaRelease, Declared, PythonHome, cuda, tensorrt, torch};
use crate::diagnostic::Problems;
use crate::plan::{Planner, Vendor};
use crate::resolve::{Context, INSTALLED};
use crate::spec::Span;

/// Reports that the base image does not have what it was to have.
fn tell_missing(what: &str, package: &str, otherwise: &str, span: Span, problems: &mut Problems) {
    let message =
        format!("the base image has no {what}: {package} is not among the packages that it has installed");
    problems.error_with_help(span, message, otherwise);
}

/// What the base image has, with nothing left to choose.
#[derive(Debug)]
pub(super) struct Kept(pub Vec<Vendor>);

impl Component for Kept {
    fn plan(&self, _: Span, planner: &mut Planner) {
        self.0.iter().for_each(|vendor| planner.keep(vendor.clone()));
    }
}

/// The toolkit of the base image.
#[derive(Debug)]
pub(super) struct VendorCuda;

impl VendorCuda {
    /// The newest, by the packages of its runtime library, such as `cuda-cudart-12-2`.
    fn release(context: &Context<'_>) -> Option<CudaRelease> {
        let suffixes = context.base_packages.keys().filter_map(|name| name.strip_prefix("cuda-cudart-"));
        let releases = suffixes.filter_map(|suffix| CudaRelease::parse(&suffix.replace('-', ".")));
        releases.max_by_key(|release| (release.major, release.minor))
    }
}

impl Declared for VendorCuda {
    fn key(&self) -> &'static str {
        cuda::REGISTRATION.key
    }

    fn cuda(&self, context: &Context<'_>) -> Option<CudaRelease> {
        Self::release(context)
    }

    fn compiles_cuda(&self, context: &Context<'_>) -> bool {
        Self::release(context).is_some_and(|release| {
            context.base_packages.contains_key(format!("cuda-nvcc-{}", release.suffix()).as_str())
        })
    }

    fn is_vendor(&self) -> bool {
        true
    }

    fn inspects(&self, _: Option<&PythonHome>) -> Vec<String> {
        vec![INSTALLED.to_owned()]
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let Some(release) = Self::release(context) else {
            let otherwise = "leave `cuda` out: torch's wheels bring its libraries; or name a release";
            tell_missing("CUDA toolkit", "cuda-cudart-…", otherwise, span, problems);
            return None;
        };
        let torch = context.cuda_of(torch::REGISTRATION.key);
        if torch.is_some() && !context.has_vendor(torch::REGISTRATION.key) {
            problems.error_with_help(
                span,
                format!(
                    "the base image has the libraries of CUDA {release}, and torch's wheels bring them again"
                ),
                "write `torch: vendor`, or take a base image without CUDA",
            );
        }
        let vendor = Vendor::new(cuda::REGISTRATION.key, release.to_string());
        Some(Box::new(Kept(vec![Vendor { env: cuda::env(release), ..vendor }])))
    }
}

/// TensorRT of the base image.
#[derive(Debug)]
pub(super) struct VendorTensorRt;

/// What is not installed beside it, whoever asks for it: the packages that have its module or its libraries.
const TENSORRT_PACKAGES: [&str; 13] = [
    "nvidia-tensorrt",
    "tensorrt",
    "tensorrt-bindings",
    "tensorrt-cu11",
    "tensorrt-cu11-bindings",
    "tensorrt-cu11-libs",
    "tensorrt-cu12",
    "tensorrt-cu12-bindings",
    "tensorrt-cu12-libs",
    "tensorrt-cu13",
    "tensorrt-cu13-bindings",
    "tensorrt-cu13-libs",
    "tensorrt-libs",
];

impl VendorTensorRt {
    /// Its version, by the package of its library: `libnvinfer8`, `libnvinfer10`.
    fn version(context: &Context<'_>) -> Option<String> {
        let is_library = |name: &str| {
            name.strip_prefix("libnvinfer")
                .is_some_and(|major| !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let (_, version) = context.base_packages.iter().find(|(name, _)| is_library(name))?;
        Some(release_of(version).to_owned())
    }

    /// Where its module can be for a Python: where packages are installed, or where Debian packages have them.
    fn modules(python: &PythonHome) -> Vec<String> {
        let mut sites = vec![python.site()];
        if python.is_distribution() {
            sites.push(format!("/usr/lib/python3.{}/dist-packages", python.series));
            sites.push("/usr/lib/python3/dist-packages".to_owned());
        }
        sites.iter().map(|site| format!("{site}/tensorrt/__init__.py")).collect()
    }
}

impl Declared for VendorTensorRt {
    fn key(&self) -> &'static str {
        tensorrt::REGISTRATION.key
    }

    fn is_vendor(&self) -> bool {
        true
    }

    fn inspects(&self, python: Option<&PythonHome>) -> Vec<String> {
        let modules = python.map(Self::modules).unwrap_or_default();
        modules.into_iter().chain([INSTALLED.to_owned()]).collect()
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let Some(version) = Self::version(context) else {
            let otherwise = "name a release of TensorRT, whose wheels are installed then";
            tell_missing("TensorRT", "libnvinfer…", otherwise, span, problems);
            return None;
        };
        if let Some(python) = context.python_home()
            && Self::modules(&python).iter().all(|module| context.base_file(module).is_none())
        {
            problems.error_with_help(
                span,
                format!(
                    "the base image's TensorRT {version} has no module for the Python at {}",
                    python.prefix
                ),
                "take the Python that it has one for, such as `python: {version: …, vendor: /usr}`",
            );
        }
        let packages = TENSORRT_PACKAGES.map(str::to_owned).into();
        Some(Box::new(Kept(vec![Vendor { packages, ..Vendor::new(tensorrt::REGISTRATION.key, version) }])))
    }
}

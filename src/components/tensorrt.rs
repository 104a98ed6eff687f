//! `tensorrt:` TensorRT's libraries and Python bindings, from NVIDIA's wheels for the CUDA release that torch has.
//! Libraries and bindings are of one release by construction.

use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{Component, Declared, PythonHome, Registration, torch};
use crate::catalog::{TensorRtRelease, tensorrt_releases};
use crate::diagnostic::Problems;
use crate::plan::{Planner, Provided, TextFile};
use crate::resolve::Context;
use crate::spec::{At, Fields, Node, Span, Url, Value, Version, checked};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "tensorrt", decode };

/// Where NVIDIA publishes the libraries; the public index has only stubs of them.
const INDEX: &str = "https://pypi.nvidia.com/";

/// What is installed in the component's group.
const PACKAGES: [&str; 1] = ["tensorrt-*"];

/// The bindings' module has another name. NVIDIA's package of this name is not published as a wheel.
const MODULE: &str = "\"\"\"TensorRT by the name that programs import.\"\"\"\n\nfrom tensorrt_bindings import *\n\
                      from tensorrt_bindings import __version__\n";

#[derive(Debug)]
struct TensorRtSpec {
    version: At<Version>,
    index: Option<At<Url>>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if let Value::Scalar(_) = &node.value {
        let version = checked("a version", node, problems, Version::parse)?;
        return Some(Box::new(TensorRtSpec { version, index: None }));
    }
    let mut fields = Fields::open("`tensorrt`", node, problems)?;
    let version = fields.require("version", "10.13.3.9", problems);
    let version = version.and_then(|n| checked("a version", n, problems, Version::parse));
    let index = fields.take("index").and_then(|n| checked("an address", n, problems, Url::parse));
    fields.finish(problems);
    Some(Box::new(TensorRtSpec { version: version?, index }))
}

impl Declared for TensorRtSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems);
        let release = self.release(problems);
        let cuda = self.cuda(context, span, problems);
        let (release, cuda, python) = (release?, cuda?, context.python_home()?);
        self.check(&release, cuda, python.series, problems);
        let package = |part: &str| format!("tensorrt-cu{cuda}-{part}=={}", release.tensorrt);
        let index = self.index.as_ref().map_or(INDEX, |index| index.value.as_str());
        let wheels = Wheels(WheelRequest {
            requirements: vec![package("bindings"), package("libs")],
            packages: patterns(&PACKAGES),
            index: Some(index.to_owned()),
            ..WheelRequest::new(REGISTRATION.key, &release.tensorrt, installer?, span)
        });
        Some(Box::new(TensorRt { wheels, python }))
    }
}

impl TensorRtSpec {
    fn release(&self, problems: &mut Problems) -> Option<TensorRtRelease> {
        let releases = tensorrt_releases();
        let wanted = self.version.value.as_str();
        let series = format!("{wanted}.");
        let found = releases.iter().rev().find(|r| r.tensorrt == wanted || r.tensorrt.starts_with(&series));
        if found.is_none() {
            let known: Vec<_> = releases.iter().map(|release| release.tensorrt.as_str()).collect();
            problems.error_with_help(
                self.version.span,
                format!("the catalog does not know TensorRT {wanted}"),
                format!("it knows {}", known.join(", ")),
            );
        }
        found.cloned()
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

    fn check(&self, release: &TensorRtRelease, cuda: u32, series: u32, problems: &mut Problems) {
        let fits = |r: &TensorRtRelease| r.cuda.contains(&cuda) && series <= r.newest_python;
        if fits(release) {
            return;
        }
        let others: Vec<_> =
            tensorrt_releases().iter().filter(|r| fits(r)).map(|r| r.tensorrt.clone()).collect();
        let help = match others.as_slice() {
            [] => "take an older Python".to_owned(),
            others => format!("take TensorRT {}", others.join(", ")),
        };
        let message =
            format!("TensorRT {} is not built for CUDA {cuda} with Python 3.{series}", release.tensorrt);
        problems.error_with_help(self.version.span, message, help);
    }
}

#[derive(Debug)]
struct TensorRt {
    wheels: Wheels,
    python: PythonHome,
}

impl Component for TensorRt {
    fn plan(&self, span: Span, planner: &mut Planner) {
        self.wheels.plan(span, planner);
        let path = format!(
            "{}/lib/python3.{}/site-packages/tensorrt/__init__.py",
            self.python.prefix, self.python.series
        );
        let module = TextFile { path, mode: 0o644, text: MODULE.to_owned() };
        let tree = planner.files("[tensorrt] module".to_owned(), vec![module]);
        planner.provide(Provided::new("tensorrt-module", self.wheels.0.version.clone(), tree, span));
    }
}

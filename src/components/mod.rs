//! The components: one file each, with all that is known about it. To add one, add its file and its line in
//! [`REGISTRY`].

mod docker;
mod ffmpeg;
mod files;
mod ngrok;
mod nodejs;
mod onnxruntime;
mod openvino;
mod prebuilt;
mod python;
mod system;
mod tensorrt;
mod torch;
mod transformers;
mod uv;
mod wheels;

pub use system::System;
pub use wheels::{LargeWheel, WheelRequest, install_wheels};

use std::fmt::Debug;

use crate::diagnostic::Problems;
use crate::plan::Planner;
use crate::resolve::Context;
use crate::spec::{At, ContextPath, Node, Requirement, Span, Version};

/// A component's entry in the language.
#[derive(Debug)]
pub struct Registration {
    /// Its field at the top of a spec.
    pub key: &'static str,
    /// Reads the field's value.
    pub decode: fn(&Node, &mut Problems) -> Option<Box<dyn Declared>>,
}

/// All components. Later ones may use what earlier ones provide, and are laid over them.
pub const REGISTRY: &[Registration] = &[
    python::REGISTRATION,
    ffmpeg::REGISTRATION,
    nodejs::REGISTRATION,
    ngrok::REGISTRATION,
    uv::REGISTRATION,
    torch::REGISTRATION,
    tensorrt::REGISTRATION,
    onnxruntime::REGISTRATION,
    openvino::REGISTRATION,
    transformers::REGISTRATION,
    wheels::REGISTRATION,
    docker::REGISTRATION,
    files::REGISTRATION,
];

/// Where a Python lies in the image.
#[derive(Clone, Debug)]
pub struct PythonHome {
    /// Its directory.
    pub prefix: String,
    /// The second number of its release.
    pub series: u32,
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

    /// What of it can be built alone.
    fn targets(&self) -> Vec<&'static str> {
        vec![self.key()]
    }

    /// The major release of the CUDA libraries that it brings.
    fn cuda(&self, _context: &Context<'_>) -> Option<u32> {
        None
    }

    /// The Python that it brings.
    fn python_home(&self) -> Option<PythonHome> {
        None
    }

    /// The files of the base image that tell what the image already has, given the Python of the spec.
    fn inspects(&self, _python: Option<&PythonHome>) -> Vec<String> {
        Vec::new()
    }

    /// The files of the build context that it reads to choose.
    fn reads(&self) -> Vec<At<ContextPath>> {
        Vec::new()
    }

    /// Chooses versions and sources. Conflicts go to `problems`, and then it gives `None`.
    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>>;
}

/// A component with nothing left to choose.
pub trait Component: Debug + Send + Sync {
    /// Adds the component's branch of steps, and what it provides.
    fn plan(&self, span: Span, planner: &mut Planner);
}

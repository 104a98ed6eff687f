//! `suites:` tests that come with the program.

use super::{At, Node, text};
use crate::diagnostic::Problems;
use crate::suggest::nearest;

/// Tests that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// One network through every runtime on the processor, and a tiny transformer.
    Cpu,
    /// The GPU, the network and the transformer on it; skipped where there is none.
    Gpu,
    /// Every codec that FFmpeg is built with, to and fro.
    Media,
    /// A Docker daemon inside that runs a container.
    Dind,
    /// Every program of the spec starts, in the version that the spec says.
    Node,
}

impl Suite {
    const ALL: [Self; 5] = [Self::Cpu, Self::Gpu, Self::Media, Self::Dind, Self::Node];

    /// Its word in a spec, and the beginning of the names of its tests.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Media => "media",
            Self::Dind => "dind",
            Self::Node => "node",
        }
    }

    /// Reads one entry of `suites:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<At<Self>> {
        let text = text("a suite", node, problems)?;
        if let Some(suite) = Self::ALL.into_iter().find(|suite| suite.word() == text.value) {
            return Some(At::new(suite, text.span));
        }
        let help = match nearest(&text.value, Self::ALL.map(Self::word)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "there are `cpu`, `gpu`, `media`, `dind` and `node`".to_owned(),
        };
        problems.error_with_help(text.span, format!("`{}` is no suite", text.value.escape_debug()), help);
        None
    }

    /// Any one of the components without which there is nothing to test, as a spec names them.
    pub fn wants(self) -> &'static [&'static str] {
        match self {
            Self::Cpu => &["torch", "onnxruntime", "openvino", "wheels"],
            Self::Gpu => &["torch"],
            Self::Media => &["ffmpeg"],
            Self::Dind => &["docker"],
            Self::Node => &["python", "ffmpeg", "nodejs", "ngrok", "uv", "docker"],
        }
    }
}

//! NVIDIA's archive of Debian packages, which CUDA's tools and TensorRT come from.

use super::debs::Archive;
use crate::diagnostic::Problems;
use crate::resolve::BaseFacts;
use crate::spec::{At, Span, Url};

/// The packages, without the release at the end of their names, whose libraries torch's wheels bring. Source: the
/// wheels' contents.
const IN_WHEELS: [&str; 11] = [
    "cuda-cudart",
    "cuda-cupti",
    "cuda-nvrtc",
    "cuda-nvtx",
    "libcublas",
    "libcufft",
    "libcufile",
    "libcurand",
    "libcusolver",
    "libcusparse",
    "libnvjitlink",
];

/// The archive: the one that the spec names, or NVIDIA's for the distribution and the architecture of the base image, if
/// there is one. Source: the layout of the archive, 2026-11-24.
pub(super) fn archive(repository: Option<&At<Url>>, facts: &BaseFacts, span: Span) -> Option<Archive> {
    if let Some(url) = repository {
        return Some(Archive::flat(url.value.as_str(), url.span));
    }
    let release = &facts.os_release;
    let distribution = match (release.id.as_str(), release.version_id.as_str()) {
        ("ubuntu", version) => format!("ubuntu{}", version.replace('.', "")),
        ("debian", version) => format!("debian{version}"),
        _ => return None,
    };
    let architecture = match facts.architecture.as_str() {
        "amd64" => "x86_64",
        "arm64" => "sbsa",
        _ => return None,
    };
    let address =
        format!("https://developer.download.nvidia.com/compute/cuda/repos/{distribution}/{architecture}");
    Some(Archive::flat(&address, span))
}

/// Whether torch's wheels bring the libraries of a package.
pub(super) fn is_in_wheels(package: &str, major: u32) -> bool {
    let of_release = || {
        let (rest, minor) = package.rsplit_once('-')?;
        let plain = rest.strip_suffix(&format!("-{major}"))?;
        Some(minor.parse::<u32>().is_ok() && IN_WHEELS.contains(&plain))
    };
    package == "libnccl2" || package == format!("libcudnn9-cuda-{major}") || of_release().unwrap_or(false)
}

/// The archive, or a report that there is none; `otherwise` is what the spec can say instead.
pub(super) fn require_archive(
    repository: Option<&At<Url>>,
    facts: &BaseFacts,
    span: Span,
    otherwise: &str,
    problems: &mut Problems,
) -> Option<Archive> {
    let found = archive(repository, facts, span);
    if found.is_none() {
        let message = "NVIDIA has no archive of packages for the base image's distribution";
        problems.error_with_help(span, message, format!("{otherwise}, or name a `repository`"));
    }
    found
}

/// The directory of a target's files below the toolkit. Source: the packages of the toolkit.
pub(super) fn target(architecture: &str) -> &'static str {
    if architecture == "arm64" { "targets/sbsa-linux" } else { "targets/x86_64-linux" }
}

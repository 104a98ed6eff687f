//! The build arguments that every spec understands, and what is made of the others.

use std::collections::BTreeMap;
use std::time::Duration;

use buildkit_frontend::{Call, Error, Gateway, RunOptions};
use buildkit_llb::Platform;

use super::epoch::EPOCH_ARG;
use crate::diagnostic::{Diagnostic, Severity};
use crate::lock::UPDATE_ARG;
use crate::resolve::ARCHIVED_ARG;
use crate::spec::{Span, Spec, Url, Values, nearest_name};

/// The build argument that forbids merging.
pub(super) const MERGE_ARG: &str = "EDGENODE_MERGE";
/// The build argument that names the mirror of downloads.
pub(super) const MIRROR_ARG: &str = "EDGENODE_MIRROR";
/// The build argument that asks what the frontend asked the daemon.
pub(super) const TRACE_ARG: &str = "EDGENODE_TRACE";
/// The build argument that asks for a fresh lock, or takes no notice of the lock.
pub(super) const LOCKED_ARG: &str = "EDGENODE_LOCKED";

/// The capability of builders that limit memory and processors of steps.
const LIMITS_CAP: &str = "exec.meta.linux.resources";

/// A build argument that every spec understands.
pub(super) struct BuildArg {
    /// Its name.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) description: &'static str,
    /// What it is where it is not set.
    pub(super) default: &'static str,
}

/// The build arguments that every spec understands. One that is not here is warned of.
pub(super) const BUILD_ARGS: &[BuildArg] = &[
    BuildArg { name: ARCHIVED_ARG, description: "`true` builds a spec that is archived", default: "false" },
    BuildArg {
        name: LOCKED_ARG,
        description: "`1` refuses to build without a fresh lock, `0` takes no notice of it",
        default: "",
    },
    BuildArg {
        name: UPDATE_ARG,
        description: "what `--target update` takes newer versions of, joined by commas; all if nothing is named",
        default: "",
    },
    BuildArg {
        name: MERGE_ARG,
        description: "`false` lays components by copying, for builders whose merging is at fault",
        default: "true",
    },
    BuildArg {
        name: MIRROR_ARG,
        description: "the address of a server that has all downloads below the names of their hosts",
        default: "",
    },
    BuildArg {
        name: TRACE_ARG,
        description: "`true` warns of the calls that the frontend made and how long each took",
        default: "false",
    },
];

/// Whether the client wants to know the calls of the daemon.
pub(super) fn wants_trace(gateway: &Gateway) -> Result<bool, Error> {
    match gateway.options().build_args.get(TRACE_ARG).map(String::as_str) {
        None | Some("" | "0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(other) => Err(Error::user(format!("{TRACE_ARG} is `true` or `false`, not `{other}`"))),
    }
}

/// The calls of the daemon so far, as a warning.
pub(super) fn trace(gateway: &Gateway, span: Span) -> Diagnostic {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let told = |Call { name, began, ended }: &Call| {
        let ended = ended.map(|ended| format!("{:.1}", milliseconds(ended))).unwrap_or_default();
        format!("{name} {:.1}-{ended}", milliseconds(*began))
    };
    let calls: Vec<_> = gateway.calls().iter().map(told).collect();
    let message = format!("calls of the daemon, in ms: {}", calls.join(", "));
    Diagnostic { severity: Severity::Warning, message, help: None, span }
}

/// The mirror that the client names.
pub(super) fn mirror(gateway: &Gateway) -> Result<Option<String>, Error> {
    let mirror = gateway.options().build_args.get(MIRROR_ARG).filter(|mirror| !mirror.is_empty());
    let parse = |text: &String| match Url::parse(text)? {
        // The last two mean something where addresses are put together.
        url if text.contains(['?', '#', '&', '\\']) => Err(format!("files cannot lie below `{url}`")),
        url => Ok(url.to_string()),
    };
    mirror.map(parse).transpose().map_err(|why| Error::user(format!("{MIRROR_ARG} is not an address: {why}")))
}

/// Names that BuildKit and its clients give a meaning to. Source: BuildKit's Dockerfile reference.
const FOREIGN: [&str; 13] = [
    EPOCH_ARG,
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
    "BUILDER_NODE",
];

/// What every spec can use without declaring it, in a build on one platform for another.
pub(crate) fn predefined(build: &Platform, target: &Platform, stage: &str) -> BTreeMap<String, String> {
    let mut predefined: BTreeMap<String, String> = [("TARGETSTAGE".to_owned(), stage.to_owned())].into();
    for (prefix, platform) in [("BUILD", build), ("TARGET", target)] {
        let facts = [
            ("PLATFORM", platform.to_string()),
            ("OS", platform.os.clone()),
            ("OSVERSION", String::new()),
            ("ARCH", platform.architecture.clone()),
            ("VARIANT", platform.variant.clone()),
        ];
        predefined.extend(facts.map(|(name, value)| (format!("{prefix}{name}"), value)));
    }
    predefined
}

/// What names stand for in a build for `platform`. The client may say otherwise even of what is predefined.
pub(super) fn values(gateway: &Gateway, platform: &Platform) -> Values {
    let options = gateway.options();
    let stage = options.target.as_deref().unwrap_or("image");
    let mut predefined = predefined(&gateway.build_platform(), platform, stage);
    for (name, value) in &mut predefined {
        if let Some(given) = options.build_args.get(name) {
            value.clone_from(given);
        }
    }
    Values { given: options.build_args.clone(), predefined }
}

/// Warnings of build arguments that nobody understands.
pub(super) fn unknown(gateway: &Gateway, spec: &Spec) -> Vec<Diagnostic> {
    let own: Vec<_> = spec.args.iter().map(|arg| arg.name.value.as_str()).collect();
    let own: Vec<_> = own.into_iter().chain(BUILD_ARGS.iter().map(|arg| arg.name)).collect();
    let foreign = |name: &str| {
        let upper = name.to_ascii_uppercase();
        name.starts_with("BUILDKIT_") || FOREIGN.contains(&name) || upper.ends_with("_PROXY")
    };
    let given = gateway.options().build_args.keys();
    given
        .filter(|name| !own.contains(&name.as_str()) && !foreign(name))
        .map(|name| Diagnostic {
            severity: Severity::Warning,
            message: format!("the spec has no argument `{}`", shorten(name).escape_debug()),
            help: Some(match nearest_name(name, own.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`--call outline` lists those that it has".to_owned(),
            }),
            span: spec.name.span,
        })
        .collect()
}

/// What the client asks for the containers of steps, as far as the builder can do it.
pub(super) fn run_options(gateway: &Gateway) -> RunOptions {
    let mut run = gateway.options().run.clone();
    run.resources = run.resources.filter(|_| gateway.caps().llb(LIMITS_CAP));
    run
}

/// A warning where the client limits what steps use and the builder cannot.
pub(super) fn unlimited(gateway: &Gateway, spec: &Spec) -> Option<Diagnostic> {
    (run_options(gateway) != gateway.options().run).then(|| Diagnostic {
        severity: Severity::Warning,
        message: "this builder cannot limit the memory or processors of steps, so nothing is limited"
            .to_owned(),
        help: Some("BuildKit can since 0.31".to_owned()),
        span: spec.name.span,
    })
}

fn shorten(name: &str) -> String {
    name.chars().take(40).collect()
}

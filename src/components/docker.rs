//! `docker:` a Docker Engine inside the image, and the entrypoint that starts it when the container's `EE_DD` says so.
//!
//! The engine is the distribution's (`docker: distribution`), Docker's own packages (`provider: apt`, `version`), or
//! Docker's static release (`version`, `sha256`).

use super::debs::{Archive, Debs, Wanted, release_of};
use super::{Component, Declared, Registration};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::{Action, Part, Planner, Provided, StepId, TextFile};
use crate::resolve::{BaseFacts, Context, OsRelease, SourceArchive, SourceFields};
use crate::spec::{At, Fields, Node, Scalar, Span, Url, Value, Wish, checked, checked_version, text};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "docker", decode };

/// The program that starts the engine.
pub(super) const ENTRYPOINT: &str = "/usr/local/bin/entrypoint.sh";
const ENTRYPOINT_TEXT: &str = include_str!("scripts/entrypoint.sh");

/// What the daemon and the entrypoint need, whoever built the daemon. The names are the same from Debian 12 and
/// Ubuntu 22.04 on.
const PACKAGES: [&str; 8] =
    ["ca-certificates", "fuse-overlayfs", "iproute2", "iptables", "kmod", "openssl", "pigz", "xz-utils"];

/// The programs of Docker's static release.
const PROGRAMS: [&str; 8] = [
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "docker",
    "docker-init",
    "docker-proxy",
    "dockerd",
    "runc",
];

/// The engine's packages in Docker's archive, of one release but for the last.
const PACKAGES_OF_DOCKER: [&str; 3] = ["docker-ce", "docker-ce-cli", "containerd.io"];
/// What is in them, one file of each.
const PROGRAMS_OF_DOCKER: [&str; 3] = ["/usr/bin/dockerd", "/usr/bin/docker", "/usr/bin/containerd"];

/// Where an engine comes from.
#[derive(Debug)]
enum DockerSpec {
    /// The distribution.
    Distribution,
    /// Docker's archive of packages, or another one that is laid out like it.
    Apt { version: At<Wish>, repository: Option<At<Url>> },
    /// Docker's static release.
    Static(SourceFields),
}

/// The words for the providers.
const PROVIDERS: [&str; 2] = ["apt", "static"];

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let spec = match &node.value {
        Value::Scalar(Scalar { text, .. }) if text == "distribution" => DockerSpec::Distribution,
        Value::Map(_) => {
            let mut fields = Fields::open("`docker`", node, problems)?;
            let spec = match fields.take("provider").map(|node| provider(node, problems)) {
                Some(provider) => decode_provider(provider?, &mut fields, problems),
                None => SourceFields::decode(&mut fields, REGISTRATION.key, "28.5.2", problems)
                    .map(DockerSpec::Static),
            };
            fields.finish(problems);
            spec?
        }
        _ => DockerSpec::Static(SourceFields::decode_short("docker", REGISTRATION.key, node, problems)?),
    };
    Some(Box::new(spec))
}

fn provider(node: &Node, problems: &mut Problems) -> Option<&'static str> {
    let text = text("`provider`", node, problems)?;
    let known = PROVIDERS.into_iter().find(|word| *word == text.value);
    if known.is_none() {
        let message = format!("Docker Engine does not come from `{}`", text.value.escape_debug());
        problems.error_with_help(text.span, message, "write `apt` or `static`, or `docker: distribution`");
    }
    known
}

fn decode_provider(provider: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<DockerSpec> {
    if provider == "static" {
        return SourceFields::decode(fields, REGISTRATION.key, "28.5.2", problems).map(DockerSpec::Static);
    }
    let version = fields.require("version", "28.5.2", problems);
    let version = version.and_then(|n| checked_version(n, problems, Wish::parse));
    let repository = fields.take("repository").and_then(|n| checked("an address", n, problems, Url::parse));
    Some(DockerSpec::Apt { version: version?, repository })
}

/// Docker's archive for the distribution and the architecture of the base image. Source: Docker's manual.
fn archive(repository: Option<&At<Url>>, facts: &BaseFacts, span: Span) -> Archive {
    let release = &facts.os_release;
    let (address, span) = match repository {
        Some(url) => (url.value.to_string(), url.span),
        None => (format!("https://download.docker.com/linux/{}", release.id), span),
    };
    let directory = format!("dists/{}/stable/binary-{}/", release.codename, facts.architecture);
    Archive::suite(&address, &directory, span)
}

impl Declared for DockerSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn indexes(&self, facts: &BaseFacts) -> Vec<At<String>> {
        match self {
            Self::Apt { version, repository } => {
                vec![archive(repository.as_ref(), facts, version.span).index]
            }
            Self::Distribution | Self::Static(_) => Vec::new(),
        }
    }

    fn installs(&self, _: &Context<'_>) -> Vec<String> {
        let engine = match self {
            // Its packages are the system's, on which files may be laid.
            Self::Distribution => Vec::new(),
            Self::Apt { .. } => PROGRAMS_OF_DOCKER.map(str::to_owned).into(),
            Self::Static(_) => PROGRAMS.map(place_of).into(),
        };
        [vec![ENTRYPOINT.to_owned()], engine].concat()
    }

    fn keep(&mut self, lock: &PlatformLock) {
        if let Self::Static(source) = self {
            source.keep(REGISTRATION.key, REGISTRATION.key, lock);
        }
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        match self {
            Self::Distribution => None,
            Self::Apt { version, repository } => {
                let archive = archive(repository.as_ref(), context.facts, version.span);
                let release = archive.newest(PACKAGES_OF_DOCKER[0], version, context);
                (!release.is_empty()).then(|| (version.clone(), release))
            }
            Self::Static(source) => Some((source.wish.clone(), source.version.to_string())),
        }
    }

    fn resolve(&self, context: &Context<'_>, _: Span, problems: &mut Problems) -> Option<Box<dyn Component>> {
        let facts = context.facts;
        Some(Box::new(match self {
            Self::Distribution => Docker::Distribution(distribution_packages(&facts.os_release)),
            Self::Static(source) => {
                Docker::Static(source.resolve_built(REGISTRATION.key, context, problems)?)
            }
            Self::Apt { version, repository } => {
                let archive = archive(repository.as_ref(), facts, version.span);
                let release = archive.newest(PACKAGES_OF_DOCKER[0], version, context);
                let is_of_release = |have: &str| release_of(have) == release;
                let wanted = PACKAGES_OF_DOCKER.map(|name| Wanted {
                    name: At::new(name.to_owned(), version.span),
                    // containerd has releases of its own.
                    fits: Box::new(move |have| name == "containerd.io" || is_of_release(have)),
                });
                Docker::Apt(release.clone(), archive.select(&wanted, |_| false, context, problems)?)
            }
        }))
    }
}

/// The packages of the distribution's engine. Debian parted the client from the daemon in release 13.
fn distribution_packages(release: &OsRelease) -> &'static [&'static str] {
    let major: Option<u32> = release.version_id.split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(major) if release.id == "debian" && major >= 13 => &["docker-cli", "docker.io"],
        _ => &["docker.io"],
    }
}

/// An engine, chosen.
#[derive(Debug)]
enum Docker {
    Distribution(&'static [&'static str]),
    Apt(String, Debs),
    Static(SourceArchive),
}

impl Component for Docker {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let text = ENTRYPOINT_TEXT.to_owned();
        let entrypoint = TextFile { path: ENTRYPOINT.to_owned(), mode: 0o755, text };
        let mut tree = planner.files("[docker] entrypoint".to_owned(), vec![entrypoint]);
        let mut packages: Vec<_> = PACKAGES.iter().map(|&name| name.to_owned()).collect();
        let version = match self {
            Self::Static(source) => {
                tree = plan_static(source, tree, span, planner);
                source.version.to_string()
            }
            Self::Apt(version, debs) => {
                let unpacked = debs.plan(&format!("docker {version}"), span, planner);
                planner.provide(Provided {
                    records: Some(unpacked.records),
                    packages: debs.selection.distribution.clone(),
                    ..Provided::new("docker-engine", version.clone(), unpacked.tree, span)
                });
                version.clone()
            }
            Self::Distribution(engine) => {
                packages.extend(engine.iter().map(|&name| name.to_owned()));
                "distribution".to_owned()
            }
        };
        planner.provide(Provided {
            packages,
            env: vec![
                ("DOCKER_TLS_CERTDIR".to_owned(), "/certs".to_owned()),
                ("EE_DD".to_owned(), "false".to_owned()),
            ],
            entrypoint: Some(vec![ENTRYPOINT.to_owned()]),
            ..Provided::new(REGISTRATION.key, version, tree, span)
        });
    }
}

/// Where a program of the static release lies in the image.
fn place_of(program: &str) -> String {
    format!("/usr/local/bin/{program}")
}

/// The programs of the static release, and the entrypoint.
fn plan_static(source: &SourceArchive, entrypoint: StepId, span: Span, planner: &mut Planner) -> StepId {
    let label = format!("docker {}", source.version);
    let from = planner.source(&label, source);
    let parts = PROGRAMS.map(|name| Part::program(format!("/docker/{name}"), place_of(name))).into();
    let placed = planner.step(format!("[{label}] put in place"), span, Action::Place { from, parts });
    planner.step(format!("[{label}] collect"), span, Action::Collect(vec![placed, entrypoint]))
}

//! `docker:` a Docker Engine inside the image, and the entrypoint that starts it when the container's `EE_DD` says so.
//!
//! The engine is the distribution's (`docker: distribution`), or Docker's static release (`version`, `sha256`).

use super::{Component, Declared, Registration};
use crate::diagnostic::Problems;
use crate::plan::{Action, Part, Planner, Provided, TextFile};
use crate::resolve::{Context, OsRelease, SourceArchive, SourceFields};
use crate::spec::{Node, Scalar, Span, Value};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "docker", decode };

const ENTRYPOINT: &str = "/usr/local/bin/entrypoint.sh";
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

#[derive(Debug)]
struct DockerSpec {
    /// Docker's own release; none for the distribution's package.
    source: Option<SourceFields>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    if matches!(&node.value, Value::Scalar(Scalar { text, .. }) if text == "distribution") {
        return Some(Box::new(DockerSpec { source: None }));
    }
    let source = SourceFields::decode_short("docker", node, problems)?;
    Some(Box::new(DockerSpec { source: Some(source) }))
}

impl Declared for DockerSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn resolve(&self, context: &Context<'_>, _: Span, problems: &mut Problems) -> Option<Box<dyn Component>> {
        let source = match &self.source {
            None => None,
            Some(source) => {
                let name = format!("docker-{}", context.facts.architecture);
                Some(source.resolve(&name, problems)?)
            }
        };
        Some(Box::new(Docker { source, engine: distribution_packages(&context.facts.os_release) }))
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

#[derive(Debug)]
struct Docker {
    source: Option<SourceArchive>,
    engine: &'static [&'static str],
}

impl Component for Docker {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let text = ENTRYPOINT_TEXT.to_owned();
        let entrypoint = TextFile { path: ENTRYPOINT.to_owned(), mode: 0o755, text };
        let mut tree = planner.files("[docker] entrypoint".to_owned(), vec![entrypoint]);
        let mut packages: Vec<_> = PACKAGES.iter().map(|&name| name.to_owned()).collect();
        let version = match &self.source {
            Some(source) => {
                let label = format!("docker {}", source.version);
                let from = planner.source(&label, source);
                let parts = PROGRAMS
                    .iter()
                    .map(|name| Part::program(format!("/docker/{name}"), format!("/usr/local/bin/{name}")));
                let parts = parts.collect();
                let placed =
                    planner.step(format!("[{label}] put in place"), span, Action::Place { from, parts });
                tree = planner.step(format!("[{label}] collect"), span, Action::Collect(vec![placed, tree]));
                source.version.to_string()
            }
            None => {
                packages.extend(self.engine.iter().map(|&name| name.to_owned()));
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

//! `openvino:` OpenVINO's runtime, with its telemetry turned off.

use super::releases::{alternatives, choose, is_outside, row_of};
use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{Alternative, Component, Declared, Registration, one_brought};
use crate::catalog::OpenVinoReleases;
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::{Planner, Provided, TextFile};
use crate::resolve::Context;
use crate::spec::{At, Node, Span, Wish, checked_version};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "openvino", decode };

/// Where OpenVINO looks for the user's consent: below the home directory, which is `/` for users who have none.
const CONSENT: [&str; 2] = ["/root/intel/openvino_telemetry", "/intel/openvino_telemetry"];

#[derive(Debug)]
struct OpenVinoSpec {
    version: At<Wish>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let version = checked_version(node, problems, Wish::parse)?;
    Some(Box::new(OpenVinoSpec { version }))
}

impl Declared for OpenVinoSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn keep(&mut self, lock: &PlatformLock) {
        lock.keep(REGISTRATION.key, &mut self.version, &["openvino"]);
    }

    fn brings(&self, context: &Context<'_>) -> Vec<(String, At<String>)> {
        let release = self.version(context, &mut Problems::default());
        one_brought(REGISTRATION.key, release, self.version.span)
    }

    fn choice(&self, context: &Context<'_>) -> Option<(At<Wish>, String)> {
        let version = self.version(context, &mut Problems::default())?;
        Some((self.version.clone(), version))
    }

    fn alternatives(&self, context: &Context<'_>) -> Vec<Alternative> {
        alternatives(REGISTRATION.key, &self.version, &rows(context), |version| Box::new(Self { version }))
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems)?;
        let version = self.version(context, problems)?;
        let refusal = row_of(&version, &rows(context)).and_then(|row| refusal(&version, row, context));
        refusal.into_iter().for_each(|reason| problems.error(self.version.span, reason));
        Some(Box::new(OpenVino(Wheels(WheelRequest {
            requirements: vec![format!("openvino=={version}")],
            packages: patterns(&["openvino*"]),
            ..WheelRequest::new(REGISTRATION.key, &version, installer, span)
        }))))
    }
}

impl OpenVinoSpec {
    fn version(&self, context: &Context<'_>, problems: &mut Problems) -> Option<String> {
        let fits = |row: &OpenVinoReleases| refusal(&row.versions.1, row, context).is_none();
        choose(REGISTRATION.key, &self.version, &rows(context), fits, problems)
    }
}

fn rows<'c>(context: &Context<'c>) -> Vec<&'c OpenVinoReleases> {
    context.catalog.openvino.iter().collect()
}

/// Why a release does not fit the Python of the spec: nothing where it does, or where nobody knows.
fn refusal(version: &str, row: &OpenVinoReleases, context: &Context<'_>) -> Option<String> {
    let series = context.python_home()?.series;
    let architecture = &context.facts.architecture;
    let range = if architecture == "arm64" { row.python_arm64 } else { row.python };
    is_outside(series, range)
        .then(|| format!("openvino {version} has no wheels for Python 3.{series} on {architecture}"))
}

#[derive(Debug)]
struct OpenVino(Wheels);

impl Component for OpenVino {
    fn plan(&self, span: Span, planner: &mut Planner) {
        self.0.plan(span, planner);
        let refusal = |path: &str| TextFile { path: path.to_owned(), mode: 0o644, text: "0".to_owned() };
        let files = CONSENT.iter().map(|path| refusal(path)).collect();
        let tree = planner.files("[openvino] no telemetry".to_owned(), files);
        planner.provide(Provided::new("openvino-telemetry", "off", tree, span));
    }
}

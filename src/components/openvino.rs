//! `openvino:` OpenVINO's runtime, with its telemetry turned off.

use super::wheels::{WheelRequest, Wheels, installer, patterns};
use super::{Component, Declared, Registration};
use crate::diagnostic::Problems;
use crate::plan::{Planner, Provided, TextFile};
use crate::resolve::Context;
use crate::spec::{At, Node, Span, Version, checked};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "openvino", decode };

/// Where OpenVINO looks for the user's consent: below the home directory, which is `/` for users who have none.
const CONSENT: [&str; 2] = ["/root/intel/openvino_telemetry", "/intel/openvino_telemetry"];

#[derive(Debug)]
struct OpenVinoSpec {
    version: At<Version>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let version = checked("a version", node, problems, Version::parse)?;
    Some(Box::new(OpenVinoSpec { version }))
}

impl Declared for OpenVinoSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn resolve(
        &self,
        context: &Context<'_>,
        span: Span,
        problems: &mut Problems,
    ) -> Option<Box<dyn Component>> {
        let installer = installer(REGISTRATION.key, context, span, problems)?;
        Some(Box::new(OpenVino(Wheels(WheelRequest {
            requirements: vec![format!("openvino=={}", self.version)],
            packages: patterns(&["openvino*"]),
            ..WheelRequest::new(REGISTRATION.key, self.version.value.as_str(), installer, span)
        }))))
    }
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

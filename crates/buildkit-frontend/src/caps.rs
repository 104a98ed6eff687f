//! What the daemon can do.

use std::collections::BTreeSet;

use buildkit_proto::{apicaps::ApiCap, caps::gateway, frontend::PongResponse};

/// The daemon's capabilities. One that is listed but not enabled counts as absent.
#[derive(Clone, Debug, Default)]
pub struct Capabilities {
    llb: BTreeSet<String>,
    gateway: BTreeSet<String>,
}

impl Capabilities {
    pub(crate) fn new(pong: &PongResponse) -> Self {
        let enabled = |caps: &[ApiCap]| {
            caps.iter().filter(|cap| cap.enabled).map(|cap| cap.id.clone()).collect::<BTreeSet<_>>()
        };
        let mut gateway = enabled(&pong.frontend_api_caps);
        if pong.frontend_api_caps.is_empty() {
            // Daemons that list nothing are from before the lists, and have these.
            gateway
                .extend([gateway::SOLVE_BASE, gateway::RESOLVE_IMAGE, gateway::READ_FILE].map(str::to_owned));
        }
        Self { llb: enabled(&pong.llb_caps), gateway }
    }

    /// Whether the daemon solves LLB that uses this capability.
    pub fn llb(&self, id: &str) -> bool {
        self.llb.contains(id)
    }

    /// Whether the daemon's gateway has this capability.
    pub fn gateway(&self, id: &str) -> bool {
        self.gateway.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disabled_is_absent() {
        let cap = |id: &str, enabled| ApiCap { id: id.into(), enabled, ..ApiCap::default() };
        let llb_caps = vec![cap("mergeop", false), cap("diffop", true)];
        let caps = Capabilities::new(&PongResponse { llb_caps, ..PongResponse::default() });
        assert!(!caps.llb("mergeop") && caps.llb("diffop") && !caps.llb("other"));
        assert!(caps.gateway("solve.base") && !caps.gateway("gateway.warnings"));
    }
}

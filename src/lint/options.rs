//! `--build-arg BUILDKIT_DOCKERFILE_CHECK=…`, by which clients steer the checks of any frontend.

use super::{Finding, Severity};

/// The build argument. Source: the Dockerfile reference, "check".
pub(crate) const CHECK_ARG: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// What the client asks of the checks: `skip=all`, `skip=RuleA,RuleB` and `error=true`, with `;` in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    skip: Vec<String>,
    /// Whether findings end a build.
    pub error: bool,
}

impl CheckOptions {
    /// Reads the argument's value.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("skip", rules)) => {
                    options.skip.extend(rules.split(',').map(|rule| rule.trim().to_owned()))
                }
                Some(("error", "true" | "1")) => options.error = true,
                Some(("error", "false" | "0")) => options.error = false,
                // Checks that a Dockerfile may switch on; there are none here.
                Some(("experimental", _)) => {}
                _ => {
                    return Err(format!(
                        "{CHECK_ARG} is `skip=all`, `skip=RuleA,RuleB` or `error=true`, with `;` in between, not `{part}`"
                    ));
                }
            }
        }
        Ok(options)
    }

    /// Whether a finding is of interest.
    pub fn wants(&self, finding: &Finding) -> bool {
        !self.skip.iter().any(|rule| rule == "all" || rule.eq_ignore_ascii_case(finding.rule.id))
    }

    /// Whether a check with these findings fails.
    pub fn fails(findings: &[Finding]) -> bool {
        findings.iter().any(|finding| finding.rule.severity >= Severity::Medium)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        let options = CheckOptions::parse("skip=NoTests, UnpinnedBase;error=true").expect("understood");
        assert_eq!(options.skip, ["NoTests", "UnpinnedBase"]);
        assert!(options.error);
        assert_eq!(CheckOptions::parse("").expect("understood"), CheckOptions::default());
        assert!(!CheckOptions::parse("experimental=all;error=0").expect("understood").error);
        for bad in ["skip", "error=maybe", "nonsense=1", "\u{0}"] {
            assert!(CheckOptions::parse(bad).is_err(), "{bad:?} is taken");
        }
    }
}

//! Versions and compute capabilities as numbers.

use std::cmp::Ordering;
use std::fmt;

/// The numbers of a version: `[12, 8]` for `12.8`. What is no number ends it.
pub fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

/// The order of two versions by their numbers. Zeros at the end do not count: `2.4` is `2.4.0`.
pub fn compare(a: &str, b: &str) -> Ordering {
    let trimmed = |version: &str| {
        let mut numbers = numbers(version);
        let length = numbers.iter().rposition(|number| *number != 0).map_or(0, |last| last + 1);
        numbers.truncate(length);
        numbers
    };
    trimmed(a).cmp(&trimmed(b))
}

/// Whether a version lies between two others, both included.
pub fn between(version: &str, first: &str, last: &str) -> bool {
    compare(version, first).is_ge() && compare(version, last).is_le()
}

/// What NVIDIA calls the compute capability of a GPU: 8.6 for an A10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capability {
    /// Machine code runs within one major number only.
    pub major: u32,
    /// Machine code runs on the same or a higher minor number.
    pub minor: u32,
}

impl Capability {
    /// Reads `8.6`, or `sm_86`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = match text.strip_prefix("sm_") {
            Some(digits) => digits.split_at_checked(digits.len().checked_sub(1)?)?,
            None => text.split_once('.')?,
        };
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }

    /// Whether code for `self` runs on a GPU of capability `gpu`. Source: CUDA's programming guide, "binary compatibility".
    pub fn runs_on(self, gpu: Self) -> bool {
        self.major == gpu.major && self.minor <= gpu.minor
    }
}

/// The compute capabilities that something is made for, as far as they are known.
#[derive(Clone, Debug)]
pub struct Gpus {
    /// The oldest.
    pub oldest: Option<Capability>,
    /// The newest.
    pub newest: Option<Capability>,
    /// Those between that it is not made for.
    pub without: Vec<Capability>,
}

impl Gpus {
    /// Whether a GPU is too old.
    pub fn dropped(&self, gpu: Capability) -> bool {
        self.oldest.is_some_and(|oldest| gpu < oldest)
    }

    /// Whether a GPU is too new, or was left out.
    pub fn lack(&self, gpu: Capability) -> bool {
        self.newest.is_some_and(|newest| gpu > newest) || self.without.contains(&gpu)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number() {
        assert!(compare("2.10.0", "2.9.1").is_gt());
        assert!(compare("2.4", "2.4.0").is_eq() && compare("2.4.1", "2.4").is_gt());
        assert!(between("570.26", "560", "580"));
        assert!(!between("2.15.0", "2.1.0", "2.14.1"));
    }

    #[test]
    fn code_runs_on_the_same_or_a_higher_minor_number() {
        let capability = |text| Capability::parse(text).expect("a capability");
        assert!(capability("8.6").runs_on(capability("sm_89")));
        assert!(!capability("8.9").runs_on(capability("8.6")));
        assert!(!capability("9.0").runs_on(capability("sm_120")));
        assert_eq!(Capability::parse("sm_"), None);
        assert_eq!(Capability::parse("T4"), None);
    }
}

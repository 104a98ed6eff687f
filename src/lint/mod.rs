//! What is not wrong with a spec but could be better. `docker buildx build --check` shows it; the worst of it is said
//! during builds as well.
//!
//! A rule is one entry of a table beside its function. Its examples are part of the entry: `docs/lint.md` shows them, and
//! the tests try them. Rules look at the text of the spec, with everything it extends merged into it, whose values the
//! loader has already checked.

mod base;
mod docs;
mod image;
mod options;
mod packages;
mod python;
mod settings;
mod subject;

pub use docs::document;
pub(crate) use options::CHECK_ARG;
pub use options::CheckOptions;
pub use settings::{Ignore, LintSettings};
pub use subject::Subject;

use crate::spec::{Span, Spec};

/// How much a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a thought. `--check` shows it and succeeds.
    Low,
    /// Will bite some day. `--check` shows it and fails.
    Medium,
    /// Wrong or dangerous today. `--check` fails, and builds say it, too.
    High,
}

impl Severity {
    /// Its word in the documentation.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A rule that specs can break.
#[derive(Debug)]
pub struct Rule {
    /// Its name, by which findings are known and silenced.
    pub id: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What it asks for, in a sentence.
    pub asks: &'static str,
    /// Why, and what to write instead.
    pub why: &'static str,
    /// Fields of a spec that break it.
    pub bad: &'static str,
    /// The same fields as they should be, with a lock beside them.
    pub good: &'static str,
    /// The places that break it, each with what to do there.
    pub find: fn(&Subject<'_>) -> Vec<(Span, String)>,
}

impl Rule {
    /// Where the rule is explained.
    pub fn page(&self) -> String {
        format!("docs/lint.md#{}", self.id.to_ascii_lowercase())
    }
}

/// A place where a rule is broken.
#[derive(Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Where.
    pub span: Span,
    /// What would be better.
    pub detail: String,
}

/// All rules, by what they are about.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [base::RULES, python::RULES, packages::RULES, image::RULES, settings::RULES].into_iter().flatten()
}

/// Everything that could be better with a spec, beside which a lock lies or not, in the order of the text.
pub fn lint(spec: &Spec, locked: bool) -> Vec<Finding> {
    let subject = Subject::new(spec, locked);
    let mut findings = broken(&subject, |_| true);
    findings.retain(|finding| !spec.lint.ignores(finding.rule));
    findings.sort_by_key(|finding| finding.span);
    findings
}

/// What breaks one of the `wanted` rules, whether the spec ignores it or not.
fn broken(subject: &Subject<'_>, wanted: impl Fn(&Rule) -> bool) -> Vec<Finding> {
    rules()
        .filter(|rule| wanted(rule))
        .flat_map(|rule| {
            (rule.find)(subject).into_iter().map(move |(span, detail)| Finding { rule, span, detail })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    /// The findings of a spec without a lock that has these fields besides its name and base.
    fn found(fields: &str) -> Vec<(&'static str, Span)> {
        found_beside(fields, false)
    }

    /// The same of a spec beside which a lock lies or not.
    fn found_beside(fields: &str, locked: bool) -> Vec<(&'static str, Span)> {
        let base = if fields.contains("base:") { "" } else { "base: debian:13\n" };
        let text = format!("name: n\n{base}{fields}");
        let spec = parse(&text).unwrap_or_else(|found| panic!("{text}\n{found:#?}"));
        lint(&spec, locked).iter().map(|finding| (finding.rule.id, finding.span)).collect()
    }

    #[test]
    fn each_rule_finds_its_bad_example_and_no_more_its_good_one() {
        for rule in rules() {
            let bad = found(rule.bad);
            assert!(bad.iter().any(|(id, _)| *id == rule.id), "{} misses its bad example: {bad:?}", rule.id);
            let good = found_beside(rule.good, true);
            assert!(good.iter().all(|(id, _)| *id != rule.id), "{} finds its good example", rule.id);
        }
    }

    #[test]
    fn rules_have_names_of_their_own_and_words() {
        let mut ids: Vec<_> = rules().map(|rule| rule.id).collect();
        assert!(ids.len() >= 25, "{} rules", ids.len());
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), rules().count(), "two rules share a name");
        for rule in rules() {
            assert!(rule.id.chars().all(|c| c.is_ascii_alphanumeric()), "{}", rule.id);
            assert!(!rule.asks.is_empty() && rule.why.len() > 40, "{} lacks words", rule.id);
        }
    }

    #[test]
    fn findings_come_in_the_order_of_the_text_with_their_places() {
        let text = "status: experimental\npython: {version: 3.13.5}\nwheels: {requirements: [six, numpy==2.2.6]}\n\
                    env: {HF_TOKEN: abc, TOKEN_FILE: /x, EMPTY_TOKEN: ''}\n";
        let places: Vec<_> = found(text)
            .into_iter()
            .filter(|(id, _)| ["NotInProduction", "FloatingRequirement", "SecretInEnv"].contains(id))
            .map(|(id, span)| format!("{span} {id}"))
            .collect();
        assert_eq!(places, ["3:9 NotInProduction", "5:25 FloatingRequirement", "6:7 SecretInEnv"]);
    }

    #[test]
    fn a_user_that_the_base_image_has_is_known() {
        let is_known = |base: &str, user: &str| {
            let found = found(&format!("base: {base}\nuser: {user}\n"));
            found.iter().all(|(id, _)| *id != "UnknownUser")
        };
        assert!(is_known("ubuntu:24.04", "ubuntu") && is_known("ubuntu:noble-20251117", "ubuntu"));
        assert!(!is_known("ubuntu:22.04", "ubuntu") && !is_known("debian:13", "ubuntu"));
        assert!(is_known("debian:13", "www-data") && !is_known("ubuntu:24.04", "node"));
    }

    /// What is told of a spec by one rule.
    fn details(id: &str, fields: &str) -> Vec<String> {
        let spec = parse(&format!("name: n\nbase: debian:13\n{fields}")).expect("a spec");
        let findings = lint(&spec, true).into_iter().filter(|finding| finding.rule.id == id);
        findings.map(|finding| finding.detail).collect()
    }

    #[test]
    fn flavours_that_are_not_installed_are_not_said_to_be() {
        let told = |flavour: &str, package: &str| {
            let onnxruntime = format!("onnxruntime: {{version: 1.23.2, flavour: {flavour}}}\n");
            let wheels =
                format!("python: {{version: 3.13.5}}\nwheels: {{requirements: [{package}==1.23.2]}}\n");
            details("ShadowedRequirement", &format!("{onnxruntime}{wheels}")).concat()
        };
        let installs = |package| format!("`onnxruntime:` installs `{package}`; leave it out here");
        assert_eq!(told("cpu", "onnxruntime"), installs("onnxruntime"));
        assert_eq!(told("gpu", "onnxruntime-gpu"), installs("onnxruntime-gpu"));
        let other = "`onnxruntime:` has the flavour `cpu`, beside which `onnxruntime-gpu` is not installed; leave it out here, \
                     or write `flavour: gpu` there";
        assert_eq!(told("cpu", "onnxruntime-gpu"), other);
        assert!(told("openvino", "onnxruntime").ends_with("or write `flavour: cpu` there"));
        let bare =
            "python: {version: 3.13.5}\nonnxruntime: 1.23.2\nwheels: {requirements: [onnxruntime-gpu]}\n";
        assert_eq!(details("ShadowedRequirement", bare), [other]);
    }

    #[test]
    fn a_newer_node_is_told_where_its_digest_is() {
        let told = details("EndOfLifeNode", "nodejs: 20.19.5\n").concat();
        assert!(told.contains("take 22 or 24, with `sha256` from nodejs.org's SHASUMS256.txt"), "{told}");
        let newer = format!("nodejs: {{version: 24.11.1, sha256: {}}}\n", "0".repeat(64));
        assert_eq!(details("EndOfLifeNode", &newer), [""; 0]);
    }

    #[test]
    fn a_good_spec_breaks_none() {
        let digest = "a".repeat(64);
        let text = format!(
            "base: debian:13@sha256:{digest}\nstatus: production\nplatforms: [linux/amd64]\nuser: nobody\n\
             tests: [{{name: t, run: [ls]}}]\n"
        );
        assert_eq!(found(&text), []);
    }

    #[test]
    fn a_rule_is_silenced_with_a_reason() {
        let ignore =
            "lint: {ignore: [{rule: UnpinnedBase, reason: it follows the distribution's updates}]}\n";
        assert!(found("").iter().any(|(id, _)| *id == "UnpinnedBase"));
        assert!(found(ignore).iter().all(|(id, _)| *id != "UnpinnedBase"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(fields in "(env: \\{A: \"[^\"\\\\\\p{C}]{0,20}\"\\}\n)?(cmd: \\[\"[^\"\\\\\\p{C}]{1,20}\"\\]\n)?") {
            // As it stands, `${…}` would ask for an argument, which the spec does not have.
            let _ = found(&fields.replace("${", "$${"));
        }
    }
}

//! What is not wrong with a spec but could be better. `docker buildx build --check` shows it.

use crate::spec::{Span, Spec, Status};

/// A rule that specs can break.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, by which findings are known.
    pub name: &'static str,
    /// What it asks for.
    pub description: &'static str,
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

const UNPINNED_BASE: Rule =
    Rule { name: "UnpinnedBase", description: "The base image should be named by its digest" };
const FLOATING_REQUIREMENT: Rule =
    Rule { name: "FloatingRequirement", description: "Python requirements should name one version" };
const NO_TESTS: Rule = Rule { name: "NoTests", description: "A spec should say what must hold in its image" };
const SECRET_IN_ENV: Rule =
    Rule { name: "SecretInEnv", description: "Secrets should not be part of the image's environment" };
const NOT_IN_PRODUCTION: Rule =
    Rule { name: "NotInProduction", description: "Nodes in production should not run this spec" };

/// Everything that could be better, in the order of the text.
pub fn lint(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |rule: &'static Rule, span: Span, detail: String| {
        findings.push(Finding { rule, span, detail });
    };
    if !spec.base.value.has_digest() {
        find(&UNPINNED_BASE, spec.base.span, format!("add `@sha256:…` to `{}`", spec.base));
    }
    if let Some(status) = spec.status.as_ref().filter(|status| status.value != Status::Production) {
        find(&NOT_IN_PRODUCTION, status.span, format!("its status is `{}`", status.value.word()));
    }
    if spec.tests.is_empty() {
        find(
            &NO_TESTS,
            spec.name.span,
            "add `tests:` with a program that must succeed in the image".to_owned(),
        );
    }
    for (name, value) in &spec.image.env {
        if is_secret(name.value.as_str()) && !value.value.is_empty() {
            let detail =
                format!("everyone who has the image can read `{name}`; give it to the container instead");
            find(&SECRET_IN_ENV, name.span, detail);
        }
    }
    for requirement in spec.components.iter().flat_map(|component| component.value.requirements()) {
        if !requirement.value.as_str().contains("==") {
            let detail = format!("`{requirement}` is another release tomorrow; write `==` and a version");
            find(&FLOATING_REQUIREMENT, requirement.span, detail);
        }
    }
    findings.sort_by_key(|finding| finding.span);
    findings
}

/// Whether a variable's name says that its value is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "CREDENTIALS"];
    words.iter().any(|word| name.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    fn rules(text: &str) -> Vec<String> {
        let spec = parse(text).expect("a valid spec");
        lint(&spec).iter().map(|finding| format!("{} {}", finding.span, finding.rule.name)).collect()
    }

    #[test]
    fn each_rule_is_broken_where_it_is_broken() {
        let text = "name: n\nbase: debian:13\nstatus: experimental\npython: {version: 3.13.5}\n\
                    wheels: {requirements: [six, numpy==2.2.6]}\nenv: {HF_TOKEN: abc, TOKEN_FILE: /x, EMPTY_TOKEN: ''}\n";
        let expected = [
            "1:7 NoTests",
            "2:7 UnpinnedBase",
            "3:9 NotInProduction",
            "5:25 FloatingRequirement",
            "6:7 SecretInEnv",
        ];
        assert_eq!(rules(text), expected);
    }

    #[test]
    fn a_good_spec_breaks_none() {
        let digest = "a".repeat(64);
        let text = format!(
            "name: n\nbase: debian:13@sha256:{digest}\nstatus: production\ntests: [{{name: t, run: [ls]}}]\n"
        );
        assert_eq!(rules(&text), [""; 0]);
    }
}

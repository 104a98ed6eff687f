//! `lint:` which rules a spec does not keep, and why.

use super::{Rule, Severity, Subject, broken, rules};
use crate::diagnostic::Problems;
use crate::spec::{At, Fields, Node, Span, items, text};
use crate::suggest::nearest;

/// What the spec says about its rules.
#[derive(Debug, Default)]
pub struct LintSettings {
    /// The rules that it does not keep.
    pub ignore: Vec<Ignore>,
}

/// A rule that a spec does not keep.
#[derive(Debug)]
pub struct Ignore {
    /// The rule.
    pub rule: At<&'static Rule>,
    /// Why, for whoever reads the spec.
    pub reason: At<String>,
}

impl LintSettings {
    /// Reads `lint:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("`lint`", node, problems)?;
        let ignore = match fields.take("ignore") {
            Some(node) => items("`ignore`", node, problems, Ignore::decode),
            None => Vec::new(),
        };
        fields.finish(problems);
        Some(Self { ignore })
    }

    /// Whether the spec says that it does not keep a rule.
    pub fn ignores(&self, rule: &Rule) -> bool {
        self.ignore.iter().any(|ignore| ignore.rule.value.id == rule.id)
    }
}

impl Ignore {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("an entry of `ignore`", node, problems)?;
        let rule = fields.require("rule", "UnpinnedBase", problems);
        let rule = rule.and_then(|node| known(node, problems));
        let reason = fields.require("reason", "it follows the distribution's updates", problems);
        let reason = reason.and_then(|node| text("`reason`", node, problems));
        fields.finish(problems);
        Some(Self { rule: rule?, reason: reason? })
    }
}

fn known(node: &Node, problems: &mut Problems) -> Option<At<&'static Rule>> {
    let id = text("`rule`", node, problems)?;
    if let Some(rule) = rules().find(|rule| rule.id == id.value) {
        return Some(At::new(rule, id.span));
    }
    let near = rules().map(|rule| rule.id).find(|known| known.eq_ignore_ascii_case(&id.value));
    let help = match near.or_else(|| nearest(&id.value, rules().map(|rule| rule.id))) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "docs/lint.md lists them".to_owned(),
    };
    problems.error_with_help(id.span, format!("there is no rule `{}`", id.value.escape_debug()), help);
    None
}

pub(super) const RULES: &[Rule] = &[USELESS_IGNORE, UNUSED_ARG];

const UNUSED_ARG: Rule = Rule {
    id: "UnusedArg",
    severity: Severity::Medium,
    asks: "An argument should be used",
    why: "Whoever sets it with `--build-arg` believes that it changes the image. Write `${NAME}` where it belongs, or take it out. \
          Nothing is put into the words of programs (`run`, `entrypoint`, `cmd`).",
    bad: "args: {DIR: /srv}\n",
    good: "args: {DIR: /srv}\nworkdir: ${DIR}/app\n",
    find: unused_arg,
};

fn unused_arg(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let unused = subject.spec.args.iter().filter(|arg| !arg.used);
    unused.map(|arg| (arg.name.span, format!("nothing in the spec is `${{{}}}`", arg.name))).collect()
}

const USELESS_IGNORE: Rule = Rule {
    id: "UselessIgnore",
    severity: Severity::Medium,
    asks: "Only rules that the spec breaks should be ignored",
    why: "An entry of `lint.ignore` that silences nothing hides the next real finding. Remove it.",
    bad: "lint: {ignore: [{rule: SetuidFile, reason: the tool needs it}]}\n",
    good: "lint: {ignore: [{rule: UnpinnedBase, reason: it follows the distribution's updates}]}\n",
    find: useless,
};

fn useless(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let ignored = subject.spec.lint.ignore.iter().filter(|ignore| ignore.rule.value.id != USELESS_IGNORE.id);
    let ignored: Vec<_> = ignored.collect();
    if ignored.is_empty() {
        return Vec::new();
    }
    let found = broken(subject, |rule| rule.id != USELESS_IGNORE.id);
    ignored
        .into_iter()
        .filter(|ignore| found.iter().all(|finding| finding.rule.id != ignore.rule.value.id))
        .map(|ignore| (ignore.rule.span, format!("the spec keeps `{}`", ignore.rule.value.id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::spec::parse;

    #[test]
    fn a_rule_is_known_and_has_a_reason() {
        for (lint, expected) in [
            (
                "{ignore: [{rule: UnpinedBase, reason: x}]}",
                "no rule `UnpinedBase`; did you mean `UnpinnedBase`?",
            ),
            ("{ignore: [{rule: unpinnedbase, reason: x}]}", "did you mean `UnpinnedBase`?"),
            ("{ignore: [{rule: Nonsense, reason: x}]}", "docs/lint.md lists them"),
            ("{ignore: [{rule: UnpinnedBase}]}", "lacks the field `reason`"),
            ("{ignored: []}", "did you mean `ignore`?"),
        ] {
            let found = parse(&format!("name: n\nbase: debian:13\nlint: {lint}\n")).expect_err("refused");
            let lines: String = found.iter().map(|found| found.line()).collect();
            assert!(lines.contains(expected), "{expected:?} is not in {lines:?}");
        }
    }
}

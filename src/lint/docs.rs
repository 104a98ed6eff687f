//! `docs/lint.md`, written from the rules.

use super::rules;

const INTRODUCTION: &str = "# What `--check` looks for

`docker buildx build --check` reads a spec, builds nothing, and shows what is not wrong with it but could be better. This
page is written from the rules in `src/lint`, and a test keeps it so.

| severity | `--check` | builds |
| --- | --- | --- |
| high | shows it and fails | show it as a warning, at most ten of them |
| medium | shows it and fails | are silent |
| low | shows it and succeeds | are silent |

A spec that does not keep a rule says so, with the reason for whoever reads it next:

```yaml
lint:
  ignore:
    - rule: UnpinnedBase
      reason: the base follows the distribution's security updates
```

`--build-arg BUILDKIT_DOCKERFILE_CHECK=…` works as for Dockerfiles: `skip=all` or `skip=RuleA,RuleB` leaves rules out, and
`error=true` lets findings of high and medium severity end a build.
";

/// The page.
pub fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n| rule | severity | what it asks for |\n| --- | --- | --- |\n");
    for rule in rules() {
        let anchor = rule.id.to_ascii_lowercase();
        text.push_str(&format!("| [{}](#{anchor}) | {} | {} |\n", rule.id, rule.severity.word(), rule.asks));
    }
    for rule in rules() {
        text.push_str(&format!(
            "\n## {}\n\n{} ({}).\n\n{}\n",
            rule.id,
            rule.asks,
            rule.severity.word(),
            rule.why
        ));
        text.push_str(&format!(
            "\nFound:\n\n```yaml\n{}```\n\n{}:\n\n```yaml\n{}```\n",
            rule.bad,
            if rule.bad == rule.good { "Better, with a lock beside the spec" } else { "Better" },
            rule.good
        ));
    }
    text
}

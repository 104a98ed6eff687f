//! `tag:` the schema of an image's tag: words, and versions in braces.
//!
//! `{python}` is a whole version, `{python.minor}` its first two numbers, `{python.major}` its first. A name is that of a
//! component, of a Python package, `cuda`, `machine` (`x86_64` or `aarch64`) or `base.tag`, the tag of the base image.

use std::collections::BTreeMap;
use std::fmt;

use super::grammar::ImageReference;

/// A schema of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSchema {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Word(String),
    Version { name: String, precision: Precision },
}

/// How much of a version is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Full,
    Minor,
    Major,
}

const HELP: &str = "write a tag such as `py{python.minor}-th{torch.minor}`";

impl TagSchema {
    /// Reads a schema.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((word, behind)) = rest.split_once('{') {
            let (field, behind) = behind
                .split_once('}')
                .ok_or_else(|| format!("the brace of `{{{behind}` is not closed; {HELP}"))?;
            parts.extend(Some(word).filter(|word| !word.is_empty()).map(|word| Part::Word(word.to_owned())));
            parts.push(field_of(field)?);
            rest = behind;
        }
        parts.extend(Some(rest).filter(|word| !word.is_empty()).map(|word| Part::Word(word.to_owned())));
        // With a digit for each version the schema must be a tag.
        let example: String = parts
            .iter()
            .map(|part| match part {
                Part::Word(word) => word.as_str(),
                Part::Version { .. } => "1",
            })
            .collect();
        check(&example)?;
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The names whose versions it tells, each once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for part in &self.parts {
            if let Part::Version { name, .. } = part
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }

    /// The tag of an image with these versions.
    pub fn render(&self, versions: &BTreeMap<String, String>) -> Result<String, String> {
        let mut tag = String::new();
        for part in &self.parts {
            match part {
                Part::Word(word) => tag.push_str(word),
                Part::Version { name, precision } => {
                    let version = versions.get(name).ok_or_else(|| unknown(name, versions))?;
                    tag.push_str(&precision.of(version).ok_or_else(|| {
                        format!("the tag `{self}` wants two numbers of `{name}`, which is `{version}`")
                    })?);
                }
            }
        }
        check(&tag)?;
        Ok(tag)
    }
}

impl fmt::Display for TagSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Precision {
    /// A version as tags tell it: without what is behind a `+`, which no tag can have.
    fn of(self, version: &str) -> Option<String> {
        let version = version.split(['+', ' ']).next().unwrap_or_default();
        let numbers: Vec<&str> = version.split('.').collect();
        match self {
            Self::Full => Some(version.to_owned()),
            Self::Minor => Some(numbers.get(..2)?.join(".")),
            Self::Major => Some((*numbers.first()?).to_owned()),
        }
    }
}

fn field_of(field: &str) -> Result<Part, String> {
    let (name, precision) = match field.rsplit_once('.') {
        Some((name, "minor")) => (name, Precision::Minor),
        Some((name, "major")) => (name, Precision::Major),
        Some(("base", "tag")) | None => (field, Precision::Full),
        Some((_, other)) => return Err(format!("a version has `minor` and `major`, not `{other}`; {HELP}")),
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!("`{{{field}}}` names no version; {HELP}"));
    }
    Ok(Part::Version { name: name.to_owned(), precision })
}

fn unknown(name: &str, versions: &BTreeMap<String, String>) -> String {
    let known: Vec<&str> = versions.keys().map(String::as_str).collect();
    match crate::suggest::nearest(name, known.iter().copied()) {
        Some(near) => {
            format!("the image has no `{name}`, whose version its tag tells; did you mean `{near}`?")
        }
        None => {
            format!("the image has no `{name}`, whose version its tag tells; it has {}", super::list(&known))
        }
    }
}

/// Whether a text is a tag. Source: the `distribution/reference` grammar.
fn check(tag: &str) -> Result<(), String> {
    match ImageReference::parse(&format!("x:{tag}")) {
        Ok(_) if !tag.contains(['@', '/', ':']) => Ok(()),
        _ => Err(format!(
            "a tag has letters, digits, `.`, `_` and `-`, at most 128, and begins with none of `.` and `-`; {HELP}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions() -> BTreeMap<String, String> {
        let versions = [
            ("python", "3.13.11"),
            ("torch", "2.9.1+cu128"),
            ("cuda", "12.8.90"),
            ("tensorrt", "10.13.3.9"),
            ("transformers", "4.57.1"),
            ("machine", "aarch64"),
            ("base.tag", "py3.10.12-th2.2.0"),
            ("one", "7"),
        ];
        versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into()
    }

    #[test]
    fn the_schemas_of_the_owners() {
        for (schema, expected) in [
            (
                "py{python.minor}-th{torch.minor}-cu{cuda.minor}-trt{tensorrt.minor}-tr{transformers.minor}",
                "py3.13-th2.9-cu12.8-trt10.13-tr4.57",
            ),
            ("{machine}-py{python}-th{torch}-tr{transformers}", "aarch64-py3.13.11-th2.9.1-tr4.57.1"),
            ("{base.tag}-d", "py3.10.12-th2.2.0-d"),
            ("v{python.major}", "v3"),
            ("latest", "latest"),
        ] {
            let parsed = TagSchema::parse(schema).expect(schema);
            assert_eq!(parsed.render(&versions()).expect(schema), expected);
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for (schema, expected) in [
            ("py{python", "the brace of `{python` is not closed"),
            ("py{}", "`{}` names no version"),
            ("{python.patch}", "a version has `minor` and `major`, not `patch`"),
            ("{Python}", "`{Python}` names no version"),
            ("a b", "a tag has letters"),
            ("-{python}", "begins with none of"),
            ("", "a tag has letters"),
            ("a/b:c@d", "a tag has letters"),
        ] {
            let found = TagSchema::parse(schema).expect_err(schema);
            assert!(found.contains(expected), "{schema}: {found}");
        }
    }

    #[test]
    fn what_the_image_does_not_have_is_told() {
        let render = |schema: &str| TagSchema::parse(schema).expect("a schema").render(&versions());
        assert!(render("{torc}").expect_err("none").contains("did you mean `torch`?"));
        assert!(
            render("{one.minor}").expect_err("none").contains("wants two numbers of `one`, which is `7`")
        );
    }
}

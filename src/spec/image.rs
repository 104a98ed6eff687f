//! The fields that only touch the image's configuration, never its files.

use super::{At, EnvName, Fields, ImagePath, Name, checked, entries, items, text};
use crate::diagnostic::Problems;

/// What a container of the image starts with. Absent fields keep what the base image says.
#[derive(Debug, Default)]
pub struct ImageSettings {
    /// Environment variables, sorted by name.
    pub env: Vec<(At<EnvName>, At<String>)>,
    /// Where the entrypoint starts.
    pub workdir: Option<At<ImagePath>>,
    /// Who runs the entrypoint.
    pub user: Option<At<Name>>,
    /// The program, as arguments.
    pub entrypoint: Option<Vec<At<String>>>,
    /// Its default arguments.
    pub cmd: Option<Vec<At<String>>>,
    /// Labels, sorted by key.
    pub labels: Vec<(At<String>, At<String>)>,
}

impl ImageSettings {
    /// Takes the fields of the image's configuration out of the spec's fields.
    pub fn decode(fields: &mut Fields<'_>, problems: &mut Problems) -> Self {
        let mut env = match fields.take("env") {
            Some(node) => entries("`env`", node, problems, |key, value, problems| {
                let name = checked_key(key, problems)?;
                Some((name, value_text("the value of a variable", value, problems)?))
            }),
            None => Vec::new(),
        };
        env.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
        let mut labels = match fields.take("labels") {
            Some(node) => entries("`labels`", node, problems, |key, value, problems| {
                Some((key.clone(), value_text("the value of a label", value, problems)?))
            }),
            None => Vec::new(),
        };
        labels.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
        let workdir = fields.take("workdir");
        let user = fields.take("user");
        Self {
            env,
            workdir: workdir.and_then(|n| checked("a directory", n, problems, ImagePath::parse)),
            user: user.and_then(|n| checked("a user", n, problems, Name::parse)),
            entrypoint: arguments("entrypoint", fields, problems),
            cmd: arguments("cmd", fields, problems),
            labels,
        }
    }
}

fn checked_key(key: &At<String>, problems: &mut Problems) -> Option<At<EnvName>> {
    match EnvName::parse(&key.value) {
        Ok(name) => Some(At::new(name, key.span)),
        Err(help) => {
            let message = format!("`{}` is not the name of a variable", key.value.escape_debug());
            problems.error_with_help(key.span, message, help);
            None
        }
    }
}

/// Text that may be empty when quoted, without NUL, which no process can be given.
fn value_text(what: &str, node: &super::Node, problems: &mut Problems) -> Option<At<String>> {
    let value = text(what, node, problems)?;
    if value.value.contains('\0') {
        problems.error(node.span, format!("{what} must not contain NUL"));
        return None;
    }
    Some(value)
}

fn arguments(key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Vec<At<String>>> {
    let node = fields.take(key)?;
    let what = format!("`{key}`");
    Some(items(&what, node, problems, |item, problems| value_text("an argument", item, problems)))
}

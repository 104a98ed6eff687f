//! `edgenode catalog`: what is known of what goes together with what.

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Failure, Told};
use crate::catalog::{SUBJECTS, Subject};
use crate::spec::nearest_name;
use crate::table::table;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What it is about; without it, the subjects are listed.
    subject: Option<String>,
    /// Only rows in which each of these is a word of a cell, or the beginning of one, such as `2.9` or `cu128`.
    words: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let Some(name) = &arguments.subject else { return Ok(subjects()) };
    let Some(subject) = SUBJECTS.iter().find(|subject| subject.name == name) else {
        let names = SUBJECTS.iter().map(|subject| subject.name);
        let hint = match nearest_name(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err(Failure::new(format!("the catalog has no subject `{name}`; {hint}")));
    };
    let rows: Vec<_> = subject.rows().into_iter().filter(|row| has(row, &arguments.words)).collect();
    if rows.is_empty() {
        return Err(Failure::new(format!("no row of `{name}` has {}", arguments.words.join(" and "))));
    }
    let objects = rows.iter().map(|row| {
        let cells = row.iter().map(|(key, text)| (key.clone(), Value::from(text.clone())));
        Value::Object(cells.collect::<Map<_, _>>())
    });
    let json = json!({"subject": name, "about": subject.about(), "rows": objects.collect::<Vec<_>>()});
    Ok(Told::new(format!("{}\n\n{}", subject.about(), rows_table(&rows)), json))
}

fn subjects() -> Told {
    let all = SUBJECTS.iter().map(|subject| (subject.name, subject.rows().len(), subject.about()));
    let lines = all.clone().map(|(name, rows, about)| {
        let first = about.split(['.', ':']).next().unwrap_or_default();
        format!("{name:14} {rows:4} rows  {first}\n")
    });
    let json = all.map(|(name, rows, about)| json!({"name": name, "rows": rows, "about": about}));
    Told::new(lines.collect::<String>(), Value::Array(json.collect()))
}

/// Whether each word is one of a cell, or begins one.
fn has(row: &[(String, String)], words: &[String]) -> bool {
    words.iter().all(|word| row.iter().any(|(_, cell)| cell.split(' ').any(|part| part.starts_with(word))))
}

/// The rows as a table, with the names of all cells above.
fn rows_table(rows: &[Vec<(String, String)>]) -> String {
    let mut keys: Vec<String> = Vec::new();
    for (key, _) in rows.iter().flatten() {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    let cell = |row: &[(String, String)], key: &String| {
        row.iter().find(|(have, _)| have == key).map_or(String::new(), |(_, text)| text.clone())
    };
    let lines = rows.iter().map(|row| keys.iter().map(|key| cell(row, key)).collect());
    table(std::iter::once(keys.clone()).chain(lines))
}

impl Subject {
    /// What the subject is about: the comment above its rows, as one line.
    fn about(&self) -> String {
        let lines = self.data.lines().map_while(|line| line.strip_prefix('#'));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(subject: &str, words: &[&str]) -> Result<Told, Failure> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        run(&Arguments { subject: Some(subject.to_owned()), words })
    }

    #[test]
    fn rows_are_found_by_their_words() {
        let told = told("torch", &["2.9.1"]).expect("a row");
        assert_eq!(told.json["rows"].as_array().map(Vec::len), Some(1));
        assert_eq!(told.json["rows"][0]["vision"], "0.24.1");
        assert!(told.text.lines().nth(2).is_some_and(|head| head.starts_with("torch  ")), "{}", told.text);
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert_eq!(
            told("troch", &[]).err().map(|failure| failure.message),
            Some("the catalog has no subject `troch`; did you mean `torch`?".to_owned())
        );
        assert!(told("torch", &["2.9.1", "cu999"]).is_err_and(|failure| failure.message.contains("cu999")));
    }

    #[test]
    fn every_subject_says_what_it_is_about() {
        for subject in SUBJECTS {
            assert!(!subject.about().is_empty() && !subject.rows().is_empty(), "{}", subject.name);
            let sourced = subject
                .rows()
                .iter()
                .all(|row| row.iter().any(|(key, _)| key == "source" || key == "checked"));
            assert!(sourced, "{}", subject.name);
        }
        let all = run(&Arguments { subject: None, words: Vec::new() }).expect("a list");
        assert_eq!(all.text.lines().count(), SUBJECTS.len());
    }
}

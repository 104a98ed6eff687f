//! The text of Dockerfiles: instructions, words and variables. Source: BuildKit's Dockerfile reference.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The instructions with their line numbers; lines that go on are joined, here-documents are left out.
pub(super) fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut ends: Vec<String> = Vec::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if let Some(end) = ends.first() {
            if line.trim_start_matches('\t') == end {
                ends.remove(0);
            }
            continue;
        }
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let (begin, mut joined) = open.take().unwrap_or((number + 1, String::new()));
        let line = if joined.is_empty() { line.trim() } else { line.trim_end() };
        if let Some(part) = line.strip_suffix('\\') {
            joined.push_str(part);
            open = Some((begin, joined));
        } else {
            joined.push_str(line);
            ends = here_documents(&joined);
            all.push((begin, joined));
        }
    }
    all.extend(open.filter(|(_, joined)| !joined.trim().is_empty()));
    all
}

/// The lines that the here-documents of an instruction end with.
fn here_documents(instruction: &str) -> Vec<String> {
    let name = instruction.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    if !matches!(name.as_str(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let end = |word: String| {
        let end = word.strip_prefix("<<")?;
        let end = end.strip_prefix('-').unwrap_or(end).replace(['"', '\''], "");
        (!end.is_empty() && end.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(end)
    };
    split(instruction).into_iter().filter_map(end).collect()
}

/// The words of a line as they stand, with quotes and backslashes.
pub(super) fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut escaped) = (Vec::new(), String::new(), None, false);
    for c in text.chars() {
        if c.is_whitespace() && quote.is_none() && !escaped {
            words.push(std::mem::take(&mut word));
            continue;
        }
        word.push(c);
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != Some('\'') => escaped = true,
            '"' | '\'' if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            _ => {}
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// `A=b C="d e"`, or the old form `A b`, as names and words.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let words = split(text);
    match words.first() {
        Some(name) if !name.contains('=') => {
            let value = text.trim_start().strip_prefix(name.as_str()).unwrap_or_default().trim();
            vec![(name.clone(), value.to_owned())]
        }
        _ => words
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, word)| (name.to_owned(), word.to_owned()))
            .collect(),
    }
}

/// The items of an instruction in JSON, or its words.
pub(super) fn items(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| split(text))
}

/// What a word stands for, as a spec writes it: without quotes and backslashes, variables put in, and `$${` for what is no
/// variable. The error is the variable that nobody here knows.
pub(super) fn value(word: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let (mut done, mut quote) = (String::new(), None);
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (Some('\''), c) => push(&mut done, c.encode_utf8(&mut [0; 4])),
            // Between quotes only these are escaped.
            (Some(_), '\\') if !matches!(chars.peek(), Some('"' | '$' | '\\')) => done.push('\\'),
            (_, '\\') => {
                if let Some(c) = chars.next() {
                    push(&mut done, c.encode_utf8(&mut [0; 4]));
                }
            }
            (_, '$') => push(&mut done, &variable(&mut chars, variables)?),
            (_, c) => push(&mut done, c.encode_utf8(&mut [0; 4])),
        }
    }
    Ok(done)
}

/// Puts a text behind another without making a variable of them.
fn push(done: &mut String, text: &str) {
    if done.ends_with('$') && text.starts_with('{') {
        done.push('$');
    }
    done.push_str(text);
}

/// Reads what follows a `$`.
fn variable(chars: &mut Peekable<Chars<'_>>, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let braced = chars.next_if_eq(&'{').is_some();
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    // Of what can stand behind a name only nothing is read.
    if braced && chars.next() != Some('}') {
        return Err(name);
    }
    if name.is_empty() && !braced {
        return Ok("$".to_owned());
    }
    variables.get(&name).cloned().ok_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_here_documents_left_out() {
        let text = "\u{feff}# c\nENV A=b\\\n# in between\n  C=d\nCOPY <<EOF <<-'B' /x\nRUN no\nEOF\n\tB\nRUN a <<<x\n\nUSER x \\";
        let told: Vec<_> = instructions(text);
        let expected = [(2, "ENV A=b  C=d"), (5, "COPY <<EOF <<-'B' /x"), (9, "RUN a <<<x"), (11, "USER x ")];
        assert_eq!(told, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn words_stand_for_values() {
        let variables = BTreeMap::from([("A".to_owned(), "x".to_owned()), ("B".to_owned(), "{".to_owned())]);
        for (word, expected) in [
            ("\"a b\"c", Ok("a bc")),
            ("$A-${A}y", Ok("x-xy")),
            ("'$A'\\$A", Ok("$A$A")),
            ("'${A}'\\${A}", Ok("$${A}$${A}")),
            ("'$'$B", Ok("$${")),
            ("\"\\n\\\"\"", Ok("\\n\"")),
            ("a\\ b$", Ok("a b$")),
            ("$C", Err("C")),
            ("${A:-y}", Err("A")),
            ("${", Err("")),
        ] {
            let value = value(word, &variables);
            assert_eq!(value.as_deref().map_err(String::as_str), expected, "{word}");
        }
        assert_eq!(split("a \"b c\" d\\ e 'f g'"), ["a", "\"b c\"", "d\\ e", "'f g'"]);
        let pairs = |text: &str| pairs(text).into_iter().map(|(n, v)| format!("{n}|{v}")).collect::<Vec<_>>();
        assert_eq!(pairs("\"a b\"=\"c\" D=e"), ["\"a b\"|\"c\"", "D|e"]);
        assert_eq!(pairs("A b  c"), ["A|b  c"]);
    }
}

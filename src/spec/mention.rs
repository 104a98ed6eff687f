//! Places that messages speak of, besides the one that they stand at.

use std::fmt;

use super::span::Span;

/// What stands around a place in a text until it is told: characters that Unicode keeps for programs' own use.
const BEGIN: char = '\u{fdd0}';
const END: char = '\u{fdd1}';

/// A place as a message speaks of it: `line 3`, or `below.yaml:3` where that is not the message's own file. Whoever writes
/// the words knows neither which file that will be nor what the files are called, so the text has a mark, for which
/// [`tell_own`] and [`tell_others`] put the words.
#[derive(Clone, Copy, Debug)]
pub struct Mention {
    span: Span,
    with_column: bool,
}

impl Span {
    /// The line where it begins, for messages: `line 3`.
    pub fn line(self) -> Mention {
        Mention { span: self, with_column: false }
    }

    /// The line where it begins, for what stands at no place: `line 3` of the spec itself, `below.yaml:3` of what it
    /// extends.
    pub fn told(self, files: &[String]) -> String {
        tell_others(&tell_own(&self.line().to_string(), 0), files)
    }

    /// The place where it begins, for messages: `3:5`.
    pub fn place(self) -> Mention {
        Mention { span: self, with_column: true }
    }
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { file, start: (line, column), .. } = self.span;
        match self.with_column {
            true => write!(f, "{BEGIN}{file}:{line}:{column}{END}"),
            false => write!(f, "{BEGIN}{file}:{line}{END}"),
        }
    }
}

/// Tells the places that are in the message's own file.
pub fn tell_own(text: &str, own: u8) -> String {
    tell(text, |file, place| match place.contains(':') {
        _ if file != usize::from(own) => None,
        true => Some(place.to_owned()),
        false => Some(format!("line {place}")),
    })
}

/// Tells the places that are left, which are in other files. `files` are their names, in the order of their numbers.
pub fn tell_others(text: &str, files: &[String]) -> String {
    tell(text, |file, place| Some(format!("{}:{place}", files.get(file).or(files.first())?)))
}

/// Puts words for those marks for which there are any, given the file's number and the place in it.
fn tell(text: &str, words: impl Fn(usize, &str) -> Option<String>) -> String {
    let mut parts = text.split(BEGIN);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let place = part.split_once(END).and_then(|(mark, rest)| {
            let (file, place) = mark.split_once(':')?;
            Some((words(file.parse().ok()?, place)?, rest))
        });
        match place {
            Some((words, rest)) => told.extend([words.as_str(), rest]),
            None => told.extend([BEGIN.to_string().as_str(), part]),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(file: u8) -> Span {
        Span { file, start: (3, 5), end: (3, 9) }
    }

    #[test]
    fn other_files_are_named_and_the_own_is_not() {
        let text = format!(
            "`a` ({}), `b` ({}), at {}, at {}",
            span(0).line(),
            span(1).line(),
            span(0).place(),
            span(1).place()
        );
        let files = ["node.yaml".to_owned(), "below.yaml".to_owned()];
        let told = |own| tell_others(&tell_own(&text, own), &files);
        assert_eq!(told(0), "`a` (line 3), `b` (below.yaml:3), at 3:5, at below.yaml:3:5");
        assert_eq!([0, 1].map(|file| span(file).told(&files)), ["line 3", "below.yaml:3"]);
        assert_eq!(told(1), "`a` (node.yaml:3), `b` (line 3), at node.yaml:3:5, at 3:5");
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["", "a (line 3)", "\u{fdd0}", "\u{fdd0}1\u{fdd1}", "\u{fdd1}x\u{fdd0}y:3\u{fdd1}"] {
            assert_eq!(tell_others(&tell_own(text, 0), &["n".to_owned()]), text);
        }
    }
}

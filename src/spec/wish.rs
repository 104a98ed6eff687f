//! What a spec says about a version: all of it, its beginning, a range, or nothing.

use std::fmt;

use super::grammar::Version;
use crate::catalog::{compare, numbers};

/// The versions that a field admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The newest that fits the rest.
    Auto,
    /// This one, or the newest that begins with it: `2.9` admits `2.9.1`.
    Prefix(Version),
    /// The one that a lock has, of what the spec admits.
    Locked(Version),
    /// The newest that passes all of these, such as `>=2.8` and `<2.12`.
    Range(Vec<(Bound, Version)>),
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// `>=`
    From,
    /// `>`
    After,
    /// `<=`
    To,
    /// `<`
    Before,
    /// `!=`
    Not,
}

const BOUNDS: [(&str, Bound); 5] =
    [(">=", Bound::From), ("<=", Bound::To), ("!=", Bound::Not), (">", Bound::After), ("<", Bound::Before)];

impl Wish {
    /// Reads `auto`, a version or its beginning, or a range.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        if !text.starts_with(['<', '>', '!']) {
            let help =
                "write a version such as `3.13.5` or its beginning, a range such as `>=2.8,<2.12`, or `auto`";
            return Version::parse_beginning(text).map(Self::Prefix).map_err(|_| help.to_owned());
        }
        let bound = |text: &str| {
            let text = text.trim();
            let (sign, bound) = BOUNDS.iter().find(|(sign, _)| text.starts_with(sign))?;
            Some((*bound, Version::parse_beginning(text[sign.len()..].trim()).ok()?))
        };
        let bounds: Option<Vec<_>> = text.split(',').map(bound).collect();
        bounds.map(Self::Range).ok_or_else(|| "write a range such as `>=2.8,<2.12`".to_owned())
    }

    /// Whether a version is among those.
    pub fn admits(&self, version: &str) -> bool {
        match self {
            Self::Auto => true,
            Self::Prefix(wanted) | Self::Locked(wanted) => begins_with(version, wanted.as_str()),
            Self::Range(bounds) => bounds.iter().all(|(bound, end)| {
                let order = compare(version, end.as_str());
                match bound {
                    Bound::From => order.is_ge(),
                    Bound::After => order.is_gt() && !begins_with(version, end.as_str()),
                    Bound::To => order.is_le() || begins_with(version, end.as_str()),
                    Bound::Before => order.is_lt(),
                    Bound::Not => !begins_with(version, end.as_str()),
                }
            }),
        }
    }

    /// The version that it names, or the beginning of one.
    pub fn named(&self) -> Option<&Version> {
        match self {
            Self::Prefix(version) | Self::Locked(version) => Some(version),
            Self::Auto | Self::Range(_) => None,
        }
    }

    /// The release that it names, with three numbers or more.
    pub fn release(&self) -> Option<&Version> {
        self.named().filter(|version| version.as_str().split('.').count() > 2)
    }

    /// The version that it begins with, or one end of its range.
    pub fn bound(&self) -> Option<&Version> {
        match self {
            Self::Range(bounds) => bounds.first().map(|(_, version)| version),
            _ => self.named(),
        }
    }

    /// The newest of `versions` that is admitted.
    pub fn newest<'v>(&self, versions: impl IntoIterator<Item = &'v str>) -> Option<&'v str> {
        versions.into_iter().filter(|version| self.admits(version)).max_by(|a, b| compare(a, b))
    }
}

/// Whether a version is `prefix`, or goes on behind it with another number.
fn begins_with(version: &str, prefix: &str) -> bool {
    let dotted = prefix.chars().all(|c| c.is_ascii_digit() || c == '.');
    version == prefix || dotted && numbers(version).starts_with(&numbers(prefix))
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Prefix(version) | Self::Locked(version) => version.fmt(f),
            Self::Range(bounds) => {
                let sign =
                    |bound: &Bound| BOUNDS.iter().find(|(_, b)| b == bound).map_or("", |(sign, _)| *sign);
                let texts: Vec<_> =
                    bounds.iter().map(|(bound, end)| format!("{}{end}", sign(bound))).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: [&str; 5] = ["2.8.0", "2.9.0", "2.9.1", "2.10.0", "2.12.0"];

    fn newest(wish: &str) -> Option<&'static str> {
        Wish::parse(wish).expect("a wish").newest(VERSIONS)
    }

    #[test]
    fn the_newest_that_is_admitted_is_chosen() {
        let cases = [
            ("auto", Some("2.12.0")),
            ("2.9", Some("2.9.1")),
            ("2.9.0", Some("2.9.0")),
            ("2.1", None),
            (">=2.8,<2.12", Some("2.10.0")),
            ("<=2.9", Some("2.9.1")),
            (">2.9,<2.12", Some("2.10.0")),
            ("<2.12,!=2.10", Some("2.9.1")),
            (">=3.0", None),
            ("2", Some("2.12.0")),
            ("3", None),
            (">2,<3", None),
            (">=2,<3", Some("2.12.0")),
        ];
        for (wish, expected) in cases {
            assert_eq!(newest(wish), expected, "{wish}");
            assert_eq!(Wish::parse(wish).map(|wish| wish.to_string()), Ok(wish.to_owned()));
        }
    }

    #[test]
    fn other_texts_are_no_wishes() {
        for text in ["", "newest", ">=", ">=2.8;<3", ">=-1", "1234567890", "~=2.8", "2.x", ">=2.8,"] {
            assert!(Wish::parse(text).is_err(), "{text:?} is taken");
        }
    }
}

//! Choosing among the releases of a Python package that the catalog knows as ranges: from a first to a last one.

use super::{Alternative, Declared};
use crate::catalog::{Ranged, between};
use crate::diagnostic::Problems;
use crate::spec::{At, Version, Wish};

/// How many releases a message names; of more it names the ends.
const MOST_NAMED: usize = 24;

/// The version that is written out, or the newest known one that is admitted; those whose row `fits` come first. A written
/// one that the catalog does not know is left to the package index. `rows` are the oldest first.
pub(super) fn choose<R: Ranged>(
    package: &str,
    wish: &At<Wish>,
    rows: &[&R],
    fits: impl Fn(&R) -> bool,
    problems: &mut Problems,
) -> Option<String> {
    if let Some(version) = wish.value.release() {
        return Some(version.to_string());
    }
    // The ends of a range of releases are the ones that are known to exist.
    let ends = |row: &&R| [row.versions().1.clone(), row.versions().0.clone()];
    let newest = || rows.iter().rev();
    let admitted = |version: &String| wish.value.admits(version);
    let found = newest().filter(|row| fits(row)).flat_map(ends).find(admitted);
    let found = found.or_else(|| newest().flat_map(ends).find(admitted));
    if found.is_none() {
        let mut known: Vec<_> = newest().flat_map(ends).collect();
        known.reverse();
        known.dedup();
        let message = format!("the catalog does not know {package} {wish}");
        let known = match known.as_slice() {
            [oldest, .., newest] if known.len() > MOST_NAMED => {
                // Flavours of a package are one subject: `onnxruntime-gpu`.
                let subject = package.split('-').next().unwrap_or(package);
                format!("{oldest} to {newest} (`edgenode catalog {subject}` lists them)")
            }
            all => all.join(", "),
        };
        let help = format!("it knows {known}; name another one with three numbers");
        problems.error_with_help(wish.span, message, help);
    }
    found
}

/// The row about a release.
pub(super) fn row_of<'r, R: Ranged>(version: &str, rows: &[&'r R]) -> Option<&'r R> {
    rows.iter().copied().find(|row| between(version, &row.versions().0, &row.versions().1))
}

/// Whether a series of Python is known to be older or newer than the ends of a range.
pub(super) fn is_outside(series: u32, (oldest, newest): (Option<u32>, Option<u32>)) -> bool {
    oldest.is_some_and(|oldest| series < oldest) || newest.is_some_and(|newest| series > newest)
}

/// The newest of each range, for the field `field` of a spec, the newest first; `with` makes the component of it.
pub(super) fn alternatives<R: Ranged>(
    field: &str,
    wish: &At<Wish>,
    rows: &[&R],
    with: impl Fn(At<Wish>) -> Box<dyn Declared>,
) -> Vec<Alternative> {
    let alternative = |row: &&R| {
        let version = Version::parse(&row.versions().1).ok()?;
        Some(Alternative {
            change: format!("`{field}: {version}`"),
            version: Some(version.to_string()),
            declared: with(At::new(Wish::Prefix(version), wish.span)),
        })
    };
    rows.iter().rev().filter_map(alternative).collect()
}

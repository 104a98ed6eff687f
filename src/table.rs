//! Tables as text.

/// Rows with their cells below each other. All rows have as many cells as the first.
pub(crate) fn table<R: AsRef<[String]>>(rows: impl Iterator<Item = R>) -> String {
    let rows: Vec<_> = rows.collect();
    let columns = rows.first().map_or(0, |row| row.as_ref().len());
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.as_ref().get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &R| {
        let cells: Vec<_> =
            row.as_ref().iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bc", "d"], ["äöü", "", "e"], ["x", "y", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(rows.into_iter()), "a    bc  d\näöü      e\nx    y\n");
        assert_eq!(table(std::iter::empty::<Vec<String>>()), "");
    }
}

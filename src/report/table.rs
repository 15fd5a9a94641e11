//! Rows, without rules: columns two spaces apart.

use comfy_table::{CellAlignment, Table, presets};

/// The lines of a table. The first `words` columns hold words; the others hold numbers, aligned to
/// the right.
pub(super) fn lines<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
    words: usize,
) -> Vec<String> {
    let mut table = Table::new();
    table.set_header(header).add_rows(rows);
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    text(table)
}

/// The lines of rows of words, without a header.
pub(super) fn rows(rows: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    let mut table = Table::new();
    table.add_rows(rows);
    if table.is_empty() { Vec::new() } else { text(table) }
}

// Private

fn text(mut table: Table) -> Vec<String> {
    table.load_style(presets::NOTHING);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

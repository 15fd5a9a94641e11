//! The output, as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::contender::Contender;
use crate::figures::Figures;
use crate::row::Row;

/// A text table.
pub(crate) fn table(figures: &Figures) -> String {
    let mut text = format!("{:41}", "");
    for contender in Contender::ALL {
        put(&mut text, &format!("{:>17}", contender.name()));
    }
    put(&mut text, "     ratio             target\n");
    for row in Row::ALL {
        put(&mut text, &format!("{:41}", row.name()));
        for contender in Contender::ALL {
            put(&mut text, &format!("{:>17}", cell(figures, row, contender)));
        }
        put(&mut text, &verdict(figures, row));
        put(&mut text, "\n");
    }
    let others = figures.others;
    put(
        &mut text,
        &format!(
            "Medians of all rounds; ± is how far half of the rounds are off. A ratio is ours by the peer's in the same \
             round, the median of all.\nNothing is pinned. Others used {others:.0} % of this machine meanwhile.\n"
        ),
    );
    text
}

/// The results as JSON.
pub(crate) fn json(figures: &Figures) -> Value {
    let rows = Row::ALL.map(|row| {
        let medians = Contender::ALL.map(|contender| {
            let figure = json!({
                "median": figures.median(row, contender),
                "noise": figures.noise(row, contender),
            });
            (contender.name().to_owned(), figure)
        });
        let ratio = figures.ratio(row);
        json!({
            "row": row.name(),
            "figures": medians.into_iter().collect::<serde_json::Map<_, _>>(),
            "peer": ratio.map(|ratio| ratio.peer.name()),
            "ratio": ratio.map(|ratio| ratio.value),
            "target": row.target().text(),
            "reached": ratio.and_then(|ratio| ratio.reached),
        })
    });
    json!({ "rows": rows, "others_percent": figures.others })
}

// Private

fn cell(figures: &Figures, row: Row, contender: Contender) -> String {
    let Some(median) = figures.median(row, contender) else {
        return "-".to_owned();
    };
    let noise = figures.noise(row, contender).unwrap_or_default() * 100.0;
    let digits = if median < 100.0 { 2 } else { 0 };
    format!("{median:.digits$} ±{noise:>2.0}%")
}

fn verdict(figures: &Figures, row: Row) -> String {
    let Some(ratio) = figures.ratio(row) else {
        return String::new();
    };
    let verdict = match ratio.reached {
        Some(true) => "PASS",
        Some(false) => "FALLS SHORT",
        None => "",
    };
    let (value, peer, target) = (ratio.value, ratio.peer.name(), row.target().text());
    format!("  {value:5.2} of {peer:7}  {target:7}  {verdict}")
}

fn put(text: &mut String, more: &str) {
    // Writing to a string cannot fail.
    let _written = text.write_str(more);
}

//! The output, as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::contender::Contender;
use crate::figures::{Figure, Figures, Verdict};

/// A text table.
pub(crate) fn table<F: Figure>(figures: &Figures<F>) -> String {
    let contenders = figures.contenders();
    let mut text = format!("{:46}", "");
    for contender in &contenders {
        put(&mut text, &format!("{:>15}", contender.name()));
    }
    put(&mut text, "  against its targets\n");
    let measured = |figure: &F| {
        let values = contenders.iter().map(|it| figures.median(*figure, *it));
        values.flatten().next().is_some()
    };
    for figure in F::ALL.iter().copied().filter(measured) {
        put(&mut text, &format!("{:46}", figure.name()));
        for contender in &contenders {
            put(&mut text, &format!("{:>15}", cell(figures, figure, *contender)));
        }
        let verdicts: Vec<String> = figures.verdicts(figure).iter().map(verdict).collect();
        put(&mut text, &format!("  {}\n", verdicts.join("; ")));
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
pub(crate) fn json<F: Figure>(figures: &Figures<F>) -> Value {
    let rows = F::ALL.iter().map(|figure| {
        let medians = figures.contenders().into_iter().map(|contender| {
            let value = json!({
                "median": figures.median(*figure, contender),
                "noise": figures.noise(*figure, contender),
            });
            (contender.name().to_owned(), value)
        });
        let targets = figures.verdicts(*figure).into_iter().map(|verdict| {
            json!({
                "peer": verdict.peer.map(Contender::name),
                "value": verdict.value,
                "target": verdict.target.text(),
                "reached": verdict.target.is_reached(verdict.value),
            })
        });
        json!({
            "row": figure.name(),
            "figures": medians.collect::<serde_json::Map<_, _>>(),
            "targets": targets.collect::<Vec<_>>(),
        })
    });
    json!({ "rows": rows.collect::<Vec<_>>(), "others_percent": figures.others })
}

// Private

fn cell<F: Figure>(figures: &Figures<F>, figure: F, contender: Contender) -> String {
    let Some(median) = figures.median(figure, contender) else {
        return "-".to_owned();
    };
    let noise = figures.noise(figure, contender).unwrap_or_default() * 100.0;
    let digits = if median < 100.0 { 2 } else { 0 };
    format!("{median:.digits$} ±{noise:>2.0}%")
}

fn verdict(verdict: &Verdict) -> String {
    let Verdict { target, peer, value } = *verdict;
    let reached = if target.is_reached(value) {
        "PASS"
    } else {
        "FALLS SHORT"
    };
    match peer {
        Some(peer) => format!("{value:.2} of {} ({}) {reached}", peer.name(), target.text()),
        None => format!("{value:.0} ({}) {reached}", target.text()),
    }
}

fn put(text: &mut String, more: &str) {
    // Writing to a string cannot fail.
    let _written = text.write_str(more);
}

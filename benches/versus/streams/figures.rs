//! Latencies of events, and whether they are short enough.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::Path;
use super::kind::Kind;
use crate::figures::median;

/// The limit for the 99th percentile, in milliseconds.
const P99_TARGET: f64 = 5.0;

/// The latencies of every round.
#[derive(Debug, Default)]
pub(crate) struct StreamFigures {
    /// The 50th and the 99th percentile of each round, in milliseconds.
    rounds: BTreeMap<(Kind, Path), Vec<[f64; 2]>>,
    /// The share of the machine that other processes used meanwhile, balancers and clients included,
    /// in percent.
    pub(crate) others: f64,
}

impl StreamFigures {
    /// Adds one round.
    pub(crate) fn add(&mut self, kind: Kind, path: Path, latencies: &[Duration]) {
        let mut sorted: Vec<f64> = latencies.iter().map(|it| it.as_secs_f64() * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        let percentile =
            |quantile| clusterctl::base::stats::percentile(&sorted, quantile).unwrap_or(f64::NAN);
        let figures = [percentile(0.50), percentile(0.99)];
        self.rounds.entry((kind, path)).or_default().push(figures);
    }

    /// A text table.
    pub(crate) fn table(&self) -> String {
        let paths = self.paths();
        let mut text = format!("{:36}", "event latency: p50, p99 [ms]");
        for path in &paths {
            put(&mut text, format_args!("{:>16}", path.name()));
        }
        put(&mut text, format_args!("\n"));
        for kind in Kind::all() {
            put(&mut text, format_args!("{:36}", kind.name()));
            for path in &paths {
                let cell = self
                    .medians(kind, *path)
                    .map_or("-".to_owned(), |[p50, p99]| format!("{p50:.2}, {p99:.2}"));
                put(&mut text, format_args!("{cell:>16}"));
            }
            put(&mut text, format_args!("\n"));
        }
        let verdict = if self.is_reached() { "PASS" } else { "FALLS SHORT" };
        put(
            &mut text,
            format_args!(
                "Medians of all rounds. Every p99 through a balancer within {P99_TARGET} ms: {verdict}\n"
            ),
        );
        text
    }

    /// The results as JSON.
    pub(crate) fn json(&self) -> Value {
        let rows = self.rounds.keys().map(|(kind, path)| {
            let [p50, p99] = self.medians(*kind, *path).unwrap_or([f64::NAN; 2]);
            json!({"stream": kind.name(), "path": path.name(), "p50_ms": p50, "p99_ms": p99})
        });
        json!({
            "rows": rows.collect::<Vec<_>>(),
            "p99_target_ms": P99_TARGET,
            "reached": self.is_reached(),
            "others_percent": self.others,
        })
    }

    // Private

    fn paths(&self) -> Vec<Path> {
        let mut paths: Vec<Path> = self.rounds.keys().map(|(_, path)| *path).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    fn medians(&self, kind: Kind, path: Path) -> Option<[f64; 2]> {
        let rounds = self.rounds.get(&(kind, path))?;
        let of = |which: usize| median(&rounds.iter().map(|figures| figures[which]).collect::<Vec<_>>());
        Some([of(0)?, of(1)?])
    }

    fn is_reached(&self) -> bool {
        let through = self.rounds.keys().filter(|(_, path)| *path != Path::Direct);
        through
            .filter_map(|(kind, path)| self.medians(*kind, *path))
            .all(|[_, p99]| p99 <= P99_TARGET)
    }
}

// Private

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _written = text.write_fmt(more);
}

//! `load-test --report FILE.html`: one page without external resources.

mod figures;
mod settings;
mod tables;
#[cfg(test)]
mod tests;

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use super::super::clock::timestamp;
use super::sanitize::sanitize;
use super::{chart, terminal, verdicts};
use crate::load_test::results::{Check, Outcome, Results, Verdict};
use crate::render::{RenderError, Templates};
use figures::{Figure, figures};
use settings::{Setting, settings};
use tables::{Table, tables};

const TEMPLATE: &str = "load_test.html";
/// The last moment with a date of ten characters, the end of the year 9999, in seconds since 1970.
const LATEST: u64 = 253_402_300_799;

/// The values for the template.
#[derive(Debug, Serialize)]
struct Page {
    title: String,
    target: String,
    when: String,
    outcome: &'static str,
    headline: &'static str,
    reasons: Vec<&'static str>,
    notes: Vec<String>,
    figures: Vec<Figure>,
    checks: Vec<Line>,
    charts: Vec<String>,
    tables: Vec<Table>,
    settings: Vec<Setting>,
}

/// A check and its result.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    class: &'static str,
    mark: &'static str,
    word: &'static str,
    measured: String,
    target: String,
}

/// A load test as a page of HTML that is well-formed XML too.
///
/// # Errors
/// When the template is wrong, which the tests rule out.
pub fn load_test_page(results: &Results) -> Result<String, RenderError> {
    let results = &sanitize(results);
    let name = results.test.cluster.as_deref().unwrap_or("MCP");
    let charts = [
        Some(chart::connections(results)),
        chart::latency(results),
        chart::histogram(results),
        results.failover.as_ref().map(chart::failover),
    ];
    let page = Page {
        title: format!("Load test of {name}"),
        target: terminal::target(&results.test),
        when: timestamp(UNIX_EPOCH + Duration::from_secs(results.began_unix.min(LATEST))),
        outcome: class(results.outcome),
        headline: headline(results),
        reasons: reasons(results),
        notes: results.notes.clone(),
        figures: figures(results),
        checks: results.checks.iter().map(line).collect(),
        charts: charts.into_iter().flatten().collect(),
        tables: tables(results),
        settings: settings(results),
    };
    Templates::embedded().render(TEMPLATE, &page)
}

// Private

const fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Interrupted => "interrupted",
    }
}

fn headline(results: &Results) -> &'static str {
    match results.outcome {
        Outcome::Passed => "Passed",
        Outcome::Failed => "Failed",
        Outcome::Interrupted => "Interrupted",
    }
}

/// The names of the checks that did not pass.
fn reasons(results: &Results) -> Vec<&'static str> {
    let failed = results
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failed);
    failed.map(|check| verdicts::title(check.name)).collect()
}

fn line(check: &Check) -> Line {
    let (class, mark) = match check.verdict {
        Verdict::Passed => ("passed", "✓"),
        Verdict::Failed => ("failed", "✗"),
        Verdict::Warned => ("warned", "!"),
        Verdict::Skipped => ("skipped", "–"),
    };
    Line {
        name: verdicts::title(check.name),
        class,
        mark,
        word: verdicts::word(check.name, check.verdict),
        measured: check.measured.clone(),
        target: check.target.clone(),
    }
}

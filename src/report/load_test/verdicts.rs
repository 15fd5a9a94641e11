//! The result of each check, and of the test.

use crate::load_test::results::{Check, CheckName, Distribution, Outcome, Results, Verdict};
use crate::report::style;

/// A check's name in a report.
pub(super) const fn title(name: CheckName) -> &'static str {
    match name {
        CheckName::Connections => "Connections Held",
        CheckName::Errors => "Errors",
        CheckName::Distribution => "Connection Distribution",
        CheckName::Counts => "Counts",
        CheckName::LatencyVariance => "Latency Variance",
        CheckName::Latency => "Latency",
        CheckName::Failover => "Failover Time",
        CheckName::Sticky => "Sticky Sessions",
    }
}

/// The result of a check, in a word.
pub(super) const fn word(name: CheckName, verdict: Verdict) -> &'static str {
    match (name, verdict) {
        (CheckName::Sticky, Verdict::Passed) => "WORKING",
        (_, Verdict::Passed) => "PASSED",
        (_, Verdict::Failed) => "FAILED",
        (_, Verdict::Warned) => "WARNING",
        (CheckName::Failover | CheckName::Sticky, Verdict::Skipped) => "not tested",
        (_, Verdict::Skipped) => "not judged",
    }
}

/// A line for each check, in the reference's words.
pub(super) fn lines(results: &Results) -> String {
    let spread = &results.distribution;
    results
        .checks
        .iter()
        .flat_map(|check| [line(check, spread), "\n".to_owned()])
        .collect()
}

/// The result of the test, and every reason why it did not pass.
pub(super) fn outcome(results: &Results) -> String {
    let heading = match results.outcome {
        Outcome::Passed => style::green("Load test completed!"),
        Outcome::Failed => style::red("Load test failed:"),
        Outcome::Interrupted => style::yellow("Load test interrupted: what there is until then."),
    };
    let missed = results.checks.iter().filter(|check| missed(check));
    let reasons: String = missed
        .flat_map(|check| ["  ".to_owned(), reason(check), "\n".to_owned()])
        .collect();
    format!("\n{heading}\n{reasons}")
}

/// The measured value of a check, and its target.
pub(super) fn measured(check: &Check) -> String {
    let target = aim(check);
    match check.measured.as_str() {
        measured if target.is_empty() => measured.to_owned(),
        measured => format!("{measured}, {target}"),
    }
}

// Private

/// The line of a check; `spread` is the distribution of connections.
fn line(check: &Check, spread: &Distribution) -> String {
    let Check {
        name,
        verdict,
        measured,
        ..
    } = check;
    let title = title(*name);
    let word = painted(*name, *verdict);
    let target = aim(check);
    match (name, verdict) {
        (CheckName::Failover, Verdict::Passed) => format!("{title}: {measured} {word} ({target})"),
        (_, Verdict::Skipped) => format!("{title}: {word} ({measured})"),
        (CheckName::Distribution, Verdict::Passed)
            if spread.variance_percent >= spread.variance_target_percent =>
        {
            format!("{title}: {word} ({measured})")
        }
        // Their numbers are shown above.
        (CheckName::Distribution, Verdict::Passed) => match spread.others {
            0 => format!("{title}: {word}"),
            others => format!("{title}: {word} (with {others} connections of others)"),
        },
        (CheckName::Sticky | CheckName::Errors | CheckName::Connections | CheckName::Counts, _) => {
            format!("{title}: {word} ({measured})")
        }
        _ => format!("{title}: {word} ({measured}, {target})"),
    }
}

fn painted(name: CheckName, verdict: Verdict) -> String {
    let word = word(name, verdict);
    match verdict {
        Verdict::Passed => style::green(word),
        Verdict::Failed => style::red(word),
        Verdict::Warned => style::yellow(word),
        Verdict::Skipped => style::dim(word),
    }
}

fn aim(check: &Check) -> String {
    match check.target.as_str() {
        "" => String::new(),
        target => format!("target: {target}"),
    }
}

fn missed(check: &Check) -> bool {
    matches!(check.verdict, Verdict::Failed | Verdict::Warned)
}

fn reason(check: &Check) -> String {
    let text = format!("{}: {}", title(check.name), measured(check));
    match check.verdict {
        Verdict::Warned => style::yellow(&format!("! {text}")),
        _ => style::red(&format!("✗ {text}")),
    }
}

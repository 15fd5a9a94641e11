//! What an examination of this host has found.

use super::paint;
use crate::plan::Warning;
use crate::plan::doctor::{Finding, Level};

/// A line for each finding, and below it what mends it.
#[must_use]
pub fn doctor(findings: &[Finding]) -> String {
    let widest = findings
        .iter()
        .map(|finding| finding.check.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for Finding {
        check,
        level,
        detail,
        fix,
    } in findings
    {
        let mark = match level {
            Level::Ok => paint::green("✓"),
            Level::Warn => paint::yellow("!"),
            Level::Fail => paint::red("✗"),
        };
        let gap = " ".repeat(widest - check.chars().count());
        text.push_str(&format!("{mark} {check}{gap}  {detail}\n"));
        if let Some(fix) = fix {
            let indent = format!("\n  {}  ", " ".repeat(widest + 5));
            text.push_str(&format!(
                "  {}  {} {}\n",
                " ".repeat(widest),
                paint::cyan("fix:"),
                fix.replace('\n', &indent)
            ));
        }
    }
    text.push_str(&summary(findings));
    text
}

/// A wish that is not granted, and what would grant it.
#[must_use]
pub fn warning(warning: &Warning) -> String {
    match &warning.fix {
        Some(fix) => format!(
            "{warning}\n         {} {}",
            paint::cyan("fix:"),
            fix.replace('\n', "\n              ")
        ),
        None => warning.to_string(),
    }
}

// Private

fn summary(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => "\nEverything is well.\n".to_owned(),
        (fail, warn) => format!("\n{fail} to mend, {warn} to consider.\n"),
    }
}

//! The findings about this host.

use super::column::align;
use super::style;
use crate::plan::Warning;
use crate::plan::doctor::{Finding, Level};

/// A line for each finding, followed by its fix.
#[must_use]
pub fn doctor(findings: &[Finding]) -> String {
    let checks: Vec<String> = findings.iter().map(|finding| finding.check.clone()).collect();
    let lines = findings
        .iter()
        .zip(align(&checks))
        .map(|(finding, check)| line(finding, &check));
    lines.chain([summary(findings)]).collect()
}

/// A setting that this host or balancer does not provide, and a fix.
#[must_use]
pub fn warning(warning: &Warning) -> String {
    match &warning.fix {
        Some(fix) => format!(
            "{warning}\n         {} {}",
            style::cyan("fix:"),
            fix.replace('\n', "\n              ")
        ),
        None => warning.to_string(),
    }
}

/// A change that is about to be made, and the command that undoes it.
#[must_use]
pub fn change(what: &str, undo: Option<&str>) -> String {
    let undo = undo.map_or(String::new(), |undo| {
        format!("  {} {undo}\n", style::cyan("undo:"))
    });
    format!("{what}\n{undo}")
}

/// Why the announced change could not be made.
#[must_use]
pub fn not_changed(why: &str) -> String {
    format!("  {} {why}\n", style::red("not changed:"))
}

/// The level as one character.
pub(super) fn mark(level: Level) -> String {
    match level {
        Level::Ok => style::green("✓"),
        Level::Warn => style::yellow("!"),
        Level::Fail => style::red("✗"),
    }
}

// Private

fn line(finding: &Finding, check: &str) -> String {
    let mark = mark(finding.level);
    let margin = " ".repeat(check.chars().count() + 4);
    let fix = finding.fix.as_ref().map_or(String::new(), |fix| {
        let fix = fix.replace('\n', &format!("\n{margin}     "));
        format!("{margin}{} {fix}\n", style::cyan("fix:"))
    });
    format!("{mark} {check}  {}\n{fix}", finding.detail)
}

fn summary(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => "\nEverything is well.\n".to_owned(),
        (fail, warn) => format!("\n{fail} to fix, {warn} to consider.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::plain;
    use super::*;

    fn finding(check: &str, level: Level, detail: &str, fix: Option<&str>) -> Finding {
        Finding {
            check: check.to_owned(),
            level,
            detail: detail.to_owned(),
            fix: fix.map(str::to_owned),
            remedies: Vec::new(),
        }
    }

    #[test]
    fn every_finding_is_shown_with_its_fix() {
        let findings = [
            finding("haproxy", Level::Ok, "2.6.12 at /usr/sbin/haproxy", None),
            finding(
                "nofile",
                Level::Warn,
                "20000, and 200100 are needed",
                Some("ulimit -Hn 200100"),
            ),
            finding(
                "ports",
                Level::Fail,
                "0.0.0.0:8000 is held by nc (pid 7)",
                Some("kill 7"),
            ),
        ];
        insta::assert_snapshot!(plain(&doctor(&findings)), @r"
        ✓ haproxy  2.6.12 at /usr/sbin/haproxy
        ! nofile   20000, and 200100 are needed
                   fix: ulimit -Hn 200100
        ✗ ports    0.0.0.0:8000 is held by nc (pid 7)
                   fix: kill 7

        1 to fix, 1 to consider.
        ");
        assert_eq!(
            plain(&change(
                "set a.b to 2 until the next boot; it is 1",
                Some("sysctl -w a.b=1")
            )),
            "set a.b to 2 until the next boot; it is 1\n  undo: sysctl -w a.b=1\n"
        );
        assert_eq!(
            plain(&not_changed("Read-only file system")),
            "  not changed: Read-only file system\n"
        );
        assert!(plain(&doctor(&findings[..1])).ends_with("\nEverything is well.\n"));
    }
}

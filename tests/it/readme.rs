//! The README's command lines are understood, and CI runs what it says.

use std::fs;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What the README says runs all tests.
const TEST_COMMAND: &str = "tests/run";

#[test]
fn every_command_line_in_the_readme_is_understood() {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let lines = command_lines(&readme);
    assert!(lines.len() > 10, "only {} were found", lines.len());
    for line in lines {
        let parsed = clusterctl::cli::command().try_get_matches_from(line.split_whitespace());
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn ci_runs_the_readmes_test_command_and_no_other() {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    assert!(
        readme
            .lines()
            .any(|line| line.trim_start_matches("$ ").trim() == TEST_COMMAND)
    );
    let ci = fs::read_to_string(format!("{ROOT}/.ci/run")).unwrap();
    let commands: Vec<&str> = ci
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(['#']) && !line.starts_with("set "))
        .collect();
    assert_eq!(
        commands,
        ["cd \"$(dirname \"$0\")/..\"", &format!("exec {TEST_COMMAND}")]
    );
}

// Private

/// The `clusterctl ...` lines of code blocks, up to a comment, a pipe or a redirection.
fn command_lines(readme: &str) -> Vec<String> {
    let blocks = readme.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).filter_map(|line| {
        let line = line.trim().trim_start_matches("$ ");
        let line = match line.split_once("cargo run --release -- ") {
            Some((_, args)) => format!("clusterctl {args}"),
            None => line.to_owned(),
        };
        let end = line.find(['#', '|', '>', '&']).unwrap_or(line.len());
        line.starts_with("clusterctl ")
            .then(|| line[..end].trim().to_owned())
    });
    lines.collect()
}

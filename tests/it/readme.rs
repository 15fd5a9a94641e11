//! The documents in the repository: their command lines parse, their links have targets, and CI
//! runs the README's test command.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The README's command that runs all tests.
const TEST_COMMAND: &str = "tests/run";
/// A newcomer reads the README in five minutes.
const MAX_README_BYTES: usize = 14_000;
/// Columns of prose; tables, headings and code may be wider.
const MAX_COLUMNS: usize = 100;

#[test]
fn every_command_line_in_the_documents_parses() {
    for (path, text) in documents() {
        for line in command_lines(&text) {
            let parsed = clusterctl::cli::command().try_get_matches_from(line.split_whitespace());
            assert!(
                parsed.is_ok(),
                "{}: {line}: {}",
                path.display(),
                parsed.unwrap_err()
            );
        }
    }
}

#[test]
fn the_documents_show_every_command() {
    let shown: BTreeSet<String> = documents()
        .values()
        .flat_map(|text| command_lines(text))
        .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .collect();
    let reference = fs::read_to_string(format!("{ROOT}/docs/commands.md")).unwrap();
    for command in clusterctl::cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            command.is_hide_set() || shown.contains(name),
            "no example of `{name}`"
        );
        for argument in command.get_arguments() {
            let Some(option) = argument.get_long() else {
                continue;
            };
            assert!(
                command.is_hide_set() || reference.contains(&format!("`--{option}")),
                "docs/commands.md has no `--{option}` of `{name}`"
            );
        }
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    let mut count = 0;
    for (path, text) in documents() {
        for link in links(&text) {
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap().join(file)
            };
            let is_there = match fs::read_to_string(&target) {
                Ok(text) if !anchor.is_empty() => anchors(&text).contains(anchor),
                _ => target.exists(),
            };
            if !is_there {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(count > 100, "only {count} links were found");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn documents_begin_with_their_contents_and_are_wrapped() {
    for (path, text) in documents() {
        let contents = text.split("\n## ").nth(1).unwrap();
        assert!(contents.starts_with("Contents\n"), "{}", path.display());
        let anchors: BTreeSet<String> = anchors(&text);
        let listed: BTreeSet<String> = links(contents).into_iter().collect();
        let headings = headings(&text).filter(|(level, _)| *level == 2).skip(1);
        for (_, heading) in headings {
            assert!(
                listed.contains(&format!("#{}", slug(heading))),
                "{}: {heading}",
                path.display()
            );
        }
        assert!(anchors.len() > 3, "{}", path.display());
        for line in prose(&text) {
            let is_long = line.chars().count() > MAX_COLUMNS && line.trim_start().contains(' ');
            let may_be = line.starts_with(['|', '#']);
            assert!(!is_long || may_be, "{}: {line}", path.display());
        }
    }
}

#[test]
fn the_readme_is_short() {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    assert!(readme.len() <= MAX_README_BYTES, "{} bytes", readme.len());
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

/// README.md, CONTRIBUTING.md and the files of `docs`.
fn documents() -> BTreeMap<PathBuf, String> {
    let root = Path::new(ROOT);
    let at_root = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
    let mut paths: Vec<PathBuf> = at_root.iter().map(|name| root.join(name)).collect();
    let docs = fs::read_dir(root.join("docs")).unwrap();
    paths.extend(
        docs.map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "md")),
    );
    assert!(paths.len() > 5, "{paths:?}");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// The `clusterctl ...` lines of code blocks, up to a comment, a pipe or a redirection.
fn command_lines(text: &str) -> Vec<String> {
    let blocks = text.split("```").skip(1).step_by(2);
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

/// Lines outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(str::lines)
}

/// Headings outside code blocks: their level and their text.
fn headings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    prose(text).filter_map(|line| {
        let (marks, heading) = line.split_once(' ')?;
        let is_heading = !marks.is_empty() && marks.bytes().all(|byte| byte == b'#');
        is_heading.then_some((marks.len(), heading))
    })
}

/// The anchors by which GitHub links to the headings of `text`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, heading) in headings(text) {
        let slug = slug(heading);
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone())
            .chain(numbered)
            .find(|anchor| !anchors.contains(anchor));
        anchors.extend(free);
    }
    anchors
}

/// A heading's anchor, without a number.
fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The targets of `[text](target)` outside code, without those on other hosts.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        let outside_code: String = line.split('`').step_by(2).collect();
        for rest in outside_code.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if !target.contains("://") {
                links.push(target.to_owned());
            }
        }
    }
    links
}

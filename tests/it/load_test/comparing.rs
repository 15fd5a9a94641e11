//! `load-test --compare`.

use std::fs;
use std::process::Command;

use super::at;
use super::target::{Behaviour, Target};
use crate::harness::Ran;

#[test]
fn two_results_are_compared_and_other_files_refused() {
    let target = Target::that(Behaviour::Serves);
    let dir = tempfile::tempdir().unwrap();
    let (one, other, none) = (
        dir.path().join("one.json"),
        dir.path().join("other.json"),
        dir.path().join("none.json"),
    );
    for (path, connections) in [(&one, 20), (&other, 40)] {
        let ended = at(target.address, &format!("{connections} 1 --json")).ends();
        ended.results(0);
        fs::write(path, ended.stdout).unwrap();
    }
    fs::write(&none, "{\"version\": 1}").unwrap();
    let compare = |one: &std::path::Path, other: &std::path::Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clusterctl"));
        command
            .args(more)
            .arg("load-test")
            .arg("--compare")
            .args([one, other]);
        Ran::from(command.output().unwrap())
    };
    let shown = compare(&one, &other, &[]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{}", shown.stderr);
    assert!(
        shown.stdout.contains("20") && shown.stdout.contains("40"),
        "{}",
        shown.stdout
    );
    let json: serde_json::Value = serde_json::from_str(&compare(&one, &other, &["--json"]).stdout).unwrap();
    assert_eq!((&json["a"]["held"], &json["b"]["held"]), (&20.into(), &40.into()));
    for wrong in [none, dir.path().join("nowhere.json"), dir.path().to_owned()] {
        let refused = compare(&one, &wrong, &[]);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (2, ""),
            "{}",
            refused.stderr
        );
        let expected = format!("error: cannot read `{}`: ", wrong.display());
        assert!(
            refused.stderr.starts_with(&expected) && refused.stderr.contains("\nhint: "),
            "{}",
            refused.stderr
        );
    }
}

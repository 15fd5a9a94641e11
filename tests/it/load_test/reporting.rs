//! `load-test --report`: one page, whole or not at all.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::target::{Behaviour, Target};
use super::{Running, at, of};
use crate::harness::TestCluster;

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_report_is_one_page_with_four_charts() {
    let cluster = TestCluster::behind("builtin")
        .set("targets.failover=30s")
        .started();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    let ended = of(
        &cluster,
        &format!("200 6 --failover erlmcp3 --report {}", path.display()),
    )
    .ends();
    assert_eq!(
        (ended.code, ended.stderr),
        (0, format!("wrote {}\n", path.display())),
        "{}",
        ended.stdout
    );
    assert_eq!(names_in(dir.path()), ["report.html"]);
    let page = fs::read_to_string(&path).unwrap();
    assert!(
        page.starts_with("<!") && page.trim_end().ends_with("</html>"),
        "{page}"
    );
    for chart in ["connections", "latency", "histogram", "failover"] {
        assert_eq!(
            page.matches(&format!("<svg id=\"{chart}\"")).count(),
            1,
            "{chart}"
        );
    }
    assert_eq!(
        (page.matches("<svg ").count(), page.matches("</svg>").count()),
        (4, 4)
    );
    // The page refers to nothing outside of it.
    for foreign in ["<script", "<link", "src=", "@import", "url(http"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn an_unwritable_report_path_is_refused_before_connecting() {
    let target = Target::that(Behaviour::Serves);
    let dir = tempfile::tempdir().unwrap();
    for place in [
        dir.path().join("no/such/report.html"),
        dir.path().to_owned(),
        "/proc/report.html".into(),
    ] {
        let ended = at(target.address, &format!("10 1 --report {}", place.display())).ends();
        let refusal = ended.refusal();
        let expected = format!("cannot write the report `{}`: ", place.display());
        assert!(
            refusal.contains(&expected) && refusal.contains("\nhint: "),
            "{refusal}"
        );
    }
    assert_eq!(target.accepted(), 0);
    assert!(names_in(dir.path()).is_empty());
}

/// The shell limits the size of files to a few blocks, which acts like a full disk.
#[test]
fn on_a_full_disk_results_are_printed_and_no_partial_report_is_left() {
    let target = Target::that(Behaviour::Serves);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    fs::write(&path, "before").unwrap();
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -f 8; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_clusterctl"),
        ])
        .args([
            "load-test",
            "10",
            "1",
            "--json",
            "--target",
            &target.address.to_string(),
            "--report",
        ])
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ended = Running::begun(command, None).ends();
    let results = ended.results(1);
    assert_eq!(
        (&results["outcome"], &results["held"]),
        (&"passed".into(), &10.into()),
        "{ended}"
    );
    assert!(
        ended
            .stderr
            .starts_with(&format!("error: cannot write the report `{}`: ", path.display())),
        "{ended}"
    );
    assert_eq!(names_in(dir.path()), ["report.html"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
}

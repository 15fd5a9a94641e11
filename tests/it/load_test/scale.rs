//! `tests/scale/run`, which proves the full size on a larger machine, at a size that fits here.

use std::fs;
use std::process::Command;

use crate::harness::{Ran, TestCluster};

#[test]
fn the_full_size_script_runs_at_a_small_size() {
    // The cluster is not started: only its ports are needed.
    let cluster = TestCluster::behind("builtin");
    let charts = cluster.dir().join("charts");
    // The length of the failover is not checked here: the machine may be busy.
    let args = format!("--port-offset {} --set targets.failover=30s", cluster.port(0));
    let script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scale/run"))
        .arg("--quick")
        .arg(&charts)
        .env("CLUSTERCTL", env!("CARGO_BIN_EXE_clusterctl"))
        .env("CLUSTERCTL_ARGS", &args)
        .env("TMPDIR", cluster.dir())
        .output();
    let ran = Ran::from(script.unwrap());
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, "clusterctl load-test 10000 10 --failover erlmcp2\n"),
        "{}",
        ran.stdout
    );
    for row in [
        "| outcome | passed |",
        "| connections held | 10000 of 10000, for 1",
        "| counted by generator, balancer, kernel | 10000, 10000, 10000 |",
        "| others touched by it | 0 |",
    ] {
        assert!(ran.stdout.contains(row), "{row}: {}", ran.stdout);
    }
    for row in ran.stdout.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, value, _] = cells[..] else {
            panic!("{row}");
        };
        // Every value of the table was found.
        assert!(
            !name.is_empty() && !value.is_empty() && !value.contains("- "),
            "{row}"
        );
    }
    for chart in ["connections", "latency", "histogram", "failover"] {
        let drawn = fs::read_to_string(charts.join(format!("{chart}.svg"))).unwrap();
        assert!(
            drawn.starts_with(&format!("<svg id=\"{chart}\"")) && drawn.ends_with("</svg>\n"),
            "{drawn}"
        );
    }
    // The script has cleaned up.
    assert_eq!(fs::read_dir(cluster.dir()).unwrap().count(), 1);
}

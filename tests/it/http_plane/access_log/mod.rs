//! The access log: a line of JSON for each request, when it is over.

mod endings;
mod file;

use std::fs;
use std::path::{Path, PathBuf};

use clusterctl::dataplane_config::Dataplane;
use serde_json::Value;
use tempfile::TempDir;

use super::node::Node;
use super::{Raw, plane_with};
use crate::harness::eventually;
use crate::plane::Plane;

/// The data plane with an access log, and the directory of the log.
struct Logged {
    plane: Plane,
    dir: TempDir,
}

impl Logged {
    fn start(nodes: &[&Node], change: impl FnOnce(&mut Dataplane)) -> Logged {
        let dir = tempfile::tempdir().unwrap();
        let plane = plane_with(nodes, |config| {
            // Lines of several workers have no order.
            config.workers = 1;
            config.http.access_log = Some(dir.path().join("access.json"));
            change(config);
        });
        Logged { plane, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn client(&self) -> Raw {
        Raw::connect(&self.plane)
    }

    /// The lines of the log, once there are this many.
    fn lines(&self, count: usize) -> Vec<Value> {
        waits_for_lines(&self.path("access.json"), count)
    }

    /// The only line of the log.
    fn line(&self) -> Value {
        self.lines(1).remove(0)
    }
}

fn waits_for_lines(path: &Path, count: usize) -> Vec<Value> {
    let lines = eventually(&format!("{} has {count} lines", path.display()), || {
        let text = fs::read_to_string(path).unwrap_or_default();
        (text.matches('\n').count() >= count).then_some(text)
    });
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), count, "{lines:?}");
    lines
}

/// How a request ended: its status, word and letters.
fn ending(line: &Value) -> (u64, &str, &str) {
    (
        line["status"].as_u64().unwrap_or(0),
        line["end"].as_str().unwrap(),
        line["state"].as_str().unwrap(),
    )
}

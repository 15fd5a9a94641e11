//! Warnings in the logs of erlmcp nodes while they start: the nodes serve, but not as they should.

use std::path::PathBuf;

use super::log_file::LogFile;
use crate::platform::RunDir;
use crate::profile::Cluster;

/// More lines than a start writes.
const LINES: usize = 1_000;

/// The log of one node from a moment on; one is enough, because the nodes are alike.
pub(super) struct StartupWarnings {
    node: String,
    path: PathBuf,
    /// `None` when there was no log.
    log: Option<LogFile>,
}

impl StartupWarnings {
    /// Starts to collect warnings, if the cluster has erlmcp nodes.
    pub(super) fn of(cluster: &Cluster, run_dir: &RunDir) -> Option<StartupWarnings> {
        cluster.erlmcp.as_ref()?;
        let node = cluster.nodes.first()?.name.clone();
        let path = run_dir.logs().join(format!("{node}.log"));
        let log = LogFile::tail(&path, 0).ok().map(|(_, log)| log);
        Some(StartupWarnings { node, path, log })
    }

    /// The warnings since then.
    pub(super) fn made(self) -> Vec<String> {
        let lines = match self.log {
            Some(mut log) => log.news(),
            None => LogFile::tail(&self.path, LINES).map(|(lines, _)| lines),
        };
        let text = lines.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let warned = text.lines().filter_map(|line| line.strip_prefix("warning: "));
        warned
            .map(|warning| format!("{}: {warning}", self.node))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use super::*;
    use crate::profile::{Source, load};

    fn cluster(profile: &str) -> Cluster {
        load(&Source::read(profile).unwrap()).unwrap()
    }

    #[test]
    fn only_later_warnings_are_collected() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path());
        fs::create_dir_all(run_dir.logs()).unwrap();
        let path = run_dir.logs().join("erlmcp1.log");
        let cluster = cluster("erlmcp");

        let first = StartupWarnings::of(&cluster, &run_dir).unwrap();
        fs::write(&path, "warning: no jose\nerlmcp1 listens\n").unwrap();
        assert_eq!(first.made(), ["erlmcp1: no jose"]);
        let second = StartupWarnings::of(&cluster, &run_dir).unwrap();
        let mut log = File::options().append(true).open(&path).unwrap();
        writeln!(log, "a warning: of mine\nwarning: no jsx").unwrap();
        assert_eq!(second.made(), ["erlmcp1: no jsx"]);
    }

    #[test]
    fn logs_of_other_nodes_are_ignored() {
        let dir = tempfile::tempdir().unwrap();
        assert!(StartupWarnings::of(&cluster("beam"), &RunDir::at(dir.path())).is_none());
    }
}

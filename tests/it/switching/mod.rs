//! `switch`: another balancer takes over the listeners while clients are served.

mod among;
mod deaths;
mod refused;
mod stopping;
mod upgrading;

use std::path::Path;

use serde_json::Value;

use crate::checking_clients::{CheckingClients, FaultKind, Load, Report, Targets};
use crate::harness::TestCluster;

impl TestCluster {
    /// A cluster behind `balancer` that has room for the checking clients behind every other one.
    fn switchable(balancer: &'static str) -> TestCluster {
        TestCluster::behind(balancer).set("limits.maxconn=9500")
    }

    /// Clients of this cluster.
    fn checked_by(&self, load: Load) -> CheckingClients {
        CheckingClients::start(Targets::of(self.port(0)), load)
    }

    /// The kind of balancer that runs.
    fn kind(&self) -> String {
        let status = self.status();
        status["balancer"]["kind"]
            .as_str()
            .unwrap_or_else(|| panic!("{status}"))
            .to_owned()
    }
}

/// Checks that no client was refused, cut, or moved against its session or cookie. Clients that
/// stick by their address may have moved.
fn expect_whole(report: &Report) {
    assert_eq!(report.faults(), 0, "{report}");
    // A request may meet the close of an idle connection, which HTTP allows at any time; the client
    // sends it again.
    let exchanges: u64 = report.exchanges.values().sum();
    assert!(report.raced <= exchanges / 100, "{report}");
}

/// Checks that every new connection was served. Connections that a killed balancer had are cut.
fn expect_served(report: &Report) {
    expect_refused(report, 0);
}

/// Checks that every new connection but so many was served.
fn expect_refused(report: &Report, refused: u64) {
    assert_eq!(report.count(FaultKind::Refused), refused, "{report}");
    for kind in [FaultKind::TimedOut, FaultKind::WrongAnswer, FaultKind::Own] {
        assert_eq!(report.count(kind), 0, "{kind:?}: {report}");
    }
}

/// The pids in a list of the status.
fn pids(list: &Value) -> Vec<u32> {
    let pids = list.as_array().into_iter().flatten();
    pids.filter_map(|pid| u32::try_from(pid.as_u64()?).ok()).collect()
}

/// Writes an executable script.
fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;

    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A script that checks as haproxy does and, instead of serving, does this.
fn haproxy_that(cluster: &TestCluster, serves: &str) -> String {
    let path = cluster.dir().join("haproxy");
    // Versions and checks are asked of the real one.
    let text = format!(
        "case \" $* \" in *' -v '*|*' -vv '*|*' -c '*) exec /usr/sbin/haproxy \"$@\";; esac\n{serves}"
    );
    script(&path, &text);
    format!("binaries.haproxy={}", path.display())
}

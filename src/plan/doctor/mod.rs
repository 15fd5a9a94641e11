//! Whether this host can run a cluster: every check with its finding, and how to fix it.

mod checks;
mod resources;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use super::demand::Load;
use super::rules::Case;
use super::{Plan, Remedy, Warning};
use crate::platform::{Holder, Host};
use crate::profile::Cluster;

pub use resources::Resource;

/// The facts that the checks need.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The programs that clusters run.
    pub binaries: Vec<ObservedBinary>,
    /// Those of our addresses that are in use:
    /// [`platform::ports::holders`](crate::platform::ports::holders) of [`Plan::bound`].
    pub holders: Vec<(SocketAddr, Holder)>,
    /// The processes of this cluster, if it runs.
    pub own_pids: Vec<u32>,
}

/// One program.
#[derive(Clone, Debug)]
pub struct ObservedBinary {
    /// Its name.
    pub name: &'static str,
    /// Its path, if it is installed.
    pub path: Option<PathBuf>,
    /// Its version, if that is known.
    pub version: Option<String>,
    /// Whether this cluster needs it.
    pub needed: bool,
    /// How to make it usable, for example the command that installs it.
    pub fix: String,
    /// Why it cannot serve: too old, or not executable.
    pub problem: Option<String>,
}

/// What a number of connections needs, and whether this host has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prospect {
    /// The number of connections.
    pub connections: u32,
    /// Whether all of them fit.
    pub fits: bool,
    /// Each resource.
    pub plan: Vec<Resource>,
    /// The findings of [`examine`], preceded by the finding whether they fit.
    pub findings: Vec<Finding>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: String,
    /// Its result.
    pub level: Level,
    /// What was found.
    pub detail: String,
    /// How to fix it.
    pub fix: Option<String>,
    /// What `doctor --fix` can do about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is wrong.
    Ok,
    /// The cluster starts, but with less than the profile requests.
    Warn,
    /// The cluster does not start, or cannot hold the requested connections.
    Fail,
}

/// Checks everything for all connections that the profile requests.
#[must_use]
pub fn examine(cluster: &Cluster, plan: &Plan, host: &Host, observed: &Observed) -> Vec<Finding> {
    let case = case(cluster, plan, host);
    let mut findings: Vec<Finding> = observed.binaries.iter().map(checks::binary).collect();
    findings.extend(checks::ports(&case, observed));
    findings.extend(checks::limits(&case));
    findings
}

/// Checks everything for a user who asks whether the profile's `limits.maxconn` connections fit: if
/// they do not, that is a failure.
#[must_use]
pub fn prospect(cluster: &Cluster, plan: &Plan, host: &Host, observed: &Observed) -> Prospect {
    let case = case(cluster, plan, host);
    let resources = resources::all(&case);
    let tightest = resources::tightest(&case, &resources);
    let fits = tightest.is_none();
    let mut findings = vec![checks::connections(&case, tightest)];
    findings.extend(examine(cluster, plan, host, observed));
    Prospect {
        connections: case.load.total,
        fits,
        plan: resources,
        findings,
    }
}

// Private

/// The case with all connections that the profile requests.
fn case<'a>(cluster: &'a Cluster, plan: &'a Plan, host: &'a Host) -> Case<'a> {
    Case {
        cluster,
        plan,
        host,
        load: Load::of(cluster, cluster.limits.maxconn),
    }
}

impl Finding {
    fn ok(check: &str, detail: String) -> Finding {
        Finding {
            check: check.to_owned(),
            level: Level::Ok,
            detail,
            fix: None,
            remedies: Vec::new(),
        }
    }

    /// The finding of `check`: the warning of a rule of the plan, or else `detail`.
    fn of(check: &str, warning: Option<Warning>, detail: String) -> Finding {
        match warning {
            None => Finding::ok(check, detail),
            Some(warning) => Finding {
                check: check.to_owned(),
                level: Level::Warn,
                detail: warning.to_string(),
                fix: warning.fix,
                remedies: warning.remedies,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::super::tests::{big_host, cluster};
    use super::*;
    use crate::profile::BalancerKind;

    fn examined(host: &Host, observed: &Observed) -> Vec<Finding> {
        let plan = plan(&cluster(), BalancerKind::Haproxy, host);
        examine(&cluster(), &plan, host, observed)
    }

    fn haproxy() -> ObservedBinary {
        ObservedBinary {
            name: "haproxy",
            path: Some("/usr/sbin/haproxy".into()),
            version: Some("2.6.12".to_owned()),
            needed: true,
            fix: "apt-get install -y haproxy".to_owned(),
            problem: None,
        }
    }

    fn holder(pid: u32) -> (SocketAddr, Holder) {
        let address = "0.0.0.0:8000".parse().unwrap();
        let holder = Holder {
            address,
            pid: Some(pid),
            name: Some("nc".to_owned()),
        };
        (address, holder)
    }

    #[test]
    fn a_suitable_host_passes_every_check() {
        let observed = Observed {
            binaries: vec![haproxy()],
            ..Observed::default()
        };
        let findings = examined(&big_host(), &observed);
        assert!(
            findings
                .iter()
                .all(|finding| finding.level == Level::Ok && finding.fix.is_none()),
            "{findings:#?}"
        );
        assert_eq!(findings[0].detail, "2.6.12 at /usr/sbin/haproxy");
    }

    #[test]
    fn every_problem_has_a_fix() {
        let host = Host {
            cpus: 1,
            memory_available: 1 << 20,
            nofile: 2_048,
            nproc: Some(10),
            somaxconn: 128,
            ephemeral: 8_000..=9_500,
            conntrack: Some(crate::platform::host::Conntrack { max: 1, count: 1 }),
            ipv6: false,
            ..big_host()
        };
        let findings = examined(&host, &Observed::default());
        let fine: Vec<_> = findings
            .iter()
            .filter(|finding| finding.level == Level::Ok)
            .collect();
        // HAProxy serves every listener; nodes compensate for few descriptors with threads, and
        // HAProxy for few ports with an address for each of its processes.
        assert_eq!(fine.len(), 4, "{fine:#?}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.level == Level::Ok || finding.fix.is_some())
        );
    }

    #[test]
    fn the_built_in_balancer_compensates_for_few_descriptors_and_ports() {
        let host = Host {
            cpus: 2,
            nofile: 20_000,
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        let kind = BalancerKind::Builtin;
        let cluster = cluster().behind(kind);
        let findings = examine(
            &cluster,
            &plan(&cluster, kind, &host),
            &host,
            &Observed::default(),
        );
        let found = |check: &str| {
            let finding = findings.iter().find(|finding| finding.check == check).unwrap();
            (finding.level, finding.detail.as_str())
        };
        assert_eq!(
            found("nofile"),
            (
                Level::Ok,
                "20000 descriptors in each of 14 threads are enough for 100000 connections through the balancer"
            )
        );
        assert_eq!(
            found("source ports"),
            (
                Level::Ok,
                "28232 at each of 14 source addresses for 25000 connections per node"
            )
        );
        assert_eq!(found("listeners").0, Level::Ok);
        let low = Host { nofile: 600, ..host };
        let findings = examine(&cluster, &plan(&cluster, kind, &low), &low, &Observed::default());
        let nofile = findings.iter().find(|finding| finding.check == "nofile").unwrap();
        assert_eq!(nofile.level, Level::Warn);
        assert!(
            nofile.detail.contains("in each of 64 threads"),
            "{}",
            nofile.detail
        );
    }

    #[test]
    fn haproxy_compensates_for_few_descriptors_and_ports_with_more_processes() {
        let host = Host {
            cpus: 2,
            nofile: 20_000,
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        let findings = examined(&host, &Observed::default());
        let found = |check: &str| {
            let finding = findings.iter().find(|finding| finding.check == check).unwrap();
            (finding.level, finding.detail.as_str())
        };
        assert_eq!(
            found("nofile"),
            (
                Level::Ok,
                "20000 descriptors in each of 13 processes are enough for 100000 connections through the balancer"
            )
        );
        assert_eq!(
            found("source ports"),
            (
                Level::Ok,
                "28232 at each of 13 source addresses for 25000 connections per node"
            )
        );
    }

    fn asked(connections: u32, kind: BalancerKind, host: &Host) -> Prospect {
        let mut cluster = cluster().behind(kind);
        cluster.limits.maxconn = connections;
        prospect(&cluster, &plan(&cluster, kind, host), host, &Observed::default())
    }

    #[test]
    fn the_reported_maximum_fits_and_one_more_does_not() {
        let small = Host {
            cpus: 2,
            nofile: 20_000,
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        let little = Host {
            memory_available: 1 << 30,
            ..big_host()
        };
        let tracked = Host {
            conntrack: Some(crate::platform::host::Conntrack { max: 9_000, count: 1 }),
            ..big_host()
        };
        for host in [small, little, tracked, big_host()] {
            for kind in [BalancerKind::Builtin, BalancerKind::Haproxy] {
                let refused = asked(10_000_000, kind, &host);
                let verdict = &refused.findings[0];
                assert_eq!((refused.fits, verdict.level), (false, Level::Fail));
                let most = refused.plan.iter().map(|row| row.most).min().unwrap();
                let most = u32::try_from(most).unwrap();
                assert!(
                    verdict
                        .fix
                        .as_deref()
                        .unwrap()
                        .contains(&format!("limits.maxconn={most}")),
                    "{verdict:?}"
                );
                let fitting = asked(most, kind, &host);
                assert!(
                    fitting.fits && fitting.findings[0].level == Level::Ok,
                    "{fitting:#?}"
                );
                assert!(!asked(most + 1, kind, &host).fits);
            }
        }
    }

    #[test]
    fn a_prospect_is_data() {
        let json = serde_json::to_value(asked(1, BalancerKind::Builtin, &big_host())).unwrap();
        assert_eq!((&json["connections"], &json["fits"]), (&1.into(), &true.into()));
        assert_eq!(
            json["plan"][0],
            serde_json::json!({
                "resource": "connections", "needed": "1", "given": "1",
                "action": "limits.maxconn=1, up to 1 on each of 4 nodes", "ok": true
            })
        );
    }

    #[test]
    fn missing_and_broken_programs() {
        let missing = ObservedBinary {
            path: None,
            version: None,
            ..haproxy()
        };
        let finding = checks::binary(&missing);
        assert_eq!(
            (finding.level, finding.detail.as_str()),
            (Level::Fail, "not found")
        );
        assert_eq!(finding.fix.as_deref(), Some("apt-get install -y haproxy"));
        let unneeded = ObservedBinary {
            needed: false,
            ..missing
        };
        assert_eq!(checks::binary(&unneeded).level, Level::Ok);
        let old = ObservedBinary {
            problem: Some("older than 2.4".to_owned()),
            ..haproxy()
        };
        assert_eq!(checks::binary(&old).level, Level::Fail);
    }

    #[test]
    fn a_port_held_by_another_program_is_a_failure_that_names_it() {
        let mut observed = Observed {
            holders: vec![holder(7)],
            ..Observed::default()
        };
        let findings = examined(&big_host(), &observed);
        let finding = &findings[0];
        assert_eq!(finding.level, Level::Fail);
        assert_eq!(finding.detail, "0.0.0.0:8000 (listen.tcp) is held by nc (pid 7)");
        assert!(finding.fix.as_deref().unwrap().contains("kill 7"));
        observed.own_pids = vec![7];
        assert_eq!(examined(&big_host(), &observed)[0].level, Level::Ok);
    }

    #[test]
    fn findings_are_data() {
        let json = serde_json::to_value(Finding::ok("cores", "2".to_owned())).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"check": "cores", "level": "ok", "detail": "2", "fix": null})
        );
        let host = Host {
            somaxconn: 128,
            ..big_host()
        };
        let findings = examined(&host, &Observed::default());
        let found = findings.iter().find(|finding| finding.check == "somaxconn");
        assert_eq!(
            serde_json::to_value(found.unwrap()).unwrap()["remedies"],
            serde_json::json!([{"kind": "sysctl", "key": "net.core.somaxconn", "value": "4096"}])
        );
    }
}

//! `doctor`: examines this host, and says how to fix what is not well.

use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::balancer::{self, FindError};
use crate::plan::doctor::{BinarySeen, Level, Seen, examine};
use crate::plan::plan;
use crate::platform::ports::holders;
use crate::platform::{Host, RunDir};
use crate::profile::{BalancerKind, Cluster};
use crate::report;
use crate::supervisor::{Record, living_pids};

/// Shows every finding.
pub(super) async fn run(settings: &Settings, printer: &Printer) -> Outcome {
    let cluster = settings.cluster()?;
    let host = Host::read();
    let plan = plan(&cluster, settings.balancer(None)?, &host);
    let addresses: Vec<_> = plan
        .bound(&cluster)
        .into_iter()
        .map(|bound| bound.address)
        .collect();
    let seen = Seen {
        binaries: vec![haproxy(&cluster).await],
        holders: holders(&addresses),
        own_pids: own_pids(&settings.run_dir()?)?,
    };
    let findings = examine(&cluster, &plan, &host, &seen);
    if settings.json {
        printer.pretty_json(&findings)?;
    } else {
        printer.data(&report::doctor(&findings))?;
    }
    let worst = findings.iter().map(|finding| finding.level).max();
    Ok(if worst == Some(Level::Fail) {
        Exit::Failed
    } else {
        Exit::Done
    })
}

// Private

async fn haproxy(cluster: &Cluster) -> BinarySeen {
    let found = balancer::find(BalancerKind::Haproxy, &cluster.binaries).await;
    let (path, version, problem) = match &found {
        Ok(haproxy) => (
            Some(haproxy.path().to_owned()),
            Some(haproxy.version().to_owned()),
            None,
        ),
        Err(FindError::NotFound(_)) => (None, None, None),
        Err(error) => (cluster.binaries.haproxy.clone(), None, Some(error.to_string())),
    };
    BinarySeen {
        name: "haproxy",
        path,
        version,
        needed: true,
        install: "apt-get install -y haproxy",
        problem,
    }
}

/// Processes of this very cluster, which may hold its ports: its children, and its supervisor.
fn own_pids(run_dir: &RunDir) -> Result<Vec<u32>, Failure> {
    let record = Record::read(run_dir).map_err(Failure::new)?;
    let supervisor = record
        .as_ref()
        .map(Record::supervisor)
        .filter(|supervisor| supervisor.is_alive());
    Ok(living_pids(record.as_ref())
        .into_iter()
        .chain(supervisor.map(|supervisor| supervisor.pid))
        .collect())
}

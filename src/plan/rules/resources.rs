//! Memory, processors, processes.

use super::{Case, Warning};
use crate::plan::demand::Load;
use crate::plan::fix;
use crate::profile::Runtime;

/// Threads of one of our processes besides its workers, and those of other programs of this user.
const OTHER_THREADS: u64 = 16;

/// Memory for every connection, including the kernel's.
pub(in crate::plan) fn memory(case: &Case) -> Option<Warning> {
    let kind = case.plan.balancer.kind;
    let needed = case.load.memory(case.cluster, kind);
    let available = case.host.memory_available;
    (needed > available).then(|| Warning {
        what: format!("{} connections may not fit into memory", case.load.total),
        why: format!(
            "they need about {} MiB, and {} MiB are available",
            needed >> 20,
            available >> 20
        ),
        fix: Some(format!(
            "free memory, or `clusterctl start --set limits.maxconn={}`",
            Load::fitting(available, case.cluster, kind).max(1)
        )),
        remedies: Vec::new(),
    })
}

/// Processes and threads of this user.
pub(in crate::plan) fn threads(case: &Case) -> Option<Warning> {
    let limit = case.host.nproc?;
    let needed = threads_needed(case);
    (needed > limit).then(|| Warning {
        what: "some processes or threads may fail to start".to_owned(),
        why: format!("about {needed} are needed, and the limit of this user is {limit}"),
        fix: Some(fix::nproc(needed.next_multiple_of(1024))),
        remedies: Vec::new(),
    })
}

/// The approximate number of processes and threads of the whole cluster.
pub(in crate::plan) fn threads_needed(case: &Case) -> u64 {
    let balancer = u64::from(case.plan.balancer.threads) * u64::from(case.plan.balancer.instances);
    let per_node = u64::from(case.plan.nodes.workers) + OTHER_THREADS;
    let nodes = match case.cluster.runtime {
        Runtime::External => 0,
        _ => case.cluster.nodes.len() as u64,
    };
    balancer + nodes * per_node + u64::from(case.host.cpus) + OTHER_THREADS
}

/// Everything shares one processor.
pub(in crate::plan) fn cores(case: &Case) -> Option<Warning> {
    (case.host.cpus < 2).then(|| Warning {
        what: "the balancer and all nodes share one processor".to_owned(),
        why: "this process is limited to one processor".to_owned(),
        fix: Some("give this machine a second processor, or the container: `docker run --cpus 2`".to_owned()),
        remedies: Vec::new(),
    })
}

//! Memory and threads.

use super::Resource;
use crate::plan::demand::{self, Load};
use crate::plan::rules::{self, Case};

/// Memory of the cluster and of a load test, including the kernel's.
pub(super) fn memory(case: &Case) -> Resource {
    let parties = Some((case.plan.balancer.kind, case.cluster.runtime));
    let idle = Load::of(case.cluster, 0).memory(case.cluster, case.plan.balancer.kind);
    let needed = idle + demand::of_a_test(case.load.total, parties, true);
    let available = case.host.memory_available;
    let most = demand::fitting_a_test(available.saturating_sub(idle), parties, true);
    let each = demand::of_a_test(1, parties, true) - demand::of_a_test(0, parties, true);
    Resource::new(
        "memory",
        &format!("{} MiB", needed >> 20),
        &format!("{} MiB", available >> 20),
        format!("{} KiB a connection, kernel and load test included", each >> 10),
    )
    .for_at_most(most, case, Some("free memory".to_owned()))
}

pub(super) fn threads(case: &Case) -> Resource {
    let needed = rules::threads_needed(case);
    let given = case
        .host
        .nproc
        .map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let short = rules::threads(case);
    let action = match &short {
        None => "started as they are needed".to_owned(),
        Some(warning) => warning.what.clone(),
    };
    Resource::new("threads", &needed, &given, action).with_a_loss(short.is_some())
}

//! What this host or balancer does not provide; one function per rule.

mod aging;
mod descriptors;
mod http;
mod listeners;
mod network;
mod rates;
mod resources;

use super::demand::Load;
use super::{Plan, Warning};
use crate::platform::Host;
use crate::profile::Cluster;

pub(super) use aging::{age_of_tcp, jitter_of_ages};
pub(super) use descriptors::{balancer_descriptors, node_descriptors};
pub(super) use http::{access_log, error_ejection};
pub(super) use listeners::unserved;
pub(super) use network::{MIN_BACKLOG, accept_queue, addresses, our_ports, source_ports, tracking};
pub(super) use rates::{connection_rate, message_rate};
pub(super) use resources::{cores, memory, threads, threads_needed};

/// The input of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) plan: &'a Plan,
    pub(super) host: &'a Host,
    /// The connections to hold.
    pub(super) load: Load,
}

/// What differs from the requests of the profile, for the connections that fit.
pub(super) fn warnings(cluster: &Cluster, plan: &Plan, host: &Host) -> Vec<Warning> {
    let case = Case {
        cluster,
        plan,
        host,
        load: Load::of(cluster, plan.capacity),
    };
    let rules = [
        balancer_descriptors,
        node_descriptors,
        unserved,
        addresses,
        message_rate,
        connection_rate,
        error_ejection,
        access_log,
        age_of_tcp,
        jitter_of_ages,
        our_ports,
        source_ports,
        accept_queue,
        tracking,
        memory,
        threads,
    ];
    rules.iter().filter_map(|rule| rule(&case)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::super::tests::{big_host, cluster, warnings};
    use super::*;
    use crate::profile::BalancerKind;

    /// The fix of the warning that contains `text`.
    pub(super) fn fix_of(plan: &Plan, text: &str) -> String {
        let warning = plan
            .warnings
            .iter()
            .find(|warning| warning.to_string().contains(text));
        warning
            .unwrap_or_else(|| panic!("{:?}", plan.warnings))
            .fix
            .clone()
            .unwrap()
    }

    pub(super) fn planned(host: &Host) -> Plan {
        plan(&cluster(), BalancerKind::Haproxy, host)
    }

    #[test]
    fn a_big_host_has_only_the_warnings_of_haproxy() {
        let warnings = warnings(&big_host());
        assert_eq!(
            warnings,
            [
                "messages per second are not limited on the TCP listener: haproxy sees no messages inside a TCP \
              connection; HTTP requests are limited"
            ]
        );
    }

    #[test]
    fn short_queues_little_memory_and_few_threads_are_reported() {
        let host = Host {
            somaxconn: 128,
            memory_available: 1 << 30,
            nproc: Some(50),
            ..big_host()
        };
        let plan = planned(&host);
        assert!(fix_of(&plan, "more than 128 clients").ends_with("net.core.somaxconn=4096"));
        assert!(fix_of(&plan, "memory").contains("limits.maxconn="));
        assert!(fix_of(&plan, "the limit of this user is").contains("--nproc=1024:1024"));
    }
}

//! Plans what will run, from what a profile requests and what this host allows. Pure.

mod addresses;
mod balancer;
mod chosen_by;
mod demand;
pub mod doctor;
mod fix;
mod generator;
mod nodes;
pub mod remedy;
mod rules;
mod sources;
mod tables;

use std::fmt;
use std::net::IpAddr;

use crate::platform::{Host, Instance};
use crate::profile::{BalancerKind, Cluster, ScaledBy};

pub use addresses::{Bound, Listener};
pub use chosen_by::ChosenBy;
pub use generator::{Demand, GeneratorPlan, POOL as CLIENT_SOURCES, Room, generator};
pub use remedy::Remedy;
pub use sources::PROBE_SOURCE;

/// How a cluster will run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The balancer.
    pub balancer: BalancerPlan,
    /// Each node.
    pub nodes: NodePlan,
    /// The listen addresses that this host has; at least one.
    pub addresses: Vec<IpAddr>,
    /// The connections that all of it can hold.
    pub capacity: u32,
    /// What the profile requests and this host or balancer does not provide.
    pub warnings: Vec<Warning>,
}

/// How the balancer runs.
#[derive(Clone, Debug, PartialEq)]
pub struct BalancerPlan {
    /// The kind of balancer.
    pub kind: BalancerKind,
    /// Connections that each instance accepts.
    pub maxconn: u32,
    /// `RLIMIT_NOFILE` of each instance; of each thread where threads have their own descriptor
    /// tables.
    pub nofile: u64,
    /// Threads of each instance.
    pub threads: u16,
    /// Processes that share the listeners.
    pub instances: u16,
    /// Listening sockets of each public address, between which the kernel divides the clients: at
    /// least one for each instance and, where threads or workers have their own, one for each.
    pub sockets: u16,
    /// The source addresses of connections to nodes; the kernel's choice when empty. For HAProxy
    /// one for each instance or, with a single instance, one for each backend: TCP, HTTP,
    /// WebSocket, event streams.
    pub sources: Vec<IpAddr>,
    /// The source address of checks; the kernel's choice when there is none.
    pub check_source: Option<IpAddr>,
}

/// How each node runs.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// `RLIMIT_NOFILE` of each node; 0 for nodes that are never started.
    pub nofile: u64,
    /// Worker threads, each with its own descriptor table; 0 for nodes other than our own.
    pub workers: u16,
    /// Connections that each node can hold; at most the profile's `nodes.maxconn`.
    pub maxconn: u32,
}

/// A request of the profile that is not fulfilled, or only in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What will be different.
    pub what: String,
    /// Why.
    pub why: String,
    /// The command or setting that changes it.
    pub fix: Option<String>,
    /// What `doctor --fix` can do about it.
    pub remedies: Vec<Remedy>,
}

/// Plans `cluster`, which is [behind](Cluster::behind) a balancer of `kind`, on `host`.
///
/// What does not fit is planned smaller, with a warning.
#[must_use]
pub fn plan(cluster: &Cluster, kind: BalancerKind, host: &Host) -> Plan {
    plan_on_sockets(cluster, kind, host, 0)
}

/// Plans `cluster` as [`plan`] does, for a balancer that has to serve `sockets` listening sockets of
/// each public address, which are open already. Threads or workers that have one socket each are
/// never fewer. 0 if none are open.
#[must_use]
pub fn plan_on_sockets(cluster: &Cluster, kind: BalancerKind, host: &Host, sockets: u16) -> Plan {
    let addresses = addresses::usable(cluster, host);
    let nodes = nodes::plan(cluster, host);
    let mut plan = Plan {
        balancer: balancer::plan(cluster, kind, &addresses, &nodes, host, sockets),
        nodes,
        addresses,
        capacity: 0,
        warnings: Vec::new(),
    };
    plan.capacity = capacity(cluster, &plan, host);
    plan.warnings = rules::warnings(cluster, &plan, host);
    plan
}

/// The `RLIMIT_NOFILE` with which `cluster` can run behind any balancer, on the processors and addresses of `host`.
#[must_use]
pub fn descriptors(cluster: &Cluster, host: &Host) -> u64 {
    let behind = |kind: BalancerKind| {
        let cluster = cluster.clone().behind(kind);
        let addresses = addresses::usable(&cluster, host);
        balancer::descriptors(&cluster, kind, &addresses, host.cpus, host.cpus)
    };
    let balancers = BalancerKind::ALL.into_iter().map(behind);
    let most = balancers.chain([nodes::descriptors(cluster)]).max();
    most.unwrap_or_default().next_multiple_of(1_024)
}

impl BalancerPlan {
    /// The instance with this index.
    #[must_use]
    pub fn instance(&self, index: usize) -> Instance {
        match self.instances {
            1 => Instance::Only,
            _ => Instance::Numbered(u16::try_from(index + 1).unwrap_or(u16::MAX)),
        }
    }

    /// Every instance.
    pub fn all_instances(&self) -> impl Iterator<Item = Instance> {
        (0..usize::from(self.instances)).map(|index| self.instance(index))
    }

    /// How many [`sockets`](BalancerPlan::sockets) of each public address the instance with this
    /// `index` serves: of `k` instances it has those with the numbers `index`, `index + k`, and so
    /// on.
    #[must_use]
    pub fn members(&self, index: usize) -> u16 {
        let first = u16::try_from(index).unwrap_or(u16::MAX);
        self.sockets.saturating_sub(first).div_ceil(self.instances.max(1))
    }

    /// The connections for which one instance is planned when there are several: a quarter more
    /// than its share. Clients are spread by a hash of their addresses, which is uneven for few
    /// addresses (simulated for 100,000 connections from 1,000 to 2,000 addresses: one of 11
    /// instances of 9,900 overflowed in most runs, one of 13 never).
    #[must_use]
    pub fn with_headroom(connections: u32) -> u64 {
        u64::from(connections) * 5 / 4
    }

    /// The connections that all instances hold together.
    #[must_use]
    pub fn holds(&self) -> u32 {
        match self.instances {
            1 => self.maxconn,
            several => {
                let all = u64::from(self.maxconn) * u64::from(several) * 4 / 5;
                u32::try_from(all).unwrap_or(u32::MAX)
            }
        }
    }

    /// One instance's share of the `connections` of a node.
    #[must_use]
    pub fn share(&self, connections: u32) -> u32 {
        match self.instances {
            1 => connections,
            several => {
                let share = BalancerPlan::with_headroom(connections).div_ceil(several.into());
                u32::try_from(share)
                    .unwrap_or(u32::MAX)
                    .clamp(1, connections.max(1))
            }
        }
    }

    /// The number of source addresses for one node's port: the listed ones, or else one. A single
    /// HAProxy has one for each backend.
    #[must_use]
    pub fn addresses(&self) -> u32 {
        let configured = u32::try_from(self.sources.len()).unwrap_or(u32::MAX).max(1);
        if self.has_address_per_backend() {
            1
        } else {
            configured
        }
    }

    /// Whether the [`sources`](BalancerPlan::sources) are one for each backend.
    #[must_use]
    pub fn has_address_per_backend(&self) -> bool {
        self.kind.facts().scales_by == ScaledBy::Processes && self.instances == 1
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

// Private

/// What the balancer accepts, or what the nodes can take from it if that is less.
fn capacity(cluster: &Cluster, plan: &Plan, host: &Host) -> u32 {
    let balancer = plan.balancer.holds().min(cluster.limits.maxconn);
    // The ports of one address to a node.
    let ports = host.ephemeral_ports().saturating_mul(plan.balancer.addresses());
    let nodes = cluster
        .nodes
        .iter()
        .map(|node| node.maxconn.min(plan.nodes.maxconn).min(ports))
        .fold(0, u32::saturating_add);
    balancer.min(nodes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::platform::host::Conntrack;
    use crate::profile::{DEFAULT, Source, load};

    /// The default profile.
    pub(super) fn cluster() -> Cluster {
        load(&Source::read(DEFAULT).unwrap()).unwrap()
    }

    /// A host that fulfils every request of the default profile.
    pub(crate) fn big_host() -> Host {
        Host {
            cpus: 8,
            memory_total: 32 << 30,
            memory_available: 30 << 30,
            nofile: 1 << 20,
            nproc: None,
            somaxconn: 4096,
            ephemeral: 10_000..=65_535,
            reserved: Vec::new(),
            conntrack: None,
            ipv6: true,
            root: false,
        }
    }

    /// The warnings of the default profile behind HAProxy, as text.
    pub(super) fn warnings(host: &Host) -> Vec<String> {
        let plan = plan(&cluster(), BalancerKind::Haproxy, host);
        plan.warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_big_host_holds_what_the_profile_requests() {
        let plan = plan(&cluster(), BalancerKind::Haproxy, &big_host());
        assert_eq!((plan.balancer.maxconn, plan.capacity), (100_000, 100_000));
        assert_eq!((plan.balancer.instances, plan.balancer.threads), (1, 8));
        assert_eq!(plan.nodes.maxconn, 35_000);
    }

    #[test]
    fn several_processes_hold_all_where_descriptors_are_few() {
        let host = Host {
            nofile: 20_000,
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        let plan = plan(&cluster(), BalancerKind::Haproxy, &host);
        assert_eq!((plan.balancer.instances, plan.capacity), (13, 100_000));
        assert!(
            !warnings(&host)
                .iter()
                .any(|warning| warning.contains("instead of"))
        );
    }

    #[test]
    fn a_very_low_descriptor_limit_lowers_the_capacity_with_a_warning() {
        let host = Host {
            nofile: 1_024,
            ..big_host()
        };
        let plan = plan(&cluster(), BalancerKind::Haproxy, &host);
        assert!((9_000..15_000).contains(&plan.capacity), "{}", plan.capacity);
        assert_eq!(plan.capacity, plan.balancer.holds());
        let text = plan.warnings[0].to_string();
        assert!(
            text.contains("instead of 100000") && text.contains("1024"),
            "{text}"
        );
        let fix = plan.warnings[0].fix.as_deref().unwrap();
        assert!(fix.contains("--nofile="), "{fix}");
    }

    #[test]
    fn the_built_in_balancer_holds_all_where_descriptors_and_ports_are_few() {
        let host = Host {
            cpus: 2,
            nofile: 20_000,
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        let cluster = cluster().behind(BalancerKind::Builtin);
        let plan = plan(&cluster, BalancerKind::Builtin, &host);
        assert_eq!((plan.balancer.maxconn, plan.capacity), (100_000, 100_000));
        let warnings: Vec<_> = plan.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn the_descriptors_of_a_service_do_not_depend_on_the_limit_of_this_process() {
        let few = Host {
            nofile: 1_024,
            ..big_host()
        };
        let needed = descriptors(&cluster(), &few);
        assert_eq!(needed, descriptors(&cluster(), &big_host()));
        assert!((200_000..300_000).contains(&needed), "{needed}");
    }

    #[test]
    fn nodes_bound_the_capacity_too() {
        let mut cluster = cluster();
        for node in &mut cluster.nodes {
            node.maxconn = 1_000;
        }
        assert_eq!(plan(&cluster, BalancerKind::Haproxy, &big_host()).capacity, 4_000);
        let few_ports = Host {
            ephemeral: 60_000..=60_099,
            ..big_host()
        };
        assert_eq!(plan(&cluster, BalancerKind::Haproxy, &few_ports).capacity, 400);
    }

    #[test]
    fn planning_succeeds_on_every_host() {
        let nothing = Host {
            cpus: 0,
            memory_total: 0,
            memory_available: 0,
            nofile: 0,
            nproc: Some(0),
            somaxconn: 0,
            ephemeral: 1..=1,
            reserved: vec![0..=u16::MAX],
            conntrack: Some(Conntrack { max: 0, count: 9 }),
            ipv6: false,
            root: true,
        };
        for kind in [BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Builtin] {
            let plan = plan(&cluster(), kind, &nothing);
            assert!(plan.balancer.maxconn > 0 && plan.balancer.threads > 0 && !plan.addresses.is_empty());
        }
    }
}

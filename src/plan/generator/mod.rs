//! How a load test runs on this host. Pure.
//!
//! [`bounds`] limits the number of connections, [`paces`] the rates of new connections and of
//! messages; each rule is a function. The tightest bound is the one that is reported, so that the
//! number in its fix does fit.

mod addresses;
mod bounds;
mod paces;

use super::Warning;
use super::tables::{Filled, Tables};
use crate::platform::Host;
use crate::profile::{BalancerKind, PerIp, Runtime};

pub use addresses::POOL;

/// Descriptors of a worker that are not connections: epoll, wake-ups, logs, inherited ones, and one
/// for a name lookup.
const OWN: u64 = 64;

/// The request for a load test.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The connections to hold.
    pub connections: u32,
    /// Whether each connection sometimes needs a second descriptor, as over SSE.
    pub side_requests: bool,
    /// Whether the target is on IPv4 loopback, so that every address of 127.0.0.0/8 can connect to
    /// it.
    pub on_loopback: bool,
    /// The requested number of source addresses on loopback. `None`: one for each connection on
    /// loopback, the kernel's choice elsewhere.
    pub sources: Option<u32>,
    /// The requested new connections per second; `None`: as many as the target accepts.
    pub rate: Option<f64>,
    /// The requested messages per second over all connections; `None`: the usual number, or what is
    /// allowed.
    pub messages_per_second: Option<f64>,
    /// What the cluster allows each address; `None` for a target that is not our own.
    pub per_ip: Option<PerIp>,
    /// What the cluster can hold beside its current connections; `None` for a target that is not
    /// our own.
    pub room: Option<Room>,
    /// The balancer and the nodes on this host that the connections go to, because they need memory
    /// too. `None` for a target that is not our own.
    pub parties: Option<(BalancerKind, Runtime)>,
}

/// The room that a cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Connections in addition to the current ones.
    pub connections: u32,
    /// What limits them.
    pub why: String,
}

/// How a load test will run.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratorPlan {
    /// Threads, each with its own descriptor table.
    pub workers: u16,
    /// `RLIMIT_NOFILE` of each table.
    pub nofile: u64,
    /// Source addresses; 0 for the kernel's choice.
    pub sources: u32,
    /// The most new connections per second; `None` for as many as the target accepts.
    pub rate: Option<f64>,
    /// Messages per second, over all connections.
    pub messages_per_second: f64,
}

/// Plans a load test, within half of what the cluster allows each address, so that two tests at
/// once stay within the limits.
///
/// # Errors
/// With what does not fit, why, and what would help.
pub fn generator(demand: &Demand, host: &Host) -> Result<GeneratorPlan, Warning> {
    addresses::obtainable(demand)?;
    bounds::keep(demand, host)?;
    let messages_per_second = paces::messages(demand)?;
    let rate = paces::openings(demand)?;
    let tables = tables(demand.connections, demand.sockets(), host);
    Ok(GeneratorPlan {
        workers: tables.workers,
        nofile: tables.nofile,
        sources: addresses::planned(demand),
        rate,
        messages_per_second,
    })
}

/// Workers for `connections` with this many `sockets` each: at least one for each processor, but
/// none without a connection.
pub(super) fn tables(connections: u32, sockets: u32, host: &Host) -> Tables {
    let connections = u64::from(connections.max(1));
    let least = u64::from(host.cpus).min(connections);
    Tables::plan(connections * u64::from(sockets), OWN, least, Filled::Evenly, host)
}

impl Demand {
    /// The most sockets that one connection has at one time.
    const fn sockets(&self) -> u32 {
        if self.side_requests { 2 } else { 1 }
    }

    /// The cluster's limits for each of our addresses; `None` where there are none.
    fn limits(&self) -> Option<&PerIp> {
        let limits = self.per_ip.as_ref()?;
        (!self.on_loopback || !addresses::exempt(limits)).then_some(limits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{big_host, cluster};
    use super::*;
    use crate::plan::demand;
    use crate::platform::host::Conntrack;

    /// A host like our container: few descriptors, and Linux's default range of ports.
    pub(super) fn host() -> Host {
        Host {
            cpus: 2,
            nofile: 20_000,
            ephemeral: 32_768..=60_999,
            ..big_host()
        }
    }

    /// The room of a cluster of the default profile.
    pub(super) fn room(connections: u32) -> Room {
        Room {
            connections,
            why: "limits.maxconn is 100000".to_owned(),
        }
    }

    /// A demand on a cluster of the default profile on loopback.
    pub(super) fn demand(connections: u32) -> Demand {
        Demand {
            connections,
            side_requests: false,
            on_loopback: true,
            sources: None,
            rate: None,
            messages_per_second: Some(0.0),
            per_ip: Some(cluster().limits.per_ip),
            room: Some(room(100_000)),
            parties: Some((BalancerKind::Builtin, Runtime::Embedded)),
        }
    }

    #[test]
    fn a_hundred_thousand_connections_fit_into_six_tables() {
        let plan = generator(&demand(100_000), &host()).unwrap();
        let expected = GeneratorPlan {
            workers: 6,
            nofile: 20_000,
            sources: 100_000,
            rate: None,
            messages_per_second: 0.0,
        };
        assert_eq!(plan, expected);
    }

    #[test]
    fn one_connection_needs_one_worker() {
        let plan = generator(&demand(1), &host()).unwrap();
        assert_eq!((plan.workers, plan.sources), (1, 1));
        let elsewhere = Demand {
            on_loopback: false,
            per_ip: None,
            room: None,
            parties: None,
            ..demand(1)
        };
        let plan = generator(&elsewhere, &host()).unwrap();
        assert_eq!((plan.workers, plan.sources), (1, 0));
    }

    #[test]
    fn a_second_socket_for_each_connection_takes_more_workers() {
        let side_requests = Demand {
            side_requests: true,
            ..demand(100_000)
        };
        assert_eq!(generator(&side_requests, &host()).unwrap().workers, 12);
    }

    fn limits() -> impl Strategy<Value = Option<PerIp>> {
        let exempt = prop::bool::weighted(0.2);
        let some =
            (0..200_u32, 0..200_u32, 0..200_u32, exempt).prop_map(|(connections, rate, messages, exempt)| {
                PerIp {
                    connections,
                    connection_rate: rate,
                    message_rate: messages,
                    exempt: exempt
                        .then(|| "127.0.0.0/8".parse().unwrap())
                        .into_iter()
                        .collect(),
                }
            });
        prop::option::of(some)
    }

    prop_compose! {
        fn demands()(
            connections in prop_oneof![1..50_u32, 1..200_000_u32, 1..20_000_000_u32],
            side_requests: bool,
            on_loopback: bool,
            sources in prop::option::of(1..2_000_u32),
            rate in prop::option::of(1.0..100_000_f64),
            messages in prop_oneof![Just(0.0), 0.1..10_000_f64],
            per_ip in limits(),
            free in prop::option::of(0..200_000_u32),
            ours: bool,
        ) -> Demand {
            Demand {
                connections, side_requests, on_loopback, sources, rate, messages_per_second: Some(messages), per_ip,
                room: free.map(room),
                parties: ours.then_some((BalancerKind::Builtin, Runtime::Embedded)),
            }
        }
    }

    prop_compose! {
        fn hosts()(
            nofile in prop_oneof![20..2_000_u64, 20..2_000_000_u64],
            cpus in 0..100_u16,
            from in 1_024..65_535_u16,
            memory in 0..64_u64,
            tracked in prop::option::of(0..500_000_u64),
        ) -> Host {
            Host {
                nofile,
                cpus,
                ephemeral: from..=65_535,
                memory_available: memory << 30,
                conntrack: tracked.map(|max| Conntrack { max, count: max / 3 }),
                ..big_host()
            }
        }
    }

    /// Half of `limit`, but at least one if it allows any; infinite where there is no limit.
    fn half(limit: u32) -> f64 {
        match limit {
            0 => f64::INFINITY,
            limit => f64::from(limit / 2).max(1.0),
        }
    }

    proptest! {
        #[test]
        fn whatever_is_planned_keeps_every_limit(demand in demands(), host in hosts()) {
            let Ok(plan) = generator(&demand, &host) else { return Ok(()) };
            let sockets = u64::from(demand.connections) * u64::from(demand.sockets());
            // Descriptors: spread evenly, with some left.
            prop_assert!(plan.workers >= 1 && u32::from(plan.workers) <= demand.connections);
            let table = u64::from(demand.connections).div_ceil(plan.workers.into()) * u64::from(demand.sockets());
            prop_assert!(table + OWN <= plan.nofile && plan.nofile <= host.nofile, "{table} in {plan:?}");
            // Addresses.
            prop_assert_eq!(plan.sources > 0, demand.on_loopback);
            let addresses = plan.sources.max(1);
            prop_assert!(addresses <= demand.connections);
            let each = demand.connections.div_ceil(addresses) * demand.sockets();
            let ports = if demand.on_loopback { (host.ephemeral_ports() / 2).max(1) } else { host.ephemeral_ports() };
            prop_assert!(each <= ports.max(demand.sockets()), "{each} of {ports} ports");
            if let Some(limits) = demand.limits() {
                let allowed = half(limits.connections).max(f64::from(limits.connections.min(demand.sockets())));
                prop_assert!(limits.connections == 0 || f64::from(each) <= allowed, "{each} connections: {limits:?}");
                prop_assert!(plan.messages_per_second / f64::from(addresses) <= half(limits.message_rate));
                let rate = plan.rate.unwrap_or(f64::INFINITY) / f64::from(addresses);
                let all_at_once = f64::from(demand.connections.div_ceil(addresses));
                let fresh = rate.min(all_at_once) * if demand.side_requests { 3.0 } else { 1.0 };
                prop_assert!(fresh <= half(limits.connection_rate) + 1e-6 || limits.connection_rate < 6, "{fresh}: {limits:?}");
            }
            prop_assert!(demand.rate.is_none_or(|asked| plan.rate.is_some_and(|rate| rate <= asked)));
            // The connections of others, and the kernel.
            prop_assert!(demand.room.is_none_or(|room| demand.connections <= room.connections));
            prop_assert!(host.conntrack.is_none_or(|table| table.count + sockets <= table.max));
            prop_assert!(demand::of_a_test(demand.connections, demand.parties, demand.on_loopback) <= host.memory_available);
        }

        #[test]
        fn what_the_refusal_says_would_fit_does(demand in demands(), host in hosts()) {
            let Err(warning) = generator(&demand, &host) else { return Ok(()) };
            prop_assert!(warning.why.chars().any(|c| c.is_ascii_digit()), "{warning}");
            let fix = warning.fix.unwrap();
            let Some(fitting) = fix.split("load-test ").nth(1).and_then(|rest| rest.split('`').next()) else { return Ok(()) };
            let connections: u32 = fitting.parse().unwrap();
            prop_assert!(connections < demand.connections);
            let quiet = |connections| Demand { connections, messages_per_second: Some(0.0), rate: None, ..demand.clone() };
            prop_assert!(generator(&quiet(connections), &host).is_ok(), "{fix}");
            // One more connection does not fit.
            prop_assert!(generator(&quiet(connections + 1), &host).is_err(), "{fix}");
        }
    }
}

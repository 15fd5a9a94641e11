//! The bounds on the connections of a load test: each rule returns the most that it allows, and
//! why.

use super::{Demand, OWN, Room, Warning, addresses};
use crate::plan::tables::{Filled, Tables};
use crate::plan::{demand, fix};
use crate::platform::Host;

/// Ports of the widest range that the kernel can use: 1024 to 65535.
const WIDEST: u32 = 65_536 - 1_024;

/// The most connections that one rule allows.
struct Bound {
    most: u32,
    why: String,
    /// The setting that would allow more.
    more: String,
}

/// Refuses more connections than the tightest rule allows.
pub(super) fn keep(demand: &Demand, host: &Host) -> Result<(), Warning> {
    let bounds = [
        room(demand),
        per_ip(demand),
        Some(descriptors(demand, host)),
        Some(ports(demand, host)),
        tracking(demand, host),
        Some(memory(demand, host)),
    ];
    let tightest = bounds.into_iter().flatten().min_by_key(|bound| bound.most);
    match tightest {
        Some(bound) if bound.most < demand.connections => Err(bound.refusal(demand)),
        _ => Ok(()),
    }
}

// Private

impl Bound {
    fn refusal(self, demand: &Demand) -> Warning {
        let Bound { most, why, more } = self;
        Warning {
            what: match demand.connections {
                1 => "1 connection does not fit".to_owned(),
                many => format!("{many} connections do not fit"),
            },
            why,
            fix: Some(match most {
                0 => more,
                most => format!("`clusterctl load-test {most}`, or {more}"),
            }),
            remedies: Vec::new(),
        }
    }
}

/// The room that the cluster still has.
fn room(demand: &Demand) -> Option<Bound> {
    let Room { connections, why } = demand.room.as_ref()?;
    Some(Bound {
        most: *connections,
        why: format!("the cluster has room for {connections} more: {why}"),
        more: format!(
            "a larger cluster: `clusterctl doctor --connections {}` shows what it needs",
            demand.connections
        ),
    })
}

/// Half of the connections that the cluster allows an address, but at least one if it allows any.
fn per_ip(demand: &Demand) -> Option<Bound> {
    let limit = demand.limits()?.connections;
    if limit == 0 {
        return None;
    }
    let sockets = demand.sockets();
    let each = (limit / 2 / sockets).max(u32::from(limit >= sockets));
    let addresses = addresses::available(demand);
    let needed = demand.connections.div_ceil(addresses).saturating_mul(sockets * 2);
    Some(Bound {
        most: addresses.saturating_mul(each),
        why: format!(
            "{} may have {limit} connections each (limits.per_ip.connections), and a test uses half of that",
            addresses::counted(addresses)
        ),
        more: format!(
            "{}`clusterctl start --set limits.per_ip.connections={needed}`",
            more_addresses(demand)
        ),
    })
}

/// The descriptors of all tables of this process together.
fn descriptors(demand: &Demand, host: &Host) -> Bound {
    let wanted = u64::from(demand.connections) * u64::from(demand.sockets());
    let Tables { workers, held, .. } = Tables::plan(wanted, OWN, 1, Filled::Evenly, host);
    Bound {
        most: at_most(held / u64::from(demand.sockets())),
        why: format!(
            "{workers} threads with {} descriptors each hold {held} sockets of the {wanted}",
            host.nofile
        ),
        more: fix::nofile(host, Tables::least_nofile(wanted, OWN, Filled::Evenly)),
    }
}

/// Ports from each address to the target. If more than half of them are in use, the kernel finds a
/// free one slowly; this is accepted only if there is no other address.
fn ports(demand: &Demand, host: &Host) -> Bound {
    let all = host.ephemeral_ports();
    let addresses = addresses::available(demand);
    let share = if demand.on_loopback { "half of " } else { "" };
    Bound {
        most: connections(demand, all),
        why: format!(
            "{} can use {share}{all} ports to the target each",
            addresses::counted(addresses)
        ),
        more: match connections(demand, WIDEST) {
            enough if enough >= demand.connections => format!(
                "{}`{}`",
                more_addresses(demand),
                fix::sysctl(host, &[("net.ipv4.ip_local_port_range", "1024 65535".to_owned())])
            ),
            _ if demand.on_loopback => "more `--sources`".to_owned(),
            _ => "test from several machines at once".to_owned(),
        },
    }
}

/// Connections from all addresses, if each has this many `ports`.
fn connections(demand: &Demand, ports: u32) -> u32 {
    let usable = if demand.on_loopback { ports / 2 } else { ports };
    addresses::available(demand).saturating_mul((usable / demand.sockets()).max(1))
}

/// Entries of the connection tracking table: two for each connection through our own balancer.
fn tracking(demand: &Demand, host: &Host) -> Option<Bound> {
    let table = host.conntrack?;
    let free = table.max.saturating_sub(table.count);
    let each = u64::from(demand.sockets()) * if demand.parties.is_some() { 2 } else { 1 };
    let needed = table
        .count
        .saturating_add(each * u64::from(demand.connections))
        .next_multiple_of(1 << 16);
    let setting = [("net.netfilter.nf_conntrack_max", needed.to_string())];
    Some(Bound {
        most: at_most(free / each),
        why: format!(
            "the connection tracking table has {free} of {} entries free, and each takes {each}",
            table.max
        ),
        more: format!("`{}`", fix::sysctl(host, &setting)),
    })
}

/// Memory of all processes on this host that take part, including the kernel's.
fn memory(demand: &Demand, host: &Host) -> Bound {
    let available = host.memory_available;
    let needed = demand::of_a_test(demand.connections, demand.parties, demand.on_loopback);
    Bound {
        most: at_most(demand::fitting_a_test(
            available,
            demand.parties,
            demand.on_loopback,
        )),
        why: format!(
            "they need about {} MiB of memory, and {} MiB are available",
            needed >> 20,
            available >> 20
        ),
        more: "free memory".to_owned(),
    }
}

/// The hint for more addresses, if their number was given.
fn more_addresses(demand: &Demand) -> &'static str {
    match demand.sources {
        Some(_) if demand.on_loopback => "more `--sources`, or ",
        _ => "",
    }
}

fn at_most(most: u64) -> u32 {
    u32::try_from(most).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::generator;
    use super::super::tests::{demand, host};
    use super::*;
    use crate::platform::host::Conntrack;

    fn refused(demand: &Demand, host: &Host) -> String {
        let warning = generator(demand, host).unwrap_err();
        format!("{warning}\nfix: {}", warning.fix.clone().unwrap_or_default())
    }

    #[test]
    fn ten_million_connections_are_refused_with_the_maximum() {
        insta::assert_snapshot!(refused(&demand(10_000_000), &host()), @r"
        10000000 connections do not fit: the cluster has room for 100000 more: limits.maxconn is 100000
        fix: `clusterctl load-test 100000`, or a larger cluster: `clusterctl doctor --connections 10000000` shows what it needs
        ");
        let roomy = Demand {
            room: None,
            ..demand(10_000_000)
        };
        insta::assert_snapshot!(refused(&roomy, &host()), @r"
        10000000 connections do not fit: 64 threads with 20000 descriptors each hold 1126144 sockets of the 10000000
        fix: `clusterctl load-test 1126144`, or `sudo prlimit --pid $$ --nofile=174080:174080` for this shell; permanently: `printf '* - nofile 174080\nroot - nofile 174080\n' | sudo tee /etc/security/limits.d/90-clusterctl-nofile.conf` and log in again, or `LimitNOFILE=174080` in a systemd unit
        ");
        let full = Demand {
            room: Some(super::super::tests::room(0)),
            ..demand(1)
        };
        insta::assert_snapshot!(refused(&full, &host()), @r"
        1 connection does not fit: the cluster has room for 0 more: limits.maxconn is 100000
        fix: a larger cluster: `clusterctl doctor --connections 1` shows what it needs
        ");
    }

    #[test]
    fn few_addresses_hold_few_connections() {
        let five = Demand {
            sources: Some(5),
            ..demand(1_000)
        };
        insta::assert_snapshot!(refused(&five, &host()), @r"
        1000 connections do not fit: 5 source addresses may have 100 connections each (limits.per_ip.connections), and a test uses half of that
        fix: `clusterctl load-test 250`, or more `--sources`, or `clusterctl start --set limits.per_ip.connections=400`
        ");
        let unlimited = Demand {
            per_ip: None,
            sources: Some(2),
            ..demand(50_000)
        };
        insta::assert_snapshot!(refused(&unlimited, &host()), @r"
        50000 connections do not fit: 2 source addresses can use half of 28232 ports to the target each
        fix: `clusterctl load-test 28232`, or more `--sources`, or `sudo sysctl -w 'net.ipv4.ip_local_port_range=1024 65535'`
        ");
        let elsewhere = Demand {
            on_loopback: false,
            sources: None,
            ..unlimited
        };
        let many = Demand {
            connections: 100_000,
            ..elsewhere.clone()
        };
        assert!(refused(&many, &host()).ends_with("or test from several machines at once"));
        insta::assert_snapshot!(refused(&elsewhere, &host()), @r"
        50000 connections do not fit: 1 source address can use 28232 ports to the target each
        fix: `clusterctl load-test 28232`, or `sudo sysctl -w 'net.ipv4.ip_local_port_range=1024 65535'`
        ");
    }

    #[test]
    fn little_memory_few_descriptors_and_a_full_tracking_table_hold_few_connections() {
        let little = Host {
            memory_available: 1 << 30,
            ..host()
        };
        insta::assert_snapshot!(refused(&demand(100_000), &little), @r"
        100000 connections do not fit: they need about 2571 MiB of memory, and 1024 MiB are available
        fix: `clusterctl load-test 39069`, or free memory
        ");
        let few = Host {
            nofile: 512,
            ..host()
        };
        insta::assert_snapshot!(refused(&demand(100_000), &few), @r"
        100000 connections do not fit: 38 threads with 512 descriptors each hold 7524 sockets of the 100000
        fix: `clusterctl load-test 7524`, or `sudo prlimit --pid $$ --nofile=3072:3072` for this shell; permanently: `printf '* - nofile 3072\nroot - nofile 3072\n' | sudo tee /etc/security/limits.d/90-clusterctl-nofile.conf` and log in again, or `LimitNOFILE=3072` in a systemd unit
        ");
        let tracked = Host {
            conntrack: Some(Conntrack {
                max: 100_000,
                count: 1,
            }),
            ..host()
        };
        insta::assert_snapshot!(refused(&demand(100_000), &tracked), @r"
        100000 connections do not fit: the connection tracking table has 99999 of 100000 entries free, and each takes 2
        fix: `clusterctl load-test 49999`, or `sudo sysctl -w net.netfilter.nf_conntrack_max=262144`
        ");
    }
}

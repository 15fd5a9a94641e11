//! The resources that a number of connections needs, and those that this host has.

use super::doctor::{doctor, mark};
use super::table;
use crate::plan::doctor::{Prospect, Resource};

/// A line for each resource, then every finding.
#[must_use]
pub fn prospect(prospect: &Prospect) -> String {
    format!("{}\n{}", lines(&prospect.plan), doctor(&prospect.findings))
}

// Private

fn lines(resources: &[Resource]) -> String {
    let cells = |row: &Resource| [row.resource, &row.needed, &row.given, &row.action].map(str::to_owned);
    let header = ["resource", "needed", "given", "what is done"];
    let marks = [" ".to_owned()]
        .into_iter()
        .chain(resources.iter().map(|row| mark(row.level)));
    let lines = marks
        .zip(table::lines(header, resources.iter().map(cells), header.len()))
        .map(|(mark, line)| format!("{mark} {line}"));
    lines.chain([String::new()]).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::testing::plain;
    use crate::plan::doctor::{self, Observed};
    use crate::plan::plan;
    use crate::platform::Host;
    use crate::platform::host::Conntrack;
    use crate::profile::{BalancerKind, DEFAULT, Source, load};

    /// The text for a machine with few descriptors and Linux's default port range.
    fn shown(connections: u32, kind: BalancerKind) -> String {
        let host = Host {
            cpus: 2,
            memory_total: 24 << 30,
            memory_available: 22 << 30,
            nofile: 20_000,
            nproc: None,
            somaxconn: 4_096,
            ephemeral: 32_768..=60_999,
            reserved: Vec::new(),
            conntrack: Some(Conntrack {
                max: 262_144,
                count: 144,
            }),
            ipv6: true,
            root: false,
        };
        let mut cluster = load(&Source::read(DEFAULT).unwrap()).unwrap().behind(kind);
        cluster.limits.maxconn = connections;
        let plan = plan(&cluster, kind, &host);
        let prospect = doctor::prospect(&cluster, &plan, &host, &Observed::default());
        plain(&super::prospect(&prospect))
            .split_inclusive('\n')
            .take(14)
            .collect()
    }

    #[test]
    fn each_resource_is_a_line_and_the_verdict_comes_first() {
        insta::assert_snapshot!(shown(100_000, BalancerKind::Builtin), @r"
          resource               needed                         given                  what is done
        ✓ connections            100000                         100000                 limits.maxconn=100000, up to 25000 on each of 4 nodes
        ✓ balancer descriptors   200000                         20000 a thread         14 threads with a table each, for 100000 connections
        ✓ connections per node   25000, 33334 when one is down  35000 (nodes.maxconn)  all of them also when one is down
        ✓ node descriptors       25000                          20000 a thread         3 threads with a table each, for 35000 connections in each node
        ✓ generator descriptors  100000                         20000 a thread         6 threads with a table each, in a load test
        ✓ source ports to nodes  25000                          28232 an address       14 source addresses: 127.0.0.2 to 127.0.0.15
        ✓ client addresses       2000                           14680064               one for each connection of a load test; 100 connections per client are allowed
        ✓ accept queue           1024                           4096                   the longest that the kernel allows
        ✓ connection tracking    200144                         262144                 two entries for each connection, plus the current ones
        ✓ memory                 2763 MiB                       22528 MiB              26 KiB a connection, kernel and load test included
        ✓ threads                108                            unlimited              started as they are needed

        ✓ connections      100000 fit behind builtin on this host
        ");
        insta::assert_snapshot!(shown(10_000_000, BalancerKind::Builtin), @r"
          resource               needed                             given                  what is done
        ✗ connections            10000000                           131000                 do not fit: connection tracking
        ✗ balancer descriptors   20000000                           20000 a thread         64 threads with a table each, for 468960 connections
        ✗ connections per node   2500000, 3333334 when one is down  35000 (nodes.maxconn)  `--set nodes.maxconn=3333334`, or more nodes
        ✗ node descriptors       2500000                            20000 a thread         3 threads with a table each, for 35000 connections in each node
        ! generator descriptors  10000000                           20000 a thread         a load test holds 1126144 at most
        ✗ source ports to nodes  2500000                            28232 an address       64 source addresses: 127.0.0.2 to 127.0.0.65; slow beyond half of the ports
        ✓ client addresses       200000                             14680064               one for each connection of a load test; 100 connections per client are allowed
        ✓ accept queue           1024                               4096                   the longest that the kernel allows
        ✗ connection tracking    20000144                           262144                 two entries for each connection, plus the current ones
        ✗ memory                 254130 MiB                         22528 MiB              26 KiB a connection, kernel and load test included
        ✓ threads                158                                unlimited              started as they are needed

        ✗ connections      10000000 do not fit behind builtin on this host, 131000 do: connection tracking, 20000144 needed and 262144 given
        ");
        insta::assert_snapshot!(shown(100_000, BalancerKind::Haproxy), @r"
          resource               needed                         given                  what is done
        ✓ connections            100000                         100000                 limits.maxconn=100000, up to 25000 on each of 4 nodes
        ✓ balancer descriptors   200000                         20000 a process        13 processes for up to 9960 connections each
        ✓ connections per node   25000, 33334 when one is down  35000 (nodes.maxconn)  all of them also when one is down
        ✓ node descriptors       25000                          20000 a thread         3 threads with a table each, for 35000 connections in each node
        ✓ generator descriptors  100000                         20000 a thread         6 threads with a table each, in a load test
        ✓ source ports to nodes  25000                          28232 an address       13 source addresses: 127.0.0.2 to 127.0.0.14
        ✓ client addresses       2000                           14680064               one for each connection of a load test; 100 connections per client are allowed
        ✓ accept queue           1024                           4096                   the longest that the kernel allows
        ✓ connection tracking    200144                         262144                 two entries for each connection, plus the current ones
        ✓ memory                 2958 MiB                       22528 MiB              28 KiB a connection, kernel and load test included
        ✓ threads                107                            unlimited              started as they are needed

        ✓ connections      100000 fit behind haproxy on this host
        ");
        insta::assert_snapshot!(shown(9_900, BalancerKind::Haproxy), @r"
          resource               needed                       given                  what is done
        ✓ connections            9900                         9900                   limits.maxconn=9900, up to 2475 on each of 4 nodes
        ✓ balancer descriptors   19882                        20000 a process        1 process for 9900 connections
        ✓ connections per node   2475, 3300 when one is down  35000 (nodes.maxconn)  all of them also when one is down
        ✓ node descriptors       2475                         20000 a thread         3 threads with a table each, for 35000 connections in each node
        ✓ generator descriptors  9900                         20000 a thread         2 threads with a table each, in a load test
        ✓ source ports to nodes  2475                         28232 an address       the address that the kernel chooses
        ✓ client addresses       198                          14680064               one for each connection of a load test; 100 connections per client are allowed
        ✓ accept queue           1024                         4096                   the longest that the kernel allows
        ✓ connection tracking    19944                        262144                 two entries for each connection, plus the current ones
        ✓ memory                 494 MiB                      22528 MiB              28 KiB a connection, kernel and load test included
        ✓ threads                96                           unlimited              started as they are needed

        ✓ connections      9900 fit behind haproxy on this host
        ");
    }
}

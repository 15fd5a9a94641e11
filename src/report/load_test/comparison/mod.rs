//! `load-test --compare A.json B.json`: the changes from one test to the other, and whether they
//! are more than noise.

mod change;
mod lines;

use super::super::status::section;
use super::super::{style, table};
use super::sanitize::sanitize;
use super::{failover, terminal};
use crate::load_test::results::{Outcome, Results};
use change::Change;
use lines::lines;

/// Two tests side by side, `before` and `after`.
#[must_use]
pub fn load_test_comparison(before: &Results, after: &Results) -> String {
    let (before, after) = (&sanitize(before), &sanitize(after));
    let lines = lines(before, after);
    let count = |change| lines.iter().filter(|line| line.change() == change).count();
    let (better, worse) = (count(Change::Better), count(Change::Worse));
    let rows = lines.iter().map(|line| {
        let word = match line.change() {
            Change::Better => style::green("better"),
            Change::Worse => style::red("worse"),
            Change::Noise => String::new(),
        };
        let noise = match line.noise.percent {
            percent if percent > 0.0 => format!("±{percent}%"),
            _ => String::new(),
        };
        [
            line.what.clone(),
            line.before(),
            line.after(),
            line.percent(),
            noise,
            word,
        ]
    });
    let rows = table::lines(["", "A", "B", "change", "noise", ""], rows, 1);
    [
        style::bold("=== Load Test Comparison ==="),
        format!("\n\nA: {}\nB: {}\n", about(before), about(after)),
        section("Not the same test", &differences(before, after)),
        section("Change from A to B", &rows),
        format!("\n{better} better, {worse} worse, beyond noise.\n"),
    ]
    .concat()
}

// Private

fn about(results: &Results) -> String {
    let asked = &results.test;
    let outcome = match results.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Interrupted => "interrupted",
    };
    format!(
        "{}, {} connections for {} s: {outcome}",
        terminal::target(asked),
        asked.connections,
        asked.seconds
    )
}

/// Differences in the settings or the host of the tests, which explain changes of the values.
fn differences(before: &Results, after: &Results) -> Vec<String> {
    let (a, b) = (&before.test, &after.test);
    let fast = |rate: Option<f64>| rate.map_or("as fast as accepted".to_owned(), |rate| format!("{rate}/s"));
    let kind = |results: &Results| {
        results
            .test
            .balancer
            .map_or("external".to_owned(), |kind| kind.to_string())
    };
    let failure = |results: &Results| {
        let failover = results.failover.as_ref();
        failover.map_or("none".to_owned(), |failover| {
            failover::done(failover.mode).to_owned()
        })
    };
    let pairs = [
        ("balancer", kind(before), kind(after)),
        ("protocol", a.protocol.to_string(), b.protocol.to_string()),
        (
            "connections",
            a.connections.to_string(),
            b.connections.to_string(),
        ),
        ("seconds", a.seconds.to_string(), b.seconds.to_string()),
        ("rate", fast(a.rate), fast(b.rate)),
        (
            "messages per second",
            a.messages_per_second.to_string(),
            b.messages_per_second.to_string(),
        ),
        (
            "nodes",
            before.nodes.len().to_string(),
            after.nodes.len().to_string(),
        ),
        ("failover", failure(before), failure(after)),
        (
            "processors",
            before.host.cpus.to_string(),
            after.host.cpus.to_string(),
        ),
        ("kernel", before.host.kernel.clone(), after.host.kernel.clone()),
        ("program", before.program.clone(), after.program.clone()),
    ];
    let other = pairs.into_iter().filter(|(_, a, b)| a != b);
    other
        .map(|(what, a, b)| style::yellow(&format!("{what}: {a} and {b}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::plain;
    use super::super::testing::{broken, by_chance, failed_over, passed};
    use super::*;
    use crate::load_test::Protocol;

    #[test]
    fn a_test_is_as_good_as_itself() {
        let text = plain(&load_test_comparison(&failed_over(), &failed_over()));
        assert!(text.ends_with("\n0 better, 0 worse, beyond noise.\n"), "{text}");
        assert!(!text.contains("Not the same test"), "{text}");
    }

    #[test]
    fn a_test_that_went_otherwise_by_chance_is_neither_better_nor_worse() {
        let mut after = failed_over();
        let nodes = after.nodes.iter_mut().map(|node| &mut node.latency);
        for times in nodes.chain([&mut after.latency.all, &mut after.ramp.handshake]) {
            times.p50_ms += 0.04;
            times.p90_ms += 0.9;
            times.p99_ms *= 0.83;
            times.p999_ms += 4.0;
            times.max_ms *= 1.4;
        }
        after.latency.variance_percent += 9.0;
        after.memory.host_bytes += 800_000_000;
        after.memory.generator_bytes += 30_000_000;
        after.memory.generator_bytes_per_connection += 300;
        after.memory.nodes_bytes -= 40_000_000;
        let text = plain(&load_test_comparison(&failed_over(), &after));
        assert!(text.ends_with("\n0 better, 0 worse, beyond noise.\n"), "{text}");
    }

    #[test]
    fn chance_is_neither_better_nor_worse_than_other_chance() {
        let mut after = by_chance();
        after.distribution.variance_percent = 20.0;
        let text = plain(&load_test_comparison(&by_chance(), &after));
        assert!(text.ends_with("\n0 better, 0 worse, beyond noise.\n"), "{text}");
        after.distribution.chance = None;
        let text = plain(&load_test_comparison(&by_chance(), &after));
        assert!(text.ends_with("\n0 better, 1 worse, beyond noise.\n"), "{text}");
    }

    #[test]
    fn a_worse_value_is_distinguished_from_noise() {
        let mut after = broken();
        after.ramp.seconds = 6.1;
        after.nodes[1].latency.p50_ms *= 1.04;
        insta::assert_snapshot!(plain(&load_test_comparison(&failed_over(), &after)), @r"
        === Load Test Comparison ===

        A: HAProxy at 127.0.0.1:8000, tcp, 100000 connections for 60 s: passed
        B: HAProxy at 127.0.0.1:8000, tcp, 100000 connections for 60 s: failed

        Change from A to B:
                                           A        B   change  noise
          connections held            100000    99400    -0.6%          worse
          errors                           0      600                   worse
          ramp                         8.2 s    6.1 s   -25.6%   ±20%  better
          connected per second         12195    12195            ±20%
          handshake p50              0.38 ms  0.38 ms            ±20%
          handshake p99               5.6 ms   5.6 ms            ±20%
          variance                      2.4%     7.3%  +198.7%   ±10%   worse
          latency variance              8.1%     8.1%            ±50%
          all p50                    0.42 ms  0.42 ms            ±10%
          all p90                     1.4 ms   1.4 ms            ±20%
          all p99                     5.6 ms  48.0 ms  +757.1%   ±20%   worse
          all p99.9                  11.9 ms  11.9 ms            ±50%
          all max                    24.3 ms  24.3 ms            ±50%
          erlmcp1 p50                0.42 ms  0.42 ms            ±10%
          erlmcp1 p99                 5.6 ms   5.6 ms            ±20%
          erlmcp2 p50                0.44 ms  0.45 ms    +4.0%   ±10%
          erlmcp2 p99                 5.8 ms   5.8 ms            ±20%
          erlmcp3 p50                0.41 ms  0.41 ms            ±10%
          erlmcp3 p99                 5.4 ms   5.4 ms            ±20%
          erlmcp4 p50                0.44 ms  0.44 ms            ±10%
          erlmcp4 p99                 5.9 ms   5.9 ms            ±20%
          failover noticed              3 ms     3 ms            ±15%
          all cut off                 310 ms   310 ms            ±15%
          half served elsewhere       980 ms   980 ms            ±15%
          all served elsewhere       2100 ms        -            ±15%
          node back                  1240 ms        -            ±15%
          not served elsewhere             0       40                   worse
          bystanders cut off               0        0
          host                        4.8 GB   4.8 GB            ±20%
          generator                   171 MB   171 MB            ±20%
          generator, per connection   1.6 kB   1.6 kB            ±20%
          nodes                       412 MB   412 MB            ±20%
          balancer                    655 MB   655 MB            ±20%

        1 better, 5 worse, beyond noise.
        ");
    }

    #[test]
    fn different_tests_are_reported_as_such() {
        let mut after = passed();
        after.test.protocol = Protocol::Ws;
        after.test.balancer = None;
        after.nodes[3].name = "another".into();
        insta::assert_snapshot!(plain(&load_test_comparison(&failed_over(), &after)), @r"
        === Load Test Comparison ===

        A: HAProxy at 127.0.0.1:8000, tcp, 100000 connections for 60 s: passed
        B: 127.0.0.1:8000, ws, 100000 connections for 60 s: passed

        Not the same test:
          balancer: haproxy and external
          protocol: tcp and ws
          failover: killed and none

        Change from A to B:
                                           A        B  change  noise
          connections held            100000   100000
          errors                           0        0
          ramp                         8.2 s    8.2 s           ±20%
          connected per second         12195    12195           ±20%
          handshake p50              0.38 ms  0.38 ms           ±20%
          handshake p99               5.6 ms   5.6 ms           ±20%
          variance                      2.4%     2.4%           ±10%
          latency variance              8.1%     8.1%           ±50%
          all p50                    0.42 ms  0.42 ms           ±10%
          all p90                     1.4 ms   1.4 ms           ±20%
          all p99                     5.6 ms   5.6 ms           ±20%
          all p99.9                  11.9 ms  11.9 ms           ±50%
          all max                    24.3 ms  24.3 ms           ±50%
          erlmcp1 p50                0.42 ms  0.42 ms           ±10%
          erlmcp1 p99                 5.6 ms   5.6 ms           ±20%
          erlmcp2 p50                0.44 ms  0.44 ms           ±10%
          erlmcp2 p99                 5.8 ms   5.8 ms           ±20%
          erlmcp3 p50                0.41 ms  0.41 ms           ±10%
          erlmcp3 p99                 5.4 ms   5.4 ms           ±20%
          erlmcp4 p50                0.44 ms        -           ±10%
          erlmcp4 p99                 5.9 ms        -           ±20%
          another p50                      -  0.44 ms           ±10%
          another p99                      -   5.9 ms           ±20%
          failover noticed              3 ms        -           ±15%
          all cut off                 310 ms        -           ±15%
          half served elsewhere       980 ms        -           ±15%
          all served elsewhere       2100 ms        -           ±15%
          node back                  1240 ms        -           ±15%
          not served elsewhere             0        -
          bystanders cut off               0        -
          host                        4.8 GB   4.8 GB           ±20%
          generator                   171 MB   171 MB           ±20%
          generator, per connection   1.6 kB   1.6 kB           ±20%
          nodes                       412 MB   412 MB           ±20%
          balancer                    655 MB   655 MB           ±20%

        0 better, 0 worse, beyond noise.
        ");
    }
}

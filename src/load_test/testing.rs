//! An example of a load test's results: the reference's 100,000 connections, with one node killed
//! in the middle.

use super::protocol::Protocol;
use super::results::{
    Asked, Bucket, Count, Counts, Distribution, Failover, FailoverMode, FailoverPoint, HostFacts, Latency,
    Memory, Messages, Moment, NodeCount, NodeResult, Outcome, Phase, Quantiles, Ramp, Results, Sticky,
    VERSION,
};
use crate::api::LatencyClass;
use crate::mcp::Revision;
use crate::profile::{BalancerKind, Source, Targets, load};

/// The names of its nodes.
const NODES: [&str; 4] = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"];
/// Their connections when all were made.
const MADE: [u32; 4] = [25_234, 24_987, 25_156, 24_623];
/// Their connections at the end: other nodes serve the clients of the third.
const HELD: [u32; 4] = [33_619, 33_372, 0, 33_009];
/// When all were made, when the third node was killed, and when other nodes served its clients, in
/// seconds.
const MADE_AT: f64 = 8.2;
const KILLED_AT: f64 = 38.0;
const REHOMED_AT: f64 = 40.1;
/// When the hold ended, and when the last was closed.
const HELD_UNTIL: f64 = 68.2;
const CLOSED_AT: f64 = 71.0;

/// The default profile's targets.
pub(crate) fn targets() -> Targets {
    load(&Source::read("default").unwrap()).unwrap().targets
}

/// A test that meets every target. Not judged yet: it has no checks.
pub(crate) fn sample() -> Results {
    Results {
        version: VERSION,
        program: "clusterctl 0.1.0".into(),
        began_unix: 1_769_903_999,
        host: HostFacts {
            cpus: 2,
            memory_bytes: 25_000_000_000,
            nofile: 20_000,
            kernel: "6.18.0".into(),
        },
        test: asked(),
        outcome: Outcome::Passed,
        checks: Vec::new(),
        ramp: Ramp {
            seconds: MADE_AT,
            connected: 100_000,
            rate: 12_195.1,
            handshake: quantiles(100_000, 0.9, 1.0),
        },
        held: 100_000,
        hold_seconds: HELD_UNTIL - MADE_AT,
        nodes: nodes(),
        distribution: Distribution {
            nodes: Vec::new(),
            others: 0,
            in_motion: 0,
            mean: 25_000.0,
            min: 24_623,
            max: 25_234,
            variance_percent: 2.444,
            variance_target_percent: 5.0,
            tolerance_percent: 2.0,
            stddev: 230.1,
            jain: 0.9999,
            chosen_by: None,
            chance: None,
        },
        counts: counts(),
        messages: Messages {
            due: 60_000,
            answered: 60_000,
            unanswered: 0,
            answered_by_error: 0,
            lost: 0,
            sent_late: Quantiles::default(),
        },
        latency: Latency {
            all: quantiles(60_000, 1.0, 1.0),
            variance_percent: 8.1,
            class: LatencyClass::Good,
            p99_target_ms: 20.0,
            histogram: histogram(),
        },
        sticky: Some(Sticky {
            sampled: 1_000,
            same: 1_000,
            moved: Vec::new(),
        }),
        failover: Some(failover()),
        errors: Vec::new(),
        timeline: timeline(),
        memory: Memory {
            host_bytes: 4_812_000_000,
            generator_bytes: 171_000_000,
            generator_bytes_per_connection: 1_640,
            nodes_bytes: 412_000_000,
            balancer_bytes: 655_000_000,
        },
        notes: Vec::new(),
    }
}

/// Results of the sample without the failover: the connections stay where they were made.
pub(crate) fn calm() -> Results {
    let mut results = sample();
    results.failover = None;
    results.test.failover = None;
    for (node, made) in results.nodes.iter_mut().zip(MADE) {
        node.held = made;
    }
    results.counts.generator = count(MADE);
    results.counts.balancer = Some(count(MADE));
    results.counts.kernel = Some(count(MADE));
    for moment in &mut results.timeline {
        if moment.phase == Phase::Hold {
            moment.held = MADE.to_vec();
        }
    }
    results
}

// Private

fn asked() -> Asked {
    Asked {
        mcp: Revision::NEWEST_WITH_SESSIONS,
        target: ([127, 0, 0, 1], 8_000).into(),
        cluster: Some("erlmcp".into()),
        balancer: Some(BalancerKind::Haproxy),
        protocol: Protocol::Tcp,
        connections: 100_000,
        seconds: 60.0,
        rate: None,
        messages_per_second: 1_000.0,
        sources: 100_000,
        workers: 8,
        failover: Some(NODES[2].into()),
    }
}

fn nodes() -> Vec<NodeResult> {
    let paces = [1.0, 1.04, 0.97, 1.05];
    let each = NODES.into_iter().zip(MADE).zip(HELD).zip(paces);
    each.map(|(((name, connected), held), pace)| NodeResult {
        name: name.into(),
        connected,
        held,
        latency: quantiles(15_000, pace, pace),
    })
    .collect()
}

fn quantiles(count: u64, body: f64, tail: f64) -> Quantiles {
    let ms = |ms: f64| (ms * 1_000.0).round() / 1_000.0;
    Quantiles {
        count,
        min_ms: ms(0.08 * body),
        mean_ms: ms(0.71 * body),
        stddev_ms: ms(1.12 * body),
        p50_ms: ms(0.42 * body),
        p90_ms: ms(1.38 * body),
        p99_ms: ms(5.6 * tail),
        p999_ms: ms(11.9 * tail),
        max_ms: ms(24.3 * tail),
    }
}

/// Buckets of doubling width: one hump with a long tail.
fn histogram() -> Vec<Bucket> {
    let counts = [310, 5_100, 18_700, 19_400, 9_800, 4_350, 1_480, 690, 142, 26, 2];
    let doubled = std::iter::successors(Some(0.05), |from| Some(from * 2.0));
    let buckets = doubled.zip(counts);
    buckets
        .map(|(from_ms, count)| Bucket {
            from_ms,
            to_ms: from_ms * 2.0,
            count,
        })
        .collect()
}

fn count(nodes: [u32; 4]) -> Count {
    let named = NODES.into_iter().zip(nodes);
    Count {
        total: nodes.into_iter().map(u64::from).sum(),
        nodes: named
            .map(|(name, connections)| NodeCount {
                name: name.into(),
                connections: connections.into(),
            })
            .collect(),
    }
}

fn counts() -> Counts {
    Counts {
        generator: count(HELD),
        balancer: Some(count(HELD)),
        kernel: Some(count(HELD)),
        to_target: 100_000,
        others: 0,
        agree: Some(true),
        meaning: vec![
            "generator: clients that were served and live".into(),
            "balancer: current sessions of its servers".into(),
            "kernel: established connections of the nodes' ports, probes left out".into(),
        ],
    }
}

fn failover() -> Failover {
    let elsewhere = count([8_385, 8_385, 0, 8_386]);
    Failover {
        node: NODES[2].into(),
        mode: FailoverMode::Kill,
        at_seconds: KILLED_AT,
        clients: MADE[2],
        detected_ms: Some(3.0),
        cut_p50_ms: Some(92.0),
        cut_p100_ms: Some(310.0),
        rehomed_p50_ms: Some(980.0),
        rehomed_p100_ms: Some(2_100.0),
        back_ms: Some(1_240.0),
        target_ms: 5_000.0,
        homeless: 0,
        failed_attempts: 0,
        errors: Vec::new(),
        bystanders: 0,
        rehomed_to: elsewhere
            .nodes
            .into_iter()
            .filter(|node| node.connections > 0)
            .collect(),
        after: count(HELD).nodes,
        curve: (0..=42).map(|step| curve_at(f64::from(step) * 50.0)).collect(),
    }
}

/// All are cut within 310 ms, and served elsewhere from 150 ms until 2,100 ms.
fn curve_at(ms: f64) -> FailoverPoint {
    FailoverPoint {
        ms,
        cut: part_of(MADE[2], ms / 310.0),
        rehomed: part_of(MADE[2], (ms - 150.0) / 1_950.0),
    }
}

/// The state at each half second.
fn timeline() -> Vec<Moment> {
    let moments = (0..=142).map(|step| f64::from(step) * 0.5);
    moments.map(moment).collect()
}

fn moment(at_seconds: f64) -> Moment {
    let phase = match at_seconds {
        _ if at_seconds < MADE_AT => Phase::Ramp,
        _ if at_seconds < HELD_UNTIL => Phase::Hold,
        _ if at_seconds < HELD_UNTIL + 1.0 => Phase::Sticky,
        _ => Phase::Close,
    };
    let away = (at_seconds - KILLED_AT) / (REHOMED_AT - KILLED_AT);
    let left = 1.0 - (at_seconds - HELD_UNTIL - 1.0) / (CLOSED_AT - HELD_UNTIL - 1.0);
    let held = MADE.into_iter().zip(HELD).map(|(made, end)| match phase {
        Phase::Ramp => part_of(made, at_seconds / MADE_AT),
        Phase::Hold if away < 0.0 => made,
        Phase::Hold if end == 0 => 0,
        Phase::Hold => made + part_of(end - made, away),
        Phase::Sticky => end,
        Phase::Close => part_of(end, left),
    });
    Moment {
        at_seconds,
        phase,
        held: held.collect(),
        opening: if phase == Phase::Ramp { 512 } else { 0 },
        errors: 0,
        p99_ms: (phase == Phase::Hold).then_some(5.6),
    }
}

fn part_of(whole: u32, part: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part between 0 and 1"
    )]
    let part = (f64::from(whole) * part.clamp(0.0, 1.0)).round() as u32;
    part
}

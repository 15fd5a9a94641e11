//! Sample load tests for reports, judged.

use crate::load_test::judge;
use crate::load_test::results::{
    Chance, Count, Counts, Distribution, ErrorCount, Latency, Memory, Messages, NodeCount, NodeResult,
    Quantiles, Results,
};
use crate::load_test::testing::{calm, sample, targets};
use crate::load_test::{Kind, Protocol};
use crate::plan::ChosenBy;

/// The reference's test, which has passed.
pub(super) fn passed() -> Results {
    judged(calm())
}

/// The reference's test with a failover.
pub(super) fn failed_over() -> Results {
    judged(sample())
}

/// A test of 1,000 connections that a hash of their addresses has placed.
pub(super) fn by_chance() -> Results {
    let mut results = calm();
    results.test.connections = 1_000;
    results.held = 1_000;
    results.counts.generator.total = 1_000;
    for (node, connected) in results.nodes.iter_mut().zip([266, 251, 247, 236]) {
        node.connected = connected;
        node.held = connected;
    }
    results.distribution = Distribution {
        mean: 250.0,
        min: 236,
        max: 266,
        variance_percent: 12.0,
        chosen_by: Some(ChosenBy::Address),
        chance: Some(Chance {
            addresses: 1_000,
            processes: None,
            least_expected: 250.0,
            chi_square: 1.85,
            degrees_of_freedom: 3,
            p: 0.604,
            is_chance: true,
            tolerance: 45.06,
        }),
        ..results.distribution
    };
    judged(results)
}

/// A test in which everything went wrong.
pub(super) fn broken() -> Results {
    let mut results = sample();
    results.held = 99_400;
    results.nodes[0].held -= 600;
    results.distribution.variance_percent = 7.3;
    results.nodes[3].connected = 23_400;
    results.latency.all.p99_ms = 48.0;
    results.counts.agree = Some(false);
    results.counts.generator.total = 99_400;
    results.counts.generator.nodes[0].connections -= 600;
    results.counts.others = 12;
    results.messages.answered -= 1_200;
    results.messages.unanswered = 1_200;
    results.errors = vec![
        ErrorCount {
            kind: Kind::Closed,
            count: 599,
            example: "closed while it was held from 127.0.3.7, at 12.3 s".into(),
        },
        ErrorCount {
            kind: Kind::AnswerTimeout,
            count: 1,
            example: "nothing within 10 s from 127.0.9.1, at 3.1 s".into(),
        },
    ];
    if let Some(sticky) = &mut results.sticky {
        sticky.same = 998;
    }
    if let Some(failover) = &mut results.failover {
        failover.rehomed_p100_ms = None;
        failover.back_ms = None;
        failover.homeless = 40;
        failover.failed_attempts = 7;
        failover.errors = vec![ErrorCount {
            kind: Kind::Refused,
            count: 7,
            example: "connection refused from 127.0.3.9, at 38.4 s".into(),
        }];
    }
    judged(results)
}

/// A test over HTTP, beside other clients, with a node that takes none, a balancer that does not
/// answer, and a generator that is late; its failover was not tried.
pub(super) fn shared() -> Results {
    let mut results = calm();
    results.test.protocol = Protocol::Http;
    results.test.failover = Some(results.nodes[2].name.clone());
    results.nodes[3].connected = 0;
    results.nodes[3].held = 0;
    let taking = results.counts.generator.nodes.iter().take(3);
    results.distribution.nodes = taking
        .map(|node| NodeCount {
            connections: node.connections + 500,
            ..node.clone()
        })
        .collect();
    results.distribution.mean = 25_625.0;
    results.distribution.variance_percent = 1.0;
    results.distribution.others = 1_500;
    results.counts.others = 1_500;
    results.counts.balancer = None;
    results.counts.meaning = vec![
        "over HTTP they differ: the balancer keeps few connections to the nodes and sends the requests of all clients over them, \
         so that only the generator's and the kernel's count at the target must agree"
            .into(),
    ];
    results.messages.answered_by_error = 300;
    results.messages.sent_late = Quantiles {
        p99_ms: 1.9,
        ..results.latency.all
    };
    results.notes = vec![
        "erlmcp3 was not made to fail: no other node was up that its clients could have gone to when the time for it had come"
            .into(),
    ];
    judged(results)
}

/// Ten connections over HTTP to a server that this program does not run.
pub(super) fn foreign() -> Results {
    let mut results = calm();
    let quantiles = Quantiles {
        count: 10,
        ..results.latency.all
    };
    results.test.cluster = None;
    results.test.balancer = None;
    results.test.protocol = Protocol::Http;
    results.test.connections = 10;
    results.held = 10;
    results.ramp.connected = 10;
    results.ramp.seconds = 0.1;
    results.ramp.rate = 100.0;
    results.nodes = vec![NodeResult {
        name: "some <server>".into(),
        connected: 10,
        held: 10,
        latency: quantiles,
    }];
    results.distribution = Distribution {
        mean: 10.0,
        min: 10,
        max: 10,
        variance_percent: 0.0,
        stddev: 0.0,
        jain: 1.0,
        ..results.distribution
    };
    results.counts = Counts {
        generator: Count {
            total: 10,
            nodes: Vec::new(),
        },
        balancer: None,
        kernel: None,
        to_target: 10,
        others: 0,
        agree: None,
        meaning: vec!["generator: clients that have a session".into()],
    };
    results.messages = Messages {
        due: 10,
        answered: 10,
        unanswered: 0,
        ..Messages::default()
    };
    results.latency = Latency {
        all: quantiles,
        variance_percent: 0.0,
        histogram: Vec::new(),
        ..results.latency
    };
    results.sticky = None;
    results.memory = Memory {
        generator_bytes: 8_000_000,
        ..Memory::default()
    };
    for moment in &mut results.timeline {
        moment.held.truncate(1);
    }
    judged(results)
}

/// `results` with checks and outcome by the default profile's targets.
pub(super) fn judged(mut results: Results) -> Results {
    (results.checks, results.outcome) = judge(&results, &targets(), false, false);
    results
}

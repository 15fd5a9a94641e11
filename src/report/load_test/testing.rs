//! Load tests to report on, judged.

use crate::loadtest::judge;
use crate::loadtest::results::{
    Count, Counts, Distribution, ErrorCount, Latency, Memory, Messages, NodeResult, Quantiles, Results,
};
use crate::loadtest::testing::{calm, sample, targets};
use crate::loadtest::{Kind, Protocol};

/// The reference's test, which has passed.
pub(super) fn passed() -> Results {
    judged(calm())
}

/// The same with a failover.
pub(super) fn failed_over() -> Results {
    judged(sample())
}

/// One in which everything went wrong.
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
            example: "127.0.3.7:40112 at 12.3 s: closed while it was held".into(),
        },
        ErrorCount {
            kind: Kind::AnswerTimeout,
            count: 1,
            example: "127.0.9.1:40112 at 3.1 s: nothing within 10 s".into(),
        },
    ];
    if let Some(sticky) = &mut results.sticky {
        sticky.same = 998;
    }
    if let Some(failover) = &mut results.failover {
        failover.rehomed_p100_ms = None;
        failover.back_ms = None;
        failover.homeless = 40;
    }
    judged(results)
}

/// Ten connections to a server that is none of ours, over HTTP.
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

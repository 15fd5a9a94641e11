//! The values that are compared, and their noise.

use super::super::super::numbers;
use super::change::{Line, Noise};
use crate::load_test::results::{Failover, Memory, Quantiles, Results};

/// Connections and errors: each one counts.
const EXACT: Noise = Noise {
    percent: 0.0,
    least: 0.0,
};
/// The time that the ramp takes, and the connections per second.
const PACE: Noise = Noise {
    percent: 20.0,
    least: 0.2,
};
/// Variance, in percent of the mean: half a percent is the effect of the order of arrival.
const EVENNESS: Noise = Noise {
    percent: 10.0,
    least: 0.5,
};
/// Variance where clients' addresses decide: it does not depend on the change.
const BY_CHANCE: Noise = Noise {
    percent: 0.0,
    least: f64::INFINITY,
};
/// The median latency: a tenth, and the wake-up time of a scheduler.
const MEDIAN: Noise = Noise {
    percent: 10.0,
    least: 0.05,
};
/// Latencies that few messages decide.
const TAIL: Noise = Noise {
    percent: 20.0,
    least: 1.0,
};
/// Latencies that very few messages decide.
const EXTREME: Noise = Noise {
    percent: 50.0,
    least: 5.0,
};
/// How far the nodes' p99 are apart, in percent: the difference of two of the least steady values.
const LIKENESS: Noise = Noise {
    percent: 50.0,
    least: 10.0,
};
/// Times of a failover: the polling interval decides.
const FAILOVER: Noise = Noise {
    percent: 15.0,
    least: 50.0,
};
/// Memory: a fifth, and the host's other use.
const MEMORY: Noise = Noise {
    percent: 20.0,
    least: 50_000_000.0,
};

/// The quantiles of all messages.
const OVERALL: [Quantile; 5] = [
    ("p50", MEDIAN, |times| times.p50_ms),
    ("p90", TAIL, |times| times.p90_ms),
    ("p99", TAIL, |times| times.p99_ms),
    ("p99.9", EXTREME, |times| times.p999_ms),
    ("max", EXTREME, |times| times.max_ms),
];
/// The quantiles of a node's messages.
const OF_A_NODE: [Quantile; 2] = [
    ("p50", MEDIAN, |times| times.p50_ms),
    ("p99", TAIL, |times| times.p99_ms),
];

/// A quantile: its name, its noise, and its value.
type Quantile = (&'static str, Noise, fn(&Quantiles) -> f64);

/// The two tests that are compared.
struct Pair<'a>([&'a Results; 2]);

/// All lines with a value of at least one test.
pub(super) fn lines(before: &Results, after: &Results) -> Vec<Line> {
    let pair = Pair([before, after]);
    let general = pair.general();
    let overall = pair.quantiles("all", &OVERALL, |results| Some(&results.latency.all));
    let nodes = names(before, after).into_iter().flat_map(|name| {
        pair.quantiles(&name.clone(), &OF_A_NODE, move |results| {
            let node = results.nodes.iter().find(|node| node.name == name);
            node.map(|node| &node.latency)
        })
    });
    let rest = pair.failover().into_iter().chain(pair.memory());
    let all = general.into_iter().chain(overall).chain(nodes).chain(rest);
    all.filter(Line::is_known).collect()
}

// Private

impl Pair<'_> {
    fn line(
        &self,
        what: &str,
        noise: Noise,
        text: fn(f64) -> String,
        of: impl Fn(&Results) -> Option<f64>,
    ) -> Line {
        Line {
            what: what.to_owned(),
            values: self.0.map(of),
            more_is_better: false,
            noise,
            text,
        }
    }

    fn general(&self) -> Vec<Line> {
        let held = Line {
            more_is_better: true,
            ..self.line("connections held", EXACT, count, |results| {
                Some(results.held.into())
            })
        };
        let rate = Line {
            more_is_better: true,
            ..self.line("connected per second", PACE, count, |results| {
                Some(results.ramp.rate)
            })
        };
        vec![
            held,
            self.line("errors", EXACT, count, |results| Some(errors(results))),
            self.line("ramp", PACE, seconds, |results| Some(results.ramp.seconds)),
            rate,
            self.line("handshake p50", TAIL, numbers::millis, |results| {
                handshake(results, |times| times.p50_ms)
            }),
            self.line("handshake p99", TAIL, numbers::millis, |results| {
                handshake(results, |times| times.p99_ms)
            }),
            self.line("variance", self.evenness(), percent, |results| {
                (results.nodes.len() > 1).then_some(results.distribution.variance_percent)
            }),
            self.line("latency variance", LIKENESS, percent, |results| {
                (results.nodes.len() > 1 && results.latency.all.count > 0)
                    .then_some(results.latency.variance_percent)
            }),
        ]
    }

    /// The noise of the variance: where chance has decided in both tests, any change is noise.
    fn evenness(&self) -> Noise {
        let by_chance =
            |results: &&Results| results.distribution.chance.is_some_and(|chance| chance.is_chance);
        if self.0.iter().all(by_chance) {
            BY_CHANCE
        } else {
            EVENNESS
        }
    }

    fn quantiles<'r>(
        &'r self,
        subject: &str,
        quantiles: &[Quantile],
        of: impl Fn(&'r Results) -> Option<&'r Quantiles>,
    ) -> Vec<Line> {
        let known = self.0.map(|results| of(results).filter(|times| times.count > 0));
        let line = |(name, noise, value): &Quantile| Line {
            what: format!("{subject} {name}"),
            values: known.map(|times| times.map(value)),
            more_is_better: false,
            noise: *noise,
            text: numbers::millis,
        };
        quantiles.iter().map(line).collect()
    }

    fn failover(&self) -> Vec<Line> {
        let millis = |ms: f64| format!("{ms:.0} ms");
        let time = |what, of: fn(&Failover) -> Option<f64>| {
            self.line(what, FAILOVER, millis, move |results| {
                results.failover.as_ref().and_then(of)
            })
        };
        vec![
            time("failover noticed", |failover| failover.detected_ms),
            time("all cut off", |failover| failover.cut_p100_ms),
            time("half served elsewhere", |failover| failover.rehomed_p50_ms),
            time("all served elsewhere", |failover| failover.rehomed_p100_ms),
            time("node back", |failover| failover.back_ms),
            self.line("not served elsewhere", EXACT, count, |results| {
                results.failover.as_ref().map(|failover| failover.homeless.into())
            }),
            self.line("bystanders cut off", EXACT, count, |results| {
                results
                    .failover
                    .as_ref()
                    .map(|failover| failover.bystanders.into())
            }),
        ]
    }

    /// A memory of 0 means that it was not measured.
    fn memory(&self) -> Vec<Line> {
        let memory = |what, of: fn(&Memory) -> u64| {
            self.line(what, MEMORY, bytes, move |results| measured(of(&results.memory)))
        };
        // The noise of the sum is the noise of each connection's part.
        let [before, after] = self.0.map(|results| results.held);
        let noise = Noise {
            least: MEMORY.least / f64::from(before.min(after).max(1)),
            ..MEMORY
        };
        let share = self.line("generator, per connection", noise, bytes, |results| {
            measured(results.memory.generator_bytes_per_connection)
        });
        vec![
            memory("host", |memory| memory.host_bytes),
            memory("generator", |memory| memory.generator_bytes),
            share,
            memory("nodes", |memory| memory.nodes_bytes),
            memory("balancer", |memory| memory.balancer_bytes),
        ]
    }
}

/// The nodes of both tests, each once.
fn names(before: &Results, after: &Results) -> Vec<String> {
    let mut names: Vec<String> = before.nodes.iter().map(|node| node.name.clone()).collect();
    for node in &after.nodes {
        if !names.contains(&node.name) {
            names.push(node.name.clone());
        }
    }
    names
}

fn handshake(results: &Results, of: fn(&Quantiles) -> f64) -> Option<f64> {
    let handshake = &results.ramp.handshake;
    (handshake.count > 0).then(|| of(handshake))
}

#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
fn errors(results: &Results) -> f64 {
    results
        .errors
        .iter()
        .fold(0.0, |sum, error| sum + error.count as f64)
}

#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
fn measured(bytes: u64) -> Option<f64> {
    (bytes > 0).then_some(bytes as f64)
}

fn count(count: f64) -> String {
    format!("{count:.0}")
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

fn percent(percent: f64) -> String {
    format!("{percent:.1}%")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a size, which is not negative"
)]
fn bytes(bytes: f64) -> String {
    numbers::bytes(bytes as u64)
}

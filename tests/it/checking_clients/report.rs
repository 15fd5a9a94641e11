//! What the clients have seen.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::failure::FaultKind;

/// The most faults of a kind that are kept in full; all of them are counted.
const MAX_FAULTS: u64 = 20;
/// The longest time that is measured, in microseconds; longer ones count as this.
const MAX_LATENCY_MICROS: u64 = 600_000_000;

/// What the clients have seen.
#[derive(Clone, Debug)]
pub struct Report {
    /// How long it took.
    pub length: Duration,
    /// New connections begun, by kind of client.
    pub new: BTreeMap<&'static str, u64>,
    /// New connections that were answered, by node.
    pub served: BTreeMap<String, u64>,
    /// New connections that were not begun, because the clients had too many open.
    pub not_begun: u64,
    /// Exchanges of held clients, by kind of client.
    pub exchanges: BTreeMap<&'static str, u64>,
    /// Idle connections that the balancer closed in order between two requests.
    pub closed_idle: u64,
    /// Requests that met such a close on their way, and were answered on the next connection.
    pub raced: u64,
    /// Faults by kind.
    pub counts: BTreeMap<FaultKind, u64>,
    /// The first faults of each kind.
    pub first_faults: Vec<Fault>,
    /// How many connections of held clients ended while they should live, by second since the
    /// clients began.
    pub closes: BTreeMap<u64, u64>,
    /// From such an end to the next answer, in microseconds.
    pub back: Histogram<u64>,
    /// From the connect to the first answer of new connections, in microseconds.
    pub latency: Histogram<u64>,
}

/// A fault that a client has met.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The time since the clients began.
    pub(super) at: Duration,
    /// What the client does, and its number.
    pub(super) client: String,
    pub(super) kind: FaultKind,
    pub(super) detail: String,
}

impl Report {
    pub(super) fn new() -> Report {
        Report {
            length: Duration::ZERO,
            new: BTreeMap::new(),
            served: BTreeMap::new(),
            not_begun: 0,
            exchanges: BTreeMap::new(),
            closed_idle: 0,
            raced: 0,
            counts: BTreeMap::new(),
            first_faults: Vec::new(),
            closes: BTreeMap::new(),
            back: Histogram::new_with_bounds(1, MAX_LATENCY_MICROS, 3).unwrap(),
            latency: Histogram::new_with_bounds(1, MAX_LATENCY_MICROS, 3).unwrap(),
        }
    }

    pub(super) fn add(&mut self, fault: Fault) {
        let count = self.counts.entry(fault.kind).or_default();
        *count += 1;
        if *count <= MAX_FAULTS {
            self.first_faults.push(fault);
        }
    }

    /// The number of faults of a kind.
    pub fn count(&self, kind: FaultKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// New connections begun.
    pub fn begun(&self) -> u64 {
        self.new.values().sum()
    }

    /// New connections that were answered.
    pub fn answered(&self) -> u64 {
        self.served.values().sum()
    }

    /// The faults besides moved addresses, which a switch may cause.
    pub fn faults(&self) -> u64 {
        let counts = self.counts.iter();
        counts
            .filter(|(kind, _)| **kind != FaultKind::MovedAddress)
            .map(|(_, count)| count)
            .sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantile = |quantile| Duration::from_micros(self.latency.value_at_quantile(quantile));
        writeln!(
            f,
            "in {:.1?}: {} new connections {:?}, answered {} {:?}, not begun {}; first answer p50 {:?}, p99 {:?}, at most {:?}",
            self.length,
            self.begun(),
            self.new,
            self.answered(),
            self.served,
            self.not_begun,
            quantile(0.5),
            quantile(0.99),
            quantile(1.0),
        )?;
        writeln!(
            f,
            "held clients: {} exchanges {:?}; idle connections closed in order: {}, requests that met such a close: {}",
            self.exchanges.values().sum::<u64>(),
            self.exchanges,
            self.closed_idle,
            self.raced,
        )?;
        let back = |quantile| Duration::from_micros(self.back.value_at_quantile(quantile));
        writeln!(
            f,
            "connections lost: {}, at most {} in a second; next answer p50 {:?}, p99 {:?}",
            self.closes.values().sum::<u64>(),
            self.closes.values().max().unwrap_or(&0),
            back(0.5),
            back(0.99),
        )?;
        let counts = FaultKind::ALL.map(|kind| format!("{} {}", self.count(kind), kind.name()));
        writeln!(f, "faults: {}", counts.join(", "))?;
        for fault in &self.first_faults {
            writeln!(f, "  {fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            at,
            client,
            kind,
            detail,
        } = self;
        write!(
            f,
            "{:.3} s, {client}: {}: {detail}",
            at.as_secs_f64(),
            kind.name()
        )
    }
}

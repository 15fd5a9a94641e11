//! The figures, and the target of each.

/// A figure of every contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// The balancer's processor time to echo 64 bytes.
    EchoCpu,
    /// The balancer's processor time for a client that connects, asks once and closes.
    ConnectCpu,
    /// The throughput of 8 streams, there and back.
    Bulk,
    /// The balancer's processor time for that throughput.
    BulkCpu,
    /// The balancer's memory for an idle connection.
    Memory,
    /// Connections that are held and answer.
    Held,
    /// The median latency of messages at a fixed rate.
    Median,
    /// The 99th percentile of that latency.
    P99,
    /// Messages per second without a rate limit.
    Echoes,
    /// Clients per second without a rate limit.
    Connects,
    /// System calls per message.
    EchoCalls,
    /// System calls per client.
    ConnectCalls,
}

/// The target of our own data plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At most this multiple of the better peer's value.
    AtMost(f64),
    /// At most this multiple of HAProxy's value.
    AtMostHaproxy(f64),
    /// At least this multiple of the better peer's value.
    AtLeast(f64),
    /// No target: printed for information.
    None,
}

impl Row {
    /// All figures, in the order of the output.
    pub(crate) const ALL: [Row; 12] = [
        Row::EchoCpu,
        Row::ConnectCpu,
        Row::Bulk,
        Row::BulkCpu,
        Row::Memory,
        Row::Held,
        Row::Median,
        Row::P99,
        Row::Echoes,
        Row::Connects,
        Row::EchoCalls,
        Row::ConnectCalls,
    ];

    /// Its name, with its unit.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Row::EchoCpu => "CPU per echo, 64 B, 64 connections [µs]",
            Row::ConnectCpu => "CPU per connect + request + close [µs]",
            Row::Bulk => "bulk echo, 8 streams [MB/s]",
            Row::BulkCpu => "CPU per bulk MB [µs]",
            Row::Memory => "memory per idle connection [B]",
            Row::Held => "connections held",
            Row::Median => "p50 at a fixed rate [µs]",
            Row::P99 => "p99 at a fixed rate [µs]",
            Row::Echoes => "echoes per second",
            Row::Connects => "connects per second",
            Row::EchoCalls => "system calls per echo",
            Row::ConnectCalls => "system calls per connect",
        }
    }

    /// The target.
    pub(crate) const fn target(self) -> Target {
        match self {
            Row::EchoCpu | Row::ConnectCpu => Target::AtMost(0.95),
            Row::Bulk => Target::AtLeast(1.3),
            Row::Memory => Target::AtMostHaproxy(0.5),
            Row::P99 => Target::AtMost(1.0),
            Row::Held => Target::AtLeast(1.0),
            _ => Target::None,
        }
    }

    /// Whether more is better.
    pub(crate) const fn more_is_better(self) -> bool {
        matches!(self, Row::Bulk | Row::Held | Row::Echoes | Row::Connects)
    }
}

impl Target {
    /// Whether `ratio`, our own value divided by the peer's, reaches it; none without a target.
    pub(crate) fn is_reached(self, ratio: f64) -> Option<bool> {
        match self {
            Target::AtMost(most) | Target::AtMostHaproxy(most) => Some(ratio <= most),
            Target::AtLeast(least) => Some(ratio >= least),
            Target::None => None,
        }
    }

    /// The text of the output.
    pub(crate) fn text(self) -> String {
        match self {
            Target::AtMost(most) | Target::AtMostHaproxy(most) => format!("<= {most:.2}"),
            Target::AtLeast(least) => format!(">= {least:.2}"),
            Target::None => String::new(),
        }
    }
}

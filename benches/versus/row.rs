//! What is measured, and what of it is a promise.

/// A figure of every contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// The balancer's processor time for 64 bytes to and fro.
    EchoCpu,
    /// Its processor time for a client that connects, asks once and closes.
    ConnectCpu,
    /// What 8 streams get through and back.
    Bulk,
    /// Its processor time for that.
    BulkCpu,
    /// Its memory for a connection that is only held.
    Memory,
    /// Connections that are held and answer.
    Held,
    /// Half of the messages at a fixed rate are faster.
    Median,
    /// One in a hundred of them is slower.
    P99,
    /// Messages as fast as they go.
    Echoes,
    /// Clients as fast as they go.
    Connects,
    /// System calls for a message.
    EchoCalls,
    /// System calls for a client.
    ConnectCalls,
}

/// What ours must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At most so many times what the better peer needs.
    AtMost(f64),
    /// At most so many times what HAProxy needs.
    AtMostHaproxy(f64),
    /// At least so many times what the better peer does.
    AtLeast(f64),
    /// Nothing: it is told for information.
    None,
}

impl Row {
    /// All, as they are printed.
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

    /// What ours must reach.
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
    /// Whether `ratio`, ours by the peer's, reaches it; none when there is nothing to reach.
    pub(crate) fn is_reached(self, ratio: f64) -> Option<bool> {
        match self {
            Target::AtMost(most) | Target::AtMostHaproxy(most) => Some(ratio <= most),
            Target::AtLeast(least) => Some(ratio >= least),
            Target::None => None,
        }
    }

    /// As it is printed.
    pub(crate) fn told(self) -> String {
        match self {
            Target::AtMost(most) | Target::AtMostHaproxy(most) => format!("<= {most:.2}"),
            Target::AtLeast(least) => format!(">= {least:.2}"),
            Target::None => String::new(),
        }
    }
}

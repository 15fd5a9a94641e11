//! The figures over TCP, and the target of each.

use crate::figures::Figure;
use crate::target::Target;

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
    /// The balancer's memory for a client that sends and never reads.
    StuckMemory,
    /// The memory of the kernel for it, on all sides.
    StuckKernel,
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

impl Figure for Row {
    const ALL: &'static [Row] = &[
        Row::EchoCpu,
        Row::ConnectCpu,
        Row::Bulk,
        Row::BulkCpu,
        Row::Memory,
        Row::StuckMemory,
        Row::StuckKernel,
        Row::Held,
        Row::Median,
        Row::P99,
        Row::Echoes,
        Row::Connects,
        Row::EchoCalls,
        Row::ConnectCalls,
    ];

    fn name(self) -> String {
        let name = match self {
            Row::EchoCpu => "CPU per echo, 64 B, 64 connections [µs]",
            Row::ConnectCpu => "CPU per connect + request + close [µs]",
            Row::Bulk => "bulk echo, 8 streams [MB/s]",
            Row::BulkCpu => "CPU per bulk MB [µs]",
            Row::Memory => "memory per idle connection [B]",
            Row::StuckMemory => "memory per client that never reads [B]",
            Row::StuckKernel => "kernel memory for each of them [kB]",
            Row::Held => "connections held",
            Row::Median => "p50 at a fixed rate [µs]",
            Row::P99 => "p99 at a fixed rate [µs]",
            Row::Echoes => "echoes per second",
            Row::Connects => "connects per second",
            Row::EchoCalls => "system calls per echo",
            Row::ConnectCalls => "system calls per connect",
        };
        name.to_owned()
    }

    fn targets(self) -> &'static [Target] {
        match self {
            Row::EchoCpu | Row::ConnectCpu => &[Target::AtMost(0.95)],
            Row::Bulk => &[Target::AtLeast(1.3)],
            Row::Memory => &[Target::HaproxyTimes(0.5)],
            Row::StuckMemory => &[Target::Value(16.0 * 1024.0)],
            Row::P99 => &[Target::AtMost(1.0)],
            Row::Held => &[Target::AtLeast(1.0)],
            _ => &[],
        }
    }

    fn more_is_better(self) -> bool {
        matches!(self, Row::Bulk | Row::Held | Row::Echoes | Row::Connects)
    }
}

//! The figures over HTTP, and the targets of each.

use crate::figures::Figure;
use crate::target::Target;

/// A figure of every contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// The balancer's processor time for a request of one of 4 connections.
    RequestCpu4,
    /// The balancer's processor time for a request of one of 64 connections.
    RequestCpu64,
    /// The balancer's processor time for a request within a session, of one of 64 connections.
    SessionCpu,
    /// The balancer's processor time for a client that connects, has one request and closes.
    ConnectCpu,
    /// The balancer's processor time for a message to a WebSocket and its answer.
    WebSocketCpu,
    /// The median latency of requests at a fixed rate.
    Median,
    /// The 99th percentile of that latency.
    P99,
    /// Requests per second without a rate limit.
    Requests,
    /// System calls per request.
    RequestCalls,
    /// System calls per client that connects.
    ConnectCalls,
    /// System calls per message to a WebSocket.
    WebSocketCalls,
    /// The balancer's memory for an idle connection.
    IdleMemory,
    /// The balancer's memory for an idle WebSocket.
    WebSocketMemory,
    /// The balancer's memory for an idle stream of events.
    StreamMemory,
    /// The balancer's processor time for an event to each of many streams.
    EventCpu,
    /// What the balancer adds to the median of the time that an event takes.
    EventMedian,
    /// What the balancer adds to the 99th percentile of the time that an event takes.
    EventP99,
    /// The balancer's memory for a client that never reads.
    StuckMemory,
    /// The memory of the kernel for it, on all sides.
    StuckKernel,
    /// The most memory that the balancer had for an upload.
    UploadMemory,
    /// The balancer's processor time for that.
    UploadCpu,
    /// The throughput of uploads.
    Upload,
}

impl Figure for Row {
    const ALL: &'static [Row] = &[
        Row::RequestCpu4,
        Row::RequestCpu64,
        Row::SessionCpu,
        Row::ConnectCpu,
        Row::WebSocketCpu,
        Row::EventCpu,
        Row::EventMedian,
        Row::EventP99,
        Row::Median,
        Row::P99,
        Row::IdleMemory,
        Row::WebSocketMemory,
        Row::StreamMemory,
        Row::StuckMemory,
        Row::StuckKernel,
        Row::UploadMemory,
        Row::UploadCpu,
        Row::Upload,
        Row::Requests,
        Row::RequestCalls,
        Row::ConnectCalls,
        Row::WebSocketCalls,
    ];

    fn name(self) -> String {
        let name = match self {
            Row::RequestCpu4 => "CPU per request, 4 connections [µs]",
            Row::RequestCpu64 => "CPU per request, 64 connections [µs]",
            Row::SessionCpu => "CPU per request of a session, 64 conn. [µs]",
            Row::ConnectCpu => "CPU per connect + request + close [µs]",
            Row::WebSocketCpu => "CPU per WebSocket echo, 64 connections [µs]",
            Row::Median => "p50 at a fixed rate [µs]",
            Row::P99 => "p99 at a fixed rate [µs]",
            Row::Requests => "requests per second",
            Row::RequestCalls => "system calls per request",
            Row::ConnectCalls => "system calls per connect",
            Row::WebSocketCalls => "system calls per WebSocket echo",
            Row::IdleMemory => "memory per idle connection [B]",
            Row::WebSocketMemory => "memory per idle WebSocket [B]",
            Row::StreamMemory => "memory per idle stream [B]",
            Row::EventCpu => "CPU per event to all streams [µs]",
            Row::EventMedian => "p50 added to an event [µs]",
            Row::EventP99 => "p99 added to an event [µs]",
            Row::StuckMemory => "memory per client that never reads [B]",
            Row::StuckKernel => "kernel memory for each of them [kB]",
            Row::UploadMemory => "most memory per upload [B]",
            Row::UploadCpu => "CPU per uploaded MB [µs]",
            Row::Upload => "uploads [MB/s]",
        };
        name.to_owned()
    }

    fn targets(self) -> &'static [Target] {
        match self {
            Row::RequestCpu4 | Row::RequestCpu64 | Row::SessionCpu => {
                &[Target::AtMost(0.60), Target::BareTimes(0.85)]
            }
            Row::ConnectCpu => &[Target::AtMost(0.75)],
            Row::P99 => &[Target::AtMost(1.0)],
            Row::IdleMemory => &[Target::Value(300.0)],
            Row::WebSocketMemory | Row::StreamMemory => &[Target::Value(1024.0)],
            Row::WebSocketCpu | Row::EventCpu => &[Target::AtMost(0.70)],
            Row::EventP99 => &[Target::Value(1000.0)],
            Row::StuckMemory | Row::UploadMemory => &[Target::Value(16.0 * 1024.0)],
            _ => &[],
        }
    }

    fn more_is_better(self) -> bool {
        matches!(self, Row::Requests | Row::Upload)
    }
}

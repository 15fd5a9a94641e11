//! What this host allows: the facts that planning starts from.

use std::ops::RangeInclusive;

/// The limits and resources of this host, as read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Processors this process may run on.
    pub cpus: u16,
    /// Memory in bytes, the control group's limit included.
    pub memory_total: u64,
    /// Memory in bytes that can be had without swapping.
    pub memory_available: u64,
    /// The highest `RLIMIT_NOFILE` that a child of ours can be given: the hard limit, or `fs.nr_open` when this
    /// process may raise it.
    pub nofile: u64,
    /// `RLIMIT_NPROC`: processes and threads of this user. `None` when unlimited.
    pub nproc: Option<u64>,
    /// `net.core.somaxconn`: the longest accept queue.
    pub somaxconn: u32,
    /// `net.ipv4.ip_local_port_range`.
    pub ephemeral: RangeInclusive<u16>,
    /// `net.ipv4.ip_local_reserved_ports`.
    pub reserved: Vec<RangeInclusive<u16>>,
    /// The connection tracking table; `None` when the kernel tracks nothing.
    pub conntrack: Option<Conntrack>,
    /// Whether sockets can be bound to IPv6 addresses.
    pub ipv6: bool,
    /// Whether this process runs as root.
    pub root: bool,
}

/// The connection tracking table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conntrack {
    /// Entries at most.
    pub max: u64,
    /// Entries now.
    pub count: u64,
}

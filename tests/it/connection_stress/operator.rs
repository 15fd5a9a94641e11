//! An operator that keeps changing the state of servers.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use clusterctl::haproxy_api::Socket;

use super::Shared;
use super::dice::Dice;

/// Orders for any server but the first, which always serves.
const ORDERS: [&str; 10] = [
    "set server nodes/SERVER state drain",
    "set server nodes/SERVER state ready",
    "set server nodes/SERVER state maint",
    "set server nodes/SERVER state ready",
    "set server nodes/SERVER health down",
    "set server nodes/SERVER health up",
    "set server nodes/SERVER weight 0%",
    "set server nodes/SERVER weight 256",
    "shutdown sessions server nodes/SERVER",
    "clear table nodes",
];
/// The order that makes a server serve again.
const AMENDS: [&str; 3] = [
    "set server nodes/SERVER state ready",
    "set server nodes/SERVER health up",
    "set server nodes/SERVER weight 100",
];

/// Sends orders to the data plane.
pub(super) struct Operator {
    dice: Dice,
    runtime: Socket,
    shared: &'static Shared,
}

impl Operator {
    pub(super) fn new(number: u64, runtime: Socket, shared: &'static Shared) -> Operator {
        Operator {
            dice: Dice::new(number + 1_000),
            runtime,
            shared,
        }
    }

    /// Sends orders until the end of the test, then makes all servers serve again.
    pub(super) async fn run(mut self) {
        while !self.shared.enough.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(self.dice.below(150))).await;
            let order = self.dice.pick(&ORDERS);
            let server = self.dice.pick(&["node2", "node3"]);
            self.order(&order.replace("SERVER", server)).await;
        }
        for order in AMENDS {
            for server in ["node2", "node3"] {
                self.order(&order.replace("SERVER", server)).await;
            }
        }
    }

    // Private

    async fn order(&self, order: &str) {
        self.shared.cuts.fetch_add(1, SeqCst);
        let answer = self.runtime.ask(order).await;
        self.shared.cuts.fetch_add(1, SeqCst);
        if !matches!(answer.as_deref(), Ok("\n")) {
            let fault = format!("{order}: {answer:?}");
            self.shared.faults.lock().unwrap().push(fault);
        }
    }
}

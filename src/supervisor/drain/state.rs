//! An operator's order to drain a node, and what remains to be done for it.
//!
//! ```text
//!             deadline, close                no connection left, stop
//!  Emptying ───────────────────▶ Closing ──────────────────────────────▶ Stopped
//!     │                                                                    ▲
//!     └────────────────────────────────────────────────────────────────────┘
//!                           no connection left, stop
//! ```
//!
//! Every state ends with `ready`.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::api::DrainOrder;

/// An order to drain a node; the state file keeps it when the supervisor dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervisor) struct Drain {
    state: State,
    /// When the remaining connections are closed.
    close_at: Option<SystemTime>,
    /// Whether the node is stopped once it has no connections.
    stop: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Emptying,
    Closing,
    Stopped,
}

/// What is due for a drained node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Due {
    /// Close the remaining connections.
    Close,
    /// Stop the node.
    Stop,
}

impl Drain {
    /// A drain by `order`, given now.
    pub(in crate::supervisor) fn new(order: &DrainOrder, now: SystemTime) -> Drain {
        let deadline = order.deadline.map(|deadline| now + deadline.duration());
        Drain {
            state: State::Emptying,
            close_at: deadline.filter(|_| order.close),
            stop: order.stop,
        }
    }

    /// A drain by `order` of a node that an earlier drain has stopped already.
    pub(in crate::supervisor) fn of_stopped(order: &DrainOrder, now: SystemTime) -> Drain {
        Drain {
            state: State::Stopped,
            ..Drain::new(order, now)
        }
    }

    /// Whether the number of connections matters to this drain.
    pub(in crate::supervisor) fn counts(&self) -> bool {
        self.state != State::Stopped && (self.stop || self.close_at.is_some())
    }

    /// Whether this drain has stopped the node.
    pub(in crate::supervisor) fn has_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// An operator has restarted the node: one that this drain has stopped runs again, and is not
    /// stopped a second time.
    pub(in crate::supervisor) fn restarted(&mut self) {
        if self.state == State::Stopped {
            (self.state, self.stop) = (State::Emptying, false);
        }
    }

    /// Returns what is due for a node that has `connections` now.
    pub(in crate::supervisor) fn after(&mut self, connections: u64, now: SystemTime) -> Option<Due> {
        match self.state {
            State::Emptying | State::Closing if connections == 0 && self.stop => {
                self.state = State::Stopped;
                Some(Due::Stop)
            }
            State::Emptying if connections > 0 && self.close_at.is_some_and(|at| now >= at) => {
                self.state = State::Closing;
                Some(Due::Close)
            }
            // Connections that began between the order and its arrival at the balancer are closed
            // too.
            State::Closing if connections > 0 => Some(Due::Close),
            State::Emptying | State::Closing | State::Stopped => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn order(deadline: Option<&str>, close: bool, stop: bool) -> DrainOrder {
        let deadline = deadline.map(|deadline| deadline.parse().unwrap());
        DrainOrder {
            node: "erlmcp1".into(),
            deadline,
            close,
            stop,
            force: false,
        }
    }

    #[test]
    fn a_drain_without_options_has_no_further_steps() {
        let now = SystemTime::now();
        let mut drain = Drain::new(&order(Some("1s"), false, false), now);
        assert!(!drain.counts());
        assert_eq!(drain.after(9, now + Duration::from_secs(2)), None);
        assert_eq!(drain.after(0, now), None);
    }

    #[test]
    fn connections_are_closed_at_the_deadline_and_then_the_node_stops() {
        let now = SystemTime::now();
        let later = now + Duration::from_secs(1);
        let mut drain = Drain::new(&order(Some("1s"), true, true), now);
        assert_eq!(drain.after(9, now), None);
        assert_eq!(drain.after(9, later), Some(Due::Close));
        assert_eq!(drain.after(1, later), Some(Due::Close));
        assert_eq!(drain.after(0, later), Some(Due::Stop));
        assert_eq!(drain.after(0, later), None);
        assert!(drain.has_stopped() && !drain.counts());
    }

    #[test]
    fn a_stopped_node_stays_stopped_by_any_later_order() {
        let drain = Drain::of_stopped(&order(None, false, false), SystemTime::now());
        assert!(drain.has_stopped() && !drain.counts());
    }

    #[test]
    fn a_restarted_node_runs_until_another_order() {
        let now = SystemTime::now();
        let mut drain = Drain::new(&order(None, false, true), now);
        drain.restarted();
        assert_eq!(drain.after(0, now), Some(Due::Stop));
        drain.restarted();
        assert!(!drain.has_stopped() && !drain.counts());
        assert_eq!(drain.after(0, now), None);
    }

    #[test]
    fn an_empty_node_is_stopped_before_any_deadline() {
        let now = SystemTime::now();
        let mut drain = Drain::new(&order(None, false, true), now);
        assert_eq!(drain.after(3, now + Duration::from_hours(9)), None);
        assert_eq!(drain.after(0, now), Some(Due::Stop));
    }
}

//! When a node that has failed gets clients again: not before its former clients have found another
//! node.
//!
//! ```text
//!            has failed              answers             its time has come
//!  Free ────────────────▶ Away ───────────────────▶ Held ──────────────────▶ Free
//!   ▲                     │  ▲                      │  │
//!   │ answers after       │  └───── has failed ─────┘  │
//!   │ its time            │                            │
//!   ├─────────────────────┘                            │
//!   └── from Away and Held: an order starts or stops ──┘
//!       it, or no other node takes clients
//! ```
//!
//! A killed node runs again 150 ms later, when most of its clients have not yet reconnected. They
//! are sticky to it: it would get all of them while it is fresh and slow, and the next death would
//! hit the same clients. So the node is held back for as long as the balancer's own checks would
//! take to raise a server, `health.rise` times `health.interval`, counted from the moment its
//! sessions were cut. Clients that reconnect in that time stick to another node from then on. A
//! start or stop by an operator's order does not hold a node back.

use std::time::{Duration, Instant};

use crate::api::NodeState;
use crate::profile::NodeId;

/// Whether a node gets clients once it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) enum HoldDown {
    /// At once.
    #[default]
    Free,
    /// It has failed and does not answer yet; it gets no clients before `until`.
    Away { until: Instant },
    /// It answers; it gets clients at `until`.
    Held { until: Instant },
}

/// Events that change the hold-down of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Event {
    /// The node died, or no longer answers.
    Failed,
    /// The node's sessions were cut: from now on its clients look for another node.
    Cut,
    /// The node answers.
    Answers,
    /// The node was started or stopped by an order.
    Ordered,
    /// No other node takes clients.
    Needed,
    /// Time has passed.
    Time,
}

impl HoldDown {
    /// The state after `event` at `now`, of a node that is held back for `hold`.
    #[must_use]
    pub(in crate::supervisor) fn after(self, event: Event, hold: Duration, now: Instant) -> HoldDown {
        let later = now + hold;
        match (self, event) {
            (_, Event::Failed) | (HoldDown::Away { .. }, Event::Cut) => HoldDown::Away { until: later },
            (HoldDown::Held { .. }, Event::Cut) => HoldDown::Held { until: later },
            (HoldDown::Away { until }, Event::Answers) if now < until => HoldDown::Held { until },
            (HoldDown::Held { until }, Event::Time) if now >= until => HoldDown::Free,
            (HoldDown::Away { .. }, Event::Answers) | (_, Event::Ordered | Event::Needed) => HoldDown::Free,
            (_, Event::Cut | Event::Answers | Event::Time) => self,
        }
    }

    /// Whether the node answers and gets no clients.
    pub(in crate::supervisor) fn is_held(self) -> bool {
        matches!(self, HoldDown::Held { .. })
    }

    /// How much longer the node is held back, if it is.
    pub(in crate::supervisor) fn held_for(self, now: Instant) -> Option<Duration> {
        self.wakes_at().map(|until| until.saturating_duration_since(now))
    }

    /// When `Time` changes the state next.
    pub(in crate::supervisor) fn wakes_at(self) -> Option<Instant> {
        match self {
            HoldDown::Free | HoldDown::Away { .. } => None,
            HoldDown::Held { until } => Some(until),
        }
    }
}

/// The nodes that must take clients because no other node does: those that answer, or all nodes if
/// none answers, so that the first one to answer serves. Empty while a node takes clients.
pub(in crate::supervisor) fn needed(nodes: &[(NodeId, NodeState, HoldDown)]) -> Vec<NodeId> {
    let answers = |state: NodeState| state == NodeState::Up;
    if nodes
        .iter()
        .any(|(_, state, hold_down)| answers(*state) && !hold_down.is_held())
    {
        return Vec::new();
    }
    let any_answers = nodes.iter().any(|(_, state, _)| answers(*state));
    let needed = nodes
        .iter()
        .filter(|(_, state, _)| !any_answers || answers(*state));
    needed.map(|(id, ..)| *id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOLD: Duration = Duration::from_secs(6);

    /// The state after `events`, each at its time in ms.
    fn after(began: Instant, events: &[(u64, Event)]) -> HoldDown {
        events.iter().fold(HoldDown::Free, |hold_down, (ms, event)| {
            hold_down.after(*event, HOLD, began + Duration::from_millis(*ms))
        })
    }

    #[test]
    fn a_killed_node_is_held_back_since_it_was_cut() {
        let began = Instant::now();
        let killed = [(0, Event::Failed), (11, Event::Cut), (150, Event::Answers)];
        let until = began + Duration::from_millis(6_011);
        let held = after(began, &killed);
        assert_eq!(held, HoldDown::Held { until });
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(held.held_for(at(2_011)), Some(Duration::from_secs(4)));
        assert_eq!(held.after(Event::Time, HOLD, at(6_010)), held);
        assert_eq!(held.after(Event::Time, HOLD, at(6_011)), HoldDown::Free);
    }

    #[test]
    fn a_node_that_was_never_cut_is_held_back_since_it_failed() {
        let began = Instant::now();
        let until = began + HOLD;
        let held = after(began, &[(0, Event::Failed), (150, Event::Answers)]);
        assert_eq!(held, HoldDown::Held { until });
    }

    #[test]
    fn a_cut_after_the_node_answers_restarts_the_hold_down() {
        let began = Instant::now();
        let until = began + Duration::from_millis(400) + HOLD;
        let held = after(
            began,
            &[(0, Event::Failed), (150, Event::Answers), (400, Event::Cut)],
        );
        assert_eq!(held, HoldDown::Held { until });
    }

    #[test]
    fn a_node_that_answers_late_is_not_held_back() {
        let hung = [(0, Event::Failed), (5, Event::Cut), (30_000, Event::Answers)];
        assert_eq!(after(Instant::now(), &hung), HoldDown::Free);
    }

    #[test]
    fn a_failure_while_held_back_restarts_the_hold_down() {
        let began = Instant::now();
        let until = began + Duration::from_secs(3) + HOLD;
        let again = after(
            began,
            &[(0, Event::Failed), (150, Event::Answers), (3_000, Event::Failed)],
        );
        assert_eq!(again, HoldDown::Away { until });
    }

    #[test]
    fn an_order_or_need_ends_the_hold_down_at_any_time() {
        for event in [Event::Ordered, Event::Needed] {
            let began = Instant::now();
            assert_eq!(after(began, &[(0, Event::Failed), (1, event)]), HoldDown::Free);
            let answered = [(0, Event::Failed), (1, event), (2, Event::Answers)];
            assert_eq!(after(began, &answered), HoldDown::Free);
            let held = [(0, Event::Failed), (1, Event::Answers), (2, event)];
            assert_eq!(after(began, &held), HoldDown::Free);
        }
    }

    #[test]
    fn some_node_always_takes_clients() {
        let now = Instant::now();
        let (free, away) = (HoldDown::Free, HoldDown::Away { until: now });
        let held = HoldDown::Held { until: now };
        let (up, dead, draining) = (NodeState::Up, NodeState::Starting, NodeState::Draining);
        for (nodes, expected) in [
            ([(up, free), (up, held), (dead, away)], vec![]),
            ([(draining, free), (up, held), (dead, away)], vec![1]),
            ([(up, held), (up, held), (draining, held)], vec![0, 1]),
            ([(dead, away), (dead, away), (draining, free)], vec![0, 1, 2]),
        ] {
            let of_each = (0..).zip(nodes);
            let of_each = of_each.map(|(id, (state, hold_down))| (NodeId(id), state, hold_down));
            let expected: Vec<NodeId> = expected.into_iter().map(NodeId).collect();
            assert_eq!(needed(&of_each.collect::<Vec<_>>()), expected, "{nodes:?}");
        }
    }

    fn event() -> impl Strategy<Value = Event> {
        prop::sample::select(vec![
            Event::Failed,
            Event::Cut,
            Event::Answers,
            Event::Ordered,
            Event::Needed,
            Event::Time,
        ])
    }

    proptest! {
        /// A node is free only if it never failed, was released, or has waited for its time.
        #[test]
        fn a_failed_node_never_returns_early(
            steps in prop::collection::vec((event(), 0u64..4_000), 0..40),
        ) {
            let mut now = Instant::now();
            let (mut hold_down, mut not_before) = (HoldDown::Free, None);
            for (event, ms) in steps {
                now += Duration::from_millis(ms);
                hold_down = hold_down.after(event, HOLD, now);
                not_before = match event {
                    Event::Failed => Some(now + HOLD),
                    Event::Cut => not_before.filter(|at| now < *at || hold_down != HoldDown::Free).map(|_| now + HOLD),
                    Event::Ordered | Event::Needed => None,
                    Event::Answers | Event::Time => not_before,
                };
                prop_assert!(hold_down != HoldDown::Free || not_before.is_none_or(|at| at <= now));
                if let Some(until) = hold_down.wakes_at() {
                    prop_assert_eq!(Some(until), not_before);
                    prop_assert!(until <= now + HOLD);
                }
            }
        }
    }
}

//! Rounds with a runtime API that fails, or answers late.

use super::*;
use crate::supervisor::rebalance::fake_balancer::FakeBalancer;
use crate::supervisor::rebalance::plan::Pace;
use crate::supervisor::rebalance::returning::ReturningClients;

/// The sessions of the first node.
const SESSIONS: [&str; 20] = ["mcp_cluster_tcp"; 20];

fn round(balancer: &FakeBalancer) -> Round {
    Round {
        scope: balancer.scope.clone(),
        progress: Progress {
            to: "5%".parse().unwrap(),
            pace: Pace {
                total: 1_000,
                over: Duration::from_secs(1),
            },
            elapsed: Duration::ZERO,
            closed: 0,
            clients: ReturningClients::default(),
            may_wait: false,
        },
        next_close: Instant::now(),
        cancelled: CancellationToken::new(),
    }
}

#[tokio::test]
async fn what_was_closed_before_a_failure_counts() {
    let balancer = FakeBalancer::serving(&SESSIONS).breaking_after(3);
    let result = round(&balancer).run().await;
    assert_eq!(result.closed.len(), 3, "{result:?}");
    assert!(result.failure.is_some() && result.found.is_some(), "{result:?}");
}

#[tokio::test]
async fn an_order_to_close_that_was_sent_counts_when_a_round_is_cancelled() {
    let mut balancer = FakeBalancer::serving(&SESSIONS);
    let _ = balancer.answers.send_replace(false);
    let round = round(&balancer);
    let (cancelled, first) = (round.cancelled.clone(), round.next_close);
    let round = tokio::spawn(round.run());
    balancer.ordered.wait_for(|count| *count == 1).await.unwrap();
    cancelled.cancel();
    let _ = balancer.answers.send_replace(true);
    let result = round.await.unwrap();
    assert_eq!((result.closed.len(), &result.failure), (1, &None));
    assert!(result.next_close.unwrap() > first, "{result:?}");
}

#[tokio::test]
async fn clients_of_a_node_that_is_drained_meanwhile_are_not_on_their_way_back() {
    let balancer = FakeBalancer::serving(&SESSIONS);
    let before = round(&balancer).run().await;
    let mut clients = before.found.unwrap().clients;
    clients.add(before.closed);
    // The first node has all sessions.
    let mut next = round(&balancer);
    next.scope.serving.remove(0);
    next.progress.clients = clients;
    let found = next.run().await.found.unwrap();
    assert_eq!((found.nodes.len(), found.clients.away()), (1, 0));
}

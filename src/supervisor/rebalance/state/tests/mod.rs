mod simulation;

use super::*;
use crate::api::RebalanceNode;
use crate::supervisor::rebalance::returning::ClosedClient;

fn order() -> RebalanceOrder {
    RebalanceOrder {
        to: "5%".parse().unwrap(),
        over: "4s".parse().unwrap(),
        streams: false,
        dry_run: false,
        by: "root (pid 1)".to_owned(),
    }
}

fn pace() -> Pace {
    Pace {
        total: 10,
        over: Duration::from_secs(4),
    }
}

fn node(name: &str, connections: u64) -> RebalanceNode {
    RebalanceNode {
        node: name.to_owned(),
        connections,
        share: 5,
        may_be_closed: connections,
    }
}

/// A state whose round 1 is being carried out.
fn running(now: Instant) -> RebalanceState {
    let mut state = RebalanceState::default();
    state.begin(order(), pace(), now);
    state.rounds = 1;
    in_round(&mut state, 1);
    state
}

fn in_round(state: &mut RebalanceState, number: u64) {
    if let Some(running) = &mut state.current {
        running.round = Some(CurrentRound {
            number,
            serving: vec!["n1".to_owned()],
            cancelled: CancellationToken::new(),
        });
    }
}

fn done(closed: usize, has_plan: bool) -> RoundResult {
    with(found(has_plan), closed)
}

fn with(found: Found, closed: usize) -> RoundResult {
    RoundResult {
        found: Some(found),
        closed: vec![
            ClosedClient {
                at: Instant::now(),
                address: None,
                node: None
            };
            closed
        ],
        ..RoundResult::default()
    }
}

fn found(has_plan: bool) -> Found {
    Found {
        nodes: vec![node("n1", 9), node("n2", 1)],
        has_plan,
        variance: 80.0,
        ..Found::default()
    }
}

#[test]
fn a_second_order_is_refused_with_the_first_ones_operator() {
    let now = Instant::now();
    let mut state = running(now);
    let refusal = state.refuse_while_running().unwrap_err();
    assert!(
        refusal
            .error
            .starts_with("a rebalance by root (pid 1) runs since 20"),
        "{refusal:?}"
    );
    state.after(1, done(0, true), now);
    state.abort("a stop");
    state.refuse_while_running().unwrap();
    let ended = state.to_api().last.unwrap();
    assert_eq!(
        (ended.result, ended.reason.as_deref()),
        (RebalanceResult::Aborted, Some("a stop"))
    );
}

#[test]
fn an_aborted_one_ends_with_what_its_round_has_closed() {
    let now = Instant::now();
    let mut state = running(now);
    let cancelled = state
        .current
        .as_ref()
        .unwrap()
        .round
        .as_ref()
        .unwrap()
        .cancelled
        .clone();
    state.abort("a stop");
    state.abort("another reason");
    assert!(cancelled.is_cancelled());
    state.after(1, done(2, true), now);
    let ended = state.to_api().last.unwrap();
    assert_eq!(
        (ended.reason.as_deref(), ended.figures.closed),
        (Some("a stop"), 2)
    );
}

#[test]
fn it_ends_when_the_nodes_are_even() {
    let now = Instant::now();
    let mut state = running(now);
    state.after(1, done(3, true), now);
    assert_eq!(state.to_api().current.unwrap().figures.closed, 3);
    in_round(&mut state, 2);
    // The end of a round that was given up does not matter.
    state.after(1, done(3, true), now);
    let even = Found {
        is_even: true,
        ..found(false)
    };
    state.after(2, with(even, 0), now);
    let ended = state.to_api().last.unwrap();
    assert_eq!((ended.result, ended.figures.closed), (RebalanceResult::Even, 3));
    assert_eq!(
        (ended.planned, ended.per_second, ended.figures.most_in_a_second),
        (10, 3, 3)
    );
}

#[test]
fn it_ends_when_nothing_can_be_closed_any_more() {
    let now = Instant::now();
    let mut state = running(now);
    for round in 1..=u64::from(MAX_IDLE_ROUNDS) {
        assert!(state.is_running());
        in_round(&mut state, round);
        state.after(round, done(0, false), now);
    }
    assert_eq!(state.to_api().last.unwrap().result, RebalanceResult::Uneven);
}

#[test]
fn it_ends_when_clients_come_back_to_the_same_nodes() {
    let now = Instant::now();
    let mut state = running(now);
    for (round, closed) in [3, 3, 3, 3, 3, 3, 0].into_iter().enumerate() {
        let round = round as u64 + 1;
        in_round(&mut state, round);
        assert!(state.is_running());
        state.after(round, done(closed, true), now);
    }
    let ended = state.to_api().last.unwrap();
    assert_eq!(
        (ended.result, ended.figures.closed),
        (RebalanceResult::Uneven, 18)
    );
}

#[test]
fn it_waits_for_a_node_that_starts_slowly() {
    let now = Instant::now();
    let mut state = running(now);
    let waits = Found {
        waits: true,
        ..found(true)
    };
    state.after(1, with(waits, 0), now + Duration::from_secs(10));
    in_round(&mut state, 2);
    // The time begins again.
    state.after(2, done(1, true), now + Duration::from_secs(25));
    assert!(state.is_running());
}

#[test]
fn clients_that_are_not_back_are_shown() {
    let now = Instant::now();
    let mut state = running(now);
    let doing = |state: &RebalanceState| state.as_rollout().unwrap().doing;
    let mut clients = ReturningClients::default();
    clients.count([(None, 10)].into(), now);
    state.after(
        1,
        with(
            Found {
                clients,
                ..found(true)
            },
            3,
        ),
        now,
    );
    assert_eq!(doing(&state), "3 of 10 connections are closed");
    in_round(&mut state, 2);
    let mut clients = state.current.as_ref().unwrap().clients.clone();
    clients.count([(None, 8)].into(), now);
    state.after(
        2,
        with(
            Found {
                clients,
                ..found(true)
            },
            0,
        ),
        now,
    );
    assert_eq!(
        doing(&state),
        "3 of 10 connections are closed, 2 clients are not back yet"
    );
    assert_eq!(state.to_api().current.unwrap().figures.returning, 2);
}

#[test]
fn it_ends_when_fewer_than_two_nodes_take_clients() {
    let now = Instant::now();
    let mut state = running(now);
    let alone = Found {
        nodes: vec![node("n1", 10)],
        ..found(true)
    };
    state.after(1, with(alone, 3), now);
    let ended = state.to_api().last.unwrap();
    assert_eq!(
        (ended.result, ended.reason.as_deref(), ended.figures.closed),
        (
            RebalanceResult::Uneven,
            Some("fewer than two nodes take clients"),
            3
        )
    );
}

#[test]
fn it_ends_when_it_takes_too_long() {
    let now = Instant::now();
    let mut state = running(now);
    state.after(1, done(1, true), now + Duration::from_secs(18));
    assert!(state.is_running());
    in_round(&mut state, 2);
    state.after(2, done(1, true), now + Duration::from_secs(19));
    assert_eq!(state.to_api().last.unwrap().result, RebalanceResult::Uneven);
}

#[test]
fn a_balancer_that_does_not_answer_ends_it() {
    let now = Instant::now();
    let mut state = running(now);
    let failed = RoundResult {
        failure: Some(Refusal {
            error: "no answer".to_owned(),
            hint: None,
        }),
        ..done(2, true)
    };
    state.after(1, failed, now);
    let ended = state.to_api().last.unwrap();
    assert_eq!(
        (ended.result, ended.reason.as_deref(), ended.figures.closed),
        (RebalanceResult::Aborted, Some("no answer"), 2)
    );
}

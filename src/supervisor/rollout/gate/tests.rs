//! Verdicts about canaries, by made-up figures.

use super::*;

/// Limits of 1 % and of 50 ms.
fn limits() -> Limits {
    Limits {
        max_errors: "1%".parse().unwrap(),
        max_p99: Some("50ms".parse().unwrap()),
    }
}

fn figures(begun: u64, failed: u64) -> Figures {
    Figures::of(0, "http", Counts { begun, failed })
}

/// A hold in which `a` is the canary; each has these requests, of which these failed.
fn hold(limits: Limits, canary: (u64, u64), others: (u64, u64)) -> Gate {
    let mut gate = Gate::new(limits, BTreeSet::from(["a".to_owned()]));
    let both = |(begun, failed): (u64, u64), (others, failed_there): (u64, u64)| {
        BTreeMap::from([
            ("a".to_owned(), figures(begun, failed)),
            ("b".to_owned(), figures(others, failed_there)),
        ])
    };
    // What was before does not count.
    gate.add(both((500, 400), (500, 400)));
    gate.add(both(
        (500 + canary.0, 400 + canary.1),
        (500 + others.0, 400 + others.1),
    ));
    gate
}

fn probes(millis: u64, probes: usize) -> ProbeLatency {
    ProbeLatency {
        p99: Some(Duration::from_millis(millis)),
        probes,
    }
}

/// Whether the canary fails early, and at the end.
fn fails(canary: (u64, u64), others: (u64, u64)) -> (bool, bool) {
    let gate = hold(limits(), canary, others);
    let judge = |is_over| gate.judge(ProbeLatency::default(), ProbeLatency::default(), is_over);
    let fails = |verdict| matches!(verdict, Verdict::Failed(_));
    (fails(judge(false)), fails(judge(true)))
}

#[test]
fn a_share_above_the_limit_fails() {
    assert_eq!(fails((1_000, 0), (3_000, 0)), (false, false));
    assert_eq!(fails((1_000, 10), (3_000, 0)), (false, false));
    // A little above the limit may be chance until the end.
    assert_eq!(fails((1_000, 12), (3_000, 0)), (false, true));
    assert_eq!(fails((1_000, 30), (3_000, 0)), (true, true));
    assert_eq!(fails((1_000, 1_000), (3_000, 0)), (true, true));
}

#[test]
fn a_single_failure_among_few_is_chance_unless_all_fail() {
    assert_eq!(fails((10, 1), (30, 0)), (false, false));
    assert_eq!(fails((10, 2), (30, 0)), (false, true));
    assert_eq!(fails((10, 3), (30, 0)), (true, true));
    assert_eq!(fails((1, 1), (30, 0)), (false, true));
    assert_eq!(fails((3, 3), (0, 0)), (true, true));
    assert_eq!(fails((0, 0), (0, 0)), (false, false));
}

#[test]
fn a_fault_of_all_nodes_is_not_the_canarys() {
    assert_eq!(fails((1_000, 100), (3_000, 300)), (false, false));
    assert_eq!(fails((1_000, 1_000), (3_000, 3_000)), (false, false));
    assert_eq!(fails((1_000, 300), (3_000, 300)), (true, true));
}

#[test]
fn a_limit_of_none_allows_none() {
    let none = Limits {
        max_errors: "0%".parse().unwrap(),
        max_p99: None,
    };
    let nothing = ProbeLatency::default();
    let judge = |gate: Gate| gate.judge(nothing, nothing, false);
    assert!(matches!(judge(hold(none, (10, 1), (30, 0))), Verdict::Failed(_)));
    assert_eq!(judge(hold(none, (10, 0), (30, 0))), Verdict::Waiting);
}

#[test]
fn the_reason_has_the_figures_and_the_limit() {
    let nothing = ProbeLatency::default();
    assert_eq!(
        hold(limits(), (40, 20), (120, 0)).judge(nothing, nothing, false),
        Verdict::Failed(
            "20 of 40 requests and connections failed, 50.0% (`rollout.max_errors` is 1%; \
             at the other nodes 0 of 120)"
                .to_owned()
        )
    );
    assert_eq!(
        hold(limits(), (0, 0), (0, 0)).judge(probes(71, 10), nothing, true),
        Verdict::Failed("the p99 of its health checks is 71 ms (`rollout.max_p99` is 50ms)".to_owned())
    );
}

#[test]
fn slow_probes_fail_unless_the_others_are_slow_too() {
    let gate = hold(limits(), (0, 0), (0, 0));
    let nothing = ProbeLatency::default();
    let fails = |canary, others, is_over| matches!(gate.judge(canary, others, is_over), Verdict::Failed(_));
    assert!(!fails(probes(40, 10), probes(4, 30), true));
    assert!(fails(probes(51, 10), probes(4, 30), false));
    assert!(!fails(probes(51, 4), probes(4, 12), false) && fails(probes(51, 4), probes(4, 12), true));
    assert!(!fails(probes(90, 10), probes(80, 30), true));
    assert!(fails(probes(90, 10), nothing, true));
    let unlimited = Limits {
        max_p99: None,
        ..limits()
    };
    let judged = hold(unlimited, (0, 0), (0, 0)).judge(probes(9_000, 10), nothing, true);
    assert_eq!(judged, Verdict::Passed);
}

#[test]
fn a_slow_mean_of_clients_answers_fails() {
    let judge = |canary: u64, others: u64, begun: u64| {
        let mut gate = Gate::new(limits(), BTreeSet::from(["a".to_owned()]));
        gate.add(BTreeMap::new());
        let slow = |millis| figures(begun, 0).with_mean(Duration::from_millis(millis));
        gate.add(BTreeMap::from([
            ("a".to_owned(), slow(canary)),
            ("b".to_owned(), slow(others)),
        ]));
        gate.judge(ProbeLatency::default(), ProbeLatency::default(), false)
    };
    assert_eq!(
        judge(80, 8, 2_000),
        Verdict::Failed("it answers clients after 80 ms on average (`rollout.max_p99` is 50ms)".to_owned())
    );
    assert_eq!(judge(80, 70, 2_000), Verdict::Waiting);
    assert_eq!(judge(80, 8, 90), Verdict::Waiting);
}

#[test]
fn a_new_balancer_process_begins_at_zero() {
    let mut gate = hold(limits(), (100, 0), (100, 0));
    gate.add(BTreeMap::from([("a".to_owned(), figures(7, 7))]));
    assert_eq!(
        gate.canary,
        Counts {
            begun: 107,
            failed: 7
        }
    );
    // One that is silent for a moment does not.
    gate.add(BTreeMap::from([("a".to_owned(), Figures::default())]));
    gate.add(BTreeMap::from([("a".to_owned(), figures(9, 7))]));
    assert_eq!(
        gate.canary,
        Counts {
            begun: 109,
            failed: 7
        }
    );
}

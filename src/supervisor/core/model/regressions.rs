//! Cases that the model has found, each with what was wrong.

use super::run;
use super::step::Step;
use crate::profile::BalancerKind;

#[test]
fn a_dead_node_is_not_started_while_the_balancer_is_being_stopped() {
    run(
        BalancerKind::Haproxy,
        &[Step::Calm(1), Step::Die(0), Step::Stop, Step::Elapse(500)],
    )
    .unwrap();
}

#[test]
fn a_node_that_was_restarted_after_a_drain_had_stopped_it_outlives_the_supervisor() {
    let (node, stop) = (0, true);
    let drain = Step::Drain {
        node,
        stop,
        close: false,
        force: false,
    };
    let steps = [
        Step::Calm(1),
        drain,
        Step::Calm(1),
        Step::Restart(Some(node)),
        Step::Calm(1),
        Step::SupervisorDies,
    ];
    run(BalancerKind::Builtin, &steps).unwrap();
}

#[test]
fn a_stop_that_lasts_longer_than_the_start_it_ends_takes_few_turns() {
    run(BalancerKind::Builtin, &[Step::Stop, Step::Elapse(40_000)]).unwrap();
}

#[test]
fn a_restart_of_all_nodes_leaves_out_a_node_that_a_later_drain_has_stopped() {
    let drain = Step::Drain {
        node: 2,
        stop: true,
        close: false,
        force: false,
    };
    for kind in BalancerKind::ALL {
        let (begin, last) = (Step::Calm(1), drain.clone());
        run(kind, &[begin, Step::Restart(None), last]).unwrap();
    }
}

#[test]
fn a_reload_is_answered_although_a_stop_follows_at_once() {
    run(
        BalancerKind::Builtin,
        &[Step::Calm(1), Step::Reload(false), Step::Stop],
    )
    .unwrap();
}

#[test]
fn a_cluster_in_which_everything_works_serves_and_stops() {
    for kind in BalancerKind::ALL {
        run(kind, &[Step::Calm(10)]).unwrap();
    }
}

#[test]
fn another_program_that_answers_counts_as_a_death() {
    let drain = Step::Drain {
        node: 0,
        stop: false,
        close: false,
        force: false,
    };
    let steps = [
        drain.clone(),
        Step::Die(0),
        Step::SupervisorDies,
        Step::AnsweredByAnother(5),
        Step::Reload(false),
        drain,
        Step::Calm(1),
        Step::FailSpawns(2),
        Step::Die(69),
        Step::DescendantsEnd,
        Step::Elapse(900),
    ];
    run(BalancerKind::Nginx, &steps).unwrap();
}

#[test]
fn nodes_come_and_go_while_everything_works() {
    for kind in BalancerKind::ALL {
        let steps = [
            Step::Calm(2),
            Step::Resize(4),
            Step::Calm(5),
            Step::Resize(2),
            Step::Calm(5),
            Step::SupervisorDies,
            Step::Calm(2),
        ];
        run(kind, &steps).unwrap();
    }
}

#[test]
fn a_process_that_never_answers_in_time_counts_as_a_death() {
    let steps = [
        Step::SupervisorDies,
        Step::Die(0),
        Step::FailSpawns(3),
        Step::SupervisorDies,
        Step::Elapse(6_417),
        Step::Elapse(7_617),
        Step::Elapse(10_141),
        Step::Elapse(6_525),
    ];
    for kind in BalancerKind::ALL {
        run(kind, &steps).unwrap();
    }
}

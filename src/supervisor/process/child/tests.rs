//! The states of a child, through its life.

use super::*;
use proptest::prelude::*;

const PROCESS: Identity = Identity {
    pid: 7,
    start_time: 1,
};

fn policy(give_up_after: u32) -> Restart {
    Restart {
        backoff: "100ms..30s".parse().unwrap(),
        give_up_after,
        forget_after: "60s".parse().unwrap(),
        hung_after: "30s".parse().unwrap(),
    }
}

fn stop_sequence() -> StopSequence {
    StopSequence(vec![
        (Signal::SIGUSR1, Duration::from_secs(5)),
        (Signal::SIGTERM, Duration::from_secs(2)),
    ])
}

fn running(now: Instant) -> Child {
    let mut child = Child::new();
    assert_eq!(child.after(Event::Start, now, &policy(10)), Some(Action::Spawn));
    child.after(Event::Spawned(PROCESS), now, &policy(10));
    child.after(Event::Answered(None), now, &policy(10));
    assert!(child.is_up());
    child
}

#[test]
fn a_child_that_dies_is_spawned_again_after_its_wait() {
    let now = Instant::now();
    let mut child = running(now);
    assert_eq!(
        child.after(Event::Ended("killed by SIGKILL".into()), now, &policy(10)),
        None
    );
    assert_eq!(child.after(Event::Time, now, &policy(10)), None);
    assert_eq!(
        child.after(Event::Time, child.wakes_at().unwrap(), &policy(10)),
        Some(Action::Spawn)
    );
    assert_eq!(
        (child.restarts.total, child.reason.as_deref()),
        (1, Some("killed by SIGKILL"))
    );
}

#[test]
fn a_child_that_dies_too_often_fails_until_an_operator_starts_it() {
    let now = Instant::now();
    let mut child = running(now);
    child.after(Event::Ended("exit 1".into()), now, &policy(1));
    child.after(Event::Spawned(PROCESS), now, &policy(1));
    child.after(Event::Ended("exit 1".into()), now, &policy(1));
    assert_eq!(child.state, State::Failed);
    assert_eq!(
        child.after(Event::Time, now + Duration::from_hours(1), &policy(1)),
        None
    );
    assert_eq!(child.after(Event::Start, now, &policy(1)), Some(Action::Spawn));
}

#[test]
fn a_child_that_never_answers_is_killed_and_counts_as_dead() {
    let now = Instant::now();
    let mut child = Child::new();
    child.after(Event::Start, now, &policy(10));
    child.after(Event::Spawned(PROCESS), now, &policy(10));
    let late = child.wakes_at().unwrap();
    assert_eq!(
        child.after(Event::Time, late, &policy(10)),
        Some(Action::Signal(PROCESS, Signal::SIGKILL))
    );
    assert_eq!(child.wakes_at(), None);
    child.after(Event::Ended("killed by SIGKILL".into()), late, &policy(10));
    assert_eq!(child.reason.as_deref(), Some("did not answer within 30 s"));
}

#[test]
fn a_hung_child_is_killed_and_restarted_with_its_reason() {
    let now = Instant::now();
    let mut child = running(now);
    let action = child.after(Event::Hung, now, &policy(10));
    assert_eq!(action, Some(Action::Signal(PROCESS, Signal::SIGKILL)));
    child.after(Event::Ended("killed by SIGKILL".into()), now, &policy(10));
    assert_eq!(child.reason.as_deref(), Some("hung: ran but did not answer"));
    assert_eq!(
        child.after(Event::Time, child.wakes_at().unwrap(), &policy(10)),
        Some(Action::Spawn)
    );
}

#[test]
fn stopping_escalates_to_sigkill() {
    let mut now = Instant::now();
    let mut child = running(now);
    let mut signals = Vec::new();
    let mut action = child.after(Event::Stop(stop_sequence(), Then::StayStopped), now, &policy(10));
    while let Some(Action::Signal(process, signal)) = action {
        assert_eq!(process, PROCESS);
        signals.push(signal);
        if signals.len() == 4 {
            break;
        }
        now = child.wakes_at().unwrap();
        action = child.after(Event::Time, now, &policy(10));
    }
    assert_eq!(
        signals,
        [Signal::SIGUSR1, Signal::SIGTERM, Signal::SIGKILL, Signal::SIGKILL]
    );
    child.after(Event::Ended("killed".into()), now, &policy(10));
    assert_eq!((child.state, child.reason), (State::Stopped, None));
}

#[test]
fn a_restart_does_not_undo_a_stop() {
    let now = Instant::now();
    let mut child = running(now);
    child.after(Event::Stop(stop_sequence(), Then::StayStopped), now, &policy(10));
    child.after(Event::Stop(stop_sequence(), Then::Start), now, &policy(10));
    assert_eq!(child.after(Event::Ended("exit 0".into()), now, &policy(10)), None);
    assert_eq!(child.state, State::Stopped);
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Start),
        Just(Event::Stop(stop_sequence(), Then::StayStopped)),
        Just(Event::Stop(StopSequence::kill(), Then::Start)),
        Just(Event::Spawned(PROCESS)),
        Just(Event::NotSpawned("no such file".into())),
        Just(Event::Answered(None)),
        Just(Event::AnsweredByAnother(
            stop_sequence(),
            "held by python3".into()
        )),
        Just(Event::Hung),
        Just(Event::Ended("exit 0".into())),
        Just(Event::Time),
    ]
}

proptest! {
    #[test]
    fn a_stop_and_an_exit_always_lead_to_stopped(history in prop::collection::vec(events(), 0..40)) {
        let now = Instant::now();
        let mut child = Child::new();
        for event in history {
            let action = child.after(event, now, &policy(3));
            // Nothing is spawned beside a process that still runs.
            prop_assert!(action != Some(Action::Spawn) || child.process().is_none());
        }
        child.after(Event::Stop(stop_sequence(), Then::StayStopped), now, &policy(3));
        child.after(Event::Ended("exit 0".into()), now, &policy(3));
        prop_assert_eq!(child.state, State::Stopped);
    }
}

//! Targets that do not serve MCP, or stop serving.

use std::thread;
use std::time::Duration;

use super::target::{Behaviour, Target};
use super::{Ended, at, error, held};
use crate::harness::eventually;
use crate::plane::free_address;

/// Longer than any of these tests takes on a busy machine, and shorter than a wait without a limit.
const BOUND: Duration = Duration::from_secs(30);

#[test]
fn a_target_that_refuses_is_named_with_the_reason() {
    let address = free_address();
    let ended = at(address, "10 1").ends();
    let refusal = ended.refusal();
    assert!(
        refusal.contains(&format!("{address} is not an MCP server over tcp: ")),
        "{refusal}"
    );
    assert!(refusal.to_lowercase().contains("connection refused"), "{refusal}");
    assert!(refusal.contains("\nhint: "), "{refusal}");
}

#[test]
fn a_target_that_never_answers_is_given_up() {
    let target = Target::that(Behaviour::Silent);
    let ended = at(target.address, "10 1 --timeout 1s").ends();
    let refusal = ended.refusal();
    assert!(refusal.contains("not answered within 1s"), "{refusal}");
    assert!(refusal.contains("\nhint: "), "{refusal}");
    assert!(ended.took < BOUND, "{ended}");
}

#[test]
fn a_target_that_answers_garbage_is_refused() {
    let answers = [
        (
            Behaviour::Answers(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 400 Bad Request",
        ),
        (Behaviour::Noise, "not MCP: `....`"),
        (Behaviour::Endless, "no end of a line within 1 MiB"),
        (Behaviour::Closes, "closed"),
        (Behaviour::Answers(b"{}\n"), "{}"),
        (
            Behaviour::Answers(
                b"{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":503,\"message\":\"full\"}}\n",
            ),
            "full",
        ),
    ];
    for (behaviour, expected) in answers {
        let target = Target::that(behaviour);
        let ended = at(target.address, "10 1 --timeout 5s").ends();
        let refusal = ended.refusal();
        assert!(refusal.contains(expected), "{behaviour:?}: {refusal}");
        assert!(
            refusal.lines().all(|line| line.chars().count() < 400),
            "{refusal}"
        );
        assert!(refusal.contains("\nhint: "), "{behaviour:?}: {refusal}");
    }
}

const GARBAGE: Behaviour = Behaviour::Answers(b"HTTP/1.1 400 Bad Request\r\n\r\n");

/// How a target stops serving, the kind of the errors that follow, and a part of their text.
type Turn = (Behaviour, &'static str, &'static str);

/// Runs all tests at once: they mostly wait.
fn each(turns: &[Turn], test: impl Fn(Behaviour) -> Ended + Sync) {
    thread::scope(|scope| {
        for (behaviour, kind, expected) in turns {
            let test = &test;
            scope.spawn(move || {
                let ended = test(*behaviour);
                assert!(ended.took < BOUND, "{behaviour:?}: {ended}");
                let results = ended.results(1);
                assert_eq!(results["outcome"], "failed", "{behaviour:?}: {ended}");
                let (count, example) = error(&results, kind);
                assert!(count > 0 && example.contains(expected), "{behaviour:?}: {ended}");
                // The example names the address and the time.
                assert!(
                    example.contains(" from 127.") && example.ends_with(" s"),
                    "{behaviour:?}: {ended}"
                );
                let memory = results["memory"]["generator_bytes"].as_u64().unwrap();
                assert!(memory < 256 << 20, "{behaviour:?}: {ended}");
            });
        }
    });
}

#[test]
fn failures_in_mid_ramp_are_reported_by_kind() {
    let turns = [
        (Behaviour::Closes, "closed", "closed"),
        (Behaviour::ServesOnce, "closed", "closed"),
        (Behaviour::Silent, "answer_timeout", "`initialize` not answered"),
        (GARBAGE, "garbage", "HTTP/1.1 400 Bad Request"),
        (Behaviour::Endless, "garbage", "no end of a line within 1 MiB"),
        (Behaviour::Refuses, "refused", "refused"),
    ];
    each(&turns, |then| {
        let target = Target::that_serves(20, then);
        at(target.address, "60 1 --json --timeout 1s").ends()
    });
}

#[test]
fn failures_in_mid_hold_are_reported_by_kind() {
    let turns = [
        (Behaviour::Closes, "closed", "closed"),
        (Behaviour::Silent, "answer_timeout", "not answered"),
        (GARBAGE, "garbage", "HTTP/1.1 400 Bad Request"),
        (Behaviour::Noise, "garbage", "not MCP: `....`"),
        (Behaviour::Endless, "garbage", "no end of a line within 1 MiB"),
        (Behaviour::Refuses, "refused", "refused"),
    ];
    each(&turns, |then| {
        let target = Target::that(Behaviour::Serves);
        let test = at(
            target.address,
            "60 6 --json --timeout 1s --messages-per-second 300",
        );
        held(target.address, 60);
        // With so many pings sent, the ramp is over.
        let answered = target.answered();
        eventually("pings", || (target.answered() > answered + 400).then_some(()));
        target.turn(then);
        let ended = test.ends();
        assert_eq!(ended.results(1)["ramp"]["connected"], 60, "{ended}");
        ended
    });
}

// The hold ends long before a client times out.
#[test]
fn a_target_that_stops_answering_does_not_pass_by_ending_early() {
    let target = Target::that(Behaviour::Serves);
    let test = at(
        target.address,
        "60 10 --json --timeout 5s --messages-per-second 300",
    );
    held(target.address, 60);
    eventually("pings", || (target.answered() > 60 + 30).then_some(()));
    target.turn(Behaviour::Silent);
    let ended = test.ends();
    let results = ended.results(1);
    let unanswered = results["messages"]["unanswered"].as_u64().unwrap();
    assert!(unanswered > 0, "{ended}");
    let (count, example) = error(&results, "answer_timeout");
    assert!(count > 0 && example.contains("ping"), "{ended}");
}

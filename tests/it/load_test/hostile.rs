//! Targets that are none, or stop to be one.

use std::net::TcpListener;
use std::time::Duration;

use super::target::{Mood, Target};
use super::{Ended, at, error, held};
use crate::harness::eventually;

/// Longer than any of these takes on a busy machine, and shorter than what nobody has bounded.
const BOUND: Duration = Duration::from_secs(30);

fn free_address() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_target_that_refuses_is_named_with_the_reason() {
    let address = free_address();
    let ended = at(address, "10 1").ends();
    let refusal = ended.refusal();
    assert!(
        refusal.contains(&format!("{address} is no MCP server over tcp: ")),
        "{refusal}"
    );
    assert!(refusal.to_lowercase().contains("connection refused"), "{refusal}");
    assert!(refusal.contains("\nhint: "), "{refusal}");
}

#[test]
fn a_target_that_never_answers_is_given_up() {
    let target = Target::that(Mood::Silent);
    let ended = at(target.address, "10 1 --timeout 1s").ends();
    let refusal = ended.refusal();
    assert!(refusal.contains("not answered within 1s"), "{refusal}");
    assert!(refusal.contains("\nhint: "), "{refusal}");
    assert!(ended.took < BOUND, "{ended}");
}

#[test]
fn a_target_that_answers_garbage_is_none() {
    let answers = [
        (
            Mood::Says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 400 Bad Request",
        ),
        (Mood::Noise, "no MCP: `....`"),
        (Mood::Endless, "no line in 1 MiB"),
        (Mood::Closes, "closed"),
        (Mood::Says(b"{}\n"), "{}"),
        (
            Mood::Says(b"{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32000,\"message\":\"full\"}}\n"),
            "full",
        ),
    ];
    for (mood, told) in answers {
        let target = Target::that(mood);
        let ended = at(target.address, "10 1 --timeout 5s").ends();
        let refusal = ended.refusal();
        assert!(refusal.contains(told), "{mood:?}: {refusal}");
        assert!(
            refusal.lines().all(|line| line.chars().count() < 400),
            "{refusal}"
        );
        assert!(refusal.contains("\nhint: "), "{mood:?}: {refusal}");
    }
}

/// Serves a few, and treats all others otherwise: what is told of it.
fn in_mid_ramp(then: Mood) -> Ended {
    let target = Target::that_serves(20, then);
    let ended = at(target.address, "60 1 --json --timeout 1s").ends();
    assert!(ended.took < BOUND, "{then:?}: {ended}");
    let results = ended.results(1);
    assert_eq!(results["outcome"], "failed", "{ended}");
    assert!(results["held"].as_u64().unwrap() <= 20, "{ended}");
    ended
}

/// Serves all, and treats them otherwise once they are held: what is told of it.
fn in_mid_hold(then: Mood) -> Ended {
    let target = Target::that(Mood::Serves);
    let test = at(
        target.address,
        "60 6 --json --timeout 1s --messages-per-second 300",
    );
    held(target.address, 60);
    // With so many pings on the schedule, the ramp is long over.
    let answered = target.answered();
    eventually("pings", || (target.answered() > answered + 400).then_some(()));
    target.turn(then);
    let ended = test.ends();
    assert!(ended.took < BOUND, "{then:?}: {ended}");
    let results = ended.results(1);
    assert_eq!(results["ramp"]["connected"], 60, "{ended}");
    assert_eq!(results["outcome"], "failed", "{ended}");
    ended
}

const GARBAGE: Mood = Mood::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n");

macro_rules! tells_of {
    ($($test:ident: $when:ident($mood:expr) tells $kind:literal, $told:literal;)+) => {
        $(#[test] fn $test() {
            let ended = $when($mood);
            let results = ended.results(1);
            let (count, example) = error(&results, $kind);
            assert!(count > 0 && example.contains($told) && example.contains(" s"), "{ended}");
        })+
    };
}

tells_of! {
    closing_in_mid_ramp: in_mid_ramp(Mood::Closes) tells "closed", "closed";
    serving_once_in_mid_ramp: in_mid_ramp(Mood::ServesOnce) tells "closed", "closed";
    silence_in_mid_ramp: in_mid_ramp(Mood::Silent) tells "answer_timeout", "`initialize` not answered";
    garbage_in_mid_ramp: in_mid_ramp(GARBAGE) tells "garbage", "HTTP/1.1 400 Bad Request";
    an_endless_line_in_mid_ramp: in_mid_ramp(Mood::Endless) tells "garbage", "no line in 1 MiB";
    refusing_in_mid_ramp: in_mid_ramp(Mood::Refuses) tells "refused", "refused";
    closing_in_mid_hold: in_mid_hold(Mood::Closes) tells "closed", "closed";
    silence_in_mid_hold: in_mid_hold(Mood::Silent) tells "answer_timeout", "not answered";
    garbage_in_mid_hold: in_mid_hold(GARBAGE) tells "garbage", "HTTP/1.1 400 Bad Request";
    noise_in_mid_hold: in_mid_hold(Mood::Noise) tells "garbage", "";
    refusing_in_mid_hold: in_mid_hold(Mood::Refuses) tells "refused", "refused";
}

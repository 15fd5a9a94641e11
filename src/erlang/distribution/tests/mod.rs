//! Tests with peers that behave as a real node cannot be made to.

mod fake;

use std::cell::Cell;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use self::fake::{Fake, Peer, listening};
use super::syntax::flat;
use super::{Call, Connection, Error, Output, Target, Term};

/// Longer than any step takes on a busy machine.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn at_once() -> Instant {
    Instant::now() + Duration::from_millis(100)
}

/// The result of connecting to a peer that runs `behave` on each connection.
async fn opened(behave: impl AsyncFn(Peer), deadline: Instant) -> Result<Connection, Error> {
    let (fake, target) = listening().await;
    tokio::select! {
        biased;
        () = fake.serve(behave) => unreachable!("it serves for ever"),
        opened = Connection::open(&target, deadline) => opened,
    }
}

async fn refusal(behave: impl AsyncFn(Peer), deadline: Instant) -> String {
    let error = opened(behave, deadline).await.unwrap_err().to_string();
    error
        .split_once(" at 127.0.0.1:")
        .unwrap()
        .1
        .split_once(' ')
        .unwrap()
        .1
        .to_owned()
}

/// The result of a call of `m:f(1)`, and its output.
async fn called(behave: impl AsyncFn(Peer), deadline: Instant) -> (Result<Term, Error>, Output) {
    let (fake, target) = listening().await;
    let mut output = Output::default();
    let call = async |target: &Target, output: &mut Output| {
        let mut connection = Connection::open(target, deadline).await?;
        let call = Call::known("m", "f", vec![Term::Integer(1)]);
        connection.call(&call, output, deadline).await
    };
    let answer = tokio::select! {
        biased;
        () = fake.serve(behave) => unreachable!("it serves for ever"),
        answer = call(&target, &mut output) => answer,
    };
    (answer, output)
}

async fn failure(behave: impl AsyncFn(Peer), deadline: Instant) -> String {
    called(behave, deadline).await.0.unwrap_err().why.to_string()
}

/// The result of a call whose time ends while the peer waits for that, or because the peer has seen
/// that it did: then `behave` sets the flag. If that takes longer than the call may, the call is
/// repeated with twice the time.
async fn called_until_late(behave: impl AsyncFn(Peer, &Cell<bool>)) -> (Result<Term, Error>, Output) {
    let mut time = Duration::from_millis(500);
    while time < Duration::from_mins(1) {
        let in_time = Cell::new(false);
        let peer = async |peer: Peer| behave(peer, &in_time).await;
        let came = called(peer, Instant::now() + time).await;
        if in_time.get() {
            return came;
        }
        time *= 2;
    }
    panic!("the peer never got so far");
}

/// Never ends.
async fn nothing_more() {
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn other_services_are_reported_as_such() {
    let strange = "does not speak Erlang's distribution protocol: ";
    let http = async |mut peer: Peer| {
        peer.stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    };
    assert_eq!(
        refusal(http, soon()).await,
        format!("{strange}it sent half a message")
    );
    let garbage = async |mut peer: Peer| peer.write_message(b"\xff\xff").await;
    assert_eq!(
        refusal(garbage, soon()).await,
        format!("{strange}its first message is not a status")
    );
    let mute = async |peer: Peer| drop(peer);
    assert_eq!(
        refusal(mute, soon()).await,
        format!("{strange}it closed the connection without an answer")
    );
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let late = "does not answer in time";
    assert_eq!(
        refusal(async |_peer: Peer| nothing_more().await, at_once()).await,
        late
    );
    let half = async |mut peer: Peer| {
        peer.read_message().await;
        peer.write_message(b"snamed:\0\x09us@nowher\0\0\0\x01").await;
        nothing_more().await;
    };
    assert_eq!(refusal(half, at_once()).await, late);
    let in_the_end = async |mut peer: Peer| {
        peer.accept_handshake().await;
        nothing_more().await;
    };
    assert_eq!(failure(in_the_end, at_once()).await, late);
}

#[tokio::test]
async fn a_peer_has_to_know_the_cookie_too() {
    let pretender = async |mut peer: Peer| {
        peer.begin().await;
        peer.read_message().await;
        peer.write_message(b"a0123456789abcdef").await;
        nothing_more().await;
    };
    assert_eq!(refusal(pretender, soon()).await, "has another cookie");
    let judge = async |mut peer: Peer| {
        peer.begin().await;
        peer.read_message().await;
    };
    assert_eq!(refusal(judge, soon()).await, "refuses the cookie");
    let rejects_every_peer = async |mut peer: Peer| {
        peer.read_message().await;
        peer.write_message(b"snot_allowed").await;
    };
    assert_eq!(
        refusal(rejects_every_peer, soon()).await,
        "refuses the connection: `not_allowed`"
    );
}

#[tokio::test]
async fn a_flood_ends_at_the_deadline() {
    let flood = async |mut peer: Peer| {
        peer.accept_handshake().await;
        let link = peer.signal("{1,<0.1.0>,<0.2.0>}", None);
        while peer.stream.write_all(&link).await.is_ok() {}
    };
    assert_eq!(failure(flood, at_once()).await, "does not answer in time");
    let ticks = async |mut peer: Peer| {
        peer.accept_handshake().await;
        while peer.stream.write_all(&[0; 4096]).await.is_ok() {}
    };
    assert_eq!(failure(ticks, at_once()).await, "does not answer in time");
}

#[tokio::test]
async fn messages_that_cannot_be_decoded_are_refused() {
    let writes = |bytes: &'static [u8]| {
        async move |mut peer: Peer| {
            peer.accept_handshake().await;
            peer.stream.write_all(bytes).await.unwrap();
            nothing_more().await;
        }
    };
    let unreadable = "sent a message that cannot be decoded: ";
    assert_eq!(
        failure(writes(b"\x7f\0\0\0"), soon()).await,
        format!("{unreadable}a message of 2130706432 bytes, more than 16777216")
    );
    assert_eq!(
        failure(writes(b"\0\0\0\x03\x83\x44\0"), soon()).await,
        format!("{unreadable}a message that begins with byte 131")
    );
    assert_eq!(
        failure(writes(b"\0\0\0\x02p\x83"), soon()).await,
        format!("{unreadable}a term ends too early")
    );
    let closes = async |mut peer: Peer| peer.accept_handshake().await;
    assert_eq!(failure(closes, soon()).await, "has closed the connection");
}

#[tokio::test]
async fn ticks_and_unlinks_are_answered_while_a_call_is_made() {
    let answers = async |mut peer: Peer| {
        peer.accept_handshake().await;
        let id = peer.request().await;
        peer.stream.write_all(&[0; 4]).await.unwrap();
        assert_eq!(peer.frame().await, b"", "no tick");
        let unlink = peer.signal("{35,7,<0.1.0>,<0.2.0>}", None);
        peer.stream.write_all(&unlink).await.unwrap();
        assert_eq!(peer.receive_signal().await, "{36,7,<0.2.0>,<0.1.0>}");
        peer.down(&id, "return", "fine").await;
        nothing_more().await;
    };
    let (answer, _) = called(answers, soon()).await;
    assert_eq!(answer.unwrap(), Term::atom("fine"));
}

#[tokio::test]
async fn a_call_that_cannot_start_is_reported() {
    let full = async |mut peer: Peer| {
        peer.accept_handshake().await;
        let id = peer.request().await;
        let mut parts = vec![Term::Integer(31), id, Term::Integer(0), Term::Integer(0)];
        parts.push(Term::atom("system_limit"));
        peer.send(&Term::Tuple(parts), None).await;
        nothing_more().await;
    };
    assert_eq!(
        failure(full, soon()).await,
        "cannot start the call: `system_limit`"
    );
}

#[tokio::test]
async fn a_node_of_otp_23_gets_a_name_of_the_client() {
    let answers = async |mut peer: Peer| {
        let name = peer.read_message().await;
        if !name.windows(11).any(|word| word == b"clusterctl-") {
            peer.write_message(b"sok").await;
            return;
        }
        peer.write_message(b"sok").await;
        peer.challenge(Fake::FLAGS).await;
        peer.prove().await;
        let id = peer.request().await;
        peer.down(&id, "throw", "ball").await;
        nothing_more().await;
    };
    let (answer, _) = called(answers, soon()).await;
    assert_eq!(answer.unwrap_err().why.to_string(), "threw ball");
}

/// OTP 22 closes the connection on messages that it does not know, speaks version 5, and has a
/// `rex` server for calls.
#[tokio::test]
async fn a_node_before_otp_23_is_called_by_its_rex_server() {
    let answers = |result: &'static str| {
        async move |mut peer: Peer| {
            let name = peer.read_message().await;
            if !name.starts_with(b"n\0\x05") {
                return;
            }
            peer.write_message(b"sok").await;
            peer.old_challenge().await;
            peer.prove().await;
            let (control, request) = peer.receive().await;
            assert!(flat(&control, &Fake::node()).ends_with(",'',rex}"));
            let [call, from, what] = request.as_tuple().unwrap() else {
                panic!("{request:?}");
            };
            assert!(call.is_atom("$gen_call"));
            assert!(flat(what, &Fake::node()).starts_with("{call,m,f,[1],"));
            let [us, id] = from.as_tuple().unwrap() else {
                panic!("{from:?}");
            };
            let control = Term::Tuple(vec![Term::Integer(2), Term::atom(""), us.clone()]);
            let answer = Term::Tuple(vec![id.clone(), Fake::term(result)]);
            peer.send(&control, Some(&answer)).await;
            nothing_more().await;
        }
    };
    assert_eq!(
        called(answers("fine"), soon()).await.0.unwrap(),
        Term::atom("fine")
    );
    let undefined = "{badrpc,{'EXIT',{undef,[{m,f,[1],[]}]}}}";
    let error = called(answers(undefined), soon()).await.0.unwrap_err();
    assert_eq!(error.why.to_string(), "raised an error: undef");
    assert_eq!(
        failure(answers("{badrpc,{'EXIT',done}}"), soon()).await,
        "exited: done"
    );
}

#[tokio::test]
async fn a_call_that_has_begun_and_takes_too_long_is_ended() {
    let obeys = async |mut peer: Peer, in_time: &Cell<bool>| {
        peer.accept_handshake().await;
        let id = peer.request().await;
        peer.begun(&id).await;
        peer.expect_kill().await;
        in_time.set(true);
        peer.killed(&id).await;
        nothing_more().await;
    };
    let error = called_until_late(obeys).await.0.unwrap_err();
    let text = error.why.to_string();
    assert!(text.starts_with("ran a call that did not end within "), "{text}");
    assert!(text.ends_with(" s; the call was killed"), "{text}");
    assert_eq!(error.hint().unwrap(), "a longer `--timeout` waits for it");
    let hangs = async |mut peer: Peer, in_time: &Cell<bool>| {
        peer.accept_handshake().await;
        let id = peer.request().await;
        peer.begun(&id).await;
        peer.expect_kill().await;
        in_time.set(true);
        nothing_more().await;
    };
    let error = called_until_late(hangs).await.0.unwrap_err();
    let (text, hint) = (error.why.to_string(), error.hint().unwrap());
    assert!(text.ends_with(" s; the call may still run"), "{text}");
    assert!(hint.contains("did not confirm that it ended the call"), "{hint}");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_end_is_taken() {
    let is_done = async |mut peer: Peer, in_time: &Cell<bool>| {
        peer.accept_handshake().await;
        let id = peer.request().await;
        peer.begun(&id).await;
        peer.expect_kill().await;
        in_time.set(true);
        peer.down(&id, "return", "fine").await;
        nothing_more().await;
    };
    let (answer, _) = called_until_late(is_done).await;
    assert_eq!(answer.unwrap(), Term::atom("fine"));
}

#[tokio::test]
async fn a_call_that_never_stops_asking_for_input_is_ended() {
    let asks = async |mut peer: Peer| {
        peer.accept_handshake().await;
        let id = peer.request().await;
        peer.begun(&id).await;
        let asks = "{io_request,<0.7.0>,me,{get_line,unicode,\"> \"}}";
        let request = peer.signal("{2,'',<0.1.0>}", Some(&Fake::term(asks)));
        let mut ends = 0;
        loop {
            peer.stream.write_all(&request).await.unwrap();
            let (control, answer) = peer.receive().await;
            if flat(&control, &Fake::node()).starts_with("{26,") {
                break;
            }
            assert_eq!(flat(&answer, &Fake::node()), "{io_reply,me,eof}");
            ends += 1;
        }
        assert_eq!(ends, 100);
        peer.killed(&id).await;
        nothing_more().await;
    };
    assert_eq!(
        failure(asks, soon()).await,
        "ran a call that repeatedly asked for input; the call was killed"
    );
}

/// Prints a text `count` times before any answer.
async fn print(peer: &mut Peer, count: usize, text: &str) {
    for number in 0..count {
        let print = format!("{{put_chars,unicode,io_lib,format,[\"~s\",[\"{text}\"]]}}");
        let request = Fake::term(&format!("{{io_request,<0.7.0>,{number},{print}}}"));
        peer.send(&Fake::term("{2,'',<0.1.0>}"), Some(&request)).await;
    }
}

#[tokio::test]
async fn of_many_prints_the_node_formats_some_at_a_time() {
    const PRINTED: usize = 250;

    let prints = async |mut peer: Peer| {
        peer.accept_handshake().await;
        let id = peer.request().await;
        print(&mut peer, PRINTED, "x").await;
        let mut formats = Vec::new();
        for _ in 0..100 {
            formats.push(peer.request().await);
        }
        for begun in 100..=PRINTED {
            peer.down(&formats.pop().unwrap(), "return", "\"x\"").await;
            let (_, reply) = peer.receive().await;
            assert!(flat(&reply, &Fake::node()).ends_with(",ok}"), "{reply:?}");
            if begun < PRINTED {
                formats.push(peer.request().await);
            }
        }
        // Output that was being formatted when the call ended arrives, too.
        peer.down(&id, "return", "fine").await;
        for format in formats {
            peer.down(&format, "return", "\"y\"").await;
        }
        nothing_more().await;
    };
    let (answer, output) = called(prints, soon()).await;
    assert_eq!(answer.unwrap(), Term::atom("fine"));
    let printed = ["x".repeat(PRINTED - 99), "y".repeat(99)].concat();
    assert_eq!((output.text, output.prints_lost), (printed, 0));
}

#[tokio::test]
async fn prints_that_are_lost_are_counted() {
    const LARGE: usize = 300 * 1024;
    /// Two are refused, one comes too late, and three are still being formatted when the time is
    /// over.
    const LOST: usize = 6;

    let prints = async |mut peer: Peer| {
        peer.accept_handshake().await;
        let id = peer.request().await;
        print(&mut peer, 100, "x").await;
        let mut formats = Vec::new();
        for _ in 0..100 {
            formats.push(peer.request().await);
        }
        // Three of them fit into the queue.
        print(&mut peer, 5, &"x".repeat(LARGE)).await;
        for _ in 0..2 {
            let (_, reply) = peer.receive().await;
            let reply = flat(&reply, &Fake::node());
            assert!(reply.ends_with(",{error,system_limit}}"), "{reply}");
        }
        peer.down(&id, "return", "fine").await;
        // It arrives after the end of the call.
        print(&mut peer, 1, "x").await;
        for format in formats {
            peer.down(&format, "return", "\"x\"").await;
        }
        nothing_more().await;
    };
    // A busy machine needs more time to get this far.
    let (mut answer, mut output) = called(&prints, Instant::now() + Duration::from_secs(1)).await;
    for seconds in [4, 16, 64] {
        if answer.is_ok() && output.prints_lost == LOST {
            break;
        }
        (answer, output) = called(&prints, Instant::now() + Duration::from_secs(seconds)).await;
    }
    assert_eq!(answer.unwrap(), Term::atom("fine"),);
    assert_eq!((output.text, output.prints_lost), ("x".repeat(100), LOST));
}

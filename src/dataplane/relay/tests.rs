use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// An end whose input arrives in pieces, and that takes output in pieces.
#[derive(Debug, Default)]
struct Fake {
    /// Input still to be read: pieces, or moments without data.
    input: VecDeque<Input>,
    /// Room for output, one write each; 0 blocks. Without any more, everything is taken.
    room: VecDeque<usize>,
    /// The write at which it breaks.
    breaks_after: Option<usize>,
    written: Vec<u8>,
    finished: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Input {
    Bytes(Vec<u8>),
    Nothing,
    End,
    Reset,
}

impl End for Fake {
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.input.pop_front() {
            None | Some(Input::Nothing) => Err(io::ErrorKind::WouldBlock.into()),
            Some(Input::End) => Ok(0),
            Some(Input::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
            Some(Input::Bytes(bytes)) => {
                let taken = bytes.len().min(room.len());
                room[..taken].copy_from_slice(&bytes[..taken]);
                if taken < bytes.len() {
                    self.input.push_front(Input::Bytes(bytes[taken..].to_vec()));
                }
                Ok(taken)
            }
        }
    }

    fn peek(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.input.front() {
            Some(Input::Bytes(bytes)) => {
                let seen = bytes.len().min(room.len());
                room[..seen].copy_from_slice(&bytes[..seen]);
                Ok(seen)
            }
            _ => self.receive(room),
        }
    }

    fn discard(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        assert_eq!(self.receive(bytes).unwrap(), bytes.len());
        bytes.fill(0);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.finished, "sent after the end");
        assert!(!bytes.is_empty(), "an empty send");
        if self.breaks_after.is_some_and(|after| self.written.len() >= after) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        match self.room.pop_front() {
            Some(0) => Err(io::ErrorKind::WouldBlock.into()),
            room => {
                let taken = bytes.len().min(room.unwrap_or(usize::MAX));
                self.written.extend_from_slice(&bytes[..taken]);
                Ok(taken)
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        assert!(!self.finished, "finished twice");
        self.finished = true;
        Ok(())
    }
}

/// Lets a few bytes pass each time it is called after a refusal.
#[derive(Debug, Default)]
struct Stingy {
    allowance: usize,
    passed: usize,
}

impl Gate for Stingy {
    fn admit(&mut self, bytes: &[u8]) -> usize {
        let admitted = bytes.len().min(self.allowance);
        self.allowance -= admitted;
        self.passed += admitted;
        admitted
    }
}

fn ready(relay: &mut Relay) {
    for side in [Side::Client, Side::Server] {
        let readiness = relay.readiness(side);
        readiness.readable = true;
        readiness.writable = true;
    }
}

/// Steps until no bytes move although both ends are made ready repeatedly.
fn run(relay: &mut Relay, client: &mut Fake, server: &mut Fake, gate: &mut impl Gate) -> Step {
    let mut buffer = [0; 7];
    for _ in 0..10_000 {
        ready(relay);
        let step = relay.transfer(client, server, &mut buffer, gate);
        if matches!(step, Step::Done | Step::Broken(..)) {
            return step;
        }
        let idle = client.input.is_empty() && server.input.is_empty();
        let pending = relay.up.has_pending() || relay.down.has_pending();
        if idle && step == Step::Waits && !pending {
            return step;
        }
        if step == Step::Held {
            return step;
        }
    }
    panic!("it never ends");
}

fn bytes(text: &str) -> Input {
    Input::Bytes(text.as_bytes().to_vec())
}

#[test]
fn one_direction_can_end_long_before_the_other() {
    let (mut client, mut server) = (Fake::default(), Fake::default());
    client.input = [bytes("question"), Input::End].into();
    let mut relay = Relay::default();
    assert_eq!(
        run(&mut relay, &mut client, &mut server, &mut OpenGate),
        Step::Waits
    );
    assert!(server.finished && !client.finished);
    server.input = [
        bytes("a long answer"),
        Input::Nothing,
        bytes(" indeed"),
        Input::End,
    ]
    .into();
    assert_eq!(
        run(&mut relay, &mut client, &mut server, &mut OpenGate),
        Step::Done
    );
    assert_eq!(client.written, b"a long answer indeed");
    assert_eq!((relay.bytes_up(), relay.bytes_down()), (8, 20));
}

#[test]
fn an_answer_before_a_reset_is_delivered_whole() {
    let (mut client, mut server) = (Fake::default(), Fake::default());
    server.breaks_after = Some(0);
    server.input = [bytes("no, thanks"), Input::Reset].into();
    client.input = [bytes("will you?")].into();
    let mut relay = Relay::default();
    let step = run(&mut relay, &mut client, &mut server, &mut OpenGate);
    assert_eq!(step, Step::Broken(Side::Server, io::ErrorKind::ConnectionReset));
    assert_eq!(client.written, b"no, thanks");
}

#[test]
fn a_server_that_refuses_before_connecting_leaves_the_client_untouched() {
    let (mut client, mut gone) = (Fake::default(), Fake::default());
    client.input = [bytes("hello"), Input::End].into();
    let mut relay = Relay::default();
    relay.client.readable = true;
    // The server is not connected yet: the client's bytes are kept.
    let step = relay.transfer(&mut client, &mut gone, &mut [0; 8], &mut OpenGate);
    assert_eq!((step, relay.has_pending()), (Step::Waits, true));
    gone.breaks_after = Some(0);
    gone.input = [Input::End].into();
    relay.server.writable = true;
    let step = relay.transfer(&mut client, &mut gone, &mut [0; 8], &mut OpenGate);
    assert_eq!(
        (step, client.finished, relay.is_untouched()),
        (Step::More, false, true)
    );
    relay.restart();
    let mut server = Fake {
        input: [bytes("welcome"), Input::End].into(),
        ..Fake::default()
    };
    client.input.push_back(Input::End);
    assert_eq!(
        run(&mut relay, &mut client, &mut server, &mut OpenGate),
        Step::Done
    );
    assert_eq!(
        (&server.written[..], &client.written[..]),
        (&b"hello"[..], &b"welcome"[..])
    );
}

#[test]
fn a_client_that_resets_after_its_end_is_noticed() {
    let (mut client, mut server) = (Fake::default(), Fake::default());
    client.input = [Input::End].into();
    let mut relay = Relay::default();
    assert_eq!(
        run(&mut relay, &mut client, &mut server, &mut OpenGate),
        Step::Waits
    );
    relay.client.input = InputState::Failed;
    let step = relay.transfer(&mut client, &mut server, &mut [0; 8], &mut OpenGate);
    assert_eq!(step, Step::Broken(Side::Client, io::ErrorKind::ConnectionReset));
}

#[test]
fn held_back_bytes_pass_later_and_nothing_is_read_meanwhile() {
    let (mut client, mut server) = (Fake::default(), Fake::default());
    client.input = [bytes("abcdef"), bytes("ghi"), Input::End].into();
    let mut gate = Stingy {
        allowance: 4,
        passed: 0,
    };
    let mut relay = Relay::default();
    assert_eq!(run(&mut relay, &mut client, &mut server, &mut gate), Step::Held);
    assert_eq!(server.written, b"abcd");
    ready(&mut relay);
    assert_eq!(
        relay.transfer(&mut client, &mut server, &mut [0; 8], &mut gate),
        Step::Held
    );
    assert_eq!(client.input.len(), 2);
    // Answers pass all the while.
    server.input = [bytes("pong")].into();
    ready(&mut relay);
    assert_eq!(
        relay.transfer(&mut client, &mut server, &mut [0; 8], &mut gate),
        Step::Held
    );
    assert_eq!(client.written, b"pong");
    gate.allowance = 100;
    relay.reopen();
    assert_eq!(run(&mut relay, &mut client, &mut server, &mut gate), Step::Waits);
    assert_eq!(server.written, b"abcdefghi");
    assert!(server.finished);
}

#[test]
fn an_idle_connection_owns_no_buffer() {
    let (mut client, mut server) = (Fake::default(), Fake::default());
    client.input = [bytes("something to say")].into();
    server.room = [3, 0, 2].into();
    let mut relay = Relay::default();
    run(&mut relay, &mut client, &mut server, &mut OpenGate);
    assert_eq!(server.written, b"something to say");
    assert!(!relay.up.has_pending() && !relay.down.has_pending());
    assert!(size_of::<Relay>() <= 64, "{}", size_of::<Relay>());
}

/// An end with a bulk of bytes to read.
fn with_bulk(bytes: usize) -> Fake {
    Fake {
        input: [Input::Bytes(vec![b'x'; bytes])].into(),
        ..Fake::default()
    }
}

#[test]
fn a_bulk_that_is_not_read_stays_with_its_source() {
    const BULK: usize = 10 * MAX_STUCK;
    let mut client = Fake {
        room: [MAX_STUCK, 3 * MAX_STUCK, 5, 0].into(),
        ..Fake::default()
    };
    let mut server = with_bulk(BULK);
    let mut relay = Relay::default();
    let mut buffer = vec![0; 4 * MAX_STUCK];
    ready(&mut relay);
    for _ in 0..3 {
        let step = relay.transfer(&mut client, &mut server, &mut buffer, &mut OpenGate);
        assert_eq!(step, Step::Waits);
        assert!(!relay.down.has_pending());
        let left = BULK - client.written.len();
        assert_eq!(server.input, [Input::Bytes(vec![b'x'; left])]);
        assert_eq!(relay.bytes_down(), client.written.len() as u64);
        relay.client.writable = true;
    }
    client.room.clear();
    server.input.push_back(Input::End);
    run(&mut relay, &mut client, &mut server, &mut OpenGate);
    assert_eq!(client.written.len(), BULK);
    assert!(client.finished);
}

#[test]
fn no_more_than_a_short_read_is_kept() {
    let mut client = Fake {
        room: [1, 0].into(),
        ..Fake::default()
    };
    let mut server = with_bulk(10 * MAX_STUCK);
    let mut relay = Relay::default();
    ready(&mut relay);
    let mut buffer = vec![0; 4 * MAX_STUCK];
    relay.transfer(&mut client, &mut server, &mut buffer, &mut OpenGate);
    assert_eq!(relay.down.stuck(), MAX_STUCK - 1);
}

#[test]
fn a_client_that_resets_while_its_bulk_is_stuck_is_noticed() {
    let mut client = with_bulk(10 * MAX_STUCK);
    let mut server = Fake {
        room: [MAX_STUCK, 1, 0].into(),
        ..Fake::default()
    };
    let mut relay = Relay::default();
    ready(&mut relay);
    let mut buffer = vec![0; 4 * MAX_STUCK];
    let step = relay.transfer(&mut client, &mut server, &mut buffer, &mut OpenGate);
    assert_eq!((step, relay.has_pending()), (Step::Waits, false));
    relay.client.input = InputState::Failed;
    let step = relay.transfer(&mut client, &mut server, &mut buffer, &mut OpenGate);
    assert_eq!(step, Step::Broken(Side::Client, io::ErrorKind::ConnectionReset));
}

#[test]
fn a_gate_sees_each_byte_of_a_bulk_once() {
    let mut client = with_bulk(6 * MAX_STUCK);
    let mut server = Fake {
        room: [MAX_STUCK, 100, 200].into(),
        ..Fake::default()
    };
    let mut gate = Stingy {
        allowance: 3 * MAX_STUCK,
        passed: 0,
    };
    let mut relay = Relay::default();
    let mut buffer = vec![0; 4 * MAX_STUCK];
    for expected in [Step::Waits, Step::Waits, Step::Held, Step::Held] {
        ready(&mut relay);
        let step = relay.transfer(&mut client, &mut server, &mut buffer, &mut gate);
        assert_eq!(step, expected);
    }
    assert_eq!(
        (server.written.len(), gate.passed),
        (3 * MAX_STUCK, 3 * MAX_STUCK)
    );
    gate.allowance = usize::MAX / 2;
    relay.reopen();
    assert_eq!(run(&mut relay, &mut client, &mut server, &mut gate), Step::Waits);
    assert_eq!(
        (server.written.len(), gate.passed),
        (6 * MAX_STUCK, 6 * MAX_STUCK)
    );
}

fn input() -> impl Strategy<Value = VecDeque<Input>> {
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Input::Bytes),
        1 => Just(Input::Nothing),
    ];
    (prop::collection::vec(piece, 0..20), any::<bool>()).prop_map(|(mut pieces, ends)| {
        if ends {
            pieces.push(Input::End);
        }
        pieces.into()
    })
}

fn all(input: &VecDeque<Input>) -> Vec<u8> {
    input
        .iter()
        .filter_map(|piece| match piece {
            Input::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

proptest! {
    /// For any pieces, all bytes that come in on one side go out on the other, in order, followed
    /// by the end.
    #[test]
    fn nothing_is_lost_doubled_or_reordered(
        from_client in input(),
        from_server in input(),
        client_room in prop::collection::vec(0..9_usize, 0..20),
        server_room in prop::collection::vec(0..9_usize, 0..20),
        allowances in prop::collection::vec(0..30_usize, 0..20),
    ) {
        let (sent_up, sent_down) = (all(&from_client), all(&from_server));
        let ends = |input: &VecDeque<Input>| input.back() == Some(&Input::End);
        let (client_ends, server_ends) = (ends(&from_client), ends(&from_server));
        let mut client = Fake { input: from_client, room: client_room.into(), ..Fake::default() };
        let mut server = Fake { input: from_server, room: server_room.into(), ..Fake::default() };
        let mut gate = Stingy::default();
        let mut relay = Relay::default();
        let mut allowances = allowances.into_iter();
        let step = loop {
            let step = run(&mut relay, &mut client, &mut server, &mut gate);
            if step != Step::Held {
                break step;
            }
            prop_assert!(sent_up.starts_with(&server.written));
            prop_assert!(server.written.len() <= gate.passed);
            gate.allowance = allowances.next().unwrap_or(usize::MAX / 2);
            relay.reopen();
        };
        prop_assert_eq!(step, if client_ends && server_ends { Step::Done } else { Step::Waits });
        prop_assert_eq!(&server.written, &sent_up);
        prop_assert_eq!(&client.written, &sent_down);
        // When both have ended, closing the sockets signals the end to a side that has not received
        // it.
        let result = (server.finished, client.finished);
        if step == Step::Done {
            prop_assert!(result.0 || result.1);
        } else {
            prop_assert_eq!(result, (client_ends, server_ends));
        }
        prop_assert!(!relay.up.has_pending() && !relay.down.has_pending());
    }
}

//! The relay between two ends that act at random.
//!
//! The value of a byte shows its position in its stream, so both ends detect a missing, repeated or
//! misplaced byte at once.

#![no_main]

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};

use arbitrary::Arbitrary;
use clusterctl::dataplane::relay::{End, Gate, InputState, Relay, Side, Step};
use libfuzzer_sys::fuzz_target;

/// The most steps before the relay counts as endless: more than all bytes, blocks and edges of a
/// script.
const ENDLESS: usize = 200_000;

fuzz_target!(|script: Script| play(script));

/// A script.
#[derive(Arbitrary, Debug)]
struct Script {
    client: Manner,
    server: Manner,
    /// How much the gate admits, each time that it is asked; then everything.
    gate: VecDeque<u8>,
    /// The edge before each step; then everything is ready.
    edges: VecDeque<Edge>,
    buffer: u8,
}

/// The behaviour of an end.
#[derive(Arbitrary, Debug)]
struct Manner {
    input: VecDeque<Input>,
    /// How much a write accepts; 0 blocks. Then everything.
    takes: VecDeque<u8>,
    /// After this many bytes it permanently accepts no more.
    breaks_after: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Input {
    Bytes(u8),
    Nothing,
    Interrupted,
    End,
    Reset,
}

#[derive(Arbitrary, Debug)]
struct Edge {
    of_client: bool,
    readable: bool,
    writable: bool,
    ending: bool,
}

/// One direction: the bytes read at its beginning and written at its end.
#[derive(Default)]
struct Stream {
    read: Cell<usize>,
    admitted: Cell<usize>,
    written: Cell<usize>,
    ended: Cell<bool>,
    finished: Cell<bool>,
    refused: Cell<bool>,
}

impl Stream {
    /// Whether all of it has arrived, or its target accepts no more. The end that is notified last
    /// is notified by closing.
    fn is_over(&self) -> bool {
        self.refused.get() || self.ended.get() && self.read == self.written
    }
}

struct Actor<'a> {
    manner: Manner,
    from: &'a Stream,
    to: &'a Stream,
}

struct Doorkeeper<'a> {
    passes: VecDeque<u8>,
    stream: &'a Stream,
}

impl Actor<'_> {
    /// Whether all its input has been transferred to its end.
    fn is_settled(&self) -> bool {
        let stream = self.from;
        let waits = self.manner.input.is_empty() && !stream.ended.get() && stream.read == stream.written;
        waits || stream.refused.get() || stream.finished.get()
    }
}

impl End for Actor<'_> {
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let stream = self.from;
        assert!(!room.is_empty());
        assert!(!stream.ended.get(), "read after its end");
        assert_eq!(stream.read, stream.written, "read while something is stuck");
        match self.manner.input.pop_front() {
            None | Some(Input::Nothing) => Err(ErrorKind::WouldBlock.into()),
            Some(Input::Interrupted) => Err(ErrorKind::Interrupted.into()),
            Some(Input::Reset) => Err(ErrorKind::ConnectionReset.into()),
            Some(Input::End | Input::Bytes(0)) => {
                stream.ended.set(true);
                self.manner.input.clear();
                Ok(0)
            }
            Some(Input::Bytes(count)) => {
                let taken = room.len().min(count.into());
                let begin = stream.read.get();
                for (index, byte) in room[..taken].iter_mut().enumerate() {
                    *byte = at(begin + index);
                }
                stream.read.set(begin + taken);
                let left = count - u8::try_from(taken).unwrap();
                if left > 0 {
                    self.manner.input.push_front(Input::Bytes(left));
                }
                Ok(taken)
            }
        }
    }

    fn peek(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let stream = self.from;
        let Some(Input::Bytes(count @ 1..)) = self.manner.input.front() else {
            return self.receive(room);
        };
        assert!(!room.is_empty());
        assert!(!stream.ended.get(), "read after its end");
        assert_eq!(stream.read, stream.written, "read while something is stuck");
        let seen = room.len().min((*count).into());
        let begin = stream.read.get();
        for (index, byte) in room[..seen].iter_mut().enumerate() {
            *byte = at(begin + index);
        }
        Ok(seen)
    }

    fn discard(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let stream = self.from;
        let Some(Input::Bytes(count)) = self.manner.input.pop_front() else {
            panic!("takes what it has not seen");
        };
        let left = count - u8::try_from(bytes.len()).unwrap();
        if left > 0 {
            self.manner.input.push_front(Input::Bytes(left));
        }
        let read = stream.read.get() + bytes.len();
        assert_eq!(read, stream.written.get(), "takes other bytes than were written");
        stream.read.set(read);
        bytes.fill(0);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stream = self.to;
        assert!(!bytes.is_empty());
        assert!(!stream.finished.get(), "written after the end");
        assert!(!stream.refused.get(), "written to an end that accepts no more");
        let begin = stream.written.get();
        assert!(begin + bytes.len() <= stream.admitted.get(), "past the gate");
        if self.manner.breaks_after.is_some_and(|most| begin >= most.into()) {
            stream.refused.set(true);
            return Err(ErrorKind::BrokenPipe.into());
        }
        let takes = self.manner.takes.pop_front().map_or(usize::MAX, usize::from);
        if takes == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(takes);
        for (index, byte) in bytes[..taken].iter().enumerate() {
            assert_eq!(*byte, at(begin + index), "not the byte that comes next");
        }
        stream.written.set(begin + taken);
        Ok(taken)
    }

    fn finish(&mut self) -> io::Result<()> {
        let stream = self.to;
        assert!(stream.ended.get() && !stream.finished.get());
        assert_eq!(stream.read, stream.written, "finished before everything was sent");
        stream.finished.set(true);
        Ok(())
    }
}

impl Gate for Doorkeeper<'_> {
    fn admit(&mut self, bytes: &[u8]) -> usize {
        let most = self.passes.pop_front().map_or(usize::MAX, usize::from);
        let admitted = bytes.len().min(most);
        self.stream.admitted.set(self.stream.admitted.get() + admitted);
        admitted
    }
}

fn play(script: Script) {
    let (up, down) = (Stream::default(), Stream::default());
    // The way down has no gate.
    down.admitted.set(usize::MAX);
    let mut client = Actor {
        manner: script.client,
        from: &up,
        to: &down,
    };
    let mut server = Actor {
        manner: script.server,
        from: &down,
        to: &up,
    };
    let mut gate = Doorkeeper {
        passes: script.gate,
        stream: &up,
    };
    let mut edges = script.edges;
    let mut buffer = vec![0; usize::from(script.buffer) + 1];
    let mut relay = Relay::default();
    for _ in 0..ENDLESS {
        let last = edges.is_empty();
        match edges.pop_front() {
            Some(edge) => note(&mut relay, &edge),
            None => [true, false].into_iter().for_each(|of_client| {
                note(
                    &mut relay,
                    &Edge {
                        of_client,
                        readable: true,
                        writable: true,
                        ending: false,
                    },
                )
            }),
        }
        let step = relay.transfer(&mut client, &mut server, &mut buffer, &mut gate);
        assert_eq!(
            (relay.bytes_up(), relay.bytes_down()),
            (up.read.get() as u64, down.read.get() as u64)
        );
        match step {
            Step::Done => {
                assert!(up.is_over() && down.is_over());
                return;
            }
            Step::Broken(..) => return,
            Step::Held => relay.reopen(),
            Step::Waits if last && client.is_settled() && server.is_settled() => return,
            Step::Waits | Step::More => {}
        }
    }
    panic!("it never ends");
}

fn note(relay: &mut Relay, edge: &Edge) {
    let side = if edge.of_client {
        Side::Client
    } else {
        Side::Server
    };
    let readiness = relay.readiness(side);
    readiness.readable |= edge.readable;
    readiness.writable |= edge.writable;
    if edge.ending {
        readiness.input = readiness.input.max(InputState::Ending);
    }
}

/// The byte at a position of a stream.
fn at(place: usize) -> u8 {
    u8::try_from(place % 251).unwrap()
}

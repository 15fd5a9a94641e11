//! Reads and writes the sockets, and handles what was received.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry};

use super::client::{Errand, Line, Phase, Story};
use super::token::About;
use super::{Heard, Trouble, Worker};
use crate::load_test::names::NodeId;
use crate::platform;

impl Worker {
    /// Handles an event of a client's connection.
    pub(super) fn line_has_news(&mut self, seat: u32, event: &Event) {
        // Taken out of `self`, because handling it needs all of `self`.
        let mut heard = std::mem::take(&mut self.heard);
        let result = match self.seats[seat as usize].phase.line_mut() {
            Some(line) => line.attend(event, &mut self.buffer, &mut heard),
            // An event of a connection that was closed in the meantime.
            None => Ok(()),
        };
        for what in heard.drain(..) {
            match what {
                Heard::Welcome { node } => self.welcome(seat, &node),
                Heard::Answer { refused, .. } => self.answered(seat, refused),
            }
        }
        self.heard = heard;
        match result {
            Ok(()) => self.speak(seat),
            Err(trouble) => self.lose(seat, &trouble),
        }
    }

    /// Handles an event of an errand's connection.
    pub(super) fn errand_has_news(&mut self, seat: u32, event: &Event) {
        let Some(line) = self.seats[seat as usize].phase.line_mut() else {
            return;
        };
        let Some(mut errand) = line.errand.take() else {
            return;
        };
        match errand.attend(event, line, &mut self.buffer) {
            Ok(ControlFlow::Continue(())) => line.errand = Some(errand),
            Ok(ControlFlow::Break(())) => self.speak(seat),
            Err(trouble) => self.lose(seat, &trouble),
        }
    }

    /// Writes a client's unsent bytes.
    pub(super) fn speak(&mut self, seat: u32) {
        let (target, source) = (self.common.target, self.address(seat));
        let Some(line) = self.seats[seat as usize].phase.line_mut() else {
            return;
        };
        let spoken = line.flush().and_then(|all| {
            if all {
                Ok(())
            } else {
                line.ask_when_writable(seat, self.poll.registry())
            }
        });
        let sent_out = spoken.and_then(|()| {
            if line.errand.is_none()
                && let Some(text) = line.talk.errand()
            {
                // Not eager: it is written once connected, and the target must not wait for that.
                let stream = platform::connect::begin(target, source, false)?;
                line.errand = Some(Errand::begun(stream, text, seat, self.poll.registry())?);
            }
            Ok(())
        });
        if let Err(error) = sent_out {
            self.lose(seat, &error.into());
        }
    }

    /// The number of connections to the node.
    pub(super) fn held_by(&mut self, node: NodeId) -> &mut u32 {
        let place = usize::from(node);
        if self.held.len() <= place {
            self.held.resize(place + 1, 0);
        }
        &mut self.held[place]
    }

    // Private

    /// The client in `seat` is served by `node`.
    fn welcome(&mut self, seat: u32, node: &str) {
        let node = self.common.names.id(node);
        let address = self.address(seat);
        let place = &mut self.seats[seat as usize];
        let (line, since) = match std::mem::replace(&mut place.phase, Phase::Waiting) {
            Phase::Opening { line, since } => (line, since),
            other => {
                place.phase = other;
                return;
            }
        };
        // From now on messages are short and must not wait for more data.
        let _fails_on_dead_ones = line.stream.set_nodelay(true);
        place.phase = Phase::Held { line, asked: None };
        place.node = node;
        let (is_first, story) = (
            place.turn.is_none(),
            std::mem::replace(&mut place.story, Story::Plain),
        );
        self.timers.disarm(seat);
        self.opening -= 1;
        self.welcomes += 1;
        *self.held_by(node) += 1;
        if is_first {
            self.tally.handshake.add(self.now.saturating_sub(since));
            self.tally.last_first_welcome = self.now;
            self.seats[seat as usize].turn = Some(self.pace.next_turn(seat, self.now));
        }
        match story {
            Story::Plain | Story::Away => {}
            Story::Failing { .. } => {
                self.seats[seat as usize].story = Story::Away;
                self.homeless -= 1;
                self.cut -= 1;
                self.tally.failover.rehomed.push((self.now, node));
            }
            Story::ComingBack(was) => {
                self.sampling -= 1;
                self.tally.sampled.came_back(address, was, Some(node));
            }
        }
        self.catch_up(seat);
    }
}

impl Line {
    /// Writes and reads as much as possible.
    fn attend(&mut self, event: &Event, buffer: &mut [u8], heard: &mut Vec<Heard>) -> Result<(), Trouble> {
        if event.is_error()
            && let Some(error) = self.stream.take_error()?
        {
            return Err(error.into());
        }
        if event.is_writable() {
            self.flush()?;
        }
        if event.is_readable() || event.is_read_closed() {
            let ended = read(&mut self.stream, event.is_read_closed(), buffer, |bytes| {
                self.talk.hear(bytes, heard).map(|()| true)
            })?;
            if ended {
                return Err(self.talk.ended());
            }
        }
        Ok(())
    }

    /// Asks the poller to report when the connection is writable.
    fn ask_when_writable(&mut self, seat: u32, registry: &Registry) -> io::Result<()> {
        if self.told_when_writable {
            return Ok(());
        }
        self.told_when_writable = true;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.reregister(&mut self.stream, About::Line(seat).into(), both)
    }
}

impl Errand {
    fn begun(
        stream: std::net::TcpStream,
        text: Box<[u8]>,
        seat: u32,
        registry: &Registry,
    ) -> io::Result<Box<Errand>> {
        let mut stream = TcpStream::from_std(stream);
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, About::Errand(seat).into(), both)?;
        Ok(Box::new(Errand {
            stream,
            text,
            sent: 0,
        }))
    }

    /// Writes and reads as much as possible; breaks when the answer is complete.
    fn attend(
        &mut self,
        event: &Event,
        line: &mut Line,
        buffer: &mut [u8],
    ) -> Result<ControlFlow<()>, Trouble> {
        if event.is_error()
            && let Some(error) = self.stream.take_error()?
        {
            return Err(error.into());
        }
        while let Some(rest) = self.text.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(sent) => self.sent += sent,
                Err(error) if waits(&error) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !event.is_readable() && !event.is_read_closed() {
            return Ok(ControlFlow::Continue(()));
        }
        let mut done = false;
        let ended = read(&mut self.stream, event.is_read_closed(), buffer, |bytes| {
            done = line.talk.errand_hears(bytes)?;
            Ok(!done)
        })?;
        match (done, ended) {
            (true, _) => Ok(ControlFlow::Break(())),
            (false, true) => line.talk.errand_ended().map(ControlFlow::Break),
            (false, false) => Ok(ControlFlow::Continue(())),
        }
    }
}

// Private

/// Reads everything available, to the end if the connection is `closed`, while `hear` wants more.
/// Returns whether the end was reached.
fn read(
    stream: &mut TcpStream,
    closed: bool,
    buffer: &mut [u8],
    mut hear: impl FnMut(&[u8]) -> Result<bool, Trouble>,
) -> Result<bool, Trouble> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => {
                let more = hear(&buffer[..read])?;
                // Less than the buffer holds: there is no more now, except the end.
                if !more || (read < buffer.len() && !closed) {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a write only has to wait, for buffer space or for the connection.
fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
    )
}

//! Makes connections: as many at a time as a window allows, and per second as a rate allows.

use std::io;

use mio::Interest;
use mio::net::TcpStream;

use super::client::{Line, Phase};
use super::token::About;
use super::{Trouble, Worker};
use crate::load_test::conversation::Conversation;
use crate::platform;

/// The most connections that a worker makes at the same time: enough to keep a target busy, and
/// fewer than fill an accept queue.
const WINDOW: u32 = 128;
/// The first pause of a client after a failed attempt, in milliseconds; it doubles up to the
/// longest.
const RETRY_AFTER_MS: u64 = 100;
const DOUBLINGS: u8 = 5;

impl Worker {
    /// Begins as many connections as possible, but at most one window: where all fail at once, this
    /// would not end for long, and other clients would not get a turn.
    pub(super) fn open_more(&mut self) {
        for _ in 0..WINDOW {
            if !self.opens_more() {
                return;
            }
            let seat = if let Some(seat) = self.again.pop_front() {
                seat
            } else {
                self.fresh += 1;
                self.fresh - 1
            };
            self.begin(seat);
        }
    }

    /// Whether a connection could begin at once.
    pub(super) fn opens_more(&self) -> bool {
        self.has_room() && (!self.again.is_empty() || self.may_begin())
    }

    /// When the next client that never had a connection may begin; `None` if that does not depend
    /// on time.
    pub(super) fn next_opening(&self) -> Option<u64> {
        let waits = self.has_room() && self.has_fresh();
        waits.then(|| self.turn_of(self.fresh)).flatten()
    }

    /// Schedules a retry of the client in `seat`, each time after a longer pause.
    pub(super) fn pause(&mut self, seat: u32) {
        let failures = &mut self.seats[seat as usize].failures;
        let pause = RETRY_AFTER_MS << (*failures).min(DOUBLINGS);
        *failures = failures.saturating_add(1);
        self.timers.arm(seat, self.now / 1_000 + pause);
    }

    // Private

    fn has_room(&self) -> bool {
        self.opening < WINDOW && !self.has_enough
    }

    fn has_fresh(&self) -> bool {
        (self.fresh as usize) < self.seats.len()
    }

    fn may_begin(&self) -> bool {
        self.has_fresh() && self.turn_of(self.fresh).is_none_or(|turn| turn <= self.now)
    }

    /// When a seat may begin its first connection, by the rate; `None` for any time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of microseconds; too many are as good as never"
    )]
    fn turn_of(&self, seat: u32) -> Option<u64> {
        let rate = self.common.rate?;
        Some((f64::from(self.client(seat)) / rate * 1_000_000.0) as u64)
    }

    fn begin(&mut self, seat: u32) {
        self.opening += 1;
        let since = self.common.now();
        let keepsake = std::mem::take(&mut self.seats[seat as usize].keepsake);
        let talk = Conversation::new(&self.common.site, keepsake);
        // The first message also acknowledges the target's SYN-ACK, which saves a packet.
        match platform::connect::begin(self.common.target, self.address(seat), true) {
            Ok(stream) => {
                let line = Line {
                    stream: TcpStream::from_std(stream),
                    talk,
                    told_when_writable: false,
                    errand: None,
                };
                let line = Box::new(line);
                self.seats[seat as usize].phase = Phase::Opening { line, since };
                self.arm(seat);
                self.greet(seat);
            }
            Err(error) => {
                self.seats[seat as usize].keepsake = talk.keepsake();
                self.attempt_failed(seat, &error.into());
            }
        }
    }

    /// Sends the first message without waiting for the connection: on this host it is made by now.
    fn greet(&mut self, seat: u32) {
        let registered = self.seats[seat as usize].phase.line_mut().map_or(Ok(()), |line| {
            // The kernel reports an error once, and this is the one with the reason.
            let interest = if line.flush()? {
                Interest::READABLE
            } else {
                line.told_when_writable = true;
                Interest::READABLE | Interest::WRITABLE
            };
            self.poll
                .registry()
                .register(&mut line.stream, About::Line(seat).into(), interest)
        });
        if let Err(error) = registered {
            self.lose(seat, &Trouble::from(error));
        }
    }
}

impl Line {
    /// Writes the unsent bytes. Returns whether all were written.
    ///
    /// # Errors
    /// If the connection is broken, or was not made.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        use std::io::Write;

        while !self.talk.unsent().is_empty() {
            match self.stream.write(self.talk.unsent()) {
                Ok(sent) => self.talk.sent(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

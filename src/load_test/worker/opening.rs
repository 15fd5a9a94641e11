//! Makes connections: as many at a time as a window allows, and per second as a rate allows.

use std::io;

use mio::Interest;
use mio::net::TcpStream;

use super::client::{Connection, Phase};
use super::token::EventSource;
use super::{LoadError, Worker};
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
            let index = if let Some(index) = self.reconnects.pop_front() {
                index
            } else {
                self.next_new += 1;
                self.next_new - 1
            };
            self.begin(index);
        }
    }

    /// Whether a connection could begin at once.
    pub(super) fn opens_more(&self) -> bool {
        self.has_room() && (!self.reconnects.is_empty() || self.may_begin())
    }

    /// When the next client that never had a connection may begin; `None` if that does not depend
    /// on time.
    pub(super) fn next_opening(&self) -> Option<u64> {
        let waits = self.has_room() && self.has_new();
        waits.then(|| self.turn_of(self.next_new)).flatten()
    }

    /// Schedules a retry of the client in `index`, each time after a longer pause.
    pub(super) fn pause(&mut self, index: u32) {
        let failures = &mut self.clients[index as usize].failures;
        let pause = RETRY_AFTER_MS << (*failures).min(DOUBLINGS);
        *failures = failures.saturating_add(1);
        self.timers.arm(index, self.now / 1_000 + pause);
    }

    // Private

    fn has_room(&self) -> bool {
        self.opening < WINDOW && !self.opens_none
    }

    fn has_new(&self) -> bool {
        (self.next_new as usize) < self.clients.len()
    }

    fn may_begin(&self) -> bool {
        self.has_new() && self.turn_of(self.next_new).is_none_or(|turn| turn <= self.now)
    }

    /// When a seat may begin its first connection, by the rate; `None` for any time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of microseconds; too many are as good as never"
    )]
    fn turn_of(&self, index: u32) -> Option<u64> {
        let rate = self.common.rate?;
        Some((f64::from(self.client_number(index)) / rate * 1_000_000.0) as u64)
    }

    fn begin(&mut self, index: u32) {
        self.opening += 1;
        let since = self.common.now();
        let carried_state = std::mem::take(&mut self.clients[index as usize].carried_state);
        let conversation = Conversation::new(&self.common.url, carried_state);
        // The first message also acknowledges the target's SYN-ACK, which saves a packet.
        match platform::connect::begin(self.common.target, self.address(index), true) {
            Ok(stream) => {
                let connection = Connection {
                    stream: TcpStream::from_std(stream),
                    conversation,
                    watches_writability: false,
                    side_request: None,
                };
                let connection = Box::new(connection);
                self.clients[index as usize].phase = Phase::Opening { connection, since };
                self.arm(index);
                self.send_first(index);
            }
            Err(error) => {
                self.clients[index as usize].carried_state = conversation.carried_state();
                self.attempt_failed(index, &error.into());
            }
        }
    }

    /// Sends the first message without waiting for the connection: on this host it is made by now.
    fn send_first(&mut self, index: u32) {
        let registered = self.clients[index as usize]
            .phase
            .connection_mut()
            .map_or(Ok(()), |connection| {
                // The kernel reports an error once, and this is the one with the reason.
                let interest = if connection.flush()? {
                    Interest::READABLE
                } else {
                    connection.watches_writability = true;
                    Interest::READABLE | Interest::WRITABLE
                };
                self.poll.registry().register(
                    &mut connection.stream,
                    EventSource::Connection(index).into(),
                    interest,
                )
            });
        if let Err(error) = registered {
            self.connection_lost(index, &LoadError::from(error));
        }
    }
}

impl Connection {
    /// Writes the unsent bytes. Returns whether all were written.
    ///
    /// # Errors
    /// If the connection is broken, or was not made.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        use std::io::Write;

        while !self.conversation.unsent().is_empty() {
            match self.stream.write(self.conversation.unsent()) {
                Ok(sent) => self.conversation.sent(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

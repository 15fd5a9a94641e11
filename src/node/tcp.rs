//! MCP over TCP: one message per line, in both directions.
//!
//! A connection uses memory only for data in progress: bytes of an incomplete message, answers that
//! the client has not read yet, responses in flight. Each of them is limited, and while answers
//! wait, the node reads no more; so a client that does not read cannot send either.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::{Answer, Asker};
use super::client::Client;
use super::ending::Ending;
use super::in_flight::InFlight;
use super::outbox::Reader;
use super::worker::Shared;
use crate::mcp::{Code, Id, Lines, Response, RpcError};

/// The most bytes of answers that wait to be sent on one connection before the node answers no more
/// messages.
const MAX_UNSENT: usize = 64 * 1024;
/// How long a client that is refused within a message may take to read the reason.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves one connection until the client closes it or the node shuts down. Requests that were
/// received are answered in both cases.
pub(super) async fn serve(shared: &Shared, stream: TcpStream) {
    let Some(_slot) = shared.slots.take() else {
        return refuse(&stream);
    };
    let client = Arc::new(Client::default());
    let mut session = Session {
        shared,
        stream,
        notifications: client.outbox.open(Arc::default()),
        asker: Asker::alone(client),
        lines: Lines::default(),
        unsent: BytesMut::new(),
        in_flight: InFlight::default(),
        input: Input::Open,
    };
    // An error means that the client is gone.
    let _gone = session.run(&shared.ending).await;
}

// Private

/// Refuses a client over the limit.
fn refuse(stream: &TcpStream) {
    let error = RpcError::new(Code::Unavailable, "too many connections");
    let mut line = Response::error(Id::null(), error).to_json();
    line.push(b'\n');
    // An empty send buffer takes a line; if not, the close is the only answer.
    let _sent = SockRef::from(stream).send(&line);
}

struct Session<'a> {
    shared: &'a Shared,
    stream: TcpStream,
    asker: Asker,
    /// Messages to the client besides its answers.
    notifications: Reader,
    lines: Lines,
    unsent: BytesMut,
    in_flight: InFlight,
    input: Input,
}

/// The state of the client's input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    /// More data may arrive.
    Open,
    /// No more data: the client has closed its sending side. It still gets its answers.
    Ended,
    /// No more data will be read: the node is shutting down.
    Stopped,
    /// Invalid data: a message was too long.
    Broken,
}

impl Session<'_> {
    async fn run(&mut self, ending: &Ending) -> io::Result<()> {
        let mut ordered = pin!(ending.turn());
        loop {
            let all_answered = self.answer();
            self.send()?;
            if !self.unsent.is_empty() {
                self.stream.writable().await?;
                continue;
            }
            if !all_answered && !self.in_flight.is_full() {
                continue;
            }
            if self.input != Input::Open && self.in_flight.is_empty() {
                break;
            }
            tokio::select! {
                ready = self.stream.readable(), if self.input == Input::Open && all_answered && !self.in_flight.is_full() => {
                    ready?;
                    self.receive()?;
                }
                json = self.in_flight.next() => self.put(&json),
                json = self.notifications.next() => match json {
                    Some(json) => self.put(&json),
                    None => return Ok(()),
                },
                () = &mut ordered, if self.input == Input::Open => self.input = Input::Stopped,
            }
        }
        self.stream.shutdown().await?;
        if self.input == Input::Broken {
            let _late = tokio::time::timeout(CLOSE_TIMEOUT, self.discard()).await;
        }
        Ok(())
    }

    /// Reads once.
    fn receive(&mut self) -> io::Result<()> {
        match self.stream.try_read_buf(&mut self.lines.room()) {
            Ok(0) => self.input = Input::Ended,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Answers the received messages, as far as the limits allow. Returns whether that was all of
    /// them.
    fn answer(&mut self) -> bool {
        while self.unsent.len() < MAX_UNSENT && !self.in_flight.is_full() {
            let line = match self.lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) if self.input == Input::Ended => match self.lines.last_line() {
                    Some(line) => line,
                    None => return true,
                },
                Ok(None) => return true,
                Err(too_long) => {
                    self.lines = Lines::default();
                    self.input = Input::Broken;
                    let error = RpcError::new(Code::InvalidRequest, format!("invalid request: {too_long}"));
                    self.put(&Response::error(Id::null(), error).to_json());
                    return true;
                }
            };
            let answer = self.shared.answer(&line, &self.asker);
            while let Some(json) = self.notifications.take() {
                self.put(&json);
            }
            match answer {
                Answer::Nothing => {}
                Answer::Now(json) | Answer::Welcome(json) | Answer::Malformed(json) => self.put(&json),
                Answer::Later(json) => self.in_flight.push(line.len(), json),
            }
        }
        false
    }

    fn put(&mut self, json: &[u8]) {
        self.unsent.reserve(json.len() + 1);
        self.unsent.put_slice(json);
        self.unsent.put_u8(b'\n');
    }

    /// Sends as much as the client takes at once.
    fn send(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.try_write(&self.unsent) {
                Ok(sent) => self.unsent.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.unsent = BytesMut::new();
        Ok(())
    }

    /// Reads and drops the remaining input: closing with unread input would reset the connection,
    /// and the client might never see the answer.
    async fn discard(&mut self) -> io::Result<()> {
        let mut waste = BytesMut::with_capacity(64 * 1024);
        while self.stream.read_buf(&mut waste).await? > 0 {
            waste.clear();
        }
        Ok(())
    }
}

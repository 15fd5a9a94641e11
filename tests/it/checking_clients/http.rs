//! Requests over HTTP from one client, on a connection that is kept alive.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clusterctl::platform::connect::connect;
use socket2::SockRef;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::failure::Failure;
use super::head::Head;
use super::shared::Shared;

/// A request on a kept-alive connection that ends without an answer within this time has met the
/// close of an idle connection on its way; later, it was being served. The embedded nodes answer at
/// once, but the machine may be busy.
const RACE: Duration = Duration::from_secs(5);

/// A client of one listener.
pub(super) struct Http {
    shared: Arc<Shared>,
    pub(super) source: IpAddr,
    target: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) body: String,
}

impl Http {
    pub(super) fn new(shared: &Arc<Shared>, source: IpAddr, target: SocketAddr) -> Http {
        Http {
            shared: Arc::clone(shared),
            source,
            target,
            connection: None,
        }
    }

    /// Another client from the same address.
    pub(super) fn beside(&self) -> Http {
        Http::new(&self.shared, self.source, self.target)
    }

    /// The next request goes on a new connection.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    /// POSTs a message, with more header lines.
    pub(super) async fn post(&mut self, path: &str, headers: &str, body: &str) -> Result<Answer, Failure> {
        let headers = format!(
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{headers}"
        );
        self.send(&format!("POST {path}"), &headers, body).await
    }

    /// Sends a request, on the connection of the last one if it is open; the answer.
    pub(super) async fn send(&mut self, first: &str, headers: &str, body: &str) -> Result<Answer, Failure> {
        let was_kept = self.has_kept_connection()?;
        let sent = Instant::now();
        match self.exchange(first, headers, body).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.connection = None;
                let may_race = was_kept && has_ended(&error) && sent.elapsed() < RACE;
                if !may_race {
                    return Err(Failure::of(&error, was_kept));
                }
                let answer = self.exchange(first, headers, body).await;
                let answer = answer.map_err(|error| Failure::of(&error, true))?;
                self.shared.count(|report| report.raced += 1);
                Ok(answer)
            }
        }
    }

    /// Begins a stream on a connection of its own: the head of the answer, and the connection.
    pub(super) async fn stream(
        &mut self,
        path: &str,
        headers: &str,
    ) -> Result<(Head, BufReader<TcpStream>), Failure> {
        let opened = async {
            let mut connection = BufReader::new(connect(self.target, Some(self.source)).await?);
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{headers}\r\n"
            );
            connection.write_all(request.as_bytes()).await?;
            let head = Head::read(&mut connection).await?;
            Ok((head, connection))
        };
        opened
            .await
            .map_err(|error: io::Error| Failure::of(&error, false))
    }

    // Private

    /// Whether there is a connection of an earlier request. One that was closed in order meanwhile
    /// is dropped.
    fn has_kept_connection(&mut self) -> Result<bool, Failure> {
        let Some(connection) = &self.connection else {
            return Ok(false);
        };
        let mut byte = [MaybeUninit::uninit()];
        let peeked = SockRef::from(connection.get_ref()).peek(&mut byte);
        match peeked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(Failure::of(&error, true)),
            Ok(0) => {
                self.connection = None;
                self.shared.count(|report| report.closed_idle += 1);
                Ok(false)
            }
            Ok(_) => Err(Failure::wrong("an answer without a request")),
        }
    }

    async fn exchange(&mut self, first: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(BufReader::new(connect(self.target, Some(self.source)).await?)),
        };
        let request = format!(
            "{first} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).await?;
        let answer = Answer::read(connection).await?;
        if answer
            .head
            .value("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
        {
            self.connection = None;
        }
        Ok(answer)
    }
}

impl Answer {
    /// The cookie that the client gets, as `NAME=VALUE`.
    pub(super) fn cookie(&self) -> Option<String> {
        let cookie = self.head.value("set-cookie")?;
        cookie.split(';').next().map(str::to_owned)
    }

    /// An answer that is not the expected one.
    pub(super) fn wrong(&self) -> Failure {
        let body: String = self.body.chars().take(200).collect();
        Failure::wrong(format!("{} {body}", self.head.first_line()))
    }

    // Private

    /// Reads the answer that comes on the connection.
    async fn read(connection: &mut BufReader<TcpStream>) -> io::Result<Answer> {
        let head = Head::read(connection).await?;
        let mut body = Vec::new();
        if let Some(length) = head.value("content-length") {
            let length: usize = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            body.resize(length, 0);
            connection.read_exact(&mut body).await?;
        } else if head.value("transfer-encoding").is_some() {
            while chunk(connection, &mut body).await? {}
        }
        let body = String::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Answer { head, body })
    }
}

/// Appends the next chunk of a body. False after the last one.
async fn chunk(connection: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<bool> {
    let mut line = String::new();
    if connection.read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let size = line.trim().split(';').next().unwrap_or_default();
    let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
    let begin = body.len();
    // The chunk and the end of its line.
    body.resize(begin + size + 2, 0);
    connection.read_exact(&mut body[begin..]).await?;
    body.truncate(begin + size);
    Ok(size > 0)
}

/// Whether the other side has ended the connection.
fn has_ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

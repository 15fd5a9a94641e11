//! MCP over WebSocket: one message per text frame, in both directions.
//!
//! The library keeps the memory of a message until the connection ends, so a connection that
//! carried a large message stays large: at most two times 16 MiB.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use super::answer::{Answer, Asker};
use super::client::Client;
use super::in_flight::InFlight;
use super::outbox::Reader;
use super::worker::Shared;
use crate::mcp::MAX_MESSAGE;

/// The size of a connection's read buffer, in bytes. Most messages are smaller.
const BUFFER: usize = 2 * 1024;
/// Time between two pings on an idle connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How long a client may take to close after it was sent a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves one connection, of which `read` is already received, until the client closes it or the
/// node shuts down. Requests that were received are answered in both cases.
pub(super) async fn serve(shared: &Shared, stream: TcpStream, read: Vec<u8>) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let socket = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
    let client = Arc::new(Client::default());
    let bell = Arc::default();
    let mut session = Session {
        shared,
        socket,
        notifications: client.outbox.open(Arc::clone(&bell)),
        asker: Asker::alone(client),
        in_flight: InFlight::default(),
    };
    tokio::select! {
        // An error means that the client is gone.
        _gone = session.run() => {}
        () = bell.cut() => {}
    }
}

// Private

struct Session<'a> {
    shared: &'a Shared,
    socket: WebSocketStream<TcpStream>,
    asker: Asker,
    /// Messages to the client besides its answers.
    notifications: Reader,
    in_flight: InFlight,
}

impl Session<'_> {
    async fn run(&mut self) -> Result<(), Error> {
        let mut open = true;
        let mut shutdown = pin!(self.shared.ending.turn());
        while open || !self.in_flight.is_empty() {
            tokio::select! {
                message = self.socket.next(), if open && !self.in_flight.is_full() => match message {
                    None => return Ok(()),
                    Some(Ok(Message::Text(text))) => self.answer(&text).await?,
                    Some(Ok(Message::Binary(_))) => return self.close(CloseCode::Unsupported, "text only").await,
                    // The library answers pings and closes by itself.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return self.refuse(error).await,
                },
                json = self.in_flight.next() => self.send(json.into()).await?,
                json = self.notifications.next() => match json {
                    Some(json) => self.send(json).await?,
                    None => return Ok(()),
                },
                () = &mut shutdown, if open => open = false,
                () = tokio::time::sleep(KEEP_ALIVE_INTERVAL) => self.socket.send(Message::Ping(Bytes::new())).await?,
            }
        }
        self.close(CloseCode::Away, "the node ends").await
    }

    async fn answer(&mut self, text: &Utf8Bytes) -> Result<(), Error> {
        let answer = self.shared.answer(text.as_bytes(), &self.asker);
        while let Some(json) = self.notifications.take() {
            self.send(json).await?;
        }
        match answer {
            Answer::Nothing => {}
            Answer::Now(json) | Answer::Welcome(json) | Answer::Malformed(json) => {
                self.send(json.into()).await?;
            }
            Answer::Later(json) => self.in_flight.push(text.len(), json),
        }
        Ok(())
    }

    async fn send(&mut self, json: Bytes) -> Result<(), Error> {
        let text = Utf8Bytes::try_from(json).map_err(|error| Error::Utf8(error.to_string()))?;
        self.socket.send(Message::Text(text)).await
    }

    /// Sends the reason why the client's data is invalid.
    async fn refuse(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Capacity(_) => self.close(CloseCode::Size, "more than 16 MiB").await,
            Error::Protocol(_) => self.close(CloseCode::Protocol, "not WebSocket").await,
            Error::Utf8(_) => self.close(CloseCode::Invalid, "not UTF-8").await,
            gone => Err(gone),
        }
    }

    async fn close(&mut self, code: CloseCode, reason: &'static str) -> Result<(), Error> {
        let reason = Utf8Bytes::from_static(reason);
        self.socket.close(Some(CloseFrame { code, reason })).await?;
        let stream = self.socket.get_mut();
        stream.shutdown().await?;
        // Closing with unread input would reset the connection, and the client might never see the
        // reason.
        let mut waste = vec![0; 16 * 1024];
        let _late = tokio::time::timeout(CLOSE_TIMEOUT, async {
            while stream.read(&mut waste).await.is_ok_and(|read| read > 0) {}
        })
        .await;
        Ok(())
    }
}

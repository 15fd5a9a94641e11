//! A client that holds a `WebSocket`, and sends pings on it.

use std::net::{IpAddr, SocketAddr};

use clusterctl::platform::connect::connect;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::Held;
use super::failure::{Failure, FaultKind};
use super::line::{initialize, node_of, request, result_of};

/// A held `WebSocket`.
pub(super) struct WebSocket {
    source: IpAddr,
    target: SocketAddr,
    socket: Option<Socket>,
}

/// An open `WebSocket`.
pub(super) struct Socket {
    stream: WebSocketStream<TcpStream>,
    was_answered: bool,
}

impl WebSocket {
    pub(super) const fn new(source: IpAddr, target: SocketAddr) -> WebSocket {
        WebSocket {
            source,
            target,
            socket: None,
        }
    }
}

impl Held for WebSocket {
    const NAME: &'static str = "websocket";

    async fn round(&mut self) -> Result<(), Failure> {
        if let Some(socket) = &mut self.socket {
            socket.ask(&request("ping", &json!({}))).await?;
            return Ok(());
        }
        let mut socket = Socket::open(self.source, self.target).await?;
        socket.initialize().await?;
        self.socket = Some(socket);
        Ok(())
    }

    fn reset(&mut self, _: FaultKind) {
        self.socket = None;
    }
}

impl Socket {
    pub(super) async fn open(source: IpAddr, target: SocketAddr) -> Result<Socket, Failure> {
        let stream = connect(target, Some(source)).await;
        let stream = stream.map_err(|error| Failure::of(&error, false))?;
        let url = format!("ws://{target}/mcp/ws");
        let mut request = url
            .into_client_request()
            .map_err(|error| failure(&error, false))?;
        let protocol = HeaderValue::from_static("mcp");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let opened = client_async(request, stream).await;
        let (stream, _) = opened.map_err(|error| failure(&error, false))?;
        Ok(Socket {
            stream,
            was_answered: false,
        })
    }

    /// Begins the conversation; the name of the node.
    pub(super) async fn initialize(&mut self) -> Result<String, Failure> {
        let result = self.ask(&initialize()).await?;
        node_of(&result)
    }

    /// The result of a request.
    pub(super) async fn ask(&mut self, request: &Value) -> Result<Value, Failure> {
        let sent = self.stream.send(Message::text(request.to_string())).await;
        sent.map_err(|error| failure(&error, self.was_answered))?;
        loop {
            let message = self.stream.next().await.unwrap_or(Err(Error::ConnectionClosed));
            match message.map_err(|error| failure(&error, self.was_answered))? {
                Message::Text(text) => {
                    self.was_answered = true;
                    return result_of(request, &text);
                }
                Message::Close(frame) => {
                    return Err(Failure::new(FaultKind::Cut, format!("close frame {frame:?}")));
                }
                _ => {}
            }
        }
    }

    /// Closes it in order.
    pub(super) async fn close(mut self) -> Result<(), Failure> {
        let closed = self.stream.close(None).await;
        closed.map_err(|error| failure(&error, true))
    }
}

// Private

fn failure(error: &Error, was_answered: bool) -> Failure {
    match error {
        Error::Io(error) => Failure::of(error, was_answered),
        Error::Http(answer) => Failure::wrong(answer.status().to_string()),
        other if was_answered => Failure::new(FaultKind::Cut, other.to_string()),
        other => Failure::new(FaultKind::Refused, other.to_string()),
    }
}

//! Deliberate faults, for drills: how does a balancer treat a slow or a hanging node?

use std::str::FromStr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::answer::Answer;

/// The deliberate faults of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The delay of every answer.
    pub delay: Duration,
    /// The port that accepts and never answers, if any.
    pub mute: Option<Port>,
}

/// One of a node's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// MCP over TCP.
    Tcp,
    /// MCP over HTTP.
    Http,
}

/// The text is not a port's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither tcp nor http")]
pub struct NoPort;

impl FromStr for Port {
    type Err = NoPort;

    fn from_str(name: &str) -> Result<Port, NoPort> {
        match name {
            "tcp" => Ok(Port::Tcp),
            "http" => Ok(Port::Http),
            _ => Err(NoPort),
        }
    }
}

impl Faults {
    /// `answer` with the delay of these faults.
    pub(super) fn slow_down(self, answer: Answer) -> Answer {
        let Faults { delay, .. } = self;
        match answer {
            answer if delay.is_zero() => answer,
            Answer::Nothing => Answer::Nothing,
            Answer::Malformed(json) | Answer::Now(json) | Answer::Welcome(json) => {
                Answer::Later(Box::pin(async move {
                    tokio::time::sleep(delay).await;
                    json
                }))
            }
            Answer::Later(json) => Answer::Later(Box::pin(async move {
                tokio::time::sleep(delay).await;
                json.await
            })),
        }
    }

    /// Waits for the delay of every answer.
    pub(super) async fn wait(self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }
}

/// Reads the client's bytes and sends no answer, until the client closes the connection.
pub(super) async fn listen_only(mut stream: TcpStream) {
    let mut waste = [0; 1024];
    while stream.read(&mut waste).await.is_ok_and(|read| read > 0) {}
}

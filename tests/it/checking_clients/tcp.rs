//! A client that holds a TCP connection, and sends pings on it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::json;

use super::Held;
use super::failure::{Failure, FaultKind};
use super::line::{Line, request};
use super::shared::Shared;

/// A held connection.
pub(super) struct Tcp {
    source: IpAddr,
    target: SocketAddr,
    line: Option<Line>,
}

impl Tcp {
    pub(super) const fn new(source: IpAddr, target: SocketAddr) -> Tcp {
        Tcp {
            source,
            target,
            line: None,
        }
    }
}

impl Held for Tcp {
    const NAME: &'static str = "tcp";

    async fn round(&mut self) -> Result<(), Failure> {
        if let Some(line) = &mut self.line {
            line.ask(&request("ping", &json!({}))).await?;
            return Ok(());
        }
        let mut line = Line::open(self.source, self.target).await?;
        line.initialize().await?;
        self.line = Some(line);
        Ok(())
    }

    /// The end of an idle connection is noticed at once.
    async fn pause(&mut self, shared: &Shared, time: Duration) {
        match &mut self.line {
            Some(line) => tokio::select! {
                () = line.ended() => {}
                () = shared.sleep(time) => {}
            },
            None => shared.sleep(time).await,
        }
    }

    fn reset(&mut self, _: FaultKind) {
        self.line = None;
    }
}

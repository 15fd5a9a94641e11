//! One client before all others: checks that there is anything to test.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::conversation::{Conversation, Heard, Keepsake, Site};
use super::error::{Kind, Trouble};
use crate::platform::connect::connect;

/// Buffer for one read.
const BUFFER: usize = 16 * 1024;

/// Connects to `target` from `source` and sends `initialize`; returns the name that the server
/// reports.
///
/// # Errors
/// If there is no answer within `patience`, or one that is not MCP.
pub(super) async fn greet(
    site: &Arc<Site>,
    target: SocketAddr,
    source: Option<IpAddr>,
    patience: Duration,
) -> Result<String, Trouble> {
    let connecting = tokio::time::timeout(patience, connect(target, source)).await;
    let stream = connecting
        .map_err(|_| Trouble::new(Kind::ConnectTimeout, format!("not connected within {patience:?}")))??;
    let talk = Conversation::new(site, Keepsake::default());
    tokio::time::timeout(patience, introduced(stream, talk, target, source))
        .await
        .unwrap_or_else(|_| {
            let detail = format!("connected, and `initialize` not answered within {patience:?}");
            Err(Trouble::new(Kind::AnswerTimeout, detail))
        })
}

// Private

async fn introduced(
    mut stream: TcpStream,
    mut talk: Conversation,
    target: SocketAddr,
    source: Option<IpAddr>,
) -> Result<String, Trouble> {
    let mut buffer = vec![0; BUFFER];
    let mut heard = Vec::new();
    loop {
        while !talk.unsent().is_empty() {
            let sent = stream.write(talk.unsent()).await?;
            talk.sent(sent);
        }
        if let Some(Heard::Welcome { node }) = heard.pop() {
            return Ok(node);
        }
        if let Some(text) = talk.errand() {
            let mut errand = connect(target, source).await?;
            errand.write_all(&text).await?;
            loop {
                let read = errand.read(&mut buffer).await?;
                if read == 0 {
                    talk.errand_ended()?;
                    break;
                }
                if talk.errand_hears(&buffer[..read])? {
                    break;
                }
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Err(talk.ended()),
            read => talk.hear(&buffer[..read], &mut heard)?,
        }
    }
}

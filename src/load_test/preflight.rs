//! One client before all others: checks that there is anything to test.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::conversation::{CarriedState, Conversation, Received, TargetUrl};
use super::error::{Kind, LoadError};
use crate::platform::connect::connect;

/// Buffer for one read.
const BUFFER: usize = 16 * 1024;

/// Connects to `target` from `source` and sends the first request; returns the name that the server
/// reports.
///
/// # Errors
/// If there is no answer within `timeout`, or one that is not MCP.
pub(super) async fn check(
    url: &Arc<TargetUrl>,
    target: SocketAddr,
    source: Option<IpAddr>,
    timeout: Duration,
) -> Result<String, LoadError> {
    let connecting = tokio::time::timeout(timeout, connect(target, source)).await;
    let stream = connecting
        .map_err(|_| LoadError::new(Kind::ConnectTimeout, format!("not connected within {timeout:?}")))??;
    let conversation = Conversation::new(url, CarriedState::default());
    tokio::time::timeout(timeout, greet(stream, conversation, target, source))
        .await
        .unwrap_or_else(|_| {
            let detail = format!(
                "connected, and `{}` not answered within {timeout:?}",
                url.first_method()
            );
            Err(LoadError::new(Kind::AnswerTimeout, detail))
        })
}

// Private

async fn greet(
    mut stream: TcpStream,
    mut conversation: Conversation,
    target: SocketAddr,
    source: Option<IpAddr>,
) -> Result<String, LoadError> {
    let mut buffer = vec![0; BUFFER];
    let mut received = Vec::new();
    loop {
        while !conversation.unsent().is_empty() {
            let sent = stream.write(conversation.unsent()).await?;
            conversation.sent(sent);
        }
        if let Some(Received::Welcome { node }) = received.pop() {
            return Ok(node);
        }
        if let Some(text) = conversation.side_request() {
            let mut side_request = connect(target, source).await?;
            side_request.write_all(&text).await?;
            loop {
                let read = side_request.read(&mut buffer).await?;
                if read == 0 {
                    conversation.side_request_ended()?;
                    break;
                }
                if conversation.receive_side_request(&buffer[..read])? {
                    break;
                }
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Err(conversation.ended()),
            read => conversation.receive(&buffer[..read], &mut received)?,
        }
    }
}

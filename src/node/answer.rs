//! The answer to a received text.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::client::Client;
use super::outbox::Outbox;
use crate::mcp::Response;

/// A response that takes time.
pub(super) type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The client that sent a request, and the outbox for messages about that request.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    /// The client.
    pub(super) client: Arc<Client>,
    /// The outbox for the progress of its requests.
    pub(super) aside: Arc<Outbox>,
}

impl Asker {
    /// A client with one stream for all messages.
    pub(super) fn alone(client: Arc<Client>) -> Asker {
        Asker {
            aside: Arc::clone(&client.outbox),
            client,
        }
    }
}

/// The reply to one request.
pub(super) enum Reply {
    /// A response at once.
    Now(Response),
    /// A response at once, to a client that sent `initialize`.
    Welcome(Response),
    /// A response later.
    Later(Later<Response>),
}

/// The answer to one text: JSON to send back, if any.
pub(super) enum Answer {
    /// The text contained only notifications or responses.
    Nothing,
    /// The text was not a message.
    Malformed(Vec<u8>),
    /// The response, or the responses to a batch.
    Now(Vec<u8>),
    /// The response to `initialize`: it begins a session on transports that have sessions.
    Welcome(Vec<u8>),
    /// The response, or the responses to a batch, later.
    Later(Later<Vec<u8>>),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Nothing => f.write_str("Nothing"),
            Answer::Malformed(json) => write!(f, "Malformed({})", json.escape_ascii()),
            Answer::Now(json) => write!(f, "Now({})", json.escape_ascii()),
            Answer::Welcome(json) => write!(f, "Welcome({})", json.escape_ascii()),
            Answer::Later(_) => f.write_str("Later"),
        }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        match reply {
            Reply::Now(response) => Answer::Now(response.to_json()),
            Reply::Welcome(response) => Answer::Welcome(response.to_json()),
            Reply::Later(response) => Answer::Later(Box::pin(async { response.await.to_json() })),
        }
    }
}

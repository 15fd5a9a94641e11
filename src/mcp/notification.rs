//! Notifications that a server sends without a request.

use serde::Serialize;

use super::{Id, Level};

/// A message without a response.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "method", content = "params")]
pub enum Notification<'a> {
    /// A message for the client's log.
    #[serde(rename = "notifications/message")]
    Message {
        /// Its severity.
        level: Level,
        /// The name of the sender.
        logger: &'a str,
        /// The message.
        data: &'a str,
    },
    /// The progress of a request.
    #[serde(rename = "notifications/progress")]
    Progress {
        /// The token that the client gave with the request.
        #[serde(rename = "progressToken")]
        token: &'a Id,
        /// The work done so far; grows.
        progress: f64,
        /// The whole work.
        total: f64,
    },
    /// The first message of the stream that answers `subscriptions/listen`.
    #[serde(rename = "notifications/subscriptions/acknowledged")]
    Acknowledged {
        /// The request that opened the stream.
        #[serde(rename = "_meta")]
        meta: SubscriptionMeta<'a>,
        /// The notifications that the server will send.
        notifications: Subscribed,
    },
}

/// The metadata of every message on a stream of notifications.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionMeta<'a> {
    /// The id of the request that opened the stream.
    #[serde(rename = "io.modelcontextprotocol/subscriptionId")]
    pub subscription: &'a Id,
}

/// The notifications that a server sends to a client which listens: none, for a server whose lists
/// never change.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Subscribed {}

impl Notification<'_> {
    /// The notification as text, on one line, without its end.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Message<'a> {
            jsonrpc: &'static str,
            #[serde(flatten)]
            notification: &'a Notification<'a>,
        }
        let message = Message {
            jsonrpc: "2.0",
            notification: self,
        };
        // Strings and numbers only: serialization cannot fail.
        serde_json::to_vec(&message).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn notifications_are_messages_without_an_id() {
        let read = |notification: &Notification<'_>| -> Value {
            serde_json::from_slice(&notification.to_json()).unwrap()
        };
        let message = Notification::Message {
            level: Level::Info,
            logger: "erlmcp1",
            data: "a\nb",
        };
        assert_eq!(
            read(&message),
            json!({"jsonrpc": "2.0", "method": "notifications/message",
                "params": {"level": "info", "logger": "erlmcp1", "data": "a\nb"}})
        );
        let token = Id::null();
        let progress = Notification::Progress {
            token: &token,
            progress: 0.5,
            total: 2.0,
        };
        assert_eq!(
            read(&progress),
            json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": null, "progress": 0.5, "total": 2.0}})
        );
    }
}

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
}

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

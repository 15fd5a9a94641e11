//! A client's side of a stream of events.

use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::*;

/// A stream of events, with its reader.
pub(super) struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    pub(super) fn of(response: reqwest::Response) -> Events {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-cache, no-transform");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Events {
            response,
            text: String::new(),
        }
    }

    /// The next event's name and data; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.starts_with(':') {
                    continue;
                }
                let (name, data) = event.split_once('\n').unwrap();
                let name = name.strip_prefix("event: ").unwrap();
                return Some((name.to_owned(), data.strip_prefix("data: ").unwrap().to_owned()));
            }
            let chunk = tokio::time::timeout(DEADLINE, self.response.chunk());
            let chunk = chunk.await.unwrap().unwrap()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The next message; `None` at the end.
    pub(super) async fn message(&mut self) -> Option<Value> {
        let (name, data) = self.next().await?;
        assert_eq!(name, "message");
        Some(serde_json::from_str(&data).unwrap())
    }
}

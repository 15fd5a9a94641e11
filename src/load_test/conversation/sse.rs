//! HTTP with SSE, of MCP 2024-11-05: a held stream of events, and for each message a side request,
//! which is a connection of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cookies;
use super::dialogue::{Dialogue, Meaning};
use super::events::{Event, Events};
use super::excerpt::excerpt;
use super::message::{INITIALIZE, INITIALIZED};
use super::request::{get, header, post};
use super::responses::{Part, Responses};
use super::unsent::Unsent;
use super::{Received, TargetUrl};
use crate::load_test::error::{Kind, LoadError};

/// The longest path to POST to, in bytes.
const MAX_ENDPOINT: usize = 512;
/// The most messages that wait for a side request.
const MAX_SIDE_REQUESTS: usize = 16;

/// The client's side of the protocol.
#[derive(Debug)]
pub(super) struct Sse {
    url: Arc<TargetUrl>,
    /// The bytes to write.
    pub(super) unsent: Unsent,
    /// The `Cookie` header's value.
    pub(super) cookie: Option<Box<str>>,
    stream: Responses,
    /// The parser of the stream, once the head was read.
    events: Option<Events>,
    /// The path to POST to, once the server has sent it.
    endpoint: Option<Box<str>>,
    dialogue: Dialogue,
    /// Messages that wait for a side request.
    messages: VecDeque<String>,
    /// The parser of the side request's connection.
    side_request: Option<Box<Responses>>,
}

impl Sse {
    /// The state of a client that has just connected.
    pub(super) fn new(url: &Arc<TargetUrl>, cookie: Option<Box<str>>) -> Sse {
        let headers = format!(
            "Accept: text/event-stream\r\n{}",
            header("Cookie", cookie.as_deref())
        );
        Sse {
            url: Arc::clone(url),
            unsent: Unsent::new(get(&url.authority, &url.path, headers).into_bytes()),
            cookie,
            stream: Responses::default(),
            events: None,
            endpoint: None,
            dialogue: Dialogue::default(),
            messages: VecDeque::new(),
            side_request: None,
        }
    }

    /// Handles bytes that were read.
    ///
    /// # Errors
    /// If they are not MCP over SSE, or a refusal.
    pub(super) fn receive(
        &mut self,
        mut bytes: &[u8],
        received: &mut Vec<Received>,
    ) -> Result<(), LoadError> {
        while let Some(part) = self.stream.next(&mut bytes)? {
            match part {
                Part::Head(answer) if answer.events && self.events.is_none() => {
                    self.keep(&answer.cookies);
                    self.events = Some(Events::default());
                }
                Part::Head(answer) => {
                    let detail = format!("not a stream of events: HTTP status {}", answer.status);
                    return Err(LoadError::new(Kind::Garbage, detail));
                }
                Part::Body(mut piece) => {
                    while let Some(event) = self.event(&mut piece)? {
                        self.take(&event, received)?;
                    }
                }
                Part::End => {
                    return Err(LoadError::new(
                        Kind::Closed,
                        "the server has ended the stream of events",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The whole request of the next side request.
    pub(super) fn side_request(&mut self) -> Option<Box<[u8]>> {
        if self.side_request.is_some() {
            return None;
        }
        let endpoint = self.endpoint.as_deref()?;
        let message = self.messages.pop_front()?;
        let headers = format!(
            "Connection: close\r\n{}",
            header("Cookie", self.cookie.as_deref())
        );
        let request = post(&self.url.authority, endpoint, headers, &message);
        self.side_request = Some(Box::default());
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
        Some(request.into_bytes().into())
    }

    /// Handles bytes that were read from the side request's connection. Returns whether the answer
    /// is complete.
    ///
    /// # Errors
    /// If it is not HTTP, or has an error status.
    pub(super) fn receive_side_request(&mut self, mut bytes: &[u8]) -> Result<bool, LoadError> {
        while let Some(responses) = &mut self.side_request {
            match responses.next(&mut bytes)? {
                None => return Ok(false),
                Some(Part::Head(head)) if head.status == 101 => {
                    return Err(LoadError::new(
                        Kind::Garbage,
                        "an unexpected HTTP response: status 101",
                    ));
                }
                Some(Part::Head(head)) => self.keep(&head.cookies),
                Some(Part::Body(_)) => {}
                Some(Part::End) => self.side_request = None,
            }
        }
        Ok(true)
    }

    /// Handles the end of the side request's connection before the answer was complete.
    ///
    /// # Errors
    /// If there was no successful answer.
    pub(super) fn side_request_ended(&mut self) -> Result<(), LoadError> {
        let Some(responses) = self.side_request.take() else {
            return Ok(());
        };
        match responses.ended() {
            _ if responses.ends_with_connection() => Ok(()),
            Some(failure) => Err(failure),
            None => Err(LoadError::new(
                Kind::Closed,
                "the server has closed the connection of a message before it answered",
            )),
        }
    }

    /// Sends a `ping`.
    pub(super) fn ask(&mut self, id: u64) {
        self.messages.push_back(self.dialogue.ask(id));
    }

    /// The error if the server closes the connection now.
    pub(super) fn ended(&self) -> LoadError {
        self.stream
            .ended()
            .unwrap_or_else(|| self.dialogue.ended("initialize"))
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let texts = [&self.cookie, &self.endpoint];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        let events = self.events.as_ref().map_or(0, Events::held);
        let side_request = self
            .side_request
            .as_ref()
            .map_or(0, |side_request| size_of::<Responses>() + side_request.held());
        let messages = self.messages.capacity() * size_of::<String>();
        texts + events + side_request + messages + self.unsent.held() + self.stream.held()
    }

    // Private

    fn event(&mut self, piece: &mut &[u8]) -> Result<Option<Event>, LoadError> {
        self.events.as_mut().map_or(Ok(None), |events| events.next(piece))
    }

    fn keep(&mut self, set_cookies: &[Box<str>]) {
        for set in set_cookies {
            cookies::keep(&mut self.cookie, set);
        }
    }

    fn take(&mut self, event: &Event, received: &mut Vec<Received>) -> Result<(), LoadError> {
        match (event.endpoint, &self.endpoint) {
            (true, None) => {
                let no_endpoint = || {
                    let detail = format!("an endpoint on another host: `{}`", excerpt(&event.data));
                    LoadError::new(Kind::Garbage, detail)
                };
                self.endpoint = Some(endpoint(&event.data, &self.url.authority).ok_or_else(no_endpoint)?);
                self.messages.push_back(INITIALIZE.to_owned());
                Ok(())
            }
            (false, Some(_)) => self.read(&event.data, received),
            (true, Some(_)) => Err(LoadError::new(Kind::Garbage, "a second endpoint")),
            (false, None) => Err(LoadError::new(Kind::Garbage, "a message before the endpoint")),
        }
    }

    /// Handles one message of the server.
    fn read(&mut self, text: &[u8], received: &mut Vec<Received>) -> Result<(), LoadError> {
        match self.dialogue.receive(text)? {
            Meaning::Nothing => {}
            Meaning::Answer { id, result } => {
                let refused = result.is_none();
                received.push(Received::Answer { id, refused });
            }
            Meaning::Pong(pong) if self.messages.len() < MAX_SIDE_REQUESTS => self.messages.push_back(pong),
            Meaning::Pong(_) => {
                return Err(LoadError::new(
                    Kind::Garbage,
                    "the server sends requests and does not read the answers",
                ));
            }
            Meaning::Welcome { node, .. } => {
                let node = self.url.serving(node.into_owned(), None, self.cookie.as_deref());
                self.messages.push_back(INITIALIZED.to_owned());
                received.push(Received::Welcome { node });
            }
        }
        Ok(())
    }
}

// Private

/// The path to POST to, from a path or a URI of this host.
fn endpoint(data: &[u8], authority: &str) -> Option<Box<str>> {
    let text = std::str::from_utf8(data).ok()?;
    let path = match text.strip_prefix("http://") {
        None => text,
        Some(uri) => {
            let (host, path) = uri.split_at(uri.find('/')?);
            host.eq_ignore_ascii_case(authority).then_some(path)?
        }
    };
    let path = path.split('#').next().unwrap_or_default();
    // Two slashes would begin another host.
    let is_path = path.starts_with('/') && !path.starts_with("//");
    let sendable = path.len() <= MAX_ENDPOINT && path.bytes().all(|byte| byte.is_ascii_graphic());
    (is_path && sendable).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_must_be_on_this_host() {
        for (data, path) in [
            ("/mcp/sse?sessionId=6", Some("/mcp/sse?sessionId=6")),
            ("http://n1:80/x?y#z", Some("/x?y")),
            ("http://N1:80/", Some("/")),
            ("http://n2:80/x", None),
            ("http://n1:80", None),
            ("https://n1:80/x", None),
            ("//n2/x", None),
            ("x", None),
            ("", None),
            ("/x HTTP/1.1\r\nHost: y", None),
        ] {
            assert_eq!(endpoint(data.as_bytes(), "n1:80").as_deref(), path, "{data}");
        }
    }
}

//! Streamable HTTP, on one kept-alive connection.
//!
//! ```text
//!  Greeting ── answer to initialize ──▶ Confirming ── answer to initialized ──▶ Open: a POST for each question
//! ```
//!
//! A `ping` of the server in the middle of an answer is not answered: that would need another
//! connection.

use std::sync::Arc;

use super::cookies;
use super::dialogue::{Dialogue, Meaning};
use super::events::Events;
use super::excerpt::excerpt;
use super::head::Head;
use super::message::{INITIALIZE, INITIALIZED};
use super::request::{header, post};
use super::responses::{Part, Responses};
use super::unsent::Unsent;
use super::{Received, TargetUrl};
use crate::load_test::error::{Kind, LoadError};

/// The longest answer that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The client's side of the protocol.
#[derive(Debug)]
pub(super) struct Http {
    url: Arc<TargetUrl>,
    /// The bytes to write.
    pub(super) unsent: Unsent,
    /// The `Cookie` header's value.
    pub(super) cookie: Option<Box<str>>,
    session: Option<Box<str>>,
    version: Option<Box<str>>,
    dialogue: Dialogue,
    step: Step,
    responses: Responses,
    /// What was read of the answer's body: JSON, or a stream of events.
    body: Vec<u8>,
    events: Option<Box<Events>>,
    /// Whether the server has announced that it closes the connection.
    closes: bool,
    /// Whether a request is not answered yet.
    waits: bool,
}

#[derive(Debug)]
enum Step {
    /// `initialize` is sent; the node's name, once it was received.
    Greeting(Option<String>),
    /// `initialized` is sent to the node with this name.
    Confirming(String),
    /// Requests can be sent; the number of an answered one, and whether the answer is an error.
    Open(Option<(u64, bool)>),
}

impl Http {
    /// The state of a client that has just connected.
    pub(super) fn new(url: &Arc<TargetUrl>, cookie: Option<Box<str>>) -> Http {
        let mut http = Http {
            url: Arc::clone(url),
            unsent: Unsent::default(),
            cookie,
            session: None,
            version: None,
            dialogue: Dialogue::default(),
            step: Step::Greeting(None),
            responses: Responses::default(),
            body: Vec::new(),
            events: None,
            closes: false,
            waits: false,
        };
        http.post(INITIALIZE);
        http
    }

    /// Handles bytes that were read.
    ///
    /// # Errors
    /// If they are not MCP, or a refusal.
    pub(super) fn receive(
        &mut self,
        mut bytes: &[u8],
        received: &mut Vec<Received>,
    ) -> Result<(), LoadError> {
        while let Some(part) = self.responses.next(&mut bytes)? {
            match part {
                Part::Head(answer) => self.begin(answer)?,
                Part::Body(piece) => self.take(piece)?,
                Part::End => {
                    self.events = None;
                    let body = std::mem::take(&mut self.body);
                    if !body.trim_ascii().is_empty() {
                        self.read(&body)?;
                    }
                    self.end(received)?;
                }
            }
        }
        Ok(())
    }

    /// Sends a `ping`.
    pub(super) fn ask(&mut self, id: u64) {
        let ping = self.dialogue.ask(id);
        self.post(&ping);
    }

    /// The error if the server closes the connection now.
    pub(super) fn ended(&self) -> LoadError {
        let announced = self.closes.then(|| {
            LoadError::new(
                Kind::Closed,
                "the server does not keep connections open: it answers with `Connection: close`",
            )
        });
        self.responses
            .ended()
            .or(announced)
            .unwrap_or_else(|| self.dialogue.ended())
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let texts = [&self.cookie, &self.session, &self.version];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        let events = self
            .events
            .as_ref()
            .map_or(0, |events| size_of::<Events>() + events.held());
        texts + events + self.unsent.held() + self.responses.held() + self.body.capacity()
    }

    // Private

    fn post(&mut self, message: &str) {
        let headers = [
            header("MCP-Protocol-Version", self.version.as_deref()),
            header("Mcp-Session-Id", self.session.as_deref()),
            header("Cookie", self.cookie.as_deref()),
        ];
        let text = post(&self.url.authority, &self.url.path, headers.concat(), message);
        self.unsent.put(text.into_bytes());
        self.waits = true;
    }

    fn begin(&mut self, head: Head) -> Result<(), LoadError> {
        if !self.waits || head.status == 101 {
            let detail = format!("an unexpected HTTP response: status {}", head.status);
            return Err(LoadError::new(Kind::Garbage, detail));
        }
        for set in &head.cookies {
            cookies::keep(&mut self.cookie, set);
        }
        if head.session.is_some() {
            self.session = head.session;
        }
        self.events = head.events.then(Box::default);
        self.closes |= head.closes;
        Ok(())
    }

    /// Handles a piece of an answer.
    fn take(&mut self, mut piece: &[u8]) -> Result<(), LoadError> {
        if let Some(mut events) = self.events.take() {
            while let Some(event) = events.next(&mut piece)? {
                self.read(&event.data)?;
            }
            self.events = Some(events);
        } else if self.body.len() + piece.len() <= MAX_BODY {
            self.body.extend_from_slice(piece);
        } else {
            let detail = format!("an answer of more than 1 MiB: `{}`", excerpt(&self.body));
            return Err(LoadError::new(Kind::Garbage, detail));
        }
        Ok(())
    }

    /// Handles one message of the server. It is reported when the answer is complete, and the next
    /// request can be sent.
    fn read(&mut self, text: &[u8]) -> Result<(), LoadError> {
        match self.dialogue.receive(text)? {
            Meaning::Nothing | Meaning::Pong(_) => {}
            Meaning::Answer { id, refused } => self.step = Step::Open(Some((id, refused))),
            Meaning::Welcome { node, version } => {
                self.version = (!version.is_empty()).then(|| version.into());
                self.step = Step::Greeting(Some(node.into_owned()));
            }
        }
        Ok(())
    }

    /// Handles the end of an answer.
    fn end(&mut self, received: &mut Vec<Received>) -> Result<(), LoadError> {
        self.waits = false;
        match std::mem::replace(&mut self.step, Step::Open(None)) {
            Step::Greeting(Some(node)) => {
                self.step = Step::Confirming(node);
                self.post(INITIALIZED);
            }
            Step::Confirming(node) => received.push(Received::Welcome { node }),
            Step::Open(Some((id, refused))) => received.push(Received::Answer { id, refused }),
            Step::Greeting(None) | Step::Open(None) => {
                return Err(LoadError::new(
                    Kind::Garbage,
                    "an HTTP response without an MCP message",
                ));
            }
        }
        Ok(())
    }
}

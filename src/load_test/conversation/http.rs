//! Streamable HTTP, on one kept-alive connection.
//!
//! ```text
//!  Greeting ── answer to initialize ──▶ Confirming ── answer to initialized ──▶ Open: a POST for each question
//!     └─────── without sessions: answer to server/discover ────────────────────▶ Open
//! ```
//!
//! Without sessions, the question is `server/discover` again: it is the cheapest request that all
//! servers answer, and the answer names the node, since a balancer may choose one for each request.
//!
//! A `ping` of the server in the middle of an answer is not answered: that would need another
//! connection.

use std::sync::Arc;

use super::cookies;
use super::dialogue::{Dialogue, Meaning};
use super::events::Events;
use super::excerpt::excerpt;
use super::head::Head;
use super::message::{self, FIRST_ID, INITIALIZED};
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
    /// Requests can be sent; the answer to the last one, once it was received.
    Open(Option<Answered>),
}

/// The answer to a request.
#[derive(Debug)]
struct Answered {
    id: u64,
    /// Whether it is an error.
    refused: bool,
    /// The node that answered, if it is known.
    node: Option<String>,
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
        let first = if url.revision.has_sessions() {
            message::initialize(url.revision)
        } else {
            message::discover(FIRST_ID, url.revision).into()
        };
        http.post(&first);
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

    /// Sends a `ping`, or `server/discover` without sessions.
    pub(super) fn ask(&mut self, id: u64) {
        let question = if self.url.revision.has_sessions() {
            self.dialogue.ask(id)
        } else {
            self.dialogue.ask_stateless(id, self.url.revision)
        };
        self.post(&question);
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
            .unwrap_or_else(|| self.dialogue.ended(self.url.first_method()))
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
        let (version, method) = if self.url.revision.has_sessions() {
            (self.version.as_deref(), None)
        } else {
            (Some(self.url.revision.name()), Some(self.url.first_method()))
        };
        let headers = [
            header("MCP-Protocol-Version", version),
            header("Mcp-Method", method),
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
        if head.session.is_some() && self.url.revision.has_sessions() {
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
            Meaning::Answer { id, result } => {
                let node = match result {
                    Some(result) if !self.url.revision.has_sessions() => {
                        message::server_name(result).map(|own| self.serving(own))
                    }
                    _ => None,
                };
                let refused = result.is_none();
                self.step = Step::Open(Some(Answered { id, refused, node }));
            }
            Meaning::Welcome { node, version } => {
                self.version = (!version.is_empty()).then(|| version.into());
                let node = self.serving(node.into_owned());
                self.step = Step::Greeting(Some(node));
            }
        }
        Ok(())
    }

    /// The node that has sent the answer that is being read.
    fn serving(&self, own: String) -> String {
        self.url
            .serving(own, self.session.as_deref(), self.cookie.as_deref())
    }

    /// Handles the end of an answer.
    fn end(&mut self, received: &mut Vec<Received>) -> Result<(), LoadError> {
        self.waits = false;
        match std::mem::replace(&mut self.step, Step::Open(None)) {
            Step::Greeting(Some(node)) if self.url.revision.has_sessions() => {
                self.step = Step::Confirming(node);
                self.post(INITIALIZED);
            }
            Step::Greeting(Some(node)) | Step::Confirming(node) => received.push(Received::Welcome { node }),
            Step::Open(Some(Answered { id, refused, node })) => {
                received.extend(node.map(|node| Received::ServedBy { node }));
                received.push(Received::Answer { id, refused });
            }
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

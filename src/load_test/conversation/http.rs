//! Streamable HTTP, on one connection that is kept.
//!
//! ```text
//!  Greeting ── answer to initialize ──▶ Confirming ── answer to initialized ──▶ Open: a POST for each question
//! ```
//!
//! A `ping` of the server in mid-answer is not answered: that would need a connection of its own.

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
use super::{Heard, Site};
use crate::load_test::error::{Kind, Trouble};

/// The longest answer that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// One client's side.
#[derive(Debug)]
pub(super) struct Http {
    site: Arc<Site>,
    /// What is to be written.
    pub(super) unsent: Unsent,
    /// What was set, and is said again.
    pub(super) cookie: Option<Box<str>>,
    session: Option<Box<str>>,
    version: Option<Box<str>>,
    dialogue: Dialogue,
    step: Step,
    responses: Responses,
    /// Of the answer that is being read: JSON, or a stream of events.
    body: Vec<u8>,
    events: Option<Box<Events>>,
    /// Whether the server has said that it closes the connection.
    closes: bool,
    /// Whether a request is not answered.
    waits: bool,
}

#[derive(Debug)]
enum Step {
    /// `initialize` is asked; the node's name, once it is heard.
    Greeting(Option<String>),
    /// The answer is confirmed to the node of this name.
    Confirming(String),
    /// Questions can be asked; the number of one that is answered.
    Open(Option<(u64, bool)>),
}

impl Http {
    /// A client that has just connected.
    pub(super) fn new(site: &Arc<Site>, cookie: Option<Box<str>>) -> Http {
        let mut http = Http {
            site: Arc::clone(site),
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

    /// What was read, and what is in it.
    ///
    /// # Errors
    /// When it is no MCP, or a refusal.
    pub(super) fn hear(&mut self, mut bytes: &[u8], heard: &mut Vec<Heard>) -> Result<(), Trouble> {
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
                    self.end(heard)?;
                }
            }
        }
        Ok(())
    }

    /// Asks for a sign of life.
    pub(super) fn ask(&mut self, id: u64) {
        let ping = self.dialogue.ask(id);
        self.post(&ping);
    }

    /// What it means that the server has closed the connection now.
    pub(super) fn ended(&self) -> Trouble {
        let foretold = self.closes.then(|| {
            Trouble::new(
                Kind::Closed,
                "the server keeps no connections: it answers with `Connection: close`",
            )
        });
        self.responses
            .ended()
            .or(foretold)
            .unwrap_or_else(|| self.dialogue.ended())
    }

    /// Memory that is held besides its own, in bytes.
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
        let text = post(&self.site.authority, &self.site.path, headers.concat(), message);
        self.unsent.put(text.into_bytes());
        self.waits = true;
    }

    fn begin(&mut self, head: Head) -> Result<(), Trouble> {
        if !self.waits || head.status == 101 {
            let detail = format!("an HTTP answer that was not asked for: status {}", head.status);
            return Err(Trouble::new(Kind::Garbage, detail));
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

    /// A piece of an answer.
    fn take(&mut self, mut piece: &[u8]) -> Result<(), Trouble> {
        if let Some(mut events) = self.events.take() {
            while let Some(event) = events.next(&mut piece)? {
                self.read(&event.data)?;
            }
            self.events = Some(events);
        } else if self.body.len() + piece.len() <= MAX_BODY {
            self.body.extend_from_slice(piece);
        } else {
            let detail = format!("an answer of more than 1 MiB: `{}`", excerpt(&self.body));
            return Err(Trouble::new(Kind::Garbage, detail));
        }
        Ok(())
    }

    /// One message of the server. What is in it is told when the answer is complete, and the next
    /// can be asked for.
    fn read(&mut self, text: &[u8]) -> Result<(), Trouble> {
        match self.dialogue.hear(text)? {
            Meaning::Nothing | Meaning::Pong(_) => {}
            Meaning::Answer { id, refused } => self.step = Step::Open(Some((id, refused))),
            Meaning::Welcome { node, version } => {
                self.version = (!version.is_empty()).then(|| version.into());
                self.step = Step::Greeting(Some(node.into_owned()));
            }
        }
        Ok(())
    }

    /// An answer is complete.
    fn end(&mut self, heard: &mut Vec<Heard>) -> Result<(), Trouble> {
        self.waits = false;
        match std::mem::replace(&mut self.step, Step::Open(None)) {
            Step::Greeting(Some(node)) => {
                self.step = Step::Confirming(node);
                self.post(INITIALIZED);
            }
            Step::Confirming(node) => heard.push(Heard::Welcome { node }),
            Step::Open(Some((id, refused))) => heard.push(Heard::Answer { id, refused }),
            Step::Greeting(None) | Step::Open(None) => {
                return Err(Trouble::new(Kind::Garbage, "an HTTP answer with no MCP in it"));
            }
        }
        Ok(())
    }
}

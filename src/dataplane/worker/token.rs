//! The subject of an event, as the number that the kernel stores with it.

use mio::Token;

use crate::dataplane::relay::Side;

/// The subject of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventSource {
    /// An end of the session at a place.
    Session(u32, Side),
    /// A client of HTTP, by its place.
    Client(u32),
    /// A connection to a server of HTTP, by its place.
    Server(u32),
    /// A listener, by its place.
    Listener(u32),
    /// The inbox.
    Inbox,
}

impl From<EventSource> for Token {
    fn from(event_source: EventSource) -> Token {
        let (index, kind) = match event_source {
            EventSource::Session(index, Side::Client) => (index, 0),
            EventSource::Session(index, Side::Server) => (index, 1),
            EventSource::Listener(index) => (index, 2),
            EventSource::Inbox => (0, 3),
            EventSource::Client(index) => (index, 4),
            EventSource::Server(index) => (index, 5),
        };
        Token((index as usize) << 3 | kind)
    }
}

impl From<Token> for EventSource {
    fn from(Token(number): Token) -> EventSource {
        let index = u32::try_from(number >> 3).unwrap_or(u32::MAX);
        match number & 7 {
            0 => EventSource::Session(index, Side::Client),
            1 => EventSource::Session(index, Side::Server),
            2 => EventSource::Listener(index),
            4 => EventSource::Client(index),
            5 => EventSource::Server(index),
            _ => EventSource::Inbox,
        }
    }
}

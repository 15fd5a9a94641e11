//! The source of an event, encoded as the number that the poller keeps.

use mio::Token;

/// The source of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventSource {
    /// The connection of the client in a seat.
    Connection(u32),
    /// The connection of the client's side request.
    SideRequest(u32),
    /// The inbox.
    Inbox,
    /// The alarm: something is due.
    Alarm,
}

impl From<EventSource> for Token {
    fn from(about: EventSource) -> Token {
        let (index, kind) = match about {
            EventSource::Connection(index) => (index, 0),
            EventSource::SideRequest(index) => (index, 1),
            EventSource::Inbox => (0, 2),
            EventSource::Alarm => (0, 3),
        };
        Token((index as usize) << 2 | kind)
    }
}

impl From<Token> for EventSource {
    fn from(Token(number): Token) -> EventSource {
        let index = u32::try_from(number >> 2).unwrap_or(u32::MAX);
        match number & 3 {
            0 => EventSource::Connection(index),
            1 => EventSource::SideRequest(index),
            2 => EventSource::Inbox,
            _ => EventSource::Alarm,
        }
    }
}

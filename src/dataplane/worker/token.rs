//! The subject of an event, as the number that the kernel stores with it.

use mio::Token;

use crate::dataplane::relay::Side;

/// The subject of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// An end of the session at a place.
    Session(u32, Side),
    /// A listener, by its place.
    Listener(u32),
    /// The inbox.
    Inbox,
}

impl From<About> for Token {
    fn from(about: About) -> Token {
        let (index, kind) = match about {
            About::Session(index, Side::Client) => (index, 0),
            About::Session(index, Side::Server) => (index, 1),
            About::Listener(index) => (index, 2),
            About::Inbox => (0, 3),
        };
        Token((index as usize) << 2 | kind)
    }
}

impl From<Token> for About {
    fn from(Token(number): Token) -> About {
        let index = u32::try_from(number >> 2).unwrap_or(u32::MAX);
        match number & 3 {
            0 => About::Session(index, Side::Client),
            1 => About::Session(index, Side::Server),
            2 => About::Listener(index),
            _ => About::Inbox,
        }
    }
}

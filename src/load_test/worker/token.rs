//! The source of an event, encoded as the number that the poller keeps.

use mio::Token;

/// The source of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The connection of the client in a seat.
    Line(u32),
    /// The connection of the client's errand.
    Errand(u32),
    /// The inbox.
    Inbox,
    /// The alarm: something is due.
    Alarm,
}

impl From<About> for Token {
    fn from(about: About) -> Token {
        let (seat, kind) = match about {
            About::Line(seat) => (seat, 0),
            About::Errand(seat) => (seat, 1),
            About::Inbox => (0, 2),
            About::Alarm => (0, 3),
        };
        Token((seat as usize) << 2 | kind)
    }
}

impl From<Token> for About {
    fn from(Token(number): Token) -> About {
        let seat = u32::try_from(number >> 2).unwrap_or(u32::MAX);
        match number & 3 {
            0 => About::Line(seat),
            1 => About::Errand(seat),
            2 => About::Inbox,
            _ => About::Alarm,
        }
    }
}

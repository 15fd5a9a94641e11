//! Why a message is not passed on.

/// Why a request is answered by the balancer itself. After the answer the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It is not a valid request; the text names the rule.
    Malformed(&'static str),
    /// It has a transfer coding other than `chunked`.
    UnknownCoding,
    /// Its head exceeds the limit of bytes or of lines.
    HeadTooLarge,
    /// Its body exceeds the limit.
    BodyTooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// Its version is not HTTP/1.
    UnknownVersion,
}

/// Why an answer is not passed on: the text names the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAnswer(pub &'static str);

impl Rejection {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Rejection::Malformed(_) => 400,
            Rejection::TooSlow => 408,
            Rejection::BodyTooLarge => 413,
            Rejection::HeadTooLarge => 431,
            Rejection::UnknownCoding => 501,
            Rejection::UnknownVersion => 505,
        }
    }
}

/// Why a body is not passed on: the text names the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidBody(pub &'static str);

impl From<InvalidBody> for Rejection {
    fn from(InvalidBody(rule): InvalidBody) -> Rejection {
        Rejection::Malformed(rule)
    }
}

impl From<InvalidBody> for InvalidAnswer {
    fn from(InvalidBody(rule): InvalidBody) -> InvalidAnswer {
        InvalidAnswer(rule)
    }
}

//! The answer to one command.

/// The permissions of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// May read what is not secret.
    User,
    /// May read everything, and clear highest values.
    Operator,
    /// May change anything.
    Admin,
}

/// The severity of a message: syslog's words and numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
}

/// How messages include their severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SeverityOutput {
    #[default]
    None,
    Number,
    Word,
}

/// The answer to a command, without the empty line that follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    text: String,
    /// The severity of a message; `None` for figures.
    severity: Option<Severity>,
}

impl Level {
    /// HAProxy's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Level::User => "user",
            Level::Operator => "operator",
            Level::Admin => "admin",
        }
    }
}

impl Severity {
    const fn word(self) -> &'static str {
        match self {
            Severity::Error => "err",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
            Severity::Info => "info",
        }
    }
}

impl Answer {
    /// The order succeeded; the answer is empty.
    pub(super) fn done() -> Answer {
        Answer::default()
    }

    /// The answer to a query.
    pub(super) fn figures(text: impl Into<String>) -> Answer {
        Answer {
            text: text.into(),
            severity: None,
        }
    }

    /// A sentence; most of HAProxy's end with a line break.
    pub(super) fn message(severity: Severity, text: impl Into<String>) -> Answer {
        Answer {
            text: text.into(),
            severity: Some(severity),
        }
    }

    /// The reason of a refusal.
    pub(super) fn refusal(text: impl Into<String>) -> Answer {
        Answer::message(Severity::Error, text)
    }

    /// The text to send.
    pub(super) fn render(self, output: SeverityOutput) -> String {
        match (self.severity, output) {
            (Some(severity), SeverityOutput::Number) => format!("[{}]: {}", severity as u8, self.text),
            (Some(severity), SeverityOutput::Word) => format!("[{}]: {}", severity.word(), self.text),
            _ => self.text,
        }
    }
}

//! What is answered to one command.

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Read what is no secret.
    User,
    /// Read everything, and clear highest values.
    Operator,
    /// Change anything.
    Admin,
}

/// How grave a message is: syslog's words and numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
}

/// How messages say how grave they are.
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
    /// A message's; none for figures.
    severity: Option<Severity>,
}

impl Level {
    /// HAProxy's word.
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
    /// It was done; there is nothing to say.
    pub(super) fn done() -> Answer {
        Answer::default()
    }

    /// What was asked for.
    pub(super) fn figures(text: impl Into<String>) -> Answer {
        Answer {
            text: text.into(),
            severity: None,
        }
    }

    /// A sentence; HAProxy's end with a line break, but for some.
    pub(super) fn message(severity: Severity, text: impl Into<String>) -> Answer {
        Answer {
            text: text.into(),
            severity: Some(severity),
        }
    }

    /// Why it was not done.
    pub(super) fn refusal(text: impl Into<String>) -> Answer {
        Answer::message(Severity::Error, text)
    }

    /// As it is sent.
    pub(super) fn tell(self, output: SeverityOutput) -> String {
        match (self.severity, output) {
            (Some(severity), SeverityOutput::Number) => format!("[{}]: {}", severity as u8, self.text),
            (Some(severity), SeverityOutput::Word) => format!("[{}]: {}", severity.word(), self.text),
            _ => self.text,
        }
    }
}

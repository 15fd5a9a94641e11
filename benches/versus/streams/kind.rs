//! Kinds of streams.

/// A request, and the stream that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// The method of the request.
    pub(crate) method: &'static str,
    /// The type of the answer.
    pub(crate) content: Content,
    /// Whether the client accepts gzip.
    pub(crate) gzip: bool,
}

/// The format of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    /// One JSON value per line.
    Json,
    /// Server-sent events.
    Events,
}

impl Kind {
    /// All kinds.
    pub(crate) fn all() -> Vec<Kind> {
        let mut all = Vec::new();
        for method in ["POST", "GET"] {
            for content in [Content::Json, Content::Events] {
                for gzip in [true, false] {
                    all.push(Kind {
                        method,
                        content,
                        gzip,
                    });
                }
            }
        }
        all
    }

    /// Its name.
    pub(crate) fn name(self) -> String {
        let content = match self.content {
            Content::Json => "JSON in chunks",
            Content::Events => "event stream",
        };
        let gzip = if self.gzip { "gzip accepted" } else { "no gzip" };
        format!("{}, {content}, {gzip}", self.method)
    }
}

impl Content {
    /// Its media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Content::Json => "application/json",
            Content::Events => "text/event-stream",
        }
    }

    /// An event with the time at which it was sent.
    pub(crate) fn event(self, sent: u128) -> String {
        match self {
            Content::Json => format!("{{\"sent\":{sent}}}\n"),
            Content::Events => format!("data: {{\"sent\":{sent}}}\n\n"),
        }
    }
}

/// The time at which the event on this line was sent.
pub(crate) fn sent(line: &str) -> Option<u128> {
    let (_, number) = line.split_once("\"sent\":")?;
    number.strip_suffix('}')?.parse().ok()
}

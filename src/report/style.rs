//! Small spans of colour, as terminal escapes that the printer takes out where nobody would see them. Nothing is said by
//! colour alone.

/// Good.
#[must_use]
pub fn green(text: &str) -> String {
    span("32", text)
}

/// Bad.
#[must_use]
pub fn red(text: &str) -> String {
    span("31", text)
}

/// To be looked at.
#[must_use]
pub fn yellow(text: &str) -> String {
    span("33", text)
}

/// What to do.
#[must_use]
pub fn cyan(text: &str) -> String {
    span("36", text)
}

/// A heading.
#[must_use]
pub fn bold(text: &str) -> String {
    span("1", text)
}

/// An aside.
#[must_use]
pub fn dim(text: &str) -> String {
    span("2", text)
}

// Private

fn span(code: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("\x1b[{code}m{text}\x1b[0m")
}

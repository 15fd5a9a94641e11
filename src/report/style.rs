//! Short coloured texts, as terminal escapes that the printer removes where they would not be
//! shown. Colour is never the only carrier of information.

/// Green, for a good result.
#[must_use]
pub fn green(text: &str) -> String {
    span("32", text)
}

/// Red, for a bad result.
#[must_use]
pub fn red(text: &str) -> String {
    span("31", text)
}

/// Yellow, for a result that needs attention.
#[must_use]
pub fn yellow(text: &str) -> String {
    span("33", text)
}

/// Cyan, for a command to run.
#[must_use]
pub fn cyan(text: &str) -> String {
    span("36", text)
}

/// Bold, for a heading.
#[must_use]
pub fn bold(text: &str) -> String {
    span("1", text)
}

/// Dim, for a remark.
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

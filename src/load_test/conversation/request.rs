//! HTTP requests, as text.

use std::fmt::Display;

/// A POST of a message; `headers` are lines with their ends.
pub(super) fn post(authority: &str, path: &str, headers: impl Display, message: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{message}",
        message.len()
    )
}

/// A GET; `headers` are lines with their ends.
pub(super) fn get(authority: &str, path: &str, headers: impl Display) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n{headers}\r\n")
}

/// A header as a line; nothing without a value.
pub(super) fn header(name: &str, value: Option<&str>) -> String {
    value.map_or_else(String::new, |value| format!("{name}: {value}\r\n"))
}

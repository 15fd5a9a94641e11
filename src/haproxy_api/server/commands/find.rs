//! Finds what the words of a command name: servers, frontends, numbers. The sentences are
//! HAProxy's.

use super::super::answer::Answer;
use super::super::figures::{BackendFigures, FrontendFigures, Proxies, ServerFigures};
use super::super::subject::ServerRef;

/// A server that was named, with its backend.
pub(super) struct Found<'a> {
    pub(super) backend: &'a BackendFigures,
    pub(super) server: &'a ServerFigures,
}

impl Found<'_> {
    pub(super) fn place(&self) -> ServerRef {
        ServerRef {
            backend: self.backend.name.clone(),
            server: self.server.name.clone(),
        }
    }
}

/// The server that `backend/server` names.
pub(super) fn server<'a>(proxies: &'a Proxies, named: &str) -> Result<Found<'a>, Answer> {
    let (backend, server) = match named.split_once('/') {
        Some((backend, server)) if !backend.is_empty() && !server.is_empty() => (backend, server),
        _ => return Err(Answer::refusal("Require 'backend/server'.\n")),
    };
    let backend = self::backend(proxies, backend).ok_or_else(|| Answer::refusal("No such backend.\n"))?;
    let server = backend.servers.iter().find(|it| it.name == server);
    let server = server.ok_or_else(|| Answer::refusal("No such server.\n"))?;
    Ok(Found { backend, server })
}

/// The backend of that name.
pub(super) fn backend<'a>(proxies: &'a Proxies, named: &str) -> Option<&'a BackendFigures> {
    proxies.backends.iter().find(|it| it.name == named)
}

/// The frontend of that name.
pub(super) fn frontend<'a>(proxies: &'a Proxies, named: &str) -> Result<&'a FrontendFigures, Answer> {
    if named.is_empty() {
        return Err(Answer::refusal("A frontend name is expected.\n"));
    }
    let found = proxies.frontends.iter().find(|it| it.name == named);
    found.ok_or_else(|| Answer::refusal("No such frontend.\n"))
}

/// The number at the beginning of `text`, and the rest: as C's `strtol`, which HAProxy uses.
/// Numbers that are too large become the largest ones.
pub(in super::super) fn strtol(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let number = digits[..end].parse().unwrap_or(i64::MAX);
    Some((if negative { -number } else { number }, &digits[end..]))
}

/// C's `atoi`: 0 if `text` does not begin with a number.
pub(super) fn atoi(text: &str) -> i64 {
    strtol(text).map_or(0, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!(strtol(" 12x"), Some((12, "x")));
        assert_eq!(strtol("-5%"), Some((-5, "%")));
        assert_eq!(strtol("+7"), Some((7, "")));
        assert_eq!(strtol("99999999999999999999"), Some((i64::MAX, "")));
        assert_eq!(strtol("x"), None);
        assert_eq!(strtol("-"), None);
        assert_eq!(atoi("abc"), 0);
    }
}

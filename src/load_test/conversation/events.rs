//! Parses server-sent events from bytes that arrive in pieces.
//!
//! Format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>. Lines end with LF or
//! CRLF; CR alone is not supported, because no server uses it.

use super::excerpt::excerpt;
use super::lines::Lines;
use crate::load_test::error::{Kind, LoadError};

/// The most data of one event, in bytes.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// An incomplete event. Between events no memory is held.
#[derive(Debug, Default)]
pub(super) struct Events {
    lines: Lines,
    event: Event,
}

/// A complete event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Whether its data is the path to POST to; otherwise it is a message.
    pub(super) endpoint: bool,
    /// Its data.
    pub(super) data: Vec<u8>,
}

impl Events {
    /// Takes the next event out of `input`; `None` while its end is missing.
    ///
    /// # Errors
    /// If it is too long.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, LoadError> {
        let too_long = |line: &[u8]| {
            LoadError::new(
                Kind::Garbage,
                format!("no end of an event within 1 MiB: `{}`", excerpt(line)),
            )
        };
        while let Some(line) = self.lines.next(input).map_err(|line| too_long(&line.0))? {
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.data.is_empty() {
                    return Ok(Some(event));
                }
            } else if let Some(data) = value(&line, b"data") {
                if self.event.data.len() + data.len() >= MAX_EVENT_BYTES {
                    return Err(too_long(&self.event.data));
                }
                if !self.event.data.is_empty() {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(data);
            } else if let Some(name) = value(&line, b"event") {
                self.event.endpoint = name == b"endpoint";
            }
        }
        Ok(None)
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.lines.held() + self.event.data.capacity()
    }
}

// Private

/// The value of this field, if the line has it.
fn value<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(field)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_all_shapes_however_they_are_cut() {
        let stream = b": hello\r\n\r\nevent: endpoint\ndata: /x\n\ndata:a\nid: 7\ndata:  b\ndatum: c\r\n\r\ndata\n\ndata: d";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let mut got = Vec::new();
            for mut piece in stream.chunks(size) {
                while let Some(event) = events.next(&mut piece).unwrap() {
                    got.push((event.endpoint, String::from_utf8(event.data).unwrap()));
                }
            }
            assert_eq!(got, [(true, "/x".to_owned()), (false, "a\n b".to_owned())]);
        }
    }

    #[test]
    fn an_endless_event_is_an_error() {
        let mut events = Events::default();
        let line = [b"data: ", &[b'x'; 1000][..], b"\n"].concat();
        let read = (0..2000)
            .take_while(|_| events.next(&mut &line[..]).is_ok())
            .count();
        assert_eq!(read, MAX_EVENT_BYTES / 1001);
        assert!(events.next(&mut &vec![b'x'; MAX_EVENT_BYTES + 1][..]).is_err());
    }
}

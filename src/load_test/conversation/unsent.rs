//! Bytes that are still to be written on a connection.

use std::borrow::Cow;

use crate::load_test::error::{Kind, LoadError};

/// The most bytes that wait. A client sends little by itself, so a server that lets this much wait
/// sends requests and does not read the answers.
const MAX_UNSENT_BYTES: usize = 64 * 1024;

/// Bytes to write. Texts that all clients send are borrowed; no memory is held once all is written.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    bytes: Cow<'static, [u8]>,
    /// How many of them are written.
    sent: usize,
}

impl Unsent {
    /// Begins with this text.
    pub(super) fn new(text: impl Into<Cow<'static, [u8]>>) -> Unsent {
        Unsent {
            bytes: text.into(),
            sent: 0,
        }
    }

    /// The bytes to write.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Records that this many bytes were written.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.bytes.len() {
            *self = Unsent::default();
        }
    }

    /// Adds a text of the client's own.
    pub(super) fn put(&mut self, text: impl Into<Cow<'static, [u8]>>) {
        let text = text.into();
        if self.bytes.is_empty() {
            self.bytes = text;
        } else {
            self.bytes.to_mut().extend_from_slice(&text);
        }
    }

    /// Adds an answer to the server.
    ///
    /// # Errors
    /// If too much is unsent already.
    pub(super) fn reply(&mut self, text: Vec<u8>) -> Result<(), LoadError> {
        if self.bytes.len() + text.len() > MAX_UNSENT_BYTES {
            return Err(LoadError::new(
                Kind::Garbage,
                "the server sends requests and does not read the answers",
            ));
        }
        self.put(text);
        Ok(())
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        match &self.bytes {
            Cow::Borrowed(_) => 0,
            Cow::Owned(bytes) => bytes.capacity(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_and_nothing_is_held_after() {
        let mut unsent = Unsent::default();
        unsent.put(&b"one"[..]);
        assert_eq!(unsent.held(), 0);
        unsent.sent(2);
        unsent.put(b"two".to_vec());
        assert_eq!(unsent.bytes(), b"etwo");
        unsent.sent(4);
        assert_eq!((unsent.bytes(), unsent.held()), (&b""[..], 0));
    }

    #[test]
    fn a_server_that_does_not_read_is_an_error() {
        let mut unsent = Unsent::default();
        let sent = std::iter::from_fn(|| unsent.reply(vec![0; 1000]).ok()).count();
        assert_eq!(sent, MAX_UNSENT_BYTES / 1000);
    }
}

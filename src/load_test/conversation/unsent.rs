//! What is still to be written on a connection.

use std::borrow::Cow;

use crate::load_test::error::{Kind, Trouble};

/// What waits at most, in bytes. We say little unasked, so who lets that much wait makes us talk
/// and does not listen.
const MAX_UNSENT_BYTES: usize = 64 * 1024;

/// Bytes on their way out. Texts that all clients say are borrowed; nothing is held once all is
/// sent.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    bytes: Cow<'static, [u8]>,
    /// So many of them are sent.
    sent: usize,
}

impl Unsent {
    /// What is said first.
    pub(super) fn new(text: impl Into<Cow<'static, [u8]>>) -> Unsent {
        Unsent {
            bytes: text.into(),
            sent: 0,
        }
    }

    /// What is to be written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// So many bytes of it were written.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.bytes.len() {
            *self = Unsent::default();
        }
    }

    /// Says this next.
    pub(super) fn put(&mut self, text: impl Into<Cow<'static, [u8]>>) {
        let text = text.into();
        if self.bytes.is_empty() {
            self.bytes = text;
        } else {
            self.bytes.to_mut().extend_from_slice(&text);
        }
    }

    /// Says this next, because it was asked for.
    ///
    /// # Errors
    /// When too much is unsent already.
    pub(super) fn reply(&mut self, text: Vec<u8>) -> Result<(), Trouble> {
        if self.bytes.len() + text.len() > MAX_UNSENT_BYTES {
            return Err(Trouble::new(
                Kind::Garbage,
                "it asks and does not read our answers",
            ));
        }
        self.put(text);
        Ok(())
    }

    /// Memory that is held besides its own, in bytes.
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
    fn who_does_not_listen_is_left() {
        let mut unsent = Unsent::default();
        let said = std::iter::from_fn(|| unsent.reply(vec![0; 1000]).ok()).count();
        assert_eq!(said, MAX_UNSENT_BYTES / 1000);
    }
}

//! Counts messages in a stream of JSON-RPC lines as they pass, without keeping any of their bytes.

use memchr::memchr;

/// The position in a stream of lines. A message is a line with more than spaces, tabs and carriage
/// returns, and counts at its first byte: so an admitted message passes whole, over any number of
/// reads, and of a message that was not admitted, no byte has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// The next byte belongs to a message that has been counted.
    within: bool,
}

/// The beginning of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Its bytes.
    pub(crate) bytes: usize,
    /// Messages that begin in it.
    pub(crate) messages: u32,
}

impl Lines {
    /// Advances over the part of `bytes` that may pass: `allow` gets the number of messages that
    /// begin in them, if there are any, and returns how many of them may pass. The caller passes
    /// the rest again later, with the bytes that follow.
    pub(crate) fn take(&mut self, bytes: &[u8], allow: impl FnOnce(u32) -> u32) -> Prefix {
        let (all, end) = self.prefix(bytes, u32::MAX);
        let most = if all.messages == 0 { 0 } else { allow(all.messages) };
        let (taken, end) = if most < all.messages {
            self.prefix(bytes, most)
        } else {
            (all, end)
        };
        *self = end;
        taken
    }

    // Private

    /// The longest prefix in which at most `most` messages begin, and the position of the stream
    /// after it.
    fn prefix(self, bytes: &[u8], most: u32) -> (Prefix, Lines) {
        let mut prefix = Prefix {
            bytes: 0,
            messages: 0,
        };
        let mut within = self.within;
        while prefix.bytes < bytes.len() {
            let rest = &bytes[prefix.bytes..];
            if within {
                let end = memchr(b'\n', rest);
                prefix.bytes += end.map_or(rest.len(), |end| end + 1);
                within = end.is_none();
            } else {
                prefix.bytes += rest.iter().take_while(|byte| is_blank(**byte)).count();
                if prefix.bytes == bytes.len() || prefix.messages == most {
                    break;
                }
                prefix.messages += 1;
                within = true;
            }
        }
        (prefix, Lines { within })
    }
}

/// JSON's white space.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Streams with many line ends, blanks and messages.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"\n\n\r \t{}a".to_vec()), 0..200)
    }

    /// The number of lines of a whole stream that contain a message.
    fn messages(stream: &[u8]) -> usize {
        let lines = stream.split(|byte| *byte == b'\n');
        lines.filter(|line| !line.trim_ascii().is_empty()).count()
    }

    fn all(bytes: &[u8]) -> Prefix {
        Lines::default().take(bytes, |messages| messages)
    }

    proptest! {
        #[test]
        fn reads_can_be_cut_anywhere(stream in stream(), cuts in prop::collection::vec(1usize..20, 1..40)) {
            let mut lines = Lines::default();
            let mut rest = stream.as_slice();
            let mut counted = 0;
            for cut in cuts.into_iter().cycle() {
                let (read, behind) = rest.split_at(cut.min(rest.len()));
                let taken = lines.take(read, |messages| messages);
                prop_assert_eq!(taken.bytes, read.len());
                counted += taken.messages as usize;
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(counted, messages(&stream));
        }

        #[test]
        fn the_longest_permitted_prefix_passes(stream in stream(), most in 0u32..20) {
            let mut lines = Lines::default();
            let taken = lines.take(&stream, |_| most);
            prop_assert_eq!(taken.messages as usize, messages(&stream[..taken.bytes]));
            prop_assert!(taken.messages <= most);
            if taken.bytes < stream.len() {
                prop_assert_eq!(messages(&stream[..=taken.bytes]), most as usize + 1);
            }
        }

        #[test]
        fn held_back_bytes_follow_without_loss(
            stream in stream(), allowed in prop::collection::vec(0u32..4, 1..20), read in 1usize..50,
        ) {
            let mut lines = Lines::default();
            let (mut begin, mut passed, mut counted) = (0, Vec::new(), 0);
            for allow in allowed.into_iter().chain(std::iter::repeat_n(1, stream.len())) {
                let end = stream.len().min(begin + read);
                let taken = lines.take(&stream[begin..end], |_| allow);
                passed.extend_from_slice(&stream[begin..begin + taken.bytes]);
                counted += taken.messages as usize;
                begin += taken.bytes;
            }
            prop_assert_eq!(counted, messages(&stream));
            prop_assert_eq!(passed, stream);
        }
    }

    #[test]
    fn blank_lines_are_not_messages() {
        assert_eq!(all(b"\r\n\n \t\r\n").messages, 0);
        assert_eq!(all(b"{}\r\n\r\n{}\n{").messages, 3);
        let asked = Lines::default().take(b"\r\n", |_| {
            unreachable!("`allow` is not called without messages")
        });
        assert_eq!(
            asked,
            Prefix {
                bytes: 2,
                messages: 0
            }
        );
    }

    #[test]
    fn a_message_that_began_goes_through_whole() {
        let mut lines = Lines::default();
        assert_eq!(
            lines.take(b"{\"a\":", |_| 1),
            Prefix {
                bytes: 5,
                messages: 1
            }
        );
        // The rest of a message passes without a call of `allow`; the next message does not.
        assert_eq!(
            lines.take(b"1}\r\n{}\n", |_| 0),
            Prefix {
                bytes: 4,
                messages: 0
            }
        );
        assert_eq!(
            lines.take(b"{}\n", |_| 1),
            Prefix {
                bytes: 3,
                messages: 1
            }
        );
    }
}

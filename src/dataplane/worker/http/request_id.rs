//! Identifiers of requests, for `X-Request-ID`.

use std::hash::{BuildHasher, RandomState};

/// Length of an identifier: 128 bits in hexadecimal digits.
const LENGTH: usize = 32;

/// Makes identifiers that differ from all others, also from those of other workers and processes.
#[derive(Debug)]
pub(super) struct RequestIds {
    /// Secret, so that identifiers are not a counter that clients can read.
    keys: [RandomState; 2],
}

impl RequestIds {
    pub(super) fn new() -> RequestIds {
        RequestIds {
            keys: [RandomState::new(), RandomState::new()],
        }
    }

    /// The identifier of request number `serial`, in `room`.
    pub(super) fn write<'a>(&self, serial: u64, room: &'a mut [u8; LENGTH]) -> &'a str {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let numbers = self.keys.each_ref().map(|key| key.hash_one(serial));
        for (at, digit) in room.iter_mut().enumerate() {
            let number = numbers[at / 16] >> (60 - 4 * (at % 16));
            *digit = DIGITS[(number & 0xf) as usize];
        }
        str::from_utf8(room).unwrap_or_default()
    }

    /// Room for an identifier.
    pub(super) const fn room() -> [u8; LENGTH] {
        [0; LENGTH]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_differ() {
        let (one, other) = (RequestIds::new(), RequestIds::new());
        let mut rooms = [RequestIds::room(); 3];
        let [a, b, c] = &mut rooms;
        let ids = [one.write(1, a), one.write(2, b), other.write(1, c)];
        assert!(
            ids.iter()
                .all(|id| id.bytes().all(|digit| digit.is_ascii_hexdigit()))
        );
        assert!(ids[0] != ids[1] && ids[0] != ids[2], "{ids:?}");
    }
}

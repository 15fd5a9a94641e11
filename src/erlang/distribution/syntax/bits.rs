//! Builds a bit string from its segments.

use num_bigint::{BigInt, Sign};

/// Bits, the highest first.
#[derive(Default)]
pub(super) struct BitWriter {
    pub(super) bytes: Vec<u8>,
    /// How many bits of the last byte are used; 0 means all of them.
    pub(super) last: u8,
}

impl BitWriter {
    /// The lowest `count` bits of a byte.
    pub(super) fn push(&mut self, byte: u8, count: u8) {
        for bit in (0..count).rev() {
            if self.last == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= (byte >> bit & 1) << (7 - self.last);
            }
            self.last = (self.last + 1) % 8;
        }
    }

    /// The lowest `size` bits of a number in two's complement.
    pub(super) fn push_number(&mut self, number: &BigInt, size: usize) {
        let mut digits = number.to_signed_bytes_be();
        let sign = if number.sign() == Sign::Minus { 0xff } else { 0 };
        let whole = size.div_ceil(8);
        if digits.len() < whole {
            let mut wide = vec![sign; whole - digits.len()];
            wide.extend(digits);
            digits = wide;
        }
        let digits = &digits[digits.len() - whole..];
        for (index, byte) in digits.iter().enumerate() {
            let partial = size % 8;
            let count = if index == 0 && partial > 0 { partial } else { 8 };
            self.push(*byte, u8::try_from(count).unwrap_or(8));
        }
    }
}

//! A number of bytes.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, scalar_unit};

const EXPECTED: &str = "a size such as `32kB`";
const KILO: u64 = 1 << 10;
const MEGA: u64 = 1 << 20;

/// A number of bytes. As in the configuration of HAProxy and nginx, 1 kB is 1,024 bytes, and 1 MB is
/// 1,024 kB; a bare number is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

scalar_unit!(Size, "a size such as `32kB`", "32kB");

impl Size {
    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Size {
        Size(bytes)
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Size, UnitError> {
        let error = || UnitError::new(text, EXPECTED);
        let trimmed = text.trim();
        let split = trimmed
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let scale = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => KILO,
            "m" | "mb" => MEGA,
            _ => return Err(error()),
        };
        let number: u64 = number.parse().map_err(|_| error())?;
        number.checked_mul(scale).map(Size).ok_or_else(error)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n != 0 && n.is_multiple_of(MEGA) => write!(f, "{}MB", n / MEGA),
            n if n != 0 && n.is_multiple_of(KILO) => write!(f, "{}kB", n / KILO),
            n => write!(f, "{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kilobyte_is_1024_bytes() {
        for (text, bytes, printed) in [
            ("32kB", 32_768, "32kB"),
            ("32 KB", 32_768, "32kB"),
            ("32k", 32_768, "32kB"),
            ("32768", 32_768, "32kB"),
            ("1024kB", 1_048_576, "1MB"),
            ("1000", 1_000, "1000"),
            ("7B", 7, "7"),
            ("0", 0, "0"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(
                (size.bytes(), size.to_string().as_str()),
                (bytes, printed),
                "{text}"
            );
            assert_eq!(size.to_string().parse::<Size>().unwrap(), size);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "kB", "-1", "1.5kB", "3 GB", "18446744073709551615k", "k32"] {
            let error = text.parse::<Size>().unwrap_err().to_string();
            assert!(error.ends_with("is not a size such as `32kB`"), "{text}: {error}");
        }
    }
}

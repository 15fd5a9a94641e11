//! Durations, counts, shares, sizes and networks as users write them: `500ms`, `200k`, `2%`,
//! `100ms..30s`, `32kB`, `10.0.0.0/8`; and [`excerpt()`], which quotes what users wrote.
//!
//! Each unit parses from text or from a bare number, and prints the shortest text that parses back
//! to itself.

mod count;
mod digits;
mod excerpt;
mod network;
mod percent;
mod period;
mod range;
mod size;

pub use count::{Count, whole};
pub use digits::grouped;
pub use excerpt::{excerpt, readable};
pub use network::Network;
pub use percent::Percent;
pub use period::Period;
pub use range::PeriodRange;
pub use size::Size;

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Visitor};

/// A text that is not the unit: what was read and what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct UnitError {
    text: String,
    expected: Cow<'static, str>,
}

impl UnitError {
    fn new(text: &str, expected: impl Into<Cow<'static, str>>) -> UnitError {
        UnitError {
            text: excerpt(text),
            expected: expected.into(),
        }
    }
}

/// Parses a unit from a YAML scalar: a text, or a bare number that counts as its text.
struct Scalar<T> {
    expecting: &'static str,
    parse: fn(&str) -> Result<T, UnitError>,
}

impl<T> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

/// Implements the serde and schemars traits of a unit by its `FromStr` and `Display`.
macro_rules! scalar_unit {
    ($unit:ty, $expecting:literal, $example:literal) => {
        crate::base::units::scalar_unit!($unit, $expecting, {
            "type": ["string", "number"],
            "description": $expecting,
            "examples": [$example],
        });
    };
    ($unit:ty, $expecting:literal, $schema:tt) => {
        impl<'de> serde::Deserialize<'de> for $unit {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(crate::base::units::Scalar { expecting: $expecting, parse: str::parse })
            }
        }

        impl serde::Serialize for $unit {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl schemars::JsonSchema for $unit {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($unit).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}
use scalar_unit;

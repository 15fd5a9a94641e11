//! One figure in each format: CSV, one line with its type (`typed`), or JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The value of a field. Absent is not 0, and an empty text is not absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Absent,
    Text(Cow<'static, str>),
    U32(u32),
    S32(i32),
    U64(u64),
}

/// A figure with its description.
pub(super) struct Field {
    /// Its position, the same in every version of HAProxy.
    pub(super) position: usize,
    pub(super) name: &'static str,
    /// Three letters: its origin, its nature and its scope.
    pub(super) tag: &'static str,
    /// A sentence about it.
    pub(super) help: &'static str,
    pub(super) value: Value,
}

impl Value {
    /// A constant text.
    pub(super) const fn text(text: &'static str) -> Value {
        Value::Text(Cow::Borrowed(text))
    }

    /// A text that is computed.
    pub(super) fn name(text: &str) -> Value {
        Value::Text(Cow::Owned(text.to_owned()))
    }

    /// A number that HAProxy keeps in 32 bits.
    pub(super) fn count(number: u64) -> Value {
        Value::U32(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// A limit; no limit is absent, not 0.
    pub(super) const fn limit(limit: u32) -> Value {
        if limit == 0 {
            Value::Absent
        } else {
            Value::U32(limit)
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        *self == Value::Absent
    }

    /// The text without its type; empty if absent.
    pub(super) fn plain(&self) -> Cow<'_, str> {
        match self {
            Value::Absent => Cow::Borrowed(""),
            Value::Text(text) => Cow::Borrowed(text),
            Value::U32(number) => Cow::Owned(number.to_string()),
            Value::S32(number) => Cow::Owned(number.to_string()),
            Value::U64(number) => Cow::Owned(number.to_string()),
        }
    }

    /// Appends it to a row of CSV, in quotes only if necessary.
    pub(super) fn csv(&self, row: &mut String) {
        let plain = self.plain();
        if plain.contains([',', '"', '\r', '\n']) {
            row.push('"');
            row.push_str(&plain.replace('"', "\"\""));
            row.push('"');
        } else {
            row.push_str(&plain);
        }
        row.push(',');
    }

    const fn kind(&self) -> &'static str {
        match self {
            Value::Absent => "",
            Value::Text(_) => "str",
            Value::U32(_) => "u32",
            Value::S32(_) => "s32",
            Value::U64(_) => "u64",
        }
    }
}

impl Field {
    /// `PREFIX4.scur.1:MGP:u32:0`, with its sentence when `described`.
    pub(super) fn typed(&self, prefix: &str, described: bool, text: &mut String) {
        let Field {
            position, name, tag, ..
        } = self;
        let (kind, plain) = (self.value.kind(), self.value.plain());
        let _infallible = write!(text, "{prefix}{position}.{name}.1:{tag}:{kind}:{plain}");
        if described {
            let _infallible = write!(text, ":\"{}\"", self.help);
        }
        text.push('\n');
    }

    /// An object, with the members in `owner` first.
    pub(super) fn json(&self, owner: &str, text: &mut String) {
        let [origin, nature, scope] = words(self.tag);
        let _infallible = write!(
            text,
            r#"{{{owner}"field":{{"pos":{},"name":"{}"}},"processNum":1,"tags":{{"origin":"{origin}","nature":"{nature}","scope":"{scope}"}},"value":{{"type":"{}","value":"#,
            self.position,
            self.name,
            self.value.kind(),
        );
        match &self.value {
            Value::Text(plain) => text.push_str(&quoted(plain)),
            number => text.push_str(&number.plain()),
        }
        text.push_str("}}");
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

// Private

/// A tag's letters, as words.
fn words(tag: &str) -> [&'static str; 3] {
    let mut letters = tag.chars();
    let origin = match letters.next() {
        Some('M') => "Metric",
        Some('S') => "Status",
        Some('K') => "Key",
        Some('C') => "Config",
        Some('P') => "Product",
        _ => "Unknown",
    };
    let nature = match letters.next() {
        Some('A') => "Age",
        Some('a') => "Avg",
        Some('C') => "Counter",
        Some('D') => "Duration",
        Some('G') => "Gauge",
        Some('L') => "Limit",
        Some('M') => "Max",
        Some('m') => "Min",
        Some('N') => "Name",
        Some('O') => "Output",
        Some('R') => "Rate",
        Some('T') => "Time",
        _ => "Unknown",
    };
    let scope = match letters.next() {
        Some('C') => "Cluster",
        Some('P') => "Process",
        Some('S') => "Service",
        Some('s') => "System",
        _ => "Unknown",
    };
    [origin, nature, scope]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_quoted_only_where_it_must_be() {
        let csv = |value: Value| {
            let mut row = String::new();
            value.csv(&mut row);
            row
        };
        assert_eq!(csv(Value::Absent), ",");
        assert_eq!(csv(Value::U32(0)), "0,");
        assert_eq!(csv(Value::text("a b")), "a b,");
        assert_eq!(csv(Value::text("a,\"b\"")), "\"a,\"\"b\"\"\",");
    }

    #[test]
    fn a_field_is_written_with_its_type() {
        let field = Field {
            position: 49,
            name: "Idle_pct",
            tag: "MaP",
            help: "Share",
            value: Value::U32(100),
        };
        let mut text = String::new();
        field.typed("F.2.0.", true, &mut text);
        assert_eq!(text, "F.2.0.49.Idle_pct.1:MaP:u32:100:\"Share\"\n");
        let mut json = String::new();
        field.json("", &mut json);
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["tags"]["nature"], "Avg");
        assert_eq!(parsed["value"]["value"], 100);
    }
}

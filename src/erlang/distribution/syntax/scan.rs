//! The scanner: names, digits, texts, signs.

use num_bigint::BigInt;

use super::super::codec::MAX_INTEGER;
use super::word;

/// The text is not a term: the position and the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {what}")]
pub struct SyntaxError {
    /// The character, from 1.
    pub at: usize,
    /// What is wrong with it.
    pub what: String,
}

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// A text, and the position up to which it is read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// In bytes.
    pub(super) at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    /// Digits, optionally separated by underscores; as text and as number.
    pub(super) fn digits(&mut self, base: u32) -> Parsed<(String, BigInt)> {
        let mut digits = String::new();
        let mut chars = self.rest().char_indices().peekable();
        let mut length = 0;
        while let Some((at, c)) = chars.next() {
            if c.is_digit(base) {
                digits.push(c);
            } else if c != '_' || digits.is_empty() || !chars.peek().is_some_and(|(_, c)| c.is_digit(base)) {
                break;
            }
            length = at + 1;
        }
        // A digit stands for at most 5.2 bits.
        if digits.len() > MAX_INTEGER {
            return Err(self.wrong(format!("a number of more than {MAX_INTEGER} digits")));
        }
        match BigInt::parse_bytes(digits.as_bytes(), base) {
            Some(number) => {
                self.at += length;
                Ok((digits, number))
            }
            None => Err(self.wrong("a digit is missing".to_owned())),
        }
    }

    pub(super) fn quoted(&mut self, quote: char) -> Parsed<String> {
        let begin = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            if self.rest().starts_with(quote) {
                self.at += 1;
                return Ok(text);
            }
            if self.peek().is_none() {
                self.at = begin;
                return Err(self.wrong(format!("a `{quote}` without its end")));
            }
            text.push(self.character()?);
        }
    }

    /// A character in quotes or after `$`, which may be escaped.
    pub(super) fn character(&mut self) -> Parsed<char> {
        match self.next() {
            Some('\\') => self.escaped(),
            Some(c) => Ok(c),
            None => Err(self.wrong("a character is missing".to_owned())),
        }
    }

    fn escaped(&mut self) -> Parsed<char> {
        let begin = self.at;
        let Some(c) = self.next() else {
            return Err(self.wrong("a character is missing".to_owned()));
        };
        let code = match c {
            'b' => 8,
            'd' => 127,
            'e' => 27,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            's' => 32,
            't' => 9,
            'v' => 11,
            '^' => self.next().map_or(u32::MAX, |c| u32::from(c) & 31),
            'x' if self.rest().starts_with('{') => {
                let (inside, _) = self.rest()[1..].split_once('}').unwrap_or_default();
                self.at += inside.len() + 2;
                u32::from_str_radix(inside, 16).unwrap_or(u32::MAX)
            }
            'x' => {
                let digits = self.rest().get(..2).unwrap_or_default();
                self.at += digits.len();
                u32::from_str_radix(digits, 16).unwrap_or(u32::MAX)
            }
            '0'..='7' => {
                self.at = begin;
                let octal = |c: &char| c.is_digit(8);
                let digits: String = self.rest().chars().take(3).take_while(octal).collect();
                self.at += digits.len();
                u32::from_str_radix(&digits, 8).unwrap_or(u32::MAX)
            }
            other => u32::from(other),
        };
        char::from_u32(code).ok_or_else(|| {
            self.at = begin.min(self.text.len());
            self.wrong("invalid character escape".to_owned())
        })
    }

    pub(super) fn name(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c| !word::is_name(c) && !c.is_alphanumeric())
            .unwrap_or(rest.len());
        self.at += end;
        self.space();
        &rest[..end]
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Skips `what` and the white space after it, if the text continues with it.
    pub(super) fn found(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
            self.space();
        }
        found
    }

    pub(super) fn expect(&mut self, what: &str) -> Parsed<()> {
        if self.found(what) {
            return Ok(());
        }
        Err(match self.peek() {
            Some(c) => self.wrong(format!("`{c}` where `{what}` was expected")),
            None => self.wrong(format!("`{what}` is missing")),
        })
    }

    /// Skips white space and comments.
    pub(super) fn space(&mut self) {
        loop {
            let rest = self.rest().trim_start();
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('%') {
                return;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    pub(super) fn wrong(&self, what: String) -> SyntaxError {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        SyntaxError {
            at: before.chars().count() + 1,
            what,
        }
    }

    /// An error at what was just read.
    pub(super) fn wrong_before(&self, text: &str, what: String) -> SyntaxError {
        let before = self.text.get(..self.at).unwrap_or(self.text).trim_end();
        let at = before.chars().count().saturating_sub(text.chars().count()) + 1;
        SyntaxError { at, what }
    }
}

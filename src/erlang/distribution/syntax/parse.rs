//! The parser.

use num_bigint::BigInt;

use super::super::codec::{MAX_DEPTH, MAX_INTEGER};
use super::super::term::{Atom, Bits, Export, Identity, Pid, Term};
use super::bits::BitWriter;
use super::scan::{Parsed, Scanner, SyntaxError};
use super::word;

/// The most bits of one segment of a binary.
const MAX_SEGMENT: usize = 8 * MAX_INTEGER;

/// Parses one term in Erlang's syntax; a full stop may follow it. Pids belong to `home`.
///
/// # Errors
/// If the text is not a term.
pub fn parse(text: &str, home: &Identity) -> Result<Term, SyntaxError> {
    let scan = Scanner::new(text);
    let mut parser = Parser { scan, home };
    parser.scan.space();
    let term = parser.term(MAX_DEPTH)?;
    parser.scan.found(".");
    match parser.scan.peek() {
        None => Ok(term),
        Some(c) => Err(parser.scan.wrong(format!("`{c}` after the term"))),
    }
}

// Private

struct Parser<'a> {
    scan: Scanner<'a>,
    home: &'a Identity,
}

impl Parser<'_> {
    fn term(&mut self, depth: usize) -> Parsed<Term> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.scan.wrong(format!("more than {MAX_DEPTH} levels")));
        };
        match self.scan.peek() {
            None => Err(self.scan.wrong("a term is missing".to_owned())),
            Some('[') => self.list(depth),
            Some('{') => {
                self.scan.found("{");
                Ok(Term::Tuple(self.items(depth, "}")?))
            }
            Some('#') => self.map(depth),
            Some('<') if self.scan.rest().starts_with("<<") => self.binary(),
            Some('<') => self.pid(),
            Some('"') => Ok(Term::string(&self.strings()?)),
            Some('\'') => {
                let text = self.scan.quoted('\'')?;
                self.scan.space();
                self.atom(&text)
            }
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '$') => self.number(),
            Some(c) if c.is_lowercase() => self.word(),
            Some(c) if c.is_uppercase() || c == '_' => {
                let name = self.scan.name();
                Err(self.scan.wrong_before(
                    name,
                    format!("`{name}` is a variable; as an atom it is `'{name}'`"),
                ))
            }
            Some(c) => Err(self.scan.wrong(format!("no term begins with `{c}`"))),
        }
    }

    fn list(&mut self, depth: usize) -> Parsed<Term> {
        self.scan.found("[");
        let mut items = Vec::new();
        if self.scan.found("]") {
            return Ok(Term::List(items));
        }
        loop {
            items.push(self.term(depth)?);
            if self.scan.found(",") {
                continue;
            }
            let tail = if self.scan.found("|") {
                Some(self.term(depth)?)
            } else {
                None
            };
            self.scan.expect("]")?;
            return Ok(match tail {
                None => Term::List(items),
                Some(Term::List(more)) => Term::List([items, more].concat()),
                Some(Term::Improper(list)) => Term::Improper(Box::new(([items, list.0].concat(), list.1))),
                Some(tail) => Term::Improper(Box::new((items, tail))),
            });
        }
    }

    fn map(&mut self, depth: usize) -> Parsed<Term> {
        self.scan.found("#");
        self.scan.expect("{")?;
        let mut pairs: Vec<(Term, Term)> = Vec::new();
        if self.scan.found("}") {
            return Ok(Term::Map(pairs));
        }
        loop {
            let key = self.term(depth)?;
            self.scan.expect("=>")?;
            let value = self.term(depth)?;
            // As in Erlang, the last value counts.
            pairs.retain(|(known, _)| *known != key);
            pairs.push((key, value));
            if !self.scan.found(",") {
                self.scan.expect("}")?;
                return Ok(Term::Map(pairs));
            }
        }
    }

    /// Terms up to `end`, separated by commas.
    fn items(&mut self, depth: usize, end: &str) -> Parsed<Vec<Term>> {
        let mut items = Vec::new();
        if self.scan.found(end) {
            return Ok(items);
        }
        loop {
            items.push(self.term(depth)?);
            if !self.scan.found(",") {
                self.scan.expect(end)?;
                return Ok(items);
            }
        }
    }

    /// `<<1, "text", "tëxt"/utf8, 5:3>>`
    fn binary(&mut self) -> Parsed<Term> {
        self.scan.expect("<<")?;
        let mut bits = BitWriter::default();
        if !self.scan.found(">>") {
            loop {
                self.segment(&mut bits)?;
                if !self.scan.found(",") {
                    self.scan.expect(">>")?;
                    break;
                }
            }
        }
        Ok(Bits::term(bits.bytes, bits.last))
    }

    fn segment(&mut self, bits: &mut BitWriter) -> Parsed<()> {
        if self.scan.peek() == Some('"') {
            let begin = self.scan.at;
            let text = self.strings()?;
            if self.scan.found("/") {
                self.scan.expect("utf8")?;
                text.bytes().for_each(|byte| bits.push(byte, 8));
                return Ok(());
            }
            for c in text.chars() {
                let Ok(byte) = u8::try_from(u32::from(c)) else {
                    self.scan.at = begin;
                    return Err(self
                        .scan
                        .wrong(format!("`{c}` is not a byte; `\"..\"/utf8` writes it as several")));
                };
                bits.push(byte, 8);
            }
            return Ok(());
        }
        let begin = self.scan.at;
        let number = match self.number() {
            Ok(Term::Integer(number)) => BigInt::from(number),
            Ok(Term::Big(number)) => *number,
            Ok(_) => {
                self.scan.at = begin;
                return Err(self
                    .scan
                    .wrong("a binary is made of integers and strings".to_owned()));
            }
            Err(error) => return Err(error),
        };
        let size = if self.scan.found(":") {
            let size = self.scan.digits(10)?.1;
            self.scan.space();
            usize::try_from(&size).ok().filter(|size| *size <= MAX_SEGMENT)
        } else {
            Some(8)
        };
        let Some(size) = size else {
            return Err(self
                .scan
                .wrong(format!("a segment of more than {MAX_SEGMENT} bits")));
        };
        bits.push_number(&number, size);
        Ok(())
    }

    /// `<0.80.0>`
    fn pid(&mut self) -> Parsed<Term> {
        let begin = self.scan.at;
        let (inside, _) = self.scan.rest()[1..].split_once('>').unwrap_or_default();
        let numbers: Option<Vec<u32>> = inside.split('.').map(|number| number.parse().ok()).collect();
        let Some([0, id, serial]) = numbers.as_deref() else {
            return Err(self.scan.wrong("a pid is written `<0.80.0>`".to_owned()));
        };
        self.scan.at = begin + inside.len() + 2;
        self.scan.space();
        Ok(Term::Pid(Box::new(Pid {
            node: self.home.name.clone(),
            id: *id,
            serial: *serial,
            creation: self.home.creation,
        })))
    }

    /// An atom without quotes, or `fun lists:map/2`.
    fn word(&mut self) -> Parsed<Term> {
        let name = self.scan.name();
        if name == "fun" {
            return self.export();
        }
        if word::is_reserved(name) {
            let what = format!("`{name}` is a reserved word; as an atom it is `'{name}'`");
            return Err(self.scan.wrong_before(name, what));
        }
        self.atom(name)
    }

    fn export(&mut self) -> Parsed<Term> {
        let module = self.named()?;
        self.scan.expect(":")?;
        let function = self.named()?;
        self.scan.expect("/")?;
        let (_, arity) = self.scan.digits(10)?;
        let Ok(arity) = u8::try_from(&arity) else {
            return Err(self
                .scan
                .wrong("a function takes 255 arguments at most".to_owned()));
        };
        self.scan.space();
        Ok(Term::Export(Box::new(Export {
            module,
            function,
            arity,
        })))
    }

    fn named(&mut self) -> Parsed<Atom> {
        let name = match self.scan.peek() {
            Some('\'') => {
                let text = self.scan.quoted('\'')?;
                self.scan.space();
                text
            }
            Some('a'..='z') => self.scan.name().to_owned(),
            _ => {
                return Err(self
                    .scan
                    .wrong("a function is written `fun lists:map/2`".to_owned()));
            }
        };
        Atom::new(&name).map_err(|error| self.scan.wrong_before(&name, error.to_string()))
    }

    fn atom(&self, text: &str) -> Parsed<Term> {
        match Atom::new(text) {
            Ok(atom) => Ok(Term::Atom(atom)),
            Err(error) => Err(self.scan.wrong_before(text, error.to_string())),
        }
    }

    /// `1`, `-1`, `1_000`, `16#ff`, `$a`, `1.5e3`
    fn number(&mut self) -> Parsed<Term> {
        let negative = self.scan.found("-");
        if !negative {
            self.scan.found("+");
        }
        if self.scan.rest().starts_with('$') {
            self.scan.at += 1;
            let c = self.scan.character()?;
            self.scan.space();
            let code = i64::from(u32::from(c));
            return Ok(Term::Integer(if negative { -code } else { code }));
        }
        let begin = self.scan.at;
        let (mut text, mut number) = self.scan.digits(10)?;
        if self.scan.rest().starts_with('#') {
            let Some(base) = u32::try_from(&number).ok().filter(|base| (2..=36).contains(base)) else {
                return Err(self.scan.wrong("a base is between 2 and 36".to_owned()));
            };
            self.scan.at += 1;
            number = self.scan.digits(base)?.1;
        } else if self.scan.rest().starts_with('.')
            && self.scan.rest()[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            self.scan.at += 1;
            text = format!("{text}.{}", self.scan.digits(10)?.0);
            if self.scan.rest().starts_with(['e', 'E']) {
                self.scan.at += 1;
                text.push('e');
                if let Some(sign) = self.scan.rest().chars().next().filter(|c| matches!(c, '-' | '+')) {
                    text.push(sign);
                    self.scan.at += 1;
                }
                text.push_str(&self.scan.digits(10)?.0);
            }
            let number = text.parse().unwrap_or(f64::INFINITY);
            if number.is_infinite() {
                self.scan.at = begin;
                return Err(self.scan.wrong("a number too large for a float".to_owned()));
            }
            self.scan.space();
            return Ok(Term::Float(if negative { -number } else { number }));
        }
        self.scan.space();
        Ok(Term::from(if negative { -number } else { number }))
    }

    /// One text, or several in sequence.
    fn strings(&mut self) -> Parsed<String> {
        let mut text = String::new();
        while self.scan.peek() == Some('"') {
            text.push_str(&self.scan.quoted('"')?);
            self.scan.space();
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::testing::home;
    use super::super::flat;
    use super::*;

    fn read(text: &str) -> Result<Term, SyntaxError> {
        parse(text, &home())
    }

    fn again(text: &str) -> String {
        read(text).map_or_else(|error| error.to_string(), |term| flat(&term, &home()))
    }

    #[test]
    fn terms_in_their_printed_form_stay_the_same() {
        for text in [
            r#"[{a,1},<<"x">>,#{k => v},"str",'quoted atom',1.5,-3]"#,
            "[1,2|three]",
            "{}",
            "[]",
            "#{}",
            "<<>>",
            "<<5:3>>",
            "<<1,2,3:2>>",
            r#"<<"smör"/utf8>>"#,
            "fun lists:map/2",
            "fun 'Elixir.Enum':map/2",
            "<0.80.1>",
            "123456789012345678901234567890",
        ] {
            assert_eq!(again(text), text);
        }
    }

    #[test]
    fn other_ways_to_write_a_term_are_parsed() {
        for (text, plain) in [
            ("16#ff", "255"),
            ("1_000_000", "1000000"),
            ("$a", "97"),
            (r"$\n", "10"),
            ("-$a", "-97"),
            ("+7", "7"),
            ("1.5e3", "1500.0"),
            ("1.0e-3", "0.001"),
            (r#""ab" "cd""#, r#""abcd""#),
            (r#""\x41\x{3bb}\101\s\^A\"\\""#, r"[65,955,65,32,1,34,92]"),
            ("[1 | [2, 3]]", "[1,2,3]"),
            ("#{a=>1,a=>2}", "#{a => 2}"),
            ("<<97, 98:16, -1:8>>", "<<97,0,98,255>>"),
            ("<<\"ab\",\"c\">>", "<<\"abc\">>"),
            ("<<1:1,0:7>>", "<<128>>"),
            ("  ok . % done", "ok"),
            ("[a, % first\n b]", "[a,b]"),
        ] {
            assert_eq!(again(text), plain, "{text}");
        }
    }

    #[test]
    fn errors_give_the_position() {
        for (text, expected) in [
            ("", "character 1: a term is missing"),
            ("[1,2", "character 5: `]` is missing"),
            ("[1,2}", "character 5: `}` where `]` was expected"),
            (
                "[Foo]",
                "character 2: `Foo` is a variable; as an atom it is `'Foo'`",
            ),
            (
                "{and}",
                "character 2: `and` is a reserved word; as an atom it is `'and'`",
            ),
            ("\"ab", "character 1: a `\"` without its end"),
            ("1 2", "character 3: `2` after the term"),
            ("'it''s'", "character 5: `'` after the term"),
            ("37#1", "character 3: a base is between 2 and 36"),
            ("1.0e999", "character 1: a number too large for a float"),
            (
                "<<\"λ\">>",
                "character 3: `λ` is not a byte; `\"..\"/utf8` writes it as several",
            ),
            ("<<1.5>>", "character 3: a binary is made of integers and strings"),
            ("<1.2.3>", "character 1: a pid is written `<0.80.0>`"),
            ("#{a}", "character 4: `}` where `=>` was expected"),
            ("*", "character 1: no term begins with `*`"),
            ("fun foo/1", "character 8: `/` where `:` was expected"),
            (r#""\x{d800}""#, "character 3: invalid character escape"),
            (r"$\x", "character 3: invalid character escape"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected, "{text}");
        }
        assert!(read(&"[".repeat(100_000)).unwrap_err().what.contains("levels"));
        assert!(read(&"9".repeat(100_000)).unwrap_err().what.contains("digits"));
    }

    proptest! {
        #[test]
        fn any_text_is_handled(text in r#"([\[\]{}<>#,|:/.'"$\\%xX{}0-9a-zA-Z_ λ-]|\PC){0,40}"#) {
            let _whatever = read(&text);
        }
    }
}

//! The printer.

use std::fmt::{self, Write};

use super::super::term::{Atom, Bits, Export, Fun, Identity, Pid, Port, Reference, Term};
use super::word;

/// A term on one line.
#[must_use]
pub fn flat(term: &Term, home: &Identity) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _never = Printer { out: &mut text, home }.term(term);
    text
}

/// A term on as many lines of `width` columns as needed. Parts that cannot be broken may be longer.
#[must_use]
pub fn pretty(term: &Term, home: &Identity, width: usize) -> String {
    let mut layout = Layout {
        text: String::new(),
        column: 0,
        width,
        home,
    };
    layout.term(term, 0);
    layout.text
}

/// The text that a list of characters stands for, if all of them are printable.
pub(super) fn readable(items: &[Term]) -> Option<String> {
    let character = |item: &Term| {
        let code = u32::try_from(item.as_u64()?).ok()?;
        char::from_u32(code).filter(|c| word::is_text(*c))
    };
    (!items.is_empty())
        .then(|| items.iter().map(character).collect())
        .flatten()
}

// Private

/// Writes terms on one line.
struct Printer<'a, W> {
    out: &'a mut W,
    home: &'a Identity,
}

impl<W: Write> Printer<'_, W> {
    fn term(&mut self, term: &Term) -> fmt::Result {
        match term {
            Term::Integer(number) => write!(self.out, "{number}"),
            Term::Big(number) => write!(self.out, "{number}"),
            Term::Float(number) => self.float(*number),
            Term::Atom(atom) => self.atom(atom),
            Term::Binary(bytes) => self.binary(bytes),
            Term::Bits(bits) => self.bits(bits),
            Term::Tuple(items) => self.items("{", items, "}"),
            Term::List(items) => match readable(items) {
                Some(text) => self.quoted('"', &text),
                None => self.items("[", items, "]"),
            },
            Term::Improper(list) => {
                let (items, tail) = list.as_ref();
                self.items("[", items, "|")?;
                self.term(tail)?;
                self.out.write_char(']')
            }
            Term::Map(pairs) => {
                self.out.write_str("#{")?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    self.comma(index)?;
                    self.term(key)?;
                    self.out.write_str(" => ")?;
                    self.term(value)?;
                }
                self.out.write_char('}')
            }
            Term::Pid(pid) => self.pid(pid),
            Term::Port(port) => self.port(port),
            Term::Reference(reference) => self.reference(reference),
            Term::Export(export) => {
                let Export {
                    module,
                    function,
                    arity,
                } = export.as_ref();
                self.out.write_str("fun ")?;
                self.atom(module)?;
                self.out.write_char(':')?;
                self.atom(function)?;
                write!(self.out, "/{arity}")
            }
            Term::Fun(fun) => {
                let Fun { module, index, .. } = fun.as_ref();
                write!(self.out, "#Fun<{}.{index}>", module.text())
            }
        }
    }

    fn items(&mut self, open: &str, items: &[Term], close: &str) -> fmt::Result {
        self.out.write_str(open)?;
        for (index, item) in items.iter().enumerate() {
            self.comma(index)?;
            self.term(item)?;
        }
        self.out.write_str(close)
    }

    fn comma(&mut self, index: usize) -> fmt::Result {
        if index > 0 {
            self.out.write_char(',')
        } else {
            Ok(())
        }
    }

    /// The shortest digits for this number; Erlang requires some on both sides of the point.
    fn float(&mut self, number: f64) -> fmt::Result {
        let text = format!("{number:?}");
        match text.split_once('e') {
            Some((digits, exponent)) if !digits.contains('.') => write!(self.out, "{digits}.0e{exponent}"),
            _ => self.out.write_str(&text),
        }
    }

    fn atom(&mut self, atom: &Atom) -> fmt::Result {
        if word::is_bare(atom.text()) {
            self.out.write_str(atom.text())
        } else {
            self.quoted('\'', atom.text())
        }
    }

    fn quoted(&mut self, quote: char, text: &str) -> fmt::Result {
        self.out.write_char(quote)?;
        for c in text.chars() {
            match word::escape(c) {
                Some(letter) => write!(self.out, "\\{letter}")?,
                None if c == quote => write!(self.out, "\\{c}")?,
                None if word::is_plain(c) => self.out.write_char(c)?,
                None => write!(self.out, "\\x{{{:x}}}", u32::from(c))?,
            }
        }
        self.out.write_char(quote)
    }

    fn binary(&mut self, bytes: &[u8]) -> fmt::Result {
        let text = str::from_utf8(bytes)
            .ok()
            .filter(|text| text.chars().all(word::is_text));
        match text {
            Some("") => self.out.write_str("<<>>"),
            Some(text) => {
                self.out.write_str("<<")?;
                self.quoted('"', text)?;
                self.out.write_str(if text.is_ascii() { ">>" } else { "/utf8>>" })
            }
            None => {
                self.bytes(bytes)?;
                self.out.write_str(">>")
            }
        }
    }

    fn bits(&mut self, bits: &Bits) -> fmt::Result {
        let Bits { bytes, last } = bits;
        if let Some((byte, whole)) = bytes.split_last() {
            self.bytes(whole)?;
            self.comma(whole.len())?;
            write!(self.out, "{}:{last}>>", byte >> (8 - last))?;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        self.out.write_str("<<")?;
        for (index, byte) in bytes.iter().enumerate() {
            self.comma(index)?;
            write!(self.out, "{byte}")?;
        }
        Ok(())
    }

    fn pid(&mut self, pid: &Pid) -> fmt::Result {
        let Pid { id, serial, .. } = pid;
        if pid.node == self.home.name {
            write!(self.out, "<0.{id}.{serial}>")
        } else {
            write!(self.out, "#Pid<{}.{id}.{serial}>", pid.node.text())
        }
    }

    fn port(&mut self, port: &Port) -> fmt::Result {
        let node = self.owner(&port.node);
        write!(self.out, "#Port<{node}.{}>", port.id)
    }

    fn reference(&mut self, reference: &Reference) -> fmt::Result {
        let node = self.owner(&reference.node);
        write!(self.out, "#Ref<{node}")?;
        // The shell shows them in reverse order.
        for id in reference.ids.iter().rev() {
            write!(self.out, ".{id}")?;
        }
        self.out.write_char('>')
    }

    fn owner<'b>(&self, node: &'b Atom) -> &'b str {
        if *node == self.home.name { "0" } else { node.text() }
    }
}

/// Breaks terms into lines.
struct Layout<'a> {
    text: String,
    column: usize,
    width: usize,
    home: &'a Identity,
}

impl Layout<'_> {
    /// Writes a term after which `after` columns are needed on the same line.
    fn term(&mut self, term: &Term, after: usize) {
        let room = self.width.saturating_sub(self.column + after);
        if let Some(text) = self.short(term, room) {
            self.put(&text);
            return;
        }
        match term {
            Term::Tuple(items) => self.items("{", items, "}", after),
            Term::List(items) if readable(items).is_none() => self.items("[", items, "]", after),
            Term::Improper(list) => {
                let (items, tail) = list.as_ref();
                self.items("[", items, "|", 0);
                self.term(tail, after + 1);
                self.put("]");
            }
            Term::Map(pairs) => self.pairs(pairs, after),
            unbreakable => {
                let text = flat(unbreakable, self.home);
                self.put(&text);
            }
        }
    }

    /// The items below one another; those without parts side by side.
    fn items(&mut self, open: &str, items: &[Term], close: &str, after: usize) {
        self.put(open);
        let indent = self.column;
        let filled = items.iter().all(is_simple);
        for (index, item) in items.iter().enumerate() {
            let last = index + 1 == items.len();
            let after = if last { after + close.len() } else { 1 };
            if index > 0 {
                self.put(",");
                let room = self.width.saturating_sub(self.column + after);
                if !filled || self.short(item, room).is_none() {
                    self.line(indent);
                }
            }
            self.term(item, after);
        }
        self.put(close);
    }

    fn pairs(&mut self, pairs: &[(Term, Term)], after: usize) {
        self.put("#{");
        let indent = self.column;
        for (index, (key, value)) in pairs.iter().enumerate() {
            if index > 0 {
                self.put(",");
                self.line(indent);
            }
            self.term(key, " =>".len());
            self.put(" =>");
            let after = if index + 1 == pairs.len() { after + 1 } else { 1 };
            let room = self.width.saturating_sub(self.column + after + 1);
            let below = self.width.saturating_sub(indent + 4 + after);
            if self.short(value, room).is_none() && self.short(value, below).is_some() {
                self.line(indent + 4);
            } else {
                self.put(" ");
            }
            self.term(value, after);
        }
        self.put("}");
    }

    /// A term on one line, if it fits into this many columns.
    fn short(&self, term: &Term, columns: usize) -> Option<String> {
        let mut out = Bounded {
            text: String::new(),
            left: columns,
        };
        let home = self.home;
        Printer { out: &mut out, home }.term(term).ok()?;
        Some(out.text)
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }
}

fn is_simple(term: &Term) -> bool {
    match term {
        Term::Tuple(items) => items.is_empty(),
        Term::List(items) => items.is_empty() || readable(items).is_some(),
        Term::Map(pairs) => pairs.is_empty(),
        Term::Improper(_) => false,
        _ => true,
    }
}

/// A text with a limit of characters.
struct Bounded {
    text: String,
    left: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let count = text.chars().count();
        self.left = self.left.checked_sub(count).ok_or(fmt::Error)?;
        self.text.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::testing::{home, readable_term};
    use super::super::parse;
    use super::*;

    fn read(text: &str) -> Term {
        parse(text, &home()).unwrap()
    }

    #[test]
    fn terms_without_a_syntax_are_shown_as_in_the_shell() {
        let here = home().name;
        let there = Atom::known("b@there");
        let pid = |node: &Atom| {
            Term::Pid(Box::new(Pid {
                node: node.clone(),
                id: 80,
                serial: 0,
                creation: 1,
            }))
        };
        let reference = Term::Reference(Box::new(Reference {
            node: here.clone(),
            creation: 1,
            ids: vec![3, 2, 1],
        }));
        let port = Term::Port(Box::new(Port {
            node: here.clone(),
            id: 5,
            creation: 1,
        }));
        let shown = flat(
            &Term::List(vec![pid(&here), pid(&there), reference, port]),
            &home(),
        );
        assert_eq!(shown, "[<0.80.0>,#Pid<b@there.80.0>,#Ref<0.1.2.3>,#Port<0.5>]");
    }

    #[test]
    fn control_characters_are_not_printed() {
        let text = flat(&Term::string("\u{1b}[31m\u{202e}\n"), &home());
        assert_eq!(text, "[27,91,51,49,109,8238,10]");
        assert_eq!(flat(&Term::string("\u{1b}[31m\n"), &home()), r#""\e[31m\n""#);
        assert_eq!(
            flat(&Term::Atom(Atom::new("\u{7}'").unwrap()), &home()),
            r"'\x{7}\''"
        );
    }

    #[test]
    fn floats_have_a_point() {
        for (number, text) in [
            (1e16, "1.0e16"),
            (1.5e-7, "1.5e-7"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (f64::MAX, "1.7976931348623157e308"),
        ] {
            assert_eq!(flat(&Term::Float(number), &home()), text);
        }
    }

    #[test]
    fn long_terms_are_broken() {
        let term = read(
            "[{memory, #{total => 123456789, 'what is used' => [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,1000], \
             name => \"a text that is rather long\"}}, {pids, [<0.1.0>, <0.2.0>]} | tail]",
        );
        insta::assert_snapshot!(pretty(&term, &home(), 40), @r#"
        [{memory,
          #{total => 123456789,
            'what is used' => [1,2,3,4,5,6,7,8,
                               9,10,11,12,13,14,
                               15,16,1000],
            name =>
                "a text that is rather long"}},
         {pids,[<0.1.0>,<0.2.0>]}|tail]
        "#);
    }

    proptest! {
        #[test]
        fn printed_terms_are_parsed(term in readable_term(), width in 0usize..120) {
            let home = home();
            prop_assert_eq!(&read(&flat(&term, &home)), &term);
            prop_assert_eq!(&read(&pretty(&term, &home, width)), &term);
        }

        #[test]
        fn lines_are_not_wider_than_the_limit(numbers in prop::collection::vec(0i64..1_000_000, 1..100), width in 10usize..100) {
            let term = Term::List(vec![Term::Tuple(numbers.into_iter().map(Term::Integer).collect())]);
            for line in pretty(&term, &home(), width).lines() {
                prop_assert!(line.chars().count() <= width, "{}", line);
            }
        }
    }
}

//! Erlang's values.

use num_bigint::BigInt;

/// The most characters that an atom has.
const MAX_ATOM: usize = 255;

/// An Erlang value. Atoms are texts: nothing is interned, so a node cannot fill a table of this
/// process.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// An integer that fits into 64 bits.
    Integer(i64),
    /// An integer that does not; [`Term::from`] a [`BigInt`] chooses the right variant.
    Big(Box<BigInt>),
    /// A finite number.
    Float(f64),
    /// `ok`
    Atom(Atom),
    /// `<<"bytes">>`
    Binary(Vec<u8>),
    /// `<<5:3>>`, bits that are not whole bytes.
    Bits(Bits),
    /// `{a, b}`
    Tuple(Vec<Term>),
    /// `[a, b]`, and a string, which is a list of its characters.
    List(Vec<Term>),
    /// `[a | b]`: at least one element, and a tail that is not a list.
    Improper(Box<(Vec<Term>, Term)>),
    /// `#{k => v}`, in the received order.
    Map(Vec<(Term, Term)>),
    /// A process.
    Pid(Box<Pid>),
    /// A port.
    Port(Box<Port>),
    /// A reference.
    Reference(Box<Reference>),
    /// `fun lists:map/2`
    Export(Box<Export>),
    /// Any other function: opaque, it can only be sent back.
    Fun(Box<Fun>),
}

/// The text of an atom: at most 255 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom(Box<str>);

/// A text is too long for an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an atom of more than {MAX_ATOM} characters")]
pub struct AtomTooLong;

/// Bits that are not whole bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    /// At least one.
    pub(super) bytes: Vec<u8>,
    /// How many bits of the last byte are used, from the highest: 1 to 7. The others are 0.
    pub(super) last: u8,
}

/// A node between two restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// As in `name@host`.
    pub name: Atom,
    /// Distinguishes the node from its earlier and later runs; part of the identity of everything
    /// that it creates.
    pub creation: u32,
}

/// A process's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pid {
    /// The node that it runs on.
    pub node: Atom,
    /// The second of the three numbers that the shell shows.
    pub id: u32,
    /// The third number.
    pub serial: u32,
    /// The creation of that node.
    pub creation: u32,
}

/// A port's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The node that has it open.
    pub node: Atom,
    /// Its number.
    pub id: u64,
    /// The creation of that node.
    pub creation: u32,
}

/// A unique value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The node that created it.
    pub node: Atom,
    /// The creation of that node.
    pub creation: u32,
    /// At most five numbers.
    pub ids: Vec<u32>,
}

/// A function by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its module.
    pub module: Atom,
    /// Its name.
    pub function: Atom,
    /// How many arguments it takes.
    pub arity: u8,
}

/// A function with an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fun {
    /// The module that defines it.
    pub module: Atom,
    /// Its number in the module.
    pub index: u32,
    /// The raw bytes, from its size on.
    pub(super) raw: Vec<u8>,
}

impl Term {
    /// The atom of a constant name, which is short.
    #[must_use]
    pub fn atom(name: &'static str) -> Term {
        Term::Atom(Atom::known(name))
    }

    /// The list of a text's characters.
    #[must_use]
    pub fn string(text: &str) -> Term {
        Term::List(text.chars().map(|c| Term::Integer(u32::from(c).into())).collect())
    }

    /// The value for an atom as key, in a map or in a list of pairs.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Term> {
        match self {
            Term::Map(pairs) => pairs
                .iter()
                .find_map(|(name, value)| name.is_atom(key).then_some(value)),
            Term::List(items) => items.iter().find_map(|item| match item.as_tuple()? {
                [name, value] if name.is_atom(key) => Some(value),
                _ => None,
            }),
            _ => None,
        }
    }

    /// Whether it is the atom called `name`.
    #[must_use]
    pub fn is_atom(&self, name: &str) -> bool {
        self.as_atom() == Some(name)
    }

    /// An atom's text.
    #[must_use]
    pub fn as_atom(&self) -> Option<&str> {
        match self {
            Term::Atom(atom) => Some(atom.text()),
            _ => None,
        }
    }

    /// A tuple's elements.
    #[must_use]
    pub fn as_tuple(&self) -> Option<&[Term]> {
        match self {
            Term::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A list's elements.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Term]> {
        match self {
            Term::List(items) => Some(items),
            _ => None,
        }
    }

    /// A number that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Term::Integer(number) => u64::try_from(*number).ok(),
            Term::Big(number) => u64::try_from(number.as_ref()).ok(),
            _ => None,
        }
    }

    /// The text that a list of characters stands for; the empty list is the empty text.
    #[must_use]
    pub fn as_text(&self) -> Option<String> {
        let character = |item: &Term| char::from_u32(u32::try_from(item.as_u64()?).ok()?);
        self.as_list()?.iter().map(character).collect()
    }
}

impl From<BigInt> for Term {
    fn from(number: BigInt) -> Term {
        i64::try_from(&number).map_or_else(|_| Term::Big(Box::new(number)), Term::Integer)
    }
}

impl Atom {
    /// The atom of that text.
    ///
    /// # Errors
    /// When it is too long.
    pub fn new(text: &str) -> Result<Atom, AtomTooLong> {
        if text.chars().count() > MAX_ATOM {
            return Err(AtomTooLong);
        }
        Ok(Atom(text.into()))
    }

    /// Its text, without quotes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The atom of a constant name, which is short.
    pub(super) fn known(name: &'static str) -> Atom {
        debug_assert!(name.len() <= MAX_ATOM, "{name}");
        Atom(name.into())
    }
}

impl Bits {
    /// The first bits of `bytes`: of the last byte only the highest `last` ones. Whole bytes are a
    /// binary.
    #[must_use]
    pub fn term(mut bytes: Vec<u8>, last: u8) -> Term {
        match bytes.last_mut() {
            Some(byte) if (1..8).contains(&last) => {
                *byte &= u8::MAX << (8 - last);
                Term::Bits(Bits { bytes, last })
            }
            _ => Term::Binary(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_has_one_form() {
        assert_eq!(Term::from(BigInt::from(i64::MIN)), Term::Integer(i64::MIN));
        let beyond = Term::from(BigInt::from(u64::MAX));
        assert!(matches!(beyond, Term::Big(_)));
        assert_eq!(beyond.as_u64(), Some(u64::MAX));
    }

    #[test]
    fn maps_and_lists_of_pairs_are_looked_up() {
        let pair = |name| (Term::atom(name), Term::Integer(1));
        let map = Term::Map(vec![pair("a"), pair("b")]);
        let list = Term::List(vec![
            Term::atom("c"),
            Term::Tuple(vec![Term::atom("b"), Term::Integer(1)]),
        ]);
        assert_eq!(map.get("b"), Some(&Term::Integer(1)));
        assert_eq!(list.get("b"), Some(&Term::Integer(1)));
        assert_eq!(list.get("c"), None);
    }

    #[test]
    fn an_atom_has_at_most_255_characters() {
        assert!(Atom::new(&"ä".repeat(255)).is_ok());
        assert_eq!(Atom::new(&"a".repeat(256)), Err(AtomTooLong));
    }

    #[test]
    fn unused_bits_are_0() {
        assert_eq!(
            Bits::term(vec![0xff], 3),
            Term::Bits(Bits {
                bytes: vec![0b1110_0000],
                last: 3
            })
        );
        assert_eq!(Bits::term(vec![0xff], 8), Term::Binary(vec![0xff]));
    }
}

//! Decoding.

use num_bigint::{BigInt, Sign};

use super::super::term::{Atom, Bits, Export, Fun, Pid, Port, Reference, Term};
use super::{MAX_DEPTH, MAX_INTEGER, MAX_TERMS, tag};

/// The least size of a fun between its tag and its module: size, arity, checksum, index, number of
/// free variables.
const FUN_HEAD: usize = 4 + 1 + 16 + 4 + 4;

/// The most numbers of a reference.
const MAX_REFERENCE: u16 = 5;

/// The bytes are not a valid term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end within a term.
    #[error("a term ends too early")]
    Short,
    /// They do not begin with the version byte.
    #[error("a term begins with byte {0} instead of 131")]
    Version(u8),
    /// The tag is unknown.
    #[error("no term has the tag {0}")]
    Tag(u8),
    /// It is compressed.
    #[error("a compressed term")]
    Compressed,
    /// It is nested too deeply.
    #[error("a term with more than {MAX_DEPTH} levels")]
    TooDeep,
    /// It has too many parts.
    #[error("a term with more than {MAX_TERMS} parts")]
    TooMany,
    /// It has an integer that is too long.
    #[error("an integer of more than {MAX_INTEGER} bytes")]
    Integer,
    /// It has an atom that is too long, or not text.
    #[error("a broken atom")]
    Atom,
    /// It has a number that is not finite, or not written as a number.
    #[error("a broken float")]
    Float,
    /// It has a bit string whose last byte has no bits, or too many.
    #[error("a broken bit string")]
    Bits,
    /// It has a reference of too many numbers.
    #[error("a broken reference")]
    Reference,
    /// It has a function whose size is wrong, or whose arity is impossible.
    #[error("a broken fun")]
    Fun,
}

/// Decodes one term, with its version byte. Returns the bytes after it, too.
///
/// # Errors
/// If there is no valid term, or it exceeds a limit.
pub fn decode(bytes: &[u8]) -> Result<(Term, &[u8]), DecodeError> {
    let mut reader = Reader {
        rest: bytes,
        terms: MAX_TERMS,
    };
    match reader.byte()? {
        tag::VERSION => {}
        other => return Err(DecodeError::Version(other)),
    }
    let term = reader.term(MAX_DEPTH)?;
    Ok((term, reader.rest))
}

// Private

struct Reader<'a> {
    rest: &'a [u8],
    /// How many more terms are allowed.
    terms: usize,
}

impl<'a> Reader<'a> {
    /// A term with at most this many levels.
    fn term(&mut self, depth: usize) -> Result<Term, DecodeError> {
        let depth = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        self.terms = self.terms.checked_sub(1).ok_or(DecodeError::TooMany)?;
        Ok(match self.byte()? {
            tag::SMALL_INTEGER => Term::Integer(self.byte()?.into()),
            tag::INTEGER => Term::Integer(i32::from_be_bytes(self.array()?).into()),
            tag::SMALL_BIG => {
                let length = self.byte()?.into();
                self.integer(length)?
            }
            tag::LARGE_BIG => {
                let length = self.length()?;
                self.integer(length)?
            }
            tag::NEW_FLOAT => finite(f64::from_be_bytes(self.array()?))?,
            tag::FLOAT => {
                let text = self.take(31)?;
                let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                let text = str::from_utf8(&text[..end]).map_err(|_| DecodeError::Float)?;
                finite(text.trim().parse().map_err(|_| DecodeError::Float)?)?
            }
            tag @ (tag::ATOM | tag::SMALL_ATOM | tag::ATOM_UTF8 | tag::SMALL_ATOM_UTF8) => {
                Term::Atom(self.atom_tagged(tag)?)
            }
            tag::BINARY => {
                let length = self.length()?;
                Term::Binary(self.take(length)?.to_vec())
            }
            tag::BIT_BINARY => {
                let length = self.length()?;
                let last = self.byte()?;
                let bytes = self.take(length)?;
                if !(1..=8).contains(&last) || bytes.is_empty() {
                    return Err(DecodeError::Bits);
                }
                Bits::term(bytes.to_vec(), last)
            }
            tag::SMALL_TUPLE => {
                let arity = self.byte()?.into();
                Term::Tuple(self.terms(arity, depth)?)
            }
            tag::LARGE_TUPLE => {
                let arity = self.length()?;
                Term::Tuple(self.terms(arity, depth)?)
            }
            tag::NIL => Term::List(Vec::new()),
            tag::STRING => {
                let length = u16::from_be_bytes(self.array()?).into();
                self.spend(length)?;
                let bytes = self.take(length)?.iter();
                Term::List(bytes.map(|byte| Term::Integer((*byte).into())).collect())
            }
            tag::LIST => {
                let length = self.length()?;
                let items = self.terms(length, depth)?;
                joined(items, self.term(depth)?)
            }
            tag::MAP => {
                let length = self.length()?;
                let mut pair = || Ok((self.term(depth)?, self.term(depth)?));
                Term::Map((0..length).map(|_| pair()).collect::<Result<_, _>>()?)
            }
            tag @ (tag::PID | tag::NEW_PID) => Term::Pid(Box::new(Pid {
                node: self.atom()?,
                id: self.u32()?,
                serial: self.u32()?,
                creation: self.creation(tag == tag::NEW_PID)?,
            })),
            tag @ (tag::PORT | tag::NEW_PORT | tag::V4_PORT) => Term::Port(Box::new(Port {
                node: self.atom()?,
                id: match tag {
                    tag::V4_PORT => u64::from_be_bytes(self.array()?),
                    _ => self.u32()?.into(),
                },
                creation: self.creation(tag != tag::PORT)?,
            })),
            tag::REFERENCE => Term::Reference(Box::new(Reference {
                node: self.atom()?,
                ids: vec![self.u32()?],
                creation: self.creation(false)?,
            })),
            tag @ (tag::NEW_REFERENCE | tag::NEWER_REFERENCE) => {
                self.reference(tag == tag::NEWER_REFERENCE)?
            }
            tag::EXPORT => Term::Export(Box::new(Export {
                module: self.atom()?,
                function: self.atom()?,
                arity: match self.array()? {
                    [tag::SMALL_INTEGER, arity] => arity,
                    _ => return Err(DecodeError::Fun),
                },
            })),
            tag::NEW_FUN => self.fun()?,
            tag::COMPRESSED => return Err(DecodeError::Compressed),
            other => return Err(DecodeError::Tag(other)),
        })
    }

    fn terms(&mut self, count: usize, depth: usize) -> Result<Vec<Term>, DecodeError> {
        // Memory grows with what is decoded, not with the announced count.
        (0..count).map(|_| self.term(depth)).collect()
    }

    fn integer(&mut self, length: usize) -> Result<Term, DecodeError> {
        if length > MAX_INTEGER {
            return Err(DecodeError::Integer);
        }
        let sign = match self.byte()? {
            0 => Sign::Plus,
            _ => Sign::Minus,
        };
        Ok(Term::from(BigInt::from_bytes_le(sign, self.take(length)?)))
    }

    fn atom(&mut self) -> Result<Atom, DecodeError> {
        let tag = self.byte()?;
        self.atom_tagged(tag)
    }

    fn atom_tagged(&mut self, tag: u8) -> Result<Atom, DecodeError> {
        let length = match tag {
            tag::SMALL_ATOM | tag::SMALL_ATOM_UTF8 => self.byte()?.into(),
            tag::ATOM | tag::ATOM_UTF8 => u16::from_be_bytes(self.array()?).into(),
            _ => return Err(DecodeError::Atom),
        };
        let bytes = self.take(length)?;
        let atom = match tag {
            tag::ATOM | tag::SMALL_ATOM => {
                let latin1: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                Atom::new(&latin1)
            }
            _ => Atom::new(str::from_utf8(bytes).map_err(|_| DecodeError::Atom)?),
        };
        atom.map_err(|_| DecodeError::Atom)
    }

    fn creation(&mut self, wide: bool) -> Result<u32, DecodeError> {
        if wide { self.u32() } else { Ok(self.byte()?.into()) }
    }

    fn reference(&mut self, wide: bool) -> Result<Term, DecodeError> {
        let length = u16::from_be_bytes(self.array()?);
        if length > MAX_REFERENCE {
            return Err(DecodeError::Reference);
        }
        let node = self.atom()?;
        let creation = self.creation(wide)?;
        let ids = (0..length).map(|_| self.u32()).collect::<Result<_, _>>()?;
        Ok(Term::Reference(Box::new(Reference { node, creation, ids })))
    }

    /// Its size includes itself and all that follows.
    fn fun(&mut self) -> Result<Term, DecodeError> {
        let size = self.rest.first_chunk().map(|size| u32::from_be_bytes(*size));
        let size = usize::try_from(size.ok_or(DecodeError::Short)?).map_err(|_| DecodeError::Fun)?;
        if size < FUN_HEAD {
            return Err(DecodeError::Fun);
        }
        let raw = self.take(size)?;
        let mut inside = Reader {
            rest: &raw[4 + 1 + 16..],
            terms: 0,
        };
        let index = inside.u32()?;
        let _count = inside.u32()?;
        let module = inside.atom()?;
        Ok(Term::Fun(Box::new(Fun {
            module,
            index,
            raw: raw.to_vec(),
        })))
    }

    fn spend(&mut self, terms: usize) -> Result<(), DecodeError> {
        self.terms = self.terms.checked_sub(terms).ok_or(DecodeError::TooMany)?;
        Ok(())
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.u32()?).map_err(|_| DecodeError::Short)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn finite(number: f64) -> Result<Term, DecodeError> {
    if number.is_finite() {
        Ok(Term::Float(number))
    } else {
        Err(DecodeError::Float)
    }
}

/// A list of these elements in front of this tail, which may be a list itself.
fn joined(mut items: Vec<Term>, tail: Term) -> Term {
    match tail {
        tail if items.is_empty() => tail,
        Term::List(more) => {
            items.extend(more);
            Term::List(items)
        }
        Term::Improper(list) => {
            let (more, tail) = *list;
            items.extend(more);
            Term::Improper(Box::new((items, tail)))
        }
        tail => Term::Improper(Box::new((items, tail))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::testing;
    use super::super::encode;
    use super::*;

    fn read(bytes: &[u8]) -> Result<Term, DecodeError> {
        let mut whole = vec![tag::VERSION];
        whole.extend(bytes);
        decode(&whole).map(|(term, _)| term)
    }

    /// As written by `term_to_binary` of OTP 25.
    #[test]
    fn terms_of_a_node_are_decoded() {
        let atom = |text| Term::Atom(Atom::new(text).unwrap());
        let cases: [(&[u8], Term); 9] = [
            (&[100, 0, 2, 111, 107], atom("ok")),
            (&[100, 0, 1, 0xe4], atom("ä")),
            (&[119, 2, 0xce, 0xbb], atom("λ")),
            (&[98, 0xff, 0xff, 0xff, 0xff], Term::Integer(-1)),
            (&[110, 8, 1, 0, 0, 0, 0, 0, 0, 0, 128], Term::Integer(i64::MIN)),
            (
                &[108, 0, 0, 0, 1, 97, 1, 97, 2],
                Term::Improper(Box::new((vec![Term::Integer(1)], Term::Integer(2)))),
            ),
            (&[107, 0, 2, 104, 105], Term::string("hi")),
            (&[70, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Term::Float(1.5)),
            (&[77, 0, 0, 0, 1, 3, 160], Bits::term(vec![160], 3)),
        ];
        for (bytes, term) in cases {
            assert_eq!(read(bytes), Ok(term), "{bytes:?}");
        }
    }

    /// As written before OTP 23.
    #[test]
    fn terms_of_old_nodes_are_decoded() {
        let mut float = vec![tag::FLOAT];
        float.extend(b"1.50000000000000000000e+00\0\0\0\0\0");
        assert_eq!(read(&float), Ok(Term::Float(1.5)));
        let node = [115, 3, b'a', b'@', b'b'];
        let pid = [&[103][..], &node, &[0, 0, 0, 7, 0, 0, 0, 1, 2]].concat();
        assert_eq!(
            read(&pid),
            Ok(Term::Pid(Box::new(Pid {
                node: Atom::known("a@b"),
                id: 7,
                serial: 1,
                creation: 2
            })))
        );
        let reference = [&[114, 0, 1][..], &node, &[2, 0, 0, 0, 7]].concat();
        assert!(matches!(read(&reference), Ok(Term::Reference(found)) if found.ids == [7]));
    }

    #[test]
    fn a_list_may_be_written_in_pieces() {
        let nested = [108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 106];
        assert_eq!(
            read(&nested),
            Ok(Term::List(vec![Term::Integer(1), Term::Integer(2)]))
        );
    }

    #[test]
    fn terms_beyond_a_limit_are_refused_before_they_are_built() {
        let lists = [108, 0, 0, 0, 1].repeat(MAX_DEPTH + 1);
        assert_eq!(read(&lists), Err(DecodeError::TooDeep));
        assert_eq!(read(&[105, 0xff, 0xff, 0xff, 0xff]), Err(DecodeError::Short));
        assert_eq!(read(&[116, 0xff, 0xff, 0xff, 0xff]), Err(DecodeError::Short));
        let mut many = vec![108];
        many.extend(u32::try_from(MAX_TERMS).unwrap().to_be_bytes());
        many.resize(MAX_TERMS + 10, tag::NIL);
        assert_eq!(read(&many), Err(DecodeError::TooMany));
        assert_eq!(read(&[111, 0, 1, 0, 0, 0]), Err(DecodeError::Integer));
        assert_eq!(read(&[80, 0, 0, 0, 1, 1]), Err(DecodeError::Compressed));
        assert_eq!(read(&[70, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::Float));
        assert_eq!(read(&[119, 1, 0xff]), Err(DecodeError::Atom));
        assert_eq!(read(&[112, 0, 0, 0, 4]), Err(DecodeError::Fun));
    }

    proptest! {
        #[test]
        fn encoded_terms_are_decoded(term in testing::term_with_funs()) {
            let mut bytes = Vec::new();
            encode(&term, &mut bytes);
            bytes.push(7);
            prop_assert_eq!(decode(&bytes), Ok((term, &[7][..])));
        }

        #[test]
        fn any_bytes_are_handled(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _whatever = read(&bytes);
        }

        #[test]
        fn a_truncated_term_is_an_error(term in testing::term_with_funs(), cut: prop::sample::Index) {
            let mut bytes = Vec::new();
            encode(&term, &mut bytes);
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }
}

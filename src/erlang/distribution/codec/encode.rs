//! Encoding.

use num_bigint::Sign;

use super::super::term::{Atom, Bits, Export, Fun, Pid, Port, Reference, Term};
use super::tag;

/// The largest number of a port that OTP 23 supports.
const OLD_PORT: u64 = (1 << 28) - 1;

/// Appends a term, with its version byte.
pub fn encode(term: &Term, into: &mut Vec<u8>) {
    into.push(tag::VERSION);
    write(term, into);
}

// Private

fn write(term: &Term, into: &mut Vec<u8>) {
    match term {
        Term::Integer(number) => integer(*number, into),
        Term::Big(number) => {
            let (sign, digits) = number.to_bytes_le();
            big(sign == Sign::Minus, &digits, into);
        }
        Term::Float(number) => {
            into.push(tag::NEW_FLOAT);
            into.extend(number.to_be_bytes());
        }
        Term::Atom(name) => atom(name, into),
        Term::Binary(bytes) => {
            into.push(tag::BINARY);
            into.extend(length(bytes.len()));
            into.extend(bytes);
        }
        Term::Bits(Bits { bytes, last }) => {
            into.push(tag::BIT_BINARY);
            into.extend(length(bytes.len()));
            into.push(*last);
            into.extend(bytes);
        }
        Term::Tuple(items) => {
            if let Ok(arity) = u8::try_from(items.len()) {
                into.extend([tag::SMALL_TUPLE, arity]);
            } else {
                into.push(tag::LARGE_TUPLE);
                into.extend(length(items.len()));
            }
            all(items, into);
        }
        Term::List(items) => list(items, into),
        Term::Improper(list) => {
            let (items, tail) = list.as_ref();
            into.push(tag::LIST);
            into.extend(length(items.len()));
            all(items, into);
            write(tail, into);
        }
        Term::Map(pairs) => {
            into.push(tag::MAP);
            into.extend(length(pairs.len()));
            for (key, value) in pairs {
                write(key, into);
                write(value, into);
            }
        }
        Term::Pid(identity) => pid(identity, into),
        Term::Port(identity) => port(identity, into),
        Term::Reference(identity) => reference(identity, into),
        Term::Export(export) => {
            let Export {
                module,
                function,
                arity,
            } = export.as_ref();
            into.push(tag::EXPORT);
            atom(module, into);
            atom(function, into);
            into.extend([tag::SMALL_INTEGER, *arity]);
        }
        Term::Fun(fun) => {
            let Fun { raw, .. } = fun.as_ref();
            into.push(tag::NEW_FUN);
            into.extend(raw);
        }
    }
}

fn all(items: &[Term], into: &mut Vec<u8>) {
    for item in items {
        write(item, into);
    }
}

/// A count. Memory ends before the count overflows.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn integer(number: i64, into: &mut Vec<u8>) {
    if let Ok(small) = u8::try_from(number) {
        into.extend([tag::SMALL_INTEGER, small]);
    } else if let Ok(number) = i32::try_from(number) {
        into.push(tag::INTEGER);
        into.extend(number.to_be_bytes());
    } else {
        let digits = number.unsigned_abs().to_le_bytes();
        let count = 8 - digits.iter().rev().take_while(|digit| **digit == 0).count();
        big(number < 0, &digits[..count], into);
    }
}

fn big(negative: bool, digits: &[u8], into: &mut Vec<u8>) {
    if let Ok(count) = u8::try_from(digits.len()) {
        into.extend([tag::SMALL_BIG, count]);
    } else {
        into.push(tag::LARGE_BIG);
        into.extend(length(digits.len()));
    }
    into.push(negative.into());
    into.extend(digits);
}

fn atom(atom: &Atom, into: &mut Vec<u8>) {
    let text = atom.text().as_bytes();
    if let Ok(length) = u8::try_from(text.len()) {
        into.extend([tag::SMALL_ATOM_UTF8, length]);
    } else {
        into.push(tag::ATOM_UTF8);
        // 255 characters of 4 bytes at most.
        into.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    }
    into.extend(text);
}

/// Short lists of bytes have a short encoding, as in Erlang.
fn list(items: &[Term], into: &mut Vec<u8>) {
    let byte = |item: &Term| match item {
        Term::Integer(number) => u8::try_from(*number).ok(),
        _ => None,
    };
    let short = u16::try_from(items.len()).ok().filter(|count| *count > 0);
    if let Some(count) = short
        && let Some(bytes) = items.iter().map(byte).collect::<Option<Vec<u8>>>()
    {
        into.push(tag::STRING);
        into.extend(count.to_be_bytes());
        into.extend(bytes);
        return;
    }
    if !items.is_empty() {
        into.push(tag::LIST);
        into.extend(length(items.len()));
        all(items, into);
    }
    into.push(tag::NIL);
}

fn pid(pid: &Pid, into: &mut Vec<u8>) {
    into.push(tag::NEW_PID);
    atom(&pid.node, into);
    into.extend(pid.id.to_be_bytes());
    into.extend(pid.serial.to_be_bytes());
    into.extend(pid.creation.to_be_bytes());
}

fn port(port: &Port, into: &mut Vec<u8>) {
    match u32::try_from(port.id) {
        Ok(id) if port.id <= OLD_PORT => {
            into.push(tag::NEW_PORT);
            atom(&port.node, into);
            into.extend(id.to_be_bytes());
        }
        _ => {
            into.push(tag::V4_PORT);
            atom(&port.node, into);
            into.extend(port.id.to_be_bytes());
        }
    }
    into.extend(port.creation.to_be_bytes());
}

fn reference(reference: &Reference, into: &mut Vec<u8>) {
    into.push(tag::NEWER_REFERENCE);
    into.extend(
        u16::try_from(reference.ids.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes(),
    );
    atom(&reference.node, into);
    into.extend(reference.creation.to_be_bytes());
    for id in &reference.ids {
        into.extend(id.to_be_bytes());
    }
}

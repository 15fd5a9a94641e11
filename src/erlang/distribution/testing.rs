//! Terms for tests, including tests with a real `erl`.

use num_bigint::{BigInt, Sign};
use proptest::prelude::*;

use super::codec::decode;
use super::{Atom, Bits, Export, Identity, Pid, Port, Reference, Term};

/// The node that tests query.
pub(super) fn home() -> Identity {
    Identity {
        name: Atom::new("a@localhost").unwrap(),
        creation: 7,
    }
}

/// Terms of every kind that need no code on a node.
pub(super) fn any_term() -> impl Strategy<Value = Term> {
    nested(prop_oneof![8 => plain(), 1 => pid(), 1 => port(), 1 => reference()])
}

/// Terms of every kind, including functions with an environment.
pub(super) fn term_with_funs() -> impl Strategy<Value = Term> {
    nested(prop_oneof![4 => any_term(), 1 => fun()])
}

/// Terms that have a syntax, including pids, which only this parser reads.
pub(super) fn readable_term() -> impl Strategy<Value = Term> {
    nested(prop_oneof![8 => plain(), 1 => pid()])
}

/// Terms that have a syntax that `erl` reads.
pub(super) fn plain_term() -> impl Strategy<Value = Term> {
    nested(plain())
}

// Private

fn nested(leaf: impl Strategy<Value = Term> + 'static) -> impl Strategy<Value = Term> {
    leaf.prop_recursive(5, 60, 8, |inner| {
        let many = prop::collection::vec(inner.clone(), 0..8);
        prop_oneof![
            many.clone().prop_map(Term::Tuple),
            many.clone().prop_map(Term::List),
            (prop::collection::vec(inner.clone(), 1..4), inner.clone())
                .prop_filter("a list as tail makes a list", |(_, tail)| {
                    !matches!(tail, Term::List(_) | Term::Improper(_))
                })
                .prop_map(|list| Term::Improper(Box::new(list))),
            prop::collection::vec((inner.clone(), inner), 0..6).prop_map(|pairs| {
                let mut unlike: Vec<(Term, Term)> = Vec::new();
                for (key, value) in pairs {
                    if unlike.iter().all(|(known, _)| *known != key) {
                        unlike.push((key, value));
                    }
                }
                Term::Map(unlike)
            }),
        ]
    })
}

fn plain() -> impl Strategy<Value = Term> {
    let finite = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    prop_oneof![
        any::<i64>().prop_map(Term::Integer),
        (-300i64..300).prop_map(Term::Integer),
        (any::<bool>(), prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(minus, digits)| {
            let sign = if minus { Sign::Minus } else { Sign::Plus };
            Term::from(BigInt::from_bytes_le(sign, &digits))
        }),
        finite.prop_map(Term::Float),
        atom().prop_map(Term::Atom),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Term::Binary),
        "\\PC{0,20}".prop_map(|text| Term::Binary(text.into_bytes())),
        any::<String>().prop_map(|text| Term::string(&text)),
        (prop::collection::vec(any::<u8>(), 1..10), 1u8..8).prop_map(|(bytes, last)| Bits::term(bytes, last)),
        // In ASCII: OTP 25 prints others in a form that it cannot read itself.
        ("[a-z]{2,4}", "[ -~]{1,10}", any::<u8>()).prop_map(|(module, function, arity)| {
            Term::Export(Box::new(Export {
                module: Atom::new(&module).unwrap(),
                function: Atom::new(&function).unwrap(),
                arity,
            }))
        }),
    ]
}

fn pid() -> impl Strategy<Value = Term> {
    (any::<u32>(), any::<u32>()).prop_map(|(id, serial)| {
        let Identity { name, creation } = home();
        Term::Pid(Box::new(Pid {
            node: name,
            id,
            serial,
            creation,
        }))
    })
}

fn port() -> impl Strategy<Value = Term> {
    (any::<u64>(), any::<u32>()).prop_map(|(id, creation)| {
        let node = home().name;
        Term::Port(Box::new(Port { node, id, creation }))
    })
}

fn reference() -> impl Strategy<Value = Term> {
    (any::<u32>(), prop::collection::vec(any::<u32>(), 3..=5)).prop_map(|(creation, ids)| {
        let node = home().name;
        Term::Reference(Box::new(Reference { node, creation, ids }))
    })
}

fn fun() -> impl Strategy<Value = Term> {
    (any::<u32>(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(index, rest)| {
        let size = u32::try_from(4 + 1 + 16 + 4 + 4 + 4 + rest.len()).unwrap();
        let head = [
            &[131, 112][..],
            &size.to_be_bytes(),
            &[0; 17],
            &index.to_be_bytes(),
        ]
        .concat();
        let module = [0, 0, 0, 0, 119, 2, b'm', b'y'];
        decode(&[&head, &module[..], &rest].concat()).unwrap().0
    })
}

/// Without the two characters that Erlang's scanner does not accept in any form.
fn atom() -> impl Strategy<Value = Atom> {
    prop_oneof!["[a-z][a-z0-9_@]{0,8}", "[a-z]{2,4}", any::<String>()].prop_map(|text| {
        let can_be_scanned = |c: &char| !matches!(c, '\u{fffe}' | '\u{ffff}');
        let short: String = text.chars().filter(can_be_scanned).take(255).collect();
        Atom::new(&short).unwrap()
    })
}

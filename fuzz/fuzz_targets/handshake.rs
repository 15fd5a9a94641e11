//! The messages of a peer in Erlang's handshake.
//!
//! The first byte selects the manner; then messages follow, each after its length in one byte.

#![no_main]

use clusterctl::erlang::distribution::handshake::{Handshake, HandshakeMode, Step};
use clusterctl::erlang::distribution::{Atom, Cookie, Identity};
use libfuzzer_sys::fuzz_target;

const MANNERS: [HandshakeMode; 3] = [HandshakeMode::Nameless, HandshakeMode::Named, HandshakeMode::Old];

fuzz_target!(|input: &[u8]| {
    let Some((manner, mut rest)) = input.split_first() else {
        return;
    };
    let own = Identity {
        name: Atom::new("a@b").unwrap(),
        creation: 1,
    };
    let manner = MANNERS[usize::from(manner % 3)];
    let (mut handshake, _) = Handshake::begin(manner, own, Cookie::new(b"secret").unwrap(), 7);
    while let [length, following @ ..] = rest {
        let (message, after) = following.split_at(usize::from(*length).min(following.len()));
        match handshake.handle(message) {
            Ok(Step::Go(next, answers)) => {
                assert!(answers.len() <= 2);
                handshake = next;
            }
            Ok(Step::Done(peer)) => {
                assert!(peer.node.name.text().contains('@'));
                return;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        }
        rest = after;
    }
});

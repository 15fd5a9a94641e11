//! Erlang terms, as bytes from a node and as text from a user.

#![no_main]

use clusterctl::erlang::distribution::codec::{decode, encode};
use clusterctl::erlang::distribution::syntax::{Json, flat, parse, pretty};
use clusterctl::erlang::distribution::{Atom, Identity};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let home = Identity {
        name: Atom::new("a@b").unwrap(),
        creation: 1,
    };
    if let Ok((term, _)) = decode(input) {
        let mut bytes = Vec::new();
        encode(&term, &mut bytes);
        assert_eq!(decode(&bytes), Ok((term.clone(), &[][..])));
        assert!(!pretty(&term, &home, 40).is_empty());
        serde_json::to_string(&Json { term: &term, home: &home }).unwrap();
    }
    if let Ok(Ok(term)) = str::from_utf8(input).map(|text| parse(text, &home)) {
        assert_eq!(parse(&flat(&term, &home), &home), Ok(term.clone()));
        assert_eq!(parse(&pretty(&term, &home, 20), &home), Ok(term));
    }
});

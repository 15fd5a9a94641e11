//! The client of Erlang's distribution protocol, against real nodes.

mod asking;
mod command;
mod node;
mod questions;
mod terms;
#[expect(dead_code, reason = "unit tests use the rest of it")]
#[path = "../../../src/erlang/distribution/testing.rs"]
mod testing;

use clusterctl::erlang::distribution::{Atom, Bits, Export, Identity, Pid, Port, Reference, Term, codec};

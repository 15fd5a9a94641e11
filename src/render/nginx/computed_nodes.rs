//! The node that nginx computes for a client's address: what its `split_clients` blocks do, computed
//! here.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::affinity::{address_choices, by_address};
use super::split_clients::hundredths;
use crate::profile::Cluster;
use crate::render::pool::Pool;

/// The nodes of clients over TCP.
#[derive(Clone, Debug)]
pub struct ComputedNodes {
    choices: Vec<Choice>,
    away: BTreeSet<String>,
}

/// One `split_clients` block.
#[derive(Clone, Debug)]
struct Choice {
    /// What follows the client's address in the text that is hashed.
    suffix: String,
    /// Each node, and the hash at which the share of the next one begins; `None` for the last one.
    nodes: Vec<(String, Option<u32>)>,
}

impl ComputedNodes {
    /// The computation while the nodes in `away` get no new clients; `None` where nginx does not
    /// compute the nodes of clients over TCP.
    #[must_use]
    pub fn of_tcp(cluster: &Cluster, away: &BTreeSet<String>) -> Option<ComputedNodes> {
        if !by_address(Pool::Tcp, cluster) {
            return None;
        }
        let choices = address_choices(cluster, away).into_iter().map(|choice| Choice {
            suffix: choice.suffix(),
            nodes: bounds(&choice.weights),
        });
        Some(ComputedNodes {
            choices: choices.collect(),
            away: away.clone(),
        })
    }

    /// The node that a new connection from this address gets.
    #[must_use]
    pub fn of(&self, client: IpAddr) -> Option<&str> {
        let choice = |choice: &Choice| {
            let hash = murmur_hash_2(format!("{client}{}", choice.suffix).as_bytes());
            let mut nodes = choice.nodes.iter();
            let found = nodes.position(|(_, end)| end.is_none_or(|end| hash < end))?;
            Some(found)
        };
        let mut names = self
            .choices
            .iter()
            .filter_map(|it| Some(it.nodes.get(choice(it)?)?.0.as_str()));
        names.find(|name| !self.away.contains(*name))
    }
}

// Private

/// The ends of shares, in nginx's arithmetic: each share is rounded down for itself.
fn bounds(weights: &[(String, u64)]) -> Vec<(String, Option<u32>)> {
    let weights: Vec<(&str, u64)> = weights
        .iter()
        .map(|(name, weight)| (name.as_str(), *weight))
        .collect();
    let mut end = 0_u64;
    let shares = hundredths(&weights);
    let last = shares.len().saturating_sub(1);
    let bound = |(index, (name, part)): (usize, (&str, u64))| {
        end += part * u64::from(u32::MAX) / 10_000;
        let end = (index < last).then(|| u32::try_from(end).unwrap_or(u32::MAX));
        (name.to_owned(), end)
    };
    shares.into_iter().enumerate().map(bound).collect()
}

/// `MurmurHash2` by Austin Appleby with the seed 0, as in nginx's `ngx_murmurhash.c`.
fn murmur_hash_2(bytes: &[u8]) -> u32 {
    const FACTOR: u32 = 0x5bd1_e995;
    #[expect(clippy::cast_possible_truncation, reason = "as in nginx; addresses are short")]
    let mut hash = bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        word ^= word >> 24;
        hash = hash.wrapping_mul(FACTOR) ^ word.wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    #[test]
    fn the_hash_is_murmur_hash_2() {
        // Of the reference implementation, with seed 0.
        assert_eq!(murmur_hash_2(b""), 0);
        assert_eq!(murmur_hash_2(b"a"), 0x9268_5f5e);
        assert_eq!(murmur_hash_2(b"abcd"), 0x2687_3021);
    }

    #[test]
    fn a_client_moves_only_while_its_node_is_away() {
        let cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let none = BTreeSet::new();
        let one = BTreeSet::from([cluster.nodes[1].name.clone()]);
        let (all, three) = (
            ComputedNodes::of_tcp(&cluster, &none).unwrap(),
            ComputedNodes::of_tcp(&cluster, &one).unwrap(),
        );
        let clients = (0..4_000_u32).map(|number| IpAddr::from((0x7f00_0000 + number).to_be_bytes()));
        let mut counts = [0; 4];
        for client in clients {
            let (now, then) = (all.of(client).unwrap(), three.of(client).unwrap());
            assert!(!one.contains(then));
            assert!(now == then || one.contains(now), "{client}: {now} {then}");
            counts[cluster.nodes.iter().position(|node| node.name == now).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }
}

//! The server that the path of a request determines.

use std::net::Ipv6Addr;

use super::{Candidate, rendezvous};
use crate::dataplane::address;

/// The offset and the prime of FNV-1a with 128 bits (Fowler, Noll, Vo).
const FNV_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// The server with the best number from the digest of the path and its own id. As for HAProxy's
/// `balance uri`, the query does not count.
pub(super) fn pick(candidates: &[Candidate], digest: u128) -> Option<usize> {
    let digest = Ipv6Addr::from_bits(digest);
    rendezvous::pick(candidates, |id| address::hash(digest, u64::from(id)))
}

/// The digest of a path.
pub(crate) fn path_digest(path: &str) -> u128 {
    path.bytes().fold(FNV_OFFSET, |digest, byte| {
        (digest ^ u128::from(byte)).wrapping_mul(FNV_PRIME)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn servers(ids: impl Iterator<Item = u32>) -> Vec<Candidate> {
        let server = |id| Candidate {
            weight: 100,
            sessions: 0,
            id,
        };
        ids.map(server).collect()
    }

    #[test]
    fn a_server_that_leaves_moves_only_its_own_paths() {
        let (all, fewer) = (servers(1..=4), servers(1..=3));
        let mut held: BTreeMap<u32, u32> = BTreeMap::new();
        for number in 0..4_000 {
            let path = format!("/mcp/tenant/{number}");
            let before = all[pick(&all, path_digest(&path)).unwrap()].id;
            let after = fewer[pick(&fewer, path_digest(&path)).unwrap()].id;
            assert!(before == after || before == 4, "{path}");
            *held.entry(before).or_default() += 1;
        }
        // Four standard deviations of as many fair draws.
        assert!(
            held.len() == 4 && held.values().all(|held| held.abs_diff(1_000) < 110),
            "{held:?}"
        );
    }

    #[test]
    fn choices_stay_what_they_are() {
        let all = servers(1..=4);
        let of = |path| all[pick(&all, path_digest(path)).unwrap()].id;
        assert_eq!(["/mcp", "/mcp/a", "/", ""].map(of), [2, 4, 2, 3]);
    }
}

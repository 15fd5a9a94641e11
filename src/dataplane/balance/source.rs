//! The server that the client's address determines.

use std::net::IpAddr;

use super::{Candidate, rendezvous};
use crate::dataplane::address;

/// The server with the best number from the client's address and its own id.
pub(super) fn pick(candidates: &[Candidate], client: IpAddr) -> Option<usize> {
    let client = address::mapped(client);
    rendezvous::pick(candidates, |id| address::hash(client, u64::from(id)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn servers(weights: &[u32]) -> Vec<Candidate> {
        (1..)
            .zip(weights)
            .map(|(id, &weight)| Candidate {
                weight,
                sessions: 0,
                id,
            })
            .collect()
    }

    fn id(candidates: &[Candidate], client: IpAddr) -> Option<u32> {
        pick(candidates, client).map(|place| candidates[place].id)
    }

    fn client() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
            any::<IpAddr>()
        ]
    }

    proptest! {
        #[test]
        fn a_server_that_leaves_moves_only_its_own(
            weights in prop::collection::vec(0u32..=256, 2..40), leaves: prop::sample::Index, client in client(),
        ) {
            let before = servers(&weights);
            let mut after = before.clone();
            let gone = after.swap_remove(leaves.index(weights.len()));
            let had = id(&before, client);
            if had != Some(gone.id) {
                prop_assert_eq!(id(&after, client), had);
            }
        }

        #[test]
        fn a_weight_that_changes_moves_only_to_it_or_from_it(
            weights in prop::collection::vec(0u32..=256, 2..40),
            changes: prop::sample::Index, weight in 0u32..=256, client in client(),
        ) {
            let before = servers(&weights);
            let mut after = before.clone();
            let changed = &mut after[changes.index(weights.len())];
            let (grew, changed) = (weight > changed.weight, { changed.weight = weight; changed.id });
            let (had, has) = (id(&before, client), id(&after, client));
            if had != has {
                prop_assert_eq!(if grew { has } else { had }, Some(changed));
            }
        }

        #[test]
        fn order_does_not_matter(weights in prop::collection::vec(0u32..=256, 1..40), client in client()) {
            let mut candidates = servers(&weights);
            let forwards = id(&candidates, client);
            candidates.reverse();
            prop_assert_eq!(id(&candidates, client), forwards);
        }
    }

    #[test]
    fn clients_spread_by_weight() {
        let candidates = servers(&[100, 100, 50, 250, 0]);
        let clients = 40_000_u32;
        let mut held: BTreeMap<u32, f64> = BTreeMap::new();
        for client in 0..clients {
            let client = Ipv4Addr::from(0x0a00_0000 + client);
            *held.entry(id(&candidates, client.into()).unwrap()).or_default() += 1.0;
        }
        assert_eq!(held.len(), 4);
        for server in &candidates[..4] {
            let fair = f64::from(clients) * f64::from(server.weight) / 500.0;
            // Four standard deviations of as many fair draws.
            assert!((held[&server.id] - fair).abs() < 4.0 * fair.sqrt(), "{held:?}");
        }
    }
}

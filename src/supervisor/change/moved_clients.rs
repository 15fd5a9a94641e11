//! How many of the clients that are spread by their address get another node when nodes come or go.

use std::collections::BTreeMap;

use crate::profile::{BalancerKind, Cluster};

/// A share of the clients, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    part: u64,
    whole: u64,
}

impl Share {
    /// The clients that get another node, where a balancer of `kind` computes the node from the
    /// address.
    ///
    /// HAProxy and the built-in balancer hash so that no other clients move than have to. nginx
    /// divides the addresses into one range for each node, in the order of the nodes: where one
    /// comes or goes, the limits of the others move too.
    pub(super) fn moved(kind: BalancerKind, was: &Cluster, is: &Cluster) -> Share {
        let (was, is) = (weights(was), weights(is));
        let sum = |weights: &[(&str, u64)]| weights.iter().map(|(_, weight)| weight).sum::<u64>();
        let (before, after) = (sum(&was), sum(&is));
        let whole = before * after;
        let kept: u64 = if kind == BalancerKind::Nginx {
            let (was, is) = (ranges(&was, after), ranges(&is, before));
            let overlap = |(name, (from, to)): (&&str, &(u64, u64))| {
                let (begin, end) = is.get(name).copied().unwrap_or_default();
                (*to).min(end).saturating_sub((*from).max(begin))
            };
            was.iter().map(overlap).sum()
        } else {
            let is: BTreeMap<&str, u64> = is.into_iter().collect();
            let kept = |(name, weight): (&str, u64)| {
                let weight_after = is.get(name).copied().unwrap_or_default();
                (weight * after).min(weight_after * before)
            };
            was.into_iter().map(kept).sum()
        };
        Share {
            part: whole.saturating_sub(kept),
            whole,
        }
    }

    /// Whether there are none.
    pub(super) const fn is_zero(self) -> bool {
        self.part == 0
    }

    /// In percent, rounded, and at least 1 unless it is none.
    pub(super) fn percent(self) -> u64 {
        match self.of(100) {
            0 if !self.is_zero() => 1,
            percent => percent,
        }
    }

    /// This share of `count`, rounded.
    pub(super) fn of(self, count: u64) -> u64 {
        let [count, part, whole] = [count, self.part, self.whole].map(u128::from);
        let share = (count * part * 2 + whole).checked_div(whole * 2).unwrap_or(0);
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

// Private

fn weights(cluster: &Cluster) -> Vec<(&str, u64)> {
    let nodes = cluster.nodes.iter();
    nodes
        .map(|node| (node.name.as_str(), node.weight.into()))
        .collect()
}

/// The range of each node, in units of which there are `unit` for each unit of weight.
fn ranges<'a>(weights: &[(&'a str, u64)], unit: u64) -> BTreeMap<&'a str, (u64, u64)> {
    let mut end = 0;
    let ranges = weights.iter().map(|(name, weight)| {
        let begin = end;
        end += weight * unit;
        (*name, (begin, end))
    });
    ranges.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};
    use BalancerKind::{Builtin, Haproxy, Nginx};

    fn cluster(names: &[&str]) -> Cluster {
        let mut cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let node = cluster.nodes.swap_remove(0);
        let copy = |name: &&str| {
            let mut node = node.clone();
            node.name = (*name).to_owned();
            node
        };
        cluster.nodes = names.iter().map(copy).collect();
        cluster
    }

    fn percent(kind: BalancerKind, was: &[&str], is: &[&str]) -> u64 {
        Share::moved(kind, &cluster(was), &cluster(is)).percent()
    }

    #[test]
    fn a_hash_moves_no_other_clients_than_it_has_to() {
        for kind in [Builtin, Haproxy] {
            assert_eq!(percent(kind, &["a", "b", "c", "d"], &["a", "b", "c", "d"]), 0);
            assert_eq!(percent(kind, &["a", "b", "c", "d"], &["a", "b", "c"]), 25);
            assert_eq!(percent(kind, &["a", "b", "c", "d"], &["b", "c", "d"]), 25);
            assert_eq!(percent(kind, &["a", "b", "c"], &["a", "b", "c", "d"]), 25);
            assert_eq!(percent(kind, &["a", "b"], &["c", "d"]), 100);
        }
    }

    #[test]
    fn ranges_of_addresses_move_when_a_node_comes_or_goes() {
        assert_eq!(percent(Nginx, &["a", "b", "c", "d"], &["a", "b", "c", "d"]), 0);
        // 25 % of d, and of the others what the limits have moved by: 8.3 % and 16.7 %.
        assert_eq!(percent(Nginx, &["a", "b", "c", "d"], &["a", "b", "c"]), 50);
        assert_eq!(percent(Nginx, &["a", "b", "c"], &["a", "b", "c", "d"]), 50);
        assert_eq!(percent(Nginx, &["a", "b", "c", "d"], &["b", "c", "d"]), 50);
    }

    #[test]
    fn a_share_of_clients_is_rounded() {
        let share = Share::moved(Builtin, &cluster(&["a", "b", "c"]), &cluster(&["a", "b"]));
        assert_eq!((share.of(10), share.of(100), share.percent()), (3, 33, 33));
        let same = Share::moved(Builtin, &cluster(&["a"]), &cluster(&["a"]));
        assert!(same.is_zero());
        assert_eq!((same.of(10), same.percent()), (0, 0));
    }
}

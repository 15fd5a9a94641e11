//! Each server in turn, in proportion to its weight, and never in bursts.

use super::Candidate;

/// Smooth weighted round robin, as in nginx. Each pick is divided among the candidates by weight,
/// and goes to the candidate with the largest unpaid share:
///
/// ```text
/// owed += weight    for all
/// owed -= total     for the greatest, which is chosen
/// ```
///
/// While the weights stay, every `total / gcd` picks are exact, no server is a whole pick ahead of
/// its share, nor more than `1 + ln(servers)` behind. When they change, each server keeps its
/// unpaid share as the same number of *picks*: so whatever the weights do, no server gets further
/// than `2 + log2(servers)` from its share, and a server that returns from a drain or grows by
/// slowstart neither starves nor takes all picks for a while.
#[derive(Debug, Default)]
pub(crate) struct Roundrobin {
    /// One entry for each candidate of the last picks, as far as possible in their order.
    turns: Vec<Turn>,
    /// The sum of the weights at the last pick, in the fine unit; the unit of `owed`.
    total: i64,
}

/// The unpaid share of one server.
#[derive(Clone, Copy, Debug)]
struct Turn {
    id: u32,
    /// In fine weights; `total` of them are one pick.
    owed: i64,
}

/// Fine weights per weight unit, so that converting to another total rounds off almost nothing.
const FINE_BITS: u32 = 16;

impl Roundrobin {
    pub(super) fn pick(&mut self, candidates: &[Candidate]) -> Option<usize> {
        let total: i64 = candidates.iter().map(fine).sum();
        if total == 0 {
            return None;
        }
        self.set_total(total);
        self.sync_entries(candidates);
        let mut place = 0;
        let mut best: Option<(usize, usize)> = None;
        for (nth, candidate) in candidates.iter().enumerate() {
            place = self.find(candidate.id, place)?;
            if candidate.weight > 0 {
                self.turns[place].owed += fine(candidate);
                if best.is_none_or(|(_, best)| self.turns[place].owed > self.turns[best].owed) {
                    best = Some((nth, place));
                }
            }
            place += 1;
        }
        let (nth, best) = best?;
        self.turns[best].owed -= total;
        Some(nth)
    }

    // Private

    /// Converts every server's unpaid share to a new total.
    fn set_total(&mut self, total: i64) {
        if self.total != total && self.total != 0 {
            for turn in &mut self.turns {
                let owed = i128::from(turn.owed) * i128::from(total) / i128::from(self.total);
                turn.owed = i64::try_from(owed).unwrap_or_default();
            }
        }
        self.total = total;
    }

    /// Adds an entry for each new candidate, with an unpaid share of 0. Then removes the entries
    /// that are not candidates now, so that there are never more entries than there were
    /// candidates; their unpaid shares are spread over all.
    fn sync_entries(&mut self, candidates: &[Candidate]) {
        let mut place = 0;
        let all_known = candidates.iter().all(|candidate| {
            let found = self.find(candidate.id, place);
            place = found.map_or(0, |found| found + 1);
            found.is_some()
        });
        if all_known {
            return;
        }
        let known = std::mem::take(&mut self.turns);
        let owed = |candidate: &Candidate| {
            known
                .iter()
                .find(|turn| turn.id == candidate.id)
                .map(|turn| turn.owed)
        };
        let stay: Vec<i64> = candidates.iter().filter_map(owed).collect();
        // The unpaid shares add up to 0 again, except for the division's remainder.
        let each = stay.iter().sum::<i64>() / i64::try_from(stay.len().max(1)).unwrap_or(i64::MAX);
        self.turns = candidates
            .iter()
            .map(|candidate| Turn {
                id: candidate.id,
                owed: owed(candidate).map_or(0, |owed| owed - each),
            })
            .collect();
    }

    /// The index of `id`'s entry; the search starts at `place`, because candidates mostly come in
    /// the same order.
    fn find(&self, id: u32, place: usize) -> Option<usize> {
        let (before, from) = self.turns.split_at_checked(place)?;
        from.iter()
            .position(|turn| turn.id == id)
            .map(|at| at + place)
            .or_else(|| before.iter().position(|turn| turn.id == id))
    }
}

fn fine(candidate: &Candidate) -> i64 {
    i64::from(candidate.weight) << FINE_BITS
}

#[cfg(test)]
mod tests {
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

    fn weights() -> impl Strategy<Value = Vec<u32>> {
        prop_oneof![
            prop::collection::vec(0u32..=256, 1..20),
            prop::collection::vec(0u32..=256 * 256, 1..20),
            prop::collection::vec(Just(100u32), 1..20),
        ]
    }

    /// How far each server is from its share, in picks: above zero it is behind.
    #[derive(Default)]
    struct Behind(Vec<f64>);

    impl Behind {
        fn count(&mut self, weights: &[u32], chosen: usize) {
            let total: u32 = weights.iter().sum();
            self.0.resize(weights.len(), 0.0);
            for (behind, &weight) in self.0.iter_mut().zip(weights) {
                *behind += f64::from(weight) / f64::from(total);
            }
            self.0[chosen] -= 1.0;
        }

        fn is_within(&self, ahead: f64, behind: f64) -> bool {
            self.0
                .iter()
                .all(|it| (-ahead - 1e-6..=behind + 1e-6).contains(it))
        }
    }

    fn count(servers: usize) -> f64 {
        f64::from(u32::try_from(servers).unwrap())
    }

    proptest! {
        #[test]
        fn picks_are_nginxs(weights in weights(), picks in 0usize..600) {
            let candidates = servers(&weights);
            let total: i64 = weights.iter().copied().map(i64::from).sum();
            let mut nginx = vec![0; weights.len()];
            let mut roundrobin = Roundrobin::default();
            for _ in 0..if total == 0 { 0 } else { picks } {
                let mut best = None;
                for (place, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
                    nginx[place] += i64::from(weight);
                    if best.is_none_or(|best: usize| nginx[place] > nginx[best]) {
                        best = Some(place);
                    }
                }
                nginx[best.unwrap()] -= total;
                prop_assert_eq!(roundrobin.pick(&candidates), best);
            }
        }

        #[test]
        fn a_cycle_is_exact(weights in prop::collection::vec(0u32..=20, 1..20), times in 1u32..10, factor in 1u32..=256) {
            let scaled: Vec<u32> = weights.iter().map(|weight| weight * factor).collect();
            let candidates = servers(&scaled);
            let mut chosen = vec![0; weights.len()];
            let mut roundrobin = Roundrobin::default();
            for _ in 0..weights.iter().sum::<u32>() * times {
                chosen[roundrobin.pick(&candidates).unwrap()] += 1;
            }
            prop_assert_eq!(chosen, weights.iter().map(|weight| weight * times).collect::<Vec<_>>());
        }

        #[test]
        fn no_server_gets_far_from_its_share(weights in weights()) {
            let candidates = servers(&weights);
            let mut roundrobin = Roundrobin::default();
            let mut behind = Behind::default();
            for _ in 0..300 {
                let Some(chosen) = roundrobin.pick(&candidates) else { break };
                behind.count(&weights, chosen);
                prop_assert!(behind.is_within(1.0, 1.0 + count(weights.len()).ln()), "{:?}", behind.0);
            }
        }

        #[test]
        fn shares_stay_close_while_weights_change(
            changes in (1usize..16).prop_flat_map(|servers| {
                let weight = prop_oneof![2 => Just(0u32), 2 => 0u32..=256, 1 => 0u32..=256 * 256];
                prop::collection::vec((prop::collection::vec(weight, servers), 1usize..20), 1..40)
            }),
        ) {
            let mut roundrobin = Roundrobin::default();
            let mut behind = Behind::default();
            for (weights, picks) in changes {
                let bound = 2.0 + count(weights.len()).log2();
                for _ in 0..picks {
                    let Some(chosen) = roundrobin.pick(&servers(&weights)) else { break };
                    prop_assert!(weights[chosen] > 0);
                    behind.count(&weights, chosen);
                    prop_assert!(behind.is_within(bound, bound), "{:?}", behind.0);
                }
            }
        }

        #[test]
        fn servers_that_come_and_go_leave_the_rest_even(
            sets in prop::collection::vec((prop::collection::btree_set(1u32..30, 1..12), 1usize..30), 1..30),
        ) {
            let mut roundrobin = Roundrobin::default();
            for (ids, rounds) in sets {
                let candidates: Vec<Candidate> =
                    ids.iter().map(|&id| Candidate { weight: 7, sessions: 0, id }).collect();
                let mut chosen = vec![0usize; candidates.len()];
                for _ in 0..rounds * candidates.len() {
                    chosen[roundrobin.pick(&candidates).unwrap()] += 1;
                }
                let slack = 4 + candidates.len().ilog2() as usize;
                prop_assert!(chosen.iter().all(|&it| it.abs_diff(rounds) <= slack), "{chosen:?} in {rounds}");
                prop_assert!(roundrobin.turns.len() <= 30);
            }
        }
    }

    #[test]
    fn heavy_servers_do_not_come_in_bursts() {
        let candidates = servers(&[5, 1, 1]);
        let mut roundrobin = Roundrobin::default();
        let order: Vec<usize> = (0..7).map(|_| roundrobin.pick(&candidates).unwrap()).collect();
        // The example of nginx's own commit message.
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_server_drained_for_long_takes_no_more_than_its_turn() {
        let mut roundrobin = Roundrobin::default();
        for _ in 0..10_000 {
            assert_ne!(roundrobin.pick(&servers(&[0, 100, 100])), Some(0));
        }
        let back = servers(&[100, 100, 100]);
        let order: Vec<usize> = (0..6).map(|_| roundrobin.pick(&back).unwrap()).collect();
        assert!(
            (0..3).all(|place| order.iter().filter(|it| **it == place).count() == 2),
            "{order:?}"
        );
    }
}

//! The server with the fewest sessions for its weight.

use std::cmp::Ordering;

use super::Candidate;

/// Least connections, as HAProxy counts them: the smallest `(sessions + 1) / weight`. Equal servers
/// take turns by id.
#[derive(Debug, Default)]
pub(crate) struct Leastconn {
    /// The id that was chosen last.
    last: u32,
}

impl Leastconn {
    pub(super) fn pick(&mut self, candidates: &[Candidate]) -> Option<usize> {
        let last = self.last;
        let (place, chosen) = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.weight > 0)
            .min_by(|(_, one), (_, other)| {
                load(one, other).then_with(|| turn(one.id, last).cmp(&turn(other.id, last)))
            })?;
        self.last = chosen.id;
        Some(place)
    }
}

// Private

/// Compares the loads of two servers, each with the client added; multiplied out, because division
/// would round.
fn load(one: &Candidate, other: &Candidate) -> Ordering {
    let with_client = |candidate: &Candidate| u64::from(candidate.sessions) + 1;
    let [one_of_others, other_of_ones] = [
        with_client(one) * u64::from(other.weight),
        with_client(other) * u64::from(one.weight),
    ];
    one_of_others.cmp(&other_of_ones)
}

/// How many ids are between `last` and `id`, counting up and wrapping around.
const fn turn(id: u32, last: u32) -> u32 {
    id.wrapping_sub(last).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        prop::collection::vec((0u32..=256, 0u32..50), 1..40).prop_map(|servers| {
            (1..)
                .zip(servers)
                .map(|(id, (weight, sessions))| Candidate { weight, sessions, id })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn no_server_is_less_loaded_than_the_chosen_one(candidates in candidates()) {
            let chosen = Leastconn::default().pick(&candidates);
            prop_assert_eq!(chosen.is_none(), candidates.iter().all(|it| it.weight == 0));
            if let Some(chosen) = chosen.map(|place| candidates[place]) {
                prop_assert!(chosen.weight > 0);
                for other in candidates.iter().filter(|it| it.weight > 0) {
                    prop_assert!(
                        u64::from(chosen.sessions + 1) * u64::from(other.weight)
                            <= u64::from(other.sessions + 1) * u64::from(chosen.weight)
                    );
                }
            }
        }

        #[test]
        fn equals_take_turns(count in 1u32..40, rounds in 1usize..5) {
            let candidates: Vec<Candidate> =
                (1..=count).rev().map(|id| Candidate { weight: 256, sessions: 3, id }).collect();
            let mut leastconn = Leastconn::default();
            for _ in 0..rounds {
                let order: Vec<u32> =
                    candidates.iter().map(|_| candidates[leastconn.pick(&candidates).unwrap()].id).collect();
                prop_assert_eq!(order, (1..=count).collect::<Vec<_>>());
            }
        }

        #[test]
        fn sessions_end_up_by_weight(weights in prop::collection::vec(1u32..=256, 1..20), each in 1u32..10) {
            let mut candidates: Vec<Candidate> =
                (1..).zip(&weights).map(|(id, &weight)| Candidate { weight, sessions: 0, id }).collect();
            let mut leastconn = Leastconn::default();
            for _ in 0..weights.iter().sum::<u32>() * each {
                let place = leastconn.pick(&candidates).unwrap();
                candidates[place].sessions += 1;
            }
            for candidate in candidates {
                prop_assert_eq!(candidate.sessions, candidate.weight * each);
            }
        }
    }

    #[test]
    fn large_counts_do_not_overflow() {
        let full = |weight, id| Candidate {
            weight,
            sessions: u32::MAX,
            id,
        };
        assert_eq!(
            Leastconn::default().pick(&[full(1, 1), full(u32::MAX, 2)]),
            Some(1)
        );
    }
}

//! A node's health according to its last check results.

/// How many results in a row change a node's health; at least one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Good results until it is up.
    pub rise: u16,
    /// Bad results until it is down.
    pub fall: u16,
}

/// Whether a node is up, and how close to changing that.
///
/// ```text
///            bad, fall in a row
///        ┌───────────────────────┐
///        │                       ▼
///   Up {failed}            Down {passed}
///    │   ▲   ▲               │   ▲   │
///    └───┘   └───────────────┘   └───┘
///  good: 0   good, rise in a row  bad: 0
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answers.
    Up {
        /// Bad results in a row; fewer than `fall`.
        failed: u16,
    },
    /// It does not answer.
    Down {
        /// Good results in a row; fewer than `rise`.
        passed: u16,
    },
}

impl Standing {
    /// Up, with no bad result.
    pub const UP: Standing = Standing::Up { failed: 0 };
    /// Down, with no good result.
    pub const DOWN: Standing = Standing::Down { passed: 0 };

    /// The health after one more result.
    #[must_use]
    pub const fn after(self, good: bool, rules: Rules) -> Standing {
        match self {
            Standing::Up { .. } if good => Standing::UP,
            Standing::Up { failed } if failed.saturating_add(1) >= rules.fall => Standing::DOWN,
            Standing::Up { failed } => Standing::Up {
                failed: failed.saturating_add(1),
            },
            Standing::Down { .. } if !good => Standing::DOWN,
            Standing::Down { passed } if passed.saturating_add(1) >= rules.rise => Standing::UP,
            Standing::Down { passed } => Standing::Down {
                passed: passed.saturating_add(1),
            },
        }
    }

    /// Whether it is up.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, Standing::Up { .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_bad_results_take_it_down_and_two_good_ones_bring_it_up() {
        let rules = Rules { rise: 2, fall: 2 };
        let mut standing = Standing::UP;
        let mut seen = Vec::new();
        for good in [false, true, false, false, true, false, true, true] {
            standing = standing.after(good, rules);
            seen.push(standing.is_up());
        }
        assert_eq!(seen, [true, true, true, false, false, false, false, true]);
    }

    proptest! {
        /// The definition, computed from the history: the health changes exactly when the last
        /// `fall` (or `rise`) results since the last change all contradict it.
        #[test]
        fn it_changes_after_enough_equal_results_in_a_row(
            answers in prop::collection::vec(any::<bool>(), 0..100),
            rise in 0u16..5,
            fall in 0u16..5,
        ) {
            let rules = Rules { rise, fall };
            let mut standing = Standing::UP;
            let (mut up, mut since) = (true, 0);
            for (at, good) in answers.iter().enumerate() {
                standing = standing.after(*good, rules);
                let needed = usize::from(if up { fall } else { rise }.max(1));
                let row = &answers[since..=at];
                if row.len() >= needed && row[row.len() - needed..].iter().all(|good| *good != up) {
                    up = !up;
                    since = at + 1;
                }
                prop_assert_eq!(standing.is_up(), up);
            }
        }
    }
}

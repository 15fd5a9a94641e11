//! Findings at the balancer, and since when: a finding counts once it was seen twice, some time
//! apart.
//!
//! ```text
//!            seen                 seen again, a second later
//!  unknown ────────▶ suspected ─────────────────────────────▶ confirmed
//!     ▲                  │                                        │
//!     └──── not seen ────┴──────────────── not seen ──────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Time between the first sight of a finding and the one that confirms it.
const CONFIRM_AFTER: Duration = Duration::from_secs(1);

/// Findings of kind `F` at places of kind `P`.
pub(super) struct Sightings<P, F> {
    first_seen: BTreeMap<(P, F), Instant>,
    confirmed: BTreeSet<(P, F)>,
}

impl<P: Copy + Ord, F: Clone + Ord> Sightings<P, F> {
    /// Creates an empty list of sightings.
    pub(super) fn new() -> Sightings<P, F> {
        Sightings {
            first_seen: BTreeMap::new(),
            confirmed: BTreeSet::new(),
        }
    }

    /// A finding that was confirmed before counts until it is not seen.
    pub(super) fn restore(&mut self, place: P, finding: F) {
        self.confirmed.insert((place, finding));
    }

    /// Only `found` was seen at `place` now.
    pub(super) fn saw(&mut self, place: P, found: &BTreeSet<F>, now: Instant) {
        self.missed(place, found);
        for finding in found {
            let key = (place, finding.clone());
            let first = *self.first_seen.entry(key.clone()).or_insert(now);
            if now.saturating_duration_since(first) >= CONFIRM_AFTER {
                self.confirmed.insert(key);
            }
        }
    }

    /// Only `found` was seen at `place`, at a time when new findings do not count: findings that
    /// are gone are removed.
    pub(super) fn missed(&mut self, place: P, found: &BTreeSet<F>) {
        let is_there = |(at, finding): &(P, F)| *at != place || found.contains(finding);
        self.first_seen.retain(|key, _| is_there(key));
        self.confirmed.retain(is_there);
    }

    /// The place is gone; its findings are removed.
    pub(super) fn forget(&mut self, place: P) {
        self.first_seen.retain(|(at, _), _| *at != place);
        self.confirmed.retain(|(at, _)| *at != place);
    }

    /// Removes all findings that are `gone`, at every place.
    pub(super) fn forget_findings(&mut self, gone: impl Fn(&F) -> bool) {
        self.first_seen.retain(|(_, finding), _| !gone(finding));
        self.confirmed.retain(|(_, finding)| !gone(finding));
    }

    /// The findings that count, with their place.
    pub(super) fn confirmed(&self) -> impl Iterator<Item = (P, &F)> {
        self.confirmed.iter().map(|(place, finding)| (*place, finding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmed(sightings: &Sightings<u8, &'static str>) -> Vec<(u8, &'static str)> {
        sightings
            .confirmed()
            .map(|(place, finding)| (place, *finding))
            .collect()
    }

    #[test]
    fn a_finding_counts_when_it_is_seen_again_a_second_later() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut sightings = Sightings::new();
        sightings.saw(1, &BTreeSet::from(["maint"]), at(0));
        sightings.saw(1, &BTreeSet::from(["maint"]), at(500));
        assert!(confirmed(&sightings).is_empty());
        sightings.saw(1, &BTreeSet::from(["maint"]), at(1_000));
        assert_eq!(confirmed(&sightings), [(1, "maint")]);
        sightings.saw(1, &BTreeSet::new(), at(1_500));
        assert!(confirmed(&sightings).is_empty());
        sightings.saw(1, &BTreeSet::from(["maint"]), at(2_000));
        assert!(confirmed(&sightings).is_empty());
    }

    #[test]
    fn missed_settings_are_forgotten_without_new_sightings() {
        let began = Instant::now();
        let mut sightings = Sightings::new();
        sightings.saw(1, &BTreeSet::from(["maint", "weight"]), began);
        sightings.saw(1, &BTreeSet::from(["maint", "weight"]), began + CONFIRM_AFTER);
        sightings.missed(1, &BTreeSet::from(["weight", "drain"]));
        assert_eq!(confirmed(&sightings), [(1, "weight")]);
    }

    #[test]
    fn recalled_settings_count_until_a_look_without_them() {
        let began = Instant::now();
        let mut sightings = Sightings::new();
        sightings.restore(1, "maint");
        sightings.restore(1, "weight");
        sightings.saw(1, &BTreeSet::from(["maint"]), began);
        assert_eq!(confirmed(&sightings), [(1, "maint")]);
        sightings.missed(1, &BTreeSet::new());
        sightings.saw(1, &BTreeSet::from(["maint"]), began);
        assert!(confirmed(&sightings).is_empty());
    }

    #[test]
    fn places_are_tracked_separately() {
        let began = Instant::now();
        let later = began + CONFIRM_AFTER;
        let mut sightings = Sightings::new();
        sightings.saw(1, &BTreeSet::from(["maint"]), began);
        sightings.saw(2, &BTreeSet::from(["maint"]), later);
        assert!(confirmed(&sightings).is_empty());
        sightings.saw(1, &BTreeSet::from(["maint"]), later);
        sightings.saw(2, &BTreeSet::new(), later);
        assert_eq!(confirmed(&sightings), [(1, "maint")]);
        sightings.forget(1);
        assert!(confirmed(&sightings).is_empty());
    }

    #[test]
    fn findings_about_something_that_is_gone_are_removed_at_every_place() {
        let (mut sightings, now) = (Sightings::new(), Instant::now());
        for place in [1, 2] {
            sightings.restore(place, "drained");
            sightings.restore(place, "down");
            sightings.saw(place, &BTreeSet::from(["drained", "down"]), now);
        }
        sightings.forget_findings(|finding| *finding == "down");
        assert_eq!(confirmed(&sightings), [(1, "drained"), (2, "drained")]);
        sightings.saw(1, &BTreeSet::from(["down"]), now + CONFIRM_AFTER);
        assert_eq!(confirmed(&sightings), [(2, "drained")], "it was not seen before");
    }
}

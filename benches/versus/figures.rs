//! Measured values, and their comparison.

use std::collections::BTreeMap;

use crate::contender::Contender;
use crate::row::{Row, Target};

/// All values of a figure, one from each round.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rounds: BTreeMap<(Row, Contender), Vec<f64>>,
    /// The share of the machine that other processes used meanwhile, in percent.
    pub(crate) others: f64,
}

/// Our own value compared with a peer's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    /// The peer.
    pub(crate) peer: Contender,
    /// The median over all rounds of our own value divided by the peer's.
    pub(crate) value: f64,
    /// Whether it reaches the target; none without a target.
    pub(crate) reached: Option<bool>,
}

impl Figures {
    /// Adds the value of the next round.
    pub(crate) fn add(&mut self, row: Row, contender: Contender, value: f64) {
        self.rounds.entry((row, contender)).or_default().push(value);
    }

    /// The median over all rounds.
    pub(crate) fn median(&self, row: Row, contender: Contender) -> Option<f64> {
        median(self.rounds.get(&(row, contender))?)
    }

    /// The spread around the median: half of the rounds differ by no more than this share of it.
    pub(crate) fn noise(&self, row: Row, contender: Contender) -> Option<f64> {
        let values = self.rounds.get(&(row, contender))?;
        let middle = median(values)?;
        let off: Vec<f64> = values.iter().map(|value| (value / middle - 1.0).abs()).collect();
        median(&off)
    }

    /// Our own value compared with the better peer, or with the peer that the target names.
    pub(crate) fn ratio(&self, row: Row) -> Option<Ratio> {
        let peer = match row.target() {
            Target::AtMostHaproxy(_) => Contender::Haproxy,
            _ => self.better_peer(row)?,
        };
        let ours = self.rounds.get(&(row, Contender::Builtin))?;
        let theirs = self.rounds.get(&(row, peer))?;
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, its)| ours / its).collect();
        let value = median(&ratios)?;
        Some(Ratio {
            peer,
            value,
            reached: row.target().is_reached(value),
        })
    }

    // Private

    fn better_peer(&self, row: Row) -> Option<Contender> {
        let peers = [Contender::Haproxy, Contender::Nginx];
        let known = peers
            .into_iter()
            .filter_map(|peer| Some((peer, self.median(row, peer)?)));
        let by_value = |a: &(Contender, f64), b: &(Contender, f64)| a.1.total_cmp(&b.1);
        let best = if row.more_is_better() {
            known.max_by(by_value)
        } else {
            known.min_by(by_value)
        };
        Some(best?.0)
    }
}

/// The middle value; for an even count, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 {
        upper
    } else {
        f64::midpoint(sorted[middle - 1], upper)
    })
}

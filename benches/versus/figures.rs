//! Measured values, and their comparison.

use std::collections::BTreeMap;

use crate::contender::Contender;
use crate::target::Target;

/// What is measured of every contender.
pub(crate) trait Figure: Copy + Ord + 'static {
    /// All, in the order of the output.
    const ALL: &'static [Self];

    /// Its name, with its unit.
    fn name(self) -> String;

    /// Its targets; none where it is printed for information.
    fn targets(self) -> &'static [Target];

    /// Whether more is better.
    fn more_is_better(self) -> bool;
}

/// All values of each figure, one from each round.
#[derive(Debug)]
pub(crate) struct Figures<F> {
    rounds: BTreeMap<(F, Contender), Vec<f64>>,
    /// The share of the machine that other processes used meanwhile, in percent.
    pub(crate) others: f64,
}

/// Our own value compared with a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    /// The target.
    pub(crate) target: Target,
    /// The peer that it names; none where it names a value.
    pub(crate) peer: Option<Contender>,
    /// The median over all rounds of our own value, divided by the peer's if there is one.
    pub(crate) value: f64,
}

impl<F> Default for Figures<F> {
    fn default() -> Figures<F> {
        Figures {
            rounds: BTreeMap::new(),
            others: 0.0,
        }
    }
}

impl<F: Figure> Figures<F> {
    /// Adds the value of the next round.
    pub(crate) fn add(&mut self, figure: F, contender: Contender, value: f64) {
        self.rounds.entry((figure, contender)).or_default().push(value);
    }

    /// The contenders that were measured.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        let mut contenders: Vec<Contender> = self.rounds.keys().map(|(_, it)| *it).collect();
        contenders.sort();
        contenders.dedup();
        contenders
    }

    /// The median over all rounds.
    pub(crate) fn median(&self, figure: F, contender: Contender) -> Option<f64> {
        median(self.rounds.get(&(figure, contender))?)
    }

    /// The spread around the median: half of the rounds differ by no more than this share of it.
    pub(crate) fn noise(&self, figure: F, contender: Contender) -> Option<f64> {
        let values = self.rounds.get(&(figure, contender))?;
        let middle = median(values)?;
        let off: Vec<f64> = values.iter().map(|value| (value / middle - 1.0).abs()).collect();
        median(&off)
    }

    /// Our own value compared with each target of `figure`.
    pub(crate) fn verdicts(&self, figure: F) -> Vec<Verdict> {
        let targets = figure.targets().iter();
        targets
            .filter_map(|target| self.verdict(figure, *target))
            .collect()
    }

    // Private

    fn verdict(&self, figure: F, target: Target) -> Option<Verdict> {
        let peer = match target {
            Target::Value(_) => None,
            Target::HaproxyTimes(_) => Some(Contender::Haproxy),
            Target::BareTimes(_) => {
                Some(self.better(figure, [Contender::BareHaproxy, Contender::BareNginx])?)
            }
            Target::AtMost(_) | Target::AtLeast(_) => {
                Some(self.better(figure, [Contender::Haproxy, Contender::Nginx])?)
            }
        };
        let ours = self.rounds.get(&(figure, Contender::Builtin))?;
        let value = match peer {
            None => median(ours)?,
            Some(peer) => {
                let theirs = self.rounds.get(&(figure, peer))?;
                let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, its)| ours / its).collect();
                median(&ratios)?
            }
        };
        Some(Verdict { target, peer, value })
    }

    /// The better of `peers`.
    fn better(&self, figure: F, peers: [Contender; 2]) -> Option<Contender> {
        let known = peers
            .into_iter()
            .filter_map(|peer| Some((peer, self.median(figure, peer)?)));
        let by_value = |a: &(Contender, f64), b: &(Contender, f64)| a.1.total_cmp(&b.1);
        let best = if figure.more_is_better() {
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

//! Shares of the clients in hundredths of a percent, the unit of `split_clients`.

use std::fmt::Write;

/// The sum of all shares.
const WHOLE: u64 = 10_000;

/// The share of one of several names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share<'a> {
    /// The name that gets the share.
    pub(super) name: &'a str,
    /// Its size: `25%`, `33.34%`; `*` for the last one, which gets the rest.
    pub(super) percent: String,
}

/// Divides the whole by weight, as exactly as hundredths of a percent permit. Each name with a
/// weight gets at least one hundredth; names without a weight are left out.
pub(super) fn shares<'a>(weights: &[(&'a str, u64)]) -> Vec<Share<'a>> {
    let parts = hundredths(weights);
    let last = parts.len().saturating_sub(1);
    let percent = |index: usize, part: u64| {
        if index == last {
            "*".to_owned()
        } else {
            percent(part)
        }
    };
    let share = |(index, (name, part))| Share {
        name,
        percent: percent(index, part),
    };
    parts.into_iter().enumerate().map(share).collect()
}

/// The same shares as numbers of hundredths of a percent.
pub(super) fn hundredths<'a>(weights: &[(&'a str, u64)]) -> Vec<(&'a str, u64)> {
    let weights: Vec<_> = weights.iter().filter(|(_, weight)| *weight > 0).collect();
    let sum: u64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut parts: Vec<u64> = weights
        .iter()
        .map(|(_, weight)| (WHOLE * weight / sum).max(1))
        .collect();
    // The remainder of rounding goes to the names that lost most by it.
    let mut by_loss: Vec<usize> = (0..parts.len()).collect();
    by_loss.sort_by_key(|index| std::cmp::Reverse(WHOLE * weights[*index].1 % sum));
    let left = WHOLE.saturating_sub(parts.iter().sum());
    for index in by_loss.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        parts[index] += 1;
    }
    weights.iter().map(|(name, _)| *name).zip(parts).collect()
}

// Private

fn percent(part: u64) -> String {
    let mut text = (part / 100).to_string();
    let hundredths = part % 100;
    if hundredths > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ".{hundredths:02}");
    }
    text.push('%');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(weights: &[(&'static str, u64)]) -> Vec<String> {
        let shares = shares(weights);
        shares
            .iter()
            .map(|share| format!("{} {}", share.percent, share.name))
            .collect()
    }

    #[test]
    fn equal_weights_get_equal_shares() {
        assert_eq!(
            lines(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]),
            ["25% a", "25% b", "25% c", "* d"]
        );
        assert_eq!(
            lines(&[("a", 100), ("b", 100), ("c", 100)]),
            ["33.34% a", "33.33% b", "* c"]
        );
    }

    #[test]
    fn every_name_with_a_weight_gets_a_share_and_no_other() {
        assert_eq!(lines(&[("a", 1), ("b", 0), ("c", 100_000)]), ["0.01% a", "* c"]);
        assert_eq!(lines(&[("a", 7)]), ["* a"]);
        assert_eq!(lines(&[("a", 0)]), Vec::<String>::new());
        assert_eq!(lines(&[]), Vec::<String>::new());
    }
}

//! The server that a hash determines.

use super::Candidate;

/// Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): every server gets a number from
/// the client and its own id, and the best number for its weight wins. So a server that is removed
/// gives away only its own clients, a server whose weight grows takes only the clients of its added
/// share, and the order of the servers does not matter. The algorithm has no memory and no
/// randomness: every process on every machine chooses the same.
///
/// `hash` is the hash of the client and of a server's id.
pub(super) fn pick(candidates: &[Candidate], hash: impl Fn(u32) -> u64) -> Option<usize> {
    candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| candidate.weight > 0)
        .map(|(place, candidate)| {
            let draw = uniform(hash(candidate.id));
            // Exponential with the weight as its rate: the smallest one is this one's with
            // probability weight / total.
            (place, -draw.ln() / f64::from(candidate.weight), candidate.id)
        })
        .min_by(|(_, one, one_id), (_, other, other_id)| one.total_cmp(other).then(one_id.cmp(other_id)))
        .map(|(place, ..)| place)
}

// Private

/// A number between 0 and 1, both excluded, from `hash`'s upper 53 bits.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn uniform(hash: u64) -> f64 {
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

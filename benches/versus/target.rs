//! Targets of our own data plane.

/// What a figure shall reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At most this multiple of the better peer's value.
    AtMost(f64),
    /// At most this multiple of HAProxy's value.
    HaproxyTimes(f64),
    /// At most this multiple of the better value of the bare peers.
    BareTimes(f64),
    /// At least this multiple of the better peer's value.
    AtLeast(f64),
    /// At most this value, whatever the peers have.
    Value(f64),
}

impl Target {
    /// Whether `value` reaches it: our own value divided by the peer's, or our own.
    pub(crate) fn is_reached(self, value: f64) -> bool {
        match self {
            Target::AtLeast(least) => value >= least,
            Target::AtMost(most)
            | Target::HaproxyTimes(most)
            | Target::BareTimes(most)
            | Target::Value(most) => value <= most,
        }
    }

    /// The text of the output.
    pub(crate) fn text(self) -> String {
        match self {
            Target::AtMost(most) | Target::HaproxyTimes(most) | Target::BareTimes(most) => {
                format!("<= {most:.2}")
            }
            Target::AtLeast(least) => format!(">= {least:.2}"),
            Target::Value(most) => format!("<= {most:.0}"),
        }
    }
}

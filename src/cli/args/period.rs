//! Periods on the command line.

use std::time::Duration;

use crate::base::units::{Period, UnitError, excerpt};

/// An interval that leaves time to read the output and for other work.
pub(super) fn interval(text: &str) -> Result<Period, String> {
    const MIN_PERIOD: Duration = Duration::from_millis(100);

    let period: Period = text.parse().map_err(|error: UnitError| error.to_string())?;
    if period.duration() < MIN_PERIOD {
        return Err(format!("`{}` is too short: 100ms is the shortest", excerpt(text)));
    }
    Ok(period)
}

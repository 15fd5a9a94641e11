//! Spread, percentiles.

//! Durations, sizes and shares as people write them.

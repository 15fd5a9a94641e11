//! stub
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
#[derive(Debug, Default)]
pub(crate) struct Rate(AtomicU64);
impl Rate {
    pub(crate) fn tick(&self, _now: u64) {
        self.0.fetch_add(1, Relaxed);
    }
    pub(crate) fn per_second(&self, _now: u64) -> u32 {
        0
    }
}

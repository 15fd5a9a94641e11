//! Reports of load tests: the results as text, and the progress of a running test.

mod chart;
mod comparison;
mod counts;
mod failover;
mod latency;
mod messages;
mod page;
mod progress;
mod sanitize;
mod share;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verdicts;
#[cfg(test)]
mod wellformed;
mod wrap;

pub use comparison::load_test_comparison;
pub use page::load_test_page;
pub use progress::load_test_progress;
pub use terminal::load_test;

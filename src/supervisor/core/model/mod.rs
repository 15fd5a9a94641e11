//! The core as a machine: random events, orders, deaths and times, judged by an oracle that knows
//! the documentation, not the code.
//!
//! | room | what it is |
//! | --- | --- |
//! | `world` | processes that exist only in the test |
//! | `step` | what can happen next |
//! | `driver` | a core in its world: carries out steps |
//! | `orders` | orders to the core, and their answers |
//! | `tasks` | what the core's tasks would report, and time |
//! | `oracle` | what is known of orders and deaths |
//! | `judging` | what has to be true, whatever happened |
//!
//! The core's tasks are never run: they are spawned on a runtime that is not polled. The driver sends
//! the events with which they would end.
//!
//! `PROPTEST_CASES=10000 cargo nextest run --lib model` runs longer; a failure prints its shortest
//! steps, and stays in `proptest-regressions`.

mod cluster;
mod driver;
mod judging;
mod oracle;
mod orders;
mod regressions;
mod step;
mod tasks;
mod waiting;
mod world;

use proptest::prelude::*;

pub(in crate::supervisor) use self::cluster::{small_spec, spec_of};
use self::driver::Driver;
use self::step::{Step, steps};
use crate::profile::BalancerKind;

/// Carries out the `steps` on a cluster behind `kind`, and then lets everything work: it has to serve,
/// and to stop.
fn run(kind: BalancerKind, steps: &[Step]) -> Result<(), String> {
    driver::without_tasks(|| {
        let mut driver = Driver::new(kind);
        for (number, step) in steps.iter().enumerate() {
            driver
                .carry_out(step)
                .map_err(|why| format!("after step {number}, {step:?}: {why}"))?;
        }
        driver.end().map_err(|why| format!("in the end: {why}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        // Shrinking repeats cases.
        max_shrink_iters: 20_000,
        ..ProptestConfig::with_cases(cases())
    })]

    #[test]
    fn builtin_is_supervised_as_documented(steps in steps()) {
        judge(BalancerKind::Builtin, &steps)?;
    }

    #[test]
    fn haproxy_is_supervised_as_documented(steps in steps()) {
        judge(BalancerKind::Haproxy, &steps)?;
    }

    #[test]
    fn nginx_is_supervised_as_documented(steps in steps()) {
        judge(BalancerKind::Nginx, &steps)?;
    }
}

fn judge(kind: BalancerKind, steps: &[Step]) -> Result<(), TestCaseError> {
    run(kind, steps).map_err(TestCaseError::fail)
}

/// Fewer than the default of proptest, because a case has many steps.
fn cases() -> u32 {
    let named = std::env::var("PROPTEST_CASES").ok();
    named.and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

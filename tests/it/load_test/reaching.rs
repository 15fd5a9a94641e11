//! The address of a target, and the rate of its clients.

use std::time::{Duration, Instant};

use super::at;
use super::target::{Behaviour, Target};
use crate::harness::eventually;

#[test]
fn one_client_is_enough_for_a_test() {
    let target = Target::that(Behaviour::Serves);
    let ended = at(target.address, "1 1 --json").ends();
    let results = ended.results(0);
    assert_eq!(
        (&results["held"], &results["test"]["cluster"]),
        (&1.into(), &().into()),
        "{ended}"
    );
    // One connection before the test, and one more when the client returns.
    assert_eq!(target.accepted(), 3);
}

#[test]
fn a_target_can_have_a_name_or_an_ipv6_address() {
    let named = Target::on("localhost:0");
    let ended = at(format!("localhost:{}", named.address.port()), "20 1 --json").ends();
    assert_eq!(ended.results(0)["held"], 20, "{ended}");
    let six = Target::on("[::1]:0");
    let ended = at(six.address, "20 1 --json").ends();
    let results = ended.results(0);
    assert_eq!(results["held"], 20, "{ended}");
    assert_eq!(results["test"]["target"], six.address.to_string());
}

#[test]
fn clients_connect_no_faster_than_the_rate() {
    let target = Target::that(Behaviour::Serves);
    let test = at(target.address, "100 1 --rate 20 --json");
    eventually("the first client", || (target.accepted() > 0).then_some(()));
    let began = Instant::now();
    eventually("the last client", || (target.accepted() > 100).then_some(()));
    // 99 of them are 50 ms apart; on a busy machine the first one may have been noticed late.
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    let ended = test.ends();
    let results = ended.results(0);
    assert_eq!(results["test"]["rate"], 20.0, "{ended}");
    assert!(results["ramp"]["rate"].as_f64().unwrap() < 21.0, "{ended}");
}

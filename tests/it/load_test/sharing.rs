//! Two tests at once.

use super::{established, held, of};
use crate::harness::{TestCluster, behind_each_balancer, eventually};

behind_each_balancer! {
    two_tests_at_once_do_not_disturb_each_other,
}

fn two_tests_at_once_do_not_disturb_each_other(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).with_any_evenness().started();
    let long = of(&cluster, "300 12 --json");
    held(cluster.address(8000), 300);
    let short = of(&cluster, "200 2 --json").ends();
    let results = short.results(0);
    assert_eq!(
        (&results["held"], &results["counts"]["others"]),
        (&200.into(), &300.into()),
        "{short}"
    );
    assert_eq!(results["counts"]["agree"], true, "{short}");
    let long = long.ends();
    let results = long.results(0);
    assert_eq!(
        (&results["held"], &results["counts"]["agree"]),
        (&300.into(), &true.into()),
        "{long}"
    );
    eventually("no connection", || {
        (established(cluster.address(8000)) == 0).then_some(())
    });
}

// Connections of the other test arrive all the time while those of this one are counted.
#[test]
fn a_test_that_ends_is_not_disturbed_by_one_that_begins() {
    let cluster = TestCluster::behind("builtin").started();
    let short = of(&cluster, "200 1 --json");
    held(cluster.address(8000), 200);
    let long = of(&cluster, "2000 1 --rate 400 --json");
    let (short, long) = (short.ends(), long.ends());
    for ended in [short, long] {
        assert_eq!(ended.results(0)["counts"]["agree"], true, "{ended}");
    }
}

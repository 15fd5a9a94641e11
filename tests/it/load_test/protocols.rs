//! What clients speak besides TCP.

use super::{of, verdict};
use crate::harness::TestCluster;

#[test]
fn http_websockets_and_streams_are_tested_behind_haproxy() {
    let cluster = TestCluster::new().started();
    for protocol in ["http", "ws", "sse"] {
        let ended = of(&cluster, &format!("300 2 --json --protocol {protocol}")).ends();
        let results = ended.results(0);
        assert_eq!(
            (ended.stderr.as_str(), &results["held"]),
            ("", &300.into()),
            "{ended}"
        );
        assert_eq!(results["test"]["protocol"], protocol);
        assert_eq!(results["counts"]["to_target"], 300, "{ended}");
        assert_ne!(verdict(&results, "sticky"), "failed", "{ended}");
        assert!(
            results["messages"]["answered"].as_u64().unwrap() > 1_000,
            "{ended}"
        );
    }
}

#[test]
fn what_a_balancer_does_not_serve_is_refused_with_one_that_does() {
    let cluster = TestCluster::behind("builtin").started();
    let ended = of(&cluster, "10 1 --protocol http").ends();
    let refusal = ended.refusal();
    assert!(refusal.contains("builtin does not listen for http"), "{refusal}");
    assert!(
        refusal.contains("\nhint: `clusterctl start haproxy`"),
        "{refusal}"
    );
}

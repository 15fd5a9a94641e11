//! The small run: thousands of connections, and the counts of each side.

use clusterctl::plan::PROBE_SOURCE;
use clusterctl::platform::sock_diag::count_established;

use super::{established, of, verdict};
use crate::harness::{TestCluster, behind_each_balancer, eventually};

/// The size of the small run.
const CONNECTIONS: u64 = 10_000;

behind_each_balancer! {
    thousands_are_held_spread_evenly_and_counted_alike,
}

fn thousands_are_held_spread_evenly_and_counted_alike(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).with_any_evenness().started();
    let room = cluster.status()["distribution"]["capacity"].as_u64().unwrap();
    let connections = room.min(CONNECTIONS);
    assert!(connections > 1_000, "{connections}");
    let test = of(&cluster, &format!("{connections} 10 --json"));

    // An independent count by the kernel.
    let nodes = [9001, 9002, 9003, 9004].map(|port| cluster.address(port));
    let counted = eventually("all connections", || {
        let at_nodes = count_established(&nodes, &[PROBE_SOURCE]).unwrap();
        let all =
            at_nodes.iter().sum::<u64>() == connections && established(cluster.address(8000)) == connections;
        all.then_some(at_nodes)
    });
    let ended = test.ends();
    let results = ended.results(0);
    assert_eq!(results["outcome"], "passed", "{ended}");
    // All places are wanted: it waits for the end of any connection that is counted just then.
    let is_wait = |line: &str| line.starts_with("waiting: ");
    assert!(ended.stderr.lines().all(is_wait), "{ended}");
    assert_eq!(results["held"], connections, "{ended}");
    assert_eq!(results["errors"].as_array().unwrap().len(), 0, "{ended}");
    assert_eq!(verdict(&results, "counts"), "passed", "{ended}");
    let counts = &results["counts"];
    for count in ["generator", "balancer", "kernel"] {
        assert_eq!(counts[count]["total"], connections, "{counts}");
        if (count, balancer) == ("balancer", "nginx") {
            // nginx knows only the total.
            continue;
        }
        let nodes = counts[count]["nodes"].as_array().unwrap().iter();
        let nodes: Vec<_> = nodes.map(|node| node["connections"].as_u64().unwrap()).collect();
        assert_eq!(nodes, counted, "{count}: {counts}");
    }
    let most = match balancer {
        "builtin" => 0.5,
        "haproxy" => 2.0,
        // For 10,000 clients; with 100,000 it is a third of that.
        _ => 12.0,
    };
    let variance = results["distribution"]["variance_percent"].as_f64().unwrap();
    assert!(variance <= most, "{variance}");
    let sticky = &results["sticky"];
    assert!(sticky["sampled"].as_u64().unwrap() >= 80, "{sticky}");
    assert_eq!(sticky["sampled"], sticky["same"]);
    let each = results["memory"]["generator_bytes_per_connection"]
        .as_u64()
        .unwrap();
    assert!(
        (1..=2_048).contains(&each),
        "{each} bytes of the generator for each connection"
    );
    assert!(results["hold_seconds"].as_f64().unwrap() >= 10.0);
}

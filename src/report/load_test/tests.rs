//! Whole reports as text.

use super::super::testing::plain;
use super::load_test;
use super::testing::{broken, by_chance, failed_over, foreign, passed, shared};

#[test]
fn a_passed_test_reads_as_in_the_reference() {
    insta::assert_snapshot!(plain(&load_test(&passed())), @r"
    === erlmcp Load Balancer & Cluster Load Test ===

    Load Balancer: HAProxy at 127.0.0.1:8000, tcp

    Cluster Nodes:
      erlmcp1: UP (25234 connections) ✓ (target: 25000 ± 500)
      erlmcp2: UP (24987 connections) ✓
      erlmcp3: UP (25156 connections) ✓
      erlmcp4: UP (24623 connections) ✓

    Total Connections: 100000 / 100000 (100%)
    Latency Range: 5.4 ms - 5.9 ms (p99)
    Variance: 2.4% (target: <5%)

    Course:
      ramp: 100000 connections in 8.2 s (12195 per second), handshake p50 0.38 ms, p99 5.6 ms
      hold: 60.0 s of 60 s
      messages: 60000 due, 60000 answered

    Counts:
               generator  balancer  kernel
      erlmcp1      25234     25234   25234
      erlmcp2      24987     24987   24987
      erlmcp3      25156     25156   25156
      erlmcp4      24623     24623   24623
      all         100000    100000  100000

    Latency, from when a message was due to its answer:
               average  stddev      p50     p90     p99    p99.9      max  samples
      erlmcp1  0.71 ms  1.1 ms  0.42 ms  1.4 ms  5.6 ms  11.9 ms  24.3 ms    15000
      erlmcp2  0.74 ms  1.2 ms  0.44 ms  1.4 ms  5.8 ms  12.4 ms  25.3 ms    15000
      erlmcp3  0.69 ms  1.1 ms  0.41 ms  1.3 ms  5.4 ms  11.5 ms  23.6 ms    15000
      erlmcp4  0.74 ms  1.2 ms  0.44 ms  1.4 ms  5.9 ms  12.5 ms  25.5 ms    15000
      all      0.71 ms  1.1 ms  0.42 ms  1.4 ms  5.6 ms  11.9 ms  24.3 ms    60000
      p99 of the nodes: 8.1% apart (good)

    Memory:
      host, kernel included: +4.8 GB during the test
      generator process: 171 MB, 1640 B per held connection
      node processes: 412 MB
      balancer processes: 655 MB

    Connections Held: PASSED (100000 of 100000 at the end)
    Errors: PASSED (none)
    Connection Distribution: PASSED
    Counts: PASSED (generator 100000, balancer 100000, kernel 100000)
    Latency Variance: PASSED (8.1%, good, target: <10%)
    Latency: PASSED (p99 5.6 ms, target: <20ms)
    Failover Time: not tested (--failover NODE)
    Sticky Sessions: WORKING (1000 of 1000)

    Load test completed!
    ");
}

#[test]
fn a_failover_is_reported_step_by_step() {
    insta::assert_snapshot!(plain(&load_test(&failed_over())), @r"
    === erlmcp Load Balancer & Cluster Load Test ===

    Load Balancer: HAProxy at 127.0.0.1:8000, tcp

    Cluster Nodes:
      erlmcp1: UP (25234 connections) ✓ (target: 25000 ± 500, 33619 at the end)
      erlmcp2: UP (24987 connections) ✓ (33372 at the end)
      erlmcp3: UP (25156 connections) ✓ (0 at the end)
      erlmcp4: UP (24623 connections) ✓ (33009 at the end)

    Total Connections: 100000 / 100000 (100%)
    Latency Range: 5.4 ms - 5.9 ms (p99)
    Variance: 2.4% (target: <5%)

    Course:
      ramp: 100000 connections in 8.2 s (12195 per second), handshake p50 0.38 ms, p99 5.6 ms
      hold: 60.0 s of 60 s
      messages: 60000 due, 60000 answered

    Counts:
               generator  balancer  kernel
      erlmcp1      33619     33619   33619
      erlmcp2      33372     33372   33372
      erlmcp3          0         0       0
      erlmcp4      33009     33009   33009
      all         100000    100000  100000

    Latency, from when a message was due to its answer:
               average  stddev      p50     p90     p99    p99.9      max  samples
      erlmcp1  0.71 ms  1.1 ms  0.42 ms  1.4 ms  5.6 ms  11.9 ms  24.3 ms    15000
      erlmcp2  0.74 ms  1.2 ms  0.44 ms  1.4 ms  5.8 ms  12.4 ms  25.3 ms    15000
      erlmcp3  0.69 ms  1.1 ms  0.41 ms  1.3 ms  5.4 ms  11.5 ms  23.6 ms    15000
      erlmcp4  0.74 ms  1.2 ms  0.44 ms  1.4 ms  5.9 ms  12.5 ms  25.5 ms    15000
      all      0.71 ms  1.1 ms  0.42 ms  1.4 ms  5.6 ms  11.9 ms  24.3 ms    60000
      p99 of the nodes: 8.1% apart (good)

    Failover of erlmcp3 at 38.0 s:
           0 ms  erlmcp3 killed, with 25156 clients
           3 ms  noticed by the supervisor
          92 ms  half of its clients cut off
         310 ms  all of them cut off
         980 ms  half of them served elsewhere
        1240 ms  the node serves again
        2100 ms  all of them served elsewhere
      served elsewhere: erlmcp1 8385, erlmcp2 8385, erlmcp4 8386
      connections then: erlmcp1 33619, erlmcp2 33372, erlmcp3 0, erlmcp4 33009
      not served elsewhere: 0; other nodes' clients cut off: 0

    Memory:
      host, kernel included: +4.8 GB during the test
      generator process: 171 MB, 1640 B per held connection
      node processes: 412 MB
      balancer processes: 655 MB

    Connections Held: PASSED (100000 of 100000 at the end)
    Errors: PASSED (none)
    Connection Distribution: PASSED
    Counts: PASSED (generator 100000, balancer 100000, kernel 100000)
    Latency Variance: PASSED (8.1%, good, target: <10%)
    Latency: PASSED (p99 5.6 ms, target: <20ms)
    Failover Time: 2.1 seconds PASSED (target: <5 seconds)
    Sticky Sessions: WORKING (1000 of 1000)

    Load test completed!
    ");
}

#[test]
fn a_failed_test_is_reported_with_the_reason() {
    insta::assert_snapshot!(plain(&load_test(&broken())), @r"
    === erlmcp Load Balancer & Cluster Load Test ===

    Load Balancer: HAProxy at 127.0.0.1:8000, tcp

    Cluster Nodes:
      erlmcp1: UP (25234 connections) ✓ (target: 25000 ± 500, 33019 at the end)
      erlmcp2: UP (24987 connections) ✓ (33372 at the end)
      erlmcp3: KILLED (25156 connections) ✓ (0 at the end)
      erlmcp4: UP (23400 connections) ✗ (33009 at the end)

    Total Connections: 99400 / 100000 (99%)
    Latency Range: 5.4 ms - 5.9 ms (p99)
    Variance: 7.3% too uneven (target: <5%)

    Course:
      ramp: 100000 connections in 8.2 s (12195 per second), handshake p50 0.38 ms, p99 5.6 ms
      hold: 60.0 s of 60 s
      messages: 60000 due, 58800 answered, 1200 not answered

    Counts:
               generator  balancer  kernel
      erlmcp1      33019     33619   33619
      erlmcp2      33372     33372   33372
      erlmcp3          0         0       0
      erlmcp4      33009     33009   33009
      all          99400    100000  100000
      generator: clients that were served and live
      balancer: current sessions of its servers
      kernel: established connections of the nodes' ports, probes left out
      12 connections to the target were other clients'

    Latency, from when a message was due to its answer:
               average  stddev      p50     p90      p99    p99.9      max  samples
      erlmcp1  0.71 ms  1.1 ms  0.42 ms  1.4 ms   5.6 ms  11.9 ms  24.3 ms    15000
      erlmcp2  0.74 ms  1.2 ms  0.44 ms  1.4 ms   5.8 ms  12.4 ms  25.3 ms    15000
      erlmcp3  0.69 ms  1.1 ms  0.41 ms  1.3 ms   5.4 ms  11.5 ms  23.6 ms    15000
      erlmcp4  0.74 ms  1.2 ms  0.44 ms  1.4 ms   5.9 ms  12.5 ms  25.5 ms    15000
      all      0.71 ms  1.1 ms  0.42 ms  1.4 ms  48.0 ms  11.9 ms  24.3 ms    60000
      p99 of the nodes: 8.1% apart (good)

    Failover of erlmcp3 at 38.0 s:
           0 ms  erlmcp3 killed, with 25156 clients
           3 ms  noticed by the supervisor
          92 ms  half of its clients cut off
         310 ms  all of them cut off
         980 ms  half of them served elsewhere
      served elsewhere: erlmcp1 8385, erlmcp2 8385, erlmcp4 8386
      connections then: erlmcp1 33619, erlmcp2 33372, erlmcp3 0, erlmcp4 33009
      not served elsewhere: 40; other nodes' clients cut off: 0
      attempts to be served elsewhere that failed: 7
        7 refused: connection refused from 127.0.3.9, at 38.4 s

    Errors:
      599 closed by the other end: closed while it was held from 127.0.3.7, at 12.3 s
      1 not answered in time: nothing within 10 s from 127.0.9.1, at 3.1 s

    Memory:
      host, kernel included: +4.8 GB during the test
      generator process: 171 MB, 1640 B per held connection
      node processes: 412 MB
      balancer processes: 655 MB

    Connections Held: FAILED (99400 of 100000 at the end)
    Errors: FAILED (600: 599 closed by the other end, 1 not answered in time; 1200 of 60000 pings not answered)
    Connection Distribution: FAILED (7.3%, target: <5%)
    Counts: FAILED (generator 99400, balancer 100000, kernel 100000, at the target 100000, 12 of others)
    Latency Variance: PASSED (8.1%, good, target: <10%)
    Latency: WARNING (p99 48.0 ms, target: <20ms)
    Failover Time: FAILED (40 of 25156 clients not served elsewhere, target: <5 seconds)
    Sticky Sessions: FAILED (998 of 1000)

    Load test failed:
      ✗ Connections Held: 99400 of 100000 at the end, target: 100000
      ✗ Errors: 600: 599 closed by the other end, 1 not answered in time; 1200 of 60000 pings not answered, target: none
      ✗ Connection Distribution: 7.3%, target: <5%
      ✗ Counts: generator 99400, balancer 100000, kernel 100000, at the target 100000, 12 of others, target: all the same
      ! Latency: p99 48.0 ms, target: <20ms
      ✗ Failover Time: 40 of 25156 clients not served elsewhere, target: <5 seconds
      ✗ Sticky Sessions: 998 of 1000, target: all
    ");
}

#[test]
fn a_cluster_with_other_clients_is_judged_with_them() {
    insta::assert_snapshot!(plain(&load_test(&shared())), @r"
    === erlmcp Load Balancer & Cluster Load Test ===

    Load Balancer: HAProxy at 127.0.0.1:8000, http

    Cluster Nodes:
      erlmcp1: UP (25234 connections) ✓ (target: 25625 ± 512, 25734 with those of others)
      erlmcp2: UP (24987 connections) ✓ (25487 with those of others)
      erlmcp3: UP (25156 connections) ✓ (25656 with those of others)
      erlmcp4: OUT OF ROTATION (0 connections)

    Total Connections: 100000 / 100000 (100%)
    Latency Range: 5.4 ms - 5.9 ms (p99)
    Variance: 1.0% (target: <5%)

    Notes:
      erlmcp3 was not made to fail: no other node was up that its clients could have gone to when the time
        for it had come

    Course:
      ramp: 100000 connections in 8.2 s (12195 per second), handshake p50 0.38 ms, p99 5.6 ms
      hold: 60.0 s of 60 s
      messages: 60000 due, 60000 answered (300 of them by a JSON-RPC error); sent p99 1.9 ms, at most 24.3 ms late

    Counts:
               generator  balancer  kernel
      erlmcp1      25234         -   25234
      erlmcp2      24987         -   24987
      erlmcp3      25156         -   25156
      erlmcp4      24623         -   24623
      all         100000         -  100000
      over HTTP they differ: the balancer keeps few connections to the nodes and sends the requests of all
        clients over them, so that only the generator's and the kernel's count at the target must agree
      1500 connections to the target were other clients'

    Latency, from when a message was due to its answer:
               average  stddev      p50     p90     p99    p99.9      max  samples
      erlmcp1  0.71 ms  1.1 ms  0.42 ms  1.4 ms  5.6 ms  11.9 ms  24.3 ms    15000
      erlmcp2  0.74 ms  1.2 ms  0.44 ms  1.4 ms  5.8 ms  12.4 ms  25.3 ms    15000
      erlmcp3  0.69 ms  1.1 ms  0.41 ms  1.3 ms  5.4 ms  11.5 ms  23.6 ms    15000
      erlmcp4  0.74 ms  1.2 ms  0.44 ms  1.4 ms  5.9 ms  12.5 ms  25.5 ms    15000
      all      0.71 ms  1.1 ms  0.42 ms  1.4 ms  5.6 ms  11.9 ms  24.3 ms    60000
      p99 of the nodes: 8.1% apart (good)
      the generator itself was late (p99 1.9 ms): latencies are partly its own

    Memory:
      host, kernel included: +4.8 GB during the test
      generator process: 171 MB, 1640 B per held connection
      node processes: 412 MB
      balancer processes: 655 MB

    Connections Held: PASSED (100000 of 100000 at the end)
    Errors: PASSED (none)
    Connection Distribution: PASSED (with 1500 connections of others)
    Counts: PASSED (generator 100000, kernel at the target 100000)
    Latency Variance: PASSED (8.1%, good, target: <10%)
    Latency: PASSED (p99 5.6 ms, target: <20ms)
    Failover Time: FAILED (not tried, target: <5 seconds)
    Sticky Sessions: WORKING (1000 of 1000)

    Load test failed:
      ✗ Failover Time: not tried, target: <5 seconds
    ");
}

#[test]
fn for_an_unknown_target_only_measurements_are_shown() {
    insta::assert_snapshot!(plain(&load_test(&foreign())), @r"
    === MCP Load Balancer & Cluster Load Test ===

    Target: 127.0.0.1:8000, http

    Cluster Nodes:
      some <server>: UP (10 connections)

    Total Connections: 10 / 10 (100%)
    Latency Range: 5.6 ms - 5.6 ms (p99)
    Variance: not judged (only one node has served)

    Course:
      ramp: 10 connections in 0.1 s (100 per second), handshake p50 0.38 ms, p99 5.6 ms
      hold: 60.0 s of 60 s
      messages: 10 due, 10 answered

    Counts:
                     generator  balancer  kernel
      some <server>          -         -       -
      all                   10         -       -
      generator: clients that have a session

    Latency, from when a message was due to its answer:
                     average  stddev      p50     p90     p99    p99.9      max  samples
      some <server>  0.71 ms  1.1 ms  0.42 ms  1.4 ms  5.6 ms  11.9 ms  24.3 ms       10
      all            0.71 ms  1.1 ms  0.42 ms  1.4 ms  5.6 ms  11.9 ms  24.3 ms       10

    Memory:
      generator process: 8.0 MB

    Connections Held: PASSED (10 of 10 at the end)
    Errors: PASSED (none)
    Connection Distribution: not judged (only one node has served)
    Counts: not judged (they count different things)
    Latency Variance: not judged (fewer than two nodes to compare)
    Latency: PASSED (p99 5.6 ms, target: <20ms)
    Failover Time: not tested (--failover NODE)
    Sticky Sessions: not tested (no clients were selected to reconnect)

    Load test completed!
    ");
}

#[test]
fn a_result_within_chance_passes_with_a_remark() {
    let text = plain(&load_test(&by_chance()));
    for line in [
        "  erlmcp1: UP (266 connections) ✓ (target: 250 ± 45)",
        "  erlmcp4: UP (236 connections) ✓",
        "Variance: 12.0% (as even as chance allows, target: <5%)",
        "Connection Distribution: PASSED (12.0%, as even as chance allows for 1,000 addresses; `leastconn` without stickiness by \
         address gives 0%)",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
    assert!(text.ends_with("Load test completed!\n"), "{text}");
}

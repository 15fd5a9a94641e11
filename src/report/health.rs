//! `health`: the status, with latencies, resources, endpoints and alerts.

use super::column::align;
use super::emulators::{emulators, mesh};
use super::status::{heading, node_lines, section, totals, versions, warnings};
use super::{numbers, style, table};
use crate::api::{Alert, Alike, Endpoints, Health, Latency, LatencyClass, Node, NodeLatency};

/// The cluster in the form of the reference's health check, with everything else that is known.
/// Troubles come first, because a small terminal shows the beginning. Lines of resources are
/// shortened to at most `width` columns.
#[must_use]
pub fn health(health: &Health, width: Option<usize>) -> String {
    let status = &health.status;
    let endpoints = status
        .balancer
        .as_ref()
        .map(|balancer| endpoints(&balancer.endpoints));
    let alerts: Vec<String> = health.alerts.iter().map(alert).collect();
    [
        heading(status),
        section("Alerts", &alerts),
        section("Cluster Nodes", &node_lines(&status.nodes, &status.distribution)),
        totals(status),
        latency(&health.latency),
        warnings(status),
        section("Resources", &resources(&status.nodes, &health.latency, width)),
        section("Emulators", &emulators(&status.nodes)),
        section("Mesh", &mesh(&status.nodes)),
        section("Endpoints", &endpoints.unwrap_or_default()),
        spaced(&versions(status)),
    ]
    .concat()
}

/// The class of a latency variance, in its colour.
pub(super) fn class(class: LatencyClass) -> String {
    match class {
        LatencyClass::Excellent | LatencyClass::Good => style::green(class.name()),
        LatencyClass::Warning => style::yellow(class.name()),
        LatencyClass::Critical => style::red(class.name()),
    }
}

// Private

/// The text below an empty line; nothing when it is empty.
fn spaced(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("\n{text}")
    }
}

/// Columns before each line of a section.
const INDENT: usize = 2;

fn endpoints(endpoints: &Endpoints) -> Vec<String> {
    let names: Vec<String> = endpoints
        .listeners
        .keys()
        .map(|name| format!("{name}:"))
        .collect();
    let lines = align(&names).into_iter().zip(endpoints.listeners.values());
    lines.map(|(name, address)| format!("{name} {address}")).collect()
}

/// One line for each node; without pid and p50 where lines would be wider than `width`.
fn resources(nodes: &[Node], latency: &Latency, width: Option<usize>) -> Vec<String> {
    let whole = resource_lines(nodes, latency, Detail::All);
    let fits = |line: &String| width.is_none_or(|width| INDENT + console::measure_text_width(line) <= width);
    if whole.iter().all(fits) {
        whole
    } else {
        resource_lines(nodes, latency, Detail::Main)
    }
}

/// How much of a node's resources is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    All,
    /// Without its pid and its median latency.
    Main,
}

fn resource_lines(nodes: &[Node], latency: &Latency, detail: Detail) -> Vec<String> {
    let all_external = nodes.iter().all(|node| node.external);
    let row = |node: &Node| {
        let mut cells = vec![format!("{}:", node.name)];
        if all_external || detail == Detail::All {
            cells.push(match node.pid {
                Some(pid) => format!("pid {pid}"),
                None if node.external => "external".to_owned(),
                None => "no process".to_owned(),
            });
        }
        // Nothing is known of external processes.
        if !all_external {
            cells.extend([
                format!("up {}", numbers::age(node.uptime_seconds)),
                numbers::bytes(node.memory_bytes),
                format!("{:.1}% cpu", node.cpu_percent),
                numbers::counted(node.restarts.into(), "restart"),
            ]);
        }
        let answers = latency.nodes.iter().find(|answers| answers.name == node.name);
        cells.push(answers.map_or(String::new(), |answers| percentiles(answers, detail)));
        cells
    };
    table::rows(nodes.iter().map(row))
}

fn percentiles(answers: &NodeLatency, detail: Detail) -> String {
    let p99 = format!("p99 {}", numbers::millis(answers.p99_ms));
    match detail {
        Detail::All => format!("p50 {}, {p99}", numbers::millis(answers.p50_ms)),
        Detail::Main => p99,
    }
}

fn latency(latency: &Latency) -> String {
    let p99 = || latency.nodes.iter().map(|node| node.p99_ms);
    let (Some(least), Some(most)) = (p99().reduce(f64::min), p99().reduce(f64::max)) else {
        return String::new();
    };
    let class = class(latency.class);
    let judged: Vec<_> = latency
        .nodes
        .iter()
        .map(|node| (node.p99_ms, node.samples))
        .collect();
    // Without it, a reader would not see why a large variance is excellent.
    let why =
        Alike::of(&judged, latency.p99_target_ms).map_or(String::new(), |why| format!(": {}", why.text()));
    format!(
        "Latency Range: {} - {} (p99)\nLatency Variance: {:.1}% ({class}{why})\n",
        numbers::millis(least),
        numbers::millis(most),
        latency.variance_percent
    )
}

fn alert(alert: &Alert) -> String {
    let text = match &alert.node {
        Some(node) => format!("✗ {node} {}", alert.message),
        None => format!("✗ {}", alert.message),
    };
    style::red(&text)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{busy, plain};
    use super::*;
    use crate::api::AlertKind;

    #[test]
    fn a_full_health_report() {
        let answers = |number: u16, p99_ms| NodeLatency {
            name: format!("erlmcp{number}"),
            p50_ms: 0.25,
            p99_ms,
            samples: 200,
        };
        let mut report = Health {
            status: busy(),
            latency: Latency {
                nodes: vec![answers(1, 2.0), answers(2, 8.0)],
                variance_percent: 120.0,
                class: LatencyClass::Critical,
                p99_target_ms: 10.0,
            },
            alerts: vec![
                Alert {
                    kind: AlertKind::Slow,
                    node: Some("erlmcp2".into()),
                    message: "is slow: p99 8 ms".into(),
                },
                Alert {
                    kind: AlertKind::Uneven,
                    node: None,
                    message: "latencies are uneven".into(),
                },
            ],
        };
        report.status.nodes[3].pid = None;
        report.status.warnings = vec!["`::` is left out: this host has no IPv6".into()];
        insta::assert_snapshot!(plain(&health(&report, None)), @r"
        === erlmcp Load Balancer & Cluster Health ===

        Load Balancer: HAProxy RUNNING (pid 123, up 5m)

        Alerts:
          ✗ erlmcp2 is slow: p99 8 ms
          ✗ latencies are uneven

        Cluster Nodes:
          erlmcp1: UP (25234 connections) ✓ (target: 25000 ± 500)
          erlmcp2: UP (24987 connections) ✓
          erlmcp3: UP (25156 connections) ✓
          erlmcp4: UP (24623 connections) ✓

        Total Connections: 100000 / 100000 (100%)
        Variance: 2.4% (target: <5%)
        Latency Range: 2.0 ms - 8.0 ms (p99)
        Latency Variance: 120.0% (critical)

        Warnings:
          `::` is left out: this host has no IPv6

        Resources:
          erlmcp1:  pid 1001    up 5m 2s  28.3 MB  2.5% cpu  0 restarts  p50 0.25 ms, p99 2.0 ms
          erlmcp2:  pid 1002    up 5m 2s  28.3 MB  2.5% cpu  0 restarts  p50 0.25 ms, p99 8.0 ms
          erlmcp3:  pid 1003    up 5m 2s  28.3 MB  2.5% cpu  0 restarts
          erlmcp4:  no process  up 5m 2s  28.3 MB  2.5% cpu  0 restarts

        Endpoints:
          http: 127.0.0.1:8080
          tcp:  127.0.0.1:8000

        Versions: clusterctl 0.1.0, HAProxy 2.6.12
        ");
        let narrow = plain(&super::health(&report, Some(80)));
        assert!(
            narrow.contains("  erlmcp2:  up 5m 2s  28.3 MB  2.5% cpu  0 restarts  p99 8.0 ms\n"),
            "{narrow}"
        );
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    }

    #[test]
    fn external_nodes_have_no_resources() {
        let mut report = Health {
            status: busy(),
            ..Health::down("erlmcp")
        };
        for node in &mut report.status.nodes {
            (node.pid, node.external) = (None, true);
        }
        let text = plain(&health(&report, None));
        let resources = text.split("Resources:\n").nth(1).unwrap();
        assert!(
            resources.starts_with("  erlmcp1:  external\n  erlmcp2:  external\n"),
            "{text}"
        );
    }

    #[test]
    fn a_stopped_cluster_has_a_short_text() {
        insta::assert_snapshot!(plain(&health(&Health::down("erlmcp"), None)), @r"
        === erlmcp Load Balancer & Cluster Health ===

        Load Balancer: STOPPED
        ");
    }
}

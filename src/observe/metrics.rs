//! The supervisor's metrics in the Prometheus text format.
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>)

use std::fmt::Write;

use crate::api::{BalancerState, Health, Node, NodeState};
use crate::erlang::Vitals;

/// The text format's media type.
pub const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric of one moment.
#[must_use]
pub fn metrics(health: &Health) -> String {
    let mut page = Page {
        text: String::new(),
        cluster: &health.status.cluster,
    };
    let (nodes, distribution) = (&health.status.nodes, &health.status.distribution);
    let running = health
        .status
        .balancer
        .as_ref()
        .is_some_and(|b| b.state == BalancerState::Running);
    page.gauge(
        "clusterctl_balancer_up",
        "Whether the balancer runs.",
        u8::from(running),
    );
    page.per_node(
        "clusterctl_node_up",
        "gauge",
        "Whether the node serves.",
        nodes,
        |node| u64::from(node.state == NodeState::Up),
    );
    page.per_node(
        "clusterctl_node_connections",
        "gauge",
        "Established connections.",
        nodes,
        |n| n.connections,
    );
    page.per_node(
        "clusterctl_node_resident_memory_bytes",
        "gauge",
        "Resident memory.",
        nodes,
        |n| n.memory_bytes,
    );
    page.per_node(
        "clusterctl_node_restarts_total",
        "counter",
        "Restarts since the start.",
        nodes,
        |n| u64::from(n.restarts),
    );
    page.emulators(nodes);
    page.gauge(
        "clusterctl_connections",
        "Established connections on all nodes.",
        distribution.total,
    );
    page.gauge(
        "clusterctl_capacity_connections",
        "Connections that this host can hold.",
        distribution.capacity,
    );
    page.gauge(
        "clusterctl_connections_variance_ratio",
        "(max - min) / mean of connections per serving node.",
        distribution.variance_percent / 100.0,
    );
    page.latencies(health);
    page.gauge(
        "clusterctl_alerts",
        "What an operator should look at.",
        health.alerts.len(),
    );
    page.text
}

// Private

struct Page<'a> {
    text: String,
    cluster: &'a str,
}

impl Page<'_> {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _infallible = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, "gauge", help);
        let _infallible = writeln!(self.text, "{name}{{cluster=\"{}\"}} {value}", self.cluster);
    }

    fn per_node(&mut self, name: &str, kind: &str, help: &str, nodes: &[Node], value: impl Fn(&Node) -> u64) {
        self.head(name, kind, help);
        for node in nodes {
            let (cluster, label) = (self.cluster, &node.name);
            let _infallible = writeln!(
                self.text,
                "{name}{{cluster=\"{cluster}\",node=\"{label}\"}} {}",
                value(node)
            );
        }
    }

    /// What BEAM nodes say of themselves; nothing where there are none.
    fn emulators(&mut self, nodes: &[Node]) {
        type Value = fn(&Vitals) -> u64;
        let metrics: [(&str, &str, Value); 5] = [
            ("memory_bytes", "Memory that the emulator has in use.", |it| {
                it.memory.total
            }),
            ("binary_memory_bytes", "Of that, binaries.", |it| it.memory.binary),
            ("processes", "Erlang processes.", |it| it.processes),
            ("ports", "Erlang ports.", |it| it.ports),
            ("run_queue", "Processes and ports that wait to be run.", |it| {
                it.run_queue
            }),
        ];
        let beams: Vec<(&Node, &Vitals)> = nodes
            .iter()
            .filter_map(|node| Some((node, node.erlang.as_ref()?)))
            .collect();
        for (name, help, value) in metrics.iter().filter(|_| !beams.is_empty()) {
            let name = format!("clusterctl_node_erlang_{name}");
            self.head(&name, "gauge", help);
            for (node, vitals) in &beams {
                let (cluster, label, value) = (self.cluster, &node.name, value(vitals));
                let _infallible = writeln!(
                    self.text,
                    "{name}{{cluster=\"{cluster}\",node=\"{label}\"}} {value}"
                );
            }
        }
    }

    fn latencies(&mut self, health: &Health) {
        let name = "clusterctl_probe_latency_seconds";
        self.head(
            name,
            // Only summaries have quantiles.
            "summary",
            "Time that the node takes to answer the prober, by quantile.",
        );
        for node in &health.latency.nodes {
            for (quantile, millis) in [("0.5", node.p50_ms), ("0.99", node.p99_ms)] {
                let (cluster, label, seconds) = (self.cluster, &node.name, millis / 1_000.0);
                let _infallible = writeln!(
                    self.text,
                    "{name}{{cluster=\"{cluster}\",node=\"{label}\",quantile=\"{quantile}\"}} {seconds}"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{latency, node, samples, status};
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let health = Health {
            status: status(vec![node(NodeState::Up, 3), node(NodeState::Down, 0)]),
            latency: latency([("erlmcp1", &samples(1, 2))]),
            alerts: Vec::new(),
        };
        let text = metrics(&health);
        assert!(
            text.contains("clusterctl_node_connections{cluster=\"erlmcp\",node=\"n3\"} 3\n"),
            "{text}"
        );
        assert!(text.contains("quantile=\"0.99\"} 0.002\n"), "{text}");
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(
                name.starts_with("clusterctl_") && name.ends_with('}') && value.parse::<f64>().is_ok(),
                "{line}"
            );
        }
    }
}

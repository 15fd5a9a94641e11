//! The supervisor's metrics in the Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::api::{Alert, AlertKind, BalancerState, Health, Node, NodeState};
use crate::base::prometheus;
use crate::erlang::distribution::Vitals;

/// The media type of the page.
pub const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric of one moment.
#[must_use]
pub fn metrics(health: &Health) -> String {
    let mut page = Page {
        text: String::new(),
        cluster: &health.status.cluster,
    };
    let (nodes, distribution) = (&health.status.nodes, &health.status.distribution);
    let balancer = health.status.balancer.as_ref().map(|balancer| balancer.state);
    page.build(&health.status.version);
    page.gauge(
        "clusterctl_balancer_up",
        "1 while the balancer serves, also during a reload; else 0.",
        u8::from(balancer.is_some_and(BalancerState::serves)),
    );
    let former = health
        .status
        .balancer
        .as_ref()
        .map(|balancer| balancer.former.len());
    page.gauge(
        "clusterctl_balancer_former_processes",
        "Balancer processes that accept no connections any more, and end with their last one.",
        former.unwrap_or(0),
    );
    page.per_node(
        "clusterctl_node_up",
        "gauge",
        "1 while the node answers the supervisor, also when it gets no connections; else 0.",
        nodes,
        |node| u64::from(node.answers),
    );
    page.node_states(nodes);
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
        "Alerts, as `clusterctl health` shows them.",
        health.alerts.len(),
    );
    page.alerts(&health.alerts);
    page.text
}

// Private

struct Page<'a> {
    text: String,
    cluster: &'a str,
}

impl Page<'_> {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        prometheus::head(&mut self.text, name, kind, help);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels = [&[("cluster", self.cluster)], labels].concat();
        prometheus::sample(&mut self.text, name, &labels, value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// The version of the supervisor, as a label.
    fn build(&mut self, version: &str) {
        let name = "clusterctl_build_info";
        self.head(name, "gauge", "1; the label is the version of the supervisor.");
        self.sample(name, &[("version", version)], 1);
    }

    fn per_node(&mut self, name: &str, kind: &str, help: &str, nodes: &[Node], value: impl Fn(&Node) -> u64) {
        self.head(name, kind, help);
        for node in nodes {
            self.sample(name, &[("node", &node.name)], value(node));
        }
    }

    /// The state of each node, as a state set.
    fn node_states(&mut self, nodes: &[Node]) {
        let name = "clusterctl_node_state";
        self.head(
            name,
            "gauge",
            "1 for the state that the node is in, as `clusterctl status` shows it; 0 for the others.",
        );
        for node in nodes {
            for state in NodeState::ALL {
                let labels = [("node", node.name.as_str()), ("state", state.name())];
                self.sample(name, &labels, u8::from(node.state == state));
            }
        }
    }

    /// The current alerts, by kind and node; the node is empty for an alert about the whole
    /// cluster.
    fn alerts(&mut self, alerts: &[Alert]) {
        let name = "clusterctl_alert";
        let mut counts: BTreeMap<(AlertKind, &str), u32> = BTreeMap::new();
        for alert in alerts {
            let node = alert.node.as_deref().unwrap_or_default();
            *counts.entry((alert.kind, node)).or_default() += 1;
        }
        self.head(
            name,
            "gauge",
            "Alerts by kind and node; alerts about the whole cluster have no node.",
        );
        for ((kind, node), count) in counts {
            self.sample(name, &[("kind", kind.name()), ("node", node)], count);
        }
    }

    /// Statistics that BEAM nodes report; nothing where there are none.
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
                self.sample(&name, &[("node", &node.name)], value(vitals));
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
                let labels = [("node", node.name.as_str()), ("quantile", quantile)];
                self.sample(name, &labels, millis / 1_000.0);
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
            alerts: vec![Alert {
                kind: AlertKind::NodeHung,
                node: Some("n0".into()),
                message: "runs, and does not answer".into(),
            }],
        };
        let text = metrics(&health);
        for sample in [
            "clusterctl_build_info{cluster=\"erlmcp\",version=\"0.1.0\"} 1\n",
            "clusterctl_balancer_former_processes{cluster=\"erlmcp\"} 0\n",
            "clusterctl_node_state{cluster=\"erlmcp\",node=\"n0\",state=\"down\"} 1\n",
            "clusterctl_node_state{cluster=\"erlmcp\",node=\"n0\",state=\"up\"} 0\n",
            "clusterctl_alert{cluster=\"erlmcp\",kind=\"node-hung\",node=\"n0\"} 1\n",
        ] {
            assert!(text.contains(sample), "{sample} is not in {text}");
        }
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

    #[test]
    fn a_node_is_up_while_it_answers_in_every_state() {
        for (state, up) in [
            (NodeState::HeldBack, 1),
            (NodeState::Drained, 1),
            (NodeState::Maintenance, 1),
            (NodeState::Starting, 0),
            (NodeState::Stopped, 0),
        ] {
            let health = Health {
                status: status(vec![node(state, 0)]),
                ..Health::down("erlmcp")
            };
            let text = metrics(&health);
            let sample = format!("clusterctl_node_up{{cluster=\"erlmcp\",node=\"n0\"}} {up}\n");
            assert!(text.contains(&sample), "{state:?}: {text}");
            let states = text
                .lines()
                .filter(|line| line.starts_with("clusterctl_node_state{"));
            assert_eq!(states.filter(|line| line.ends_with(" 1")).count(), 1, "{text}");
        }
    }
}

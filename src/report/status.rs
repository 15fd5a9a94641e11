//! `status`: the nodes, their connections, and whether these are even.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::emulators::mesh;
use super::node_mark::{NodeMark, Share, comparable, word};
use super::{numbers, rollout, style};
use crate::api::{Balancer, BalancerState, Distribution, Node, Status, Verdict};
use crate::profile::BalancerKind;

/// Why a distribution is not judged.
pub(super) const TOO_FEW: &str = "under 50 connections per node: too few to judge";

/// The cluster in the form of the reference's health check.
#[must_use]
pub fn status(status: &Status) -> String {
    let nodes = node_lines(&status.nodes, &status.distribution);
    [
        heading(status),
        section("Cluster Nodes", &nodes),
        section("Mesh", &mesh(&status.nodes)),
        totals(status),
        revisions(&status.nodes),
        versions(status),
        warnings(status),
    ]
    .concat()
}

/// The title, the balancer and its former processes, and the rollout.
pub(super) fn heading(status: &Status) -> String {
    let title = format!("=== {} Load Balancer & Cluster Health ===", status.cluster);
    let balancer = match &status.balancer {
        Some(balancer) => balancer_line(balancer),
        None => style::red("STOPPED"),
    };
    let former = status.balancer.as_ref().map_or_else(String::new, former);
    let rollout = rollout::section(status.rollout.as_ref());
    format!(
        "{}\n\nLoad Balancer: {balancer}\n{former}{rollout}",
        style::bold(&title)
    )
}

/// One line for each node.
pub(super) fn node_lines(nodes: &[Node], distribution: &Distribution) -> Vec<String> {
    let share = Share::of(nodes, distribution);
    let line = |(index, node)| {
        let aside = node_aside(index == 0, node, share);
        format!("{}{aside}", node_state(node, share))
    };
    nodes.iter().enumerate().map(line).collect()
}

/// The sum of connections, and their variance.
pub(super) fn totals(status: &Status) -> String {
    if status.nodes.is_empty() {
        return String::new();
    }
    let distribution = &status.distribution;
    let Distribution { total, capacity, .. } = distribution;
    let share = numbers::share(*total, *capacity).map_or(String::new(), |share| format!(" ({share}%)"));
    let variance = distribution.variance_percent;
    let variance = match (distribution.verdict, comparable(&status.nodes)) {
        (Verdict::Idle, _) => style::dim(&format!("idle ({TOO_FEW})")),
        (Verdict::Pass, _) => style::green(&format!("{variance:.1}%")),
        (Verdict::Fail, Some(others)) => {
            let others = others.variance_percent;
            style::yellow(&format!(
                "{variance:.1}%, {others:.1}% without what is filling up"
            ))
        }
        (Verdict::Fail, None) => style::red(&format!("{variance:.1}% too uneven")),
    };
    let target = match distribution.verdict {
        Verdict::Idle => String::new(),
        Verdict::Pass | Verdict::Fail => format!(" (target: <{}%)", distribution.variance_target_percent),
    };
    format!("\nTotal Connections: {total} / {capacity}{share}\nVariance: {variance}{target}\n")
}

/// The revisions of MCP that the nodes serve; nothing while they are not known.
fn revisions(nodes: &[Node]) -> String {
    let all: BTreeSet<&str> = nodes
        .iter()
        .flat_map(|node| &node.eras)
        .map(String::as_str)
        .collect();
    if all.is_empty() {
        return String::new();
    }
    let all: Vec<&str> = all.into_iter().collect();
    format!("MCP: {}\n", all.join(", "))
}

/// The versions of the supervisor and the balancer; nothing while they are not known.
pub(super) fn versions(status: &Status) -> String {
    let balancer = status.balancer.as_ref();
    let balancer = balancer.map(|it| (it.kind.facts().title, it.version.as_str()));
    let versions: Vec<String> = [("clusterctl", status.version.as_str())]
        .into_iter()
        .chain(balancer)
        .filter(|(_, version)| !version.is_empty())
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    if versions.is_empty() {
        return String::new();
    }
    format!("Versions: {}\n", versions.join(", "))
}

/// Settings of the profile that are not provided, as warnings.
pub(super) fn warnings(status: &Status) -> String {
    let lines: Vec<String> = status
        .warnings
        .iter()
        .map(|warning| style::yellow(warning))
        .collect();
    section("Warnings", &lines)
}

/// A title and its lines; nothing when there are none.
pub(super) fn section(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    lines.iter().fold(format!("\n{title}:\n"), |mut text, line| {
        let _infallible = writeln!(text, "  {}", line.replace('\n', "\n    "));
        text
    })
}

// Private

fn balancer_line(balancer: &Balancer) -> String {
    let name = balancer.kind.facts().title;
    let state = match balancer.state {
        BalancerState::Reloading if let Some(next) = balancer.switching_to => {
            style::yellow(&format!("SWITCHING to {}", next.facts().title))
        }
        BalancerState::Running => style::green("RUNNING"),
        BalancerState::Reloading => style::yellow("RELOADING"),
        BalancerState::Stopped => style::yellow("STOPPED"),
        BalancerState::Failed => style::red("FAILED"),
    };
    let is_former = |pid: &u32| balancer.former.iter().any(|former| former.pid == *pid);
    let pids: Vec<u32> = balancer
        .pids
        .iter()
        .copied()
        .filter(|pid| !is_former(pid))
        .collect();
    if pids.is_empty() {
        return format!("{name} {state}");
    }
    let restarts = match balancer.restarts {
        0 => String::new(),
        restarts => format!(", {}", numbers::counted(restarts.into(), "restart")),
    };
    format!(
        "{name} {state} ({}, up {}{restarts})",
        numbers::pids(&pids),
        numbers::age(balancer.uptime_seconds)
    )
}

/// One line for the former processes of each kind of balancer.
fn former(balancer: &Balancer) -> String {
    let of_kind = |kind: &BalancerKind| {
        let all: Vec<_> = balancer.former.iter().filter(|it| it.kind == *kind).collect();
        let pids: Vec<u32> = all.iter().map(|it| it.pid).collect();
        let connections = match all.iter().map(|it| it.connections).sum::<Option<u64>>() {
            Some(count) => format!(", {} left", numbers::counted(count, "connection")),
            None => String::new(),
        };
        let name = kind.facts().title;
        (!pids.is_empty()).then(|| format!("Former: {name} ({}{connections})\n", numbers::pids(&pids)))
    };
    BalancerKind::ALL.iter().filter_map(of_kind).collect()
}

fn node_state(node: &Node, share: Share) -> String {
    let standing = NodeMark::of(node, share);
    let Node {
        name, connections, ..
    } = node;
    format!(
        "{name}: {} ({connections} connections) {}",
        standing.paint(word(node.state)),
        standing.mark()
    )
}

/// The text in parentheses beside a node: the target beside the first node, and the reason beside a
/// node in trouble.
fn node_aside(first: bool, node: &Node, share: Share) -> String {
    let target = first.then(|| format!("target: {:.0} ± {:.0}", share.connections, share.tolerance));
    let restarts =
        (node.restarts > 0).then(|| style::yellow(&numbers::counted(node.restarts.into(), "restart")));
    let filling = node.filling_seconds;
    let filling = filling.map(|seconds| format!("filling up, back for {}", numbers::age(seconds)));
    let parts: Vec<String> = target
        .into_iter()
        .chain(restarts)
        .chain(node.reason.clone())
        .chain(filling)
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{busy, down, idle, plain, rolling};
    use super::*;
    use crate::api::{FormerBalancer, NodeState};

    #[test]
    fn a_busy_cluster_reads_as_in_the_reference() {
        insta::assert_snapshot!(plain(&status(&busy())), @r"
        === erlmcp Load Balancer & Cluster Health ===

        Load Balancer: HAProxy RUNNING (pid 123, up 5m)

        Cluster Nodes:
          erlmcp1: UP (25234 connections) ✓ (target: 25000 ± 500)
          erlmcp2: UP (24987 connections) ✓
          erlmcp3: UP (25156 connections) ✓
          erlmcp4: UP (24623 connections) ✓

        Total Connections: 100000 / 100000 (100%)
        Variance: 2.4% (target: <5%)
        Versions: clusterctl 0.1.0, HAProxy 2.6.12
        ");
    }

    #[test]
    fn an_idle_cluster_is_not_judged_and_a_dead_node_has_a_reason() {
        let mut sick = idle();
        sick.nodes[1].state = NodeState::Failed;
        sick.nodes[1].restarts = 10;
        sick.nodes[1].reason = Some("exit code 1".into());
        sick.nodes[2].state = NodeState::Draining;
        sick.warnings = vec!["capacity is 9900, not 100000".into()];
        insta::assert_snapshot!(plain(&status(&sick)), @r"
        === erlmcp Load Balancer & Cluster Health ===

        Load Balancer: HAProxy RUNNING (pid 123, up 5m)

        Cluster Nodes:
          erlmcp1: UP (3 connections) ✓ (target: 25000 ± 500)
          erlmcp2: FAILED (3 connections) ✗ (10 restarts, exit code 1)
          erlmcp3: DRAINING (3 connections) -
          erlmcp4: UP (3 connections) ✓

        Total Connections: 12 / 100000 (0%)
        Variance: idle (under 50 connections per node: too few to judge)
        Versions: clusterctl 0.1.0, HAProxy 2.6.12

        Warnings:
          capacity is 9900, not 100000
        ");
    }

    #[test]
    fn a_returning_node_fills_and_the_others_are_judged_without_it() {
        let mut filling = busy();
        for (node, connections) in filling.nodes.iter_mut().zip([133, 0, 134, 133]) {
            node.connections = connections;
        }
        filling.nodes[1].restarts = 1;
        filling.nodes[1].filling_seconds = Some(12);
        filling.distribution = Distribution {
            total: 400,
            mean: 100.0,
            variance_percent: 134.0,
            verdict: Verdict::Fail,
            ..filling.distribution
        };
        insta::assert_snapshot!(plain(&status(&filling)), @r"
        === erlmcp Load Balancer & Cluster Health ===

        Load Balancer: HAProxy RUNNING (pid 123, up 5m)

        Cluster Nodes:
          erlmcp1: UP (133 connections) ✓ (target: 133 ± 3)
          erlmcp2: UP (0 connections) ✓ (1 restart, filling up, back for 12s)
          erlmcp3: UP (134 connections) ✓
          erlmcp4: UP (133 connections) ✓

        Total Connections: 400 / 100000 (0%)
        Variance: 134.0%, 0.8% without what is filling up (target: <5%)
        Versions: clusterctl 0.1.0, HAProxy 2.6.12
        ");
    }

    #[test]
    fn a_switch_and_former_processes_are_shown() {
        let mut switching = busy();
        let balancer = switching.balancer.as_mut().unwrap();
        balancer.state = BalancerState::Reloading;
        balancer.switching_to = Some(BalancerKind::Nginx);
        assert!(
            plain(&status(&switching))
                .contains("Load Balancer: HAProxy SWITCHING to nginx (pid 123, up 5m)\n")
        );

        let balancer = switching.balancer.as_mut().unwrap();
        let former = |kind, pid, connections| FormerBalancer {
            kind,
            pid,
            connections,
        };
        balancer.former = vec![
            former(BalancerKind::Nginx, 99, None),
            former(BalancerKind::Haproxy, 100, Some(1_200)),
            former(BalancerKind::Haproxy, 101, Some(34)),
        ];
        balancer.pids = vec![123, 99, 100, 101];
        balancer.state = BalancerState::Running;
        balancer.switching_to = None;
        let text = plain(&status(&switching));
        let heading: Vec<&str> = text.lines().skip(2).take(3).collect();
        assert_eq!(
            heading,
            [
                "Load Balancer: HAProxy RUNNING (pid 123, up 5m)",
                "Former: HAProxy (pids 100, 101, 1234 connections left)",
                "Former: nginx (pid 99)",
            ]
        );
    }

    #[test]
    fn a_rollout_is_shown_below_the_balancer() {
        let mut changing = busy();
        changing.rollout = Some(rolling());
        let text = plain(&status(&changing));
        let heading: Vec<&str> = text.lines().skip(2).take(4).collect();
        assert_eq!(
            heading,
            [
                "Load Balancer: HAProxy RUNNING (pid 123, up 5m)",
                "Rollout: RUNNING, step 2 of 4 of a rolling restart",
                "  erlmcp2 is being drained: 37 connections",
                "  by root (pid 4711) since 2026-11-29T16:40:02Z",
            ]
        );
    }

    #[test]
    fn versions_that_are_not_known_are_left_out() {
        let mut older = busy();
        older.version = String::new();
        assert_eq!(versions(&older), "Versions: HAProxy 2.6.12\n");
        older.balancer = None;
        assert_eq!(versions(&older), "");
    }

    #[test]
    fn a_stopped_cluster_is_shown_as_stopped() {
        insta::assert_snapshot!(plain(&status(&down())), @r"
        === erlmcp Load Balancer & Cluster Health ===

        Load Balancer: STOPPED
        ");
    }
}

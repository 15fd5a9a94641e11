//! BEAM nodes: the state of each, and whether all are connected to one another.

use super::{numbers, style, table};
use crate::api::Node;
use crate::erlang::distribution::Vitals;

/// One line for each node, with its state.
pub(super) fn emulators(nodes: &[Node]) -> Vec<String> {
    let row = |(node, vitals): (&Node, &Vitals)| {
        let memory = &vitals.memory;
        let kinds = [
            ("processes", memory.processes),
            ("binaries", memory.binary),
            ("ets", memory.ets),
            ("code", memory.code),
        ];
        let kinds = kinds.map(|(kind, bytes)| format!("{kind} {}", numbers::bytes(bytes)));
        vec![
            format!("{}:", node.name),
            format!("OTP {}", vitals.otp_release),
            numbers::bytes(memory.total),
            format!("({})", kinds.join(", ")),
            format!("{} of {} processes", vitals.processes, vitals.process_limit),
            format!("{} of {} ports", vitals.ports, vitals.port_limit),
            format!("run queue {}", vitals.run_queue),
        ]
    };
    table::rows(beams(nodes).map(row))
}

/// Whether all running nodes report that they are connected to all others. Nothing where no node is
/// connected to any other: such nodes, as erlmcp's, do not form a mesh.
pub(super) fn mesh(nodes: &[Node]) -> Vec<String> {
    let nodes: Vec<&Node> = nodes.iter().filter(|node| node.pid.is_some()).collect();
    let is_with_others = |(_, vitals): (&Node, &Vitals)| !vitals.connected.is_empty();
    if !beams(nodes.iter().copied()).any(is_with_others) {
        return Vec::new();
    }
    let lacks = nodes.iter().filter_map(|node| {
        let Some(vitals) = &node.erlang else {
            return Some(format!(
                "{} does not report which nodes it is connected to",
                node.name
            ));
        };
        let missing: Vec<&str> = nodes
            .iter()
            .map(|other| other.name.as_str())
            .filter(|other| *other != node.name && !is_connected(vitals, other))
            .collect();
        (!missing.is_empty()).then(|| format!("{} is not connected to {}", node.name, missing.join(", ")))
    });
    let lacks: Vec<String> = lacks.map(|lack| style::yellow(&lack)).collect();
    if lacks.is_empty() {
        vec![style::green(&format!(
            "all {} nodes are connected to one another",
            nodes.len()
        ))]
    } else {
        lacks
    }
}

// Private

fn beams<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> impl Iterator<Item = (&'a Node, &'a Vitals)> {
    nodes
        .into_iter()
        .filter_map(|node| Some((node, node.erlang.as_ref()?)))
}

fn is_connected(vitals: &Vitals, name: &str) -> bool {
    let mut names = vitals.connected.iter().filter_map(|full| full.split_once('@'));
    names.any(|(connected, _)| connected == name)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{node, vitals};
    use super::*;
    use crate::api::NodeState;

    fn beam(number: u16, connected: &[&str]) -> Node {
        let connected = connected.iter().map(|name| (*name).to_owned()).collect();
        Node {
            erlang: Some(Vitals {
                connected,
                ..vitals()
            }),
            ..node(number, NodeState::Up, 0)
        }
    }

    #[test]
    fn a_complete_mesh_is_one_line_and_missing_connections_are_named() {
        assert!(mesh(&[node(1, NodeState::Up, 0), node(2, NodeState::Up, 0)]).is_empty());
        assert!(mesh(&[beam(1, &[]), beam(2, &[])]).is_empty());
        let whole = [beam(1, &["erlmcp2@localhost"]), beam(2, &["erlmcp1@localhost"])];
        assert_eq!(
            mesh(&whole),
            [style::green("all 2 nodes are connected to one another")]
        );
        let parted = [
            beam(1, &["erlmcp2@localhost"]),
            beam(2, &["erlmcp1@localhost"]),
            node(3, NodeState::Down, 0),
        ];
        let lacks = [
            "erlmcp1 is not connected to erlmcp3",
            "erlmcp2 is not connected to erlmcp3",
            "erlmcp3 does not report which nodes it is connected to",
        ];
        assert_eq!(mesh(&parted), lacks.map(style::yellow));
    }

    #[test]
    fn an_emulator_is_a_line() {
        insta::assert_snapshot!(emulators(&[beam(1, &[])])[0], @"erlmcp1:  OTP 25  30.0 MB  (processes 6.0 MB, binaries 1.2 MB, ets 600 kB, code 9.0 MB)  50 of 262144 processes  3 of 65536 ports  run queue 0");
    }
}

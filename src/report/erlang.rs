//! Statistics that BEAM nodes report.

use super::{numbers, style, table};
use crate::erlang::distribution::{Memory, Nodes, Ports, Process, Processes, Vitals};

/// A node's memory by kind.
#[must_use]
pub fn erlang_memory(vitals: &Vitals) -> String {
    let memory = &vitals.memory;
    let title = format!(
        "{} in use, by OTP {}, up {}",
        numbers::bytes(memory.total),
        vitals.otp_release,
        numbers::age(vitals.uptime_seconds)
    );
    let rows = kinds(memory)
        .map(|(kind, bytes)| [kind.to_owned(), numbers::bytes(bytes), share(bytes, memory.total)]);
    titled(&title, table::lines(["kind", "bytes", "share"], rows, 1))
}

/// A node's largest processes.
#[must_use]
pub fn erlang_processes(processes: &Processes) -> String {
    let Processes {
        count,
        limit,
        run_queue,
        looked_at,
        ..
    } = processes;
    let title = format!("{count} of {limit} processes, {run_queue} waiting to be run");
    let mut lines = vec![style::bold(&title)];
    // The count leaves out the observing process, and those that have started since.
    if looked_at + 100 < *count {
        lines.push(style::yellow(&format!(
            "Only {looked_at} of them were inspected."
        )));
    }
    lines.extend(section("Most memory", &processes.by_memory));
    lines.extend(section("Longest message queue", &processes.by_queue));
    if processes.by_queue.is_empty() {
        lines.extend([String::new(), "No message waits.".to_owned()]);
    }
    lines.join("\n")
}

/// A node's ports by name.
#[must_use]
pub fn erlang_ports(ports: &Ports) -> String {
    let title = format!("{} of {} ports", ports.count, ports.limit);
    let mut names: Vec<(&String, &u64)> = ports.by_name.iter().collect();
    names.sort_by(|one, other| other.1.cmp(one.1));
    let rows = names
        .into_iter()
        .map(|(name, count)| [harmless(name), count.to_string()]);
    titled(&title, table::lines(["name", "count"], rows, 1))
}

/// The nodes that a node knows.
#[must_use]
pub fn erlang_nodes(nodes: &Nodes) -> String {
    let rows = [
        ("connected", &nodes.connected),
        ("hidden", &nodes.hidden),
        ("known", &nodes.known),
    ];
    let line = |(kind, names): (&str, &Vec<String>)| {
        let names = if names.is_empty() {
            style::dim("none")
        } else {
            harmless(&names.join(", "))
        };
        format!("{kind:<9}  {names}")
    };
    titled(&nodes.node, rows.map(line).into())
}

// Private

/// Kinds that are part of another kind are indented below it.
fn kinds(memory: &Memory) -> [(&'static str, u64); 9] {
    let parts = [memory.atom, memory.binary, memory.code, memory.ets].iter().sum();
    [
        ("processes", memory.processes),
        ("  used", memory.processes_used),
        ("system", memory.system),
        ("  atom", memory.atom),
        ("    used", memory.atom_used),
        ("  binary", memory.binary),
        ("  code", memory.code),
        ("  ets", memory.ets),
        ("  other", memory.system.saturating_sub(parts)),
    ]
}

fn share(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    format!("{percent:.1}%")
}

fn titled(title: &str, lines: Vec<String>) -> String {
    let mut all = vec![style::bold(title), String::new()];
    all.extend(lines);
    all.join("\n")
}

fn section(title: &str, processes: &[Process]) -> Vec<String> {
    const HEADER: [&str; 6] = ["pid", "name", "in", "memory", "queue", "reductions"];

    if processes.is_empty() {
        return Vec::new();
    }
    let rows = processes.iter().map(|process| {
        [
            process.pid.clone(),
            harmless(&process.name),
            process.current.clone(),
            numbers::bytes(process.memory),
            process.queue.to_string(),
            process.reductions.to_string(),
        ]
    });
    let mut lines = vec![String::new(), format!("{title}:")];
    lines.extend(table::lines(HEADER, rows, 3));
    lines
}

/// A name without control characters that would affect a terminal: nodes choose their names and
/// their processes' names.
fn harmless(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{plain, vitals};
    use super::*;

    #[test]
    fn memory_is_listed_by_kind_with_shares() {
        let vitals = vitals();
        insta::assert_snapshot!(plain(&erlang_memory(&vitals)), @r"
        30.0 MB in use, by OTP 25, up 2h 5m

        kind         bytes  share
        processes   6.0 MB  20.0%
          used      5.9 MB  19.7%
        system     24.0 MB  80.0%
          atom      300 kB   1.0%
            used    290 kB   1.0%
          binary    1.2 MB   4.0%
          code      9.0 MB  30.0%
          ets       600 kB   2.0%
          other    12.9 MB  43.0%
        ");
    }

    #[test]
    fn processes_are_listed_by_size() {
        let process = |name: &str, memory, queue| Process {
            pid: "<0.80.0>".into(),
            name: name.into(),
            memory,
            queue,
            reductions: 1_234,
            current: "gen_server:loop/7".into(),
        };
        let mut processes = Processes {
            count: 200_000,
            limit: 262_144,
            run_queue: 1,
            looked_at: 100_000,
            by_memory: vec![
                process("code_server", 2_000_000, 0),
                process("acceptor:init/1", 9_000, 7),
            ],
            by_queue: vec![process("acceptor:init/1", 9_000, 7)],
        };
        insta::assert_snapshot!(plain(&erlang_processes(&processes)), @r"
        200000 of 262144 processes, 1 waiting to be run
        Only 100000 of them were inspected.

        Most memory:
        pid       name             in                 memory  queue  reductions
        <0.80.0>  code_server      gen_server:loop/7  2.0 MB      0        1234
        <0.80.0>  acceptor:init/1  gen_server:loop/7  9.0 kB      7        1234

        Longest message queue:
        pid       name             in                 memory  queue  reductions
        <0.80.0>  acceptor:init/1  gen_server:loop/7  9.0 kB      7        1234
        ");
        processes.by_queue.clear();
        processes.looked_at = processes.count;
        let text = plain(&erlang_processes(&processes));
        assert!(
            text.ends_with("\n\nNo message waits.") && !text.contains("Only"),
            "{text}"
        );
    }

    #[test]
    fn ports_and_nodes_are_listed() {
        let ports = Ports {
            count: 25_010,
            limit: 65_536,
            looked_at: 25_010,
            by_name: [("efi\u{1b}le".into(), 9), ("tcp_inet".into(), 25_001)].into(),
        };
        insta::assert_snapshot!(plain(&erlang_ports(&ports)), @r"
        25010 of 65536 ports

        name      count
        tcp_inet  25001
        efile         9
        ");
        let nodes = Nodes {
            node: "erlmcp1@localhost".into(),
            connected: vec!["erlmcp2@localhost".into(), "erlmcp3@localhost".into()],
            hidden: Vec::new(),
            known: Vec::new(),
        };
        insta::assert_snapshot!(plain(&erlang_nodes(&nodes)), @r"
        erlmcp1@localhost

        connected  erlmcp2@localhost, erlmcp3@localhost
        hidden     none
        known      none
        ");
    }
}

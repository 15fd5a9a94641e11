//! All numbers, in tables.

use serde::Serialize;

use super::super::super::numbers::{bytes, grouped, millis};
use super::super::share::share;
use super::super::{counts, failover, messages};
use crate::load_test::results::{Count, ErrorCount, Failover, Moved, NodeResult, Quantiles, Results};

/// A table. The first column holds words, and so do all others if `words`; otherwise they hold
/// numbers.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    title: String,
    words: bool,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

/// The tables that have rows.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    let failover = results.failover.as_ref().map(timeline);
    let all = [nodes(results), latency(results), counted(results)];
    let all = all
        .into_iter()
        .chain(failover)
        .chain([moved(results), errors(results), memory(results)]);
    all.filter(|table| !table.rows.is_empty()).collect()
}

// Private

fn nodes(results: &Results) -> Table {
    let spread = &results.distribution;
    let row = |node: &NodeResult| {
        let share = share(spread, node).filter(|_| spread.mean > 0.0);
        let off = share.map(|share| off(share, spread.mean));
        vec![
            node.name.clone(),
            grouped(node.connected.into()),
            off.map_or(String::new(), |off| format!("{off:+.2}%")),
            grouped(node.held.into()),
        ]
    };
    let others = (spread.others > 0).then(|| {
        format!(
            "The mean is that of all connections, {} of others too, on the nodes that took clients.",
            grouped(spread.others)
        )
    });
    Table {
        title: "Nodes".into(),
        words: false,
        header: vec!["node", "when all were made", "off the mean", "at the end"],
        rows: results.nodes.iter().map(row).collect(),
        notes: others.into_iter().collect(),
    }
}

/// The difference from the mean, in percent of it.
fn off(share: u64, mean: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
    let share = share as f64;
    (share - mean) / mean * 100.0
}

fn latency(results: &Results) -> Table {
    let row = |(name, latency): (&str, &Quantiles)| {
        let times = [
            latency.mean_ms,
            latency.stddev_ms,
            latency.p50_ms,
            latency.p90_ms,
            latency.p99_ms,
            latency.p999_ms,
            latency.max_ms,
        ];
        let name = [name.to_owned()].into_iter();
        name.chain(times.map(millis))
            .chain([grouped(latency.count)])
            .collect()
    };
    let nodes = results
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), &node.latency));
    let all = [
        ("all", &results.latency.all),
        ("handshake", &results.ramp.handshake),
    ];
    let known = nodes.chain(all).filter(|(_, latency)| latency.count > 0);
    let measured = "From when a message was due, not when it was sent, to its answer.".to_owned();
    let messages_note =
        messages::messages(results, grouped).map(|messages_note| format!("Messages: {messages_note}."));
    let late = messages::late(results).map(|late| format!("Mind that {late}."));
    Table {
        title: "Latency".into(),
        words: false,
        header: vec![
            "", "average", "stddev", "p50", "p90", "p99", "p99.9", "max", "samples",
        ],
        rows: known.map(row).collect(),
        notes: [measured].into_iter().chain(messages_note).chain(late).collect(),
    }
}

fn counted(results: &Results) -> Table {
    let counts = &results.counts;
    let row = |name: &str, of: &dyn Fn(&Count) -> Option<u64>| {
        let cell = |count: Option<&Count>| count.and_then(of).map_or("–".to_owned(), grouped);
        vec![
            name.to_owned(),
            cell(Some(&counts.generator)),
            cell(counts.balancer.as_ref()),
            cell(counts.kernel.as_ref()),
        ]
    };
    let each = counts::names(counts, &results.nodes).into_iter().map(|name| {
        row(name, &|count| {
            let node = count.nodes.iter().find(|node| node.name == name);
            node.map(|node| node.connections)
        })
    });
    Table {
        title: "The same connections, counted by three".into(),
        words: false,
        header: vec!["node", "generator", "balancer", "kernel"],
        rows: each.chain([row("all", &|count| Some(count.total))]).collect(),
        notes: counts.meaning.clone(),
    }
}

fn timeline(failover: &Failover) -> Table {
    let row = |(ms, what): (f64, String)| vec![what, format!("{ms:.0} ms")];
    let at = format!("{:.1} s after the test began.", failover.at_seconds);
    Table {
        title: format!("Failover of {}", failover.node),
        words: false,
        header: vec!["what happened", "after"],
        rows: failover::steps(failover).into_iter().map(row).collect(),
        notes: [at].into_iter().chain(failover::aftermath(failover)).collect(),
    }
}

fn moved(results: &Results) -> Table {
    let moved = results.sticky.iter().flat_map(|sticky| &sticky.moved);
    let row = |moved: &Moved| {
        let address = moved
            .address
            .map_or("the kernel's choice".to_owned(), |address| address.to_string());
        vec![
            address,
            moved.was.clone(),
            moved.now.clone().unwrap_or_else(|| "not served".into()),
        ]
    };
    Table {
        title: "Clients that came back to another node".into(),
        words: true,
        header: vec!["client", "before", "after"],
        rows: moved.map(row).collect(),
        notes: Vec::new(),
    }
}

fn errors(results: &Results) -> Table {
    let row = |error: &ErrorCount| {
        vec![
            error.kind.name().to_owned(),
            grouped(error.count),
            error.example.clone(),
        ]
    };
    Table {
        title: "Errors".into(),
        words: true,
        header: vec!["kind", "how many", "one of them"],
        rows: results.errors.iter().map(row).collect(),
        notes: Vec::new(),
    }
}

/// A memory of 0 means that it was not measured.
fn memory(results: &Results) -> Table {
    let memory = &results.memory;
    let known = [
        ("host, kernel included: more during the test", memory.host_bytes),
        ("generator process", memory.generator_bytes),
        (
            "generator process, more per held connection",
            memory.generator_bytes_per_connection,
        ),
        ("node processes", memory.nodes_bytes),
        ("balancer processes", memory.balancer_bytes),
    ];
    let known = known.into_iter().filter(|(_, size)| *size > 0);
    Table {
        title: "Memory".into(),
        words: false,
        header: vec!["of", "memory"],
        rows: known
            .map(|(owner, size)| vec![owner.to_owned(), bytes(size)])
            .collect(),
        notes: Vec::new(),
    }
}

//! The settings of the test, and its host.

use serde::Serialize;

use super::super::super::numbers::{bytes, grouped};
use crate::load_test::results::Results;

/// One setting.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    name: &'static str,
    value: String,
}

/// All settings, for the foot of the page.
pub(super) fn settings(results: &Results) -> Vec<Setting> {
    let (asked, host) = (&results.test, &results.host);
    let rate = asked
        .rate
        .map_or("as fast as the target accepts".to_owned(), |rate| {
            format!("{rate} connections per second at most")
        });
    let sources = match asked.sources {
        0 => "the kernel's choice".to_owned(),
        sources => grouped(sources.into()),
    };
    let all = [
        ("target", asked.target.to_string()),
        ("protocol", asked.protocol.to_string()),
        ("connections", grouped(asked.connections.into())),
        ("hold", format!("{} s", asked.seconds)),
        ("ramp", rate),
        ("messages", format!("{} per second", asked.messages_per_second)),
        ("source addresses", sources),
        (
            "generator",
            format!("{}, {} threads", results.program, asked.workers),
        ),
        ("processors", host.cpus.to_string()),
        ("memory", bytes(host.memory_bytes)),
        (
            "open files",
            format!("{} at most for one process", grouped(host.nofile)),
        ),
        ("kernel", host.kernel.clone()),
    ];
    all.map(|(name, value)| Setting { name, value }).into()
}

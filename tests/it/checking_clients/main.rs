//! The checking clients as a program, for tests that are written in other languages:
//!
//! ```text
//! checking-clients PORT-OFFSET RATE HELD [SECONDS [READY-ADDRESS]]
//! ```
//!
//! Prints `ready` when all held clients are connected. Each line on standard input is answered by
//! the report so far, as a line of JSON; at the end of the input, the clients end, and the last
//! report follows. They end by themselves after `SECONDS` (600).

#![expect(clippy::unwrap_used, reason = "a program of tests that cannot go on fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of tests")]
#![expect(unreachable_pub, reason = "nothing is reachable in a program")]

#[path = "mod.rs"]
mod checking_clients;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use checking_clients::{CheckingClients, FaultKind, Load, Report, Targets};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: &str| -> u32 {
        arguments.get(at).map_or(default, String::as_str).parse().unwrap()
    };
    let offset = u16::try_from(number(0, "0")).unwrap();
    let mut load = Load::new(number(1, "100"), number(2, "200"));
    load.lifetime = Duration::from_secs(number(3, "600").into());
    load.ready = arguments.get(4).map(|address| address.parse().unwrap());
    let clients = CheckingClients::start(Targets::of(offset), load);
    clients.go_on(1);
    println!("ready");
    for line in std::io::stdin().lines() {
        let Ok(_) = line else { break };
        println!("{}", figures(&clients.report()));
    }
    let report = clients.stop();
    println!("{}", figures(&report));
    eprint!("{report}");
    if report.faults() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn figures(report: &Report) -> Value {
    let of = |times: &Histogram<u64>| {
        let ms = |at| Duration::from_micros(times.value_at_quantile(at)).as_secs_f64() * 1e3;
        json!({"p50": ms(0.5), "p99": ms(0.99), "p99_9": ms(0.999), "max": ms(1.0)})
    };
    // Each time, and how many clients took that long: the difference of two reports is a report, too.
    let back = report.back.iter_recorded();
    let back: Vec<(u64, u64)> = back
        .map(|it| (it.value_iterated_to(), it.count_at_value()))
        .collect();
    let counts = FaultKind::ALL.map(|kind| (kind.name(), report.count(kind)));
    let faults: Vec<String> = report.first_faults.iter().map(ToString::to_string).collect();
    json!({
        "seconds": report.length.as_secs_f64(),
        "new": report.begun(),
        "answered": report.answered(),
        "served": report.served,
        "not_begun": report.not_begun,
        "exchanges": report.exchanges.values().sum::<u64>(),
        "closed_idle": report.closed_idle,
        "raced": report.raced,
        "latency_ms": of(&report.latency),
        "closes": report.closes,
        "back_micros": back,
        "counts": BTreeMap::from(counts),
        "faults": faults,
    })
}

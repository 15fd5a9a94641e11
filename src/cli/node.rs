//! `node`: one MCP node alone, in the foreground.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use crate::base::{shutdown, telemetry};
use crate::node::{self, Faults, Settings};

/// Serves until it is stopped.
pub(super) async fn run(args: &args::Node) -> Outcome {
    telemetry::init();
    let usual = Settings::new(&args.name, args.tcp);
    let settings = Settings {
        http: args.http,
        workers: args.workers.unwrap_or(usual.workers),
        max_connections: args.max_connections,
        faults: Faults {
            delay: args.delay.duration(),
            mute: args.mute,
        },
        ..usual
    };
    let shutdown = shutdown::on_signal().map_err(Failure::new)?;
    node::run(settings, shutdown).await.map_err(Failure::new)?;
    Ok(Exit::Done)
}

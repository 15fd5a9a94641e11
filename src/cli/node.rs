//! `node`: one MCP node alone, in the foreground; or nodes of the running cluster.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::members;
use super::printer::Printer;
use super::settings::Settings as Flags;
use crate::base::shutdown::Shutdown;
use crate::base::telemetry;
use crate::node::{self, Faults, Settings};

/// Serves until it is stopped, or changes the nodes of the cluster.
pub(super) async fn run(settings: &Flags, printer: &Printer, args: &args::Node) -> Outcome {
    let name = match (&args.verb, &args.name) {
        (Some(_), name) if name.is_some() || args.tcp.is_some() || args.http.is_some() => {
            return Err(Failure::usage(
                "`--name`, `--tcp` and `--http` run a node here, and go without `add` and `remove`",
            )
            .hint("`clusterctl node add NAME` adds a node to the cluster".to_owned()));
        }
        (Some(verb), _) => return members::run(settings, printer, verb).await,
        (None, name) => name.as_deref().unwrap_or_default(),
    };
    telemetry::init();
    let usual = Settings::new(name, args.tcp);
    let settings = Settings {
        http: args.http,
        workers: args.workers.unwrap_or(usual.workers),
        max_connections: args.max_connections,
        announce: args.ending.announce.duration(),
        over: args.ending.over.duration(),
        faults: Faults {
            delay: args.delay.duration(),
            mute: args.mute,
        },
        ..usual
    };
    let shutdown = Shutdown::on_signals().map_err(Failure::new)?;
    node::run(settings, shutdown).await.map_err(Failure::new)?;
    Ok(Exit::Done)
}

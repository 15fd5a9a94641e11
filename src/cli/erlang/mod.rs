//! `erlang`: queries a BEAM node over Erlang's own distribution protocol.

mod call;
mod target;

use serde::Serialize;
use tokio::time::Instant;

use super::args::{self, ErlangQuery};
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::erlang::distribution::Connection;
use crate::report;

/// Queries the node, and shows the answer.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Erlang) -> Outcome {
    let deadline = Instant::now() + args.timeout.duration();
    let ask = async || -> Result<Connection, Failure> {
        let target = target::of(settings, args, deadline).await?;
        Ok(Connection::open(&target, deadline).await?)
    };
    match &args.query {
        ErlangQuery::Memory => {
            let vitals = ask().await?.vitals(deadline).await?;
            show(settings, printer, &vitals, report::erlang_memory)
        }
        ErlangQuery::Processes => {
            let processes = ask().await?.processes(deadline).await?;
            show(settings, printer, &processes, report::erlang_processes)
        }
        ErlangQuery::Ports => {
            let ports = ask().await?.ports(deadline).await?;
            show(settings, printer, &ports, report::erlang_ports)
        }
        ErlangQuery::Nodes => {
            let nodes = ask().await?.nodes(deadline).await?;
            show(settings, printer, &nodes, report::erlang_nodes)
        }
        ErlangQuery::Call(typed) => {
            // The arguments are checked before any node is contacted.
            let call = call::Typed::read(typed)?;
            call.run(settings, printer, ask().await?, deadline).await
        }
    }
}

// Private

fn show<T: Serialize>(settings: &Settings, printer: &Printer, answer: &T, text: fn(&T) -> String) -> Outcome {
    if settings.json {
        printer.pretty_json(answer)?;
    } else {
        printer.data(&text(answer))?;
    }
    Ok(Exit::Done)
}

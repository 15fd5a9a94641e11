//! `check`: checks the profile by our own rules and the configuration by the real balancer, and
//! whether the programs of the nodes are installed.

use super::args;
use super::exit::Exit;
use super::failure::Outcome;
use super::preview::Preview;
use super::printer::Printer;
use super::reply::CheckReply;
use super::settings::Settings;
use crate::erlang::beam;
use crate::erlang::erlmcp::Installation;
use crate::profile::Runtime;
use crate::supervisor::node_environment::NodeEnvironment;
use crate::supervisor::{PrepareError, node_program};

/// Checks everything; starts nothing.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Check) -> Outcome {
    let preview = Preview::new(settings, args.balancer.as_ref()).await?;
    let balancer = &preview.balancer;
    let warned = balancer.check(preview.deployment()).await?;
    let environment = NodeEnvironment::read(&preview.cluster).map_err(PrepareError::from)?;
    node_program::find(&preview.cluster, &environment).map_err(PrepareError::from)?;
    if let Some(erlmcp) = &preview.cluster.erlmcp {
        Installation::find(erlmcp, &preview.cluster.binaries, &preview.run_dir).await?;
    }
    if preview.cluster.runtime == Runtime::Erlang {
        beam::find(&preview.cluster.binaries)
            .await
            .map_err(PrepareError::from)?;
    }
    preview.warn(printer);
    for warning in &warned {
        printer.warning(warning);
    }
    if settings.json {
        let preview_warnings = preview.plan.warnings.iter().map(ToString::to_string);
        printer.pretty_json(&CheckReply {
            balancer: balancer.kind(),
            version: balancer.version(),
            warnings: preview_warnings.chain(warned).collect(),
        })?;
        return Ok(Exit::Done);
    }
    printer.note(&format!(
        "the profile is sound, and {} {} accepts its configuration",
        balancer.kind(),
        balancer.version()
    ));
    Ok(Exit::Done)
}

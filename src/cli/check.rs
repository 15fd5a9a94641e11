//! `check`: the profile by our rules, the configuration by the real balancer.

use super::args;
use super::exit::Exit;
use super::failure::Outcome;
use super::printer::Printer;
use super::settings::Settings;
use crate::balancer;
use crate::plan::plan;
use crate::platform::Host;
use crate::report;

/// Checks both; starts nothing.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Check) -> Outcome {
    let cluster = settings.cluster()?;
    let plan = plan(
        &cluster,
        settings.balancer(args.balancer.as_ref())?,
        &Host::read(),
    );
    let balancer = balancer::find(plan.balancer.kind, &cluster.binaries).await?;
    let warned = balancer
        .check(&cluster, &plan, &settings.run_dir()?, &settings.templates())
        .await?;
    for warning in &plan.warnings {
        printer.warning(&report::warning(warning));
    }
    for warned in warned {
        printer.warning(&warned);
    }
    printer.note(&format!(
        "the profile is sound, and {} {} accepts its configuration",
        balancer.kind(),
        balancer.version()
    ));
    Ok(Exit::Done)
}

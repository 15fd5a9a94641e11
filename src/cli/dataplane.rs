//! `dataplane`: the built-in load balancer in front, alone.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use crate::base::telemetry;
use crate::dataplane;

/// Serves until it is told to end.
pub(super) async fn run(args: &args::Dataplane) -> Outcome {
    telemetry::init();
    dataplane::run(&args.config).await.map_err(Failure::new)?;
    Ok(Exit::Done)
}

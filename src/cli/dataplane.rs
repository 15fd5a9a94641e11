//! `dataplane`: the built-in load balancer alone, in the foreground.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use crate::base::telemetry;
use crate::dataplane;

/// Serves until it is stopped.
pub(super) async fn run(args: &args::Dataplane) -> Outcome {
    telemetry::init();
    dataplane::run(&args.config).await.map_err(Failure::new)?;
    Ok(Exit::Done)
}

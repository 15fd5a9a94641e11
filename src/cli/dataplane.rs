//! `dataplane`: the built-in load balancer alone, in the foreground.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use crate::base::telemetry;
use crate::dataplane::{self, Ending};

/// Serves until it is stopped.
pub(super) async fn run(args: &args::Dataplane) -> Outcome {
    telemetry::init();
    let ending = Ending {
        announce: args.ending.announce.duration(),
        over: args.ending.over.duration(),
    };
    dataplane::run(&args.config, ending).await.map_err(Failure::new)?;
    Ok(Exit::Done)
}

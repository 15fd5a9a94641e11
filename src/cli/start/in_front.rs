//! `start --foreground`: the supervisor runs in this process.

use std::convert::Infallible;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{manager, reach};
use crate::base::telemetry;
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::printer::Printer;
use crate::cli::progress::{self, NotServing};
use crate::cli::reload;
use crate::cli::settings::Settings;
use crate::platform::RunDir;
use crate::supervisor::{Launch, StopSignals, supervise};

/// Supervises `launch` until it is stopped by an order or by `signals`.
pub(super) async fn in_front(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    run_dir: &RunDir,
    launch: Launch,
    signals: StopSignals,
) -> Outcome {
    telemetry::init();
    let manager = manager(args);
    // Before a service manager can send it.
    let hangup = manager.is_some().then(|| signal(SignalKind::hangup()));
    let hangup = hangup.transpose().map_err(Failure::new)?;
    let mut supervisor = tokio::spawn(supervise(launch, run_dir.clone(), manager, signals));
    let followed = match reach(run_dir, || supervisor.is_finished()).await {
        Some(client) => progress::outcome(&client).await,
        None => Ok(()),
    };
    let ended = tokio::select! {
        ended = &mut supervisor => ended,
        never = reload_on(hangup, settings, printer, run_dir) => match never {},
    };
    ended.map_err(Failure::new)??;
    // A signal can have ended it before it served; that is not a failure.
    if let Err(NotServing {
        undone: true,
        failure,
    }) = followed
    {
        Err(failure)
    } else {
        printer.note("stopped");
        Ok(Exit::Done)
    }
}

// Private

/// Reloads at each `hangup`; a reload that fails is logged.
async fn reload_on(
    hangup: Option<Signal>,
    settings: &Settings,
    printer: &Printer,
    run_dir: &RunDir,
) -> Infallible {
    let Some(mut hangup) = hangup else {
        return std::future::pending().await;
    };
    loop {
        if hangup.recv().await.is_none() {
            return std::future::pending().await;
        }
        if let Err(failure) = reload::unattended(&settings.again(run_dir), printer).await {
            tracing::error!("not reloaded: {}", failure.text());
        }
    }
}

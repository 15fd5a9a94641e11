//! `health`: the status, with latencies, resources and alerts; once or continuously.

use std::time::{Duration, SystemTime};

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::interrupt;
use super::other_version;
use super::printer::Printer;
use super::settings::Settings;
use super::status::{judge, stopped};
use crate::api::{Client, ClientError, ClusterState, GetHealth, Health};
use crate::platform::RunDir;
use crate::report::{self, style};

/// Shows the health.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Health) -> Outcome {
    let run_dir = settings.run_dir()?;
    match args.continuous {
        None => once(settings, printer, &run_dir, args.serving).await,
        Some(interval) => continuously(settings, printer, &run_dir, interval.duration(), args.serving).await,
    }
}

// Private

async fn once(settings: &Settings, printer: &Printer, run_dir: &RunDir, serving: bool) -> Outcome {
    let (health, exit) = look(settings, run_dir, serving).await?;
    if settings.json {
        printer.pretty_json(&health)?;
    } else {
        printer.data(&report::health(&health, printer.width()))?;
    }
    Ok(exit)
}

/// Shows the health until Ctrl-C; the exit code is then that of the last query.
async fn continuously(
    settings: &Settings,
    printer: &Printer,
    run_dir: &RunDir,
    interval: Duration,
    serving: bool,
) -> Outcome {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interrupt::catch().map_err(Failure::new)?;
    let mut last = Exit::Unclear;
    let mut failures = Failures::default();
    loop {
        let looked = tokio::select! {
            biased;
            () = interrupt::pressed() => {
                printer.end_interrupted_line();
                return Ok(last);
            }
            looked = async {
                ticks.tick().await;
                look(settings, run_dir, serving).await
            } => looked,
        };
        match looked {
            Ok((health, exit)) => {
                last = exit;
                failures.end(printer);
                show(settings, printer, &health)?;
            }
            // A supervisor that is stuck or just ending may answer the next query.
            Err(failure) => {
                last = failure.exit;
                failures.show(printer, &failure);
            }
        }
    }
}

/// Failed queries: each different failure is printed once, and its repetitions are counted.
#[derive(Default)]
struct Failures {
    text: String,
    more: u32,
}

impl Failures {
    fn show(&mut self, printer: &Printer, failure: &Failure) {
        let text = failure.text();
        if self.text == text {
            self.more += 1;
            return;
        }
        self.end(printer);
        self.text = text;
        printer.failure(failure);
    }

    /// Ends a series of failures: queries succeed again, or another failure begins.
    fn end(&mut self, printer: &Printer) {
        match std::mem::take(self).more {
            0 => {}
            1 => printer.note("the same once more"),
            more => printer.note(&format!("the same {more} times more")),
        }
    }
}

fn show(settings: &Settings, printer: &Printer, health: &Health) -> Result<(), Failure> {
    if settings.json {
        return printer.json(health);
    }
    let text = format!(
        "{}\n{}",
        style::dim(&report::timestamp(SystemTime::now())),
        report::health(health, printer.width())
    );
    if printer.on_terminal {
        printer.redraw(&text)?;
    } else {
        printer.data(&format!("{text}\n"))?;
    }
    Ok(())
}

async fn look(settings: &Settings, run_dir: &RunDir, serving: bool) -> Result<(Health, Exit), Failure> {
    match ask(run_dir).await {
        Ok(mut health) => {
            other_version::warn(&mut health.status);
            let exit = match health.status.state {
                ClusterState::Degraded if serving => Exit::Done,
                state => judge(state),
            };
            Ok((health, exit))
        }
        Err(ClientError::NotRunning(_)) => {
            let (status, exit) = stopped(settings, run_dir);
            Ok((
                Health {
                    status,
                    ..Health::down("")
                },
                exit,
            ))
        }
        Err(error) => Err(Failure::from(error).exit(Exit::Unclear)),
    }
}

async fn ask(run_dir: &RunDir) -> Result<Health, ClientError> {
    Client::connect(&run_dir.control_socket())
        .await?
        .call(&GetHealth)
        .await
}

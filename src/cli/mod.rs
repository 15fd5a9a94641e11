//! The command line: one file per command. Only this module prints, and errors end here.
//!
//! [`args`] is what was typed, [`settings`] what it means, [`printer`] where the output goes,
//! [`exit`] the exit code.

mod args;
mod balancer_name;
mod change;
mod check;
mod clap_errors;
mod completions;
mod dataplane;
mod doctor;
mod doctor_fix;
mod drain;
mod erlang;
mod exit;
mod export;
mod failure;
mod health;
mod help;
mod interrupt;
mod load_test;
mod log_file;
mod logs;
mod lost_state;
mod man;
mod members;
mod node;
mod operator;
mod other_version;
mod preview;
mod printer;
mod profile;
mod progress;
mod progress_line;
mod ready;
mod rebalance;
mod reload;
mod render;
mod reply;
mod restart;
mod rolling_restart;
mod scale;
mod serving;
mod settings;
mod start;
mod startup_warnings;
mod stats;
mod status;
mod stop;
mod suggestions;
mod supervise;
mod switch;
mod upgrade;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;

use self::args::{Cli, Verb};
use self::exit::Exit;
use self::failure::{Failure, Outcome};
use self::printer::Printer;
use self::settings::Settings;
use crate::platform::descriptors::keep_inherited;
use crate::platform::mark::set_apart;

/// Runs the command of `line`, a whole command line.
#[must_use]
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (printer, outcome) = match Cli::read(line) {
        Ok(cli) => {
            let printer = Printer::new(!cli.global.no_color);
            let refused = reply::refuse_json(&cli);
            let mut settings = Settings::new(cli.global);
            if matches!(
                cli.verb,
                Verb::Render(_) | Verb::Check(_) | Verb::Doctor(_) | Verb::LoadTest(_) | Verb::Erlang(_)
            ) {
                settings = settings.of_what_runs();
            }
            // A child of a cluster can run any command; the cluster's stop ends that command only
            // if it is a node or a balancer.
            if !cli.verb.serves_clients() {
                set_apart();
                keep_inherited();
            }
            let outcome = refused.and_then(|()| follow(&cli.verb, &settings, &printer));
            (printer, outcome)
        }
        Err(error) => {
            let printer = Printer::new(true);
            let outcome = clap_errors::answer(error, &printer);
            (printer, outcome)
        }
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}

/// The definition of the whole command line.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

// Private

fn follow(verb: &Verb, settings: &Settings, printer: &Printer) -> Outcome {
    match verb {
        Verb::Stop(args) => wait(unless_interrupted(stop::run(settings, printer, args))),
        Verb::Restart(args) => wait(unless_interrupted(restart::run(settings, printer, args))),
        Verb::Drain(args) => wait(unless_interrupted(drain::run(settings, printer, args))),
        Verb::Ready(args) => wait(unless_interrupted(ready::run(settings, printer, args))),
        Verb::Reload(args) => wait(unless_interrupted(reload::run(settings, printer, args))),
        Verb::Scale(args) => wait(unless_interrupted(scale::run(settings, printer, args))),
        Verb::Switch(args) => wait(unless_interrupted(switch::run(settings, printer, args))),
        Verb::Rebalance(args) => wait(unless_interrupted(rebalance::run(settings, printer, args))),
        Verb::Status => wait(status::run(settings, printer)),
        Verb::Health(args) => wait(health::run(settings, printer, args)),
        Verb::Stats => wait(stats::run(settings, printer)),
        // Ctrl-C ends it with the results so far.
        Verb::LoadTest(args) => wait(load_test::run(settings, printer, args)),
        Verb::Erlang(args) => wait(unless_interrupted(erlang::run(settings, printer, args))),
        Verb::Logs(args) => wait(logs::run(settings, printer, args)),
        Verb::Profile(args) => profile::run(settings, printer, &args.verb),
        Verb::Export(args) => export::run(settings, printer, args),
        Verb::Completions(args) => completions::run(printer, args.shell),
        Verb::Man => man::run(printer),
        // Ctrl-C also ends what it has started.
        Verb::Start(args) if args.foreground => wait(start::run(settings, printer, args)),
        Verb::Start(args) => wait(unless_interrupted(start::run(settings, printer, args))),
        Verb::Render(args) => wait(unless_interrupted(render::run(settings, printer, args))),
        Verb::Check(args) => wait(unless_interrupted(check::run(settings, printer, args))),
        Verb::Doctor(args) => wait(unless_interrupted(doctor::run(settings, printer, args))),
        Verb::Node(args) if args.verb.is_some() => {
            wait(unless_interrupted(node::run(settings, printer, args)))
        }
        Verb::Node(args) => wait(node::run(settings, printer, args)),
        Verb::Dataplane(args) => wait(dataplane::run(args)),
        Verb::Supervise => wait(supervise::run(settings)),
    }
}

/// Runs a command that Ctrl-C ends: its future is dropped, and still removes its temporary files.
async fn unless_interrupted(command: impl Future<Output = Outcome>) -> Outcome {
    interrupt::catch().map_err(Failure::new)?;
    tokio::select! {
        // The command first, because it may have a better message.
        biased;
        outcome = command => outcome,
        () = interrupt::pressed() => Err(Failure::because("interrupted").exit(Exit::Interrupted)),
    }
}

/// Runs a command that waits for other processes.
fn wait(command: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::new)?
        .block_on(command)
}

//! The commands about the data plane, by family.

mod clear;
mod find;
mod frontend;
mod info;
mod maxconn;
mod server;
mod servers;
mod sessions;
mod show;
mod stat;
mod table;
mod weight;

use std::sync::Arc;

pub(super) use find::strtol;
pub(super) use stat::{Format, Question};

use super::answer::{Answer, Level};
use super::line::Words;
use super::subject::{Order, Subject};
use super::vocabulary::Verb;

/// Executes a command about the data plane; `None` if it is about the conversation itself.
/// `granted` is the level of the socket, which decides about addresses and tables even after the
/// client has lowered its own.
pub(super) async fn carry_out<S: Subject>(
    verb: Verb,
    words: &Words,
    granted: Level,
    level: Level,
    plane: &Arc<S>,
) -> Option<Answer> {
    let told = match verb {
        Verb::ClearCounters => clear::counters(words, level, plane).await,
        Verb::ClearTable => table::clear(words, granted, level, plane).await,
        Verb::DisableFrontend => frontend::disable(words, plane).await,
        Verb::EnableFrontend => frontend::enable(words, plane).await,
        Verb::ShutdownFrontend => frontend::shut_down(words, plane).await,
        Verb::DisableAgent => server::agent(words, false, &**plane),
        Verb::EnableAgent => server::agent(words, true, &**plane),
        Verb::DisableHealth => server::checks(words, false, plane).await,
        Verb::EnableHealth => server::checks(words, true, plane).await,
        Verb::DisableServer => server::disable(words, plane).await,
        Verb::EnableServer => server::enable(words, plane).await,
        Verb::SetServer => server::set(words, plane).await,
        Verb::GetWeight => weight::get(words, &**plane),
        Verb::SetWeight => weight::set(words, words.at(3), plane).await,
        Verb::SetMaxconnFrontend => maxconn::frontend(words, plane).await,
        Verb::SetMaxconnGlobal => maxconn::global(words, plane).await,
        Verb::SetMaxconnServer => maxconn::server(words, plane).await,
        Verb::ShowBackend => Ok(show::backends(&**plane)),
        Verb::ShowEnv => show::environment(words),
        Verb::ShowErrors => show::errors(words, &**plane),
        Verb::ShowInfo => Ok(info::show(words, &**plane)),
        Verb::ShowSchema => Ok(show::schema()),
        Verb::ShowServersConn => servers::connections(words, &**plane),
        Verb::ShowServersState => servers::states(words, &**plane),
        Verb::ShowSess => sessions::show(words, plane).await,
        Verb::ShowStat => stat::show(words, granted, &**plane),
        Verb::ShowTable => table::show(words, granted, level, &**plane),
        Verb::ShowVersion => Ok(show::version()),
        Verb::ShutdownSession => sessions::shut_down(words, plane).await,
        Verb::ShutdownSessions => sessions::shut_down_of_server(words, plane).await,
        Verb::Reload => reload(plane).await,
        _ => return None,
    };
    Some(told.unwrap_or_else(|refused| refused))
}

/// Figures and messages, or the refusal.
type Told = Result<Answer, Answer>;

// Private

/// Executes an order whose answer is empty if it succeeds.
async fn order<S: Subject>(plane: &Arc<S>, order: Order) -> Told {
    match Arc::clone(plane).order(order).await {
        Ok(()) => Ok(Answer::done()),
        Err(refusal) => Err(Answer::refusal(format!("{refusal}\n"))),
    }
}

/// The answer is that of HAProxy's master.
async fn reload<S: Subject>(plane: &Arc<S>) -> Told {
    match Arc::clone(plane).order(Order::Reload).await {
        Ok(()) => Ok(Answer::figures("Success=1\n")),
        Err(refusal) => Ok(Answer::figures(format!("Success=0\n--\n{refusal}\n"))),
    }
}

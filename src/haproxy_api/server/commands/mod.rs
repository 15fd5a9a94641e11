//! The commands about the data plane, by family.

mod clear;
mod dynamic;
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
pub(super) use stat::{Format, StatQuery};

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
    subject: &Arc<S>,
) -> Option<Answer> {
    let reply = match verb {
        Verb::AddServer => dynamic::add(words, subject).await,
        Verb::DelServer => dynamic::delete(words, subject).await,
        Verb::ClearCounters => clear::counters(words, level, subject).await,
        Verb::ClearTable => table::clear(words, granted, level, subject).await,
        Verb::DisableFrontend => frontend::disable(words, subject).await,
        Verb::EnableFrontend => frontend::enable(words, subject).await,
        Verb::ShutdownFrontend => frontend::shut_down(words, subject).await,
        Verb::DisableAgent => server::agent(words, false, &**subject),
        Verb::EnableAgent => server::agent(words, true, &**subject),
        Verb::DisableHealth => server::checks(words, false, subject).await,
        Verb::EnableHealth => server::checks(words, true, subject).await,
        Verb::DisableServer => server::disable(words, subject).await,
        Verb::EnableServer => server::enable(words, subject).await,
        Verb::SetServer => server::set(words, subject).await,
        Verb::GetWeight => weight::get(words, &**subject),
        Verb::SetWeight => weight::set(words, words.at(3), subject).await,
        Verb::SetMaxconnFrontend => maxconn::frontend(words, subject).await,
        Verb::SetMaxconnGlobal => maxconn::global(words, subject).await,
        Verb::SetMaxconnServer => maxconn::server(words, subject).await,
        Verb::SetTable => table::set(words, level, subject).await,
        Verb::ShowBackend => Ok(show::backends(&**subject)),
        Verb::ShowEnv => show::environment(words),
        Verb::ShowErrors => show::errors(words, &**subject),
        Verb::ShowInfo => Ok(info::show(words, &**subject)),
        Verb::ShowSchema => Ok(show::schema()),
        Verb::ShowServersConn => servers::connections(words, &**subject),
        Verb::ShowServersState => servers::states(words, &**subject),
        Verb::ShowSess => sessions::show(words, subject).await,
        Verb::ShowStat => stat::show(words, granted, &**subject),
        Verb::ShowTable => table::show(words, granted, level, &**subject),
        Verb::ShowVersion => Ok(show::version()),
        Verb::ShutdownSession => sessions::shut_down(words, subject).await,
        Verb::ShutdownSessions => sessions::shut_down_of_server(words, subject).await,
        Verb::Reload => reload(subject).await,
        _ => return None,
    };
    Some(reply.unwrap_or_else(|refused| refused))
}

/// Figures and messages, or the refusal.
type Reply = Result<Answer, Answer>;

// Private

/// Executes an order whose answer is empty if it succeeds.
async fn order<S: Subject>(subject: &Arc<S>, order: Order) -> Reply {
    match Arc::clone(subject).order(order).await {
        Ok(()) => Ok(Answer::done()),
        Err(refusal) => Err(Answer::refusal(format!("{refusal}\n"))),
    }
}

/// The answer is that of HAProxy's master.
async fn reload<S: Subject>(subject: &Arc<S>) -> Reply {
    match Arc::clone(subject).order(Order::Reload).await {
        Ok(()) => Ok(Answer::figures("Success=1\n")),
        Err(refusal) => Ok(Answer::figures(format!("Success=0\n--\n{refusal}\n"))),
    }
}

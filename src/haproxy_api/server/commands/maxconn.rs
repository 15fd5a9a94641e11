//! Sets the limit of connections of the process, a frontend or a server.

use std::sync::Arc;

use super::super::answer::Answer;
use super::super::line::Words;
use super::super::subject::{Order, Subject};
use super::find::{atoi, strtol};
use super::{Reply, find, order};

pub(super) async fn global<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    if words.at(3).is_empty() {
        return Err(Answer::refusal("Expects an integer value.\n"));
    }
    // 0 restores the configured limit; so does every word that is not a number.
    let maxconn = limit(atoi(words.at(3)).max(0));
    if maxconn > subject.process().hard_maxconn {
        return Err(Answer::refusal("Value out of range.\n"));
    }
    order(subject, Order::GlobalMaxconn(maxconn)).await
}

pub(super) async fn frontend<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let frontend = find::frontend(&proxies, words.at(3))?;
    if words.at(4).is_empty() {
        return Err(Answer::refusal("Integer value expected.\n"));
    }
    let maxconn = atoi(words.at(4));
    if maxconn < 0 {
        return Err(Answer::refusal("Value out of range.\n"));
    }
    order(
        subject,
        Order::FrontendMaxconn(frontend.name.clone(), limit(maxconn)),
    )
    .await
}

pub(super) async fn server<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let server = find::server(&proxies, words.at(3))?;
    let maxconn = match strtol(words.at(4)) {
        _ if words.at(4).is_empty() => return Err(Answer::refusal("Require <maxconn>.\n")),
        None => return Err(Answer::refusal("maxconn string empty or preceded by garbage")),
        Some((maxconn, "")) => maxconn,
        Some(_) => return Err(Answer::refusal("Trailing garbage in maxconn string")),
    };
    order(subject, Order::ServerMaxconn(server.place(), limit(maxconn))).await
}

// Private

/// A negative number means no limit, as for HAProxy, which reads it as a very large one.
fn limit(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

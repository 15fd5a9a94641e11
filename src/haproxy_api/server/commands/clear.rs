//! `clear counters`.

use std::sync::Arc;

use super::super::answer::{Answer, Level};
use super::super::connection::DENIED;
use super::super::line::Words;
use super::super::subject::{Order, Subject};
use super::{Reply, order};

pub(super) async fn counters<S: Subject>(words: &Words, level: Level, subject: &Arc<S>) -> Reply {
    let all = words.at(2) == "all";
    if all && level < Level::Admin {
        return Err(Answer::refusal(DENIED));
    }
    order(subject, Order::ClearCounters { all }).await
}

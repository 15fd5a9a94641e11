//! Pauses, resumes or stops a frontend.

use std::sync::Arc;

use super::super::answer::{Answer, Severity};
use super::super::figures::FrontendState;
use super::super::line::Words;
use super::super::subject::{Order, Subject};
use super::{Reply, find, order};

pub(super) async fn disable<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let frontend = find::frontend(&proxies, words.at(2))?;
    match frontend.state {
        FrontendState::Stopped => Err(notice("Frontend was previously shut down, cannot disable.\n")),
        FrontendState::Paused => Err(notice("All sockets are already disabled.\n")),
        FrontendState::Open => order(subject, Order::DisableFrontend(frontend.name.clone())).await,
    }
}

pub(super) async fn enable<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let frontend = find::frontend(&proxies, words.at(2))?;
    match frontend.state {
        FrontendState::Stopped => Err(Answer::refusal(
            "Frontend was previously shut down, cannot enable.\n",
        )),
        FrontendState::Open => Err(notice("All sockets are already enabled.\n")),
        FrontendState::Paused => order(subject, Order::EnableFrontend(frontend.name.clone())).await,
    }
}

pub(super) async fn shut_down<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let frontend = find::frontend(&proxies, words.at(2))?;
    match frontend.state {
        FrontendState::Stopped => Err(notice("Frontend was already shut down.\n")),
        _ => order(subject, Order::ShutdownFrontend(frontend.name.clone())).await,
    }
}

// Private

fn notice(text: &str) -> Answer {
    Answer::message(Severity::Notice, text)
}

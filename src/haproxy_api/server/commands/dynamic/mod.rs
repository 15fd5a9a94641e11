//! `add server` and `del server`. The sentences, and which of them end with a line break, are
//! HAProxy's.

mod address;
mod keywords;

use std::sync::Arc;

use super::super::answer::{Answer, Severity};
use super::super::figures::{BackendFigures, Proxies};
use super::super::line::Words;
use super::super::subject::{NewServer, Order, ServerRef, Subject};
use super::{Reply, find};

pub(super) async fn add<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let at = named(words.at(2))?;
    let backend = backend(&proxies, &at)?;
    let server =
        new_server(&proxies, backend, &at, words).map_err(|why| Answer::refusal(format!("{why}\n")))?;
    let added = Arc::clone(subject).order(Order::AddServer(at, server)).await;
    match added {
        Ok(()) => Ok(Answer::message(Severity::Info, "New server registered.\n")),
        Err(refusal) => Err(Answer::refusal(format!("{refusal}\n"))),
    }
}

pub(super) async fn delete<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let at = named(words.at(2))?;
    if !backend(&proxies, &at)?
        .servers
        .iter()
        .any(|it| it.name == at.server)
    {
        return Err(Answer::refusal("No such server."));
    }
    match Arc::clone(subject).order(Order::DeleteServer(at)).await {
        Ok(()) => Ok(Answer::message(Severity::Info, "Server deleted.")),
        Err(refusal) => Err(Answer::refusal(refusal.to_string())),
    }
}

// Private

/// The server that `backend/server` names, which need not exist.
fn named(words: &str) -> Result<ServerRef, Answer> {
    match words.split_once('/') {
        Some((backend, server)) if !backend.is_empty() && !server.is_empty() => Ok(ServerRef {
            backend: backend.to_owned(),
            server: server.to_owned(),
        }),
        _ => Err(Answer::refusal("Require 'backend/server'.")),
    }
}

fn backend<'a>(proxies: &'a Proxies, at: &ServerRef) -> Result<&'a BackendFigures, Answer> {
    find::backend(proxies, &at.backend).ok_or_else(|| Answer::refusal("No such backend."))
}

/// The server that `words` describe, or HAProxy's reason for a refusal.
fn new_server(
    proxies: &Proxies,
    backend: &BackendFigures,
    at: &ServerRef,
    words: &Words,
) -> Result<NewServer, String> {
    let name = &at.server;
    let is_permitted = |it: &char| it.is_ascii_alphanumeric() || ".:_-".contains(*it);
    if let Some(character) = name.chars().find(|it| !is_permitted(it)) {
        return Err(format!(
            "character '{character}' is not permitted in server name '{name}'."
        ));
    }
    if words.at(3).is_empty() {
        return Err("'server' expects <name> and <addr>[:<port>] as arguments.".to_owned());
    }
    let address = address::read(words.at(3))?;
    let server = keywords::read(backend, name, address, words)?;
    if let Some(tracked) = &server.track {
        tracked_has_checks(proxies, tracked)?;
        if server.check.is_some() {
            return Err("unable to enable checks and tracking at the same time!".to_owned());
        }
    }
    if backend.servers.iter().any(|it| it.name == *name) {
        return Err("Already exists a server with the same name in backend.".to_owned());
    }
    Ok(server)
}

fn tracked_has_checks(proxies: &Proxies, tracked: &ServerRef) -> Result<(), String> {
    let ServerRef { backend, server } = tracked;
    let found = find::backend(proxies, backend)
        .ok_or_else(|| format!("unable to find required proxy '{backend}' for tracking."))?
        .servers
        .iter()
        .find(|it| it.name == *server)
        .ok_or_else(|| format!("unable to find required server '{server}' for tracking."))?;
    if found.check.is_none() && found.tracked.is_none() {
        return Err(format!(
            "unable to use {backend}/{server} for tracking as it does not have any check nor agent enabled."
        ));
    }
    Ok(())
}

//! The addresses of external members' host names: looked up at a start, and again and again.
//!
//! ```text
//!   profile::hosts ──▶ lookup ──▶ answers ──▶ Resolver ──▶ addresses() ──▶ profile::load_with
//!                      threads                a value: an empty, failed or too large answer
//!                                             keeps what was
//! ```
//!
//! A start calls [`complete`] once before [`load_with`](crate::profile::load_with), and the result is
//! `Launch::resolved`. From then on the core owns a [`Resolver`], made of the `resolved` of its
//! launch:
//!
//! 1. `follow` gets the host names of the profile that runs, at the start and after each change of
//!    it.
//! 2. At `next` a task runs [`lookup`] for the hosts of `begin`, and sends the answers to the core as
//!    an event; `begin` returns nothing while a round is in progress.
//! 3. The core gives them to `end`, and logs the notes that it returns.
//! 4. If `addresses` differ from `launch.resolved` of what runs then, they are the new target. A
//!    change that is refused is tried again at the next round, because the difference is still there.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout_at;

use super::core::Core;
use super::event::CoreEvent;
use crate::profile::{Resolved, is_reachable};

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_secs(10);
/// Time for the answers of one round.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Host names that are looked up at the same time.
const MAX_THREADS: usize = 8;
/// The most addresses that all host names may have: a cluster has no more nodes.
const MAX_ADDRESSES: usize = 1_000;

/// The answer for one host name: its addresses, or why there is none.
pub(super) type Answer = Result<Vec<IpAddr>, String>;

/// The answers for several host names.
pub(super) type Answers = BTreeMap<String, Answer>;

/// A host name that a start needs and that has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot find the host `{host}` of `nodes.members`: {why}")]
pub struct ResolveError {
    host: String,
    why: String,
}

/// The last known addresses of each host name of the profile that runs.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    hosts: BTreeSet<String>,
    addresses: Resolved,
    /// The host names whose last answer was not used, with the reason.
    failed: BTreeMap<String, String>,
    next: Instant,
    /// Whether a round is in progress.
    asking: bool,
}

/// What a round has changed, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// A host has other addresses.
    Changed {
        host: String,
        was: Vec<IpAddr>,
        is: Vec<IpAddr>,
    },
    /// An answer was not used, and the last known addresses stay.
    Failed { host: String, why: String },
    /// A host has a usable answer again.
    Recovered { host: String },
}

impl ResolveError {
    /// A command or a change that helps.
    #[must_use]
    pub fn hint(&self) -> String {
        format!(
            "`getent hosts {0}` shows what this host finds; correct the name, add a line `ADDRESS {0}` to \
             `/etc/hosts`, or give the node's address",
            self.host
        )
    }
}

/// The addresses of `hosts`: those in `known`, and where it lacks a host, what is found now.
///
/// # Errors
/// With the first host name that has no address.
pub async fn complete(hosts: &BTreeSet<String>, known: &Resolved) -> Result<Resolved, ResolveError> {
    let missing: BTreeSet<String> = hosts
        .iter()
        .filter(|host| !known.contains_key(*host))
        .cloned()
        .collect();
    let known = known.iter().filter(|(host, _)| hosts.contains(*host));
    let mut resolved: Resolved = known.map(|(host, all)| (host.clone(), all.clone())).collect();
    for (host, answer) in lookup(&missing).await {
        match fitting(&host, answer, &resolved) {
            Ok(addresses) => resolved.insert(host, addresses),
            Err(why) => return Err(ResolveError { host, why }),
        };
    }
    Ok(resolved)
}

/// Looks each of `hosts` up, for a few seconds at most. The system's resolver cannot be interrupted,
/// so it has threads of its own: the end of this process does not wait for them.
pub(super) async fn lookup(hosts: &BTreeSet<String>) -> Answers {
    let deadline = Instant::now() + LOOKUP_TIMEOUT;
    let (found, mut answers_of_threads) = unbounded_channel();
    let waiting = Arc::new(Mutex::new(hosts.clone()));
    for _ in 0..hosts.len().min(MAX_THREADS) {
        let (waiting, found) = (Arc::clone(&waiting), found.clone());
        let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
        let answer = move || {
            while let Some(host) = next() {
                let answer = addresses_of(&host);
                // The round may have ended.
                if found.send((host, answer)).is_err() {
                    return;
                }
            }
        };
        let spawned = thread::Builder::new().name("resolver".to_owned()).spawn(answer);
        if let Err(error) = spawned {
            tracing::warn!("host names are looked up by fewer threads: {error}");
        }
    }
    drop(found);
    let mut answers = Answers::new();
    while let Ok(Some((host, answer))) = timeout_at(deadline.into(), answers_of_threads.recv()).await {
        answers.insert(host, answer);
    }
    for host in hosts {
        let late = || Err(format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs()));
        answers.entry(host.clone()).or_insert_with(late);
    }
    answers
}

impl Resolver {
    /// The resolver of a cluster that runs with these addresses.
    pub(super) fn new(addresses: Resolved, now: Instant) -> Resolver {
        Resolver {
            hosts: addresses.keys().cloned().collect(),
            addresses,
            failed: BTreeMap::new(),
            next: now + INTERVAL,
            asking: false,
        }
    }

    /// Looks up these host names from now on, of the profile that runs with the addresses `running`.
    pub(super) fn follow(&mut self, hosts: BTreeSet<String>, running: &Resolved) {
        self.addresses.retain(|host, _| hosts.contains(host));
        for (host, addresses) in running.iter().filter(|(host, _)| hosts.contains(*host)) {
            self.addresses
                .entry(host.clone())
                .or_insert_with(|| addresses.clone());
        }
        self.failed.retain(|host, _| hosts.contains(host));
        self.hosts = hosts;
    }

    /// When the next round begins; never without host names.
    pub(super) fn next(&self) -> Option<Instant> {
        (!self.hosts.is_empty() && !self.asking).then_some(self.next)
    }

    /// Begins a round if it is time, and returns the hosts to look up.
    pub(super) fn begin(&mut self, now: Instant) -> Option<BTreeSet<String>> {
        self.next().filter(|next| *next <= now)?;
        self.asking = true;
        Some(self.hosts.clone())
    }

    /// Ends a round with its `answers`.
    pub(super) fn end(&mut self, answers: Answers, now: Instant) -> Vec<Note> {
        self.asking = false;
        self.next = now + INTERVAL;
        let of_profile = answers.into_iter().filter(|(host, _)| self.hosts.contains(host));
        let mut notes = Vec::new();
        for (host, answer) in of_profile {
            match fitting(&host, answer, &self.addresses) {
                Ok(is) => {
                    if self.failed.remove(&host).is_some() {
                        notes.push(Note::Recovered { host: host.clone() });
                    }
                    let was = self
                        .addresses
                        .insert(host.clone(), is.clone())
                        .unwrap_or_default();
                    if was != is {
                        notes.push(Note::Changed { host, was, is });
                    }
                }
                Err(why) => {
                    // A failure is logged once, and again for another reason.
                    if self.failed.insert(host.clone(), why.clone()).as_ref() != Some(&why) {
                        notes.push(Note::Failed { host, why });
                    }
                }
            }
        }
        notes
    }

    /// The addresses with which the cluster should run.
    pub(super) fn addresses(&self) -> &Resolved {
        &self.addresses
    }
}

impl Core {
    /// Looks host names up when it is time.
    pub(super) fn resolve(&mut self, now: Instant) {
        if let Some(hosts) = self.resolver.begin(now) {
            self.events
                .spawn(async move { CoreEvent::Resolved(lookup(&hosts).await) });
        }
    }

    /// Host names were looked up.
    pub(super) fn resolved(&mut self, answers: Answers, now: Instant) {
        for note in self.resolver.end(answers, now) {
            tracing::info!("{note}");
        }
        self.follow_dns(self.resolver.addresses().clone());
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |addresses: &[IpAddr]| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            addresses.join(", ")
        };
        match self {
            Note::Changed { host, was, is } => {
                write!(f, "host {host}: {} (was {})", list(is), list(was))
            }
            Note::Failed { host, why } => {
                write!(f, "host {host}: {why}; its last known addresses stay in use")
            }
            Note::Recovered { host } => write!(f, "host {host}: found again"),
        }
    }
}

// Private

/// The usable addresses of `answer`, sorted, if a cluster can have them beside the `others`.
fn fitting(host: &str, answer: Answer, others: &Resolved) -> Answer {
    let found: BTreeSet<IpAddr> = answer?.iter().map(IpAddr::to_canonical).collect();
    let count = found.len();
    let addresses: Vec<IpAddr> = found.into_iter().filter(|ip| is_reachable(*ip)).collect();
    let other_hosts = others.iter().filter(|(other, _)| *other != host);
    let all = addresses.len() + other_hosts.map(|(_, addresses)| addresses.len()).sum::<usize>();
    match addresses.len() {
        0 if count == 0 => Err("it has no address".to_owned()),
        0 => Err("a balancer cannot connect to any of its addresses".to_owned()),
        // A list of all of them would be longer than a line of the log.
        _ if all > MAX_ADDRESSES => Err(format!(
            "with its {count} addresses there would be {all} nodes, and {MAX_ADDRESSES} are possible"
        )),
        _ => Ok(addresses),
    }
}

/// The addresses that the system finds. It waits.
fn addresses_of(host: &str) -> Answer {
    match (host, 0).to_socket_addrs() {
        Ok(found) => Ok(found.map(|address| address.ip()).collect()),
        Err(error) => Err(error.to_string()),
    }
}

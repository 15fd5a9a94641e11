//! The addresses of external members' host names: looked up at a start, and again and again.
//!
//! ```text
//!   profile::hosts ──▶ lookup ──▶ answers ──▶ Resolver ──▶ addresses() ──▶ profile::load_with
//!                      threads                a value: an empty, failed, too large or
//!                                             unusable answer keeps what was
//! ```
//!
//! A start calls [`resolve_missing`] once before [`load_with`], and the result is
//! `Launch::resolved`. From then on the core owns a [`Resolver`], made of the `resolved` of its
//! launch:
//!
//! 1. `follow` gets the host names of the profile that runs, at the start and after each change of
//!    it.
//! 2. At `next` a task runs [`lookup`] for the hosts of `begin`, and sends the answers to the core as
//!    an event; `begin` returns nothing while a round is in progress.
//! 3. The core gives them to `end`, and logs the changes that it returns. The `warnings` stay in the
//!    status as long as they are true.
//! 4. If `addresses` differ from `launch.resolved` of what runs then, they are the new target. A
//!    change that is refused is tried again at the next round, because the difference is still there.
//!
//! A round ends after a few seconds, although the system's resolver may wait longer for a name. Host
//! names that no thread was free for come first in the next round.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout_at;

use super::core::Core;
use super::event::CoreEvent;
use crate::profile::{Resolved, is_reachable, load_with};

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

/// The answers for the host names that were looked up.
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
    /// The host names that the last round had no time for.
    left_over: Vec<String>,
    /// Why the cluster does not run with the addresses that were found.
    refused: Option<String>,
    next: Instant,
    /// Whether a round is in progress.
    is_looking_up: bool,
}

/// A change of a host name in a round, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostChange {
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
pub async fn resolve_missing(hosts: &BTreeSet<String>, known: &Resolved) -> Result<Resolved, ResolveError> {
    let missing = hosts.iter().filter(|host| !known.contains_key(*host));
    let missing: Vec<String> = missing.cloned().collect();
    let known = known.iter().filter(|(host, _)| hosts.contains(*host));
    let mut resolved: Resolved = known.map(|(host, all)| (host.clone(), all.clone())).collect();
    let mut answers = lookup(&missing).await;
    for host in missing {
        let answer = answers.remove(&host).unwrap_or_else(|| Err(late()));
        match usable_addresses(&host, answer, &resolved) {
            Ok(addresses) => resolved.insert(host, addresses),
            Err(why) => return Err(ResolveError { host, why }),
        };
    }
    Ok(resolved)
}

/// Looks `hosts` up in this order, for a few seconds at most. The answers lack those that there was no
/// time for.
pub(super) async fn lookup(hosts: &[String]) -> Answers {
    lookup_with(addresses_of, hosts, LOOKUP_TIMEOUT).await
}

/// Looks `hosts` up with `find`, which cannot be interrupted. So it has threads of its own: the end of
/// this process does not wait for them.
async fn lookup_with(
    find: impl Fn(&str) -> Answer + Copy + Send + 'static,
    hosts: &[String],
    timeout: Duration,
) -> Answers {
    let deadline = Instant::now() + timeout;
    let (found, mut answers_of_threads) = unbounded_channel();
    let waiting: Arc<Mutex<VecDeque<String>>> = Arc::new(Mutex::new(hosts.iter().cloned().collect()));
    for _ in 0..hosts.len().min(MAX_THREADS) {
        let (waiting, found) = (Arc::clone(&waiting), found.clone());
        let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let answer = move || {
            while let Some(host) = next() {
                let answer = find(&host);
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
    let left_over = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
    for host in hosts.iter().filter(|host| !left_over.contains(host)) {
        answers.entry(host.clone()).or_insert_with(|| Err(late()));
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
            left_over: Vec::new(),
            refused: None,
            next: now + INTERVAL,
            is_looking_up: false,
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
        (!self.hosts.is_empty() && !self.is_looking_up).then_some(self.next)
    }

    /// Begins a round if it is time, and returns the hosts to look up, in this order.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Vec<String>> {
        self.next().filter(|next| *next <= now)?;
        self.is_looking_up = true;
        let first = self.left_over.iter().filter(|host| self.hosts.contains(*host));
        let others = self.hosts.iter().filter(|host| !self.left_over.contains(host));
        Some(first.chain(others).cloned().collect())
    }

    /// Ends a round with its `answers`. An answer that a cluster cannot have by `check`, beside the
    /// other ones, is not used.
    pub(super) fn end(
        &mut self,
        mut answers: Answers,
        check: impl Fn(&Resolved) -> Result<(), String>,
        now: Instant,
    ) -> Vec<HostChange> {
        self.is_looking_up = false;
        self.next = now + INTERVAL;
        answers.retain(|host, _| self.hosts.contains(host));
        let is_left_over = |host: &&String| !answers.contains_key(*host);
        self.left_over = self.hosts.iter().filter(is_left_over).cloned().collect();
        let mut wanted = self.addresses.clone();
        let mut failed = BTreeMap::new();
        for (host, answer) in answers {
            match usable_addresses(&host, answer, &wanted) {
                Ok(addresses) => drop(wanted.insert(host, addresses)),
                Err(why) => drop(failed.insert(host, why)),
            }
        }
        if wanted != self.addresses && check(&wanted).is_err() {
            // Those that are the reason keep their former addresses.
            let one_by_one = std::mem::replace(&mut wanted, self.addresses.clone());
            for (host, addresses) in one_by_one {
                let mut with_it = wanted.clone();
                with_it.insert(host.clone(), addresses);
                match check(&with_it) {
                    Ok(()) => wanted = with_it,
                    Err(why) => drop(failed.insert(host, why)),
                }
            }
        }
        let mut changes = self.failures(failed);
        for (host, is) in &wanted {
            let was = self.addresses.get(host).cloned().unwrap_or_default();
            if was != *is {
                let (host, is) = (host.clone(), is.clone());
                changes.push(HostChange::Changed { host, was, is });
            }
        }
        self.addresses = wanted;
        changes
    }

    /// The cluster cannot run with the addresses that were found. Returns whether that is new.
    pub(super) fn refuse(&mut self, why: String) -> bool {
        let is_new = self.refused.as_ref() != Some(&why);
        self.refused = Some(why);
        is_new
    }

    /// The cluster runs with the addresses that were found, or will.
    pub(super) fn accept(&mut self) {
        self.refused = None;
    }

    /// What is wrong with host names, as sentences for the status.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let failed = self.failed.iter().map(|(host, why)| failed_words(host, why));
        failed.chain(self.refused.as_deref().map(refused_words))
    }

    /// The addresses with which the cluster should run.
    pub(super) fn addresses(&self) -> &Resolved {
        &self.addresses
    }

    // Private

    /// The answers of a round that were not used, with the reasons. Returns those that are new, and the
    /// host names that are found again.
    fn failures(&mut self, failed: BTreeMap<String, String>) -> Vec<HostChange> {
        let is_known = |host: &String| self.left_over.contains(host) || failed.contains_key(host);
        let recovered: Vec<String> = self
            .failed
            .extract_if(.., |host, _| !is_known(host))
            .map(|(host, _)| host)
            .collect();
        let recovered = recovered.into_iter();
        let mut changes: Vec<HostChange> = recovered.map(|host| HostChange::Recovered { host }).collect();
        for (host, why) in failed {
            // A failure is logged once, and again for another reason.
            if self.failed.insert(host.clone(), why.clone()).as_ref() != Some(&why) {
                changes.push(HostChange::Failed { host, why });
            }
        }
        changes
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
        let source = &self.spec.launch.source;
        let check = |resolved: &Resolved| match load_with(source, resolved) {
            Ok(_) => Ok(()),
            Err(problems) => Err(problems.messages().next().unwrap_or_default().to_owned()),
        };
        for change in self.resolver.end(answers, check, now) {
            match change {
                HostChange::Failed { .. } => tracing::warn!("{change}"),
                HostChange::Changed { .. } | HostChange::Recovered { .. } => tracing::info!("{change}"),
            }
        }
        self.follow_dns(self.resolver.addresses().clone());
    }
}

impl fmt::Display for HostChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |addresses: &[IpAddr]| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            addresses.join(", ")
        };
        match self {
            HostChange::Changed { host, was, is } => {
                write!(f, "host {host}: {} (was {})", list(is), list(was))
            }
            HostChange::Failed { host, why } => f.write_str(&failed_words(host, why)),
            HostChange::Recovered { host } => write!(f, "host {host}: found again"),
        }
    }
}

// Private

fn failed_words(host: &str, why: &str) -> String {
    format!("host {host}: {why}; its last known addresses stay in use")
}

pub(super) fn refused_words(why: &str) -> String {
    format!("the new addresses of host names are not used: {why}")
}

fn late() -> String {
    format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs())
}

/// The usable addresses of `answer`, sorted, if a cluster can have them beside the `others`.
fn usable_addresses(host: &str, answer: Answer, others: &Resolved) -> Answer {
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

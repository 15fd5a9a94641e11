//! Whether the ports of an instance are its own: free before it starts, and held by the instance
//! itself once they answer.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::descendants::Descendants;
use crate::platform::ports::{holders, listeners_for, processes_among, processes_with};
use crate::platform::sock_diag::listeners;
use crate::platform::{Holder, Identity};

/// How long a port that must be free may still be held: the kernel closes the ports of a killed
/// process a moment later.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(500);
/// Time between two checks.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Which process answers at the ports of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Answering {
    /// The instance, a process that it has started, or one that was started later than it, such as
    /// the proxy of a container.
    Itself,
    /// A process that cannot be identified; the text describes it.
    Unseen(String),
    /// A process that was there before; the text describes it.
    Another(String),
}

/// Describes the processes other than `ours` that hold some of `addresses`; `None` when the
/// addresses are free.
pub(in crate::supervisor) async fn taken(addresses: Vec<SocketAddr>, ours: BTreeSet<u32>) -> Option<String> {
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    loop {
        let (asked, allowed) = (addresses.clone(), ours.clone());
        let held = tokio::task::spawn_blocking(move || holders(&asked, &allowed)).await;
        let mut held = held.unwrap_or_default();
        held.retain(|(_, holder)| !holder.pid.is_some_and(|pid| ours.contains(&pid)));
        if held.is_empty() {
            return None;
        }
        if Instant::now() >= deadline {
            let text = held
                .iter()
                .map(|(address, holder)| format!("{address} is taken by {holder}"));
            return Some(text.collect::<Vec<_>>().join(", "));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Which process answers at `addresses`, the ports of the child's process `instance`. Where the
/// kernel shows no listener, as for one in another network namespace, the instance is assumed.
pub(in crate::supervisor) fn answering(
    addresses: &[SocketAddr],
    instance: Identity,
    descendants: &Descendants,
) -> Answering {
    let own: Vec<u32> = std::iter::once(instance.pid)
        .chain(descendants.find().iter().map(|entry| entry.process.pid))
        .collect();
    let mut unseen = None;
    for address in addresses {
        let mut others = listeners_for(*address);
        let known = processes_among(&own, &others);
        others.retain(|listener| !known.contains_key(&listener.inode));
        if others.is_empty() {
            continue;
        }
        let holders = processes_with(&others);
        for listener in &others {
            let pids = holders.get(&listener.inode).map_or(&[][..], Vec::as_slice);
            let holder = Holder::of(listener, pids.first().copied());
            if pids.is_empty() {
                unseen = Some(format!("{address} is held by {holder}"));
            } else if !pids.iter().any(|pid| is_younger(*pid, instance)) {
                let text = format!("{address} is held by {holder}, which was there before");
                return Answering::Another(text);
            }
        }
    }
    unseen.map_or(Answering::Itself, Answering::Unseen)
}

/// The addresses that the child's process `instance` and its descendants listen on.
pub(in crate::supervisor) fn listening(
    instance: Identity,
    descendants: &Descendants,
) -> BTreeSet<SocketAddr> {
    let own: Vec<u32> = std::iter::once(instance.pid)
        .chain(descendants.find().iter().map(|entry| entry.process.pid))
        .collect();
    let all = listeners().unwrap_or_default();
    let known = processes_among(&own, &all);
    all.iter()
        .filter(|listener| known.contains_key(&listener.inode))
        .map(|listener| listener.address)
        .collect()
}

// Private

/// Whether process `pid` was started later than `instance`; true for a process that has ended,
/// which holds nothing any more.
fn is_younger(pid: u32, instance: Identity) -> bool {
    Identity::of(pid).is_none_or(|holder| holder.start_time >= instance.start_time)
}

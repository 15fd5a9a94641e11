//! Gets the sockets back that the balancers of a dead supervisor still have.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};

use futures_util::future::join_all;

use super::{Listeners, Open, SavedGroup};
use crate::haproxy_api::Socket;
use crate::platform::Identity;
use crate::platform::listen::{Group, Places, held_by, inode};
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Record;

impl Listeners {
    /// Gets the sockets back that the living instances in `record` have. Those that none returns,
    /// as from an earlier version, stay with their process.
    ///
    /// # Errors
    /// When the sockets of dead instances cannot be opened again.
    pub(in crate::supervisor) async fn regain(spec: &Spec, record: &Record) -> io::Result<Listeners> {
        let living = record.balancers();
        if living.is_empty() {
            return Ok(Listeners::default());
        }
        let mut kept = kept(spec, &living).await;
        let mut open = Open::none(spec);
        for at in spec.listeners() {
            let Some(sockets) = kept.remove(&at.address) else {
                // Of several instances none has the statistics page.
                let Ok(group) = Group::open(at.address, at.members) else {
                    tracing::warn!(address = %at.address, "the running balancer did not return its listener");
                    return Ok(Listeners::default());
                };
                open.groups.insert(at.address, group);
                continue;
            };
            let saved = record.listeners.get(&at.address).cloned();
            let mut saved = saved.unwrap_or_else(|| unsaved(spec, at.members, &sockets));
            if at.members > 1 && spec.plan.balancer.instances > 1 {
                // The order in which several have died is not known.
                for gone in (0..at.members).filter(|member| !living.contains_key(&usize::from(*member))) {
                    saved.places.lose(gone);
                }
            }
            let sockets = sockets.into_iter().map(|kept| kept.socket).collect();
            let mut group = Group::regain(at.address, sockets, saved.places, &saved.inodes)?;
            open.steering.apply(&mut group)?;
            open.groups.insert(at.address, group);
        }
        open.handed_over.add(spec)?;
        open.handed_over.update(&open.groups);
        Ok(Listeners::of(open))
    }
}

// Private

/// A socket that an instance has returned.
struct Kept {
    instance: usize,
    inode: u64,
    socket: TcpListener,
}

/// What an earlier version has not saved: of several instances, each has its own socket.
fn unsaved(spec: &Spec, members: u16, sockets: &[Kept]) -> SavedGroup {
    // After a switch there may be more than the balancer serves.
    let members = members.max(u16::try_from(sockets.len()).unwrap_or(u16::MAX));
    let mut inodes = vec![None; members.into()];
    if spec.plan.balancer.instances > 1 {
        for kept in sockets {
            if let Some(inode) = inodes.get_mut(kept.instance) {
                *inode = Some(kept.inode);
            }
        }
    }
    SavedGroup {
        places: Places::in_order(members),
        inodes,
    }
}

/// The sockets that the instances still have, by address and in the order of instances, each once.
async fn kept(spec: &Spec, living: &BTreeMap<usize, Identity>) -> BTreeMap<SocketAddr, Vec<Kept>> {
    let asked = living.iter().map(|(instance, process)| async move {
        let sockets = returned(spec, *instance, *process).await;
        sockets.into_iter().map(|socket| (*instance, socket))
    });
    let mut by_address: BTreeMap<SocketAddr, Vec<Kept>> = BTreeMap::new();
    for (instance, socket) in join_all(asked).await.into_iter().flatten() {
        let (Ok(address), Ok(inode)) = (socket.local_addr(), inode(&socket)) else {
            continue;
        };
        let kept = by_address.entry(address).or_default();
        if !kept.iter().any(|other| other.inode == inode) {
            kept.push(Kept {
                instance,
                inode,
                socket,
            });
        }
    }
    by_address
}

/// The sockets of one instance: over its runtime API, or out of its descriptor table.
async fn returned(spec: &Spec, instance: usize, process: Identity) -> Vec<TcpListener> {
    if let Some(socket) = spec.socket(instance) {
        match Socket::new(socket).listeners().await {
            Ok(listeners) if !listeners.is_empty() => return listeners,
            Ok(_) => {}
            Err(error) => tracing::warn!(instance, "does not return its listeners: {error}"),
        }
    }
    let addresses = spec.listeners().map(|at| at.address).collect();
    let held = tokio::task::spawn_blocking(move || held_by(process, &addresses)).await;
    match held {
        Ok(Ok(listeners)) => listeners,
        Ok(Err(error)) => {
            tracing::warn!(instance, "its listeners cannot be taken: {error}");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

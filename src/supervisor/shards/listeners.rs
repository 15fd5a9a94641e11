//! The listeners that several balancer instances share. They are opened before the first instance
//! and kept as long as a balancer is wanted, so that no client moves when an instance dies.
//!
//! ```text
//!  an instance dies            its clients wait in its queue; the next one gets the same listeners
//!  it gives up, or hangs       it gets no new clients; waiting ones are disconnected, so that they connect again
//!  it serves again             its clients come back to it
//!  the supervisor dies         the instances keep their listeners; the next supervisor gets back those that are left
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use futures_util::future::join_all;

use crate::haproxy_api::{Handover, Socket};
use crate::platform::listen::{Group, Places};
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Record;

/// What several instances listen on, for each address.
#[derive(Debug)]
pub(in crate::supervisor) struct Listeners {
    groups: BTreeMap<SocketAddr, Group>,
    /// The sockets through which each instance gets its listeners.
    handovers: Vec<Handover>,
    /// Whether each instance gets clients.
    living: Vec<bool>,
}

impl Listeners {
    /// Opens everything that the instances share; `None` when there is only one instance.
    pub(in crate::supervisor) fn open(spec: &Spec) -> io::Result<Option<Listeners>> {
        let mut shared_listeners = Listeners::new(spec)?;
        shared_listeners.add(spec)?;
        Ok(Some(shared_listeners).filter(|_| spec.plan.balancer.instances > 1))
    }

    /// Gets the listeners back that the living instances in `record` still have; `None` when none
    /// lives, or there is only one instance.
    pub(in crate::supervisor) async fn regain(spec: &Spec, record: &Record) -> io::Result<Option<Listeners>> {
        let living = record.instances();
        let instances = spec.plan.balancer.instances;
        if instances == 1 || living.is_empty() {
            return Ok(None);
        }
        let mut shared_listeners = Listeners::new(spec)?;
        let mut kept = kept(spec, &living).await;
        for address in spec.shared() {
            let mut places = record.places.get(&address).cloned();
            let places = places.get_or_insert_with(|| Places::in_order(instances));
            // The order in which several have died is not known.
            for gone in (0..instances).filter(|instance| !living.contains(&usize::from(*instance))) {
                places.lose(gone);
            }
            let listeners = kept.iter_mut().map(|kept| kept.remove(&address)).collect();
            let group = Group::regain(address, listeners, places.clone())?;
            shared_listeners.groups.insert(address, group);
        }
        shared_listeners.hand_over();
        Ok(Some(shared_listeners))
    }

    /// Opens the listeners of `spec` that are not open yet. If that fails, the open ones stay
    /// open.
    pub(in crate::supervisor) fn add(&mut self, spec: &Spec) -> io::Result<()> {
        let new = spec.shared().into_iter();
        let new: BTreeMap<SocketAddr, Group> = new
            .filter(|address| !self.groups.contains_key(address))
            .map(|address| {
                let cannot_listen = |error: io::Error| {
                    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
                };
                let group = Group::open(address, spec.plan.balancer.instances).map_err(cannot_listen)?;
                group.steer(&self.living).map_err(cannot_listen)?;
                Ok((address, group))
            })
            .collect::<io::Result<_>>()?;
        self.groups.extend(new);
        self.hand_over();
        Ok(())
    }

    /// Closes the listeners that `spec` does not have.
    pub(in crate::supervisor) fn keep_only(&mut self, spec: &Spec) {
        let wanted = spec.shared();
        self.groups.retain(|address, _| wanted.contains(address));
        self.hand_over();
    }

    /// The process of an instance is gone: the listeners that only it had are opened again.
    pub(in crate::supervisor) fn instance_gone(&mut self, instance: usize) {
        let Ok(member) = u16::try_from(instance) else {
            return;
        };
        for group in self.groups.values_mut() {
            if let Err(error) = group.member_gone(member).and_then(|()| group.steer(&self.living)) {
                tracing::error!(address = %group.address(), instance, "cannot listen again: {error}");
            }
        }
        self.hand_over();
    }

    /// From now on only `living` instances get clients; if there is none, all clients wait.
    pub(in crate::supervisor) fn steer(&mut self, living: Vec<bool>) {
        if living == self.living {
            return;
        }
        tracing::info!(?living, "new clients go to these instances");
        for group in self.groups.values() {
            if let Err(error) = group.steer(&living) {
                tracing::error!(address = %group.address(), "cannot choose the instances that get new clients: {error}");
            }
        }
        self.living = living;
        self.turn_away();
    }

    /// Disconnects clients that still wait for an instance that gets no clients, so that they
    /// connect again and reach another one. If no instance is living, waiting clients go on
    /// waiting.
    pub(in crate::supervisor) fn turn_away(&self) {
        if !self.living.contains(&true) {
            return;
        }
        let dead = (0_u16..).zip(&self.living).filter(|(_, lives)| !**lives);
        for (member, _) in dead {
            for group in self.groups.values() {
                match group.turn_away(member) {
                    Ok(0) => {}
                    Ok(count) => tracing::info!(address = %group.address(), count, "clients disconnected"),
                    Err(error) => tracing::warn!(address = %group.address(), "not disconnected: {error}"),
                }
            }
        }
    }

    /// What the next supervisor needs to regain the listeners.
    pub(in crate::supervisor) fn places(&self) -> BTreeMap<SocketAddr, Places> {
        let groups = self.groups.iter();
        groups
            .map(|(address, group)| (*address, group.places().clone()))
            .collect()
    }

    // Private

    fn new(spec: &Spec) -> io::Result<Listeners> {
        let instances = usize::from(spec.plan.balancer.instances);
        let paths = (0..instances).filter_map(|index| spec.balancer.handover(spec.deployment(), index));
        Ok(Listeners {
            groups: BTreeMap::new(),
            handovers: paths
                .map(|path| Handover::open(&path).map_err(io::Error::other))
                .collect::<io::Result<_>>()?,
            living: vec![true; instances],
        })
    }

    /// Gives each instance its listeners when it connects.
    fn hand_over(&self) {
        for (member, handover) in (0..).zip(&self.handovers) {
            let listeners = self.groups.values().filter_map(|group| group.listener(member));
            handover.give(listeners.collect());
        }
    }
}

// Private

/// The listeners that each instance still has, of those that answer.
async fn kept(spec: &Spec, living: &BTreeSet<usize>) -> Vec<BTreeMap<SocketAddr, Arc<TcpListener>>> {
    let asked = spec
        .sockets()
        .into_iter()
        .enumerate()
        .map(|(index, socket)| async move {
            if !living.contains(&index) {
                return Vec::new();
            }
            let answer = Socket::new(socket).listeners().await;
            answer.unwrap_or_else(|error| {
                tracing::warn!(instance = index, "cannot regain its listeners: {error}");
                Vec::new()
            })
        });
    let by_address = |listeners: Vec<TcpListener>| {
        let listeners = listeners.into_iter();
        let known = listeners.filter_map(|listener| Some((listener.local_addr().ok()?, Arc::new(listener))));
        known.collect()
    };
    join_all(asked).await.into_iter().map(by_address).collect()
}

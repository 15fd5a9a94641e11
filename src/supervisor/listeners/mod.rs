//! The listening sockets of the cluster, which the supervisor opens before the first balancer starts
//! and keeps as long as one is wanted. Balancers get copies.
//!
//! ```text
//!  a balancer dies             its clients wait in the queue; the next process gets the same sockets
//!  one of several gives up,    it gets no new clients; waiting ones are disconnected, so that they
//!  or hangs                    connect again
//!  another balancer is wanted  it gets the same sockets, beside the former one
//!  the supervisor dies         the balancers keep their copies; the next supervisor regains them
//!  none is wanted              everything is closed, and clients are refused
//! ```
//!
//! Clients' addresses have as many sockets as the balancer has processes, workers or threads, its
//! *members*. The pages have one, which all processes share.

mod handed_over;
mod regained;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::handed_over::{HandedOver, Share};
use super::spec::Spec;
use crate::platform::listen::{Group, Places, Spread};

/// The sockets, while a balancer is wanted.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: Option<Open>,
    /// Whether nothing is opened, because processes exist only in a test.
    #[cfg(test)]
    is_unreal: bool,
}

/// What the next supervisor needs to regain the sockets of one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedGroup {
    /// The numbers that the kernel gives to the members.
    pub(super) places: Places,
    /// The inode of each member's socket.
    pub(super) inodes: Vec<Option<u64>>,
}

#[derive(Debug)]
struct Open {
    groups: BTreeMap<SocketAddr, Group>,
    handed_over: HandedOver,
    steering: Steering,
}

/// Which members get new clients.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Steering {
    spread: Spread,
    /// Whether each member that the balancer serves gets clients.
    living: Vec<bool>,
}

impl Listeners {
    /// Listeners that never open a socket.
    #[cfg(test)]
    pub(super) fn unreal() -> Listeners {
        Listeners {
            is_unreal: true,
            ..Listeners::default()
        }
    }

    /// Listeners that are open already.
    fn of(open: Open) -> Listeners {
        Listeners {
            open: Some(open),
            #[cfg(test)]
            is_unreal: false,
        }
    }

    /// Whether the sockets are open.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether every socket that `spec` listens on is open here.
    pub(super) fn covers(&self, spec: &Spec) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| spec.listeners().all(|at| open.groups.contains_key(&at.address)))
    }

    /// Opens the sockets of `spec`, unless they are open, and what hands them over; called before a
    /// balancer starts.
    ///
    /// # Errors
    /// When an address cannot be listened on; nothing is open then. When they cannot be handed over.
    pub(super) fn open(&mut self, spec: &Spec) -> io::Result<()> {
        #[cfg(test)]
        if self.is_unreal {
            return Ok(());
        }
        if let Some(open) = &mut self.open {
            open.handed_over.add(spec)?;
            open.handed_over.update(&open.groups);
        } else {
            let mut open = Open::none(spec);
            open.add(spec)?;
            self.open = Some(open);
        }
        Ok(())
    }

    /// Opens the sockets of `spec` that are not open yet, beside those in use, and hands them over
    /// to its balancer. They get no clients before [`keep_only`](Listeners::keep_only), unless
    /// their address was not listened on.
    ///
    /// # Errors
    /// When an address cannot be listened on; what was open still serves the running balancer.
    pub(super) fn add(&mut self, spec: &Spec) -> io::Result<()> {
        match &mut self.open {
            Some(open) => open.add(spec),
            None => Ok(()),
        }
    }

    /// Closes the sockets that `spec` does not have. From now on its balancer serves clients.
    pub(super) fn keep_only(&mut self, spec: &Spec) {
        if let Some(open) = &mut self.open {
            open.keep_only(spec);
        }
    }

    /// Closes everything, so that clients are refused and do not wait in vain.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// The sockets that a balancer process inherits, in the order of their addresses.
    pub(super) fn of_instance(&self, spec: &Spec, instance: usize) -> Vec<Arc<TcpListener>> {
        let share = Share::of(spec, instance);
        self.open
            .as_ref()
            .map_or_else(Vec::new, |open| share.sockets(&open.groups))
    }

    /// The inode of the only socket of `address`.
    pub(super) fn inode_of(&self, address: SocketAddr) -> Option<u64> {
        let group = self.open.as_ref()?.groups.get(&address)?;
        group.inodes().first().copied().flatten()
    }

    /// A copy of the only socket of `address`.
    pub(super) fn copy_of(&self, address: SocketAddr) -> Option<TcpListener> {
        let group = self.open.as_ref()?.groups.get(&address)?;
        group.listener(0)?.try_clone().ok()
    }

    /// What the next supervisor needs to regain the sockets.
    pub(super) fn to_save(&self) -> BTreeMap<SocketAddr, SavedGroup> {
        let groups = self.open.iter().flat_map(|open| &open.groups);
        let saved = groups.map(|(address, group)| {
            let saved = SavedGroup {
                places: group.places().clone(),
                inodes: group.inodes(),
            };
            (*address, saved)
        });
        saved.collect()
    }

    /// The inodes of all sockets.
    pub(super) fn inodes(&self) -> BTreeSet<u64> {
        let groups = self.open.iter().flat_map(|open| open.groups.values());
        groups.flat_map(Group::inodes).flatten().collect()
    }

    /// The process of an instance is gone: the sockets that only it had are opened again.
    pub(super) fn instance_gone(&mut self, spec: &Spec, instance: usize) {
        let Some(open) = &mut self.open else { return };
        let share = Share::of(spec, instance);
        for group in open.groups.values_mut() {
            for member in share.members(group) {
                let reopened = group.member_gone(member);
                if let Err(error) = reopened.and_then(|()| open.steering.apply(group)) {
                    tracing::error!(address = %group.address(), instance, "cannot listen again: {error}");
                }
            }
        }
        open.handed_over.update(&open.groups);
    }

    /// From now on only `living` instances of several get clients; if there is none, all clients
    /// wait.
    pub(super) fn steer(&mut self, spec: &Spec, living: &[bool]) {
        let Some(open) = &mut self.open else { return };
        let steering = Steering::of(spec, living);
        if open.steering == steering {
            return;
        }
        if steering.spread == Spread::ByClient {
            tracing::info!(?living, "new clients go to these instances");
        }
        open.steering = steering;
        open.apply_steering();
        self.turn_away();
    }

    /// Disconnects clients that still wait for an instance that gets no clients, so that they
    /// connect again and reach another one. If no instance is living, waiting clients go on
    /// waiting.
    pub(super) fn turn_away(&self) {
        let Some(open) = &self.open else { return };
        let living = &open.steering.living;
        if !living.contains(&true) {
            return;
        }
        let dead = (0_u16..).zip(living).filter(|(_, lives)| !**lives);
        for (member, _) in dead {
            for group in open.client_groups() {
                match group.turn_away(member) {
                    Ok(0) => {}
                    Ok(count) => tracing::info!(address = %group.address(), count, "clients disconnected"),
                    Err(error) => tracing::warn!(address = %group.address(), "not disconnected: {error}"),
                }
            }
        }
    }
}

impl Open {
    fn none(spec: &Spec) -> Open {
        let instances = usize::from(spec.plan.balancer.instances);
        Open {
            groups: BTreeMap::new(),
            handed_over: HandedOver::default(),
            steering: Steering::of(spec, &vec![true; instances]),
        }
    }

    fn add(&mut self, spec: &Spec) -> io::Result<()> {
        let mut new = BTreeMap::new();
        for at in spec.listeners() {
            let cannot_listen = |error: io::Error| {
                io::Error::new(error.kind(), format!("cannot listen on {}: {error}", at.address))
            };
            if let Some(ours) = self.overlapping(at.address) {
                let error = format!(
                    "cannot listen on {} beside {ours}, where this cluster listens: that takes `clusterctl \
                     stop` and a new start",
                    at.address
                );
                return Err(io::Error::new(io::ErrorKind::AddrInUse, error));
            }
            match self.groups.get_mut(&at.address) {
                Some(group) if group.members() < at.members => {
                    group.grow(at.members).map_err(cannot_listen)?;
                    self.steering.apply(group).map_err(cannot_listen)?;
                }
                Some(_) => {}
                None => {
                    let mut group = Group::open(at.address, at.members).map_err(cannot_listen)?;
                    self.steering.apply(&mut group).map_err(cannot_listen)?;
                    new.insert(at.address, group);
                }
            }
        }
        self.handed_over.add(spec)?;
        self.groups.extend(new);
        self.handed_over.update(&self.groups);
        Ok(())
    }

    /// An open address that takes connections to `address`, or the other way round: one of them is
    /// a wildcard.
    fn overlapping(&self, address: SocketAddr) -> Option<SocketAddr> {
        let mut open = self.groups.keys().copied();
        open.find(|other| {
            let is_same_port = other.port() == address.port() && other.is_ipv4() == address.is_ipv4();
            let is_wildcard = other.ip().is_unspecified() || address.ip().is_unspecified();
            *other != address && is_same_port && is_wildcard
        })
    }

    fn keep_only(&mut self, spec: &Spec) {
        let wanted: BTreeSet<SocketAddr> = spec.listeners().map(|at| at.address).collect();
        self.groups.retain(|address, _| wanted.contains(address));
        self.handed_over.keep_only(spec);
        self.handed_over.update(&self.groups);
    }

    fn apply_steering(&mut self) {
        for group in self.groups.values_mut() {
            if let Err(error) = self.steering.apply(group) {
                tracing::error!(address = %group.address(), "cannot choose the instances that get new clients: {error}");
            }
        }
    }

    /// The groups of clients' addresses, if they have several members.
    fn client_groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(|group| group.members() > 1)
    }
}

impl Steering {
    /// Of several instances of `spec`, only the `living` get clients.
    fn of(spec: &Spec, living: &[bool]) -> Steering {
        let sockets = usize::from(spec.plan.balancer.sockets);
        if living.len() > 1 {
            return Steering {
                spread: Spread::ByClient,
                living: living.to_vec(),
            };
        }
        Steering {
            spread: Spread::ByConnection,
            living: vec![true; sockets],
        }
    }

    /// Puts it in force. Members that the balancer does not serve get no clients.
    fn apply(&self, group: &mut Group) -> io::Result<()> {
        let members = usize::from(group.members());
        if members == 1 {
            return Ok(());
        }
        let mut living = self.living.clone();
        if self.spread == Spread::ByConnection {
            living.resize(members, false);
        }
        group.steer(&living, self.spread)
    }
}

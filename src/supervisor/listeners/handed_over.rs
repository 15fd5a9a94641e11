//! Which sockets each balancer process gets, and the sockets through which it gets them.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use crate::haproxy_api::Handover;
use crate::platform::listen::Group;
use crate::supervisor::spec::Spec;

/// The hand-overs of the balancers that run, by the path of each process's socket.
#[derive(Debug, Default)]
pub(super) struct HandedOver(BTreeMap<PathBuf, (Handover, Share)>);

/// The sockets of one balancer process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    instance: u16,
    /// How many processes there are.
    of: u16,
    /// How many members of each group they serve together.
    sockets: u16,
}

impl HandedOver {
    /// Opens the hand-overs for the balancer of `spec` that are not open yet, or whose socket's file
    /// was removed.
    pub(super) fn add(&mut self, spec: &Spec) -> io::Result<()> {
        for (path, share) in shares(spec) {
            match self.0.get_mut(&path) {
                Some((_, former)) if path.exists() => *former = share,
                _ => {
                    let handover = Handover::open(&path).map_err(io::Error::other)?;
                    self.0.insert(path, (handover, share));
                }
            }
        }
        Ok(())
    }

    /// Closes the hand-overs of other balancers than that of `spec`.
    pub(super) fn keep_only(&mut self, spec: &Spec) {
        let wanted: BTreeMap<PathBuf, Share> = shares(spec).collect();
        self.0.retain(|path, _| wanted.contains_key(path));
        for (path, (_, share)) in &mut self.0 {
            if let Some(wanted) = wanted.get(path) {
                *share = *wanted;
            }
        }
    }

    /// Hands over what is in `groups` from now on.
    pub(super) fn update(&self, groups: &BTreeMap<SocketAddr, Group>) {
        for (handover, share) in self.0.values() {
            handover.give(share.sockets(groups));
        }
    }
}

impl Share {
    /// The share of an instance of the balancer of `spec`.
    pub(super) fn of(spec: &Spec, instance: usize) -> Share {
        let balancer = &spec.plan.balancer;
        Share {
            instance: u16::try_from(instance).unwrap_or(u16::MAX),
            of: balancer.instances.max(1),
            sockets: balancer.sockets,
        }
    }

    /// The members whose sockets the process gets: every one in turn, or the only one.
    pub(super) fn members(self, group: &Group) -> impl Iterator<Item = u16> + use<> {
        let (first, end) = match group.members() {
            1 => (0, 1),
            members => (self.instance, members.min(self.sockets)),
        };
        (first..end).step_by(usize::from(self.of))
    }

    /// The sockets of the process, in the order of addresses and members.
    pub(super) fn sockets(self, groups: &BTreeMap<SocketAddr, Group>) -> Vec<Arc<TcpListener>> {
        let sockets = groups
            .values()
            .flat_map(|group| self.members(group).filter_map(|member| group.listener(member)));
        sockets.collect()
    }
}

// Private

fn shares(spec: &Spec) -> impl Iterator<Item = (PathBuf, Share)> + '_ {
    let instances = usize::from(spec.plan.balancer.instances);
    (0..instances).filter_map(|instance| {
        let path = spec.balancer.handover(spec.deployment(), instance)?;
        Some((path, Share::of(spec, instance)))
    })
}

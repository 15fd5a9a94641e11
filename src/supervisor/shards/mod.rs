//! Several HAProxy processes that share their listeners.

pub(super) mod listeners;
pub(super) mod stats_page;
pub(super) mod steering;
pub(super) mod totals;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use self::listeners::Listeners;
use self::stats_page::StatsPage;
use super::spec::Spec;
use crate::platform::listen::Places;

/// What several balancer instances share.
pub(super) struct Shards {
    /// Their listeners, once the first instance was wanted.
    listeners: Option<Listeners>,
    /// The statistics page about all of the instances.
    stats_page: Option<StatsPage>,
}

impl Shards {
    /// The `listeners` that were kept from an earlier supervisor, if there are several instances.
    pub(super) fn new(listeners: Option<Listeners>) -> Shards {
        Shards {
            listeners,
            stats_page: None,
        }
    }

    /// Whether several instances share their listeners now.
    pub(super) fn is_shared(&self) -> bool {
        self.listeners.is_some()
    }

    /// What the next supervisor needs to regain the listeners.
    pub(super) fn places(&self) -> BTreeMap<SocketAddr, Places> {
        self.listeners.as_ref().map(Listeners::places).unwrap_or_default()
    }

    /// Opens the listeners that several instances share, unless they are open; called before the
    /// first of them starts. With one instance there is nothing to share.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub(super) fn open(&mut self, spec: &Spec) -> Result<(), String> {
        if self.listeners.is_none() {
            self.listeners = Listeners::open(spec).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Opens the shared listeners of `spec` that are not open yet.
    ///
    /// # Errors
    /// When an address cannot be listened on; the open listeners stay open.
    pub(super) fn add(&mut self, spec: &Spec) -> io::Result<()> {
        match &mut self.listeners {
            Some(listeners) => listeners.add(spec),
            None => Ok(()),
        }
    }

    /// Closes the shared listeners that `spec` does not have.
    pub(super) fn keep_only(&mut self, spec: &Spec) {
        if let Some(listeners) = &mut self.listeners {
            listeners.keep_only(spec);
        }
    }

    /// Closes everything, so that clients are refused and do not wait in vain.
    pub(super) fn close(&mut self) {
        self.listeners = None;
    }

    /// Serves the statistics page of `published` while several instances share its address.
    pub(super) fn serve_stats(&mut self, published: &Arc<ArcSwap<Spec>>) {
        let address = published.load().cluster.listen.stats;
        let address = address.filter(|_| self.is_shared());
        if address.is_none() || self.stats_page.is_none() {
            self.stats_page = address.map(|address| StatsPage::serve(address, published.clone()));
        }
    }

    /// From now on only these instances get clients.
    pub(super) fn steer(&mut self, living: Vec<bool>) {
        if let Some(listeners) = &mut self.listeners {
            listeners.steer(living);
        }
    }

    /// Disconnects clients that reached an instance before it was found to get no clients.
    pub(super) fn turn_away(&self) {
        if let Some(listeners) = &self.listeners {
            listeners.turn_away();
        }
    }

    /// The instance's process is gone.
    pub(super) fn instance_gone(&mut self, instance: usize) {
        if let Some(listeners) = &mut self.listeners {
            listeners.instance_gone(instance);
        }
    }
}

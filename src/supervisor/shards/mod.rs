//! Several HAProxy processes that share their listeners.

pub(super) mod stats_page;
pub(super) mod steering;
pub(super) mod totals;

use std::sync::Arc;

use arc_swap::ArcSwap;

use self::stats_page::StatsPage;
use super::listeners::Listeners;
use super::spec::Spec;

/// What several balancer instances share, beside their listeners.
#[derive(Default)]
pub(super) struct Shards {
    /// The statistics page about all of the instances, and the inode of its listener.
    stats_page: Option<(u64, StatsPage)>,
}

impl Shards {
    /// Serves the statistics page of `published` while several instances share its address.
    pub(super) fn serve_stats(&mut self, published: &Arc<ArcSwap<Spec>>, listeners: &Listeners) {
        let spec = published.load();
        let address = spec.cluster.listen.stats;
        let address = address.filter(|_| spec.plan.balancer.instances > 1);
        let listener = address.and_then(|address| listeners.inode_of(address));
        if self.stats_page.as_ref().map(|(served, _)| *served) != listener {
            let copy = address.and_then(|address| listeners.copy_of(address));
            let page = |copy| StatsPage::serve(copy, published.clone());
            self.stats_page = listener.zip(copy.map(page));
        }
    }
}

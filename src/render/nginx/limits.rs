//! The limits of one client address, as nginx counts them.

use serde::Serialize;

use crate::profile::Cluster;
use crate::render::pool::Pool;

/// Bytes per client: its counter takes 64 to 128 bytes, and the zone has its own overhead.
const BYTES_PER_CLIENT: u64 = 160;
const MEGABYTE: u64 = 1 << 20;

/// The limits, and the networks that are exempt. A limit of 0 in the profile means no limit.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LimitsView {
    /// Networks without limits.
    exempt: Vec<String>,
    /// Connections of one address at the same time.
    connections: Option<u32>,
    /// The size of the zone for addresses with connections.
    connections_zone: String,
    /// New connections of one address per second. HTTP only, where the first request of a
    /// connection identifies a new one.
    connection_rate: Option<u32>,
    /// Requests of one address per second; HTTP only.
    message_rate: Option<u32>,
    /// The size of the zone for addresses with requests: the addresses with the oldest requests are
    /// removed first.
    rate_zone: String,
}

/// The zone in which requests to a listener are counted.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RateView {
    zone: &'static str,
    /// How many requests are let through at once.
    burst: u32,
}

impl LimitsView {
    /// `None` when nothing is limited.
    pub(super) fn new(cluster: &Cluster, http: bool) -> Option<LimitsView> {
        let per_ip = &cluster.limits.per_ip;
        let limit = |number: u32| (number > 0).then_some(number);
        let view = LimitsView {
            exempt: per_ip.exempt.iter().map(ToString::to_string).collect(),
            connections: limit(per_ip.connections),
            connections_zone: size(cluster.limits.maxconn.into()),
            connection_rate: limit(per_ip.connection_rate).filter(|_| http),
            message_rate: limit(per_ip.message_rate).filter(|_| http),
            rate_zone: size(cluster.routing.table.size.get()),
        };
        let is_limited = [view.connections, view.connection_rate, view.message_rate]
            .iter()
            .any(Option::is_some);
        is_limited.then_some(view)
    }
}

impl RateView {
    /// The zone for the listener of `pool`'s kind of traffic.
    pub(super) fn new(cluster: &Cluster, pool: Pool) -> Option<RateView> {
        let burst = cluster.limits.per_ip.message_rate;
        let zone = match pool {
            Pool::Tcp => return None,
            Pool::Http => "http_limit",
            Pool::WebSocket => "ws_limit",
            Pool::Sse => "sse_limit",
        };
        (burst > 0).then_some(RateView { zone, burst })
    }
}

/// The size of a zone for this number of clients.
pub(super) fn size(clients: u64) -> String {
    format!("{}m", (clients * BYTES_PER_CLIENT).div_ceil(MEGABYTE).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    #[test]
    fn a_limit_of_zero_means_no_limit() {
        let mut cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let tcp = LimitsView::new(&cluster, false).unwrap();
        assert_eq!(
            (tcp.connections, tcp.connection_rate, tcp.message_rate),
            (Some(100), None, None)
        );
        assert_eq!(tcp.connections_zone, "16m");
        cluster.limits.per_ip.connections = 0;
        assert!(LimitsView::new(&cluster, false).is_none());
        assert!(LimitsView::new(&cluster, true).is_some());
        cluster.limits.per_ip.message_rate = 0;
        assert!(RateView::new(&cluster, Pool::Http).is_none());
    }
}

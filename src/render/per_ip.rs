//! The limits of one client address, as HAProxy counts them.

use serde::Serialize;

use crate::profile::Cluster;

/// What a frontend refuses. A limit of 0 in the profile means no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PerIpView {
    /// Entries of the counting table.
    table_size: String,
    /// The counters it keeps.
    store: String,
    /// Networks without limits, separated by blanks; `None` when there are none.
    exempt: String,
    /// Connections at the same time.
    connections: Option<u32>,
    /// New connections per second.
    connection_rate: Option<u32>,
    /// Requests per second; HTTP only.
    message_rate: Option<u32>,
}

impl PerIpView {
    /// The limits of a frontend that reads requests (`http`) or only bytes; `None` when nothing is
    /// limited there.
    pub(super) fn new(cluster: &Cluster, http: bool) -> Option<PerIpView> {
        let per_ip = &cluster.limits.per_ip;
        let limit = |number: u32| (number > 0).then_some(number);
        let connections = limit(per_ip.connections);
        let connection_rate = limit(per_ip.connection_rate);
        let message_rate = limit(per_ip.message_rate).filter(|_| http);
        let counters: Vec<&str> = [
            (connections.is_some(), "conn_cur"),
            (connection_rate.is_some(), "conn_rate(1s)"),
            (message_rate.is_some(), "gpc0,gpc0_rate(1s)"),
        ]
        .into_iter()
        .filter_map(|(wanted, counter)| wanted.then_some(counter))
        .collect();
        (!counters.is_empty()).then(|| PerIpView {
            table_size: cluster.routing.table.size.to_string(),
            store: counters.join(","),
            exempt: per_ip
                .exempt
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" "),
            connections,
            connection_rate,
            message_rate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    #[test]
    fn only_limited_values_are_counted() {
        let mut cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let view = PerIpView::new(&cluster, true).unwrap();
        assert_eq!(view.store, "conn_cur,conn_rate(1s),gpc0,gpc0_rate(1s)");
        let tcp = PerIpView::new(&cluster, false).unwrap();
        assert_eq!(
            (tcp.store.as_str(), tcp.message_rate),
            ("conn_cur,conn_rate(1s)", None)
        );
        cluster.limits.per_ip.connections = 0;
        cluster.limits.per_ip.connection_rate = 0;
        assert_eq!(PerIpView::new(&cluster, false), None);
        assert_eq!(
            PerIpView::new(&cluster, true).unwrap().store,
            "gpc0,gpc0_rate(1s)"
        );
    }
}

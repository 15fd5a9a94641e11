//! The stats of a balancer without runtime API: nginx's status page, its access log, the kernel's
//! counts, our own view.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::api::{Stats, Status};
use crate::haproxy_api::{StatusPage, StatusPageError};
use crate::observe::access_log::{Kind, Tally};
use crate::observe::{NginxView, nginx_stats};
use crate::plan::PROBE_SOURCE;
use crate::platform::sock_diag::count_established;
use crate::supervisor::spec::Spec;

/// Statistics of the nginx whose status page is `page`. `status` is the state of the cluster,
/// `out_of` the listeners whose clients others keep from each node, and `tally` the counts of its
/// access log. The tally must be read first: a request that ends in between is then missed for a
/// moment, and not counted twice.
///
/// # Errors
/// When nginx's status page does not answer.
pub(in crate::supervisor) async fn stats(
    spec: &Spec,
    page: StatusPage,
    tally: &Tally,
    status: &Status,
    out_of: &[BTreeSet<&'static str>],
) -> Result<Stats, StatusPageError> {
    let page = page.read().await?;
    let at_listeners = at_listeners(spec).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(nginx_stats(&NginxView {
        cluster: &spec.cluster,
        nodes: &status.nodes,
        out_of,
        at_listeners,
        page,
        tally,
        now: now.as_secs(),
    }))
}

// Private

/// Clients' connections at each kind's listener; zeros when the kernel does not report them.
async fn at_listeners(spec: &Spec) -> [u64; Kind::ALL.len()] {
    let listen = &spec.cluster.listen;
    let ports = Kind::ALL.map(|kind| match kind {
        Kind::Tcp => [listen.tcp, None],
        Kind::Http => [listen.http, listen.https],
        Kind::WebSocket => [listen.websocket, None],
        Kind::Sse => [listen.sse, None],
    });
    let addresses = spec.plan.addresses.as_slice();
    // A listener on an unspecified address has the connections of both families.
    let any = addresses.iter().position(IpAddr::is_unspecified);
    let addresses = any.map_or(addresses, |any| &addresses[any..=any]);
    let (places, listeners): (Vec<usize>, Vec<SocketAddr>) = ports
        .iter()
        .enumerate()
        .flat_map(|(place, ports)| ports.iter().flatten().map(move |port| (place, *port)))
        .flat_map(|(place, port)| {
            addresses
                .iter()
                .map(move |ip| (place, SocketAddr::new(*ip, port)))
        })
        .unzip();
    // Reading 100,000 sockets takes a while.
    let counting = tokio::task::spawn_blocking(move || count_established(&listeners, &[PROBE_SOURCE]));
    let mut counts = [0; Kind::ALL.len()];
    match counting.await {
        Ok(Ok(counted)) => places
            .iter()
            .zip(counted)
            .for_each(|(place, count)| counts[*place] += count),
        Ok(Err(error)) => tracing::warn!("cannot count clients' connections: {error}"),
        Err(_) => {}
    }
    counts
}

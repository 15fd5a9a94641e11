//! The stats of a balancer without runtime API: nginx's status page, its access log, the kernel's counts, our own view.

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

/// All that is known of the nginx whose status page is `page`, while the cluster is as `status` says, others keep the clients of
/// the listeners `out_of` from each node, and its access log has told `tally`. That has to be read first: who ends in between is missed for a moment, instead of being counted twice.
///
/// # Errors
/// When it does not answer.
pub(in crate::supervisor) async fn stats(
    setting: &Spec,
    page: StatusPage,
    tally: &Tally,
    status: &Status,
    out_of: &[BTreeSet<&'static str>],
) -> Result<Stats, StatusPageError> {
    let page = page.read().await?;
    let at_listeners = at_listeners(setting).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(nginx_stats(&NginxView {
        cluster: &setting.cluster,
        nodes: &status.nodes,
        out_of,
        at_listeners,
        page,
        tally,
        now: now.as_secs(),
    }))
}

// Private

/// Clients' connections at each kind's listener; none when the kernel does not tell.
async fn at_listeners(setting: &Spec) -> [u64; Kind::ALL.len()] {
    let listen = &setting.cluster.listen;
    let ports = Kind::ALL.map(|kind| match kind {
        Kind::Tcp => [listen.tcp, None],
        Kind::Http => [listen.http, listen.https],
        Kind::WebSocket => [listen.websocket, None],
        Kind::Sse => [listen.sse, None],
    });
    let addresses = setting.plan.addresses.as_slice();
    // One wildcard has the connections of both families.
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
    // Reading a hundred thousand sockets takes a while.
    let counting = tokio::task::spawn_blocking(move || count_established(&listeners, &[PROBE_SOURCE]));
    let mut counts = [0; Kind::ALL.len()];
    match counting.await {
        Ok(Ok(counted)) => places
            .iter()
            .zip(counted)
            .for_each(|(place, count)| counts[*place] += count),
        Ok(Err(error)) => tracing::warn!("clients' connections not counted: {error}"),
        Err(_) => {}
    }
    counts
}

//! Paths, proxies in front and unusual nodes, with nginx.

use clusterctl::profile::Certificate;

use super::running::Running;
use crate::{gateway, odd_nodes, paths, sessions};

#[tokio::test]
async fn the_longest_prefix_of_a_path_decides() {
    let running = Running::start(paths::nest).await;
    paths::longest_prefixes_decide(&running.cluster).await;
}

#[tokio::test]
async fn a_slash_serves_everything() {
    let running = Running::start(paths::serve_everything).await;
    paths::everything_is_served(&running.cluster).await;
}

#[tokio::test]
async fn only_trusted_proxies_are_believed() {
    let running = Running::start(|cluster| {
        gateway::trust(cluster);
        cluster.tls = Some(Certificate::SelfSigned);
    })
    .await;
    gateway::believes_trusted_proxies_only(&running.cluster, &running.run_dir.certificate()).await;
    let running = Running::start(|cluster| cluster.tls = Some(Certificate::SelfSigned)).await;
    gateway::believes_no_proxy(&running.cluster, &running.run_dir.certificate()).await;
}

#[tokio::test]
async fn the_clients_of_a_trusted_proxy_are_told_apart() {
    let running = Running::start(|cluster| {
        gateway::trust(cluster);
        paths::without_limits(cluster);
    })
    .await;
    gateway::tells_the_clients_of_a_trusted_proxy_apart(&running.cluster).await;
}

#[tokio::test]
async fn from_revision_2026_07_28_on_ids_of_sessions_pass_untouched() {
    let running = Running::start(|_| {}).await;
    sessions::revisions_without_sessions_pass_ids_untouched(running.entrance()).await;
}

#[tokio::test]
async fn answers_may_end_in_any_way() {
    for ending in odd_nodes::ANNOUNCED {
        let running = Running::start(odd_nodes::answering(move |_, _| ending.to_owned()).await).await;
        odd_nodes::every_request_is_answered(&running.cluster).await;
    }
    let unannounced = odd_nodes::answering(|_, _| odd_nodes::UNANNOUNCED.to_owned());
    let running = Running::start(unannounced.await).await;
    odd_nodes::every_client_is_answered(&running.cluster).await;
}

#[tokio::test]
async fn redirects_stay_at_the_balancer() {
    let running = Running::start(odd_nodes::answering(odd_nodes::redirecting).await).await;
    odd_nodes::redirects_stay_at_the_balancer(&running.cluster).await;
}

#[tokio::test]
async fn oauth_passes() {
    let running = Running::start(odd_nodes::answering(odd_nodes::wanting_a_token).await).await;
    odd_nodes::oauth_passes(&running.cluster).await;
}

#[tokio::test]
async fn heads_of_32_kilobytes_pass() {
    for (length, single) in [(24_000, true), (32_768, false), (32_768, true)] {
        let running =
            Running::start(odd_nodes::answering(odd_nodes::long_headed(length, single)).await).await;
        odd_nodes::long_heads_pass(&running.cluster, length).await;
        odd_nodes::many_headers_pass(&running.cluster).await;
    }
    let running = Running::start(odd_nodes::answering(odd_nodes::long_headed(40_000, false)).await).await;
    odd_nodes::too_long_a_head_is_a_502(&running.cluster).await;
}

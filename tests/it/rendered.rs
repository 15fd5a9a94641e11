//! What every balancer does with HTTP by the configuration that is rendered for it, in front of small
//! nodes.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clusterctl::profile::{BalancerKind, Certificate, Cluster, Sticky};

use crate::haproxy::client::get;
use crate::haproxy::running::free_ports;
use crate::sessions::Entrance;
use crate::{bodies, builtin_http, gateway, haproxy, nginx, odd_nodes, paths, sessions};

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 11, 1);

/// A balancer that runs with its rendered configuration, and with small nodes behind it. Both end
/// with the test.
pub(crate) trait Running: Sized {
    const KIND: BalancerKind;

    /// Starts it with the default profile, changed, on free ports.
    async fn start(change: impl FnOnce(&mut Cluster)) -> Self;

    fn cluster(&self) -> &Cluster;

    /// Its certificate, if it has one.
    fn certificate(&self) -> PathBuf;

    /// The entrance for clients with sessions.
    fn entrance(&self) -> Entrance {
        Entrance::new(&self.cluster().listen)
    }
}

/// Runs each test once with each balancer.
macro_rules! with_each_balancer {
    ($($test:ident),+ $(,)?) => {
        mod with_haproxy {
            $(#[tokio::test] async fn $test() {
                super::$test::<super::haproxy::running::Running>().await;
            })+
        }
        mod with_builtin {
            $(#[tokio::test] async fn $test() {
                super::$test::<super::builtin_http::running::Running>().await;
            })+
        }
        mod with_nginx {
            $(#[tokio::test] async fn $test() {
                super::$test::<super::nginx::running::Running>().await;
            })+
        }
    };
}

pub(crate) use with_each_balancer;

with_each_balancer! {
    the_longest_prefix_of_a_path_decides,
    a_slash_serves_everything,
    unknown_paths_are_404_in_json,
    only_trusted_proxies_are_believed,
    the_clients_of_a_trusted_proxy_are_told_apart,
    nodes_get_the_scheme_of_each_listener,
    long_and_unusual_headers_pass,
    requests_are_limited_by_429,
    answers_may_end_in_any_way,
    redirects_stay_at_the_balancer,
    oauth_passes,
    heads_of_32_kilobytes_pass,
    bodies_are_limited,
    any_id_is_kept,
    two_sessions_share_a_cookie_jar,
    foreign_ids_pass_untouched,
    every_kind_of_request_reaches_the_session,
    from_revision_2026_07_28_on_ids_of_sessions_pass_untouched,
    a_session_whose_node_is_gone_is_served_elsewhere,
}

async fn the_longest_prefix_of_a_path_decides<R: Running>() {
    let running = R::start(paths::nest).await;
    paths::longest_prefixes_decide(running.cluster()).await;
}

async fn a_slash_serves_everything<R: Running>() {
    let running = R::start(paths::serve_everything).await;
    paths::everything_is_served(running.cluster()).await;
}

async fn unknown_paths_are_404_in_json<R: Running>() {
    let running = R::start(|_| {}).await;
    let listen = &running.cluster().listen;
    for (port, path) in [
        (listen.http.unwrap(), "/"),
        (listen.http.unwrap(), "/mcpx"),
        (listen.http.unwrap(), "/other"),
        (listen.websocket.unwrap(), "/mcp"),
        (listen.sse.unwrap(), "/mcp/ws"),
        (listen.status.unwrap().port(), "/"),
    ] {
        let answer = get(SOURCE, port, path, &[]).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(answer.contains(r#"{"error":"not found"}"#), "{path}: {answer}");
    }
}

async fn only_trusted_proxies_are_believed<R: Running>() {
    let running = R::start(|cluster| {
        gateway::trust(cluster);
        with_tls::<R>(cluster);
    })
    .await;
    gateway::believes_trusted_proxies_only(running.cluster(), &running.certificate()).await;
    let running = R::start(with_tls::<R>).await;
    gateway::believes_no_proxy(running.cluster(), &running.certificate()).await;
}

/// The built-in balancer has no TLS.
fn with_tls<R: Running>(cluster: &mut Cluster) {
    cluster.tls = (R::KIND != BalancerKind::Builtin).then_some(Certificate::SelfSigned);
}

async fn the_clients_of_a_trusted_proxy_are_told_apart<R: Running>() {
    let running = R::start(|cluster| {
        gateway::trust(cluster);
        paths::without_limits(cluster);
    })
    .await;
    gateway::tells_the_clients_of_a_trusted_proxy_apart(running.cluster()).await;
}

async fn nodes_get_the_scheme_of_each_listener<R: Running>() {
    let running = R::start(|_| {}).await;
    gateway::forwards_the_scheme_of_plain_http(running.cluster()).await;
}

async fn long_and_unusual_headers_pass<R: Running>() {
    let running = R::start(|_| {}).await;
    gateway::passes_long_and_unusual_headers(running.cluster()).await;
}

async fn requests_are_limited_by_429<R: Running>() {
    let running = R::start(|cluster| cluster.limits.per_ip.message_rate = 5).await;
    let port = running.cluster().listen.http.unwrap();
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(get(SOURCE, port, "/mcp", &[]).await);
    }
    assert!(answers[0].starts_with("HTTP/1.1 200 "), "{}", answers[0]);
    let refused = answers.iter().find(|answer| answer.starts_with("HTTP/1.1 429 "));
    gateway::is_error(refused.unwrap(), 429, true);
    let other = get(Ipv4Addr::new(127, 0, 11, 2), port, "/mcp", &[]).await;
    assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
}

async fn answers_may_end_in_any_way<R: Running>() {
    for ending in odd_nodes::ANNOUNCED {
        let running = R::start(odd_nodes::answering(move |_, _| ending.to_owned()).await).await;
        odd_nodes::every_request_is_answered(running.cluster()).await;
    }
    let unannounced = odd_nodes::answering(|_, _| odd_nodes::UNANNOUNCED.to_owned());
    let running = R::start(unannounced.await).await;
    odd_nodes::every_client_is_answered(running.cluster()).await;
}

async fn redirects_stay_at_the_balancer<R: Running>() {
    let running = R::start(odd_nodes::answering(odd_nodes::redirecting).await).await;
    odd_nodes::redirects_stay_at_the_balancer(running.cluster()).await;
}

async fn oauth_passes<R: Running>() {
    let running = R::start(odd_nodes::answering(odd_nodes::wanting_a_token).await).await;
    odd_nodes::oauth_passes(running.cluster()).await;
}

async fn heads_of_32_kilobytes_pass<R: Running>() {
    for (length, single) in [(24_000, true), (32_768, false), (32_768, true)] {
        let running = R::start(odd_nodes::answering(odd_nodes::long_headed(length, single)).await).await;
        odd_nodes::long_heads_pass(running.cluster(), length).await;
        // The built-in balancer accepts 100 headers, as Node and most servers do.
        let (headers, status) = match R::KIND {
            BalancerKind::Builtin => (101, 431),
            _ => (500, 200),
        };
        odd_nodes::many_headers_meet(running.cluster(), 90, 200).await;
        odd_nodes::many_headers_meet(running.cluster(), headers, status).await;
    }
    let running = R::start(odd_nodes::answering(odd_nodes::long_headed(40_000, false)).await).await;
    odd_nodes::too_long_a_head_is_a_502(running.cluster()).await;
}

async fn bodies_are_limited<R: Running>() {
    let running = R::start(bodies::limit).await;
    // HAProxy does not count the bytes of chunks, so it refuses bodies without a length.
    let (small, large) = match R::KIND {
        BalancerKind::Haproxy => (411, 411),
        _ => (200, 413),
    };
    bodies::the_limit_is_kept(running.cluster(), small, large).await;
}

async fn any_id_is_kept<R: Running>() {
    sessions::any_id_is_kept(R::start(|_| {}).await.entrance()).await;
}

async fn two_sessions_share_a_cookie_jar<R: Running>() {
    sessions::two_sessions_share_a_cookie_jar(R::start(|_| {}).await.entrance()).await;
}

async fn foreign_ids_pass_untouched<R: Running>() {
    sessions::foreign_ids_pass_untouched(R::start(|_| {}).await.entrance()).await;
}

async fn every_kind_of_request_reaches_the_session<R: Running>() {
    for sticky in [Sticky::Cookie, Sticky::McpSession, Sticky::Source] {
        let running = R::start(|cluster| cluster.routing.http.sticky = sticky).await;
        sessions::every_kind_of_request_reaches_the_session(running.entrance()).await;
    }
}

async fn from_revision_2026_07_28_on_ids_of_sessions_pass_untouched<R: Running>() {
    let running = R::start(|_| {}).await;
    sessions::revisions_without_sessions_pass_ids_untouched(running.entrance()).await;
}

async fn a_session_whose_node_is_gone_is_served_elsewhere<R: Running>() {
    let [closed] = free_ports();
    let running = R::start(|cluster| {
        cluster.nodes[1].http = Some(([127, 0, 0, 1], closed).into());
    })
    .await;
    for number in 1..=20 {
        let answer = running
            .entrance()
            .ask(number, &["Mcp-Session-Id: x~erlmcp2", "Cookie: SERVERID=erlmcp2"])
            .await;
        assert_ne!(answer.node, "erlmcp2");
    }
}

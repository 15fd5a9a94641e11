//! Frontends, pages and sockets that others have stopped or removed.

use std::fs;

use serde_json::json;

use super::{is_healthy, set_by_others};
use crate::harness::{TestCluster, behind_each_sticky_table, eventually};

behind_each_sticky_table! {
    a_frontend_stopped_by_others_is_shown_and_opened_by_ready,
    a_missing_socket_is_shown_and_created_again_by_a_reload,
}

#[test]
fn a_status_page_stopped_by_others_is_shown_and_opened_by_ready() {
    let cluster = TestCluster::behind("haproxy").started();
    set_by_others(&cluster, "disable frontend mcp_status");
    eventually("the stopped status page to be shown", || {
        let overrides = cluster.status()["balancer"]["overrides"].to_string();
        overrides
            .contains("frontend mcp_status accepts no connections")
            .then_some(())
    });
    let ready = cluster.run(&["ready", "erlmcp1"]);
    assert!(
        ready.stderr.contains("took back: frontend mcp_status"),
        "{ready:?}"
    );
    is_healthy(&cluster);
}

fn a_frontend_stopped_by_others_is_shown_and_opened_by_ready(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    set_by_others(&cluster, "disable frontend mcp_frontend_tcp");
    let shown = eventually("the frontend to be missed", || {
        let shown = cluster.status()["balancer"]["overrides"][0].as_str()?.to_owned();
        Some(shown)
    });
    assert!(
        shown.contains("frontend mcp_frontend_tcp accepts no connections"),
        "{shown}"
    );
    assert_eq!(cluster.run(&["status"]).code, 1);
    let tried = cluster.run(&["load-test", "4", "0"]);
    assert!(
        tried
            .stderr
            .contains("frontend mcp_frontend_tcp accepts no connections"),
        "{tried:?}"
    );
    let ready = cluster.run(&["ready", "erlmcp1"]);
    assert!(
        ready.stderr.contains("took back: frontend mcp_frontend_tcp"),
        "{ready:?}"
    );
    cluster.client(1);
    // A frontend that was shut down cannot be enabled, but a reload opens it.
    set_by_others(&cluster, "shutdown frontend mcp_frontend_tcp");
    eventually("the frontend to be missed again", || {
        cluster.status()["balancer"]["overrides"][0].as_str().map(drop)
    });
    cluster.ok(&["reload"]);
    cluster.client(2);
    is_healthy(&cluster);
    if balancer == "haproxy" {
        // The page that shows other balancers and monitoring whether the cluster is up.
        set_by_others(&cluster, "shutdown frontend mcp_status");
        eventually("the page to be missed", || {
            let shown = cluster.status()["balancer"]["overrides"][0].as_str()?.to_owned();
            shown
                .contains("frontend mcp_status accepts no connections")
                .then_some(())
        });
        cluster.ok(&["reload"]);
        is_healthy(&cluster);
    }
}

fn a_missing_socket_is_shown_and_created_again_by_a_reload(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let (mut held, _) = cluster.client(1);
    let pid = cluster.balancer_pid();
    let path = cluster.run_dir().join(cluster.socket());
    fs::remove_file(&path).unwrap();
    let shown = eventually("the socket to be missed", || {
        let shown = cluster.status()["balancer"]["overrides"][0].as_str()?.to_owned();
        Some(shown)
    });
    assert!(shown.contains("is gone"), "{shown}");
    assert_eq!(cluster.status()["state"], "degraded");
    assert_eq!(cluster.status()["balancer"]["state"], "running");
    let reload = cluster.run(&["reload"]);
    assert_eq!(reload.code, 0, "{reload:?}");
    is_healthy(&cluster);
    assert_ne!(cluster.balancer_pid(), pid);
    assert!(held.call("ping", &json!({})).is_ok());
    cluster.ok(&["drain", "erlmcp2"]);
}

//! A reload: a new process takes over the listeners and the state of the old one.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use clusterctl::haproxy_api::ServerHealth;
use clusterctl::platform::sock_diag::destroy_to;

use super::client::{Line, node_for};
use super::running::{Running, eventually};

/// Processes younger than this have not received their predecessor's stick tables yet, and cannot
/// pass them on: HAProxy's peers wait 5 seconds for one another (`PEER_RESYNC_TIMEOUT`). Reloads
/// must be so far apart.
const OLD_ENOUGH: Duration = Duration::from_secs(6);

fn source(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 6, number)
}

/// Clients that connect, ask and disconnect, one after another, until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicU32>,
    clients: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(port: u16) -> Load {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let client = |number: u8| {
            let (stop, served) = (stop.clone(), served.clone());
            tokio::spawn(async move {
                let mut errors = Vec::new();
                let mut turn = number;
                while !stop.load(Ordering::Relaxed) {
                    // Each client uses its own addresses in turn, and stays below their limits.
                    turn = if turn > 240 { number } else { turn + 8 };
                    match node_for(Ipv4Addr::new(127, 0, 7, turn), port).await {
                        Ok(_) => served.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            errors.push(error.to_string());
                            0
                        }
                    };
                    tokio::time::sleep(Duration::from_millis(4)).await;
                }
                errors
            })
        };
        let clients = (1..=8).map(client).collect();
        Load {
            stop,
            served,
            clients,
        }
    }

    /// The number of clients served, and the errors of the others.
    async fn ended(self) -> (u32, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut errors = Vec::new();
        for client in self.clients {
            errors.extend(client.await.unwrap());
        }
        (self.served.load(Ordering::Relaxed), errors)
    }
}

#[tokio::test]
async fn reloads_under_load_lose_no_connection_and_no_sticky_entry() {
    let mut running = Running::start(|cluster| cluster.limits.per_ip.connection_rate = 0).await;
    let orders = running.orders();
    let mut held = Vec::new();
    for number in 1..=60 {
        let mut line = Line::open(source(number), running.tcp()).await.unwrap();
        let node = line.node().await.unwrap();
        held.push((number, line, node));
    }
    running.write_orders(&["erlmcp4"]);
    orders.drain(&running.socket, "erlmcp4").await.unwrap();
    let load = Load::on(running.tcp());
    for _ in 0..2 {
        let socket = running.socket.clone();
        eventually("the process can pass on its stick tables", async || {
            socket.info().await.is_ok_and(|info| info.uptime > OLD_ENOUGH)
        })
        .await;
        running.reload().await;
        for backend in ["mcp_cluster_tcp", "mcp_http_backend", "mcp_sse_backend"] {
            assert_eq!(running.state(backend, "erlmcp4").await, "DRAIN", "{backend}");
        }
    }
    let (served, errors) = load.ended().await;
    assert!(served > 1000, "{served}");
    assert!(errors.is_empty(), "{} of {served}: {errors:?}", errors.len());
    let socket = running.socket.clone();
    eventually("the new process has the stick tables", async || {
        let table = socket.ask("show table mcp_cluster_tcp").await.unwrap();
        (1..=60).all(|number| table.contains(&format!("127.0.6.{number} ")))
    })
    .await;
    for (number, line, node) in &mut held {
        assert_eq!(&line.node().await.unwrap(), node);
        // Reconnecting clients return to their node, except to the drained one.
        let again = node_for(source(*number), running.tcp()).await.unwrap();
        assert_eq!(&again == node, node != "erlmcp4", "{again} after {node}");
    }
    assert!(!running.log().contains("[ALERT]"), "{}", running.log());
}

#[tokio::test]
async fn a_node_set_down_is_down_in_the_new_process_until_it_answers_a_check() {
    // Enough good answers that no assertion depends on speed.
    let mut running = Running::start(|cluster| cluster.health.rise = 4).await;
    for backend in ["mcp_cluster_tcp", "mcp_http_backend"] {
        running
            .socket
            .set_health(backend, "erlmcp2", ServerHealth::Down)
            .await
            .unwrap();
    }
    running.reload().await;
    for backend in ["mcp_cluster_tcp", "mcp_http_backend", "mcp_websocket_backend"] {
        assert_eq!(running.state(backend, "erlmcp2").await, "DOWN", "{backend}");
    }
    let socket = running.socket.clone();
    eventually("its own checks set it up", async || {
        let rows = socket.stat().await.unwrap();
        rows.iter()
            .filter(|row| row.name() == "erlmcp2")
            .all(|row| row.state() == "UP")
    })
    .await;
}

#[tokio::test]
async fn connections_of_a_replaced_process_are_cut_through_the_kernel() {
    let mut running = Running::start(|_| {}).await;
    let mut held = Line::open(source(1), running.tcp()).await.unwrap();
    let name = held.node().await.unwrap();
    running.reload().await;
    running.orders().cut(&running.socket, &name).await.unwrap();
    assert_eq!(
        held.node().await.unwrap(),
        name,
        "the new process has no such connection"
    );
    let node = running.cluster.node(&name).unwrap().tcp.unwrap();
    match destroy_to(node, &[]) {
        Ok(_) => assert!(held.node().await.is_err()),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}"),
    }
}

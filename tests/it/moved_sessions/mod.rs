//! Many MCP clients over HTTP while nodes are drained, killed and stopped, and the balancer reloads:
//! only clients of that node notice it. Each of its sessions gets one 404 and begins again, each of
//! its event streams is cut once, and a request that waits for a dead node fails once.
//!
//! 120 clients by default; `CLUSTERCTL_SESSIONS=1000` changes that.

mod client;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{TestCluster, eventually, signal};
use client::{Client, Event, Kind, Shared, Shown, Trouble};

/// What a phase of the test does to a node.
#[derive(Clone, Copy, Debug)]
enum Fate<'a> {
    /// Nothing that a client may notice.
    Unharmed,
    /// The node is drained.
    Drained(&'a str),
    /// The node is killed or stopped.
    Dead(&'a str),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_clients_of_a_lost_node_notice_it() {
    let count = std::env::var("CLUSTERCTL_SESSIONS").map_or(120, |count| count.parse().unwrap());
    let cluster = TestCluster::behind("builtin")
        .set("limits.per_ip.connections=0")
        .set("limits.per_ip.connection_rate=0")
        .set("limits.per_ip.message_rate=0")
        .set("limits.maxconn=4000")
        .started();
    let shared = shared(&cluster, count);
    let clients: Vec<_> = (0..count)
        .map(|number| tokio::spawn(Client::new(number, shared).run()))
        .collect();
    all_go_on(shared);
    expect(shared, "at rest", Fate::Unharmed);

    cluster.ok(&["reload", "--set", "timeouts.client=4m"]);
    all_go_on(shared);
    expect(shared, "after a reload", Fate::Unharmed);

    let before = on(shared, "erlmcp1", Kind::Stream);
    cluster.ok(&["drain", "erlmcp1"]);
    all_go_on(shared);
    expect(shared, "after a drain", Fate::Drained("erlmcp1"));
    assert_eq!(on(shared, "erlmcp1", Kind::Session), 0);
    assert_eq!(on(shared, "erlmcp1", Kind::Stream), before, "streams go on");
    cluster.ok(&["ready", "erlmcp1"]);
    all_go_on(shared);
    expect(shared, "after `ready`", Fate::Unharmed);

    assert_ne!(on(shared, "erlmcp2", Kind::Stream), 0);
    signal(cluster.node_pid("erlmcp2"), Signal::SIGKILL);
    eventually("a restarted node", || {
        let node = cluster.node("erlmcp2");
        (node["restarts"] == 1 && node["state"] == "up").then_some(())
    });
    all_go_on(shared);
    expect(shared, "after a kill", Fate::Dead("erlmcp2"));

    assert_ne!(on(shared, "erlmcp3", Kind::Stream), 0);
    let pid = cluster.node_pid("erlmcp3");
    signal(pid, Signal::SIGSTOP);
    eventually("a node that is down", || {
        (cluster.node("erlmcp3")["state"] == "down").then_some(())
    });
    all_go_on(shared);
    expect(shared, "after a stop", Fate::Dead("erlmcp3"));
    signal(pid, Signal::SIGCONT);
    eventually("a node that is up", || {
        (cluster.node("erlmcp3")["state"] == "up").then_some(())
    });
    all_go_on(shared);
    expect(shared, "after it goes on", Fate::Unharmed);

    shared.enough.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
}

// Private

/// As many calls per second for any number of clients. Nodes take turns, and clients of each kind come
/// to each of four nodes.
fn shared(cluster: &TestCluster, count: usize) -> &'static Shared {
    let kinds = [
        Kind::Session,
        Kind::Stateless,
        Kind::Session,
        Kind::Stream,
        Kind::Session,
    ];
    let shown = |kind: &Kind| Shown {
        kind: *kind,
        rounds: AtomicU64::new(0),
        node: Mutex::default(),
    };
    Box::leak(Box::new(Shared {
        address: cluster.address(8080),
        pause: Duration::from_millis(u64::try_from(count).unwrap() * 4),
        clients: kinds.iter().cycle().take(count).map(shown).collect(),
        events: Mutex::default(),
        enough: AtomicBool::new(false),
    }))
}

/// Waits until each client has gone three rounds further, so that each has noticed what there is to
/// notice.
fn all_go_on(shared: &Shared) {
    let rounds = || shared.clients.iter().map(|client| client.rounds.load(SeqCst));
    let wanted: Vec<u64> = rounds().map(|rounds| rounds + 3).collect();
    eventually("three rounds of each client", || {
        rounds()
            .zip(&wanted)
            .all(|(rounds, wanted)| rounds >= *wanted)
            .then_some(())
    });
}

/// The number of clients with a session on a node.
fn on(shared: &Shared, node: &str, kind: Kind) -> usize {
    let clients = shared.clients.iter().filter(|client| client.kind == kind);
    clients
        .filter(|client| *client.node.lock().unwrap() == node)
        .count()
}

/// Checks what has gone wrong since the last phase.
fn expect(shared: &Shared, phase: &str, fate: Fate<'_>) {
    let events = std::mem::take(&mut *shared.events.lock().unwrap());
    for event in &events {
        let kind = shared.clients[event.client].kind;
        let allowed = match (fate, &event.trouble) {
            (Fate::Drained(node), Trouble::Moved) => event.node == node && kind == Kind::Session,
            (Fate::Dead(node), Trouble::Moved | Trouble::Cut) => event.node == node,
            // The request waited for the node.
            (Fate::Dead(node), Trouble::Failed(_)) => event.node == node || kind == Kind::Stateless,
            _ => false,
        };
        assert!(allowed, "{phase}: {kind:?} {event:?} of {events:#?}");
    }
    for number in 0..shared.clients.len() {
        let own: Vec<&Event> = events.iter().filter(|event| event.client == number).collect();
        for (place, event) in own.iter().enumerate() {
            let kind = std::mem::discriminant(&event.trouble);
            let again = own[..place]
                .iter()
                .any(|earlier| std::mem::discriminant(&earlier.trouble) == kind);
            assert!(!again, "{phase}: twice for one client: {own:#?}");
        }
    }
    let count = |wanted: fn(&Trouble) -> bool| events.iter().filter(|event| wanted(&event.trouble)).count();
    eprintln!(
        "{phase}: {} moved sessions, {} cut streams, {} failed requests",
        count(|trouble| *trouble == Trouble::Moved),
        count(|trouble| *trouble == Trouble::Cut),
        count(|trouble| matches!(trouble, Trouble::Failed(_)))
    );
}

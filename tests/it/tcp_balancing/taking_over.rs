//! Processes that take their listening sockets from a parent, which this test plays, in turn and at
//! the same time.

use std::net::Shutdown;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use clusterctl::dataplane_config::Dataplane;
use clusterctl::haproxy_api::{Handover, take_listeners};
use clusterctl::platform::listen::{Group, inode};
use clusterctl::profile::Table;
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::harness::http_get;
use crate::plane::{Plane, free_address};

/// The owner of the listening sockets.
struct Parent {
    groups: Vec<Group>,
    handover: Handover,
    dir: TempDir,
    _runtime: Runtime,
}

impl Parent {
    /// With this many sockets on each of its addresses.
    fn with<const COUNT: usize>(sockets: [u16; COUNT]) -> Parent {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let handover = {
            let _inside = runtime.enter();
            Handover::open(&dir.path().join("listen.sock")).unwrap()
        };
        let open = |members| Group::open(SocketAddr::new(free_address().ip(), 0), members).unwrap();
        let parent = Parent {
            groups: sockets.map(open).into(),
            handover,
            dir,
            _runtime: runtime,
        };
        parent.gives(COUNT);
        parent
    }

    /// Hands over the sockets of the first `count` addresses from now on.
    fn gives(&self, count: usize) {
        self.handover.give(self.sockets(count));
    }

    fn sockets(&self, count: usize) -> Vec<Arc<TcpListener>> {
        let members = |group: &Group| {
            (0..9)
                .map_while(|member| group.listener(member))
                .collect::<Vec<_>>()
        };
        self.groups[..count].iter().flat_map(members).collect()
    }

    fn address(&self, index: usize) -> SocketAddr {
        self.groups[index].address()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A process on the first address.
    fn plane(&self, servers: &[SocketAddr], change: impl FnOnce(&mut Dataplane)) -> Plane {
        Plane::with(servers, |config| {
            config.listeners = Some(self.file("listen.sock"));
            config.socket = self.file("dataplane.sock");
            config.memory = Some(self.file("memory"));
            config.frontends[0].listen = vec![self.address(0)];
            change(config);
        })
    }
}

/// Clients that connect, exchange a byte and disconnect, all the time.
struct Traffic {
    enough: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    clients: Vec<thread::JoinHandle<()>>,
}

impl Traffic {
    fn to(target: SocketAddr, clients: u8) -> Traffic {
        let (enough, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |host| {
            let (enough, served) = (Arc::clone(&enough), Arc::clone(&served));
            thread::spawn(move || {
                while !enough.load(SeqCst) {
                    echoes(&client_from(Ipv4Addr::new(127, 9, 0, host), target));
                    served.fetch_add(1, SeqCst);
                }
            })
        };
        Traffic {
            clients: (1..=clients).map(client).collect(),
            enough,
            served,
        }
    }

    /// Waits until `count` more clients were served.
    fn goes_on(&self, count: usize) {
        let before = self.served.load(SeqCst);
        eventually("clients are served", || {
            let is_over = self.clients.iter().any(thread::JoinHandle::is_finished);
            (is_over || self.served.load(SeqCst) >= before + count).then_some(())
        });
    }

    /// No client was refused or cut.
    fn ends_whole(self) {
        self.enough.store(true, SeqCst);
        for client in self.clients {
            client.join().unwrap();
        }
    }
}

/// A whole conversation with a speaker.
fn echoes(client: &TcpStream) {
    byte(client).unwrap();
    send(client, "!");
    assert_eq!(byte(client).unwrap(), b'!');
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(client).unwrap(), b"");
}

fn many(target: SocketAddr, count: u8) -> Vec<TcpStream> {
    (1..=count)
        .map(|host| client_from(Ipv4Addr::new(127, 9, 1, host), target))
        .collect()
}

/// The inodes of what a process hands over at `socket`.
fn inodes(listeners: &[TcpListener]) -> Vec<u64> {
    listeners.iter().map(|it| inode(it).unwrap()).collect()
}

#[test]
fn processes_take_turns_and_no_client_is_refused_or_cut() {
    let parent = Parent::with([3]);
    let servers = speakers::<2>();
    let mut old = parent.plane(&servers, |_| {});
    let traffic = Traffic::to(parent.address(0), 6);
    for _ in 0..3 {
        traffic.goes_on(200);
        let held = many(parent.address(0), 20);
        assert!(held.iter().all(|client| byte(client).is_ok()));
        let new = parent.plane(&servers, |_| {});
        traffic.goes_on(50);
        old.signal(Signal::SIGUSR1);
        old.waits_for_log("no connection is accepted any more");
        traffic.goes_on(200);
        for client in &held {
            send(client, "?");
            assert_eq!(byte(client).unwrap(), b'?');
        }
        drop(held);
        assert!(old.ends().success());
        assert!(new.is_at_its_socket());
        old = new;
    }
    traffic.ends_whole();
}

#[test]
fn clients_wait_while_no_process_accepts() {
    let parent = Parent::with([2]);
    let servers = speakers::<1>();
    let mut first = parent.plane(&servers, |_| {});
    first.signal(Signal::SIGSTOP);
    let waiting = many(parent.address(0), 20);
    // A process takes over while the other one still exists.
    let mut second = parent.plane(&servers, |_| {});
    for client in &waiting {
        echoes(client);
    }
    first.signal(Signal::SIGKILL);
    assert!(!first.ends().success());
    many(parent.address(0), 20).iter().for_each(echoes);
    // A process dies before the next one begins.
    second.signal(Signal::SIGKILL);
    assert!(!second.ends().success());
    let waiting = many(parent.address(0), 20);
    assert!(waiting.iter().all(is_silent));
    let mut third = parent.plane(&servers, |_| {});
    waiting.iter().for_each(echoes);
    third.signal(Signal::SIGTERM);
    assert!(third.ends().success());
    assert!(many(parent.address(0), 5).iter().all(is_silent));
}

#[test]
fn a_successor_that_dies_costs_nothing() {
    let parent = Parent::with([2]);
    let servers = speakers::<1>();
    let first = parent.plane(&servers, |_| {});
    let held = client(parent.address(0));
    byte(&held).unwrap();
    let mut second = parent.plane(&servers, |_| {});
    assert!(!first.is_at_its_socket());
    second.signal(Signal::SIGKILL);
    assert!(!second.ends().success());
    eventually("the first has its socket again", || {
        first.is_at_its_socket().then_some(())
    });
    many(parent.address(0), 20).iter().for_each(echoes);
    send(&held, "!");
    assert_eq!(byte(&held).unwrap(), b'!');
    assert_eq!(take_listeners(&first.config.socket).unwrap().len(), 2);
}

#[test]
fn any_number_of_sockets_suits_any_number_of_workers() {
    for (sockets, workers) in [(1, 4), (3, 2), (5, 1), (2, 2)] {
        let parent = Parent::with([sockets]);
        let plane = parent.plane(&speakers::<1>(), |config| config.workers = workers);
        many(parent.address(0), 60).iter().for_each(echoes);
        assert_eq!(plane.figure("FRONTEND", "stot"), 60, "{sockets} for {workers}");
        plane.rests();
    }
}

#[test]
fn no_socket_of_a_worker_waits_for_ever_while_there_is_room_for_one_client() {
    let parent = Parent::with([3]);
    let _plane = parent.plane(&speakers::<1>(), |config| {
        config.workers = 1;
        config.maxconn = 1;
    });
    let traffic = Traffic::to(parent.address(0), 9);
    traffic.goes_on(60);
    traffic.ends_whole();
}

#[test]
fn an_address_can_be_added_and_removed_by_a_reload() {
    let parent = Parent::with([2, 3]);
    let [first, second] = [0, 1].map(|index| parent.address(index));
    parent.gives(1);
    let mut plane = parent.plane(&speakers::<1>(), |_| {});
    let held = client(first);
    byte(&held).unwrap();
    plane.configure(|config| config.frontends[0].listen.push(second));
    let refused = plane.ask("reload");
    let path = parent.file("listen.sock");
    let why = format!("the parent does not hand over {second} on `{}`", path.display());
    assert!(refused.contains(&why), "{refused}");
    many(first, 10).iter().for_each(echoes);
    parent.gives(2);
    plane.reload();
    for address in [first, second] {
        many(address, 10).iter().for_each(echoes);
    }
    // Removed: the parent's socket stays, and its clients do not concern this process.
    plane.configure(|config| config.frontends[0].listen = vec![second]);
    plane.reload();
    let waiting = many(first, 10);
    assert!(waiting.iter().all(is_silent));
    plane.rests();
    assert_eq!(inodes(&take_listeners(&plane.config.socket).unwrap()).len(), 3);
    plane.configure(|config| config.frontends[0].listen = vec![first]);
    plane.reload();
    waiting.iter().for_each(echoes);
    send(&held, "!");
    assert_eq!(byte(&held).unwrap(), b'!');
}

#[test]
fn a_stopped_frontend_leaves_its_clients_to_the_parent() {
    let parent = Parent::with([2]);
    let plane = parent.plane(&speakers::<1>(), |_| {});
    plane.order("shutdown frontend clients");
    let waiting = many(parent.address(0), 10);
    assert!(waiting.iter().all(is_silent));
    plane.rests();
    plane.reload();
    waiting.iter().for_each(echoes);
}

#[test]
fn the_pages_are_handed_over_too() {
    let parent = Parent::with([2, 1, 1]);
    let [stats, health_page] = [1, 2].map(|index| parent.address(index));
    let start = || {
        parent.plane(&speakers::<1>(), |config| {
            (config.stats, config.status) = (Some(stats), Some(health_page));
        })
    };
    let health = move || http_get(health_page, "/health");
    let mut old = start();
    assert!(health().starts_with("HTTP/1.1 200"));
    assert!(http_get(stats, "/metrics").contains("haproxy_process_"));
    // A reload leaves the pages as they are, even if the parent does not hand them over any more.
    parent.gives(1);
    old.reload();
    assert!(health().starts_with("HTTP/1.1 200"));
    parent.gives(3);
    old.signal(Signal::SIGUSR1);
    assert!(old.ends().success());
    let waiting = thread::spawn(health);
    let new = start();
    assert!(waiting.join().unwrap().starts_with("HTTP/1.1 200"));
    let handed_over = inodes(&take_listeners(&new.config.socket).unwrap());
    let expected = parent.sockets(3);
    assert!(
        handed_over
            .into_iter()
            .eq(expected.iter().map(|it| inode(it).unwrap()))
    );
}

#[test]
fn a_drained_process_hands_over_nothing() {
    let parent = Parent::with([3]);
    let mut plane = parent.plane(&speakers::<1>(), |_| {});
    let taken = take_listeners(&plane.config.socket).unwrap();
    let expected: Vec<u64> = parent.sockets(1).iter().map(|it| inode(it).unwrap()).collect();
    assert_eq!(inodes(&taken), expected);
    let held = client(parent.address(0));
    byte(&held).unwrap();
    plane.signal(Signal::SIGUSR1);
    eventually("the socket is gone", || {
        (!plane.config.socket.exists()).then_some(())
    });
    // A second one, and a reload, change nothing.
    plane.signal(Signal::SIGUSR1);
    plane.signal(Signal::SIGHUP);
    plane.waits_for_log("the configuration was not read again");
    assert!(many(parent.address(0), 5).iter().all(is_silent));
    drop(held);
    assert!(plane.ends().success());
}

#[test]
fn own_sockets_are_not_handed_over() {
    let plane = Plane::start(&speakers::<1>());
    assert!(take_listeners(&plane.config.socket).unwrap().is_empty());
}

#[test]
fn sticky_clients_stay_with_their_servers() {
    let parent = Parent::with([2]);
    let servers = speakers::<4>();
    let sticky = |config: &mut Dataplane| {
        config.backends[0].sticky = Some(Table {
            size: "1k".parse().unwrap(),
            expire: "30m".parse().unwrap(),
        });
    };
    let homes = |count| -> Vec<u8> {
        let clients = many(parent.address(0), count);
        clients.iter().map(|client| byte(client).unwrap()).collect()
    };
    let mut old = parent.plane(&servers, sticky);
    let before = homes(40);
    old.signal(Signal::SIGUSR1);
    assert!(old.ends().success());
    let mut new = parent.plane(&servers, sticky);
    assert_eq!(homes(40), before);
    // A process that has never read the file of its successor does not overwrite it.
    let mut newest = parent.plane(&servers, sticky);
    new.signal(Signal::SIGUSR1);
    assert!(new.ends().success());
    let all = homes(80);
    assert_eq!(all[..40], before);
    newest.signal(Signal::SIGTERM);
    assert!(newest.ends().success());
    let _last = parent.plane(&servers, sticky);
    assert_eq!(homes(80), all);
}

#[test]
fn a_start_without_a_listener_fails_with_its_address() {
    let parent = Parent::with([1, 1]);
    parent.gives(1);
    let plane = parent.plane(&speakers::<1>(), |_| {});
    let start = |change: &dyn Fn(&mut Dataplane)| {
        let mut config = plane.config.clone();
        change(&mut config);
        let file = parent.file("other.yaml");
        std::fs::write(&file, config.to_yaml()).unwrap();
        let ran = Command::new(env!("CARGO_BIN_EXE_clusterctl"))
            .args(["dataplane", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(1));
        String::from_utf8(ran.stderr).unwrap()
    };
    let missing = parent.address(1);
    let path = parent.file("listen.sock");
    let error = start(&|config| config.status = Some(missing));
    let why = format!("the parent does not hand over {missing} on `{}`", path.display());
    assert!(error.contains(&why), "{error}");
    let error = start(&|config| config.listeners = Some(parent.file("nothing")));
    assert!(
        error.contains("cannot take over listeners from the parent on `"),
        "{error}"
    );
    // The one that serves has lost nothing by that.
    assert!(plane.is_at_its_socket());
    many(parent.address(0), 5).iter().for_each(echoes);
}

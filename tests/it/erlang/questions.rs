//! Queries to nodes.

use std::time::Duration;

use clusterctl::erlang::distribution::{Observer, Term};
use nix::sys::signal::Signal;

use super::node::{NAME, Node};
use crate::harness::{TIMEOUT, eventually, kill_group};

#[test]
fn a_nodes_vitals_make_sense() {
    let node = Node::alone();
    let mut observer = Observer::new(node.target());
    let vitals = node.run(observer.vitals(TIMEOUT)).unwrap();
    let memory = vitals.memory;
    assert_eq!(memory.total, memory.processes + memory.system);
    assert!(memory.atom + memory.binary + memory.code + memory.ets < memory.system);
    assert!(vitals.otp_release.parse::<u32>().unwrap() >= 25);
    assert!(vitals.processes > 30 && vitals.processes < vitals.process_limit);
    assert!(vitals.ports > 0 && vitals.ports < vitals.port_limit);
    assert!(vitals.schedulers > 0);
}

#[test]
fn an_observer_keeps_its_connection_and_reconnects() {
    let node = Node::alone();
    let mut observer = Observer::new(node.target());
    for _ in 0..10 {
        node.run(observer.vitals(TIMEOUT)).unwrap();
    }
    let mut another = node.connect();
    let own = [("Own", Term::Atom(another.own().name.clone()))];
    let cut = "[erlang:disconnect_node(Node) || Node <- nodes(hidden), Node =/= Own].";
    let cut = node.run(another.eval(cut, &own, node.soon())).unwrap();
    assert_eq!(cut, Term::List(vec![Term::atom("true")]), "it has one connection");
    node.run(observer.vitals(TIMEOUT)).unwrap();
}

#[test]
fn the_largest_of_many_processes_are_found() {
    const MANY: i64 = 25_000;

    let node = Node::alone();
    let mut connection = node.connect();
    let spawned = node.run(connection.eval(
        "Many = [spawn(timer, sleep, [infinity]) || _ <- lists:seq(1, Many0)],
         Busy = hd(Many), register(busy, Busy), [Busy ! N || N <- lists:seq(1, 1000)],
         Large = spawn(erlang, apply, [fun(Text) -> timer:sleep(infinity), Text end, [lists:seq(1, 1000000)]]),
         {length(Many), Large}.",
        &[("Many0", Term::Integer(MANY))],
        node.soon(),
    ));
    let spawned = spawned.unwrap();
    let large =
        clusterctl::erlang::distribution::syntax::flat(&spawned.as_tuple().unwrap()[1], connection.node());
    let processes = node.run(connection.processes(node.soon())).unwrap();
    assert!(processes.count > MANY.unsigned_abs(), "{processes:?}");
    assert!(processes.looked_at > MANY.unsigned_abs(), "{processes:?}");
    assert_eq!(processes.by_memory.len(), 10);
    assert!(processes.by_memory[0].memory > 10_000_000, "{processes:?}");
    assert_eq!(processes.by_memory[0].pid, large);
    assert!(
        processes
            .by_memory
            .is_sorted_by_key(|process| std::cmp::Reverse(process.memory))
    );
    let busy = &processes.by_queue[0];
    assert_eq!((busy.name.as_str(), busy.queue), ("busy", 1000));
    assert_eq!(busy.current, "timer:sleep/1");
}

#[test]
fn ports_are_counted_by_name() {
    let node = Node::alone();
    node.eval("{ok, L} = gen_tcp:listen(0, []), true = erlang:unlink(L), erlang:port_connect(L, whereis(init)), ok.");
    let mut connection = node.connect();
    let ports = node.run(connection.ports(node.soon())).unwrap();
    assert_eq!(ports.by_name.values().sum::<u64>(), ports.looked_at);
    // Its own listener, the one opened above, and our connection.
    assert!(ports.by_name["tcp_inet"] >= 3, "{ports:?}");
    assert!(
        ports.count >= ports.looked_at && ports.limit > ports.count,
        "{ports:?}"
    );
}

#[test]
fn connected_nodes_are_listed_without_the_client_itself() {
    let node = Node::alone();
    let mut connection = node.connect();
    let nodes = node.run(connection.nodes(node.soon())).unwrap();
    assert_eq!(nodes.node, NAME);
    assert_eq!((nodes.connected.len(), nodes.hidden.len()), (0, 0), "{nodes:?}");
    let _other = node.connect();
    eventually("the other one", || {
        let nodes = node.run(connection.nodes(node.soon())).unwrap();
        (nodes.hidden.len() == 1).then_some(())
    });
}

#[test]
fn an_observer_gives_up_in_time() {
    let node = Node::alone();
    let mut observer = Observer::new(node.target());
    node.run(observer.vitals(TIMEOUT)).unwrap();
    kill_group(node.pid(), Signal::SIGSTOP);
    let error = node.run(observer.vitals(Duration::from_millis(200))).unwrap_err();
    assert!(error.to_string().ends_with("does not answer in time"), "{error}");
    kill_group(node.pid(), Signal::SIGCONT);
    node.run(observer.vitals(TIMEOUT)).unwrap();
}

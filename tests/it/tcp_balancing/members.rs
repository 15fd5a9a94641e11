//! Servers that come and go while the process runs, by commands and by reloads.

use std::net::{SocketAddr, TcpStream};

use super::*;
use crate::plane::{Plane, free_address};

/// A client that is served, and the number of its server.
fn served(plane: &Plane) -> (TcpStream, u8) {
    let client = client(plane.address);
    let number = byte(&client).unwrap();
    (client, number)
}

fn lives(client: &TcpStream) {
    send(client, "!");
    assert_eq!(byte(client).unwrap(), b'!');
}

fn ids(plane: &Plane) -> Vec<(String, String)> {
    let states = plane.ask("show servers state nodes");
    let rows = states.lines().skip(2).filter(|row| !row.is_empty());
    rows.map(|row| {
        let words: Vec<&str> = row.split(' ').collect();
        (words[3].to_owned(), words[2].to_owned())
    })
    .collect()
}

fn add(plane: &Plane, name: &str, address: SocketAddr, keywords: &str) {
    let answer = plane.ask(&format!("add server nodes/{name} {address} {keywords}"));
    assert_eq!(answer.trim(), "New server registered.");
}

fn delete(plane: &Plane, name: &str) {
    assert_eq!(
        plane.ask(&format!("del server nodes/{name}")).trim(),
        "Server deleted."
    );
}

#[test]
fn an_added_server_gets_clients_once_it_is_ready_and_cuts_none_of_the_others() {
    let [first, second] = speakers();
    let plane = Plane::start(&[first]);
    let (before, _) = served(&plane);
    add(&plane, "new", second, "weight 100");
    assert!((0..4).all(|_| served(&plane).1 == 1));
    plane.order("set server nodes/new state ready");
    let new = eventually("it serves", || Some(served(&plane)).filter(|it| it.1 == 2)).0;
    plane.order("set server nodes/new state drain");
    let answer = plane.ask("del server nodes/new");
    assert_eq!(answer.trim(), "Only servers in maintenance mode can be deleted.");
    lives(&new);
    drop(new);
    plane.waits_for("new", "scur", 0);
    plane.order("set server nodes/new state maint");
    delete(&plane, "new");
    assert_eq!(ids(&plane), [("node1".to_owned(), "1".to_owned())]);
    assert!((0..4).all(|_| served(&plane).1 == 1));
    lives(&before);
}

#[test]
fn ids_are_not_used_again_for_another_name() {
    let [first, second] = speakers();
    let plane = Plane::start(&[first]);
    add(&plane, "a", second, "");
    delete(&plane, "a");
    add(&plane, "b", second, "");
    add(&plane, "c", second, "id 9");
    delete(&plane, "c");
    let answer = plane.ask(&format!("add server nodes/d {second} id 9"));
    assert_eq!(answer.trim(), "'id' : custom id 9 was already used ('server c').");
    add(&plane, "c", second, "id 9");
    let expected = [("node1", "1"), ("b", "3"), ("c", "9")];
    let expected = expected.map(|(name, id)| (name.to_owned(), id.to_owned()));
    assert_eq!(ids(&plane), expected);
}

#[test]
fn an_added_server_is_checked_once_its_checks_are_enabled() {
    let [first] = speakers();
    let plane = Plane::start(&[first]);
    add(&plane, "dead", free_address(), "check inter 20ms fall 1");
    plane.order("enable health nodes/dead");
    plane.order("set server nodes/dead state ready");
    plane.waits_for_status("dead", "DOWN");
    assert!((0..4).all(|_| served(&plane).1 == 1));
    assert_eq!(plane.row("node1").text("check_status"), "");
}

#[test]
fn what_commands_have_set_stays_when_servers_come_and_go() {
    let [first, second] = speakers();
    let plane = Plane::start(&[first]);
    plane.order("set maxconn frontend clients 77");
    plane.order("set maxconn global 99");
    plane.order("set server nodes/node1 weight 5");
    add(&plane, "new", second, "");
    delete(&plane, "new");
    assert_eq!(plane.figure("FRONTEND", "slim"), 77);
    assert_eq!(plane.figure("node1", "weight"), 5);
    assert!(plane.ask("show info").contains("\nMaxconn: 99\n"));
}

#[test]
fn a_reload_drops_added_servers_and_not_their_clients() {
    let [first, second] = speakers();
    let plane = Plane::start(&[first]);
    add(&plane, "new", second, "enabled weight 100");
    let new = eventually("it serves", || Some(served(&plane)).filter(|it| it.1 == 2)).0;
    lives(&new);
    plane.reload();
    assert_eq!(ids(&plane), [("node1".to_owned(), "1".to_owned())]);
    lives(&new);
    assert!((0..4).all(|_| served(&plane).1 == 1));
}

#[test]
fn an_added_server_that_the_file_has_too_is_a_server_of_the_file() {
    let [first, second] = speakers();
    let mut plane = Plane::start(&[first]);
    add(&plane, "node2", second, "id 2");
    plane.configure(|config| {
        let mut added = config.backends[0].servers[0].clone();
        (added.name, added.id, added.address) = ("node2".to_owned(), 2, second);
        config.backends[0].servers.push(added);
    });
    plane.reload();
    assert_eq!(served(&plane).1 + served(&plane).1, 3);
    plane.reload();
    assert_eq!(served(&plane).1 + served(&plane).1, 3);
}

#[test]
fn the_last_server_can_go_and_another_one_come() {
    let [first, second] = speakers();
    let plane = Plane::start(&[first]);
    plane.order("set server nodes/node1 state maint");
    delete(&plane, "node1");
    assert!(byte(&client(plane.address)).is_err());
    add(&plane, "new", second, "enabled");
    assert_eq!(served(&plane).1, 2);
    plane.waits_for_log("a server is up again");
}

#[test]
fn the_bytes_of_a_server_that_is_gone_still_count() {
    let [first, second] = speakers();
    let mut plane = Plane::start(&[first, second]);
    let clients = [served(&plane), served(&plane)];
    for (client, _) in &clients {
        lives(client);
    }
    plane.waits_for("BACKEND", "bin", 2);
    plane.configure(|config| {
        config.backends[0].servers.remove(0);
    });
    plane.reload();
    assert_eq!(plane.figure("BACKEND", "bin"), 2);
    for (client, _) in &clients {
        lives(client);
    }
    plane.waits_for("BACKEND", "bin", 4);
    drop(clients);
    plane.waits_for("BACKEND", "scur", 0);
    plane.reload();
    assert_eq!(plane.figure("BACKEND", "bin"), 4);
    plane.order("clear counters all");
    assert_eq!(plane.figure("BACKEND", "bin"), 0);
}

#[test]
fn another_address_gets_new_clients_and_the_former_one_keeps_its_own() {
    let [first, second] = speakers();
    let mut plane = Plane::start(&[first]);
    let (before, _) = served(&plane);
    plane.configure(|config| config.backends[0].servers[0].address = second);
    plane.reload();
    assert_eq!(served(&plane).1, 2);
    lives(&before);
}

#[test]
fn another_id_is_another_server() {
    let [first] = speakers();
    let mut plane = Plane::start(&[first]);
    let (before, _) = served(&plane);
    plane.order("set server nodes/node1 state drain");
    plane.configure(|config| config.backends[0].servers[0].id = 7);
    plane.reload();
    assert_eq!(ids(&plane), [("node1".to_owned(), "7".to_owned())]);
    assert_eq!(plane.figure("node1", "stot"), 0);
    served(&plane);
    plane.waits_for("node1", "stot", 1);
    lives(&before);
}

#[test]
fn the_checks_of_a_server_that_is_gone_stop() {
    let [checked] = listeners();
    let [first] = speakers();
    let mut plane = Plane::with(&[first, checked.local_addr().unwrap()], |config| {
        config.backends[0].check = Some(clusterctl::dataplane_config::DataplaneCheck {
            interval: Duration::from_millis(20).into(),
            fast_interval: Duration::from_millis(20).into(),
            timeout: Duration::from_secs(1).into(),
            rise: 1,
            fall: 1,
        });
    });
    let _check = accept(&checked);
    plane.configure(|config| {
        config.backends[0].servers.pop();
    });
    plane.reload();
    // One that was under way may still arrive; then none do.
    checked.set_nonblocking(true).unwrap();
    eventually("checks stop", || {
        while checked.accept().is_ok() {}
        std::thread::sleep(Duration::from_millis(200));
        let next = checked.accept().map_err(|error| error.kind());
        matches!(next, Err(io::ErrorKind::WouldBlock)).then_some(())
    });
}

#[test]
fn sticky_clients_of_a_server_that_is_gone_get_another_one() {
    let [first, second] = speakers();
    let mut plane = Plane::with(&[first, second], |config| {
        config.backends[0].sticky = Some(clusterctl::profile::Table {
            size: 100.into(),
            expire: Duration::from_mins(5).into(),
        });
    });
    let (before, home) = served(&plane);
    assert!((0..4).all(|_| served(&plane).1 == home));
    plane.configure(|config| config.backends[0].servers.retain(|it| it.id != u32::from(home)));
    plane.reload();
    let (_, other) = served(&plane);
    assert_ne!(other, home);
    lives(&before);
    let table = plane.ask("show table nodes");
    assert!(table.contains(&format!("server_id={other} ")), "{table}");
}

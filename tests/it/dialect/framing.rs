//! The end of answers, access levels, and orders to a data plane, over a real socket.

use std::io::{Read, Write};
use std::sync::Arc;

use clusterctl::haproxy_api::server::{ApiListener, Level, Order, ServerRef, TableEntry};
use clusterctl::haproxy_api::{ServerHealth, ServerState};

use super::fake::Fake;
use super::talk::Talker;

fn talker() -> Talker {
    Talker::about(Arc::new(Fake::golden()), Level::Admin)
}

#[test]
fn an_answer_ends_with_an_empty_line_and_the_connection() {
    let talker = talker();
    assert_eq!(talker.ask("show cli level"), "admin\n\n");
    assert_eq!(talker.ask("set timeout cli 60"), "\n");
    assert_eq!(talker.ask("show cli level;show cli level"), "admin\n\nadmin\n\n");
    assert_eq!(
        talker.send("show cli level\nshow cli level\r\n"),
        "admin\n\nadmin\n\n"
    );
    assert_eq!(
        talker.ask("set server be/s1 weight abc;show cli level"),
        "Empty weight string empty or preceded by garbage\nadmin\n\n"
    );
}

#[test]
fn a_line_without_its_end_is_not_a_command() {
    let talker = talker();
    assert_eq!(talker.send("show cli level"), "");
    assert_eq!(talker.send("show cli level\nshow cli"), "admin\n\n");
    assert_eq!(talker.send(&"x".repeat(20_000)), "");
}

#[test]
fn prompt_keeps_the_connection_open_for_more_commands() {
    let talker = talker();
    let mut stream = talker.connect();
    for (sent, answered) in [
        ("prompt\n", "\n> "),
        ("show cli level\n", "admin\n\n> "),
        ("set timeout cli 60\n", "\n> "),
    ] {
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = vec![0; answered.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), answered);
    }
    stream.write_all(b"quit\n").unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn access_levels_can_be_lowered_and_are_kept() {
    let talker = talker();
    assert_eq!(
        talker.ask("user;show cli level;disable server be/s1;show sess;operator"),
        "\nuser\n\nPermission denied\n\nPermission denied\n\nPermission denied\n\n"
    );
    assert_eq!(
        talker.ask("operator;clear counters;clear counters all"),
        "\n\nPermission denied\n\n"
    );
    let user = Talker::about(Arc::new(Fake::golden()), Level::User);
    assert_eq!(user.ask("set server be/s1 state drain"), "Permission denied\n\n");
    assert!(!user.ask("show stat").contains("127.0.0.1:28471"));
    assert_eq!(
        user.ask("show cli sockets"),
        format!(
            "# socket lvl processes\nunix@{} user all\n\n",
            user.socket().display()
        )
    );
}

#[test]
fn messages_carry_their_severity_on_request() {
    let talker = talker();
    assert_eq!(
        talker.ask("set severity-output number;get weight be/s1;get weight x"),
        "\n50 (initial 100)\n\n[3]: Require 'backend/server'.\n\n"
    );
    assert_eq!(
        talker.ask("set severity-output string;enable frontend fe"),
        "\n[notice]: All sockets are already enabled.\n\n"
    );
}

#[test]
fn orders_reach_the_data_plane() {
    let fake = Arc::new(Fake::golden().with_table("be", 100, entries()));
    let talker = Talker::about(Arc::clone(&fake), Level::Admin);
    for order in [
        "set server be/s1 state drain",
        "set server be/s2 health up",
        "set weight be/s1 50%",
        "shutdown sessions server be/s1",
        "shutdown session 0x2a",
        "clear table be data.server_id eq 1",
        "set table be key ::ffff:10.0.0.1 data.server_id 2",
    ] {
        assert_eq!(talker.ask(order), "\n", "{order}");
    }
    assert_eq!(talker.ask("reload"), "Success=1\n\n");
    let at = |server: &str| ServerRef {
        backend: "be".to_owned(),
        server: server.to_owned(),
    };
    let keys = vec!["10.0.0.1".to_owned()];
    assert_eq!(
        *fake.orders.lock().unwrap(),
        [
            Order::State(at("s1"), ServerState::Drain),
            Order::Health(at("s2"), ServerHealth::Up),
            Order::Weight(at("s1"), 50),
            Order::ShutdownSessions(at("s1")),
            Order::ShutdownSession(0x2a),
            Order::ClearTable {
                table: "be".to_owned(),
                keys
            },
            Order::SetTable {
                table: "be".to_owned(),
                key: "10.0.0.1".parse().unwrap(),
                server: Some(2),
            },
            Order::Reload,
        ]
    );
}

#[test]
fn tables_are_filtered() {
    let fake = Fake::golden().with_table("be", 100, entries());
    let talker = Talker::about(Arc::new(fake), Level::Admin);
    let head = "# table: be, type: ipv6, size:100, used:2\n";
    let one = "0x000000000010: key=::ffff:10.0.0.1 use=0 exp=5 server_id=1 server_key=s1\n";
    let two = "0x000000000020: key=2001:db8:: use=1 exp=6 server_id=2 server_key=s2\n";
    assert_eq!(talker.ask("show table"), format!("{head}\n"));
    assert_eq!(talker.ask("show table be"), format!("{head}{one}{two}\n"));
    assert_eq!(
        talker.ask("show table be data.server_id gt 1"),
        format!("{head}{two}\n")
    );
    assert_eq!(
        talker.ask("show table be key ::ffff:10.0.0.1"),
        format!("{head}{one}\n")
    );
    assert_eq!(talker.ask("show table be key ::1"), "\n");
    assert_eq!(
        talker.ask("clear table be key 2001:db8::"),
        "Entry currently in use, cannot remove\n\n"
    );
    assert_eq!(
        talker.ask("show table be data.conn_cur eq 1"),
        "Filter entry #1: Data type not stored in this table\n\n"
    );
}

#[test]
fn sessions_are_shown() {
    let talker = talker();
    let short = talker.ask("show sess");
    assert!(
        short.starts_with("0x2a: proto=tcpv4 src=127.0.0.1:40000 fe=fe be=be srv=s1 ts="),
        "{short}"
    );
    assert!(short.contains(" age=1m30s "), "{short}");
    assert_eq!(talker.ask("show sess 0x1"), "Session not found.\n\n");
    assert!(talker.ask("show sess 0x2a").contains("\n  server=s1\n"));
    assert!(
        short.contains("\n0x2b: proto=tcpv4 src=127.0.0.1:40000 fe=web_fe be=<NONE> srv=<none> "),
        "{short}"
    );
    assert!(short.contains(" calls=3 "), "{short}");
    let over_http = talker.ask("show sess 0x2b");
    assert!(
        over_http.contains("\n  frontend=web_fe (mode=http)\n")
            && over_http.contains("\n  txn=(requests=3 status=404)\n"),
        "{over_http}"
    );
}

#[test]
fn unsupported_commands_are_answered_as_unknown() {
    let talker = talker();
    for command in [
        "show pools",
        "add map m key value",
        "set rate-limit connections global 1",
    ] {
        let answer = talker.ask(command);
        assert!(
            answer.starts_with("Unknown command, but maybe one of the following ones is a better match:\n")
        );
        assert!(answer.ends_with("  quit                                    : disconnect\n\n"));
    }
}

#[test]
fn garbage_does_not_stop_it() {
    let talker = talker();
    let mut stream = talker.connect();
    stream
        .write_all(&[0xff, 0, b'\\', b';', b'\n', 0x80, b'\n'])
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"Unknown command"));
    assert_eq!(talker.ask("show cli level"), "admin\n\n");
    // More than are served at once: the last one is served when others have ended.
    let many: Vec<_> = (0..100).map(|_| talker.connect()).collect();
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| talker.ask("show cli level"));
        drop(many);
        asked.join().unwrap()
    });
    assert_eq!(asked, "admin\n\n");
}

#[test]
fn a_served_socket_cannot_be_opened_twice() {
    let talker = talker();
    assert!(ApiListener::open(talker.socket()).is_err());
    assert_eq!(talker.ask("show cli level"), "admin\n\n");
}

fn entries() -> Vec<TableEntry> {
    let entry = |key: &str, uses, expires, server| TableEntry {
        key: key.to_owned(),
        uses,
        expires,
        data: vec![("server_id".to_owned(), server)],
    };
    vec![entry("10.0.0.1", 0, 5, 1), entry("2001:db8::/64", 1, 6, 2)]
}

//! A node holds as many connections as the profile requires, in little memory and beyond one
//! descriptor table.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use clusterctl::platform::sock_diag::count_established;

use crate::harness::{Client, eventually};
use crate::plane::free_address;

const CONNECTIONS: u64 = 25_000;
/// Each client process opens a part: one descriptor table may be too small for all connections.
const CLIENTS: u64 = 4;

/// Opens connections from its own addresses, prints `held`, and holds them until its input ends.
const CLIENT: &str = r#"
import resource, socket, sys
address = sys.argv[1]
port, client, count = (int(argument) for argument in sys.argv[2:])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for number in range(count):
    connection = socket.socket()
    connection.bind((f"127.{20 + client}.{number // 250}.{number % 250 + 1}", 0))
    connection.connect((address, port))
    held.append(connection)
print("held", flush=True)
sys.stdin.read()
"#;

/// Kills the process when the test ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_node_holds_25_000_idle_connections_in_less_than_100_mb() {
    let address = free_address();
    let node = Command::new(env!("CARGO_BIN_EXE_clusterctl"))
        .args([
            "node",
            "--name",
            "erlmcp1",
            "--tcp",
            &address.to_string(),
            "--workers",
            "3",
        ])
        .stderr(Stdio::null())
        .spawn();
    let node = Ended(node.unwrap());
    eventually("the node to listen", || {
        Client::connect(Ipv4Addr::LOCALHOST, address).ok()
    });
    let clients: Vec<Ended> = (0..CLIENTS).map(|client| holder(address, client)).collect();
    eventually("every connection", || {
        let counted = count_established(&[address], &[]).unwrap();
        (counted == [CONNECTIONS]).then_some(())
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.0.id())).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 100_000, "{kilobytes} kB");
    // The node still accepts and answers one more client.
    assert_eq!(
        Client::connect(Ipv4Addr::LOCALHOST, address)
            .unwrap()
            .node()
            .unwrap(),
        "erlmcp1"
    );
    drop(clients);
}

fn holder(address: SocketAddr, client: u64) -> Ended {
    let arguments =
        [u64::from(address.port()), client, CONNECTIONS / CLIENTS].map(|number| number.to_string());
    let child = Command::new("python3")
        .args(["-c", CLIENT, &address.ip().to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Ended(child.unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "held\n");
    child
}

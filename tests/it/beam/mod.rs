//! BEAM nodes, on the real Erlang. `TEST_NODES=beam cargo test` runs all other tests with them,
//! too.

mod asking;
mod http;
mod running;
mod speaking;
mod troubles;

use std::net::{Ipv4Addr, TcpStream};

use crate::harness::{TIMEOUT, TestCluster};

/// One node alone, with logging of its clients disabled.
fn one_node() -> TestCluster {
    let cluster = TestCluster::of_beams("builtin").set("nodes.count=1");
    cluster.ok(&["start", "--only", "nodes"]);
    cluster
}

/// A connection to the port that is `base` in an unshifted profile.
fn connect(cluster: &TestCluster, base: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, cluster.port(base))).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// The log of the node called `name`.
fn log(cluster: &TestCluster, name: &str) -> String {
    let log = std::fs::read(cluster.run_dir().join(format!("logs/{name}.log"))).unwrap();
    String::from_utf8_lossy(&log).into_owned()
}

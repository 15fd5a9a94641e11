//! What a cluster of a test shows: its status, its processes, and its balancer.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Client, TestCluster, eventually, is_alive, signal};

impl TestCluster {
    /// Kills the supervisor; its children go on.
    pub fn kill_supervisor(&self) {
        let supervisor = self.supervisor_pid();
        signal(supervisor, Signal::SIGKILL);
        eventually("the supervisor's end", || (!is_alive(supervisor)).then_some(()));
        // Its first thread may end before the others, which hold the socket.
        eventually("a closed control socket", || {
            UnixStream::connect(self.run_dir().join("control.sock"))
                .is_err()
                .then_some(())
        });
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.run(&["status", "--json"]).stdout).unwrap()
    }

    /// The status of the node called `name`.
    pub fn node(&self, name: &str) -> Value {
        let status = self.status();
        let nodes = status["nodes"].as_array().unwrap();
        nodes
            .iter()
            .find(|node| node["name"] == name)
            .unwrap_or_else(|| panic!("no {name} in {status}"))
            .clone()
    }

    pub fn node_pid(&self, name: &str) -> u32 {
        pid_of(&self.node(name)["pid"])
    }

    pub fn balancer_pid(&self) -> u32 {
        pid_of(&self.status()["balancer"]["pids"][0])
    }

    /// The pids of all balancer processes.
    pub fn balancer_pids(&self) -> Vec<u32> {
        let status = self.status();
        status["balancer"]["pids"]
            .as_array()
            .unwrap()
            .iter()
            .map(pid_of)
            .collect()
    }

    /// The pid of the supervisor, as the kernel reports it for the socket.
    pub fn supervisor_pid(&self) -> u32 {
        let stream = UnixStream::connect(self.run_dir().join("control.sock")).unwrap();
        let peer = nix::sys::socket::getsockopt(&stream, nix::sys::socket::sockopt::PeerCredentials).unwrap();
        peer.pid().unsigned_abs()
    }

    /// Every living process of this cluster.
    pub fn processes(&self) -> Vec<u32> {
        let Ok(text) = std::fs::read_to_string(self.run_dir().join("state.json")) else {
            return Vec::new();
        };
        let state: Value = serde_json::from_str(&text).unwrap();
        let children = state["children"].as_array().unwrap().iter();
        children
            .map(|child| pid_of(&child["process"]["pid"]))
            .filter(|pid| is_alive(*pid))
            .collect()
    }

    /// The state of the node as a TCP server of the balancer: `UP`, `DOWN`..
    pub fn balancer_state(&self, node: &str) -> String {
        let stats: Value = serde_json::from_str(&self.ok(&["stats", "--json"])).unwrap();
        let rows = stats["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| {
            let backend = row["proxy"].as_str().unwrap();
            ["mcp_cluster_tcp", "erlmcp_tcp_cluster"].contains(&backend) && row["name"] == node
        });
        let row = row.unwrap_or_else(|| panic!("no {node} in {stats}"));
        row["status"].as_str().unwrap().to_owned()
    }

    /// The number of connections of the node.
    pub fn connections(&self, node: &str) -> u64 {
        self.node(node)["connections"].as_u64().unwrap()
    }

    /// A client from `source`, and the node that serves it.
    pub fn client_from(&self, source: impl Into<IpAddr>) -> (Client, String) {
        let mut client = Client::connect(source, self.address(8000)).unwrap();
        let node = client.node().unwrap();
        (client, node)
    }

    /// A client from one of 256 addresses, and the node that serves it.
    pub fn client(&self, host: u8) -> (Client, String) {
        self.client_from([127, 4, 0, host])
    }

    /// `count` clients, and the nodes that serve them.
    pub fn clients(&self, count: u8) -> Vec<(Client, String)> {
        (1..=count).map(|host| self.client(host)).collect()
    }

    /// The balancer's answer on its runtime socket.
    pub fn ask_balancer(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(self.run_dir().join(self.socket())).unwrap();
        writeln!(stream, "{command}").unwrap();
        std::io::read_to_string(stream).unwrap()
    }

    /// Edits nginx.conf as others can: the node is down for TCP. Returns the former content.
    pub fn mark_down_in_nginx_conf(&self, node: &str) -> String {
        let path = self.run_dir().join("nginx.conf");
        let written = std::fs::read_to_string(&path).unwrap();
        let address = self.node(node)["tcp"].as_str().unwrap().to_owned();
        let edited = written.replace(&format!("server {address} "), &format!("server {address} down "));
        assert_ne!(edited, written);
        std::fs::write(&path, edited).unwrap();
        written
    }

    /// One column of `show stat` for a server.
    pub fn stat(&self, backend: &str, server: &str, column: &str) -> String {
        let csv = self.ask_balancer("show stat");
        let mut lines = csv.lines();
        let header: Vec<&str> = lines
            .next()
            .unwrap()
            .trim_start_matches("# ")
            .split(',')
            .collect();
        let index = header.iter().position(|name| *name == column).unwrap();
        let row = lines.map(|line| line.split(',').collect::<Vec<_>>());
        let row = row.into_iter().find(|row| row[0] == backend && row[1] == server);
        row.unwrap_or_else(|| panic!("no {backend}/{server} in {csv}"))[index].to_owned()
    }
}

// Private

fn pid_of(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap_or_else(|| panic!("no pid: {value}"))).unwrap()
}

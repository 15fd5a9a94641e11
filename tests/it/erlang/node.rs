//! A real BEAM node for one test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clusterctl::erlang::distribution::{Atom, Call, Connection, Cookie, Error, Output, Target, Term};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::harness::{Ports, TIMEOUT, eventually, kill_group};

pub const NAME: &str = "erlmcp1@localhost";
const COOKIE: &str = "a-secret-of-this-test";

/// A node with its own home directory, which contains its cookie.
pub struct Node {
    home: TempDir,
    ports: Ports,
    process: Child,
    epmd: Option<Child>,
    runtime: tokio::runtime::Runtime,
}

impl Node {
    /// A node at a fixed port, without epmd.
    pub fn alone() -> Node {
        let ports = Ports::new();
        let port = ports.port(9001).to_string();
        let arguments = [
            ["-start_epmd", "false"],
            ["-erl_epmd_port", &port],
            ["-kernel", "inet_dist_use_interface {127,0,0,1}"],
            ["inet_dist_listen_min", &port],
            ["inet_dist_listen_max", &port],
        ];
        Node::start(ports, None, &arguments.concat())
    }

    /// A node at any port, registered with an epmd of its own.
    pub fn with_epmd() -> Node {
        let ports = Ports::new();
        let port = ports.port(9002).to_string();
        let epmd = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("`epmd`, of the package erlang-base: {error}"));
        eventually("epmd", || {
            std::net::TcpStream::connect(("127.0.0.1", ports.port(9002))).ok()
        });
        Node::start(
            ports,
            Some(epmd),
            &["-kernel", "inet_dist_use_interface {127,0,0,1}"],
        )
    }

    fn start(ports: Ports, epmd: Option<Child>, arguments: &[&str]) -> Node {
        use std::os::unix::fs::OpenOptionsExt;
        use std::os::unix::process::CommandExt;

        let home = tempfile::Builder::new().prefix("cctl").tempdir().unwrap();
        let mut cookie = std::fs::File::options()
            .create_new(true)
            .write(true)
            .mode(0o400)
            .open(home.path().join(".erlang.cookie"))
            .unwrap();
        std::io::Write::write_all(&mut cookie, COOKIE.as_bytes()).unwrap();
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        let process = Command::new("erl")
            .args(["-noinput", "+Bd", "+sbwt", "none", "-sname", NAME])
            .args(arguments.iter().flat_map(|argument| argument.split(' ')))
            .env("HOME", home.path())
            .env("ERL_EPMD_PORT", ports.port(9002).to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("`erl`, of the package erlang-base: {error}"));
        let node = Node {
            home,
            ports,
            process,
            epmd,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        };
        eventually("the node", || node.find());
        node
    }

    /// Its distribution port, once it is open.
    fn find(&self) -> Option<()> {
        let port = match self.epmd {
            Some(_) => self
                .run(clusterctl::erlang::distribution::port_of(
                    "erlmcp1",
                    self.epmd_address(),
                    self.soon(),
                ))
                .ok()?,
            None => self.ports.port(9001),
        };
        std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
    }

    pub fn epmd_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.port(9002)))
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.port(9001)))
    }

    pub fn target(&self) -> Target {
        Target {
            node: Atom::new(NAME).unwrap(),
            address: self.address(),
            cookie: Cookie::read(&self.cookie_file()).unwrap(),
        }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn cookie_file(&self) -> PathBuf {
        self.home().join(".erlang.cookie")
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn soon(&self) -> Instant {
        let _in_its_time = self.runtime.enter();
        Instant::now() + TIMEOUT
    }

    pub fn connect(&self) -> Connection {
        self.run(Connection::open(&self.target(), self.soon())).unwrap()
    }

    /// What a call returns, and what it prints.
    pub fn call(&self, module: &str, function: &str, arguments: Vec<Term>) -> (Result<Term, Error>, Output) {
        self.call_within(TIMEOUT, module, function, arguments)
    }

    pub fn call_within(
        &self,
        time: Duration,
        module: &str,
        function: &str,
        arguments: Vec<Term>,
    ) -> (Result<Term, Error>, Output) {
        let call = Call {
            module: Atom::new(module).unwrap(),
            function: Atom::new(function).unwrap(),
            arguments,
        };
        let mut output = Output::default();
        let mut connection = self.connect();
        let answer = self.run(async { connection.call(&call, &mut output, Instant::now() + time).await });
        (answer, output)
    }

    /// The value of Erlang expressions.
    pub fn eval(&self, text: &str) -> Term {
        let mut connection = self.connect();
        self.run(connection.eval(text, &[], self.soon())).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        kill_group(self.process.id(), Signal::SIGKILL);
        let _gone = self.process.wait();
        if let Some(epmd) = &mut self.epmd {
            let _gone = epmd.kill();
            let _gone = epmd.wait();
        }
        if std::thread::panicking() {
            eprintln!(
                "{}",
                std::fs::read_to_string(self.home().join("log")).unwrap_or_default()
            );
        }
    }
}

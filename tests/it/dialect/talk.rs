//! A stats socket to talk to: our own `serve` with figures, or a process.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use clusterctl::haproxy_api::server::pages::{self, Site};
use clusterctl::haproxy_api::server::{self, ApiListener, Level, Subject};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::{TIMEOUT, eventually};

/// Answers until it is dropped.
pub struct Talker {
    socket: PathBuf,
    _dir: TempDir,
    _end: End,
}

/// What to stop at the end.
enum End {
    Order {
        _trigger: DropGuard,
        _runtime: tokio::runtime::Runtime,
    },
    Process(Child),
}

impl Talker {
    /// Our own answers about `subject`.
    pub fn about(subject: Arc<impl Subject>, level: Level) -> Talker {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shutdown = CancellationToken::new();
        runtime.spawn(server::serve(
            ApiListener::open(&socket).unwrap(),
            subject,
            level,
            shutdown.clone(),
        ));
        Talker {
            socket,
            _dir: dir,
            _end: End::Order {
                _trigger: shutdown.drop_guard(),
                _runtime: runtime,
            },
        }
    }

    /// A process that `program` starts with a configuration, and that answers on `socket` in its
    /// directory.
    pub fn process(program: &Path, arguments: &[&str], config: impl FnOnce(&Path) -> String) -> Talker {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let file = dir.path().join("config");
        std::fs::write(&file, config(&socket)).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let talker = Talker {
            socket,
            _dir: dir,
            _end: End::Process(child),
        };
        eventually("it answers", || UnixStream::connect(&talker.socket).ok());
        talker
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The answer to one line.
    pub fn ask(&self, line: &str) -> String {
        self.send(&format!("{line}\n"))
    }

    /// Everything answered to `text` until the other side closes. Our own side closes for writing
    /// at once, as `socat` does.
    pub fn send(&self, text: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let End::Process(child) = self {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Pages about `subject`, and their port; they end with the returned runtime.
pub fn pages(subject: Arc<impl Subject>, site: Site) -> (u16, tokio::runtime::Runtime, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let shutdown = CancellationToken::new();
    runtime.spawn(pages::serve(listener, site, subject, shutdown.clone()));
    (port, runtime, shutdown.drop_guard())
}

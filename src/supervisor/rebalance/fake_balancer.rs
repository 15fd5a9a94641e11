//! A runtime API as HAProxy's, for tests.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::survey::{Assigned, Scope};
use crate::platform::RunDir;
use crate::profile::BalancerKind;
use crate::supervisor::core::model::spec_of;

/// A cluster that one process can serve on any host.
const SMALL: [&str; 4] = [
    "nodes.count=2",
    "limits.maxconn=1000",
    "nodes.maxconn=1000",
    "nodes.target=300",
];

/// A balancer whose first node has all sessions, each of its own address.
pub(super) struct FakeBalancer {
    _directory: tempfile::TempDir,
    pub(super) scope: Scope,
    /// How many sessions it was ordered to end.
    pub(super) ordered: watch::Receiver<usize>,
    /// Whether it answers such orders.
    pub(super) answers: watch::Sender<bool>,
    /// It breaks after so many of them.
    breaks_after: watch::Sender<usize>,
}

impl FakeBalancer {
    /// HAProxy with a session in each of these backends.
    pub(super) fn serving(backends: &[&'static str]) -> FakeBalancer {
        let directory = tempfile::tempdir().unwrap();
        let scope = scope_of(BalancerKind::Haproxy, RunDir::at(directory.path()), &[]);
        let [path] = &scope.spec.sockets()[..] else {
            panic!()
        };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(path).unwrap();
        let ordered = watch::Sender::new(0);
        let fake = FakeBalancer {
            _directory: directory,
            scope,
            ordered: ordered.subscribe(),
            answers: watch::Sender::new(true),
            breaks_after: watch::Sender::new(usize::MAX),
        };
        let (mut answers, breaks_after) = (fake.answers.subscribe(), fake.breaks_after.subscribe());
        let backends = backends.to_vec();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut command = String::new();
                stream.read_line(&mut command).await?;
                if command.starts_with("shutdown") {
                    ordered.send_modify(|count| *count += 1);
                    let _ = answers.wait_for(|answers| *answers).await;
                    if *ordered.borrow() > *breaks_after.borrow() {
                        continue;
                    }
                }
                stream.write_all(answer(&command, &backends).as_bytes()).await?;
            }
            io::Result::Ok(())
        });
        fake
    }

    pub(super) fn breaking_after(self, orders: usize) -> FakeBalancer {
        self.breaks_after.send_replace(orders);
        self
    }
}

/// Two nodes that take clients.
pub(super) fn scope_of(kind: BalancerKind, run_dir: RunDir, sets: &[&str]) -> Scope {
    let spec = spec_of(kind, run_dir, &[&SMALL, sets].concat());
    Scope {
        serving: spec.cluster.nodes.iter().map(|node| node.name.clone()).collect(),
        spec: Arc::new(spec),
        balancers: Vec::new(),
        former: Vec::new(),
        streams: false,
        assigned: Assigned::new(),
    }
}

fn answer(command: &str, backends: &[&str]) -> String {
    let session = |(number, backend): (usize, &&str)| {
        format!("0x{number}: proto=tcpv4 src=10.0.0.{number}:1 fe=f be={backend} srv=erlmcp1 ts=00\n")
    };
    match command.trim_end().strip_prefix("show sess") {
        Some("") => backends.iter().enumerate().map(session).collect::<String>() + "\n",
        Some(id) => format!("id=1 source=10.0.0.{}:1\n\n", id.trim_start_matches(" 0x")),
        None => "\n".to_owned(),
    }
}

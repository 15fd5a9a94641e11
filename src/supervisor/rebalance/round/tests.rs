//! Rounds with a runtime API that fails, or answers late.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::*;
use crate::platform::RunDir;
use crate::profile::BalancerKind;
use crate::supervisor::core::model::spec_of;
use crate::supervisor::rebalance::plan::Pace;
use crate::supervisor::rebalance::returning::ReturningClients;

/// A cluster that one process can serve on any host.
const SMALL: [&str; 4] = [
    "nodes.count=2",
    "limits.maxconn=1000",
    "nodes.maxconn=1000",
    "nodes.target=300",
];
/// How many sessions the first node has.
const SESSIONS: usize = 20;

/// A balancer whose first node has all sessions, each of its own address.
struct FakeBalancer {
    _directory: tempfile::TempDir,
    scope: Scope,
    /// How many sessions it was ordered to end.
    ordered: watch::Receiver<usize>,
    /// Whether it answers such orders.
    answers: watch::Sender<bool>,
}

impl FakeBalancer {
    /// It breaks after `good` orders to end a session.
    fn breaks_after(good: usize) -> FakeBalancer {
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        let spec = spec_of(BalancerKind::Haproxy, run_dir, &SMALL);
        let [path] = &spec.sockets()[..] else { panic!() };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(path).unwrap();
        let ordered = watch::Sender::new(0);
        let answers = watch::Sender::new(true);
        let fake = FakeBalancer {
            _directory: directory,
            scope: Scope {
                serving: spec.cluster.nodes.iter().map(|node| node.name.clone()).collect(),
                spec: Arc::new(spec),
                has_retired: false,
                streams: false,
                assigned: Assigned::new(),
            },
            ordered: ordered.subscribe(),
            answers: answers.clone(),
        };
        let mut answers = answers.subscribe();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let mut stream = BufReader::new(stream);
                let mut command = String::new();
                stream.read_line(&mut command).await?;
                if command.starts_with("shutdown") {
                    ordered.send_modify(|count| *count += 1);
                    let _ = answers.wait_for(|answers| *answers).await;
                    if *ordered.borrow() > good {
                        continue;
                    }
                }
                stream.write_all(answer(&command).as_bytes()).await?;
            }
            #[expect(unreachable_code, reason = "the type of the block")]
            io::Result::Ok(())
        });
        fake
    }

    fn round(&self) -> Round {
        Round {
            scope: self.scope.clone(),
            progress: Progress {
                to: "5%".parse().unwrap(),
                pace: Pace {
                    total: 1_000,
                    over: Duration::from_secs(1),
                },
                elapsed: Duration::ZERO,
                closed: 0,
                clients: ReturningClients::default(),
                may_wait: false,
            },
            next_close: Instant::now(),
            cancelled: CancellationToken::new(),
        }
    }
}

fn answer(command: &str) -> String {
    let session = |number: usize| {
        format!("0x{number}: proto=tcpv4 src=10.0.0.{number}:1 fe=f be=mcp_cluster_tcp srv=erlmcp1 ts=00\n")
    };
    match command.trim_end().strip_prefix("show sess") {
        Some("") => (1..=SESSIONS).map(session).collect::<String>() + "\n",
        Some(id) => format!("id=1 source=10.0.0.{}:1\n\n", id.trim_start_matches(" 0x")),
        None => "\n".to_owned(),
    }
}

#[tokio::test]
async fn what_was_closed_before_a_failure_counts() {
    let result = FakeBalancer::breaks_after(3).round().run().await;
    assert_eq!(result.closed.len(), 3, "{result:?}");
    assert!(result.failure.is_some() && result.found.is_some(), "{result:?}");
}

#[tokio::test]
async fn an_order_to_close_that_was_sent_counts_when_a_round_is_cancelled() {
    let mut balancer = FakeBalancer::breaks_after(SESSIONS);
    let _ = balancer.answers.send_replace(false);
    let round = balancer.round();
    let (cancelled, first) = (round.cancelled.clone(), round.next_close);
    let round = tokio::spawn(round.run());
    balancer.ordered.wait_for(|count| *count == 1).await.unwrap();
    cancelled.cancel();
    let _ = balancer.answers.send_replace(true);
    let result = round.await.unwrap();
    assert_eq!((result.closed.len(), &result.failure), (1, &None));
    assert!(result.next_close.unwrap() > first, "{result:?}");
}

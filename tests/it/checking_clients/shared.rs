//! State that all clients share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::failure::{Failure, FaultKind};
use super::report::{Fault, Report};
use super::{ANSWER_TIMEOUT, Load, Targets};

/// Time between two looks at the number of clients at work.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// State that all clients share.
pub(super) struct Shared {
    pub(super) targets: Targets,
    pub(super) load: Load,
    began: Instant,
    enough: CancellationToken,
    welcome: AtomicBool,
    /// Each client at work has a clone.
    at_work: Arc<()>,
    rounds: Vec<AtomicU64>,
    report: Mutex<Report>,
    /// The node of the last client from each address, by kind of client.
    homes: Mutex<HashMap<(&'static str, IpAddr), String>>,
}

impl Shared {
    pub(super) fn new(targets: Targets, load: Load) -> Shared {
        Shared {
            targets,
            load,
            began: Instant::now(),
            enough: CancellationToken::new(),
            welcome: AtomicBool::new(load.ready.is_none()),
            at_work: Arc::default(),
            rounds: (0..load.held).map(|_| AtomicU64::new(0)).collect(),
            report: Mutex::new(Report::new()),
            homes: Mutex::default(),
        }
    }

    /// A client is at work until the result is dropped.
    pub(super) fn begin(&self) -> Arc<()> {
        Arc::clone(&self.at_work)
    }

    /// The number of clients at work.
    pub(super) fn at_work(&self) -> usize {
        Arc::strong_count(&self.at_work) - 1
    }

    pub(super) fn has_enough(&self) -> bool {
        self.enough.is_cancelled() || self.began.elapsed() > self.load.lifetime
    }

    pub(super) fn stop(&self) {
        self.enough.cancel();
    }

    /// Waits until no client is at work any more.
    pub(super) async fn all_ended(&self) {
        let ended = async {
            while self.at_work() > 0 {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        if tokio::time::timeout(ANSWER_TIMEOUT, ended).await.is_err() {
            let detail = format!("{} clients at work after the end", self.at_work());
            self.failed("all".to_owned(), Failure::new(FaultKind::TimedOut, detail));
        }
    }

    /// Sleeps, until the end at most.
    pub(super) async fn sleep(&self, time: Duration) {
        // Either ends the pause.
        let _ended = tokio::time::timeout(time, self.enough.cancelled()).await;
    }

    pub(super) fn is_welcome(&self) -> bool {
        self.welcome.load(SeqCst)
    }

    pub(super) fn set_welcome(&self, is_welcome: bool) {
        self.welcome.store(is_welcome, SeqCst);
    }

    /// The exchanges of each held client.
    pub(super) fn rounds(&self) -> impl Iterator<Item = u64> {
        self.rounds.iter().map(|rounds| rounds.load(SeqCst))
    }

    pub(super) fn report(&self) -> Report {
        let mut report = self.report.lock().unwrap().clone();
        report.length = self.began.elapsed();
        report
    }

    /// Changes the report.
    pub(super) fn count(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock().unwrap());
    }

    pub(super) fn went_on(&self, name: &'static str, number: u32) {
        self.rounds[usize::try_from(number).unwrap()].fetch_add(1, SeqCst);
        self.count(|report| *report.exchanges.entry(name).or_default() += 1);
    }

    pub(super) fn failed(&self, client: String, failure: Failure) {
        let Failure { kind, detail } = failure;
        let at = self.began.elapsed();
        self.count(|report| {
            report.add(Fault {
                at,
                client,
                kind,
                detail,
            });
        });
    }

    /// A held client has lost its connection.
    pub(super) fn lost(&self) {
        let second = self.began.elapsed().as_secs();
        self.count(|report| *report.closes.entry(second).or_default() += 1);
    }

    /// A held client that lost its connection `since` then was answered again.
    pub(super) fn came_back(&self, since: Instant) {
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap();
        self.count(|report| report.back.saturating_record(micros));
    }

    /// A client that connected `since` then was answered by `node`.
    pub(super) fn answered(&self, node: &str, since: Instant) {
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap();
        self.count(|report| {
            *report.served.entry(node.to_owned()).or_default() += 1;
            report.latency.saturating_record(micros);
        });
    }

    /// A client that sticks by its address was answered by `node`: the same one each time.
    pub(super) fn served(&self, name: &'static str, source: IpAddr, node: &str, since: Instant) {
        self.answered(node, since);
        let former = self.homes.lock().unwrap().insert((name, source), node.to_owned());
        if let Some(former) = former
            && former != node
        {
            let detail = format!("{source} was on {former}, and is on {node}");
            self.failed(
                format!("new {name}"),
                Failure::new(FaultKind::MovedAddress, detail),
            );
        }
    }
}

//! All workers together: one command goes to all, and their states are read as one.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use mio::Poll;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::command::{Command, Locals, Reading};
use super::error_counts::Errors;
use super::names::NodeId;
use super::tally::Tally;
use super::times::Times;
use super::worker::{Common, EventSource, Worker};
use crate::workers::{self, Inbox, WorkersError};

/// Running workers; dropping this ends them.
pub(super) struct WorkerPool {
    inboxes: Vec<Arc<Inbox<Command>>>,
    running: JoinHandle<Result<Vec<io::Result<Tally>>, WorkersError>>,
}

/// The state of all workers.
#[derive(Debug, Default)]
pub(super) struct WorkersState {
    /// Connections of each node, by its number.
    pub(super) held: Vec<u32>,
    pub(super) opening: u32,
    pub(super) served: u64,
    pub(super) errors: Errors,
    pub(super) recent: Times,
    pub(super) in_flight: u32,
    pub(super) homeless: u32,
    pub(super) cut: u32,
    pub(super) sampling: u32,
    /// Workers that have answered.
    pub(super) workers: u16,
}

impl WorkerPool {
    /// Starts `common.workers` workers; they begin to make connections.
    ///
    /// If the kernel has no pollers for them.
    pub(super) fn start(common: &Arc<Common>) -> io::Result<WorkerPool> {
        // Created here, in the descriptor table that all workers copy: see `workers`.
        let polls: Vec<Poll> = (0..common.workers)
            .map(|_| Poll::new())
            .collect::<Result<_, _>>()?;
        let inboxes = (0..)
            .zip(&polls)
            .map(|(number, poll)| Ok(Arc::new(Inbox::new(number, poll, EventSource::Inbox.into())?)))
            .collect::<io::Result<Vec<_>>>()?;
        // The inboxes of workers that are never started are dropped with them.
        let places: Vec<_> = polls
            .into_iter()
            .zip(&inboxes)
            .map(|(poll, inbox)| Mutex::new(Some((poll, inbox.reader()))))
            .collect();
        let (common, count) = (Arc::clone(common), common.workers);
        let work = move |worker: workers::Worker| {
            let place = places.get(usize::from(worker.number));
            let place = place.and_then(|place| place.lock().unwrap_or_else(PoisonError::into_inner).take());
            let common = Arc::clone(&common);
            async move {
                let (poll, inbox) = place.ok_or(io::ErrorKind::NotFound)?;
                Worker::new(worker.number, poll, inbox, common)?.run()
            }
        };
        Ok(WorkerPool {
            inboxes,
            running: tokio::spawn(workers::run(count, work)),
        })
    }

    /// Sends a command to every worker.
    pub(super) fn send(&self, command: impl Fn(u16) -> Command) {
        for inbox in &self.inboxes {
            inbox.post(command(inbox.worker()));
        }
    }

    /// The state of all. A worker that has died is left out; its end reports that.
    pub(super) async fn state(&self) -> WorkersState {
        let mut state = WorkersState::default();
        for reading in self.ask(Command::Report).await {
            state.add(&reading);
        }
        state
    }

    /// The local addresses of all connections.
    pub(super) async fn locals(&self) -> Locals {
        let mut all = Locals::default();
        for of_worker in self.ask(Command::Locals).await {
            all.held.extend(of_worker.held);
            all.opening.extend(of_worker.opening);
        }
        all
    }

    /// Announces that the clients of `node` are about to lose it; returns how many there are.
    pub(super) async fn fail(&self, node: NodeId) -> u32 {
        self.ask(|reply| Command::Fail(node, reply))
            .await
            .into_iter()
            .sum()
    }

    /// Makes `clients` in all close their connection and reconnect.
    pub(super) fn sample(&self, clients: u32) {
        let workers = u32::try_from(self.inboxes.len()).unwrap_or(1).max(1);
        self.send(|worker| Command::Sample(clients.saturating_sub(worker.into()).div_ceil(workers)));
    }

    /// Closes everything; returns what all workers found.
    ///
    /// If a worker has died.
    pub(super) async fn end(mut self) -> Result<Tally, WorkerPoolError> {
        self.send(|_| Command::End);
        let tallies = (&mut self.running)
            .await
            .map_err(|_| WorkerPoolError::Vanished)??;
        let mut all = Tally::default();
        for tally in tallies {
            all.merge(tally?);
        }
        Ok(all)
    }

    // Private

    async fn ask<T>(&self, question: impl Fn(oneshot::Sender<T>) -> Command) -> Vec<T> {
        let answers: Vec<_> = self
            .inboxes
            .iter()
            .map(|inbox| {
                let (reply, answer) = oneshot::channel();
                inbox.post(question(reply));
                answer
            })
            .collect();
        let answers = futures_util::future::join_all(answers).await;
        answers.into_iter().filter_map(Result::ok).collect()
    }
}

impl Drop for WorkerPool {
    /// Dropping the crew stops all workers.
    fn drop(&mut self) {
        self.send(|_| Command::End);
    }
}

/// Workers that did not finish.
#[derive(Debug, thiserror::Error)]
pub enum WorkerPoolError {
    /// They cannot be started, or one has panicked.
    #[error(transparent)]
    Workers(#[from] WorkersError),
    /// One had to stop because of an error.
    #[error("a worker cannot work: {0}")]
    System(#[from] io::Error),
    /// They were stopped early.
    #[error("the workers were given up")]
    Vanished,
}

impl WorkersState {
    /// Connections of all nodes.
    pub(super) fn connected(&self) -> u32 {
        self.held.iter().sum()
    }

    fn add(&mut self, reading: &Reading) {
        if self.held.len() < reading.held.len() {
            self.held.resize(reading.held.len(), 0);
        }
        for (sum, held) in self.held.iter_mut().zip(&reading.held) {
            *sum += held;
        }
        self.opening += reading.opening;
        self.served += reading.served;
        self.errors.merge(&reading.errors);
        self.recent.merge(&reading.recent);
        self.in_flight += reading.in_flight;
        self.homeless += reading.homeless;
        self.cut += reading.cut;
        self.sampling += reading.sampling;
        self.workers += 1;
    }
}

//! Starts workers: creates them, takes them through each step in parallel, then starts their work.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::{Table, Worker, WorkersError};
use crate::platform;

/// A step of a worker before its work. No worker begins a step before all have finished the
/// previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Makes its runtime.
    Runtime,
    /// Leaves the shared descriptor table.
    Table,
}

/// Created workers, which return a `T` when they are done. If this is dropped early, they end
/// without having worked.
pub(super) struct Crew<T>(Vec<Member<T>>);

struct Member<T> {
    number: u16,
    /// Lets the worker continue. It ends when this sender is dropped.
    go: mpsc::Sender<()>,
    steps: tokio::sync::mpsc::UnboundedReceiver<io::Result<()>>,
    done: oneshot::Receiver<T>,
}

impl<T: Send + 'static> Crew<T> {
    /// Starts the threads, which wait.
    pub(super) fn made<W, F>(count: u16, work: W) -> Result<Crew<T>, WorkersError>
    where
        W: Fn(Worker) -> F + Send + Sync + 'static,
        F: Future<Output = T>,
    {
        let work = Arc::new(work);
        let members = (0..count).map(|number| Member::started(number, Arc::clone(&work)));
        Ok(Crew(members.collect::<Result<_, _>>()?))
    }

    /// Lets all workers take `step` and waits until they have.
    pub(super) async fn all_have(&mut self, step: Step) -> Result<(), WorkersError> {
        for member in &self.0 {
            member.go();
        }
        let mut shared = false;
        for member in &mut self.0 {
            match (step, member.steps.recv().await) {
                (_, Some(Ok(()))) => {}
                (Step::Table, Some(Err(_))) => shared = true,
                (Step::Runtime, Some(Err(source))) => {
                    return Err(WorkersError::NotMade {
                        number: member.number,
                        source,
                    });
                }
                (_, None) => {
                    return Err(WorkersError::Panicked {
                        number: member.number,
                    });
                }
            }
        }
        if shared {
            tracing::warn!(
                "the workers share one descriptor table: this host allows neither close_range nor unshare"
            );
        }
        Ok(())
    }

    /// Starts the work of all and waits until they are done.
    pub(super) async fn done(self) -> Result<Vec<T>, WorkersError> {
        for member in &self.0 {
            member.go();
        }
        let results = self.0.into_iter().map(|member| async move {
            let number = member.number;
            member.done.await.map_err(|_| WorkersError::Panicked { number })
        });
        futures_util::future::try_join_all(results).await
    }
}

impl<T: Send + 'static> Member<T> {
    fn started<W, F>(number: u16, work: Arc<W>) -> Result<Member<T>, WorkersError>
    where
        W: Fn(Worker) -> F + Send + Sync + 'static,
        F: Future<Output = T>,
    {
        let (go, gate) = mpsc::channel();
        let (report, steps) = tokio::sync::mpsc::unbounded_channel();
        let (result, done) = oneshot::channel();
        let life = move || {
            let (runtime, worker) = prepare(number, &gate, &report)?;
            let value = runtime.block_on(work(worker));
            // The receiver is gone if the crew was dropped.
            result.send(value).ok()
        };
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(life)
            .map_err(|source| WorkersError::NotMade { number, source })?;
        Ok(Member {
            number,
            go,
            steps,
            done,
        })
    }

    /// A worker that has died does not receive it; the wait for its result reports that.
    fn go(&self) {
        let _received = self.go.send(());
    }
}

// Private

/// Takes the steps, each one on a signal. `None` if the crew was dropped.
fn prepare(
    number: u16,
    gate: &mpsc::Receiver<()>,
    report: &tokio::sync::mpsc::UnboundedSender<io::Result<()>>,
) -> Option<(Runtime, Worker)> {
    gate.recv().ok()?;
    let runtime = match platform::thread::block_signals().and_then(|()| runtime()) {
        Ok(runtime) => runtime,
        Err(error) => {
            report.send(Err(error)).ok()?;
            return None;
        }
    };
    report.send(Ok(())).ok()?;

    gate.recv().ok()?;
    let left = platform::descriptors::leave_shared_table();
    let table = if left.is_ok() { Table::Own } else { Table::Shared };
    report.send(left).ok()?;

    gate.recv().ok()?;
    Some((runtime, Worker { number, table }))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

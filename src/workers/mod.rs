//! Threads with their own runtime and their own descriptor table.
//!
//! The kernel limits descriptors per table (`RLIMIT_NOFILE`), so n workers hold n times as many
//! connections as one process may. The order of the steps matters, because a worker that leaves the
//! shared table gets a *copy* of it:
//!
//! 1. [`run`] is called inside a runtime, so tokio's process-wide parts exist.
//! 2. Every worker creates its runtime, still in the shared table. So their wakers (eventfds) have
//!    the same numbers in every table, and a wake from any thread finds the right one. The waker of
//!    a later runtime would write to the file with that number in the waking thread's table: an
//!    unrelated connection.
//! 3. Every thread leaves the shared table. No worker begins before the last has left, because a
//!    connection that is copied into another table never closes.
//! 4. Each worker creates its own listeners ([`Acceptor`]) and connections, and passes none to
//!    another thread.
//!
//! A worker's runtime ends in its own table. Its few numbers in the shared table stay in use while
//! the process lives, which makes late wakes harmless.
//!
//! So only data crosses threads, never a descriptor. Channels, watches and locks of tokio work
//! between the workers and the runtime that called [`run`].

mod accept;
mod crew;
mod inbox;
mod timers;

pub use accept::Acceptor;
pub use inbox::{Inbox, InboxReader};
pub use timers::Wheel;

use std::io;

use crew::{Crew, Step};

/// The identity of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its number, from 0.
    pub number: u16,
    /// The table of its descriptors.
    pub table: Table,
}

/// A descriptor table, which determines the `RLIMIT_NOFILE` that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The worker has its own table.
    Own,
    /// The table of the whole process: this host does not allow another one.
    Shared,
}

/// Workers that failed.
#[derive(Debug, thiserror::Error)]
pub enum WorkersError {
    /// A worker cannot be created; none has begun.
    #[error("cannot create worker {number}: {source}")]
    NotMade {
        /// Its number.
        number: u16,
        /// Why.
        source: io::Error,
    },
    /// A worker has panicked; the others continue.
    #[error("worker {number} has panicked")]
    Panicked {
        /// Its number.
        number: u16,
    },
}

/// Does `work` in `count` workers (at least one) and returns what they return, by number, when all
/// have ended.
///
/// `work` must not own a descriptor: it would be dropped in a table where its number belongs to
/// another file. Workers continue when the future is dropped after they began.
///
/// If a worker cannot be created, or panics.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn run<W, F, T>(count: u16, work: W) -> Result<Vec<T>, WorkersError>
where
    W: Fn(Worker) -> F + Send + Sync + 'static,
    F: Future<Output = T>,
    T: Send + 'static,
{
    let mut crew = Crew::made(count.max(1), work)?;
    crew.all_have(Step::Runtime).await?;
    crew.all_have(Step::Table).await?;
    crew.done().await
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use nix::sys::resource::{Resource, getrlimit};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Barrier;

    use super::*;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn results_come_back_by_number() {
        let results = run(3, |worker| async move { (worker.number, worker.table) }).await;
        assert_eq!(
            results.unwrap(),
            [(0, Table::Own), (1, Table::Own), (2, Table::Own)]
        );
    }

    #[tokio::test]
    async fn a_panic_is_reported_with_the_number() {
        let result = run(
            2,
            |worker| async move { assert_ne!(worker.number, 1, "on purpose") },
        )
        .await;
        assert!(matches!(result, Err(WorkersError::Panicked { number: 1 })));
    }

    #[tokio::test]
    async fn together_they_hold_more_than_one_table_may() {
        let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let meeting = Arc::new(Barrier::new(2));
        let held = run(2, move |_| {
            let meeting = Arc::clone(&meeting);
            async move {
                let file = File::open("/dev/null").unwrap();
                let copies: Vec<_> = (0..limit * 2 / 3).map_while(|_| file.try_clone().ok()).collect();
                meeting.wait().await;
                copies.len() as u64
            }
        });
        assert!(held.await.unwrap().into_iter().sum::<u64>() > limit);
    }

    #[tokio::test]
    async fn an_order_from_another_table_wakes_every_worker() {
        let shutdown = CancellationToken::new();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (ordered, count) = (shutdown.clone(), Arc::clone(&waiting));
        let all = tokio::spawn(run(4, move |_| {
            let (ordered, count) = (ordered.clone(), Arc::clone(&count));
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                ordered.cancelled().await;
            }
        }));
        while waiting.load(Ordering::SeqCst) < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        shutdown.cancel();
        all.await.unwrap().unwrap();
    }

    /// Every worker has connections under the same numbers as the others' and wakes the others
    /// continuously. If a wake were written to a number that is a connection in the waker's table,
    /// the echo would have extra bytes.
    #[tokio::test]
    async fn wakes_across_tables_touch_no_connection() {
        const WORKERS: usize = 3;
        let meeting = Arc::new(Barrier::new(WORKERS + 1));
        let met = Arc::clone(&meeting);
        let all = tokio::spawn(run(3, move |_| {
            let met = Arc::clone(&met);
            async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let target = listener.local_addr().unwrap();
                let mut pairs = Vec::new();
                for _ in 0..50 {
                    let (near, far) = tokio::join!(TcpStream::connect(target), listener.accept());
                    pairs.push((near.unwrap(), far.unwrap().0));
                }
                for round in 0..20u8 {
                    met.wait().await;
                    for (near, far) in &mut pairs {
                        near.write_all(&[round]).await.unwrap();
                        let mut got = [0; 16];
                        assert_eq!(far.read(&mut got).await.unwrap(), 1);
                        assert_eq!(got[0], round);
                    }
                }
                for (near, mut far) in pairs {
                    drop(near);
                    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
                }
            }
        }));
        for _ in 0..20 {
            meeting.wait().await;
        }
        all.await.unwrap().unwrap();
    }
}

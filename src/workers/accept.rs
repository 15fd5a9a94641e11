//! Accepts connections even when descriptors or memory run out.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

use crate::base::telemetry::Throttle;
use crate::platform;

/// The pause that lets the kernel recover from a lack of memory.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// Time between two log lines about the same problem.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// One worker's listener on an address that all workers share.
///
/// The kernel spreads connections over the workers by a hash, regardless of how full each worker
/// is. So a worker whose table is full still gets its share, and must not leave it in the accept
/// queue until a descriptor is closed, which may never happen: those connections are accepted on a
/// descriptor that was reserved for this, and closed.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    spare: Option<File>,
    trouble: Throttle,
}

impl Acceptor {
    /// Listens on `address`, which a [`platform::listen::Claim`] holds.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    /// Outside of a tokio runtime.
    pub fn bind(address: SocketAddr) -> io::Result<Acceptor> {
        Ok(Acceptor {
            listener: TcpListener::from_std(platform::listen::listener(address)?)?,
            spare: Some(spare()?),
            trouble: Throttle::new(LOG_INTERVAL),
        })
    }

    /// The next connection, without Nagle's delay, and the client's address.
    pub async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    // This fails only on a broken connection, and the next read reports that.
                    let _set = stream.set_nodelay(true);
                    return (stream, from);
                }
                Err(error) => self.overcome(&error).await,
            }
        }
    }

    // Private

    async fn overcome(&mut self, error: &io::Error) {
        match error.raw_os_error() {
            // The client gave up before it was accepted, or the network reports an error for it
            // (`man 2 accept`: these errors must be treated like EAGAIN).
            Some(
                libc::ECONNABORTED
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH,
            ) => {}
            Some(libc::EMFILE | libc::ENFILE) => {
                self.complain(error, "a connection is refused");
                self.refuse_one().await;
            }
            _ => {
                self.complain(error, "accepting pauses");
                tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
            }
        }
    }

    /// Accepts one connection on the spare descriptor and closes it.
    async fn refuse_one(&mut self) {
        if self.spare.take().is_some() {
            // No more connections wait, or another thread took the descriptor: then the pause below
            // follows.
            let _closed = futures_util::FutureExt::now_or_never(self.listener.accept());
        }
        self.spare = spare().ok();
        if self.spare.is_none() {
            tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
        }
    }

    fn complain(&mut self, error: &io::Error, consequence: &str) {
        if let Some(times) = self.trouble.after(Instant::now()) {
            tracing::warn!(%error, times, "cannot accept: {consequence}");
        }
    }
}

// Private

fn spare() -> io::Result<File> {
    File::open("/dev/null")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::platform::listen::Claim;
    use crate::workers;

    #[tokio::test]
    async fn a_full_table_refuses_clients_at_once() {
        let claim = Claim::new("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = claim.address();
        let (full, when_full) = tokio::sync::oneshot::channel();
        let full = std::sync::Mutex::new(Some(full));
        let free = CancellationToken::new();
        let freed = free.clone();
        let worker = tokio::spawn(workers::run(1, move |_| {
            let full = full.lock().unwrap().take();
            let freed = freed.clone();
            async move {
                let mut acceptor = Acceptor::bind(address).unwrap();
                let mut hoard = Vec::new();
                let file = spare().unwrap();
                while let Ok(copy) = file.try_clone() {
                    hoard.push(copy);
                }
                full.unwrap().send(()).unwrap();
                tokio::select! {
                    _ = acceptor.accept() => panic!("accepted without a descriptor"),
                    () = freed.cancelled() => {}
                }
                drop(hoard);
                acceptor.accept().await.0.write_all(b"!").await.unwrap();
            }
        }));
        when_full.await.unwrap();
        for _ in 0..20 {
            let mut refused = TcpStream::connect(address).await.unwrap();
            assert_eq!(refused.read(&mut [0]).await.unwrap_or(0), 0);
        }
        free.cancel();
        let mut welcome = 0;
        while welcome == 0 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            welcome = stream.read(&mut [0]).await.unwrap_or(0);
        }
        worker.await.unwrap().unwrap();
    }
}

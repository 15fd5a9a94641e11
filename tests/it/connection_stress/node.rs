//! Nodes that echo what they receive, and close when their client has closed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The node resets a connection that begins with this byte.
pub(super) const BREAK: u8 = 0xff;

/// The nodes serve while the test runs.
pub(super) struct Nodes {
    pub(super) addresses: Vec<SocketAddr>,
}

impl Nodes {
    pub(super) async fn start(count: usize) -> Nodes {
        let mut addresses = Vec::new();
        for _ in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            tokio::spawn(serve(listener));
        }
        Nodes { addresses }
    }
}

// Private

async fn serve(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // The client may be gone.
        tokio::spawn(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return stream.shutdown().await;
        }
        if buffer[0] == BREAK {
            // A connection closed with unread bytes is reset.
            return SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        stream.write_all(&buffer[..read]).await?;
    }
}

//! Nodes that send back what they get, and end when their client has ended.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A connection that begins with this is broken by the node.
pub(super) const BREAK: u8 = 0xff;

/// They serve while this test runs.
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
        // An error is a client that is gone.
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
            // Closed with bytes that cannot be sent any more, it is reset.
            return SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        stream.write_all(&buffer[..read]).await?;
    }
}

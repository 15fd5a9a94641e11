//! A client of epmd, the daemon that knows the distribution port of each node on its host.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// The default port of epmd.
pub const EPMD_PORT: u16 = 4369;

const PORT_PLEASE2: u8 = 122;
const PORT2: u8 = 119;

/// The port of a node is not known.
#[derive(Debug, thiserror::Error)]
pub enum EpmdError {
    /// epmd cannot be reached.
    #[error("cannot reach epmd at {address}: {source}")]
    Unreachable {
        /// The address of epmd.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There is no answer.
    #[error("epmd at {0} does not answer in time")]
    Timeout(SocketAddr),
    /// It does not know the node.
    #[error("epmd at {address} does not know a node `{name}`")]
    Unknown {
        /// The address of epmd.
        address: SocketAddr,
        /// The name, without host.
        name: String,
    },
    /// The answer is not that of epmd.
    #[error("the service at {0} is not epmd")]
    Strange(SocketAddr),
}

impl EpmdError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            EpmdError::Unreachable { .. } | EpmdError::Timeout(_) | EpmdError::Strange(_) => {
                "to reach a node without epmd, set its distribution port: `--port N`"
            }
            EpmdError::Unknown { .. } => "`epmd -names` on the node's host lists the running nodes",
        }
    }
}

/// Queries the epmd at `address` for the port of the node `name`, which is given without its host.
///
/// # Errors
/// If epmd does not answer with a port.
pub async fn port_of(name: &str, address: SocketAddr, deadline: Instant) -> Result<u16, EpmdError> {
    let answer = timeout_at(deadline, ask(name, address)).await;
    let answer = answer.map_err(|_| EpmdError::Timeout(address))??;
    match answer {
        [PORT2, 0, high, low] => Ok(u16::from_be_bytes([high, low])),
        [PORT2, _, ..] => Err(EpmdError::Unknown {
            address,
            name: name.to_owned(),
        }),
        _ => Err(EpmdError::Strange(address)),
    }
}

// Private

/// The first bytes of the answer; zeros where it has none.
async fn ask(name: &str, address: SocketAddr) -> Result<[u8; 4], EpmdError> {
    let unreachable = |source| EpmdError::Unreachable { address, source };
    let length = u16::try_from(name.len() + 1).unwrap_or(u16::MAX).to_be_bytes();
    let request = [&length[..], &[PORT_PLEASE2], name.as_bytes()].concat();
    let mut stream = TcpStream::connect(address).await.map_err(unreachable)?;
    stream.write_all(&request).await.map_err(unreachable)?;
    let mut answer = [0; 4];
    let mut filled = 0;
    while filled < answer.len() {
        match stream.read(&mut answer[filled..]).await.map_err(unreachable)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    /// The result of an answer, and the request that was sent.
    async fn asked(answer: &'static [u8]) -> (Result<u16, EpmdError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let epmd = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 6];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(answer).await.unwrap();
            request
        };
        tokio::join!(port_of("abc", address, soon()), epmd)
    }

    #[tokio::test]
    async fn the_port_is_in_the_answer() {
        let (port, request) = asked(b"w\0\x23\x8dM\0\0\x06\0\x05\0\x03abc\0\0").await;
        assert_eq!(port.unwrap(), 9101);
        assert_eq!(request, b"\0\x04zabc");
    }

    #[tokio::test]
    async fn other_answers_have_no_port() {
        let failure = async |answer| asked(answer).await.0.unwrap_err().to_string();
        assert!(failure(b"w\x01").await.ends_with("does not know a node `abc`"));
        assert!(failure(b"").await.ends_with("is not epmd"));
        assert!(failure(b"HTTP/1.1 400").await.ends_with("is not epmd"));
    }

    #[tokio::test]
    async fn no_listener_and_no_answer_are_different_errors() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let now = Instant::now() + Duration::from_millis(50);
        assert!(matches!(
            port_of("abc", address, now).await,
            Err(EpmdError::Timeout(_))
        ));
        // A program that another test starts now may still have a copy of it.
        socket2::SockRef::from(&listener)
            .shutdown(std::net::Shutdown::Both)
            .unwrap();
        let unreachable = port_of("abc", address, soon()).await;
        assert!(matches!(unreachable, Err(EpmdError::Unreachable { .. })));
    }
}

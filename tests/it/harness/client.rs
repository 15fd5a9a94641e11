//! Clients of a cluster.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use serde_json::Value;

use super::TIMEOUT;

/// An MCP client over TCP.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects from `source`.
    pub fn connect(source: impl Into<IpAddr>, target: SocketAddr) -> std::io::Result<Client> {
        Ok(Client {
            stream: BufReader::new(connect_from(source.into(), target)?),
        })
    }

    /// Sends a request; its answer.
    pub fn call(&mut self, method: &str, params: &Value) -> std::io::Result<Value> {
        let request = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        writeln!(self.stream.get_mut(), "{request}")?;
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_str(&line).map_err(std::io::Error::other)
    }

    /// Waits until the connection ends, in whatever way; nothing may come before.
    pub fn waits_for_end(&mut self) {
        let mut line = String::new();
        let end = self.stream.read_line(&mut line).map_err(|error| error.kind());
        assert!(
            matches!(end, Ok(0) | Err(std::io::ErrorKind::ConnectionReset)),
            "{end:?}"
        );
    }

    /// The name of the node at the other end.
    pub fn node(&mut self) -> std::io::Result<String> {
        let params = serde_json::json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
        });
        let answer = self.call("initialize", &params)?;
        Ok(answer["result"]["serverInfo"]["name"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned())
    }
}

/// A connection to `target` from an address of this host.
pub fn connect_from(source: IpAddr, target: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(target), socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect_timeout(&target.into(), TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    Ok(socket.into())
}

/// The response to a GET request for `path`, head and body.
pub fn http_get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    std::io::read_to_string(stream).unwrap()
}

//! A client: a connection, and the exchange that it repeats.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::{Exchange, Protocol, TIMEOUT};

/// The size of a read; answers are smaller.
const READ: usize = 16 * 1024;

/// A connected client that blocks.
pub(crate) struct Client {
    /// The connection.
    pub(crate) stream: TcpStream,
    message: Exchange,
}

/// A client that does not block.
pub(crate) struct AsyncClient {
    /// The connection.
    pub(crate) stream: mio::net::TcpStream,
    message: Exchange,
    /// The beginning of an answer.
    partial: Vec<u8>,
}

/// What a client has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Not a complete answer.
    Nothing,
    /// An answer.
    Answer,
    /// An answer after which the server closes the connection.
    LastAnswer,
}

/// A blocking connection from `source`, with timeouts.
pub(crate) fn connected(source: Ipv4Addr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.set_tcp_nodelay(true)?;
    socket.connect_timeout(&target.into(), TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    Ok(socket.into())
}

/// A whole exchange on `stream`; returns the answer.
pub(crate) fn exchanged(stream: &mut TcpStream, exchange: &Exchange) -> io::Result<Vec<u8>> {
    stream.write_all(exchange.request())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; READ]);
    while exchange.answered(&answer)?.is_none() {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    Ok(answer)
}

impl Client {
    /// Connects, and has one exchange.
    pub(crate) fn connect(protocol: &Protocol, source: Ipv4Addr, target: SocketAddr) -> io::Result<Client> {
        let mut stream = connected(source, target)?;
        let message = match &protocol.opening {
            Some(opening) => protocol.message_after(&exchanged(&mut stream, opening)?),
            None => protocol.message.clone(),
        };
        let mut client = Client { stream, message };
        client.ask()?;
        Ok(client)
    }

    /// Has one exchange.
    pub(crate) fn ask(&mut self) -> io::Result<()> {
        exchanged(&mut self.stream, &self.message).map(drop)
    }

    /// The same client, which blocks no more.
    pub(crate) fn into_async(self) -> io::Result<AsyncClient> {
        self.stream.set_nonblocking(true)?;
        Ok(AsyncClient {
            stream: mio::net::TcpStream::from_std(self.stream),
            message: self.message,
            partial: Vec::new(),
        })
    }
}

impl AsyncClient {
    /// Sends the request.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(self.message.request())
    }

    /// Reads once.
    pub(crate) fn receive(&mut self) -> io::Result<Received> {
        let mut buffer = [0; READ];
        let read = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Received::Nothing),
            Err(error) => return Err(error),
        };
        if self.partial.is_empty() {
            return self.judge(&buffer[..read]);
        }
        let mut answer = std::mem::take(&mut self.partial);
        answer.extend_from_slice(&buffer[..read]);
        self.judge(&answer)
    }

    // Private

    fn judge(&mut self, answer: &[u8]) -> io::Result<Received> {
        match self.message.answered(answer)? {
            None => {
                self.partial = answer.to_vec();
                Ok(Received::Nothing)
            }
            Some(length) if length < answer.len() => Err(io::Error::other("more than the answer came")),
            Some(_) if self.message.is_last(answer) => Ok(Received::LastAnswer),
            Some(_) => Ok(Received::Answer),
        }
    }
}

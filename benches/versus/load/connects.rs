//! Clients that connect, send one message, read the answer and close.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::{Exchange, Sample, Service, Sources, TIMEOUT, Window};

/// Clients at the same time.
const CLIENTS: usize = 32;
/// The size of a read; answers are smaller.
const READ: usize = 2048;

/// Runs until `window` is over.
pub(crate) fn run(service: Service<'_>, sources: &mut Sources, mut window: Window) -> io::Result<Sample> {
    let mut poll = Poll::new()?;
    let mut begin = |token, poll: &Poll| Client::begin(sources, service.address, token, poll);
    let mut clients = (0..CLIENTS)
        .map(|token| begin(token, &poll))
        .collect::<io::Result<Vec<_>>>()?;
    let mut events = Events::with_capacity(CLIENTS);
    loop {
        if let Some(sample) = window.tick() {
            return Ok(sample);
        }
        poll.poll(&mut events, Some(TIMEOUT))?;
        if events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        for event in &events {
            let Token(token) = event.token();
            if clients[token].go_on(&service.protocol.message)? {
                window.count(1);
                clients[token] = begin(token, &poll)?;
            }
        }
    }
}

// Private

struct Client {
    stream: TcpStream,
    /// What has arrived of the answer; none before the request is sent.
    answer: Option<Vec<u8>>,
}

impl Client {
    fn begin(sources: &mut Sources, target: SocketAddr, token: usize, poll: &Poll) -> io::Result<Client> {
        let source = sources.next().unwrap_or(Ipv4Addr::LOCALHOST);
        let mut stream = connecting(source, target)?;
        poll.registry()
            .register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Client { stream, answer: None })
    }

    /// Reads and writes until it would block; returns whether the answer is complete.
    fn go_on(&mut self, exchange: &Exchange) -> io::Result<bool> {
        let Some(answer) = &mut self.answer else {
            match self.stream.write(exchange.request()) {
                Ok(_) => self.answer = Some(Vec::new()),
                Err(error) if is_early(&error) => {}
                Err(error) => return Err(error),
            }
            return Ok(false);
        };
        let mut buffer = [0; READ];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if is_early(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(exchange.answered(answer)?.is_some())
    }
}

fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

fn connecting(source: Ipv4Addr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32) => {}
        connected => connected?,
    }
    Ok(TcpStream::from_std(socket.into()))
}

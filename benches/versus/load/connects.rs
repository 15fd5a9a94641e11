//! Clients that connect, send one message, read the answer and close.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::{MESSAGE, Sample, Sources, TIMEOUT, Window};

/// Clients at the same time.
const CLIENTS: usize = 32;

/// Runs until `window` is over.
pub(crate) fn run(target: SocketAddr, sources: &mut Sources, mut window: Window) -> io::Result<Sample> {
    let mut poll = Poll::new()?;
    let mut begin = |token, poll: &Poll| Client::begin(sources, target, token, poll);
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
            if clients[token].go_on()? {
                window.count(1);
                clients[token] = begin(token, &poll)?;
            }
        }
    }
}

// Private

struct Client {
    stream: TcpStream,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Connecting,
    /// The number of missing bytes of the answer.
    Asked(usize),
}

impl Client {
    fn begin(sources: &mut Sources, target: SocketAddr, token: usize, poll: &Poll) -> io::Result<Client> {
        let source = sources.next().unwrap_or(Ipv4Addr::LOCALHOST);
        let mut stream = connecting(source, target)?;
        poll.registry()
            .register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Client {
            stream,
            state: State::Connecting,
        })
    }

    /// Reads and writes until it would block; returns whether the answer is complete.
    fn go_on(&mut self) -> io::Result<bool> {
        match self.state {
            State::Connecting => match self.stream.write(&MESSAGE) {
                Ok(_) => self.state = State::Asked(MESSAGE.len()),
                Err(error) if is_early(&error) => {}
                Err(error) => return Err(error),
            },
            State::Asked(missing) => match self.stream.read(&mut [0; MESSAGE.len()][..missing]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.state = State::Asked(missing - read),
                Err(error) if is_early(&error) => {}
                Err(error) => return Err(error),
            },
        }
        Ok(matches!(self.state, State::Asked(0)))
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

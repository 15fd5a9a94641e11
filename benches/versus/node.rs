//! The nodes behind every balancer: they echo what they receive. One thread serves them all, so
//! that most of the machine is left to the balancer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// The number of nodes.
const NODES: usize = 4;
/// The size of a read.
const BUFFER: usize = 256 * 1024;

/// Starts the nodes, which serve until this process ends; returns their addresses.
pub(crate) fn start() -> io::Result<Vec<SocketAddr>> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = (0..NODES).map(|_| TcpListener::bind(any));
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    let addresses = listeners.iter().map(TcpListener::local_addr);
    let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
    let mut nodes = Nodes::new(listeners)?;
    thread::Builder::new()
        .name("nodes".to_owned())
        .spawn(move || nodes.serve())?;
    Ok(addresses)
}

// Private

struct Nodes {
    poll: Poll,
    listeners: Vec<TcpListener>,
    /// Connections by token, without the listeners' tokens.
    echoes: Vec<Option<Echo>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
}

/// A connection, and the bytes that it has not taken yet.
struct Echo {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Nodes {
    fn new(mut listeners: Vec<TcpListener>) -> io::Result<Nodes> {
        let poll = Poll::new()?;
        for (token, listener) in listeners.iter_mut().enumerate() {
            poll.registry()
                .register(listener, Token(token), Interest::READABLE)?;
        }
        Ok(Nodes {
            poll,
            listeners,
            echoes: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; BUFFER],
        })
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                let Token(token) = event.token();
                match token.checked_sub(NODES) {
                    None => self.accept(token)?,
                    Some(index) => {
                        let Some(echo) = &mut self.echoes[index] else {
                            continue;
                        };
                        // The client may be gone.
                        let goes_on = echo.answer(&mut self.buffer, event.is_read_closed());
                        if !goes_on.unwrap_or(false) {
                            self.echoes[index] = None;
                            self.free.push(index);
                        }
                    }
                }
            }
        }
    }

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        while let Ok((mut stream, _)) = self.listeners[listener].accept() {
            let index = self.free.pop().unwrap_or(self.echoes.len());
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(NODES + index), both)?;
            stream.set_nodelay(true)?;
            let echo = Some(Echo {
                stream,
                unsent: Vec::new(),
            });
            if index == self.echoes.len() {
                self.echoes.push(echo);
            } else {
                self.echoes[index] = echo;
            }
        }
        Ok(())
    }
}

impl Echo {
    /// Echoes the bytes available. Returns whether more may come. `ended` is whether the client has
    /// closed its sending side: only then a read that finds nothing is made.
    fn answer(&mut self, buffer: &mut [u8], ended: bool) -> io::Result<bool> {
        loop {
            if !self.unsent.is_empty() {
                let sent = self.send_unsent()?;
                self.unsent.drain(..sent);
                if !self.unsent.is_empty() {
                    return Ok(true);
                }
            }
            let read = match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            let sent = match self.stream.write(&buffer[..read]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                sent => sent?,
            };
            self.unsent.extend_from_slice(&buffer[sent..read]);
            if self.unsent.is_empty() && read < buffer.len() && !ended {
                return Ok(true);
            }
        }
    }

    fn send_unsent(&mut self) -> io::Result<usize> {
        match self.stream.write(&self.unsent) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }
}

//! The data plane as a TCP load balancer, seen by its clients and servers.

mod aging;
mod choosing;
mod ending;
mod limiting;
mod living;
mod members;
mod reconfiguring;
mod serving;
mod streaming;
mod taking_over;
mod waiting;

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::harness::{TIMEOUT, eventually};

/// Listeners of servers that the test itself plays.
fn listeners<const COUNT: usize>() -> [TcpListener; COUNT] {
    std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap())
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().map(|it| it.local_addr().unwrap()).collect()
}

/// Servers that send their number as one byte, then echo what they receive, until the client has
/// closed.
fn speakers<const COUNT: usize>() -> [SocketAddr; COUNT] {
    let mut number = 0;
    listeners().map(|listener: TcpListener| {
        let address = listener.local_addr().unwrap();
        number += 1;
        speak(listener, number);
        address
    })
}

/// Serves at `listener` as speaker `number`.
fn speak(listener: TcpListener, number: u8) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let speaking = move || {
                let mut stream = stream.unwrap();
                // The client may be gone.
                let _gone = stream
                    .write_all(&[number])
                    .and_then(|()| io::copy(&mut stream.try_clone()?, &mut stream));
            };
            std::thread::Builder::new()
                .stack_size(64 << 10)
                .spawn(speaking)
                .unwrap();
        }
    });
}

/// A client.
fn client(target: SocketAddr) -> TcpStream {
    client_from(Ipv4Addr::LOCALHOST, target)
}

/// A client with another source address.
fn client_from(source: impl Into<IpAddr>, target: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None).unwrap();
    // Allows a port in the TIME_WAIT state.
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::new(source.into(), 0).into()).unwrap();
    socket.connect_timeout(&target.into(), TIMEOUT).unwrap();
    with_timeouts(socket.into())
}

/// The next connection at a server.
fn accept(listener: &TcpListener) -> TcpStream {
    // The read timeout limits `accept`, too.
    SockRef::from(listener).set_read_timeout(Some(TIMEOUT)).unwrap();
    let (stream, _) = listener.accept().unwrap();
    with_timeouts(stream)
}

/// Sets a timeout for every read and write.
fn with_timeouts(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// The next byte; from a speaker, its number.
fn byte(stream: &TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    let mut stream = stream;
    stream.read_exact(&mut byte).map(|()| byte[0])
}

/// The next `count` bytes.
fn bytes(stream: &TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut stream = stream;
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// All bytes until the other side closes.
fn rest(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    let mut stream = stream;
    stream.read_to_end(&mut rest)?;
    Ok(rest)
}

fn send(stream: &TcpStream, bytes: impl AsRef<[u8]>) {
    let mut stream = stream;
    stream.write_all(bytes.as_ref()).unwrap();
}

/// Resets a connection: the other side gets an RST.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// How a stream ended; no bytes may come before.
fn ending(stream: &TcpStream) -> Result<(), io::ErrorKind> {
    let mut stream = stream;
    match stream.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => panic!("bytes arrived instead of an end"),
        Err(error) => Err(error.kind()),
    }
}

const RESET: Result<(), io::ErrorKind> = Err(io::ErrorKind::ConnectionReset);

/// Whether the stream is open and has nothing to read for a moment.
fn is_silent(stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
    let silent = matches!(
        stream.peek(&mut [0]).map_err(|error| error.kind()),
        Err(io::ErrorKind::WouldBlock)
    );
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    silent
}

/// The duration of `task`.
fn time(task: impl FnOnce()) -> Duration {
    let began = Instant::now();
    task();
    began.elapsed()
}

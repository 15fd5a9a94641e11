//! Small messages at a fixed rate, independent of the answers. A message's latency counts from the
//! time at which it was due, so that a balancer that stalls cannot hide it (coordinated omission).

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::{MESSAGE, Sources, many_connected};

/// Connections at the same time, used in turn.
const CONNECTIONS: usize = 64;
/// The time allowed for the last answers.
const TIMEOUT: Duration = Duration::from_secs(2);
/// One in so many messages belongs to the warm-up.
const WARM_UP: usize = 10;

/// Sends `rate` messages per second for `length`. Returns the latency of each message from the time
/// at which it was due, in sending order; a message without an answer has a latency until the end.
pub(crate) fn run(
    target: SocketAddr,
    sources: &mut Sources,
    rate: f64,
    length: Duration,
) -> io::Result<Vec<Duration>> {
    let mut paced = Paced::new(target, sources, rate, length)?;
    paced.run()?;
    let warm = paced.latencies.len() / WARM_UP;
    Ok(paced.latencies.split_off(warm))
}

// Private

struct Paced {
    poll: Poll,
    timer: TimerFd,
    clients: Vec<Client>,
    interval: Duration,
    begun: Instant,
    sent: usize,
    answered: usize,
    /// The latency of each message; the maximum until it is answered.
    latencies: Vec<Duration>,
}

struct Client {
    stream: TcpStream,
    /// Messages on their way, oldest first.
    out: VecDeque<usize>,
    /// Bytes received of the oldest message's answer.
    got: usize,
}

impl Paced {
    fn new(target: SocketAddr, sources: &mut Sources, rate: f64, length: Duration) -> io::Result<Paced> {
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for (token, mut stream) in many_connected(CONNECTIONS, sources, target)?
            .into_iter()
            .enumerate()
        {
            poll.registry()
                .register(&mut stream, Token(token), Interest::READABLE)?;
            clients.push(Client {
                stream,
                out: VecDeque::new(),
                got: 0,
            });
        }
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        poll.registry().register(
            &mut SourceFd(&timer.as_fd().as_raw_fd()),
            Token(CONNECTIONS),
            Interest::READABLE,
        )?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few hundred thousand"
        )]
        let messages = (rate * length.as_secs_f64()) as usize;
        Ok(Paced {
            poll,
            timer,
            clients,
            interval: Duration::from_secs_f64(1.0 / rate),
            begun: Instant::now(),
            sent: 0,
            answered: 0,
            latencies: vec![length + TIMEOUT; messages],
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(CONNECTIONS + 1);
        self.begun = Instant::now();
        let every = TimeSpec::from_duration(self.interval);
        self.timer
            .set(Expiration::Interval(every), TimerSetTimeFlags::empty())?;
        let deadline = self.begun + self.due(self.latencies.len()) + TIMEOUT;
        while self.answered < self.latencies.len() && Instant::now() < deadline {
            self.poll.poll(&mut events, Some(TIMEOUT))?;
            for event in &events {
                match event.token() {
                    Token(CONNECTIONS) => {
                        // The number of expirations does not matter: the clock decides which
                        // messages are due.
                        let _count = self.timer.wait();
                        self.send()?;
                    }
                    Token(token) => self.receive(token)?,
                }
            }
        }
        Ok(())
    }

    /// Sends the messages that are due.
    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.latencies.len() && self.begun.elapsed() >= self.due(self.sent) {
            let client = &mut self.clients[self.sent % CONNECTIONS];
            client.stream.write_all(&MESSAGE)?;
            client.out.push_back(self.sent);
            self.sent += 1;
        }
        Ok(())
    }

    fn receive(&mut self, token: usize) -> io::Result<()> {
        let client = &mut self.clients[token];
        let mut buffer = [0; 16 * MESSAGE.len()];
        loop {
            let read = match client.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            client.got += read;
            let now = self.begun.elapsed();
            while client.got >= MESSAGE.len() {
                client.got -= MESSAGE.len();
                let Some(message) = client.out.pop_front() else {
                    return Err(io::Error::other("an answer to nothing"));
                };
                self.latencies[message] = now.saturating_sub(due(self.interval, message));
                self.answered += 1;
            }
            if read < buffer.len() {
                return Ok(());
            }
        }
    }

    fn due(&self, message: usize) -> Duration {
        due(self.interval, message)
    }
}

/// The time from the beginning at which a message is due.
fn due(interval: Duration, message: usize) -> Duration {
    interval.mul_f64(u32::try_from(message).map_or(f64::MAX, f64::from))
}

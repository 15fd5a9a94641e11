//! Small messages at a fixed rate, independent of the answers. A message's latency counts from the
//! time at which it was due, so that a balancer that stalls cannot hide it (coordinated omission).

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::{Clients, Service, Sources};

/// Connections at the same time.
const CONNECTIONS: usize = 64;
/// The time allowed for the last answers.
const TIMEOUT: Duration = Duration::from_secs(2);
/// One in so many messages belongs to the warm-up.
const WARM_UP: usize = 10;

/// Sends `rate` messages per second for `length`. Returns the latency of each message from the time
/// at which it was due, in sending order; a message without an answer has a latency until the end.
pub(crate) fn run(
    service: Service<'_>,
    sources: &mut Sources,
    rate: f64,
    length: Duration,
) -> io::Result<Vec<Duration>> {
    let mut paced = Paced::new(service, sources, rate, length)?;
    paced.run()?;
    let warm = paced.latencies.len() / WARM_UP;
    Ok(paced.latencies.split_off(warm))
}

// Private

struct Paced<'a> {
    clients: Clients<'a>,
    timer: TimerFd,
    /// Clients without a message on its way, the longest idle one first.
    idle: VecDeque<usize>,
    /// The message on its way of each client.
    out: Vec<usize>,
    interval: Duration,
    begun: Instant,
    sent: usize,
    answered: usize,
    /// The latency of each message; the maximum until it is answered.
    latencies: Vec<Duration>,
}

impl Paced<'_> {
    fn new<'a>(
        service: Service<'a>,
        sources: &'a mut Sources,
        rate: f64,
        length: Duration,
    ) -> io::Result<Paced<'a>> {
        let clients = Clients::connect(CONNECTIONS, service, sources)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        clients.poll.registry().register(
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
            clients,
            timer,
            idle: (0..CONNECTIONS).collect(),
            out: vec![0; CONNECTIONS],
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
            self.clients.poll.poll(&mut events, Some(TIMEOUT))?;
            for event in &events {
                match event.token() {
                    Token(CONNECTIONS) => {
                        // The number of expirations does not matter: the clock decides which
                        // messages are due.
                        let _count = self.timer.wait();
                    }
                    Token(token) => self.receive(token)?,
                }
            }
            self.send()?;
        }
        Ok(())
    }

    /// Sends the messages that are due, as far as there are idle clients.
    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.latencies.len() && self.begun.elapsed() >= self.due(self.sent) {
            let Some(client) = self.idle.pop_front() else {
                return Ok(());
            };
            self.clients.send(client)?;
            self.out[client] = self.sent;
            self.sent += 1;
        }
        Ok(())
    }

    fn receive(&mut self, client: usize) -> io::Result<()> {
        if self.clients.receive(client)? {
            let message = self.out[client];
            self.latencies[message] = self.begun.elapsed().saturating_sub(self.due(message));
            self.answered += 1;
            self.idle.push_back(client);
        }
        Ok(())
    }

    /// The time from the beginning at which a message is due.
    fn due(&self, message: usize) -> Duration {
        self.interval
            .mul_f64(u32::try_from(message).map_or(f64::MAX, f64::from))
    }
}

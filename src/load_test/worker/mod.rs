//! A worker: one thread that serves its share of the clients with one poller.

mod alarm;
mod asking;
mod client;
mod commands;
mod ending;
mod opening;
mod socket_io;
#[cfg(test)]
mod tests;
mod token;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll};

use super::command::Command;
use super::conversation::{Heard, Site};
use super::error::{Kind, Trouble};
use super::names::{Names, NodeId};
use super::order::Order;
use super::pace::{Carousel, Pace};
use super::sources::Sources;
use super::tally::Tally;
use super::times::Times;
use crate::workers::{InboxReader, Wheel};

use alarm::Alarm;
use client::{Phase, Seat};
pub(super) use token::About;

/// Buffer for one read.
const BUFFER: usize = 64 * 1024;
/// The most events of one poll.
const EVENTS: usize = 512;

/// What all workers of a test have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) began: Instant,
    pub(super) target: SocketAddr,
    pub(super) site: Arc<Site>,
    pub(super) names: Names,
    pub(super) connections: u32,
    pub(super) workers: u16,
    pub(super) sources: Sources,
    pub(super) rate: Option<f64>,
    pub(super) messages_per_second: f64,
    /// In microseconds.
    pub(super) patience: u64,
    /// Whether the balancer remembers each client's node. A balancer that computes it sends clients
    /// back that another node has served for a while.
    pub(super) is_remembered: bool,
}

/// A worker.
pub(super) struct Worker {
    number: u16,
    common: Arc<Common>,
    inbox: InboxReader<Command>,
    poll: Poll,
    alarm: Alarm,
    seats: Vec<Seat>,
    /// Timers of the clients' phases, in milliseconds.
    timers: Wheel,
    /// The first seat that never had a connection.
    fresh: u32,
    /// Seats that had one and need another at once.
    again: VecDeque<u32>,
    /// Connections that are being made.
    opening: u32,
    pace: Pace,
    carousel: Carousel,
    /// The time in which due messages count: begin and end.
    counting: Option<(u64, u64)>,
    /// Requests that are not answered yet.
    asking: u32,
    /// Whether a node is failing, and its clients are followed.
    node_fails: bool,
    /// Clients whose story is not over: those of a failing node, how many of them were cut, and
    /// those that reconnect.
    homeless: u32,
    cut: u32,
    sampling: u32,
    held: Vec<u32>,
    welcomes: u64,
    recent: Times,
    tally: Tally,
    /// The time of this turn, in microseconds since the test began.
    now: u64,
    buffer: Box<[u8]>,
    heard: Vec<Heard>,
    /// Whether it begins no more connections.
    has_enough: bool,
    ended: bool,
}

impl Common {
    /// The common part of `order`.
    pub(super) fn of(order: &Order) -> Common {
        Common {
            began: Instant::now(),
            target: order.target,
            site: Arc::new(Site {
                protocol: order.protocol,
                authority: order.authority.clone(),
                path: order.path.clone(),
            }),
            names: Names::default(),
            connections: order.connections,
            workers: order.workers,
            sources: order.sources,
            rate: order.rate,
            messages_per_second: order.messages_per_second,
            patience: micros(order.patience),
            is_remembered: order
                .cluster
                .as_ref()
                .is_none_or(|cluster| cluster.balancer.facts().remembers_clients),
        }
    }

    /// Microseconds since the test began.
    pub(super) fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }
}

impl Worker {
    /// A worker with its share of the clients, none of which is connected.
    ///
    /// # Errors
    /// If the kernel has no timer.
    pub(super) fn new(
        number: u16,
        poll: Poll,
        inbox: InboxReader<Command>,
        common: Arc<Common>,
    ) -> io::Result<Worker> {
        // Clients are dealt out in turn.
        let share = common
            .connections
            .saturating_sub(number.into())
            .div_ceil(common.workers.into());
        let Common {
            messages_per_second,
            connections,
            workers,
            ..
        } = *common;
        Ok(Worker {
            number,
            alarm: Alarm::new(poll.registry())?,
            poll,
            inbox,
            seats: (0..share).map(|_| Seat::default()).collect(),
            timers: Wheel::new(common.now() / 1_000),
            fresh: 0,
            again: VecDeque::new(),
            opening: 0,
            pace: Pace::new(messages_per_second, connections, number, workers),
            carousel: Carousel::default(),
            counting: None,
            asking: 0,
            node_fails: false,
            homeless: 0,
            cut: 0,
            sampling: 0,
            held: Vec::new(),
            welcomes: 0,
            recent: Times::default(),
            tally: Tally::default(),
            now: common.now(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            heard: Vec::new(),
            has_enough: false,
            ended: false,
            common,
        })
    }

    /// Runs until the command to end.
    ///
    /// # Errors
    /// If it cannot poll for events.
    pub(super) fn run(mut self) -> io::Result<Tally> {
        let mut events = Events::with_capacity(EVENTS);
        let mut expired = Vec::new();
        while !self.ended {
            // Connections begin between two batches of events, so that no event of a batch is about
            // a former connection of its seat.
            self.open_more();
            self.ask_who_is_due();
            self.set_alarm()?;
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.now = self.common.now();
            for event in &events {
                self.attend(event);
            }
            self.timers.expire(self.now / 1_000, &mut expired);
            for seat in expired.drain(..) {
                self.overdue(seat);
            }
        }
        Ok(std::mem::take(&mut self.tally))
    }

    // Private

    fn attend(&mut self, event: &Event) {
        match About::from(event.token()) {
            About::Line(seat) => self.line_has_news(seat, event),
            About::Errand(seat) => self.errand_has_news(seat, event),
            About::Inbox => self.obey(),
            About::Alarm => self.alarm.went_off(),
        }
    }

    /// How long the worker may wait for events, apart from the alarm.
    fn patience(&self) -> Option<Duration> {
        if self.opens_more() {
            return Some(Duration::ZERO);
        }
        let next = self.timers.next()?;
        Some(Duration::from_millis(next.saturating_sub(self.now / 1_000) + 1))
    }

    fn set_alarm(&mut self) -> io::Result<()> {
        let next = [self.next_message(), self.next_opening()];
        // Not from the start of this turn: the time that it took would make the alarm late.
        self.alarm
            .set(next.into_iter().flatten().min(), self.common.now())
    }

    /// Handles the expired timer of a client's phase.
    fn overdue(&mut self, seat: u32) {
        let trouble = |kind, what| Some(Trouble::new(kind, what));
        let trouble = match &mut self.seats[seat as usize].phase {
            Phase::Waiting => {
                self.again.push_back(seat);
                None
            }
            Phase::Opening { line, .. } if line.stream.peer_addr().is_err() => {
                trouble(Kind::ConnectTimeout, "not connected in time")
            }
            Phase::Opening { .. } => trouble(
                Kind::AnswerTimeout,
                "connected, and `initialize` not answered in time",
            ),
            Phase::Held { asked: Some(_), .. } => {
                trouble(Kind::AnswerTimeout, "a ping was not answered in time")
            }
            Phase::Held { asked: None, .. } => None,
        };
        if let Some(trouble) = trouble {
            self.lose(seat, &trouble);
        }
    }

    /// Starts the timer for what a client begins now.
    fn arm(&mut self, seat: u32) {
        self.timers
            .arm(seat, self.now.saturating_add(self.common.patience) / 1_000);
    }

    /// The number of the client in `seat` among all clients.
    fn client(&self, seat: u32) -> u32 {
        seat * u32::from(self.common.workers) + u32::from(self.number)
    }

    /// The source address of the client in `seat`.
    fn address(&self, seat: u32) -> Option<IpAddr> {
        self.common.sources.of(self.client(seat))
    }
}

/// Whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

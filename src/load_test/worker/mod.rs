//! A worker: one thread that serves its share of the clients with one poller.

mod alarm;
mod client;
mod commands;
mod ending;
mod opening;
mod requests;
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
use super::conversation::{Received, TargetUrl};
use super::error::{Kind, LoadError};
use super::names::{Names, NodeId};
use super::order::Order;
use super::schedule::{Schedule, TurnCycle};
use super::sources::Sources;
use super::tally::Tally;
use super::times::Times;
use crate::workers::{InboxReader, Wheel};

use alarm::Alarm;
use client::{Client, Phase};
pub(super) use token::EventSource;

/// Buffer for one read.
const BUFFER: usize = 64 * 1024;
/// The most events of one poll.
const EVENTS: usize = 512;

/// What all workers of a test have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) began: Instant,
    pub(super) target: SocketAddr,
    pub(super) url: Arc<TargetUrl>,
    pub(super) names: Names,
    pub(super) connections: u32,
    pub(super) workers: u16,
    pub(super) sources: Sources,
    pub(super) rate: Option<f64>,
    pub(super) messages_per_second: f64,
    /// In microseconds.
    pub(super) timeout: u64,
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
    clients: Vec<Client>,
    /// Timers of the clients' phases, in milliseconds.
    timers: Wheel,
    /// The first seat that never had a connection.
    next_new: u32,
    /// Seats that had one and need another at once.
    reconnects: VecDeque<u32>,
    /// Connections that are being made.
    opening: u32,
    schedule: Schedule,
    cycle: TurnCycle,
    /// The time in which due messages count: begin and end.
    counting: Option<(u64, u64)>,
    /// Requests that are not answered yet.
    in_flight: u32,
    /// Whether a node is failing, and its clients are followed.
    node_fails: bool,
    /// Clients whose story is not over: those of a failing node, how many of them were cut, and
    /// those that reconnect.
    homeless: u32,
    cut: u32,
    sampling: u32,
    held: Vec<u32>,
    served: u64,
    recent: Times,
    tally: Tally,
    /// The time of this turn, in microseconds since the test began.
    now: u64,
    buffer: Box<[u8]>,
    received: Vec<Received>,
    /// Whether it begins no more connections.
    opens_none: bool,
    ended: bool,
}

impl Common {
    /// The common part of `order`.
    pub(super) fn of(order: &Order) -> Common {
        Common {
            began: Instant::now(),
            target: order.target,
            url: Arc::new(order.url()),
            names: Names::default(),
            connections: order.connections,
            workers: order.workers,
            sources: order.sources,
            rate: order.rate,
            messages_per_second: order.messages_per_second,
            timeout: micros(order.timeout),
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
            clients: (0..share).map(|_| Client::default()).collect(),
            timers: Wheel::new(common.now() / 1_000),
            next_new: 0,
            reconnects: VecDeque::new(),
            opening: 0,
            schedule: Schedule::new(messages_per_second, connections, number, workers),
            cycle: TurnCycle::default(),
            counting: None,
            in_flight: 0,
            node_fails: false,
            homeless: 0,
            cut: 0,
            sampling: 0,
            held: Vec::new(),
            served: 0,
            recent: Times::default(),
            tally: Tally::default(),
            now: common.now(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            received: Vec::new(),
            opens_none: false,
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
            self.send_due();
            self.set_alarm()?;
            match self.poll.poll(&mut events, self.poll_timeout()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.now = self.common.now();
            for event in &events {
                self.handle_event(event);
            }
            self.timers.expire(self.now / 1_000, &mut expired);
            for index in expired.drain(..) {
                self.handle_timer(index);
            }
        }
        Ok(std::mem::take(&mut self.tally))
    }

    // Private

    fn handle_event(&mut self, event: &Event) {
        match EventSource::from(event.token()) {
            EventSource::Connection(index) => self.handle_client_event(index, event),
            EventSource::SideRequest(index) => self.handle_side_request_event(index, event),
            EventSource::Inbox => self.handle_commands(),
            EventSource::Alarm => self.alarm.expired(),
        }
    }

    /// How long the worker may wait for events, apart from the alarm.
    fn poll_timeout(&self) -> Option<Duration> {
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
    fn handle_timer(&mut self, index: u32) {
        let failure = |kind, what: &str| Some(LoadError::new(kind, what));
        let first = self.common.url.first_method();
        let failure = match &mut self.clients[index as usize].phase {
            Phase::Waiting => {
                self.reconnects.push_back(index);
                None
            }
            Phase::Opening { connection, .. } if connection.stream.peer_addr().is_err() => {
                failure(Kind::ConnectTimeout, "not connected in time")
            }
            Phase::Opening { .. } => failure(
                Kind::AnswerTimeout,
                &format!("connected, and `{first}` not answered in time"),
            ),
            Phase::Held { pending: Some(_), .. } => {
                failure(Kind::AnswerTimeout, "a ping was not answered in time")
            }
            Phase::Held { pending: None, .. } => None,
        };
        if let Some(failure) = failure {
            self.connection_lost(index, &failure);
        }
    }

    /// Starts the timer for what a client begins now.
    fn arm(&mut self, index: u32) {
        self.timers
            .arm(index, self.now.saturating_add(self.common.timeout) / 1_000);
    }

    /// The number of the client in `index` among all clients.
    fn client_number(&self, index: u32) -> u32 {
        index * u32::from(self.common.workers) + u32::from(self.number)
    }

    /// The source address of the client in `index`.
    fn address(&self, index: u32) -> Option<IpAddr> {
        self.common.sources.of(self.client_number(index))
    }
}

/// Whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

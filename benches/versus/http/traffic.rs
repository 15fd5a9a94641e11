//! Requests and messages of upgraded connections, by balancers that run side by side.

use std::io;

use super::{Bench, Row, messages};
use crate::contender::Running;
use crate::load::{self, Protocol};
use crate::turns::{Turns, microseconds, service};

/// The fixed rate, as a share of the slowest balancer's maximum.
const PACE: f64 = 0.4;
/// Connections that have requests at the same time.
const FEW: usize = 4;
const MANY: usize = 64;

impl Bench<'_> {
    /// All measurements of balancers that run side by side.
    pub(super) fn traffic(&mut self) -> io::Result<()> {
        let contenders = self.turns.contenders.clone().into_iter();
        let running: Vec<Running> = contenders
            .map(|contender| self.start(contender, true))
            .collect::<io::Result<_>>()?;
        let noise = Turns::<Row>::noise(&running);
        self.keep_alive(&running)?;
        self.connects(&running)?;
        self.websockets(&running)?;
        self.paced(&running)?;
        self.turns.end_noise(&noise, &running);
        self.calls(&running)
    }

    // Private

    fn keep_alive(&mut self, running: &[Running]) -> io::Result<()> {
        let (plain, session) = (messages::requests(), messages::session());
        self.turns.take("requests", self.rounds(), running, |turns, it| {
            let few = echo(turns, it, &plain, FEW)?;
            turns.add(Row::RequestCpu4, it, few.cpu_each());
            let many = echo(turns, it, &plain, MANY)?;
            turns.add(Row::RequestCpu64, it, many.cpu_each());
            turns.add(Row::Requests, it, many.rate());
            let session = echo(turns, it, &session, MANY)?;
            turns.add(Row::SessionCpu, it, session.cpu_each());
            Ok(())
        })
    }

    fn connects(&mut self, running: &[Running]) -> io::Result<()> {
        let plain = messages::requests();
        self.turns.take("connect", self.rounds(), running, |turns, it| {
            let service = service(it, &plain);
            let sample = turns.sample(it, |sources, window| {
                load::connects::run(service, sources, window)
            })?;
            turns.add(Row::ConnectCpu, it, sample.cpu_each());
            Ok(())
        })
    }

    fn websockets(&mut self, running: &[Running]) -> io::Result<()> {
        let websocket = messages::websocket();
        self.turns.take("websocket", self.rounds(), running, |turns, it| {
            let sample = echo(turns, it, &websocket, MANY)?;
            turns.add(Row::WebSocketCpu, it, sample.cpu_each());
            Ok(())
        })
    }

    fn paced(&mut self, running: &[Running]) -> io::Result<()> {
        let plain = messages::requests();
        let Some(rate) = self.rate() else {
            return Ok(());
        };
        let length = self.turns.args.turn();
        self.turns.take("pace", self.rounds(), running, |turns, it| {
            let service = service(it, &plain);
            let latencies = load::paced::run(service, &mut turns.sources, rate, length)?;
            turns.add(Row::Median, it, microseconds(&latencies, 0.50));
            turns.add(Row::P99, it, microseconds(&latencies, 0.99));
            Ok(())
        })
    }

    fn calls(&mut self, running: &[Running]) -> io::Result<()> {
        let (plain, websocket) = (messages::requests(), messages::websocket());
        self.turns.take("calls", 1, running, |turns, it| {
            let (requests, messages) = (service(it, &plain), service(it, &websocket));
            turns.add_calls(Row::RequestCalls, it, |sources, window| {
                load::echo::run(MANY, requests, sources, window)
            })?;
            turns.add_calls(Row::ConnectCalls, it, |sources, window| {
                load::connects::run(requests, sources, window)
            })?;
            turns.add_calls(Row::WebSocketCalls, it, |sources, window| {
                load::echo::run(MANY, messages, sources, window)
            })
        })
    }

    fn rounds(&self) -> usize {
        self.turns.args.rounds()
    }

    /// The rate in requests per second that all balancers can serve.
    fn rate(&self) -> Option<f64> {
        let contenders = self.turns.contenders.iter();
        let rates = contenders.filter_map(|it| self.turns.figures.median(Row::Requests, *it));
        let slowest = rates.min_by(f64::total_cmp);
        self.turns.args.rate.or(slowest.map(|slowest| slowest * PACE))
    }
}

// Private

fn echo(
    turns: &mut Turns<'_, Row>,
    it: &Running,
    protocol: &Protocol,
    connections: usize,
) -> io::Result<load::Sample> {
    let service = service(it, protocol);
    turns.sample(it, |sources, window| {
        load::echo::run(connections, service, sources, window)
    })
}

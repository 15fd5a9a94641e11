//! Many streams of events: the memory of idle ones, what an event costs, and how long it takes.

use std::io;
use std::thread;
use std::time::Duration;

use super::{Bench, FEW_ROUNDS, Row, SETTLE, messages};
use crate::contender::Running;
use crate::load::streams::Streams;
use crate::load::{Sources, Window};
use crate::turns::{ADDRESSES, count, microseconds};

/// Events per second, all streams together, while latencies are measured.
const RATE: u32 = 1_000;

impl Bench<'_> {
    /// Streams through each balancer, and to the nodes directly.
    pub(super) fn streams(&mut self) -> io::Result<()> {
        let rounds = self.turns.args.rounds().min(FEW_ROUNDS);
        for _ in (0..rounds).filter(|_| self.turns.args.wants("streams")) {
            let direct = self.direct()?;
            for contender in self.turns.contenders.clone() {
                let it = self.start(contender, true)?;
                thread::sleep(SETTLE);
                self.streams_turn(&it, &direct)
                    .map_err(|error| io::Error::other(format!("streams, {}: {error}", contender.name())))?;
            }
        }
        Ok(())
    }

    // Private

    /// The latencies of events without a balancer.
    fn direct(&mut self) -> io::Result<Vec<Duration>> {
        let mut streams = self.open(&self.nodes.addresses.clone())?;
        streams.latencies(&self.nodes, RATE, self.turns.args.turn())
    }

    fn streams_turn(&mut self, it: &Running, direct: &[Duration]) -> io::Result<()> {
        let meter = it.meter();
        let before = meter.memory();
        let mut streams = self.open(&[it.address])?;
        thread::sleep(SETTLE);
        let more = count(meter.memory().saturating_sub(before));
        self.turns.add(Row::StreamMemory, it, more / count(self.count()));
        let cpu = || meter.cpu();
        let window = Window::new(self.turns.args.turn(), &cpu);
        let sample = streams.fan_out(&self.nodes, window)?;
        self.turns.add(Row::EventCpu, it, sample.cpu_each());
        let latencies = streams.latencies(&self.nodes, RATE, self.turns.args.turn())?;
        for (row, quantile) in [(Row::EventMedian, 0.50), (Row::EventP99, 0.99)] {
            let added = microseconds(&latencies, quantile) - microseconds(direct, quantile);
            self.turns.add(row, it, added);
        }
        Ok(())
    }

    fn open(&self, targets: &[std::net::SocketAddr]) -> io::Result<Streams> {
        let mut sources = Sources::new(ADDRESSES, 1);
        Streams::open(self.count(), targets, &messages::events(), &mut sources)
    }

    fn count(&self) -> usize {
        self.turns.args.streams()
    }
}

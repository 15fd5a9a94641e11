//! The memory of balancers: idle connections, clients that never read, and large uploads.

use std::io;
use std::thread;
use std::time::Duration;

use super::{Bench, Row, SETTLE, messages};
use crate::contender::Running;
use crate::load::held::Held;
use crate::load::stuck::Stuck;
use crate::load::{Protocol, Sources, uploads};
use crate::meter;
use crate::turns::{ADDRESSES, count, service};

/// Idle connections.
const IDLE: usize = 8_000;
const IDLE_QUICK: usize = 2_000;
/// Clients from each address.
const FROM_EACH: u32 = 10;
/// Clients that never read.
const STUCK: usize = 500;
const STUCK_QUICK: usize = 50;
/// The time in which everything between a node and a client that never reads gets full.
const FILLED: Duration = Duration::from_secs(3);
/// Uploads at the same time.
const UPLOADS: usize = 4;
/// The length of an upload before those that are measured: buffers that are there for all exist
/// then.
const WARM_UP: u64 = 64 << 20;
const QUICK: u64 = 128 << 20;

impl Bench<'_> {
    /// Connections that do nothing.
    pub(super) fn idle(&mut self) -> io::Result<()> {
        let all = [
            (Row::IdleMemory, messages::requests()),
            (Row::WebSocketMemory, messages::websocket()),
        ];
        for (row, protocol) in all {
            self.with_fresh("idle", false, |bench, it| bench.idle_turn(row, &protocol, it))?;
        }
        Ok(())
    }

    /// Clients that ask for an endless answer, and never read it.
    pub(super) fn stuck(&mut self) -> io::Result<()> {
        let clients = if self.turns.args.quick { STUCK_QUICK } else { STUCK };
        let request = messages::download();
        self.with_fresh("stuck", false, |bench, it| {
            let meter = it.meter();
            let (before, kernel) = (meter.memory(), meter::kernel_memory());
            let _stuck = Stuck::http(clients, it.address, &request, &mut bench.turns.sources)?;
            thread::sleep(FILLED);
            let more = count(meter.memory().saturating_sub(before));
            let in_kernel = count(meter::kernel_memory().saturating_sub(kernel));
            bench.turns.add(Row::StuckMemory, it, more / count(clients));
            let kilobytes = in_kernel / 1024.0;
            bench.turns.add(Row::StuckKernel, it, kilobytes / count(clients));
            Ok(())
        })
    }

    /// Requests with large bodies.
    pub(super) fn uploads(&mut self) -> io::Result<()> {
        let length = if self.turns.args.quick {
            QUICK
        } else {
            self.turns.args.upload << 30
        };
        self.with_fresh("upload", false, |bench, it| {
            let (meter, sources) = (it.meter(), &mut bench.turns.sources);
            let request = messages::upload(WARM_UP);
            uploads::run(UPLOADS, WARM_UP, it.address, &request, sources, &meter)?;
            let before = meter.memory();
            let request = messages::upload(length);
            let uploaded = uploads::run(UPLOADS, length, it.address, &request, sources, &meter)?;
            let more = uploaded.peak.saturating_sub(before);
            let megabytes = count(length) * count(UPLOADS) / 1e6;
            let turns = &mut bench.turns;
            turns.add(Row::UploadMemory, it, count(more) / count(UPLOADS));
            turns.add(Row::UploadCpu, it, uploaded.cpu.as_secs_f64() * 1e6 / megabytes);
            turns.add(Row::Upload, it, megabytes / uploaded.elapsed.as_secs_f64());
            Ok(())
        })
    }

    // Private

    fn idle_turn(&mut self, row: Row, protocol: &Protocol, it: &Running) -> io::Result<()> {
        let connections = if self.turns.args.quick { IDLE_QUICK } else { IDLE };
        let meter = it.meter();
        let before = meter.memory();
        let mut sources = Sources::new(ADDRESSES, FROM_EACH);
        let mut held = Held::open(connections, service(it, protocol), &mut sources);
        thread::sleep(SETTLE);
        let more = meter.memory().saturating_sub(before);
        let alive = held.alive();
        if alive < connections {
            return Err(io::Error::other(format!(
                "only {alive} of {connections} connections answer"
            )));
        }
        self.turns.add(row, it, count(more) / count(alive));
        Ok(())
    }
}

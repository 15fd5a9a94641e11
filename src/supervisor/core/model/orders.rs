//! Orders to the core: each is answered, refused or not, and the oracle learns which.

use std::fmt::Write;
use std::time::Duration;

use tokio::sync::oneshot;

use super::cluster::resized;
use super::driver::{Driver, Judged};
use super::waiting::{Waiting, answered};
use crate::api::{DrainOrder, ReadyOrder, RestartOrder, StartOrder, StopOrder};
use crate::base::units::Period;
use crate::profile::Node;
use crate::supervisor::event::{CoreEvent, Request};
use crate::supervisor::prepare::Prepared;
use crate::supervisor::process::child::State;
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::ChildId;

impl Driver {
    pub(super) fn drain(&mut self, node: u8, stop: bool, close: bool, force: bool) -> Judged {
        let order = DrainOrder {
            node: self.name(node),
            deadline: close.then(|| Period::from(Duration::ZERO)),
            close,
            stop,
            force,
        };
        let (reply, mut answer) = oneshot::channel();
        let before = self
            .oracle
            .others_serve(&order.node, &self.world, self.core.as_ref());
        self.handle(Request::Drain(order.clone(), reply));
        let refusal = answered(&mut answer);
        self.oracle.drained(&order, refusal.as_ref(), before)?;
        if refusal.is_none() {
            self.oracle.wait(Waiting::about_node("drain", self.now, answer));
        }
        self.turn()
    }

    pub(super) fn ready(&mut self, node: u8) -> Judged {
        let order = ReadyOrder {
            node: self.name(node),
        };
        let (reply, mut answer) = oneshot::channel();
        self.handle(Request::Ready(order.clone(), reply));
        let refusal = answered(&mut answer);
        self.oracle.made_ready(&order.node, refusal.as_ref())?;
        if refusal.is_none() {
            self.oracle.wait(Waiting::about_node("ready", self.now, answer));
        }
        self.turn()
    }

    pub(super) fn restart(&mut self, node: Option<u8>) -> Judged {
        let order = RestartOrder {
            node: node.map(|node| self.name(node)),
        };
        let (reply, mut answer) = oneshot::channel();
        self.handle(Request::Restart(order.clone(), reply));
        let accepted = immediate("restart", &mut answer)?;
        if accepted {
            self.oracle.restarted(order.node.as_deref());
        }
        self.turn()
    }

    pub(super) fn start(&mut self) -> Judged {
        let order = StartOrder {
            balancer: self.spec.balancer.kind(),
            only: None,
        };
        let (reply, mut answer) = oneshot::channel();
        self.handle(Request::Start(order, reply));
        if immediate("start", &mut answer)? {
            self.oracle.forgive();
        }
        self.turn()
    }

    pub(super) fn stop(&mut self) -> Judged {
        let order = StopOrder {
            grace: Period::default(),
            announce: Period::default(),
            over: Period::default(),
        };
        let (reply, mut answer) = oneshot::channel();
        self.handle(Request::Stop(order, reply));
        if !immediate("stop", &mut answer)? {
            return Err("a stop was refused".to_owned());
        }
        self.oracle.stopped();
        self.turn()
    }

    pub(super) fn reload(&mut self, changed: bool) -> Judged {
        let Some(core) = &self.core else { return Ok(()) };
        let mut files = core.files.clone();
        if changed {
            self.reloads += 1;
            let _written = writeln!(files[0].content, "# {}", self.reloads);
        }
        let prepared = Prepared::of(Spec::clone(&core.spec), files);
        self.put_in_force(prepared)
    }

    /// A reload with another number of nodes.
    pub(super) fn resize(&mut self, count: u8) -> Judged {
        let Some(core) = &self.core else { return Ok(()) };
        // A node comes back only when its process has ended.
        if !core.spec.former.is_empty() || core.reloads.any() {
            return Ok(());
        }
        let spec = resized(&core.spec, count);
        let files = spec.files().map_err(|error| error.to_string())?;
        self.put_in_force(Prepared::of(spec, files))
    }

    /// Starts nodes that are part of the cluster, and were not started with it.
    pub(super) fn start_new_nodes(&mut self) -> Judged {
        let Some(core) = &self.core else { return Ok(()) };
        let is_new = |node: &Node| {
            let is_stopped = core.children.state(ChildId::Node(node.id)) == Some(&State::Stopped);
            is_stopped && !self.oracle.stopped_by_drain.contains(&node.name)
        };
        let is_idle = core.shutdown.is_none() && core.waves.outcome.is_some();
        if is_idle && core.spec.cluster.nodes.iter().any(is_new) {
            return self.start();
        }
        Ok(())
    }

    // Private

    fn put_in_force(&mut self, prepared: Prepared) -> Judged {
        let (reply, mut answer) = oneshot::channel();
        match &mut self.core {
            Some(core) if core.refuse_while_busy().is_ok() => core.reload(prepared, reply, self.now),
            _ => return Ok(()),
        }
        // It is answered at once when nothing is to be done.
        if answer.try_recv().is_err() {
            self.oracle.wait(Waiting::long("reload", answer));
        }
        self.turn()
    }

    fn handle(&mut self, request: Request) {
        if let Some(core) = &mut self.core {
            core.handle(CoreEvent::Request(request), self.now);
        }
    }

    fn name(&self, node: u8) -> String {
        let node = self.spec.cluster.nodes.get(usize::from(node));
        node.map_or_else(|| "nowhere".to_owned(), |node| node.name.clone())
    }
}

// Private

/// Whether an order that is answered at once was accepted.
fn immediate<T, E>(what: &str, answer: &mut oneshot::Receiver<Result<T, E>>) -> Result<bool, String> {
    match answer.try_recv() {
        Ok(answer) => Ok(answer.is_ok()),
        Err(_) => Err(format!("the {what} was not answered")),
    }
}

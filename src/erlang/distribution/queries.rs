//! Queries to a node, each in one round trip.
//!
//! The queries are Erlang expressions. Work on each of many processes or ports is done by functions
//! of OTP, applied by other functions of OTP; only the code around them is interpreted. So a node
//! with 25,000 processes answers in a fraction of a second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::connection::Connection;
use super::error::{Error, Why};
use super::syntax::flat;
use super::term::{Identity, Term};

/// The most processes or ports that are inspected.
pub const MAX_SAMPLE: usize = 100_000;

/// How many processes are listed.
const TOP: i64 = 10;

/// The vitals of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// Its OTP release, `25`.
    pub otp_release: String,
    /// How long it has been running.
    pub uptime_seconds: u64,
    /// Its memory by kind.
    pub memory: Memory,
    /// The number of its processes.
    pub processes: u64,
    /// The limit of its processes.
    pub process_limit: u64,
    /// The number of its ports; each TCP connection is one.
    pub ports: u64,
    /// The limit of its ports.
    pub port_limit: u64,
    /// Processes and ports that wait to run: if there are more than schedulers, the node is
    /// overloaded.
    pub run_queue: u64,
    /// Its schedulers, usually one per processor.
    pub schedulers: u64,
    /// The nodes that it is connected to, by their full names; not the hidden ones.
    pub connected: Vec<String>,
}

/// A node's memory by kind, in bytes, as reported by `erlang:memory/0`. `total` is `processes` plus
/// `system`; the others are parts of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is Erlang's own word")]
pub struct Memory {
    pub total: u64,
    pub processes: u64,
    pub processes_used: u64,
    pub system: u64,
    pub atom: u64,
    pub atom_used: u64,
    pub binary: u64,
    pub code: u64,
    pub ets: u64,
}

/// A node's processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Processes {
    /// How many there are.
    pub count: u64,
    /// The most that there may be.
    pub limit: u64,
    /// How many processes and ports wait to run.
    pub run_queue: u64,
    /// How many were inspected; fewer than all only if there are very many.
    pub looked_at: u64,
    /// Those with the most memory, the largest first.
    pub by_memory: Vec<Process>,
    /// Those with the longest message queue, the longest first, if any has a queue.
    pub by_queue: Vec<Process>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// As the node's own shell shows it.
    pub pid: String,
    /// The name that it is registered by, or the function that it began with.
    pub name: String,
    /// Its memory in bytes.
    pub memory: u64,
    /// Messages in its queue.
    pub queue: u64,
    /// Its work so far, in Erlang's unit.
    pub reductions: u64,
    /// The function that it executes.
    pub current: String,
}

/// A node's ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ports {
    /// How many there are.
    pub count: u64,
    /// The most that there may be.
    pub limit: u64,
    /// How many were inspected; fewer than all only if there are very many.
    pub looked_at: u64,
    /// The number of ports for each name, such as `tcp_inet`.
    pub by_name: BTreeMap<String, u64>,
}

/// The nodes that a node knows, without this client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nodes {
    /// The node itself.
    pub node: String,
    /// Those that it is connected to, and that are connected to one another.
    pub connected: Vec<String>,
    /// Those that it is connected to and that no other node knows.
    pub hidden: Vec<String>,
    /// Those that it knows and is not connected to; this includes, for a minute, those that are
    /// gone.
    pub known: Vec<String>,
}

const VITALS: &str = "
#{otp_release => erlang:system_info(otp_release),
  uptime => element(1, erlang:statistics(wall_clock)),
  memory => erlang:memory(),
  processes => erlang:system_info(process_count),
  process_limit => erlang:system_info(process_limit),
  ports => erlang:system_info(port_count),
  port_limit => erlang:system_info(port_limit),
  run_queue => erlang:statistics(total_run_queue_lengths),
  schedulers => erlang:system_info(schedulers_online),
  connected => nodes()}.";

/// `Top` uses a process's own measure, `{memory, 2704}`, in front of its pid, so the node's own
/// sort works.
const PROCESSES: &str = "
Looked = lists:sublist(erlang:processes() -- [self()], Sample),
Top = fun(Measure) ->
    Measures = lists:zipwith(fun erlang:process_info/2, Looked, lists:duplicate(length(Looked), Measure)),
    Sorted = lists:reverse(lists:sort(lists:zip(Measures, Looked))),
    [Pid || {{_, Size}, Pid} <- lists:sublist(Sorted, Count), Size > 0]
end,
Tell = fun(Pid) ->
    Facts = erlang:process_info(Pid, [registered_name, memory, message_queue_len, reductions, current_function]),
    {Pid, Facts, proc_lib:translate_initial_call(Pid)}
end,
#{count => erlang:system_info(process_count),
  limit => erlang:system_info(process_limit),
  run_queue => erlang:statistics(total_run_queue_lengths),
  looked_at => length(Looked),
  by_memory => [Tell(Pid) || Pid <- Top(memory)],
  by_queue => [Tell(Pid) || Pid <- Top(message_queue_len)]}.";

const PORTS: &str = "
Looked = lists:sublist(erlang:ports(), Sample),
#{count => erlang:system_info(port_count),
  limit => erlang:system_info(port_limit),
  names => lists:zipwith(fun erlang:port_info/2, Looked, lists:duplicate(length(Looked), name))}.";

const NODES: &str = "
#{node => node(), connected => nodes(), hidden => nodes(hidden), known => nodes(known)}.";

impl Connection {
    /// Queries the vitals.
    ///
    /// # Errors
    /// If there is no answer by the deadline.
    pub async fn vitals(&mut self, deadline: Instant) -> Result<Vitals, Error> {
        let answer = self.eval(VITALS, &[], deadline).await?;
        vitals(&answer).ok_or_else(|| self.error(Why::Unexpected("its vitals")))
    }

    /// Queries the largest processes.
    ///
    /// # Errors
    /// If there is no answer by the deadline.
    pub async fn processes(&mut self, deadline: Instant) -> Result<Processes, Error> {
        let bound = [("Count", Term::Integer(TOP)), ("Sample", sample())];
        let answer = self.eval(PROCESSES, &bound, deadline).await?;
        processes(&answer, self.node()).ok_or_else(|| self.error(Why::Unexpected("its processes")))
    }

    /// Queries the ports.
    ///
    /// # Errors
    /// If there is no answer by the deadline.
    pub async fn ports(&mut self, deadline: Instant) -> Result<Ports, Error> {
        let answer = self.eval(PORTS, &[("Sample", sample())], deadline).await?;
        ports(&answer).ok_or_else(|| self.error(Why::Unexpected("its ports")))
    }

    /// Queries the nodes that it knows.
    ///
    /// # Errors
    /// If there is no answer by the deadline.
    pub async fn nodes(&mut self, deadline: Instant) -> Result<Nodes, Error> {
        let answer = self.eval(NODES, &[], deadline).await?;
        nodes(&answer, self.own()).ok_or_else(|| self.error(Why::Unexpected("its nodes")))
    }
}

// Private

fn sample() -> Term {
    Term::Integer(i64::try_from(MAX_SAMPLE).unwrap_or(i64::MAX))
}

fn vitals(answer: &Term) -> Option<Vitals> {
    let number = |key| answer.get(key)?.as_u64();
    Some(Vitals {
        otp_release: answer.get("otp_release")?.as_text()?,
        uptime_seconds: number("uptime")? / 1_000,
        memory: memory(answer.get("memory")?)?,
        processes: number("processes")?,
        process_limit: number("process_limit")?,
        ports: number("ports")?,
        port_limit: number("port_limit")?,
        run_queue: number("run_queue")?,
        schedulers: number("schedulers")?,
        connected: names(answer.get("connected")?)?,
    })
}

fn memory(kinds: &Term) -> Option<Memory> {
    let bytes = |kind| kinds.get(kind)?.as_u64();
    Some(Memory {
        total: bytes("total")?,
        processes: bytes("processes")?,
        processes_used: bytes("processes_used")?,
        system: bytes("system")?,
        atom: bytes("atom")?,
        atom_used: bytes("atom_used")?,
        binary: bytes("binary")?,
        code: bytes("code")?,
        ets: bytes("ets")?,
    })
}

fn processes(answer: &Term, home: &Identity) -> Option<Processes> {
    let number = |key| answer.get(key)?.as_u64();
    // A process that has ended in between is left out.
    let list = |key| {
        let items = answer.get(key)?.as_list()?.iter();
        Some(items.filter_map(|item| process(item, home)).collect())
    };
    Some(Processes {
        count: number("count")?,
        limit: number("limit")?,
        run_queue: number("run_queue")?,
        looked_at: number("looked_at")?,
        by_memory: list("by_memory")?,
        by_queue: list("by_queue")?,
    })
}

fn process(item: &Term, home: &Identity) -> Option<Process> {
    let [pid, facts, initial] = item.as_tuple()? else {
        return None;
    };
    let number = |key| facts.get(key)?.as_u64();
    let name = match facts.get("registered_name").and_then(Term::as_atom) {
        Some(name) => name.to_owned(),
        None => function(initial)?,
    };
    Some(Process {
        pid: flat(pid, home),
        name,
        memory: number("memory")?,
        queue: number("message_queue_len")?,
        reductions: number("reductions")?,
        current: facts
            .get("current_function")
            .and_then(function)
            .unwrap_or_default(),
    })
}

/// `{lists, map, 2}` as `lists:map/2`.
fn function(term: &Term) -> Option<String> {
    let [module, function, arity] = term.as_tuple()? else {
        return None;
    };
    Some(format!(
        "{}:{}/{}",
        module.as_atom()?,
        function.as_atom()?,
        arity.as_u64()?
    ))
}

fn ports(answer: &Term) -> Option<Ports> {
    let number = |key| answer.get(key)?.as_u64();
    let mut by_name = BTreeMap::new();
    let mut looked_at = 0;
    // A port that was closed in between has no name.
    let names = answer.get("names")?.as_list()?.iter();
    for name in names.filter_map(|name| name.as_tuple()?.get(1)?.as_text()) {
        looked_at += 1;
        *by_name.entry(name).or_default() += 1;
    }
    Some(Ports {
        count: number("count")?,
        limit: number("limit")?,
        looked_at,
        by_name,
    })
}

/// A list of names, in their order.
fn names(list: &Term) -> Option<Vec<String>> {
    let names = list.as_list()?.iter().filter_map(Term::as_atom);
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    Some(names)
}

fn nodes(answer: &Term, own: &Identity) -> Option<Nodes> {
    let list = |key| {
        let mut names = names(answer.get(key)?)?;
        names.retain(|name| name != own.name.text());
        Some(names)
    };
    let node = answer.get("node")?.as_atom()?.to_owned();
    let (connected, hidden, mut known): (Vec<String>, Vec<String>, Vec<String>) =
        (list("connected")?, list("hidden")?, list("known")?);
    known.retain(|name| *name != node && !connected.contains(name) && !hidden.contains(name));
    Some(Nodes {
        node,
        connected,
        hidden,
        known,
    })
}

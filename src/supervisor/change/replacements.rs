//! Which nodes need a new process, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::profile::{Cluster, Node, Runtime};
use crate::supervisor::spec::Spec;

/// A node that runs, and the same node as it is wanted.
#[derive(Clone, Copy)]
pub(super) struct NodeChange<'a> {
    pub(super) running_spec: &'a Spec,
    pub(super) running: &'a Node,
    pub(super) target_spec: &'a Spec,
    pub(super) target: &'a Node,
    /// Whether this supervisor starts and stops nodes; otherwise all of them are external.
    pub(super) owns_nodes: bool,
}

impl NodeChange<'_> {
    /// Why the running process cannot stay, as keys of the profile; empty if it can.
    ///
    /// What follows from the other nodes, such as a node's share of the processors, is not a reason:
    /// more nodes are added without a restart of those that run.
    pub(super) fn reasons(self) -> Vec<String> {
        let runtime = |spec: &Spec| (spec.cluster.runtime, spec.cluster.erlmcp.is_some());
        if self.owns_nodes && runtime(self.running_spec) != runtime(self.target_spec) {
            return vec!["`nodes.runtime`".to_owned()];
        }
        if !self.owns_nodes || self.target_spec.cluster.runtime == Runtime::External {
            let has_moved = !self.running.addresses().eq(self.target.addresses());
            return has_moved.then(|| "its address".to_owned()).into_iter().collect();
        }
        let mut reasons: Vec<String> = [self.addresses(), self.program(), self.limits()]
            .concat()
            .into_iter()
            .map(|key| format!("`{key}`"))
            .collect();
        reasons.extend(self.variables());
        if reasons.is_empty() && self.is_filled_differently() {
            reasons.push("its number".to_owned());
        }
        reasons
    }

    // Private

    fn clusters(&self) -> [&Cluster; 2] {
        [&self.running_spec.cluster, &self.target_spec.cluster]
    }

    fn addresses(self) -> Vec<&'static str> {
        let (was, is) = (self.running, self.target);
        let port = |at: Option<SocketAddr>| at.map(|at| at.port());
        differing([
            ("nodes.address", was.address != is.address),
            ("nodes.tcp_port", port(was.tcp) != port(is.tcp)),
            ("nodes.http_port", port(was.http) != port(is.http)),
            (
                "nodes.erlang.distribution_port",
                was.distribution != is.distribution,
            ),
        ])
    }

    fn program(self) -> Vec<&'static str> {
        let [old, new] = self.clusters();
        match (new.runtime, &old.erlmcp, &new.erlmcp) {
            (Runtime::Command, Some(was), Some(is)) => differing([
                ("nodes.path", was.path != is.path),
                (
                    "nodes.eval",
                    self.target.fill(&was.eval) != self.target.fill(&is.eval),
                ),
                ("nodes.config", was.config != is.config),
                ("binaries.erl", old.binaries.erl != new.binaries.erl),
            ]),
            (Runtime::Command, ..) => {
                let filled = |words: &[String]| -> Vec<String> {
                    words.iter().map(|word| self.target.fill(word)).collect()
                };
                let directory = |cluster: &Cluster| cluster.directory.as_ref().map(|it| self.target.fill(it));
                differing([
                    ("nodes.command", filled(&old.command) != filled(&new.command)),
                    ("nodes.directory", directory(old) != directory(new)),
                ])
            }
            (Runtime::Erlang, ..) => {
                let (was, is) = (&old.erlang, &new.erlang);
                differing([
                    ("nodes.erlang.busy_wait", was.busy_wait != is.busy_wait),
                    (
                        "nodes.erlang.fullsweep_after",
                        was.fullsweep_after != is.fullsweep_after,
                    ),
                    ("nodes.erlang.idle_after", was.idle_after != is.idle_after),
                    ("nodes.erlang.arguments", was.arguments != is.arguments),
                    ("binaries.erl", old.binaries.erl != new.binaries.erl),
                ])
            }
            (Runtime::Embedded | Runtime::External, ..) => Vec::new(),
        }
    }

    /// A limit of the process that the profile has changed. A program gets descriptors only, and
    /// their number stays the same for most limits.
    fn limits(self) -> Vec<&'static str> {
        let [was, is] = [self.running_spec, self.target_spec].map(|spec| {
            let nodes = &spec.plan.nodes;
            let is_program = spec.cluster.runtime == Runtime::Command && spec.cluster.erlmcp.is_none();
            (nodes.nofile, (!is_program).then_some(nodes.maxconn))
        });
        differing([(
            "nodes.maxconn",
            self.running.maxconn != self.target.maxconn && was != is,
        )])
    }

    /// The names of variables that differ. Their values may be secrets.
    fn variables(self) -> Vec<String> {
        if self.running_spec.node_environment.is_newer() {
            return vec!["the variables of `nodes.environment_file`".to_owned()];
        }
        let of = |spec: &Spec, cluster: &Cluster| -> BTreeMap<_, _> {
            let variables = spec.node_environment.of(cluster, self.target);
            variables.into_iter().collect()
        };
        let [old, new] = self.clusters();
        let (was, is) = (of(self.running_spec, old), of(self.target_spec, new));
        let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
        let changed = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
        changed
            .map(|name| format!("the variable `{}`", name.to_string_lossy()))
            .collect()
    }

    /// Whether only the node's number makes a difference to its program.
    fn is_filled_differently(self) -> bool {
        let cluster = &self.target_spec.cluster;
        let differs = |text: &str| self.running.fill(text) != self.target.fill(text);
        let command = cluster.command.iter().chain(&cluster.directory);
        let words = command.chain(cluster.erlmcp.as_ref().map(|erlmcp| &erlmcp.eval));
        let mut variables = cluster.environment.values();
        let is_run = cluster.runtime == Runtime::Command;
        is_run && (words.map(String::as_str).any(differs) || variables.any(|it| differs(it.expose())))
    }
}

// Private

/// The keys that differ.
fn differing<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    let differing = keys.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(key, _)| key).collect()
}

//! What a change does, and what it costs.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::moved_clients::Share;
use super::replacements::NodeChange;
use super::serving::Limited;
use crate::api::{BalancerChange, ChangePlan, Only};
use crate::balancer::{self, ReloadBy};
use crate::base::units::{Period, grouped};
use crate::profile::{Cluster, HashKey, Node, Runtime, Sticky, difference};
use crate::render;
use crate::supervisor::overrides::listed;
use crate::supervisor::prepare::needs_new_process;
use crate::supervisor::spec::Spec;

/// What is known of the running cluster and of the order.
#[derive(Clone, Debug, Default)]
pub(in crate::supervisor) struct Facts {
    /// The connections of each node now, by its name.
    pub(in crate::supervisor) connections: BTreeMap<String, u64>,
    /// The clients that stick to each node by their address, by its name, as far as they are known.
    pub(in crate::supervisor) sticky_clients: BTreeMap<String, u64>,
    /// The time after which connections of a drained node are closed; `None` if they are not.
    pub(in crate::supervisor) close_after: Option<Period>,
    /// Whether all nodes get new processes, although nothing has changed for them.
    pub(in crate::supervisor) is_restart: bool,
    /// Whether this supervisor starts and stops nodes; otherwise all of them are external.
    pub(in crate::supervisor) owns_nodes: bool,
    /// The node that is replaced although no other node serves, by its name.
    pub(in crate::supervisor) last: Option<String>,
    /// Groups that are smaller than wanted, so that one node serves.
    pub(in crate::supervisor) limited: Limited,
    /// Addresses that nodes or listeners cannot get, as sentences.
    pub(in crate::supervisor) taken: Vec<String>,
}

/// The plan of the change from `now` to `next`.
pub(in crate::supervisor) fn change_plan(now: &Spec, next: &Spec, facts: &Facts) -> ChangePlan {
    let nodes = Nodes::new(now, next, facts);
    let balancer = balancer_change(now, next);
    let connections = nodes.gone().filter_map(|name| facts.connections.get(name)).sum();
    let (moved_clients, about_clients) = moved_clients(now, next, &nodes, facts);
    let sentences = [
        changed_values(now, next, &nodes),
        nodes.sentences(!facts.owns_nodes || next.cluster.runtime == Runtime::External),
        about_serving(facts),
        about_connections(connections, facts).into_iter().collect(),
        sessions(now, &nodes).into_iter().collect(),
        about_clients,
        about_balancer(now, next, balancer).into_iter().collect(),
        capacity(now, next).into_iter().collect(),
        balancer::warnings(&now.plan, &next.plan),
    ];
    ChangePlan {
        balancer,
        connections,
        moved_clients,
        outage: facts.last.is_some(),
        sentences: sentences.concat(),
        impossible: impossible(now, next, facts),
        added: nodes.added,
        replaced: nodes.replaced.into_iter().flat_map(|(names, _)| names).collect(),
        removed: nodes.removed,
    }
}

// Private

/// The nodes that the change concerns, by name.
struct Nodes {
    added: Vec<String>,
    /// Those with the same reasons together, with these reasons.
    replaced: Vec<(Vec<String>, Vec<String>)>,
    removed: Vec<String>,
}

impl Nodes {
    fn new(now: &Spec, next: &Spec, facts: &Facts) -> Nodes {
        let only_in = |nodes: &[Node], others: &Cluster| {
            let only = nodes.iter().filter(|node| others.node(&node.name).is_none());
            only.map(|node| node.name.clone()).collect()
        };
        let mut nodes = Nodes {
            added: only_in(&next.cluster.nodes, &now.cluster),
            replaced: Vec::new(),
            removed: only_in(&now.cluster.nodes, &next.cluster),
        };
        for is in &next.cluster.nodes {
            let Some(was) = now.cluster.node(&is.name) else {
                continue;
            };
            let change = NodeChange {
                running_spec: now.of_node(is.id),
                running: was,
                target_spec: next,
                target: is,
                owns_nodes: facts.owns_nodes,
            };
            let mut reasons = change.reasons();
            if reasons.is_empty() && !facts.is_restart {
                continue;
            }
            if facts.is_restart {
                reasons.clear();
            }
            match nodes.replaced.iter_mut().find(|(_, because)| *because == reasons) {
                Some((names, _)) => names.push(is.name.clone()),
                None => nodes.replaced.push((vec![is.name.clone()], reasons)),
            }
        }
        nodes
    }

    /// Those that get no clients for a while, or for ever.
    fn gone(&self) -> impl Iterator<Item = &String> {
        let replaced = self.replaced.iter().flat_map(|(names, _)| names);
        replaced.chain(&self.removed)
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.gone().next().is_none()
    }

    fn sentences(&self, is_external: bool) -> Vec<String> {
        let mut sentences = Vec::new();
        if !self.added.is_empty() {
            let (names, are) = subject(&self.added);
            let each = if self.added.len() == 1 { "it" } else { "each" };
            sentences.push(format!(
                "{names} {are} added: {each} gets clients once it is healthy"
            ));
        }
        for (replaced, reasons) in &self.replaced {
            let (names, are) = subject(replaced);
            let each = if replaced.len() == 1 {
                "it"
            } else {
                "batch by batch, each"
            };
            if is_external {
                sentences.push(match replaced.len() {
                    1 => format!("{names} moves to another address: the former one is drained"),
                    _ => format!("{names} move to other addresses: the former ones are drained"),
                });
                continue;
            }
            let why = if reasons.is_empty() {
                String::new()
            } else {
                let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
                format!(" for {}", listed(&reasons))
            };
            sentences.push(format!(
                "{names} {are} replaced{why}: {each} is drained, started again, and gets clients once it is healthy"
            ));
        }
        if !self.removed.is_empty() {
            let (names, are) = subject(&self.removed);
            let each = if self.removed.len() == 1 { "it" } else { "each" };
            let end = if is_external { "forgotten" } else { "stopped" };
            sentences.push(format!("{names} {are} removed: {each} is drained, then {end}"));
        }
        sentences
    }
}

/// The names as the subject of a sentence, with its verb.
fn subject(names: &[String]) -> (String, &'static str) {
    let are = if names.len() == 1 { "is" } else { "are" };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (listed(&names), are)
}

/// The values of the profile that differ. Added and removed members have their own sentences.
fn changed_values(now: &Spec, next: &Spec, nodes: &Nodes) -> Vec<String> {
    let changes = difference(&now.launch.source, &next.launch.source).unwrap_or_default();
    let mut sentences = Vec::new();
    for change in changes {
        if ["nodes.count", "nodes.members"].contains(&change.path.as_str()) && !nodes.is_empty() {
            continue;
        }
        sentences.push(change.to_string());
        if change.path == "balancer" {
            let (running, wanted) = (now.launch.balancer, next.cluster.balancer);
            if running != wanted {
                sentences.push(format!(
                    "`balancer` is for the next start: `clusterctl switch {wanted}` replaces {running} now"
                ));
            }
        }
    }
    sentences
}

/// What serves while nodes are away, where that is not what was wanted.
fn about_serving(facts: &Facts) -> Vec<String> {
    let Limited { canary, batch } = facts.limited;
    let canary = canary.map(|(wanted, limited)| {
        format!(
            "a trial with {} instead of {wanted}: one node keeps serving",
            nodes_counted(limited)
        )
    });
    let batch = batch
        .map(|(wanted, limited)| format!("batches of {limited} instead of {wanted}: one node keeps serving"));
    let last = facts.last.as_ref().map(|name| {
        format!("{name} is the only node that serves: new clients are refused until it serves again")
    });
    canary.into_iter().chain(batch).chain(last).collect()
}

fn nodes_counted(count: usize) -> String {
    match count {
        1 => "1 node".to_owned(),
        count => format!("{count} nodes"),
    }
}

fn about_connections(connections: u64, facts: &Facts) -> Option<String> {
    let open = match connections {
        0 => return None,
        1 => "1 connection is open there".to_owned(),
        count => format!("{} connections are open there", grouped(count)),
    };
    Some(match facts.close_after {
        Some(deadline) => format!("{open}: what is left {deadline} after a drain begins is closed"),
        None => format!("{open}: none is closed, the change waits until they end"),
    })
}

fn sessions(now: &Spec, nodes: &Nodes) -> Option<String> {
    let has_sessions = now.cluster.has_http() && now.cluster.routing.http.sticky != Sticky::None;
    (has_sessions && nodes.gone().next().is_some())
        .then(|| "sessions over HTTP there begin again at other nodes".to_owned())
}

/// How many clients get another node although their own may still serve, and the sentences about
/// them.
fn moved_clients(now: &Spec, next: &Spec, nodes: &Nodes, facts: &Facts) -> (u64, Vec<String>) {
    let (kind, cluster) = (now.balancer.kind(), &next.cluster);
    if now.launch.only == Some(Only::Nodes) {
        return (0, Vec::new());
    }
    let remembers = kind.facts().remembers_clients;
    let is_remembered = |key: &str| remembers && render::sticks_by_address(cluster, key);
    let by_address = |key: &str| {
        render::sticks_by_address(cluster, key) || render::hash_key(cluster, key) == Some(HashKey::Address)
    };
    let mut sentences = Vec::new();
    let mut moved = 0;
    if let Some(listeners) = balancer::listeners(cluster, is_remembered)
        && nodes.gone().next().is_some()
    {
        moved += nodes
            .gone()
            .filter_map(|name| facts.sticky_clients.get(name))
            .sum::<u64>();
        let clients = match moved {
            1 => "1 client that sticks to these nodes by its address gets".to_owned(),
            0 => "clients that stick to these nodes by their address get".to_owned(),
            count => format!(
                "{} clients that stick to these nodes by their address get",
                grouped(count)
            ),
        };
        sentences.push(format!("{clients} another one ({listeners})"));
    }
    let share = Share::moved(kind, &now.cluster, cluster);
    let percent = share.percent();
    if let Some(listeners) = balancer::listeners(cluster, |key| by_address(key) && !is_remembered(key))
        && !share.is_zero()
    {
        let known = share.of(facts.sticky_clients.values().sum());
        moved += known;
        let count = match known {
            0 => String::new(),
            count => format!(", {} now", grouped(count)),
        };
        sentences.push(format!(
            "about {percent} % of the clients get another node ({listeners}{count}): \
             {kind} computes it from the address and the list of nodes"
        ));
    }
    let by_path = |key: &str| render::hash_key(cluster, key) == Some(HashKey::Uri);
    if let Some(listeners) = balancer::listeners(cluster, by_path)
        && !share.is_zero()
    {
        sentences.push(format!(
            "requests for some paths get another node ({listeners}): {kind} computes it from the path and the list of nodes"
        ));
    }
    (moved, sentences)
}

fn balancer_change(now: &Spec, next: &Spec) -> BalancerChange {
    if next.launch.only == Some(Only::Nodes) {
        return BalancerChange::None;
    }
    if needs_new_process(now, next) {
        return BalancerChange::NewProcesses;
    }
    let files = |spec: &Spec| spec.balancer.files(spec.deployment()).ok();
    if files(now) == files(next) {
        BalancerChange::None
    } else {
        BalancerChange::Reload
    }
}

fn about_balancer(now: &Spec, next: &Spec, change: BalancerChange) -> Option<String> {
    const FORMER: &str = "established connections finish at the former";
    let kind = now.balancer.kind();
    Some(match (change, now.balancer.reload()) {
        (BalancerChange::None, _) => return None,
        (BalancerChange::Reload, ReloadBy::Itself) => {
            format!("{kind} reads its new configuration within its process")
        }
        (BalancerChange::Reload, ReloadBy::Successor { .. }) => {
            format!("a new process of {kind} takes over the listeners: {FORMER} one")
        }
        (BalancerChange::Reload, ReloadBy::Workers(_)) => {
            format!("new workers of {kind} take over: {FORMER} ones")
        }
        (BalancerChange::NewProcesses, _) => {
            let (was, is) = (&now.plan.balancer, &next.plan.balancer);
            let why = match () {
                () if was.instances != is.instances => {
                    format!(" ({} instead of {})", is.instances, was.instances)
                }
                () if was.threads < is.threads => {
                    format!(" ({} threads instead of {})", is.threads, was.threads)
                }
                () => String::new(),
            };
            format!("new processes of {kind}{why} take over the listeners: {FORMER} ones")
        }
    })
}

fn capacity(now: &Spec, next: &Spec) -> Option<String> {
    let (was, is) = (now.plan.capacity, next.plan.capacity);
    (was != is).then(|| {
        let [was, is] = [was, is].map(|count| grouped(count.into()));
        format!("the cluster holds {is} connections instead of {was}")
    })
}

fn impossible(now: &Spec, next: &Spec, facts: &Facts) -> Vec<String> {
    let (was, is) = (&now.cluster, &next.cluster);
    let mut impossible = facts.taken.clone();
    if was.name != is.name {
        impossible.push("the cluster's name cannot be changed by a reload".to_owned());
    }
    impossible
}

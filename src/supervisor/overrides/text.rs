//! Findings as states, reasons and warnings.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Finding;
use crate::api::NodeState;
use crate::balancer::{self, Override};
use crate::profile::{BalancerKind, NodeId};
use crate::render::{backend_behind, frontend_behind};
use crate::supervisor::core::Core;
use crate::supervisor::waves::ChildId;

/// The effect of changes by others on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct Overridden {
    /// The state of the node by these changes.
    pub(in crate::supervisor) state: NodeState,
    /// The setting, how it was set, and in which backends.
    pub(in crate::supervisor) reason: String,
}

impl Core {
    /// The effect of changes by others on the node; `None` when the balancer treats it as this
    /// supervisor set.
    pub(in crate::supervisor) fn overridden(&self, node: NodeId) -> Option<Overridden> {
        let name = self.spec.node_name(node);
        let found = self.overrides.of_node(name);
        let found: Vec<(ChildId, &Override)> = found.filter(|(_, found)| !is_share(&found.setting)).collect();
        let Some(strictest) = found.iter().map(|(_, found)| &found.setting).min() else {
            return self.drain_out_of_sync(name, Instant::now());
        };
        Some(Overridden {
            state: state(strictest),
            reason: self.reason(&found, strictest),
        })
    }

    /// Changes that others made to the balancer itself.
    pub(in crate::supervisor) fn balancer_overrides(&self) -> Vec<String> {
        let kind = self.spec.balancer.kind();
        let sentences: BTreeSet<String> = self
            .overrides
            .confirmed()
            .filter_map(|(id, finding)| match finding {
                Finding::Server(found) if is_share(&found.setting) => Some(format!(
                    "{}: {} has {} in {}, set over the balancer's socket; `clusterctl ready {}` takes it back",
                    self.spec.title(id),
                    found.node,
                    found.setting,
                    found.backend,
                    found.node
                )),
                Finding::Server(_) | Finding::Leaving => None,
                Finding::ClosedFrontend(frontend) => Some(format!(
                    "{}: frontend {frontend} accepts no connections, stopped over the balancer's socket; `clusterctl ready NODE` \
                     opens it, or `clusterctl reload` when it was shut down",
                    self.spec.title(id)
                )),
                Finding::Unreachable(socket) => Some(format!(
                    "{}: its socket `{}` is gone: it does not receive orders or the state of failed nodes, and its own states are unknown; \
                     `clusterctl reload` makes a new one",
                    self.spec.title(id),
                    socket.display()
                )),
                Finding::Suspended { pid, is_master: true } => Some(format!(
                    "{}: its master process {pid} is suspended, and carries out no orders; `kill -CONT {pid}` resumes it",
                    self.spec.title(id)
                )),
                Finding::Suspended { pid, is_master: false } => Some(format!(
                    "{}: its worker process {pid} is suspended, and its clients wait; `kill -CONT {pid}` resumes it",
                    self.spec.title(id)
                )),
                Finding::Edited { file, in_force } => Some(match in_force {
                    Some(true) => format!(
                        "{file} was edited, and {kind} runs by the edited file; `clusterctl reload` writes it from the profile again"
                    ),
                    Some(false) | None => format!(
                        "{file} was edited; {kind} does not run by it, and it is written from the profile again before {kind} is \
                         started or reloaded"
                    ),
                }),
            })
            .collect();
        sentences
            .into_iter()
            .chain(self.out_of_sync_warnings(Instant::now()))
            .collect()
    }

    /// The keys of listeners that accept no connections at any instance, because others stopped
    /// them.
    pub(in crate::supervisor) fn closed_listeners(&self) -> BTreeSet<&'static str> {
        self.listeners_where(|key, finding| matches!(finding, Finding::ClosedFrontend(closed) if closed == frontend_behind(key)))
    }

    /// The keys of listeners whose clients no instance sends to the node any more, because others
    /// took it out.
    pub(in crate::supervisor) fn taken_out_of(&self, node: NodeId) -> BTreeSet<&'static str> {
        let name = self.spec.node_name(node);
        self.listeners_where(|key, finding| match finding {
            Finding::Server(found) => {
                found.node == name && found.is_in(backend_behind(key)) && found.setting.takes_out()
            }
            _ => false,
        })
    }

    /// Whether others keep the clients of the listener with this key from the node, at any
    /// instance.
    pub(in crate::supervisor) fn is_taken_out_of(&self, node: NodeId, key: &str) -> bool {
        let name = self.spec.node_name(node);
        let mut found = self.overrides.of_node(name);
        found.any(|(_, found)| found.is_in(backend_behind(key)) && found.setting.takes_out())
    }

    /// An override as text, with the place where it was found.
    pub(in crate::supervisor) fn reason(
        &self,
        found: &[(ChildId, &Override)],
        strictest: &balancer::Setting,
    ) -> String {
        let same = || found.iter().filter(|(_, found)| found.setting == *strictest);
        let own = || same().filter(|(_, found)| !found.inherited);
        let shown: Vec<&(ChildId, &Override)> = if own().next().is_some() {
            own().collect()
        } else {
            same().collect()
        };
        let backends: BTreeSet<&str> = shown.iter().map(|(_, found)| found.backend.as_str()).collect();
        let backends: Vec<&str> = backends.into_iter().collect();
        let place = format!("{}{}", listed(&backends), self.processes(&shown));
        sentence(strictest, &place, self.spec.balancer.kind())
    }

    // Private

    /// The keys of listeners for which `is_found` holds at every instance.
    fn listeners_where(&self, is_found: impl Fn(&str, &Finding) -> bool) -> BTreeSet<&'static str> {
        let is_at = |id: ChildId, key: &str| {
            let mut found = self.overrides.confirmed();
            found.any(|(place, finding)| place == id && is_found(key, finding))
        };
        let keys = self.spec.cluster.listen.ports().map(|(key, _)| key);
        keys.filter(|key| self.link.any_connected() && self.link.connected().all(|id| is_at(id, key)))
            .collect()
    }

    /// The instances concerned, if not all.
    fn processes(&self, shown: &[&(ChildId, &Override)]) -> String {
        let all = usize::from(self.spec.plan.balancer.instances);
        let places: BTreeSet<ChildId> = shown.iter().map(|(id, _)| *id).collect();
        match places.len() {
            count if count == all => String::new(),
            1..=3 => {
                let names: Vec<String> = places.into_iter().map(|id| self.spec.title(id)).collect();
                format!(" of {}", names.join(", "))
            }
            count => format!(" of {count} of {all} processes"),
        }
    }
}

// Private

/// The names, or only the first when there are many: nginx has a backend for the clients of each
/// node.
pub(in crate::supervisor) fn listed(names: &[&str]) -> String {
    const MAX_LISTED: usize = 4;
    match names {
        [_, _, _, _, _, ..] => format!(
            "{} and {} more",
            names[..MAX_LISTED - 1].join(", "),
            names.len() - MAX_LISTED + 1
        ),
        _ => names.join(", "),
    }
}

/// Whether the setting changes the node's share, and not its state.
const fn is_share(setting: &balancer::Setting) -> bool {
    matches!(setting, balancer::Setting::Weight { .. })
}

/// The state of a node that answers, by the strictest setting.
fn state(setting: &balancer::Setting) -> NodeState {
    use balancer::Setting;
    match setting {
        Setting::Down { .. } => NodeState::Down,
        Setting::Deleted | Setting::Maintenance | Setting::Unlisted { .. } | Setting::Address { .. } => {
            NodeState::Maintenance
        }
        Setting::Drain | Setting::Stopping | Setting::NoWeight | Setting::Undrained => NodeState::Draining,
        Setting::Weight { .. } => NodeState::Up,
    }
}

fn sentence(setting: &balancer::Setting, place: &str, kind: BalancerKind) -> String {
    use balancer::Setting;
    match setting {
        Setting::Down { check: Some(check) } => format!("down by {kind}'s own check in {place}: {check}"),
        Setting::Unlisted { .. } => format!("{setting}, in {place}"),
        Setting::Undrained => {
            format!(
                "drained by an order, but made ready over the balancer's socket in {place}: it gets new connections"
            )
        }
        setting => format!("{setting}, set over the balancer's socket in {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balancer::Setting;

    #[test]
    fn a_sentence_names_what_was_set_and_where() {
        let text = |setting: Setting| sentence(&setting, "mcp_http_backend", BalancerKind::Haproxy);
        assert_eq!(
            text(Setting::Maintenance),
            "maintenance, set over the balancer's socket in mcp_http_backend"
        );
        assert_eq!(
            text(Setting::NoWeight),
            "weight 0, set over the balancer's socket in mcp_http_backend"
        );
        let check = Some("L4CON".to_owned());
        assert_eq!(
            text(Setting::Down { check }),
            "down by haproxy's own check in mcp_http_backend: L4CON"
        );
        assert_eq!(
            text(Setting::Down { check: None }),
            "health down, set over the balancer's socket in mcp_http_backend"
        );
    }

    #[test]
    fn the_state_is_as_strict_as_the_setting() {
        assert_eq!(state(&Setting::Maintenance), NodeState::Maintenance);
        assert_eq!(state(&Setting::NoWeight), NodeState::Draining);
        assert_eq!(state(&Setting::Down { check: None }), NodeState::Down);
    }
}

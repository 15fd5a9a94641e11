//! Which revisions of MCP each node serves. A node is asked once its process answers, and again only
//! when it has not shown its revisions, or when another process answers.
//!
//! ```text
//!  Due ── asked ──▶ Asking ── served ──▶ Known
//!   ▲                  │                   │
//!   │                  └── else, later ────┤
//!   └────── another process answers ◀──────┘
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::core::Core;
use super::event::CoreEvent;
use crate::mcp::Revision;
use crate::probe::Revisions;
use crate::profile::NodeId;

/// The time until a node that has not shown its revisions is asked again; doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// The longest time until then.
const MAX_RETRY: Duration = Duration::from_mins(1);

/// The revisions of all nodes, by node.
pub(super) struct Eras {
    nodes: BTreeMap<NodeId, Entry>,
}

struct Entry {
    revisions: Revisions,
    /// When the node is asked; `None` while an answer is awaited, and once the revisions are known.
    due: Option<Instant>,
    retry: Duration,
    was_answering: bool,
    /// Counts the node's processes: an answer of an earlier one does not count.
    process: u32,
}

impl Entry {
    fn new(now: Instant) -> Entry {
        Entry {
            revisions: Revisions::Unknown,
            due: Some(now),
            retry: FIRST_RETRY,
            was_answering: false,
            process: 0,
        }
    }

    /// Another process answers for the node.
    fn restart(&mut self, now: Instant) {
        self.due = Some(now);
        self.retry = FIRST_RETRY;
        self.process += 1;
        self.was_answering = true;
    }
}

impl Eras {
    /// Nothing is known of any of the nodes.
    pub(super) fn new(nodes: impl Iterator<Item = NodeId>, now: Instant) -> Eras {
        Eras {
            nodes: nodes.map(|node| (node, Entry::new(now))).collect(),
        }
    }

    /// These are the nodes from now on. Nothing is known of new ones.
    pub(super) fn set_nodes(&mut self, nodes: impl Iterator<Item = NodeId>, now: Instant) {
        let mut known = std::mem::take(&mut self.nodes);
        let entry = |node| (node, known.remove(&node).unwrap_or_else(|| Entry::new(now)));
        self.nodes = nodes.map(entry).collect();
    }

    /// Another process answers for the node: its revisions are asked for.
    pub(super) fn forget(&mut self, node: NodeId, now: Instant) {
        let Some(entry) = self.nodes.get_mut(&node) else {
            return;
        };
        entry.restart(now);
    }

    /// Nodes whose revisions are not known are asked again: other paths may be in force.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for entry in self.nodes.values_mut() {
            if !matches!(entry.revisions, Revisions::Served(_)) {
                entry.process += 1;
                entry.due = Some(now);
            }
        }
    }

    /// Whether the node is to be asked now, and for which of its processes.
    pub(super) fn take_due(&mut self, node: NodeId, is_answering: bool, now: Instant) -> Option<u32> {
        let entry = self.nodes.get_mut(&node)?;
        let was_answering = std::mem::replace(&mut entry.was_answering, is_answering);
        if is_answering && !was_answering {
            entry.restart(now);
        }
        entry.due.take_if(|due| is_answering && *due <= now)?;
        Some(entry.process)
    }

    /// The node's answer.
    pub(super) fn answered(&mut self, node: NodeId, process: u32, revisions: Revisions, now: Instant) {
        let entry = self.nodes.get_mut(&node);
        let Some(entry) = entry.filter(|entry| entry.process == process) else {
            return;
        };
        if !matches!(revisions, Revisions::Served(_)) {
            entry.due = Some(now + entry.retry);
            entry.retry = (entry.retry * 2).min(MAX_RETRY);
        }
        entry.revisions = revisions;
    }

    /// The revisions of the node, oldest first; empty while they are not known.
    pub(super) fn of(&self, node: NodeId) -> Vec<String> {
        match self.revisions(node) {
            Some(Revisions::Served(revisions)) => revisions.clone(),
            _ => Vec::new(),
        }
    }

    /// What the node answers instead of MCP, if it does so.
    pub(super) fn problem(&self, node: NodeId) -> Option<String> {
        match self.revisions(node) {
            Some(Revisions::NotServed(answer)) => Some(answer.clone()),
            _ => None,
        }
    }

    // Private

    fn revisions(&self, node: NodeId) -> Option<&Revisions> {
        self.nodes.get(&node).map(|entry| &entry.revisions)
    }
}

impl Core {
    /// Asks nodes whose revisions are not known.
    pub(super) fn ask_revisions(&mut self, now: Instant) {
        for node in &self.spec.cluster.nodes {
            let id = node.id;
            let is_answering = self.node_state(id).answers();
            let Some(process) = self.eras.take_due(id, is_answering, now) else {
                continue;
            };
            let query = self.spec.revision_query(node);
            self.events.spawn(async move {
                CoreEvent::RevisionsAsked {
                    node: id,
                    process,
                    revisions: query.ask().await,
                }
            });
        }
    }
}

/// The warnings about the revisions of nodes, given with their names: nodes that are no MCP servers
/// at the path in use, and nodes of both eras in one cluster.
pub(super) fn warnings<'a>(
    nodes: impl Iterator<Item = (&'a str, &'a [String], Option<&'a str>)>,
) -> Vec<String> {
    let mut problems: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut eras: BTreeMap<(bool, bool), Vec<&str>> = BTreeMap::new();
    for (name, revisions, problem) in nodes {
        if let Some(problem) = problem {
            problems.entry(problem).or_default().push(name);
        }
        if !revisions.is_empty() {
            let without_sessions =
                |revision: &String| revision.as_str() >= Revision::FIRST_WITHOUT_SESSIONS.name();
            let (newer, older) = (
                revisions.iter().any(without_sessions),
                !revisions.iter().all(without_sessions),
            );
            eras.entry((older, newer)).or_default().push(name);
        }
    }
    let mut warnings: Vec<String> = problems
        .into_iter()
        .map(|(problem, names)| format!("{}: {problem} (`routing.paths.mcp`)", list(&names)))
        .collect();
    if eras.len() > 1 {
        let groups: Vec<String> = eras
            .iter()
            .map(|((older, newer), names)| {
                let serves = match (older, newer) {
                    (true, true) => "revisions with and without sessions",
                    (true, false) => "only MCP revisions with sessions",
                    (false, _) => "only MCP revisions without sessions",
                };
                let verb = if names.len() == 1 { "serves" } else { "serve" };
                format!("{} {verb} {serves}", list(names))
            })
            .collect();
        warnings.push(format!(
            "{}: a client remembers which of them an address has served, and fails at the other nodes",
            groups.join("; ")
        ));
    }
    warnings
}

// Private

/// Some names, shortened.
fn list(names: &[&str]) -> String {
    match names {
        [first, _, _, _, ..] => format!("{first} and {} other nodes", names.len() - 1),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);

    fn served(revisions: &[&str]) -> Revisions {
        Revisions::Served(revisions.iter().map(|revision| (*revision).to_owned()).collect())
    }

    #[test]
    fn a_node_is_asked_until_it_shows_its_revisions_and_again_after_a_restart() {
        let now = Instant::now();
        let mut eras = Eras::new([NODE].into_iter(), now);
        assert_eq!(eras.take_due(NODE, false, now), None, "it does not answer");
        let process = eras.take_due(NODE, true, now).unwrap();
        assert_eq!(eras.take_due(NODE, true, now), None, "it is being asked");
        eras.answered(
            NODE,
            process,
            Revisions::NotServed("`POST /mcp` is answered with 404".into()),
            now,
        );
        assert!(eras.problem(NODE).is_some() && eras.of(NODE).is_empty());
        assert_eq!(eras.take_due(NODE, true, now), None);
        let later = now + FIRST_RETRY;
        assert_eq!(eras.take_due(NODE, true, later), Some(process));
        eras.answered(NODE, process, served(&["2025-11-25"]), later);
        assert_eq!(
            (eras.of(NODE), eras.problem(NODE)),
            (vec!["2025-11-25".to_owned()], None)
        );
        assert_eq!(eras.take_due(NODE, true, later + MAX_RETRY), None);
        eras.forget(NODE, later);
        let next = eras.take_due(NODE, true, later).unwrap();
        eras.answered(NODE, process, Revisions::Unknown, later);
        assert_eq!(
            eras.of(NODE).len(),
            1,
            "the answer of the former process does not count"
        );
        eras.answered(NODE, next, served(&["2026-07-28"]), later);
        assert_eq!(eras.of(NODE), ["2026-07-28"]);
    }

    #[test]
    fn a_node_that_is_gone_is_forgotten_and_a_new_one_is_asked() {
        let (now, new) = (Instant::now(), NodeId(2));
        let mut eras = Eras::new([NODE].into_iter(), now);
        let process = eras.take_due(NODE, true, now).unwrap();
        eras.answered(NODE, process, served(&["2025-11-25"]), now);
        eras.set_nodes([NODE, new].into_iter(), now);
        assert_eq!(eras.of(NODE).len(), 1);
        assert!(eras.take_due(new, true, now).is_some());
        eras.set_nodes([new].into_iter(), now);
        eras.answered(NODE, process, served(&["2025-11-25"]), now);
        assert!(eras.of(NODE).is_empty() && eras.take_due(NODE, true, now).is_none());
    }

    #[test]
    fn both_eras_in_one_cluster_and_wrong_paths_are_warned_of() {
        let old = ["2025-11-25".to_owned()];
        let new = ["2026-07-28".to_owned()];
        let same = [("a", &old[..], None), ("b", &old[..], None), ("c", &[][..], None)];
        assert_eq!(warnings(same.into_iter()), Vec::<String>::new());
        let mixed = [("a", &old[..], None), ("b", &new[..], None)];
        assert_eq!(
            warnings(mixed.into_iter()),
            [
                "b serves only MCP revisions without sessions; a serves only MCP revisions with sessions: \
              a client remembers which of them an address has served, and fails at the other nodes"
            ]
        );
        let wrong =
            ["a", "b", "c", "d"].map(|name| (name, &[][..], Some("`POST /mcp` is answered with 404")));
        assert_eq!(
            warnings(wrong.into_iter()),
            ["a and 3 other nodes: `POST /mcp` is answered with 404 (`routing.paths.mcp`)"]
        );
    }
}

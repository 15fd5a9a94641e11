//! Nodes that operators add to a profile or remove from it.
//!
//! The result is in [`Source::sets`], so that it stays when the profile's file is read again:
//! `nodes.count=N` where the nodes are numbers 1 to N of `nodes.name`, else `nodes.members=[..]`,
//! and neither where the file describes the same nodes.

mod described;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::described::overridden;
use self::described::{COUNT, MEMBERS, described, members, numbered, sets_nodes, written};
use super::closest::closest;
use super::document::{Document, Runtime};
use super::endpoints::{Endpoint, endpoints, started};
use super::member::{Member, NotAnAddress};
use super::parsed::ParsedProfile;
use super::problem::Problems;
use super::resolve::settled;
use super::rules::range_of;
use super::source::Source;
use crate::base::units::excerpt;

/// A node that is to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewNode {
    /// Its name.
    pub name: String,
    /// The address of an external node, or its host name.
    pub address: Option<String>,
    /// The port of an external node for MCP over TCP.
    pub tcp_port: Option<u16>,
    /// The HTTP port of an external node.
    pub http_port: Option<u16>,
}

/// Nodes cannot be changed as ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct EditError {
    /// What is not possible, and why.
    pub error: String,
    /// What helps, if there is something.
    pub hint: Option<String>,
}

impl Source {
    /// The profile with `count` nodes: the lowest free numbers are added, or the highest ones
    /// removed.
    ///
    /// # Errors
    /// When the nodes are external, or there cannot be as many.
    pub fn scaled(&self, count: u16) -> Result<Source, EditError> {
        let mut edit = Edit::of(self)?;
        edit.scale(count)?;
        edit.applied()
    }

    /// The profile with the `new` nodes. A node that is called like number N by `nodes.name` gets
    /// that number if it is free, any other one the lowest free number.
    ///
    /// # Errors
    /// When a name is taken or not valid, an external node lacks an address or ports, or no port is
    /// free.
    pub fn with_nodes(&self, new: &[NewNode]) -> Result<Source, EditError> {
        let mut edit = Edit::of(self)?;
        edit.add(new)?;
        edit.applied()
    }

    /// The profile without the nodes called `names`.
    ///
    /// # Errors
    /// When a node does not exist, or none would be left.
    pub fn without_nodes(&self, names: &[String]) -> Result<Source, EditError> {
        let mut edit = Edit::of(self)?;
        edit.remove(names)?;
        edit.applied()
    }

    /// The refusal of a change of the nodes called `names` because of a name that the profile does
    /// not know.
    #[must_use]
    pub fn unknown_node(&self, names: &[String]) -> Option<EditError> {
        let edit = Edit::of(self).ok()?;
        names.iter().find_map(|name| edit.unknown(name))
    }

    /// The profile where `sets` replace values that were set before. Nodes that were set before do
    /// not count where one of `sets` says which nodes there are.
    #[must_use]
    pub fn with_sets(mut self, sets: &[String]) -> Source {
        let renews_nodes = sets.iter().any(|set| sets_nodes(set));
        self.sets
            .retain(|former| !(sets.contains(former) || renews_nodes && sets_nodes(former)));
        self.sets.extend_from_slice(sets);
        self
    }
}

// Private

/// The nodes of a profile that are being changed.
struct Edit<'a> {
    source: &'a Source,
    /// With its ports shifted.
    document: Document,
    nodes: Vec<Member>,
    /// What listens, the nodes included.
    taken: Vec<Endpoint>,
}

impl Edit<'_> {
    fn of(source: &Source) -> Result<Edit<'_>, EditError> {
        let document = settled(source).map_err(|problems| refused(&problems))?;
        Ok(Edit {
            source,
            nodes: members(&document),
            taken: endpoints(&document, 0),
            document,
        })
    }

    fn scale(&mut self, count: u16) -> Result<(), EditError> {
        if self.are_external() {
            return Err(error(
                "external nodes cannot be scaled: this cluster does not start them",
                "`clusterctl node add` and `clusterctl node remove` change which ones it uses",
            ));
        }
        if count == 0 {
            return Err(error(
                "a cluster cannot have 0 nodes",
                "`clusterctl stop` ends the cluster",
            ));
        }
        let wanted = usize::from(count);
        limit(wanted)?;
        self.nodes.sort_by_key(|node| node.n);
        self.nodes.truncate(wanted);
        let mut next = 1;
        while self.nodes.len() < wanted {
            let unused = |number: u16| self.node(&self.document.nodes.name_of(number)).is_none();
            let Some(number) = self.free_number(next, unused) else {
                return Err(self.no_number(wanted));
            };
            self.start(self.document.nodes.name_of(number), number);
            next = number;
        }
        Ok(())
    }

    fn add(&mut self, new: &[NewNode]) -> Result<(), EditError> {
        let wanted = self.nodes.len() + new.len();
        limit(wanted)?;
        let mut names = BTreeSet::new();
        for NewNode { name, .. } in new {
            if self.node(name).is_some() {
                return Err(error(
                    format!("node `{}` exists already", excerpt(name)),
                    "choose another name; `clusterctl status` lists the nodes",
                ));
            }
            if !names.insert(name) {
                return Err(error(
                    format!("node `{}` is given twice", excerpt(name)),
                    "leave one of them out",
                ));
            }
        }
        if self.are_external() {
            for node in new {
                let node = self.external(node)?;
                self.nodes.push(node);
            }
            return Ok(());
        }
        if let Some(node) = new.iter().find(|node| has_address(node)) {
            return Err(error(
                format!("node `{}` cannot have an address of its own", excerpt(&node.name)),
                "leave address and ports out: this cluster starts the node, and its number gives the ports",
            ));
        }
        // The numbers in names come first, so that no other node takes them.
        let (by_pattern, others): (Vec<_>, Vec<_>) = new
            .iter()
            .map(|node| (node, self.number_in(&node.name)))
            .partition(|(_, number)| number.is_some_and(|number| self.is_free(number)));
        let mut next = 1;
        for (node, number) in by_pattern.into_iter().chain(others) {
            let number = if let Some(own) = number.filter(|own| self.is_free(*own)) {
                own
            } else {
                let free = self.free_number(next, |_| true);
                next = free.ok_or_else(|| self.no_number(wanted))?;
                next
            };
            self.start(node.name.clone(), number);
        }
        Ok(())
    }

    fn remove(&mut self, names: &[String]) -> Result<(), EditError> {
        for name in names {
            if let Some(unknown) = self.unknown(name) {
                return Err(unknown);
            }
            if self.node(name).is_none()
                && let Some(member) = self.host_of(name)
            {
                return Err(error(
                    format!(
                        "`{}` is one address of the host of `{}`",
                        excerpt(name),
                        member.name
                    ),
                    format!(
                        "`clusterctl node remove {}` removes all nodes of that host",
                        member.name
                    ),
                ));
            }
        }
        self.nodes.retain(|node| !names.contains(&node.name));
        if self.nodes.is_empty() {
            return Err(error(
                "a cluster needs a node, and none would be left",
                "`clusterctl stop` ends the cluster",
            ));
        }
        Ok(())
    }

    /// The profile with these nodes, which keeps every rule.
    fn applied(mut self) -> Result<Source, EditError> {
        self.nodes.sort_by_key(|node| node.n);
        let mut source = described(self.source);
        let base = ParsedProfile::read(&source).map(|base| base.document);
        let is_described = |base: &Document| {
            let mut described = members(base);
            described.sort_by_key(|node| node.n);
            described == self.nodes
        };
        if base.as_ref().is_ok_and(is_described) {
            return checked(source);
        }
        let counted = (1..=u16::MAX).zip(&self.nodes);
        let pattern = &self.document.nodes;
        if !self.are_external()
            && counted
                .into_iter()
                .all(|(number, node)| node.n == Some(number) && node.name == pattern.name_of(number))
        {
            source.sets.push(format!("{COUNT}={}", self.nodes.len()));
            if base.is_ok_and(|base| !base.nodes.members.is_empty()) {
                source.sets.push(format!("{MEMBERS}=[]"));
            }
        } else {
            let nodes: Vec<String> = self.nodes.iter().map(written).collect();
            source.sets.push(format!("{MEMBERS}=[{}]", nodes.join(", ")));
        }
        checked(source)
    }

    fn are_external(&self) -> bool {
        self.document.nodes.runtime == Runtime::External
    }

    fn node(&self, name: &str) -> Option<&Member> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The node whose host name has the address that `name` stands for.
    fn host_of(&self, name: &str) -> Option<&Member> {
        self.nodes.iter().find(|member| member.is_host_of(name))
    }

    /// The refusal if `name` is neither a node nor an address of one.
    fn unknown(&self, name: &str) -> Option<EditError> {
        if self.node(name).is_some() || self.host_of(name).is_some() {
            return None;
        }
        let known = self.nodes.iter().map(|node| node.name.as_str());
        let near = closest(name, known).map(|near| format!("did you mean `{near}`?"));
        Some(EditError {
            error: format!("unknown node `{}`", excerpt(name)),
            hint: near.or(Some("`clusterctl status` lists the nodes".to_owned())),
        })
    }

    /// Adds a node that this cluster starts.
    fn start(&mut self, name: String, number: u16) {
        self.taken.extend(started(&self.document, 0, number, &name));
        self.nodes.push(numbered(number, name));
    }

    /// The number that the node called `name` has by `nodes.name`.
    fn number_in(&self, name: &str) -> Option<u16> {
        let (before, after) = self.document.nodes.name.split_once("{n}")?;
        let number = name.strip_prefix(before)?.strip_suffix(after)?.parse().ok()?;
        (self.document.nodes.name_of(number) == name).then_some(number)
    }

    /// The lowest free number from `first` that is `fit`.
    fn free_number(&self, first: u16, fit: impl Fn(u16) -> bool) -> Option<u16> {
        (first..=u16::MAX).find(|number| fit(*number) && self.is_free(*number))
    }

    /// Whether no node has the number, and nothing else listens on its ports.
    fn is_free(&self, number: u16) -> bool {
        let is_taken = |wanted: &Endpoint| self.taken.iter().any(|taken| taken.meets(wanted));
        number > 0
            && self.nodes.iter().all(|node| node.n != Some(number))
            && started(&self.document, 0, number, "")
                .iter()
                .all(|wanted| u16::try_from(wanted.port).is_ok() && !is_taken(wanted))
    }

    /// Why no number is found for one of `wanted` nodes.
    fn no_number(&self, wanted: usize) -> EditError {
        let pattern = &self.document.nodes.name;
        if !pattern.contains("{n}") && self.free_number(1, |_| true).is_some() {
            return error(
                format!(
                    "`nodes.name` is `{}`, which is the name of one node",
                    excerpt(pattern)
                ),
                "set it to a name with the node's number, such as `erlmcp{n}`, or name each node: \
                 `clusterctl node add NAME`",
            );
        }
        error(
            format!("no port is free for {wanted} nodes"),
            "lower `nodes.tcp_port` and `nodes.http_port`, from which nodes count up to 65535",
        )
    }

    /// The `new` external node. Without ports it gets those that all others have.
    fn external(&self, new: &NewNode) -> Result<Member, EditError> {
        let name = excerpt(&new.name);
        let Some(address) = &new.address else {
            return Err(error(
                format!("external node `{name}` has no address"),
                "give the address at which this host reaches it",
            ));
        };
        let address = address.parse().map_err(|wrong: NotAnAddress| {
            error(
                wrong.to_string(),
                "give the address at which this host reaches the node",
            )
        })?;
        let (tcp_port, http_port) = match (new.tcp_port, new.http_port) {
            (None, None) => {
                let mut ports = self.nodes.iter().map(|node| (node.tcp_port, node.http_port));
                let first = ports.next().unwrap_or_default();
                if ports.any(|other| other != first) {
                    return Err(error(
                        format!("external node `{name}` has no port, and the ports of the others differ"),
                        "give its port",
                    ));
                }
                first
            }
            ports => ports,
        };
        Ok(Member {
            name: new.name.clone(),
            n: None,
            address: Some(address),
            tcp_port,
            http_port,
            resolved: Vec::new(),
        })
    }
}

/// Refuses more nodes than a cluster can have.
fn limit(wanted: usize) -> Result<(), EditError> {
    match range_of(COUNT) {
        Some(range) if wanted as u64 > *range.end() => Err(error(
            format!("a cluster cannot have {wanted} nodes"),
            format!("it has at most {}", range.end()),
        )),
        _ => Ok(()),
    }
}

fn has_address(node: &NewNode) -> bool {
    node.address.is_some() || node.tcp_port.is_some() || node.http_port.is_some()
}

/// `source`, if it keeps every rule.
fn checked(source: Source) -> Result<Source, EditError> {
    match settled(&source) {
        Ok(_) => Ok(source),
        Err(problems) => Err(refused(&problems)),
    }
}

/// The first of `problems`, without the text in which it is: a command line that no operator has
/// written.
fn refused(problems: &Problems) -> EditError {
    let first = problems.0.first();
    EditError {
        error: first.map(|problem| problem.message.clone()).unwrap_or_default(),
        hint: first.and_then(|problem| problem.hint.clone()),
    }
}

fn error(error: impl Into<String>, hint: impl Into<String>) -> EditError {
    EditError {
        error: error.into(),
        hint: Some(hint.into()),
    }
}

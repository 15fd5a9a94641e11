//! Which nodes a profile describes, and how they are written.

use crate::base::units::excerpt;
use crate::profile::document::{Document, Runtime};
use crate::profile::flow;
use crate::profile::member::Member;
use crate::profile::parsed::ParsedProfile;
use crate::profile::source::Source;

/// The keys that describe which nodes there are.
pub(super) const COUNT: &str = "nodes.count";
pub(super) const MEMBERS: &str = "nodes.members";

/// A sentence for the user when the profile's file describes nodes in vain, because they were set
/// by a command.
#[must_use]
pub fn overridden(source: &Source) -> Option<String> {
    let base = ParsedProfile::read(&described(source)).ok()?;
    let nodes = ParsedProfile::read(source).ok()?.document;
    let set = source.sets.iter().rfind(|set| sets_nodes(set))?;
    if members(&base.document) == members(&nodes) {
        return None;
    }
    let key = match base.document.nodes.members.as_slice() {
        [] => COUNT,
        _ => MEMBERS,
    };
    let is_written = base.origin(key) > 0 && !base.is_from_command_line(key);
    is_written.then(|| {
        format!(
            "`{key}` of `{}` has no effect: the nodes were set by a command, and stay as `{}`",
            excerpt(&source.name),
            excerpt(set)
        )
    })
}

/// The profile as it is without the nodes that commands have set.
pub(super) fn described(source: &Source) -> Source {
    let mut described = source.clone();
    described.sets.retain(|set| !sets_nodes(set));
    described
}

/// Whether a `--set` says which nodes there are.
pub(super) fn sets_nodes(set: &str) -> bool {
    let path = set.split('=').next().unwrap_or_default();
    [COUNT, MEMBERS].contains(&path.trim_end())
}

/// The nodes of `document`, those that are started with their numbers.
pub(super) fn members(document: &Document) -> Vec<Member> {
    let nodes = &document.nodes;
    if nodes.runtime == Runtime::External {
        return nodes.members.clone();
    }
    let all = nodes.numbered().into_iter();
    all.map(|(number, name)| numbered(number, name)).collect()
}

pub(super) fn numbered(number: u16, name: String) -> Member {
    Member {
        name,
        n: Some(number),
        address: None,
        tcp_port: None,
        http_port: None,
        resolved: Vec::new(),
    }
}

/// A node as an item of `nodes.members`.
pub(super) fn written(node: &Member) -> String {
    let mut keys = vec![format!("name: {}", flow::word(&node.name))];
    keys.extend(node.n.map(|number| format!("n: {number}")));
    let address = node.address.as_ref().map(ToString::to_string);
    keys.extend(address.map(|address| format!("address: {}", flow::word(&address))));
    keys.extend(node.tcp_port.map(|port| format!("tcp_port: {port}")));
    keys.extend(node.http_port.map(|port| format!("http_port: {port}")));
    format!("{{{}}}", keys.join(", "))
}

//! Addresses that can be listened on and connected to.

use std::net::IpAddr;

use crate::profile::document::Runtime;
use crate::profile::endpoints::ips_overlap;
use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;
use crate::profile::resolve::Resolved;

/// Clients need an address, and none may appear twice.
pub(super) fn listen(written: &ParsedProfile) -> Vec<Problem> {
    const PATH: &str = "listen.address";
    let addresses = &written.document.listen.address;
    if addresses.is_empty() {
        return vec![
            written
                .problem(PATH, "`listen.address` is empty")
                .hint("`[\"0.0.0.0\", \"::\"]` listens on all addresses, `[127.0.0.1]` on this host only"),
        ];
    }
    let mut problems = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let earlier = addresses[..index]
            .iter()
            .position(|other| ips_overlap(*other, *address));
        let Some(earlier) = earlier else { continue };
        let message = match addresses[earlier] {
            same if same == *address => format!("`listen.address` has {address} twice"),
            other => format!("`listen.address` has {other} and {address}, and one covers the other"),
        };
        problems.push(
            written
                .problem(&format!("{PATH}[{index}]"), message)
                .mark(written.mark(&format!("{PATH}[{earlier}]"), "first"))
                .hint("leave one of them out"),
        );
    }
    problems
}

/// A balancer connects to its nodes, so their addresses must be single addresses, complete enough
/// to connect to.
pub(super) fn nodes(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let addresses = if nodes.runtime == Runtime::External {
        let members = nodes.members.iter().enumerate();
        members
            .flat_map(|(index, member)| {
                let path = format!("nodes.members[{index}].address");
                member
                    .addresses()
                    .into_iter()
                    .map(move |address| (path.clone(), address))
            })
            .collect()
    } else {
        vec![("nodes.address".to_owned(), nodes.address)]
    };
    let hint = if nodes.runtime == Runtime::External {
        "set the address at which this host reaches the node"
    } else {
        "nodes on this host use 127.0.0.1 or ::1"
    };
    addresses
        .into_iter()
        .filter_map(|(path, address)| {
            let what = unreachable(address)?;
            let message = format!("a balancer cannot connect to {address}: {what}");
            Some(written.problem(&path, message).hint(hint))
        })
        .collect()
}

/// Every host name has an address in `resolved` that no other member has.
pub(in crate::profile) fn unresolved(written: &ParsedProfile, resolved: &Resolved) -> Vec<Problem> {
    let members = written.document.nodes.members.iter().enumerate();
    members
        .filter_map(|(index, member)| {
            let host = member.host().filter(|_| member.resolved.is_empty())?;
            let path = format!("nodes.members[{index}].address");
            if resolved.get(host).is_some_and(|known| !known.is_empty()) {
                let message = format!("every address of the host `{host}` is that of another member");
                let problem = written.problem(&path, message);
                return Some(problem.hint("leave one of the members out, or give it another port"));
            }
            let problem = written.problem(&path, format!("host `{host}` has no known address"));
            Some(
                problem
                    .hint("give an address, or a host name that this host can resolve: `getent hosts NAME`"),
            )
        })
        .collect()
}

/// Why it is impossible to connect to the address, if it is.
pub(in crate::profile) fn unreachable(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        any if any.is_unspecified() => Some("it means every address of a host"),
        many if many.is_multicast() => Some("it is a multicast address"),
        IpAddr::V4(v4) if v4.is_broadcast() => Some("it is the broadcast address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            Some("it is link-local (fe80::/10), which needs an interface")
        }
        _ => None,
    }
}

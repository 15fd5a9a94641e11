//! Addresses that one node has, and another one or a listener is to get.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::description::addresses;
use crate::api::Only;
use crate::profile::{NodeId, ips_overlap};
use crate::supervisor::rollout::steps::Work;
use crate::supervisor::spec::Spec;

/// The supervisor's own listener.
const OBSERVE: &str = "listen.observe";

/// Sorts the replaced nodes so that each starts when its new addresses are free. Returns, as
/// sentences, who cannot get an address in any order.
pub(super) fn order(base: &Spec, target: &Spec, work: &mut Work) -> Vec<String> {
    let held = held(base, work);
    let passed = passed(&held, target, work);
    let mut awaited: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for it in &passed {
        awaited.entry(it.to).or_default().insert(it.from);
    }
    let entangled = work.put_behind(&awaited);
    // New nodes start first, and nodes that are removed end last.
    let in_vain = |it: &&Passed| {
        let is_entangled = entangled.contains(&it.from) && entangled.contains(&it.to);
        is_entangled || work.added.contains(&it.to) || work.removed.contains(&it.from)
    };
    let of_nodes = passed.iter().filter(in_vain);
    let of_nodes =
        of_nodes.map(|it| not_free(target.node_name(it.to), it.address, &holder(base, work, it.from)));
    listeners_in_vain(base, target, work, &held)
        .into_iter()
        .chain(of_nodes)
        .collect()
}

// Private

/// An address that a running node has, and another one is to get.
struct Passed {
    from: NodeId,
    to: NodeId,
    address: SocketAddr,
}

/// The addresses of the nodes that run, and are this cluster's own.
fn held(base: &Spec, work: &Work) -> BTreeMap<SocketAddr, NodeId> {
    let nodes = base.cluster.nodes.iter().filter(|node| runs(work, node.id));
    nodes
        .flat_map(|node| {
            addresses(node)
                .into_iter()
                .flatten()
                .map(|address| (address, node.id))
        })
        .collect()
}

/// All addresses that nodes of `work` are to get from one another.
fn passed(held: &BTreeMap<SocketAddr, NodeId>, target: &Spec, work: &Work) -> Vec<Passed> {
    let starting = work.added.iter().chain(&work.replaced);
    let starting = starting.filter(|node| runs(work, **node));
    let mut passed = Vec::new();
    for to in starting.filter_map(|node| target.cluster.by_id(*node)) {
        for address in addresses(to).into_iter().flatten() {
            if let Some(from) = held.get(&address).filter(|from| **from != to.id) {
                passed.push(Passed {
                    from: *from,
                    to: to.id,
                    address,
                });
            }
        }
    }
    passed
}

/// The listeners that cannot get their addresses, because they are opened before anything else ends.
fn listeners_in_vain(
    base: &Spec,
    target: &Spec,
    work: &Work,
    held: &BTreeMap<SocketAddr, NodeId>,
) -> Vec<String> {
    if target.launch.only == Some(Only::Nodes) {
        return Vec::new();
    }
    let observed = base.cluster.listen.observe;
    let bound = target.plan.bound(&target.cluster).into_iter();
    let listeners = bound.filter(|it| it.owner.starts_with("listen.") && it.owner != OBSERVE);
    let in_vain = listeners.filter_map(|it| {
        let holder = match held.iter().find(|(address, _)| overlap(**address, it.address)) {
            Some((_, node)) => holder(base, work, *node),
            None => observed
                .is_some_and(|observed| overlap(observed, it.address))
                .then(|| format!("`{OBSERVE}` has now"))?,
        };
        Some(not_free(&format!("`{}`", it.owner), it.address, &holder))
    });
    in_vain.collect()
}

fn runs(work: &Work, node: NodeId) -> bool {
    !work.external.contains(&node) && !work.stopped.contains(&node)
}

/// Whether a socket at one of the addresses prevents one at the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && ips_overlap(one.ip(), other.ip())
}

fn holder(base: &Spec, work: &Work, node: NodeId) -> String {
    let name = base.node_name(node);
    if work.removed.contains(&node) {
        format!("{name} has until it is removed")
    } else {
        format!("{name} has until it is replaced")
    }
}

fn not_free(wants: &str, address: SocketAddr, holder: &str) -> String {
    format!("{wants} would get {address}, which {holder}: give it another port")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::core::model::small_spec as spec;

    fn ids(numbers: &[u32]) -> Vec<NodeId> {
        numbers.iter().copied().map(NodeId).collect()
    }

    /// The replaced nodes in the order in which they are replaced, and what is not possible.
    fn replaced(base: &[&str], target: &[&str]) -> (Vec<NodeId>, Vec<String>) {
        let (base, target) = (spec(base), spec(target));
        let mut work = Work {
            replaced: base.cluster.ids().collect(),
            ..Work::default()
        };
        let impossible = order(&base, &target, &mut work);
        (work.replaced, impossible)
    }

    #[test]
    fn nodes_are_replaced_when_their_new_ports_are_free() {
        let [low, high] = ["nodes.tcp_port=9101", "nodes.tcp_port=9102"];
        let three = "nodes.count=3";
        assert_eq!(replaced(&[three, low], &[three, high]), (ids(&[3, 2, 1]), vec![]));
        assert_eq!(replaced(&[three, high], &[three, low]), (ids(&[1, 2, 3]), vec![]));
        assert_eq!(replaced(&[three, low], &[three, low]), (ids(&[1, 2, 3]), vec![]));
    }

    #[test]
    fn ports_that_never_become_free_are_named() {
        let members = |numbers: [u32; 3]| {
            let [a, b, c] = numbers;
            format!("nodes.members=[{{name: a, n: {a}}}, {{name: b, n: {b}}}, {{name: c, n: {c}}}]")
        };
        let (_, impossible) = replaced(&[&members([1, 2, 3])], &[&members([2, 1, 4])]);
        assert_eq!(
            impossible,
            [
                "a would get 127.0.0.1:9002, which b has until it is replaced: give it another port",
                "a would get 127.0.0.1:8082, which b has until it is replaced: give it another port",
                "b would get 127.0.0.1:9001, which a has until it is replaced: give it another port",
                "b would get 127.0.0.1:8081, which a has until it is replaced: give it another port",
            ]
        );
    }

    #[test]
    fn a_new_node_does_not_get_the_port_of_one_that_goes() {
        let base = spec(&["nodes.members=[{name: a, n: 1}, {name: b, n: 2}]"]);
        let mut target = spec(&["nodes.members=[{name: a, n: 1}, {name: c, n: 2}]"]);
        target.launch.ids = base.launch.ids.clone();
        target.launch.ids.assign(&mut target.cluster);
        let new = target.cluster.node("c").unwrap().id;
        let mut work = Work {
            added: vec![new],
            removed: ids(&[2]),
            ..Work::default()
        };
        assert_eq!(
            order(&base, &target, &mut work)[0],
            "c would get 127.0.0.1:9002, which b has until it is removed: give it another port"
        );
        // Nothing listens there any more.
        work.stopped.insert(NodeId(2));
        assert_eq!(order(&base, &target, &mut work), Vec::<String>::new());
    }

    #[test]
    fn listeners_do_not_get_the_ports_of_nodes_and_of_the_supervisor() {
        let two = "nodes.count=2";
        let base = spec(&[two, "nodes.http_port=8099", "listen.http=8090"]);
        let target = spec(&[
            two,
            "nodes.http_port=8199",
            "listen.http=8100",
            "listen.stats=127.0.0.1:8405",
            "listen.observe=null",
        ]);
        let mut work = Work {
            replaced: ids(&[1, 2]),
            ..Work::default()
        };
        let impossible = order(&base, &target, &mut work);
        let expected = [
            "`listen.http` would get 0.0.0.0:8100, which erlmcp2 has until it is replaced: give it another port",
            "`listen.stats` would get 127.0.0.1:8405, which `listen.observe` has now: give it another port",
        ];
        assert_eq!(impossible, expected);
        // The balancer's own listeners change their places among one another, and leave theirs to nodes.
        let target = spec(&[two, "nodes.http_port=8090", "listen.http=8000", "listen.tcp=8200"]);
        assert_eq!(order(&base, &target, &mut work), Vec::<String>::new());
    }
}

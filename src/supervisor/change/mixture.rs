//! A mixture: the target of a rollout, while some nodes still run as they were described before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::description::addresses;
use crate::plan::plan_on_sockets;
use crate::platform::{Host, RunDir};
use crate::profile::{Cluster, Node, NodeId, Resolved, Source};
use crate::supervisor::node_environment::NodeEnvironment;
use crate::supervisor::prepare::{PrepareError, Prepared};
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Launch;

/// Nodes that run as another profile describes them, by description.
pub(in crate::supervisor) type Others = BTreeMap<NodeId, Arc<Spec>>;

/// The same in the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOthers {
    source: Source,
    templates: Option<PathBuf>,
    /// The addresses of the profile's host names; missing in files of earlier versions.
    #[serde(default)]
    resolved: Option<Resolved>,
    /// Whether they have other variables than the file of the target had, whose values are not saved.
    #[serde(default)]
    has_other_variables: bool,
    /// Their names.
    nodes: BTreeSet<String>,
}

impl Prepared {
    /// The `target`, while the nodes in `others` still run as they describe them.
    ///
    /// # Errors
    /// When the balancer cannot serve that.
    pub(in crate::supervisor) async fn mixed(
        target: &Spec,
        others: Others,
    ) -> Result<Prepared, PrepareError> {
        let spec = mixed_spec(target, others);
        let files = spec.files()?;
        let warned = spec.balancer.check(spec.deployment()).await?;
        Ok(Prepared::checked(spec, files, warned))
    }
}

/// The `target`, while the nodes in `others` still run as they describe them.
pub(in crate::supervisor) fn mixed_spec(target: &Spec, others: Others) -> Spec {
    let mut cluster = target.cluster.clone();
    for (id, other) in &others {
        keep_former_node(&mut cluster, &other.cluster, *id);
    }
    let mut launch = Launch {
        others: to_save(&others, &target.node_environment),
        ..target.launch.clone()
    };
    launch.ids.keep(&cluster);
    Spec {
        plan: plan_on_sockets(&cluster, launch.balancer, &Host::read(), launch.sockets),
        cluster,
        launch,
        others,
        ..target.clone()
    }
}

/// The descriptions of `others`, read again after the end of a supervisor.
///
/// # Errors
/// When one of the former profiles cannot be used any more.
pub(in crate::supervisor) async fn restored(
    launch: &Launch,
    run_dir: &RunDir,
) -> Result<Others, PrepareError> {
    let mut others = Others::new();
    for saved in &launch.others {
        let resolved = saved.resolved.as_ref().unwrap_or(&launch.resolved);
        let launch = Launch {
            source: saved.source.clone(),
            templates: saved.templates.clone(),
            resolved: resolved.clone(),
            others: Vec::new(),
            ..launch.clone()
        };
        let mut spec = Spec::describe(launch, run_dir.clone(), None).await?;
        if saved.has_other_variables {
            spec.node_environment = spec.node_environment.newer();
        }
        let spec = Arc::new(spec);
        let nodes = spec
            .cluster
            .nodes
            .iter()
            .filter(|node| saved.nodes.contains(&node.name));
        others.extend(nodes.map(|node| (node.id, spec.clone())));
    }
    Ok(others)
}

// Private

/// Puts a node into the cluster as it was in the `former` one. A node that goes keeps its place until
/// then: nginx computes clients' nodes from it.
fn keep_former_node(cluster: &mut Cluster, former: &Cluster, id: NodeId) {
    let Some(at) = former.nodes.iter().position(|node| node.id == id) else {
        return;
    };
    let (before, was) = (&former.nodes[..at], &former.nodes[at]);
    match cluster.nodes.iter_mut().find(|node| node.id == id) {
        Some(node) if addresses(node) == addresses(was) => {}
        Some(node) => {
            (node.address, node.tcp, node.http, node.distribution) =
                (was.address, was.tcp, was.http, was.distribution);
        }
        None => {
            let place = |node: &Node| cluster.nodes.iter().position(|it| it.id == node.id);
            let after = before.iter().rev().find_map(place);
            cluster
                .nodes
                .insert(after.map_or(0, |after| after + 1), was.clone());
        }
    }
}

fn to_save(others: &Others, target: &NodeEnvironment) -> Vec<SavedOthers> {
    let mut saved: Vec<SavedOthers> = Vec::new();
    for (id, spec) in others {
        let Some(node) = spec.cluster.by_id(*id) else {
            continue;
        };
        let Launch {
            source,
            templates,
            resolved,
            ..
        } = &spec.launch;
        let has_other_variables = spec.node_environment != *target;
        let same = saved.iter_mut().find(|saved| {
            (&saved.source, &saved.templates, saved.resolved.as_ref()) == (source, templates, Some(resolved))
                && saved.has_other_variables == has_other_variables
        });
        match same {
            Some(saved) => {
                saved.nodes.insert(node.name.clone());
            }
            None => saved.push(SavedOthers {
                source: source.clone(),
                templates: templates.clone(),
                resolved: Some(resolved.clone()),
                has_other_variables,
                nodes: BTreeSet::from([node.name.clone()]),
            }),
        }
    }
    saved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{BalancerKind, DEFAULT, load, load_with};
    use crate::supervisor::core::model::spec_of;

    fn cluster(ids: &[u32]) -> Cluster {
        let mut cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let node = cluster.nodes.swap_remove(0);
        let with_id = |id: &u32| Node {
            id: NodeId(*id),
            ..node.clone()
        };
        cluster.nodes = ids.iter().map(with_id).collect();
        cluster
    }

    #[test]
    fn a_node_that_goes_keeps_its_place() {
        let former = cluster(&[1, 2, 3, 4]);
        for (target, mixed) in [
            (&[1, 3, 4][..], &[1, 2, 3, 4][..]),
            (&[3, 4, 5], &[1, 2, 3, 4, 5]),
            (&[5], &[1, 2, 3, 4, 5]),
        ] {
            let mut cluster = cluster(target);
            for id in former.ids() {
                keep_former_node(&mut cluster, &former, id);
            }
            let ids: Vec<u32> = cluster.ids().map(|id| id.0).collect();
            assert_eq!(ids, mixed);
        }
    }

    #[test]
    fn other_variables_are_saved_without_their_values() {
        let target = spec_of(BalancerKind::Builtin, RunDir::at("/run/x"), &[]);
        let same = Arc::new(target.clone());
        let mut other = target.clone();
        other.node_environment = other.node_environment.newer();
        let others = Others::from([(NodeId(1), same), (NodeId(2), Arc::new(other))]);
        let saved = to_save(&others, &target.node_environment);
        let shown: Vec<_> = saved
            .iter()
            .map(|saved| {
                (
                    saved.has_other_variables,
                    saved.nodes.iter().map(String::as_str).collect(),
                )
            })
            .collect();
        assert_eq!(shown, [(false, vec!["erlmcp1"]), (true, vec!["erlmcp2"])]);
    }

    #[test]
    fn a_node_that_moves_keeps_its_address() {
        let former = cluster(&[1, 2]);
        let mut cluster = cluster(&[1, 2]);
        let moved = "127.0.0.1:7".parse().unwrap();
        cluster.nodes[1].tcp = Some(moved);
        keep_former_node(&mut cluster, &former, NodeId(2));
        assert_eq!(cluster.nodes[1].tcp, former.nodes[1].tcp);
    }

    /// An external cluster of one member, whose host has these addresses.
    fn of_host(addresses: &[&str]) -> Spec {
        let member = "nodes.members=[{name: web, address: web.invalid, tcp_port: 9001}]";
        let sets = ["nodes.runtime=external", member, "limits.maxconn=1000"];
        let small = ["nodes.maxconn=1000", "nodes.target=300"];
        let sets = [&sets[..], &small].concat();
        let mut spec = spec_of(BalancerKind::Builtin, RunDir::at("/run/x"), &sets);
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        spec.launch.resolved = [("web.invalid".to_owned(), addresses.collect())].into();
        spec.cluster = load_with(&spec.launch.source, &spec.launch.resolved).unwrap();
        spec.launch.ids.assign(&mut spec.cluster);
        spec
    }

    #[tokio::test]
    async fn addresses_that_have_left_dns_are_found_again_in_the_state_file() {
        let (one, two) = (of_host(&["10.0.0.1"]), of_host(&["10.0.0.2"]));
        let three = of_host(&["10.0.0.3"]);
        let mut target = three.clone();
        let mut others = Others::new();
        for (former, name) in [(one, "web-10.0.0.1"), (two, "web-10.0.0.2")] {
            let mut former = former;
            target.launch.ids.assign(&mut former.cluster);
            let id = former.cluster.node(name).unwrap().id;
            others.insert(id, Arc::new(former));
        }
        target.launch.ids.assign(&mut target.cluster);
        let saved = serde_json::to_string(&mixed_spec(&target, others.clone()).launch).unwrap();
        let launch: Launch = serde_json::from_str(&saved).unwrap();
        let restored = restored(&launch, &target.run_dir).await.unwrap();
        assert!(restored.keys().eq(others.keys()), "{:?}", restored.keys());
        for (id, other) in &others {
            let was = other.cluster.by_id(*id);
            assert_eq!(restored[id].cluster.by_id(*id), was);
        }
    }

    #[test]
    fn a_state_file_of_an_earlier_version_has_no_addresses_of_former_nodes() {
        let source = serde_json::to_string(&Source::read(DEFAULT).unwrap()).unwrap();
        let saved = format!(r#"{{"source": {source}, "templates": null, "nodes": ["erlmcp1"]}}"#);
        let saved: SavedOthers = serde_json::from_str(&saved).unwrap();
        assert_eq!(saved.resolved, None);
    }
}

//! Nodes that become part of the running cluster, and nodes that leave it.
//!
//! Every owner forgets a node that leaves, except for its process: as long as that runs, it is a child
//! of this supervisor, which is stopped with the others, and is not started again once it has ended.

use std::sync::Arc;
use std::time::Instant;

use super::core::Core;
use super::spec::Spec;
use super::waves::ChildId;
use crate::balancer::ConfigFile;
use crate::profile::Node;

impl Core {
    /// Puts another configuration in force, with the files that the balancer starts with. Its nodes
    /// may be others than before; new ones are not started yet.
    pub(super) fn replace_spec(&mut self, mut spec: Spec, files: Vec<ConfigFile>, now: Instant) {
        let before = self.spec.clone();
        let is_gone = |node: &&Node| spec.cluster.by_id(node.id).is_none();
        for node in before.cluster.nodes.iter().filter(is_gone) {
            self.forget_node(node);
        }
        let nodes = before.cluster.nodes.iter().chain(&before.former);
        let former = nodes.filter(is_gone).filter(|node| self.runs(node));
        spec.former = former.cloned().collect();
        self.children.set_nodes(spec.children());
        self.health.set_nodes(spec.node_probes(), now);
        self.eras.set_nodes(spec.cluster.ids(), now);
        self.eras.ask_again(now);
        let resolved = &spec.launch.resolved;
        self.resolver.follow(resolved.keys().cloned().collect(), resolved);
        self.spec = Arc::new(spec);
        self.published.store(self.spec.clone());
        self.files = files;
    }

    /// Drops former nodes whose processes have ended.
    pub(super) fn drop_former_nodes(&mut self) {
        let former = self.spec.former.iter();
        let running: Vec<Node> = former.filter(|node| self.runs(node)).cloned().collect();
        if running.len() < self.spec.former.len() {
            Arc::make_mut(&mut self.spec).former = running;
            self.children.set_nodes(self.spec.children());
        }
    }

    // Private

    /// Whether a process of this supervisor runs the node.
    fn runs(&self, node: &Node) -> bool {
        self.children.process(ChildId::Node(node.id)).is_some()
    }

    /// Drops what is known of a node by its name. What is known by its id is replaced as a whole.
    fn forget_node(&mut self, node: &Node) {
        tracing::info!(
            node = node.name,
            id = node.id.0,
            "not part of the cluster any more"
        );
        self.waves.forget(ChildId::Node(node.id));
        self.drains.forget(&node.name);
        self.failovers.forget(&node.name);
        self.overrides.forget_node(&node.name);
    }
}

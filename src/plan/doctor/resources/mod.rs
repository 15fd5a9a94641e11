//! How much of each resource a number of connections needs, how much this host has, and what will
//! be done.

mod descriptors;
mod machine;
mod network;
mod nodes;

use serde::{Serialize, Serializer};

use super::Level;
use crate::plan::Warning;
use crate::plan::demand::Load;
use crate::plan::rules::Case;

use descriptors::{balancer_descriptors, generator_descriptors};
use machine::{memory, threads};
use network::{accept_queue, clients, source_ports, tracking};
use nodes::{node_descriptors, nodes};

/// One resource, for the requested number of connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Its name.
    pub resource: &'static str,
    /// How much of it the connections need.
    pub needed: String,
    /// How much of it is available.
    pub given: String,
    /// What will be done.
    pub action: String,
    /// A failure if the connections do not fit, a warning if they fit with a loss. In JSON: whether
    /// everything is as requested.
    #[serde(rename = "ok", serialize_with = "is_ok")]
    pub level: Level,
    /// The number of connections that it allows.
    #[serde(skip)]
    pub(super) most: u64,
    /// How to get more of it.
    #[serde(skip)]
    pub(super) fix: Option<String>,
}

/// All resources; the first one sums up the others.
pub(super) fn all(case: &Case) -> Vec<Resource> {
    let mut rows = vec![
        balancer_descriptors(case),
        nodes(case),
        node_descriptors(case),
        generator_descriptors(case),
        source_ports(case),
        clients(case),
        accept_queue(case),
        tracking(case),
        memory(case),
        threads(case),
    ];
    rows.insert(0, connections(case, &rows));
    rows
}

/// The resource that allows the fewest connections, if that is too few.
pub(super) fn tightest<'a>(case: &Case, rows: &'a [Resource]) -> Option<&'a Resource> {
    let wanted = u64::from(case.load.total);
    rows.iter()
        .filter(|row| row.most < wanted)
        .min_by_key(|row| row.most)
}

// Private

impl Resource {
    /// A resource of which there is enough.
    fn new(
        resource: &'static str,
        needed: &impl ToString,
        given: &impl ToString,
        action: String,
    ) -> Resource {
        Resource {
            resource,
            needed: needed.to_string(),
            given: given.to_string(),
            action,
            level: Level::Ok,
            most: u64::MAX,
            fix: None,
        }
    }

    /// This resource, limited to `most` connections.
    fn for_at_most(mut self, most: u64, case: &Case, fix: Option<String>) -> Resource {
        self.most = most;
        if most < u64::from(case.load.total) {
            self.level = Level::Fail;
            self.fix = fix;
        }
        self
    }

    /// This resource, with a warning if something is `lacking`.
    fn with_a_loss(mut self, lacking: bool) -> Resource {
        if lacking {
            self.level = self.level.max(Level::Warn);
        }
        self
    }
}

fn connections(case: &Case, rows: &[Resource]) -> Resource {
    let Load { total, per_node } = case.load;
    let nodes = case.cluster.nodes.len();
    match tightest(case, rows) {
        None => Resource::new(
            "connections",
            &total,
            &total,
            format!("limits.maxconn={total}, up to {per_node} on each of {nodes} nodes"),
        ),
        Some(row) => Resource {
            level: Level::Fail,
            ..Resource::new(
                "connections",
                &total,
                &row.most,
                format!("do not fit: {}", row.resource),
            )
        },
    }
}

fn tables(threads: u16) -> String {
    match threads {
        1 => "1 thread with a table".to_owned(),
        many => format!("{many} threads with a table each"),
    }
}

fn fix(warning: Option<Warning>) -> Option<String> {
    warning.and_then(|warning| warning.fix)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_ok<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(*level == Level::Ok)
}

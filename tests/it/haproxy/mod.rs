//! The rendered configuration, in the real HAProxy.

pub(crate) mod client;
mod config;
mod drain;
mod handover;
mod listeners;
mod live;
pub(crate) mod nodes;
mod reload;
pub(crate) mod running;
mod sessions;
mod streams;

use std::sync::LazyLock;

use clusterctl::balancer::{Balancer, Deployment, find};
use clusterctl::plan::{BalancerPlan, NodePlan, Plan};
use clusterctl::platform::RunDir;
use clusterctl::profile::{BalancerKind, Cluster, DEFAULT, Source, load};
use clusterctl::render::Templates;

/// The default profile.
pub(crate) fn default_cluster() -> Cluster {
    load(&Source::read(DEFAULT).unwrap()).unwrap()
}

/// A plan that fits every machine, listening on `addresses`.
pub(crate) fn plan(addresses: &[&str]) -> Plan {
    Plan {
        balancer: BalancerPlan {
            kind: BalancerKind::Haproxy,
            maxconn: 300,
            nofile: 1000,
            threads: 2,
            instances: 1,
            sockets: 1,
            sources: Vec::new(),
            check_source: None,
        },
        nodes: NodePlan {
            nofile: 1000,
            workers: 1,
            maxconn: 400,
        },
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        capacity: 300,
        warnings: Vec::new(),
    }
}

/// The deployment, with the embedded templates.
pub(crate) fn deployment<'a>(cluster: &'a Cluster, plan: &'a Plan, run_dir: &'a RunDir) -> Deployment<'a> {
    static TEMPLATES: LazyLock<Templates> = LazyLock::new(Templates::embedded);
    Deployment {
        cluster,
        plan,
        run_dir,
        templates: &TEMPLATES,
        owned: false,
        generation: 0,
    }
}

/// The HAProxy of this machine.
async fn installed(cluster: &Cluster) -> Box<dyn Balancer> {
    find(BalancerKind::Haproxy, &cluster.binaries).await.unwrap()
}

//! Everything that can be found out before anything is started.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use super::record::Launch;
use super::setting::Setting;
use crate::api::Only;
use crate::balancer::{self, BalancerError, ConfigFile, FindError};
use crate::plan::plan;
use crate::platform::ports::{Holder, holders};
use crate::platform::{Host, RunDir};
use crate::profile::{Cluster, Problems, Runtime, load};
use crate::render::Templates;

/// A cluster that is ready to be started.
pub struct Prepared {
    pub(super) setting: Setting,
    pub(super) files: Vec<ConfigFile>,
}

/// Why a cluster cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The profile is wrong.
    #[error(transparent)]
    Profile(#[from] Problems),
    /// There is no balancer to run.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The configuration cannot be rendered, or the balancer refuses it.
    #[error(transparent)]
    Balancer(#[from] BalancerError),
    /// Somebody else listens where we want to.
    #[error("{}", taken(.0))]
    Taken(Vec<(SocketAddr, Holder)>),
}

impl PrepareError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            // Says it beside each problem.
            PrepareError::Profile(_) => None,
            PrepareError::Find(error) => error.hint(),
            PrepareError::Balancer(error) => error.hint(),
            PrepareError::Taken(_) => {
                Some("stop what holds them, or move this cluster: `--port-offset 1000`".to_owned())
            }
        }
    }
}

impl Prepared {
    /// Reads the profile, plans for this host, finds the balancer and lets it check its configuration. Ports held by
    /// the processes in `ours` are free for us.
    ///
    /// # Errors
    /// When one of that fails; nothing was changed then.
    pub async fn new(
        launch: Launch,
        run_dir: RunDir,
        ours: &BTreeSet<u32>,
    ) -> Result<Prepared, PrepareError> {
        let cluster = load(&launch.source)?;
        let plan = plan(&cluster, launch.balancer, &Host::read());
        let balancer = balancer::find(launch.balancer, &cluster.binaries).await?;
        let templates = Templates::new(launch.templates.as_deref().map(Path::to_owned));
        let files = balancer.files(&cluster, &plan, &run_dir, &templates)?;
        balancer.check(&files).await?;
        let taken: Vec<(SocketAddr, Holder)> = holders(&ports(&cluster, launch.only))
            .into_iter()
            .filter(|(_, holder)| !holder.pid.is_some_and(|pid| ours.contains(&pid)))
            .collect();
        if !taken.is_empty() {
            return Err(PrepareError::Taken(taken));
        }
        Ok(Prepared {
            setting: Setting {
                launch,
                cluster,
                plan,
                balancer,
                run_dir,
            },
            files,
        })
    }

    /// What the profile wants and this host or balancer does not give.
    #[must_use]
    pub fn warnings(&self) -> &[crate::plan::Warning] {
        &self.setting.plan.warnings
    }
}

/// Every address that the cluster, or half of it, listens on.
#[must_use]
pub fn ports(cluster: &Cluster, only: Option<Only>) -> Vec<SocketAddr> {
    let listen = &cluster.listen;
    let nodes = cluster
        .nodes
        .iter()
        .flat_map(|node| std::iter::once(node.tcp).chain(node.http));
    let nodes = nodes.filter(|_| only != Some(Only::Balancer) && cluster.runtime != Runtime::External);
    let clients = listen
        .ports()
        .flat_map(|(_, port)| listen.addresses.iter().map(move |ip| SocketAddr::new(*ip, port)));
    let balancer = clients
        .chain(listen.pages().map(|(_, address)| address))
        .filter(|_| only != Some(Only::Nodes));
    nodes.chain(balancer).chain(listen.observe).collect()
}

// Private

fn taken(ports: &[(SocketAddr, Holder)]) -> String {
    let lines = ports
        .iter()
        .map(|(address, holder)| format!("{address} is taken by {holder}"));
    lines.collect::<Vec<_>>().join("\n")
}

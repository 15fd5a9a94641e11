//! Preparation: every check that is possible before anything is started.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::node_environment::{EnvironmentError, NodeEnvironment};
use super::node_program::CommandError;
use super::node_runtime::NodeRuntime;
use super::process::descendants::all_of;
use super::spec::Spec;
use super::state_file::Launch;
use crate::api::{Only, Refusal, ReloadOrder};
use crate::balancer::{self, CheckError, ConfigFile, FilesError, FindError, ReloadBy};
use crate::erlang::beam::InstallError;
use crate::erlang::erlmcp::InstallationError;
use crate::erlang::otp::OtpError;
use crate::plan::{Bound, Plan, Warning, plan};
use crate::platform::ports::holders;
use crate::platform::{Holder, Host, RunDir};
use crate::profile::{Cluster, HttpCheck, Problems, load};
use crate::render::Templates;

/// A cluster that is ready to be started.
pub struct Prepared {
    pub(super) spec: Spec,
    pub(super) files: Vec<ConfigFile>,
    warned: Vec<String>,
}

/// Why a cluster cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The profile is wrong.
    #[error(transparent)]
    Profile(#[from] Problems),
    /// No usable balancer was found.
    #[error(transparent)]
    Find(#[from] FindError),
    /// No usable program was found for the nodes.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The nodes' environment cannot be read, or their directory does not exist.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// No usable Erlang was found for the nodes.
    #[error(transparent)]
    Otp(#[from] OtpError),
    /// The nodes' code, or their home directory, cannot be written.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The balancer's files cannot be generated.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The balancer rejects its configuration.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// No usable erlmcp was found for the nodes.
    #[error(transparent)]
    Erlmcp(#[from] InstallationError),
    /// Another process holds an address of the cluster.
    #[error("{}", taken_words(.0))]
    Taken(Vec<(Bound, Holder)>),
}

impl PrepareError {
    /// A command or a change to the profile that helps, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            // Each problem has its own hint.
            PrepareError::Profile(_) => None,
            PrepareError::Find(error) => error.hint(),
            PrepareError::Command(error) => Some(error.hint()),
            PrepareError::Environment(error) => Some(error.hint()),
            PrepareError::Otp(error) => Some(error.hint()),
            PrepareError::Install(error) => error.hint(),
            PrepareError::Files(error) => error.hint(),
            PrepareError::Check(error) => error.hint(),
            PrepareError::Erlmcp(error) => error.hint(),
            PrepareError::Taken(_) => {
                Some("stop what holds them, or move this cluster: `--port-offset 10000`".to_owned())
            }
        }
    }
}

impl Prepared {
    /// Reads the profile, plans for this host, finds the balancer and lets it check its
    /// configuration. Ports held by the processes in `ours` count as free.
    ///
    /// # Errors
    /// When one of these steps fails; nothing was changed then.
    pub async fn new(
        launch: Launch,
        run_dir: RunDir,
        ours: &BTreeSet<u32>,
    ) -> Result<Prepared, PrepareError> {
        let mut cluster = load(&launch.source)?.behind(launch.balancer);
        if let (HttpCheck::Either, Some(found)) = (cluster.http_check, launch.http_check) {
            cluster.http_check = found;
        }
        let plan = plan(&cluster, launch.balancer, &Host::read());
        let balancer = balancer::find(launch.balancer, &cluster.binaries).await?;
        let templates = launch
            .templates
            .as_ref()
            .map_or_else(Templates::embedded, Templates::overridden_by);
        let node_environment = NodeEnvironment::read(&cluster)?;
        let node_runtime = NodeRuntime::find(&cluster, &node_environment, &run_dir).await?;
        let spec = Spec {
            launch,
            cluster,
            plan,
            balancer: balancer.into(),
            run_dir,
            templates,
            node_runtime,
            node_environment,
        };
        let files = spec.files()?;
        let mut warned = spec.balancer.check(spec.deployment()).await?;
        warned.extend(spec.node_runtime.warning());
        let wanted = wanted(&spec.cluster, &spec.plan, spec.launch.only);
        let taken = taken(&wanted, ours);
        if !taken.is_empty() {
            return Err(PrepareError::Taken(taken));
        }
        Ok(Prepared { spec, files, warned })
    }

    /// Writes the files into the run directory that nodes need before they can be started.
    pub async fn install(&self) -> Result<(), PrepareError> {
        self.spec.node_runtime.install(&self.spec.run_dir).await
    }

    /// The names of the nodes' variables that differ from those in force, `now`.
    pub(super) fn changed_variables(&self, now: &Spec) -> Vec<String> {
        let variables = |spec: &Spec, node| spec.node_environment.of(&spec.cluster, node);
        let nodes = now.cluster.nodes.iter().zip(&self.spec.cluster.nodes);
        let changed = nodes.flat_map(|(was, is)| {
            let (was, is) = (variables(now, was), variables(&self.spec, is));
            let names = was
                .iter()
                .filter(|it| !is.contains(it))
                .chain(is.iter().filter(|it| !was.contains(it)));
            names
                .map(|(name, _)| name.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        });
        changed.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The cluster, as the profile describes it.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.spec.cluster
    }

    /// Settings of the profile that this host or balancer does not provide.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.spec.plan.warnings
    }

    /// The balancer's warnings about its configuration.
    #[must_use]
    pub fn warned(&self) -> &[String] {
        &self.warned
    }
}

/// The cluster after the reload `order`, where `now` describes the running one.
///
/// # Errors
/// When the order cannot be carried out, or only by a stop and a start.
pub(super) async fn reloaded(
    now: &Spec,
    order: ReloadOrder,
    ours: &BTreeSet<u32>,
) -> Result<Prepared, Refusal> {
    // What was found out holds for the paths that it was found out for.
    let asked = |cluster: &Cluster| (cluster.health.path.clone(), cluster.mcp_path().to_owned());
    let same_paths = load(&order.source).is_ok_and(|next| asked(&next) == asked(&now.cluster));
    let launch = Launch {
        source: order.source,
        templates: order.templates,
        http_check: now.launch.http_check.filter(|_| same_paths),
        ..now.launch.clone()
    };
    let mut ours = all_of(&now.launch.run_id, ours);
    ours.insert(std::process::id());
    let prepared = Prepared::new(launch, now.run_dir.clone(), &ours)
        .await
        .map_err(|error| refusal(&error))?;
    if let Some(what) = fixed(now, &prepared.spec) {
        return Err(Refusal {
            error: format!("{what} cannot be changed by a reload"),
            hint: Some("`clusterctl stop`, then `clusterctl start` with the new profile".to_owned()),
        });
    }
    prepared.install().await.map_err(|error| refusal(&error))?;
    Ok(prepared)
}

// Private

fn refusal(error: &PrepareError) -> Refusal {
    Refusal {
        hint: error.hint(),
        error: error.to_string(),
    }
}

/// The first difference that cannot be changed while the cluster runs.
fn fixed(now: &Spec, next: &Spec) -> Option<&'static str> {
    let addresses = |cluster: &Cluster| -> Vec<_> {
        cluster
            .nodes
            .iter()
            .map(|node| (node.name.clone(), node.tcp, node.http, node.distribution))
            .collect()
    };
    let (was, is) = (&now.cluster, &next.cluster);
    // A process that keeps running keeps its memory pages and its threads.
    let goes_on = now.balancer.reload() == ReloadBy::Itself;
    let several = now.plan.balancer.instances > 1;
    match () {
        () if was.name != is.name => Some("the cluster's name"),
        () if (was.runtime, &was.command, &was.erlmcp, &was.directory)
            != (is.runtime, &is.command, &is.erlmcp, &is.directory) =>
        {
            Some("the runtime of nodes")
        }
        () if addresses(was) != addresses(is) => Some("the number, names and addresses of nodes"),
        () if was.listen.observe != is.listen.observe => Some("`listen.observe`"),
        () if goes_on && !was.listen.pages().eq(is.listen.pages()) => {
            Some("`listen.stats` and `listen.status`")
        }
        () if goes_on && next.plan.balancer.threads > now.plan.balancer.threads => {
            Some("`limits.maxconn`, beyond what the running threads hold,")
        }
        () if now.plan.balancer.instances != next.plan.balancer.instances => {
            Some("the number of balancer processes, which follows from `limits.maxconn`,")
        }
        () if several && was.listen.stats != is.listen.stats => Some("`listen.stats`"),
        () => None,
    }
}

/// Every address that the cluster, or the started half of it, listens on.
pub(super) fn wanted(cluster: &Cluster, plan: &Plan, only: Option<Only>) -> Vec<Bound> {
    let is_node = |bound: &Bound| cluster.node(&bound.owner).is_some();
    let mut wanted = plan.bound(cluster);
    wanted.retain(|bound| match only {
        None => true,
        Some(Only::Nodes) => is_node(bound) || Some(bound.address) == cluster.listen.observe,
        Some(Only::Balancer) => !is_node(bound),
    });
    wanted
}

/// The `wanted` addresses that processes other than `ours` hold.
fn taken(wanted: &[Bound], ours: &BTreeSet<u32>) -> Vec<(Bound, Holder)> {
    let addresses: Vec<SocketAddr> = wanted.iter().map(|bound| bound.address).collect();
    let mut held: BTreeMap<SocketAddr, Holder> = holders(&addresses, ours).into_iter().collect();
    held.retain(|_, holder| !holder.pid.is_some_and(|pid| ours.contains(&pid)));
    wanted
        .iter()
        .filter_map(|bound| Some((bound.clone(), held.get(&bound.address)?.clone())))
        .collect()
}

fn taken_words(taken: &[(Bound, Holder)]) -> String {
    let text = taken.iter().map(|(bound, holder)| {
        format!(
            "{} is taken by {holder}, and wanted for {}",
            bound.address, bound.owner
        )
    });
    text.collect::<Vec<_>>().join("\n       ")
}

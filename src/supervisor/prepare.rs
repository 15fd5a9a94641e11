//! Preparation: every check that is possible before anything is started.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::change::mixture::{Others, mixed_spec, restored};
use super::node_environment::{EnvironmentError, NodeEnvironment};
use super::node_program::CommandError;
use super::node_runtime::NodeRuntime;
use super::process::descendants::all_of;
use super::resolver::{self, ResolveError};
use super::spec::Spec;
use super::state_file::Launch;
use crate::api::{Only, Refusal, SwitchOrder};
use crate::balancer::{self, CheckError, ConfigFile, FilesError, FindError, ReloadBy};
use crate::erlang::beam::InstallError;
use crate::erlang::erlmcp::InstallationError;
use crate::erlang::otp::OtpError;
use crate::plan::{Bound, Plan, Warning, plan_on_sockets};
use crate::platform::ports::holders;
use crate::platform::{Holder, Host, RunDir};
use crate::profile::{Cluster, HttpCheck, Problems, hosts, load_with};
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
    /// A host name of the profile has no address.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
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
            PrepareError::Resolve(error) => Some(error.hint()),
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
    /// Reads the profile, looks up its host names that `launch` has no addresses of, plans for this host, finds the balancer and lets it check its
    /// configuration. Ports held by the processes in `ours` count as free.
    ///
    /// # Errors
    /// When one of these steps fails; nothing was changed then.
    pub async fn new(
        launch: Launch,
        run_dir: RunDir,
        ours: &BTreeSet<u32>,
    ) -> Result<Prepared, PrepareError> {
        Prepared::with(launch, run_dir, None, ours).await
    }

    /// Prepares `launch` with these variables of the nodes, or those that their file has now.
    async fn with(
        launch: Launch,
        run_dir: RunDir,
        environment: Option<NodeEnvironment>,
        ours: &BTreeSet<u32>,
    ) -> Result<Prepared, PrepareError> {
        let others = restored(&launch, &run_dir).await?;
        let mut spec = Spec::describe(launch, run_dir, environment).await?;
        if !others.is_empty() {
            spec = mixed_spec(&spec, others);
        }
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

    /// A cluster whose configuration the balancer has accepted.
    pub(super) const fn checked(spec: Spec, files: Vec<ConfigFile>, warned: Vec<String>) -> Prepared {
        Prepared { spec, files, warned }
    }

    /// A cluster of a test, whose configuration no balancer has checked.
    #[cfg(test)]
    pub(super) const fn of(spec: Spec, files: Vec<ConfigFile>) -> Prepared {
        Prepared {
            spec,
            files,
            warned: Vec::new(),
        }
    }

    /// What a switch from `now` to this changes, as sentences.
    pub(super) fn differences(&self, now: &Spec) -> Vec<String> {
        balancer::differences(now.deployment(), self.spec.deployment())
    }

    /// What an earlier version runs, with the `files` of this one.
    pub(super) fn renewed(spec: &Spec, files: Vec<ConfigFile>) -> Prepared {
        Prepared {
            spec: spec.clone(),
            files,
            warned: Vec::new(),
        }
    }

    /// The same for new processes beside the running ones, whose files have other names.
    ///
    /// # Errors
    /// When the files cannot be made.
    fn beside(mut self) -> Result<Prepared, PrepareError> {
        self.spec.launch.generation = self.spec.launch.generation.wrapping_add(1);
        self.files = self.spec.files()?;
        Ok(self)
    }

    /// Writes the files into the run directory that nodes need before they can be started.
    pub async fn install(&self) -> Result<(), PrepareError> {
        self.spec.node_runtime.install(&self.spec.run_dir).await
    }

    /// What is to be run, with the addresses of the profile's host names.
    #[must_use]
    pub fn launch(&self) -> &Launch {
        &self.spec.launch
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

impl Spec {
    /// What `launch` describes on this host, with these variables of the nodes, or those that their
    /// file has now.
    ///
    /// # Errors
    /// When the profile is wrong, or something that it needs is not installed.
    pub(super) async fn describe(
        mut launch: Launch,
        run_dir: RunDir,
        environment: Option<NodeEnvironment>,
    ) -> Result<Spec, PrepareError> {
        launch.resolved = resolver::resolve_missing(&hosts(&launch.source)?, &launch.resolved).await?;
        let mut cluster = load_with(&launch.source, &launch.resolved)?.behind(launch.balancer);
        if let (HttpCheck::Either, Some(found)) = (cluster.http_check, launch.http_check) {
            cluster.http_check = found;
        }
        launch.ids.assign(&mut cluster);
        let plan = plan_on_sockets(&cluster, launch.balancer, &Host::read(), launch.sockets);
        let balancer = balancer::find(launch.balancer, &cluster.binaries).await?;
        let templates = launch
            .templates
            .as_ref()
            .map_or_else(Templates::embedded, Templates::overridden_by);
        let node_environment = match environment {
            Some(known) => known.checked(&cluster)?,
            None => NodeEnvironment::read(&cluster)?,
        };
        let node_runtime = NodeRuntime::find(&cluster, &node_environment, &run_dir).await?;
        Ok(Spec {
            launch,
            cluster,
            plan,
            balancer: balancer.into(),
            run_dir,
            templates,
            node_runtime,
            node_environment,
            former: Vec::new(),
            others: Others::new(),
        })
    }
}

// Private

/// The cluster of `launch`, beside the running one, with these variables of the nodes, or those that
/// their file has now.
pub(super) async fn prepared_beside(
    now: &Spec,
    launch: Launch,
    environment: Option<NodeEnvironment>,
    ours: &BTreeSet<u32>,
) -> Result<Prepared, Refusal> {
    let mut ours = all_of(&now.launch.run_id, ours);
    ours.insert(std::process::id());
    let prepared = Prepared::with(launch, now.run_dir.clone(), environment, &ours).await;
    prepared.map_err(|error| refusal(&error))
}

pub(super) fn refusal(error: &PrepareError) -> Refusal {
    Refusal {
        hint: error.hint(),
        error: error.to_string(),
    }
}

/// The same with files of other names, if no running process can change its settings to `prepared`.
///
/// # Errors
/// When the files cannot be made.
pub(super) fn beside_if_needed(now: &Spec, prepared: Prepared) -> Result<Prepared, PrepareError> {
    if needs_new_process(now, &prepared.spec) {
        prepared.beside()
    } else {
        Ok(prepared)
    }
}

/// Whether no running process can change its settings to `next`, so that new processes have to take
/// over.
pub(super) fn needs_new_process(now: &Spec, next: &Spec) -> bool {
    let (was, is) = (&now.plan.balancer, &next.plan.balancer);
    match now.balancer.reload() {
        ReloadBy::Successor { .. } => was.instances != is.instances || was.sockets != is.sockets,
        // Its memory, its threads and its pages stay as they are.
        ReloadBy::Itself => {
            was.threads < is.threads || !now.cluster.listen.pages().eq(next.cluster.listen.pages())
        }
        // Its new workers get no sockets that the master has not inherited.
        ReloadBy::Workers(_) => {
            let open: BTreeSet<SocketAddr> = now.listeners().map(|at| at.address).collect();
            was.sockets < is.sockets || next.listeners().any(|at| !open.contains(&at.address))
        }
    }
}

/// The cluster behind the balancer of the switch `order`, where `now` describes the running one.
///
/// # Errors
/// When that balancer runs already, is not installed, or cannot serve the profile.
pub(super) async fn switched(
    now: &Spec,
    order: SwitchOrder,
    ours: &BTreeSet<u32>,
) -> Result<Prepared, Refusal> {
    if order.balancer == now.balancer.kind() {
        return Err(Refusal {
            error: format!("{} is the balancer that runs", order.balancer),
            hint: None,
        });
    }
    let launch = Launch {
        balancer: order.balancer,
        sockets: now.plan.balancer.sockets,
        generation: now.launch.generation.wrapping_add(1),
        ..now.launch.clone()
    };
    let environment = Some(now.node_environment.clone());
    let prepared = prepared_beside(now, launch, environment, ours).await?;
    let never_served = &now.cluster.listen.unserved;
    let unserved = prepared.spec.cluster.listen.unserved.iter();
    let lost: Vec<String> = unserved
        .filter(|port| !never_served.contains(port))
        .map(ToString::to_string)
        .collect();
    if lost.is_empty() {
        return Ok(prepared);
    }
    let (from, to) = (now.balancer.kind(), order.balancer);
    Err(Refusal {
        error: format!(
            "{to} does not serve the HTTPS listener ({}), which {from} serves",
            lost.join(", ")
        ),
        hint: Some(format!(
            "`clusterctl stop`, then `clusterctl start {to}`, serves without HTTPS"
        )),
    })
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

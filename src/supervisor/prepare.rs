//! Everything that can be found out before anything is started.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::node_program::CommandError;
use super::node_runtime::Makings;
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
use crate::profile::{Cluster, Problems, load};
use crate::render::Templates;

/// A cluster that is ready to be started.
pub struct Prepared {
    pub(super) setting: Spec,
    pub(super) files: Vec<ConfigFile>,
    warned: Vec<String>,
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
    /// There is no program for the nodes.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// There is no Erlang for the nodes.
    #[error(transparent)]
    Otp(#[from] OtpError),
    /// The nodes' code, or their home, cannot be made.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The balancer's files cannot be made.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The balancer refuses them.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// There is no erlmcp to run as nodes.
    #[error(transparent)]
    Erlmcp(#[from] InstallationError),
    /// Somebody else listens where we want to.
    #[error("{}", taken_words(.0))]
    Taken(Vec<(Bound, Holder)>),
}

impl PrepareError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            // Says it beside each problem.
            PrepareError::Profile(_) => None,
            PrepareError::Find(error) => error.hint(),
            PrepareError::Command(error) => Some(error.hint()),
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
        let cluster = load(&launch.source)?.behind(launch.balancer);
        let plan = plan(&cluster, launch.balancer, &Host::read());
        let balancer = balancer::find(launch.balancer, &cluster.binaries).await?;
        let templates = launch
            .templates
            .as_ref()
            .map_or_else(Templates::embedded, Templates::overridden_by);
        let makings = Makings::find(&cluster, &run_dir).await?;
        let setting = Spec {
            launch,
            cluster,
            plan,
            balancer,
            run_dir,
            templates,
            makings,
        };
        let mut files = setting.balancer.files(setting.deployment())?;
        files.extend(setting.node_files().map_err(FilesError::from)?);
        let mut warned = setting.balancer.check(setting.deployment()).await?;
        warned.extend(setting.makings.warning());
        let wanted = wanted(&setting.cluster, &setting.plan, setting.launch.only);
        let taken = taken(&wanted, ours);
        if !taken.is_empty() {
            return Err(PrepareError::Taken(taken));
        }
        Ok(Prepared {
            setting,
            files,
            warned,
        })
    }

    /// Puts into the run directory what nodes need before they can be started.
    ///
    /// # Errors
    /// When that cannot be made.
    pub async fn install(&self) -> Result<(), PrepareError> {
        self.setting.makings.install(&self.setting.run_dir).await
    }

    /// The cluster, as the profile describes it.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.setting.cluster
    }

    /// What the profile wants and this host or balancer does not give.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.setting.plan.warnings
    }

    /// What the balancer warns of in its own configuration.
    #[must_use]
    pub fn warned(&self) -> &[String] {
        &self.warned
    }
}

/// What `order` makes of the cluster that `now` describes.
///
/// # Errors
/// When that cannot be, or only by a new start.
pub(super) async fn reloaded(
    now: &Spec,
    order: ReloadOrder,
    ours: &BTreeSet<u32>,
) -> Result<Prepared, Refusal> {
    let launch = Launch {
        source: order.source,
        templates: order.templates,
        ..now.launch.clone()
    };
    let mut ours = all_of(&now.launch.run_id, ours);
    ours.insert(std::process::id());
    let prepared = Prepared::new(launch, now.run_dir.clone(), &ours)
        .await
        .map_err(|error| refusal(&error))?;
    if let Some(what) = fixed(now, &prepared.setting) {
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

/// What differs and cannot be changed while the cluster runs.
fn fixed(now: &Spec, next: &Spec) -> Option<&'static str> {
    let addresses = |cluster: &Cluster| -> Vec<_> {
        cluster
            .nodes
            .iter()
            .map(|node| (node.name.clone(), node.tcp, node.http, node.distribution))
            .collect()
    };
    let (was, is) = (&now.cluster, &next.cluster);
    // A process that goes on has the pages and the threads that it has.
    let goes_on = now.balancer.reload() == ReloadBy::Itself;
    let several = now.plan.balancer.instances > 1;
    match () {
        () if was.name != is.name => Some("the cluster's name"),
        () if (was.runtime, &was.command, &was.erlmcp) != (is.runtime, &is.command, &is.erlmcp) => {
            Some("what nodes are made of")
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

/// Every address that the cluster, or half of it, listens on.
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

/// Those of the `wanted` addresses that others than `ours` hold.
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
    let words = taken.iter().map(|(bound, holder)| {
        format!(
            "{} is taken by {holder}, and wanted for {}",
            bound.address, bound.owner
        )
    });
    words.collect::<Vec<_>>().join("\n       ")
}

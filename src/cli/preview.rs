//! What would run: the profile, the plan for this host, and the installed balancer.

use super::balancer_name::BalancerName;
use super::failure::Failure;
use super::printer::Printer;
use super::settings::Settings;
use crate::balancer::{self, Balancer, Deployment};
use crate::plan::{Plan, plan};
use crate::platform::{Host, RunDir};
use crate::profile::Cluster;
use crate::render::Templates;
use crate::report;

/// What would run.
pub(super) struct Preview {
    pub(super) cluster: Cluster,
    pub(super) plan: Plan,
    pub(super) balancer: Box<dyn Balancer>,
    pub(super) run_dir: RunDir,
    pub(super) templates: Templates,
}

impl Preview {
    /// The plan with the balancer that was `named`, or the profile's.
    ///
    /// # Errors
    /// When the profile is invalid, no balancer could run in the run directory, or the balancer is
    /// not installed.
    pub(super) async fn new(settings: &Settings, named: Option<&BalancerName>) -> Result<Preview, Failure> {
        let run_dir = settings.run_dir()?;
        run_dir.try_path()?;
        let kind = settings.balancer(named)?;
        let cluster = settings.resolved_cluster().await?.behind(kind);
        let plan = plan(&cluster, kind, &Host::read());
        let balancer = balancer::find(kind, &cluster.binaries).await?;
        Ok(Preview {
            cluster,
            plan,
            balancer,
            run_dir,
            templates: settings.templates(),
        })
    }

    /// The deployment that would be served.
    pub(super) fn deployment(&self) -> Deployment<'_> {
        Deployment {
            cluster: &self.cluster,
            plan: &self.plan,
            run_dir: &self.run_dir,
            templates: &self.templates,
            owned: false,
            generation: 0,
        }
    }

    /// Warns of what the profile requests and does not get.
    pub(super) fn warn(&self, printer: &Printer) {
        for warning in &self.plan.warnings {
            printer.warning(&report::warning(warning));
        }
    }
}

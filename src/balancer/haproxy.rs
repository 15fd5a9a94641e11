//! HAProxy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};

use super::certificate::pem;
use super::check::{CheckError, verdict};
use super::files::{ConfigFile, FilesError};
use super::orders::{Lists, Orders};
use super::trial::{Trial, not_run};
use super::{Away, Balancer, Deployment, ReloadBy};
use crate::plan::ChosenBy;
use crate::platform::{Program, RunDir};
use crate::profile::{BalancerKind, Cluster};
use crate::render::{self, HaproxyBuild, HealthTarget};

/// The oldest branch that understands our configuration: `localpeer` came with 2.4.
pub(super) const OLDEST: (u16, u16) = (2, 4);

/// A younger process may not have sent all of its stick tables to its successor.
const SETTLED_AGE: Duration = Duration::from_secs(6);

/// A check reads a few files; 100 backends take it well under a second.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// An HAProxy binary. It runs without its own master process (`-W`), because the supervisor has
/// that role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Haproxy {
    path: PathBuf,
    build: HaproxyBuild,
}

impl Haproxy {
    /// The binary at `path`, with the features in `build`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, build: HaproxyBuild) -> Haproxy {
        Haproxy {
            path: path.into(),
            build,
        }
    }
    /// The binary's version and features.
    #[must_use]
    pub const fn build(&self) -> &HaproxyBuild {
        &self.build
    }

    // Private

    async fn checked(&self, deployment: Deployment<'_>) -> Result<Vec<String>, CheckError> {
        let trial = &Trial::of(self, deployment)?;
        let checks = deployment
            .plan
            .balancer
            .all_instances()
            .map(|instance| async move {
                let config = trial.run_dir().haproxy_config(instance);
                let program =
                    Program::new(&self.path).args(["-c".as_ref(), "-f".as_ref(), config.as_os_str()]);
                program.output(CHECK_TIMEOUT).await
            });
        let outputs = try_join_all(checks)
            .await
            .map_err(|source| not_run(self, source))?;
        let mut warned: Vec<String> = Vec::new();
        for output in outputs {
            let warnings = verdict(&output).map_err(|words| trial.refused(self, &self.build, &words))?;
            warned.extend(warnings.iter().map(|warning| trial.readable(warning)));
        }
        Ok(warned)
    }
}

impl Balancer for Haproxy {
    fn path(&self) -> &Path {
        &self.path
    }

    fn kind(&self) -> BalancerKind {
        BalancerKind::Haproxy
    }

    fn version(&self) -> &str {
        &self.build.version
    }

    fn files(&self, deployment: Deployment<'_>) -> Result<Vec<ConfigFile>, FilesError> {
        let Deployment {
            cluster,
            plan,
            run_dir,
            templates,
            ..
        } = deployment;
        let mut files = Vec::new();
        for (index, instance) in plan.balancer.all_instances().enumerate() {
            files.push(ConfigFile {
                path: run_dir.haproxy_config(instance),
                content: render::haproxy(cluster, plan, index, &self.build, run_dir, templates)?,
            });
        }
        files.extend(self.order_files(deployment, &Away::default())?);
        if let Some(certificate) = &cluster.tls {
            files.push(ConfigFile {
                path: run_dir.certificate(),
                content: pem(certificate, &run_dir.certificate())?,
            });
        }
        Ok(files)
    }

    fn order_files(&self, deployment: Deployment<'_>, away: &Away) -> Result<Vec<ConfigFile>, FilesError> {
        let Deployment {
            cluster,
            plan,
            run_dir,
            ..
        } = deployment;
        let drained = &away.drained;
        let states = plan.balancer.all_instances().map(|instance| {
            let path = run_dir.haproxy_state(instance);
            (path, render::server_states(cluster, drained, &away.down))
        });
        let lists = [
            (
                run_dir.haproxy_drained_names(),
                render::drained_names(cluster, drained),
            ),
            (
                run_dir.haproxy_drained_ids(),
                render::drained_ids(cluster, drained),
            ),
            (
                run_dir.haproxy_stopping(),
                render::stopping(away.announced, Duration::ZERO),
            ),
        ];
        Ok(states
            .chain(lists)
            .map(|(path, content)| ConfigFile { path, content })
            .collect())
    }

    fn check<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<Vec<String>, CheckError>> {
        self.checked(deployment).boxed()
    }

    fn serve(&self, deployment: Deployment<'_>, instance: usize, replacing: Option<u32>) -> Program {
        let Deployment { plan, run_dir, .. } = deployment;
        let which = plan.balancer.instance(instance);
        let config = run_dir.haproxy_config(which);
        let listeners = run_dir.haproxy_listeners_socket(which);
        let mut program = Program::new(&self.path)
            .args(["-db".as_ref(), "-f".as_ref(), config.as_os_str()])
            .args(["-x".as_ref(), listeners.as_os_str()])
            .with_huge_pages();
        program.nofile = Some(plan.balancer.nofile);
        // The new process accepts some milliseconds before it has received the stick tables from
        // the old one (ten reloads at 860 connections a second: 69 of 62,786 were balanced again).
        // Its predecessor's socket is gone at once: only the kernel can still count and end the old
        // process's connections.
        match replacing {
            // Takes every pid that follows it, so it comes last.
            Some(replaced) => program.args(["-sf".to_owned(), replaced.to_string()]),
            None => program,
        }
    }

    fn reload(&self) -> ReloadBy {
        ReloadBy::Successor { settled: SETTLED_AGE }
    }

    fn sockets(&self, deployment: Deployment<'_>) -> Vec<PathBuf> {
        let instances = deployment.plan.balancer.all_instances();
        instances
            .map(|instance| deployment.run_dir.haproxy_socket(instance))
            .collect()
    }

    fn handover(&self, deployment: Deployment<'_>, instance: usize) -> Option<PathBuf> {
        let which = deployment.plan.balancer.instance(instance);
        Some(deployment.run_dir.haproxy_listeners_socket(which))
    }

    fn chosen_by(&self, deployment: Deployment<'_>, listener: &str) -> Option<ChosenBy> {
        render::chosen_by_haproxy(deployment.cluster, deployment.plan, listener)
    }

    fn health_targets(&self, cluster: &Cluster, node: &str) -> Vec<HealthTarget> {
        render::health_targets(cluster, node)
    }

    fn page_frontends(&self, deployment: Deployment<'_>) -> Vec<&'static str> {
        render::haproxy_pages(deployment.cluster, deployment.plan)
    }

    fn orders(&self, cluster: &Cluster, run_dir: &RunDir) -> Orders {
        let lists = Lists {
            names: run_dir.haproxy_drained_names(),
            ids: run_dir.haproxy_drained_ids(),
            stopping: run_dir.haproxy_stopping(),
        };
        Orders::new(cluster, Some(lists))
    }
}

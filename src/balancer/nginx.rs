//! nginx.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nix::sys::signal::Signal;
use nix::unistd::{Group, User, geteuid};

use super::certificate::pem;
use super::check::{CheckError, nginx_verdict};
use super::files::{ConfigFile, FilesError};
use super::orders::Orders;
use super::trial::{Trial, not_run};
use super::{Away, Balancer, Deployment, ReloadBy};
use crate::plan::ChosenBy;
use crate::platform::{Program, RunDir};
use crate::profile::{BalancerKind, Cluster};
use crate::render::{self, HealthTarget, NginxBuild, NginxInstallation, NginxPlace, StreamModule};

/// The oldest version that understands our configuration.
pub(super) const OLDEST: (u16, u16) = (1, 18);

/// The file of the module that balances TCP.
const STREAM_MODULE: &str = "ngx_stream_module.so";

/// The number of the first inherited descriptor, after input, output and errors.
const FIRST_INHERITED: usize = 3;

/// A check reads one file, and tries to listen.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// An nginx binary. Its master process runs in the foreground as the supervisor's child; the
/// workers are the master's children.
///
/// It has no runtime API: changes are written to its file, which new workers read. The old workers
/// keep their connections, and end with the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nginx {
    path: PathBuf,
    installed: NginxInstallation,
}

impl Nginx {
    /// The binary at `path`, with the features in `build`; searches for its modules and its user.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, build: NginxBuild) -> Nginx {
        let module = build.modules.join(STREAM_MODULE);
        let stream = match (build.stream, module.exists()) {
            (true, _) => StreamModule::BuiltIn,
            (false, true) => StreamModule::Loaded(module),
            (false, false) => StreamModule::Missing(module),
        };
        let installed = NginxInstallation {
            build,
            stream,
            user: user(),
        };
        Nginx {
            path: path.into(),
            installed,
        }
    }

    // Private

    fn config(&self, deployment: Deployment<'_>, away: &Away) -> Result<ConfigFile, FilesError> {
        let Deployment {
            cluster,
            plan,
            run_dir,
            templates,
            generation,
            ..
        } = deployment;
        if let (StreamModule::Missing(module), Some(_)) = (&self.installed.stream, cluster.listen.tcp) {
            return Err(FilesError::NoStreamModule {
                program: self.path.clone(),
                module: module.clone(),
            });
        }
        let installed = &self.installed;
        let (away, announced) = (away.all(), away.announced);
        let place = NginxPlace { run_dir, generation };
        Ok(ConfigFile {
            path: run_dir.nginx_config(),
            content: render::nginx(cluster, plan, installed, place, templates, &away, announced)?,
        })
    }

    /// nginx itself, with its files in `run_dir`. It writes errors to stderr even before it has
    /// read them.
    fn program(&self, run_dir: &RunDir) -> Program {
        let program = Program::new(&self.path)
            .arg("-p")
            .arg(run_dir.path())
            .arg("-c")
            .arg(run_dir.nginx_config());
        if self.installed.build.has_error_log_option() {
            program.args(["-e", "stderr"])
        } else {
            program
        }
    }

    async fn checked(&self, deployment: Deployment<'_>) -> Result<Vec<String>, CheckError> {
        let trial = Trial::of(self, deployment)?;
        let mut program = self.program(trial.run_dir()).arg("-t");
        // nginx warns if its limit is lower than the one that the configuration sets.
        program.nofile = Some(deployment.plan.balancer.nofile);
        let output = program
            .output(CHECK_TIMEOUT)
            .await
            .map_err(|source| not_run(self, source))?;
        let warnings =
            nginx_verdict(&output).map_err(|words| trial.refused(self, &self.installed.build, &words))?;
        Ok(warnings.iter().map(|warning| trial.readable(warning)).collect())
    }
}

impl Balancer for Nginx {
    fn path(&self) -> &Path {
        &self.path
    }

    fn kind(&self) -> BalancerKind {
        BalancerKind::Nginx
    }

    fn version(&self) -> &str {
        &self.installed.build.version
    }

    fn files(&self, deployment: Deployment<'_>) -> Result<Vec<ConfigFile>, FilesError> {
        let mut files = self.order_files(deployment, &Away::default())?;
        let Deployment { cluster, run_dir, .. } = deployment;
        if let Some(certificate) = &cluster.tls {
            files.push(ConfigFile {
                path: run_dir.certificate(),
                content: pem(certificate, &run_dir.certificate())?,
            });
        }
        Ok(files)
    }

    fn order_files(&self, deployment: Deployment<'_>, away: &Away) -> Result<Vec<ConfigFile>, FilesError> {
        Ok(vec![self.config(deployment, away)?])
    }

    fn check<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<Vec<String>, CheckError>> {
        self.checked(deployment).boxed()
    }

    fn serve(&self, deployment: Deployment<'_>, _instance: usize, _replacing: Option<u32>) -> Program {
        let mut program = self.program(deployment.run_dir).with_huge_pages();
        program.nofile = Some(deployment.plan.balancer.nofile);
        program
    }

    fn reload(&self) -> ReloadBy {
        ReloadBy::Workers(Signal::SIGHUP)
    }

    fn sockets(&self, _deployment: Deployment<'_>) -> Vec<PathBuf> {
        Vec::new()
    }

    /// nginx matches inherited sockets with `listen` lines by their addresses. A line with
    /// `reuseport` takes one for each worker. It closes those that it does not need, and opens those
    /// that are missing; it keeps them across reloads.
    fn inherit(&self, program: Program, listeners: usize) -> Program {
        if listeners == 0 {
            return program;
        }
        let numbers = (FIRST_INHERITED..).take(listeners);
        let list: String = numbers.map(|number| number.to_string() + ";").collect();
        program.with([("NGINX".into(), list.into())])
    }

    fn status_socket(&self, deployment: Deployment<'_>) -> Option<PathBuf> {
        Some(deployment.run_dir.nginx_socket(deployment.generation))
    }

    fn access_log(&self, run_dir: &RunDir) -> Option<PathBuf> {
        Some(run_dir.log(render::NGINX_ACCESS_LOG))
    }

    fn chosen_by(&self, deployment: Deployment<'_>, listener: &str) -> Option<ChosenBy> {
        render::chosen_by_nginx(deployment.cluster, listener)
    }

    fn health_targets(&self, _cluster: &Cluster, _node: &str) -> Vec<HealthTarget> {
        Vec::new()
    }

    fn orders(&self, cluster: &Cluster, _run_dir: &RunDir) -> Orders {
        Orders::new(cluster, None)
    }
}

// Private

/// The user of the workers when root starts them: `nobody`, with the group of the same name, or
/// `nogroup` on Debian.
fn user() -> Option<String> {
    const UNPRIVILEGED_USER: &str = "nobody";
    if !geteuid().is_root() || !matches!(User::from_name(UNPRIVILEGED_USER), Ok(Some(_))) {
        return None;
    }
    let group = ["nogroup", UNPRIVILEGED_USER]
        .into_iter()
        .find(|name| matches!(Group::from_name(name), Ok(Some(_))))?;
    Some(format!("{UNPRIVILEGED_USER} {group}"))
}

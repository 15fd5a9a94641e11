//! The balancer inside this binary.

use std::path::{Path, PathBuf};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::check::CheckError;
use super::files::{ConfigFile, FilesError};
use super::orders::Orders;
use super::{Away, Balancer, Deployment, ReloadBy};
use crate::dataplane_config::Dataplane;
use crate::plan::ChosenBy;
use crate::platform::{Program, RunDir, self_exe};
use crate::profile::{BalancerKind, Cluster};
use crate::render::{self, HealthTarget};

/// This binary as a load balancer: `clusterctl dataplane`. It has no TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builtin {
    path: PathBuf,
}

impl Builtin {
    /// The balancer in the running binary.
    #[must_use]
    pub fn new() -> Builtin {
        Builtin { path: self_exe() }
    }
}

impl Default for Builtin {
    fn default() -> Builtin {
        Builtin::new()
    }
}

impl Balancer for Builtin {
    fn path(&self) -> &Path {
        &self.path
    }

    fn kind(&self) -> BalancerKind {
        BalancerKind::Builtin
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn files(&self, deployment: Deployment<'_>) -> Result<Vec<ConfigFile>, FilesError> {
        let Deployment {
            cluster,
            plan,
            run_dir,
            owned,
            ..
        } = deployment;
        let config = render::dataplane(cluster, plan, run_dir, owned).ok_or(FilesError::NothingServed)?;
        let content = format!(
            "# {}: MCP clients on {} nodes. Made by clusterctl from the profile: edit the profile, not this file.\n\n{}",
            cluster.name,
            cluster.nodes.len(),
            config.to_yaml()
        );
        let mut files = vec![ConfigFile {
            path: run_dir.dataplane_config(),
            content,
        }];
        files.extend(self.order_files(deployment, &Away::default())?);
        Ok(files)
    }

    fn order_files(&self, deployment: Deployment<'_>, away: &Away) -> Result<Vec<ConfigFile>, FilesError> {
        let Deployment { cluster, run_dir, .. } = deployment;
        Ok(vec![
            ConfigFile {
                path: run_dir.dataplane_drained(),
                content: render::drained_names(cluster, &away.drained),
            },
            ConfigFile {
                path: run_dir.dataplane_down(),
                content: render::down_names(cluster, &away.down),
            },
            ConfigFile {
                path: run_dir.dataplane_stopping(),
                content: render::stopping(away.announced, away.over),
            },
        ])
    }

    fn check<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<Vec<String>, CheckError>> {
        let checked = || {
            let files = self.files(deployment)?;
            let config = files.first().map_or("", |file| &file.content);
            Dataplane::parse(config).map_err(|error| CheckError::Refused {
                kind: self.kind(),
                program: self.kind().to_string(),
                words: error.to_string(),
            })?;
            Ok(Vec::new())
        };
        std::future::ready(checked()).boxed()
    }

    fn serve(&self, deployment: Deployment<'_>, _instance: usize, _replacing: Option<u32>) -> Program {
        let mut program = Program::new(&self.path)
            .args(["dataplane", "--config"])
            .arg(deployment.run_dir.dataplane_config());
        program.name = Some("clusterctl".into());
        program.nofile = Some(deployment.plan.balancer.nofile);
        program
    }

    fn reload(&self) -> ReloadBy {
        ReloadBy::Itself
    }

    fn sockets(&self, deployment: Deployment<'_>) -> Vec<PathBuf> {
        vec![deployment.run_dir.dataplane_socket()]
    }

    fn handover(&self, deployment: Deployment<'_>, _instance: usize) -> Option<PathBuf> {
        Some(deployment.run_dir.dataplane_listeners_socket())
    }

    fn chosen_by(&self, deployment: Deployment<'_>, listener: &str) -> Option<ChosenBy> {
        render::chosen_by_builtin(deployment.cluster, listener)
    }

    fn health_targets(&self, cluster: &Cluster, node: &str) -> Vec<HealthTarget> {
        render::health_targets(cluster, node)
    }

    /// The orders without lists: a node that drains here gets no client at all, not even sticky
    /// ones.
    fn orders(&self, cluster: &Cluster, _run_dir: &RunDir) -> Orders {
        Orders::new(cluster, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, plan};
    use crate::platform::Host;
    use crate::profile::{DEFAULT, Source, load};
    use crate::render::Templates;

    fn prepared() -> (Cluster, Plan, RunDir) {
        let cluster = load(&Source::read(DEFAULT).unwrap())
            .unwrap()
            .behind(BalancerKind::Builtin);
        let plan = plan(&cluster, BalancerKind::Builtin, &Host::read());
        (cluster, plan, RunDir::at("/run/clusterctl/erlmcp"))
    }

    #[tokio::test]
    async fn the_balancer_reads_its_own_files() {
        let (cluster, plan, run_dir) = prepared();
        let (builtin, templates) = (Builtin::new(), Templates::embedded());
        let deployment = Deployment {
            cluster: &cluster,
            plan: &plan,
            run_dir: &run_dir,
            templates: &templates,
            owned: false,
            generation: 0,
        };
        let files = builtin.files(deployment).unwrap();
        let names = files
            .iter()
            .map(|file| file.path.file_name().unwrap().to_str().unwrap());
        assert_eq!(
            names.collect::<Vec<_>>(),
            [
                "dataplane.yaml",
                "dataplane.drained",
                "dataplane.down",
                "dataplane.stopping"
            ]
        );
        assert!(files[0].content.starts_with("# erlmcp: MCP clients on 4 nodes."));
        let warned = builtin.check(deployment).await;
        assert_eq!(warned.unwrap(), Vec::<String>::new());
        let away = Away {
            down: ["erlmcp3".to_owned()].into(),
            ..Away::drained(["erlmcp2".to_owned()])
        };
        let orders = builtin.order_files(deployment, &away).unwrap();
        assert!(orders[0].content.ends_with("\nerlmcp2\n"));
        assert!(orders[1].content.ends_with("\nerlmcp3\n"));

        let mut cluster = cluster.clone();
        let listen = &mut cluster.listen;
        for port in [
            &mut listen.tcp,
            &mut listen.http,
            &mut listen.websocket,
            &mut listen.sse,
        ] {
            *port = None;
        }
        let deployment = Deployment {
            cluster: &cluster,
            ..deployment
        };
        let error = builtin.check(deployment).await.unwrap_err();
        assert!(
            error.to_string().contains("no listener is left") && error.hint().is_some(),
            "{error}"
        );
    }

    #[test]
    fn the_backends_that_track_no_other_get_the_nodes_health() {
        let (cluster, ..) = prepared();
        let targets = Builtin::new().health_targets(&cluster, "erlmcp1");
        let backends: Vec<_> = targets.iter().map(|target| target.backend).collect();
        assert_eq!(backends, ["mcp_cluster_tcp", "mcp_http_backend"]);
    }
}

//! An erlmcp and the Erlang that runs it: together they start nodes.

use crate::platform::atomic_file;
use std::io;
use std::path::{Path, PathBuf};

use super::checkout::{Checkout, CheckoutError};
use super::config::sys_config;
use super::home::Home;
use super::loading::{LoadingError, ask};
use crate::erlang::otp::{Code, CodeError, HomeError, Otp, OtpError, mesh, settle};
use crate::plan::NodePlan;
use crate::platform::{Program, RunDir};
use crate::profile::{Binaries, Erlmcp, Node};

/// Additions to erlmcp: the listener in front of it, and the modules that connect its nodes to a
/// mesh.
const DOOR: Code = Code {
    name: "clusterctl_door",
    resources: None,
    modules: &[
        ("clusterctl_door.erl", include_str!("clusterctl_door.erl")),
        mesh::MODULES[0],
        mesh::MODULES[1],
        mesh::MODULES[2],
    ],
};
/// Descriptors of a node that are not connections.
const PORTS_BESIDES: u32 = 1_024;
/// Erlang processes of one connection: its own, its server's and those that the server starts.
const PROCESSES_EACH: u32 = 4;
/// Erlang processes of a node without connections, and room for its work.
const PROCESSES_BESIDES: u32 = 65_536;

/// The parts that nodes of erlmcp run from.
#[derive(Clone, Debug)]
pub struct Installation {
    wanted: Erlmcp,
    checkout: Checkout,
    otp: Otp,
    home: Home,
}

/// The reason why nodes cannot run.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// There is no usable erlmcp.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// There is no usable Erlang.
    #[error(transparent)]
    Otp(#[from] OtpError),
    /// This Erlang cannot load this erlmcp.
    #[error(transparent)]
    Loading(#[from] LoadingError),
    /// The additions cannot be compiled.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The profile names a configuration file that does not exist.
    #[error("cannot find `{}`, which the profile names as `nodes.config`", .0.display())]
    NoConfig(PathBuf),
    /// Erlang would read another file.
    #[error("`{}`, which the profile names as `nodes.config`, does not end in `.config`", .0.display())]
    NotCalledConfig(PathBuf),
    /// Its home directory or cookie cannot be created.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl InstallationError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            InstallationError::Checkout(error) => Some(error.hint()),
            InstallationError::Otp(error) => Some(error.hint()),
            InstallationError::Loading(error) => Some(error.hint()),
            InstallationError::Code(error) => error.hint(),
            InstallationError::NoConfig(_) => Some("correct `nodes.config`, or leave it out".to_owned()),
            InstallationError::NotCalledConfig(_) => {
                Some("rename it: Erlang adds `.config` to a name without it".to_owned())
            }
            InstallationError::Home(_) => None,
        }
    }
}

impl Installation {
    /// Examines the erlmcp that is `wanted`, and finds an Erlang for it. The nodes' files will be
    /// in `run_dir`, which is not changed yet.
    pub async fn find(
        wanted: &Erlmcp,
        binaries: &Binaries,
        run_dir: &RunDir,
    ) -> Result<Installation, InstallationError> {
        let checkout = Checkout::examine(&wanted.path)?;
        if let Some(config) = &wanted.config {
            examine(config)?;
        }
        let otp = Otp::find(binaries).await?;
        otp.compiler()?;
        let opens_our_door = wanted.eval.contains(&format!("{}:", DOOR.name));
        ask(&otp, &checkout, wanted.config.as_deref(), opens_our_door).await?;
        Ok(Installation {
            wanted: wanted.clone(),
            checkout,
            otp,
            home: Home(run_dir.clone()),
        })
    }

    /// Puts into the run directory what the nodes need to start and is missing: the compiled
    /// additions and the cookie.
    ///
    /// # Errors
    /// If it cannot be compiled or written. Then nothing is left half-written.
    pub async fn install(&self) -> Result<(), InstallationError> {
        DOOR.compile(&self.otp, &self.home.0).await?;
        settle(&self.home.user())?;
        Ok(())
    }

    /// A warning about a possible problem, even though it can run.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let oldest = self.checkout.oldest.filter(|oldest| self.otp.release < *oldest)?;
        Some(format!(
            "erlmcp in `{}` wants OTP {oldest} or newer, and `{}` is OTP {}",
            self.checkout.path.display(),
            self.otp.erl.display(),
            self.otp.release
        ))
    }

    /// The program that runs `node`, which is one of `nodes`.
    #[must_use]
    pub fn program(&self, node: &Node, nodes: &[Node], plan: &NodePlan) -> Program {
        let ports = plan.maxconn.saturating_add(PORTS_BESIDES);
        let processes = plan
            .maxconn
            .saturating_mul(PROCESSES_EACH)
            .saturating_add(PROCESSES_BESIDES);
        let mut program = Program::new(&self.otp.erl)
            .args([
                "-noinput",
                "+Bd",
                "+sbwt",
                "none",
                "+sbwtdcpu",
                "none",
                "+sbwtdio",
                "none",
            ])
            .args(["+Q", &ports.to_string(), "+P", &processes.to_string()])
            .args(mesh::words(node, nodes))
            .args(["-kernel", "inet_dist_use_interface", "{127,0,0,1}"])
            .arg("-config")
            .arg(self.home.config(&node.name));
        if let Some(config) = &self.wanted.config {
            program = program.arg("-config").arg(config);
        }
        let added = DOOR.ebin(&self.otp, &self.home.0);
        program = program.arg("-pa").arg(added);
        // After Erlang's own path: a library must not replace a part of Erlang.
        program = program.arg("-pz").args(&self.checkout.libs);
        program = program.args(["-run", "mcp_mesh"]);
        program = program.args(["-eval", &node.fill(&self.wanted.eval)]);
        program.directory = Some(self.home.of_node(&node.name));
        // A crash dump of gigabytes is useful only if it was requested.
        let no_dump = ("ERL_CRASH_DUMP_SECONDS".into(), "0".into());
        program.env = vec![("HOME".into(), self.home.user().into()), no_dump];
        program
    }

    /// Writes the files that the node reads when it starts.
    pub fn furnish(&self, node: &Node, plan: &NodePlan) -> io::Result<()> {
        self.home.make_of_node(&node.name)?;
        let cookie = settle(&self.home.user()).map_err(io::Error::other)?;
        let config = sys_config(&node.name, &cookie, plan.maxconn);
        atomic_file::replace(
            &self.home.config(&node.name),
            config.as_bytes(),
            atomic_file::PRIVATE,
        )
    }
}

// Private

/// Checks that it is a file that Erlang would read under this name.
fn examine(config: &Path) -> Result<(), InstallationError> {
    if !config.is_file() {
        return Err(InstallationError::NoConfig(config.to_owned()));
    }
    match config.extension() {
        Some(kind) if kind == "config" => Ok(()),
        _ => Err(InstallationError::NotCalledConfig(config.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::slice;

    use super::*;
    use crate::profile::NodeId;

    fn installation(run_dir: &RunDir, config: Option<PathBuf>) -> Installation {
        Installation {
            wanted: Erlmcp {
                path: "/srv/erlmcp".into(),
                eval: "clusterctl_door:open(\"{name}\", \"{address}\", {tcp_port})".to_owned(),
                config,
            },
            checkout: Checkout {
                path: "/srv/erlmcp".into(),
                libs: vec!["/srv/erlmcp/_build/default/lib/gproc/ebin".into()],
                oldest: Some(27),
            },
            otp: Otp {
                erl: "/usr/bin/erl".into(),
                release: 25,
                version: "13.1.5".to_owned(),
            },
            home: Home(run_dir.clone()),
        }
    }

    fn node(name: &str, number: u16) -> Node {
        Node {
            id: NodeId(number.into()),
            name: name.into(),
            number,
            address: Ipv4Addr::LOCALHOST.into(),
            tcp: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + number))),
            http: None,
            distribution: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 10_100 + number))),
            weight: 100,
            target: 25_000,
            maxconn: 35_000,
        }
    }

    const PLAN: NodePlan = NodePlan {
        nofile: 20_000,
        workers: 0,
        maxconn: 19_936,
    };

    #[test]
    fn a_node_has_its_name_its_port_its_libraries_and_its_limits() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path());
        let nodes = [node("erlmcp1", 1), node("erlmcp2", 2)];
        let installation = installation(&run_dir, Some("/etc/mine.config".into()));
        let ebin = DOOR.ebin(&installation.otp, &run_dir);
        let program = installation.program(&nodes[1], &nodes, &PLAN);
        let words: Vec<_> = program.args.iter().map(|arg| arg.to_string_lossy()).collect();
        let line = words.join(" ").replace(&ebin.display().to_string(), "EBIN");
        let line = line.replace(&dir.path().display().to_string(), "RUN");
        assert_eq!(
            line,
            "-noinput +Bd +sbwt none +sbwtdcpu none +sbwtdio none +Q 20960 +P 145280 \
             -sname erlmcp2@localhost -proto_dist mcp -start_epmd false -epmd_module mcp_epmd \
             -mcp_port erlmcp1 10101 -mcp_port erlmcp2 10102 \
             -kernel inet_dist_use_interface {127,0,0,1} \
             -config RUN/erlang/home/erlmcp2.config -config /etc/mine.config \
             -pa EBIN -pz /srv/erlmcp/_build/default/lib/gproc/ebin \
             -run mcp_mesh -eval clusterctl_door:open(\"erlmcp2\", \"127.0.0.1\", 10002)"
        );
        assert_eq!(program.directory, Some(dir.path().join("erlang/nodes/erlmcp2")));
    }

    #[test]
    fn the_cookie_is_in_files_only() {
        let dir = tempfile::tempdir().unwrap();
        let installation = installation(&RunDir::at(dir.path()), None);
        let node = node("erlmcp2", 2);
        installation.furnish(&node, &PLAN).unwrap();
        let cookie = settle(&installation.home.user()).unwrap();
        let config = std::fs::read_to_string(dir.path().join("erlang/home/erlmcp2.config")).unwrap();
        assert!(config.contains(&format!("{{cluster_cookie, '{cookie}'}}")));
        let program = format!("{:?}", installation.program(&node, slice::from_ref(&node), &PLAN));
        assert!(!program.contains(&cookie));
    }

    #[test]
    fn an_erlang_older_than_required_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let mut installation = installation(&RunDir::at(dir.path()), None);
        let warning = installation.warning().unwrap();
        assert_eq!(
            warning,
            "erlmcp in `/srv/erlmcp` wants OTP 27 or newer, and `/usr/bin/erl` is OTP 25"
        );
        installation.otp.release = 28;
        assert_eq!(installation.warning(), None);
    }
}

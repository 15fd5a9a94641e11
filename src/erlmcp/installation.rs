//! An erlmcp and the Erlang that runs it: together they make nodes.

use std::io;
use std::path::PathBuf;

use super::checkout::{Checkout, CheckoutError};
use super::config::sys_config;
use super::home::Home;
use super::otp::{Otp, OtpError};
use crate::erlang::{HomeError, settle};
use crate::plan::NodePlan;
use crate::platform::{Program, RunDir};
use crate::profile::{Binaries, Erlmcp, Node};

/// The module of the listener in front of erlmcp.
const DOOR: &str = "clusterctl_door:";
/// Descriptors of a node that are no connections.
const PORTS_BESIDES: u32 = 1_024;
/// Erlang processes of one connection: its own, its server's and what that starts.
const PROCESSES_EACH: u32 = 4;
/// Erlang processes of a node without connections, and room for what it does.
const PROCESSES_BESIDES: u32 = 65_536;

/// What nodes of erlmcp are made of.
#[derive(Clone, Debug)]
pub struct Installation {
    wanted: Erlmcp,
    checkout: Checkout,
    otp: Otp,
    home: Home,
    cookie: String,
}

/// Why no node can be made.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// There is no erlmcp to run.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// There is no Erlang to run it.
    #[error(transparent)]
    Otp(#[from] OtpError),
    /// The profile names a configuration that is not there.
    #[error("cannot find `{}`, which the profile names as `nodes.config`", .0.display())]
    NoConfig(PathBuf),
    /// There is no home for it, or no cookie.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl InstallationError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            InstallationError::Checkout(error) => Some(error.hint()),
            InstallationError::Otp(error) => Some(error.hint()),
            InstallationError::NoConfig(_) => Some("correct `nodes.config`, or leave it out".to_owned()),
            InstallationError::Home(_) => None,
        }
    }
}

impl Installation {
    /// Looks at what is `wanted`, finds an Erlang for it and has that compile what we add, in `run_dir`.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn find(
        wanted: &Erlmcp,
        binaries: &Binaries,
        run_dir: &RunDir,
    ) -> Result<Installation, InstallationError> {
        let checkout = Checkout::examine(&wanted.path)?;
        if let Some(config) = wanted.config.as_ref().filter(|config| !config.is_file()) {
            return Err(InstallationError::NoConfig(config.clone()));
        }
        let erl = Otp::find(binaries)?;
        let home = Home::in_run_dir(run_dir);
        let cookie = settle(&home.user())?;
        let otp = Otp::ask(erl, &checkout, &home, wanted.eval.contains(DOOR)).await?;
        Ok(Installation {
            wanted: wanted.clone(),
            checkout,
            otp,
            home,
            cookie,
        })
    }

    /// What may go wrong, although it can be run.
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

    /// How the node is run.
    #[must_use]
    pub fn program(&self, node: &Node, plan: &NodePlan) -> Program {
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
            .args(distribution(node))
            .arg("-config")
            .arg(self.home.config(&node.name));
        if let Some(config) = &self.wanted.config {
            program = program.arg("-config").arg(config);
        }
        program = program.arg("-pa").arg(self.home.path()).args(&self.checkout.libs);
        program = program.args(["-eval", &node.fill(&self.wanted.eval)]);
        program.directory = Some(self.home.of_node(&node.name));
        // Gigabytes on disk help nobody who has not asked for them.
        let no_dump = ("ERL_CRASH_DUMP_SECONDS".into(), "0".into());
        program.env = vec![("HOME".into(), self.home.user().into()), no_dump];
        program
    }

    /// Writes what the node reads when it starts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn furnish(&self, node: &Node, plan: &NodePlan) -> io::Result<()> {
        self.home.make_of_node(&node.name)?;
        let config = sys_config(&node.name, &self.cookie, plan.maxconn);
        RunDir::replace(&self.home.config(&node.name), config.as_bytes())
    }
}

// Private

/// A name, and a port on loopback that no epmd has to tell.
fn distribution(node: &Node) -> Vec<String> {
    let Some(port) = node.distribution.map(|at| at.port().to_string()) else {
        return Vec::new();
    };
    let name = format!("{}@localhost", node.name);
    let words = [
        "-sname",
        &name,
        "-start_epmd",
        "false",
        "-erl_epmd_port",
        &port,
        "-kernel",
        "inet_dist_use_interface",
        "{127,0,0,1}",
        "inet_dist_listen_min",
        &port,
        "inet_dist_listen_max",
        &port,
    ];
    words.map(str::to_owned).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(run_dir: &RunDir, config: Option<PathBuf>) -> Installation {
        let home = Home::in_run_dir(run_dir);
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
            },
            cookie: settle(&home.user()).unwrap(),
            home,
        }
    }

    fn node() -> Node {
        Node {
            name: "erlmcp2".into(),
            number: 2,
            tcp: "127.0.0.1:10002".parse().unwrap(),
            http: None,
            distribution: Some("127.0.0.1:10102".parse().unwrap()),
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
        let program = installation(&run_dir, Some("/etc/mine.config".into())).program(&node(), &PLAN);
        let words: Vec<_> = program.args.iter().map(|arg| arg.to_string_lossy()).collect();
        let line = words.join(" ").replace(&dir.path().display().to_string(), "RUN");
        assert_eq!(
            line,
            "-noinput +Bd +sbwt none +sbwtdcpu none +sbwtdio none +Q 20960 +P 145280 \
             -sname erlmcp2@localhost -start_epmd false -erl_epmd_port 10102 \
             -kernel inet_dist_use_interface {127,0,0,1} inet_dist_listen_min 10102 inet_dist_listen_max 10102 \
             -config RUN/erlang/home/erlmcp2.config -config /etc/mine.config \
             -pa RUN/erlang /srv/erlmcp/_build/default/lib/gproc/ebin \
             -eval clusterctl_door:open(\"erlmcp2\", \"127.0.0.1\", 10002)"
        );
        assert_eq!(program.directory, Some(dir.path().join("erlang/nodes/erlmcp2")));
    }

    #[test]
    fn the_cookie_is_in_files_only() {
        let dir = tempfile::tempdir().unwrap();
        let installation = installation(&RunDir::at(dir.path()), None);
        installation.furnish(&node(), &PLAN).unwrap();
        let config = std::fs::read_to_string(dir.path().join("erlang/home/erlmcp2.config")).unwrap();
        assert!(config.contains(&format!("{{cluster_cookie, '{}'}}", installation.cookie)));
        let program = format!("{:?}", installation.program(&node(), &PLAN));
        assert!(!program.contains(&installation.cookie));
    }

    #[test]
    fn an_older_erlang_than_is_wanted_is_warned_of() {
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

//! The address of the node to query, and its cookie.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use tokio::time::{Instant, timeout_at};

use super::super::args;
use super::super::failure::Failure;
use super::super::settings::Settings;
use crate::base::units::excerpt;
use crate::cli::suggestions;
use crate::erlang::beam;
use crate::erlang::distribution::{Atom, Cookie, EPMD_PORT, Target, port_of};
use crate::platform::RunDir;
use crate::profile;
use crate::supervisor::Record;

/// The named node: one of the cluster's, or any node by its full name.
pub(super) async fn of(
    settings: &Settings,
    args: &args::Erlang,
    deadline: Instant,
) -> Result<Target, Failure> {
    match args.node.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() => {
            foreign(args, name, host, deadline).await
        }
        Some(_) => Err(
            Failure::usage(format!("`{}` is not a node name", excerpt(&args.node)))
                .hint("a full name is written `name@host`".to_owned()),
        ),
        None => member(settings, args).await,
    }
}

// Private

/// A node of the running cluster.
async fn member(settings: &Settings, args: &args::Erlang) -> Result<Target, Failure> {
    let run_dir = settings.run_dir()?;
    let record = Record::of_running(&run_dir).await.map_err(Failure::new)?;
    let record = record.filter(|record| record.supervisor().is_alive() || !record.living().is_empty());
    // Whichever profile was named, the running cluster is the one to query.
    let cluster = match record {
        Some(record) => profile::load_with(&record.launch.source, &record.launch.resolved)?,
        None => return Err(nothing_runs(&run_dir)),
    };
    let Some(node) = cluster.node(&args.node) else {
        let known = cluster.nodes.iter().map(|node| node.name.as_str());
        return Err(suggestions::unknown("node", &args.node, known));
    };
    if node.distribution.is_none() {
        return Err(Failure::because(format!(
            "`{}` is not a BEAM node that this cluster starts",
            node.name
        ))
        .hint("use the full name, `name@host`, for any other BEAM node".to_owned()));
    }
    let target = beam::target(node, &run_dir).map_err(|error| {
        Failure::new(error)
            .hint("nodes have a cookie while they run; start them with `clusterctl start`".to_owned())
    })?;
    let mut target = target.ok_or_else(|| Failure::because(format!("`{}` is not a node name", node.name)))?;
    if let Some(port) = args.port {
        target.address.set_port(port);
    }
    if let Some(file) = &args.cookie_file {
        target.cookie = Cookie::read(file)?;
    }
    Ok(target)
}

fn nothing_runs(run_dir: &RunDir) -> Failure {
    Failure::because(format!("no cluster runs in `{}`", run_dir.path().display())).hint(
        "`clusterctl start` starts one, `--run-dir` names another one's directory; for other nodes use the full name, \
         `name@host`"
            .to_owned(),
    )
}

/// A node of another cluster. The epmd on its host knows its port, unless it was given.
async fn foreign(args: &args::Erlang, name: &str, host: &str, deadline: Instant) -> Result<Target, Failure> {
    let node = full_name(&args.node)?;
    let cookie = match &args.cookie_file {
        Some(file) => Cookie::read(file)?,
        None => Cookie::read(&home_cookie()?)?,
    };
    let ip = resolve(host, deadline).await?;
    let port = match args.port {
        Some(port) => port,
        None => port_of(name, SocketAddr::new(ip, epmd_port()?), deadline).await?,
    };
    Ok(Target {
        node,
        address: SocketAddr::new(ip, port),
        cookie,
    })
}

fn full_name(name: &str) -> Result<Atom, Failure> {
    Atom::new(name)
        .map_err(|error| Failure::usage(format!("`{}` is not a node name: {error}", excerpt(name))))
}

/// An address of a host, preferably IPv4: nodes listen on IPv4 by default.
async fn resolve(host: &str, deadline: Instant) -> Result<IpAddr, Failure> {
    let shown = excerpt(host);
    let unknown = |why: &str| {
        Failure::because(format!("cannot find the host `{shown}`: {why}")).hint(format!(
            "add a line `ADDRESS {shown}` to `/etc/hosts`; `--port` does not replace it"
        ))
    };
    let found = timeout_at(deadline, tokio::net::lookup_host((host, 0))).await;
    let found = found.map_err(|_| unknown("no answer in time"))?;
    let addresses: Vec<IpAddr> = found
        .map_err(|error| unknown(&error.to_string()))?
        .map(|address| address.ip())
        .collect();
    let first = addresses.iter().find(|ip| ip.is_ipv4()).or(addresses.first());
    first.copied().ok_or_else(|| unknown("it has no address"))
}

/// The port of epmd, as `erl` determines it.
fn epmd_port() -> Result<u16, Failure> {
    match std::env::var("ERL_EPMD_PORT") {
        Ok(port) => port.parse().map_err(|_| {
            Failure::usage(format!(
                "`ERL_EPMD_PORT` is `{}`, which is not a port",
                excerpt(&port)
            ))
        }),
        Err(_) => Ok(EPMD_PORT),
    }
}

fn home_cookie() -> Result<PathBuf, Failure> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or_else(|| {
        Failure::usage("cannot find `.erlang.cookie`: `HOME` is not set")
            .hint("`--cookie-file FILE` names a file with the cookie".to_owned())
    })?;
    Ok(Path::new(&home).join(".erlang.cookie"))
}

//! Servers that the runtime API adds and removes: the configuration in force with them, or without
//! them. They last until the next reload, which takes the servers of the file. The sentences are
//! HAProxy's where it has one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::backend::Backend;
use super::server::Server;
use super::topology::Topology;
use crate::dataplane_config::{
    AddedServer, Dataplane, DataplaneBackend, DataplaneCheck, DataplaneQuestion, DataplaneServer,
};
use crate::haproxy_api::server::{NewCheck, NewServer, Refusal, ServerRef};

/// HAProxy's default interval of checks, and the time for an answer.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// HAProxy's default number of good checks until a server is up.
const RISE: u16 = 2;
/// HAProxy's default number of bad checks until a server is down.
const FALL: u16 = 3;

/// The configuration in force with one more server.
pub(super) fn with(topology: &Topology, at: &ServerRef, new: &NewServer) -> Result<Dataplane, Refusal> {
    let backend = topology
        .backend(&at.backend)
        .ok_or_else(|| refused("No such backend."))?;
    if backend.pool().named(&at.server).is_some() {
        return Err(refused("Already exists a server with the same name in backend."));
    }
    let tracks = backend.pool().tracks.as_ref().map(|it| it.name.clone());
    if let Some(tracked) = &new.track
        && (tracks.as_ref() != Some(&tracked.backend) || tracked.server != at.server)
    {
        let ServerRef { backend, server } = tracked;
        return Err(Refusal(format!(
            "'track' : backend '{}' can only track servers of the same name of the backend that it was configured to \
             track, not '{backend}/{server}'.",
            at.backend
        )));
    }
    let id = id(backend, at, new)?;
    let mut config = topology.config.clone();
    let described = described(&mut config, backend)?;
    let (question, check_path) = match described.servers.first() {
        Some(other) => (other.question, other.check_path.clone()),
        None if described.http.is_some() => (DataplaneQuestion::Http, DataplaneServer::default_check_path()),
        None => (DataplaneQuestion::Tcp, DataplaneServer::default_check_path()),
    };
    let check_address = new.check.as_ref().map(|check| address_of(check, new.address));
    let server = DataplaneServer {
        name: at.server.clone(),
        id,
        address: new.address,
        weight: new.weight,
        maxconn: new.maxconn,
        question,
        check_address: check_address.filter(|it| *it != new.address),
        check_path,
        added: Some(AddedServer {
            ready: new.ready,
            check: new.check.as_ref().map(|check| check_of(check, described.check)),
        }),
    };
    described.servers.push(server);
    Ok(config)
}

/// The server, and the configuration in force without it.
pub(super) fn without(topology: &Topology, at: &ServerRef) -> Result<(Arc<Server>, Dataplane), Refusal> {
    let found = topology.server(&at.backend, &at.server);
    let (backend, server) = found.ok_or_else(|| refused("No such server."))?;
    if !topology.trackers(&backend, &server.name).is_empty() {
        return Err(refused(
            "This server cannot be removed at runtime due to other configuration elements pointing to it.",
        ));
    }
    if !server.state().admin().is_maint() {
        return Err(refused("Only servers in maintenance mode can be deleted."));
    }
    if server.has_clients() {
        return Err(refused(
            "Server still has connections attached to it, cannot remove it.",
        ));
    }
    let mut config = topology.config.clone();
    described(&mut config, &backend)?
        .servers
        .retain(|it| it.name != at.server);
    Ok((server, config))
}

// Private

fn refused(why: &str) -> Refusal {
    Refusal(why.to_owned())
}

fn described<'a>(config: &'a mut Dataplane, backend: &Backend) -> Result<&'a mut DataplaneBackend, Refusal> {
    let found = config.backends.iter_mut().find(|it| it.name == backend.name);
    found.ok_or_else(|| refused("No such backend."))
}

/// The id of the new server, which no other one has had.
fn id(backend: &Backend, at: &ServerRef, new: &NewServer) -> Result<u32, Refusal> {
    let Some(id) = new.id else {
        return backend.next_id().ok_or_else(|| refused("no id is left."));
    };
    match backend.id_of_other(id, &at.server) {
        None => Ok(id),
        Some(other) => Err(Refusal(format!(
            "'id' : custom id {id} was already used ('server {other}')."
        ))),
    }
}

fn address_of(check: &NewCheck, server: SocketAddr) -> SocketAddr {
    SocketAddr::new(
        check.ip.unwrap_or(server.ip()),
        check.port.unwrap_or(server.port()),
    )
}

/// How it is checked: as the others of its backend, except where the command says otherwise.
fn check_of(check: &NewCheck, others: Option<DataplaneCheck>) -> DataplaneCheck {
    let others = others.unwrap_or(DataplaneCheck {
        interval: CHECK_INTERVAL.into(),
        fast_interval: CHECK_INTERVAL.into(),
        timeout: CHECK_INTERVAL.into(),
        rise: RISE,
        fall: FALL,
    });
    let interval = check.interval.map_or(others.interval, Into::into);
    let fast_interval = if check.interval.is_some() {
        interval
    } else {
        others.fast_interval
    };
    DataplaneCheck {
        interval,
        fast_interval: check.fast_interval.map_or(fast_interval, Into::into),
        timeout: others.timeout,
        rise: check.rise.unwrap_or(others.rise),
        fall: check.fall.unwrap_or(others.fall),
    }
}

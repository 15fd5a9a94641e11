//! Sessions end by their age while they are quiet.

use super::*;
use crate::plane::Plane;

const AGE: Duration = Duration::from_secs(1);

fn short_lived(servers: &[SocketAddr]) -> Plane {
    Plane::with(servers, |config| config.timeouts.max_age = Some(AGE.into()))
}

#[test]
fn a_quiet_session_ends_in_order() {
    let plane = short_lived(&speakers::<1>());
    plane.waits_for("FRONTEND", "scur", 0);
    let aborts = || plane.figure("node1", "cli_abrt") + plane.figure("node1", "srv_abrt");
    let before = aborts();
    let client = client(plane.address);
    assert_eq!(byte(&client).unwrap(), 1);
    send(&client, "!");
    assert_eq!(byte(&client).unwrap(), b'!');
    assert_eq!(ending(&client), Ok(()));
    plane.waits_for("FRONTEND", "scur", 0);
    assert_eq!(aborts(), before);
}

#[test]
fn a_session_that_waits_for_an_answer_stays() {
    let servers: [TcpListener; 1] = listeners();
    let plane = short_lived(&addresses(&servers));
    let client = client(plane.address);
    send(&client, "?");
    // The first connections were probes.
    let server = (0..=plane.probes)
        .map(|_| accept(&servers[0]))
        .find(|server| byte(server).is_ok())
        .unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(2_500)))
        .unwrap();
    let silent = byte(&client).map_err(|error| error.kind());
    assert_eq!(silent, Err(io::ErrorKind::WouldBlock));
    client.set_read_timeout(Some(TIMEOUT)).unwrap();
    send(&server, "!");
    assert_eq!(byte(&client).unwrap(), b'!');
    assert_eq!(ending(&client), Ok(()));
    assert_eq!(ending(&server), Ok(()));
}

#[test]
fn a_reload_applies_to_sessions_that_are_open() {
    let mut plane = Plane::start(&speakers::<1>());
    let client = client(plane.address);
    assert_eq!(byte(&client).unwrap(), 1);
    plane.configure(|config| config.timeouts.max_age = Some(AGE.into()));
    plane.reload();
    assert_eq!(ending(&client), Ok(()));
}

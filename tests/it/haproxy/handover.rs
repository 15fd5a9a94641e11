//! Listeners that pass from this process to HAProxy and back, in several messages.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::Arc;

use clusterctl::haproxy_api::{Handover, Socket};
use clusterctl::platform::{descriptors, listen};

use super::running::eventually;
use crate::plane::free_address;

/// More than two messages carry.
const LISTENERS: usize = 600;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[tokio::test]
async fn haproxy_takes_and_gives_any_number_of_listeners() {
    descriptors::raise_limit().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let claim = listen::Claim::new(SocketAddr::new(free_address().ip(), 0)).unwrap();
    let address = claim.address();
    let listeners: Vec<_> = (0..LISTENERS)
        .map(|_| Arc::new(listen::listener(address).unwrap()))
        .collect();
    let handover = Handover::open(&dir.path().join("listen.sock")).unwrap();
    handover.give(listeners.clone());
    let socket = dir.path().join("haproxy.sock");
    let config = format!(
        "global\n    maxconn 10\n    stats socket {} level admin expose-fd listeners\n\
         defaults\n    mode tcp\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n\
         listen all\n{}    server none 127.0.0.1:9\n",
        socket.display(),
        format!("    bind {address}\n").repeat(LISTENERS),
    );
    let file = dir.path().join("haproxy.cfg");
    std::fs::write(&file, config).unwrap();
    let _haproxy = Running(
        Command::new("haproxy")
            .args(["-db", "-q", "-f"])
            .arg(&file)
            .arg("-x")
            .arg(dir.path().join("listen.sock"))
            .spawn()
            .unwrap(),
    );
    let inodes = |all: &[_]| -> BTreeSet<u64> { all.iter().map(|it| listen::inode(it).unwrap()).collect() };
    let expected: BTreeSet<u64> = listeners.iter().map(|it| listen::inode(&**it).unwrap()).collect();
    eventually("HAProxy hands them over", async || {
        let taken = Socket::new(&socket).listeners().await;
        taken.is_ok_and(|taken| inodes(&taken) == expected)
    })
    .await;
}

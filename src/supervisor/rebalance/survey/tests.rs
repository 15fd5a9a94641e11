//! Connections of several processes to the same nodes.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::signal::Signal;

use super::*;
use crate::platform::{Process, Program, RunDir};
use crate::profile::BalancerKind;
use crate::supervisor::rebalance::fake_balancer::{FakeBalancer, scope_of};

/// A process that has one connection.
struct Holder(Process);

impl Holder {
    fn connected_to(node: &TcpListener) -> Holder {
        let connection = OwnedFd::from(TcpStream::connect(node.local_addr().unwrap()).unwrap());
        let program = Program::new("/bin/sleep").arg("60");
        // What a process inherits has this type, whatever it is.
        let program = program.inherit([Arc::new(TcpListener::from(connection))]);
        Holder(program.spawn(Path::new("/dev/null")).unwrap())
    }

    fn identity(&self) -> Identity {
        self.0.identity()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.identity().signal_group(Signal::SIGKILL);
    }
}

/// Makes this listener the first node.
fn first_node_at(scope: &mut Scope, node: &TcpListener) {
    let spec = Arc::make_mut(&mut scope.spec);
    spec.cluster.nodes[0].tcp = Some(node.local_addr().unwrap());
}

fn connections(survey: &Survey) -> Vec<u64> {
    survey.loads.iter().map(|load| load.connections).collect()
}

#[tokio::test]
async fn only_connections_of_the_running_nginx_are_closed() {
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let sets = ["routing.tcp.sticky=none", "routing.tcp.algorithm=leastconn"];
    let mut scope = scope_of(BalancerKind::Nginx, RunDir::at("/run/x"), &sets);
    first_node_at(&mut scope, &node);
    let (nginx, former, another) = (
        [Holder::connected_to(&node), Holder::connected_to(&node)],
        Holder::connected_to(&node),
        Holder::connected_to(&node),
    );
    let direct = TcpStream::connect(node.local_addr().unwrap()).unwrap();
    scope.balancers = nginx.iter().map(Holder::identity).collect();
    scope.former = vec![former.identity()];
    let survey = Survey::read(&scope).await.unwrap();
    assert_eq!((connections(&survey), survey.targets.len()), (vec![3, 0], 2));
    assert_eq!(survey.kept, BTreeMap::from([(Kept::AtFormerBalancer, 1)]));
    drop((direct, another));
}

#[tokio::test]
async fn connections_of_a_former_balancer_count_beside_web_sockets() {
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut balancer = FakeBalancer::serving(&[
        "mcp_cluster_tcp",
        "mcp_websocket_backend",
        "mcp_websocket_backend",
    ]);
    first_node_at(&mut balancer.scope, &node);
    let former = [Holder::connected_to(&node), Holder::connected_to(&node)];
    balancer.scope.former = former.iter().map(Holder::identity).collect();
    let survey = Survey::read(&balancer.scope).await.unwrap();
    assert_eq!(connections(&survey), [5, 0]);
    assert_eq!(survey.kept[&Kept::AtFormerBalancer], 2);
}

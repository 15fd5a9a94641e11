//! The cluster of a case: a few nodes behind a balancer, in a directory of its own.

use std::sync::Arc;
use std::time::Duration;

use super::step::NODES;
use crate::balancer::{Balancer, Builtin, Haproxy, Nginx};
use crate::base::units::Period;
use crate::plan::plan;
use crate::platform::mark::RunId;
use crate::platform::{Host, RunDir};
use crate::profile::{BalancerKind, NodeIds, Resolved, Source, load};
use crate::render::{HaproxyBuild, NginxBuild, Templates};
use crate::supervisor::change::mixture::Others;
use crate::supervisor::node_environment::NodeEnvironment;
use crate::supervisor::node_runtime::NodeRuntime;
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Launch;

/// A directory in memory where there is one: the state file is written, and synchronised, often.
pub(super) fn directory() -> tempfile::TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

/// The profile and everything made from it.
pub(super) fn spec(kind: BalancerKind, run_dir: RunDir) -> Spec {
    let count = format!("nodes.count={NODES}");
    let sets = [
        &count,
        "nodes.http_port=null",
        "nodes.restart.backoff=100ms..2s",
        "nodes.restart.give_up_after=3",
        "limits.maxconn=1000",
        "nodes.maxconn=1000",
        "nodes.target=300",
    ];
    spec_of(kind, run_dir, &sets)
}

/// The default profile behind builtin with `sets`, small enough for one process on every host.
pub(in crate::supervisor) fn small_spec(sets: &[&str]) -> Spec {
    let small = ["limits.maxconn=1000", "nodes.maxconn=1000", "nodes.target=300"];
    spec_of(
        BalancerKind::Builtin,
        RunDir::at("/run/x"),
        &[&small, sets].concat(),
    )
}

/// The default profile with `sets`, and everything made from it.
pub(in crate::supervisor) fn spec_of(kind: BalancerKind, run_dir: RunDir, sets: &[&str]) -> Spec {
    let mut source = Source::read("default").unwrap();
    source.sets = sets.iter().map(|set| (*set).to_owned()).collect();
    let mut cluster = load(&source).unwrap().behind(kind);
    let mut ids = NodeIds::default();
    ids.assign(&mut cluster);
    let plan = plan(&cluster, kind, &Host::read());
    assert_eq!(plan.balancer.instances, 1);
    let balancer: Arc<dyn Balancer> = match kind {
        BalancerKind::Builtin => Arc::new(Builtin::new()),
        BalancerKind::Haproxy => {
            let build = HaproxyBuild::parse("HAProxy version 2.6.12\nFeature list : +OPENSSL +PROMEX\n");
            Arc::new(Haproxy::new("haproxy", build.unwrap()))
        }
        BalancerKind::Nginx => {
            let build = "nginx version: nginx/1.22.1\nconfigure arguments: --with-stream\n";
            Arc::new(Nginx::new("nginx", NginxBuild::parse(build).unwrap()))
        }
    };
    Spec {
        launch: Launch {
            source,
            balancer: kind,
            only: None,
            templates: None,
            timeout: Period::from(Duration::from_secs(30)),
            announce: Period::default(),
            over: Period::default(),
            // Without one no control groups are made.
            run_id: RunId::default(),
            http_check: None,
            sockets: 0,
            generation: 0,
            ids,
            previous: None,
            others: Vec::new(),
            resolved: Resolved::new(),
        },
        node_environment: NodeEnvironment::read(&cluster).unwrap(),
        cluster,
        plan,
        balancer,
        run_dir,
        templates: Templates::embedded(),
        node_runtime: NodeRuntime::Embedded,
        former: Vec::new(),
        others: Others::new(),
    }
}

/// What runs `now`, with another number of nodes.
pub(super) fn resized(now: &Spec, count: u8) -> Spec {
    let mut spec = now.clone();
    let (kind, ids) = (spec.launch.balancer, &mut spec.launch.ids);
    spec.launch.source.sets[0] = format!("nodes.count={count}");
    spec.cluster = load(&spec.launch.source).unwrap().behind(kind);
    ids.assign(&mut spec.cluster);
    spec
}

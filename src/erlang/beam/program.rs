//! A node's command line.

use super::code::NODE;
use crate::erlang::otp::{Otp, mesh, undisturbed};
use crate::plan::NodePlan;
use crate::platform::{Program, RunDir};
use crate::profile::{Cluster, Node};

/// The least limit of Erlang processes in a node: Erlang's own default.
const PROCESSES: u64 = 1 << 18;
/// The largest crash dump, in bytes, and the longest time that writing one may delay a restart, in
/// seconds.
const DUMP_BYTES: u64 = 64 << 20;
const DUMP_SECONDS: u64 = 5;

/// The program that runs `node` of `cluster`. Its descriptor limit must be finite: the emulator
/// allocates a table of that size.
#[must_use]
pub fn program(node: &Node, otp: &Otp, cluster: &Cluster, plan: &NodePlan, run_dir: &RunDir) -> Program {
    let settings = &cluster.erlang;
    let busy_wait = settings.busy_wait.name();
    let processes = PROCESSES.max(2 * u64::from(plan.maxconn));
    let dump = run_dir.logs().join(format!("{}.crash.dump", node.name));
    let mut program = undisturbed(&otp.erl)
        .args(["-noinput", "+Bd"])
        .args(["+Q", &plan.nofile.to_string()])
        .args(["+P", &processes.to_string()])
        .args(["+sbwt", busy_wait, "+sbwtdcpu", busy_wait, "+sbwtdio", busy_wait])
        .args(mesh::words(node, &cluster.nodes))
        .arg("-pa")
        .arg(NODE.ebin(otp, run_dir))
        .arg("-config")
        .arg(run_dir.erlang_config())
        .args(&settings.arguments)
        .args(["-run", "mcp_node"]);
    program.env = vec![
        ("HOME".into(), run_dir.erlang_home().into()),
        (
            "ERL_FULLSWEEP_AFTER".into(),
            settings.fullsweep_after.to_string().into(),
        ),
        ("ERL_CRASH_DUMP".into(), dump.into()),
        ("ERL_CRASH_DUMP_BYTES".into(), DUMP_BYTES.to_string().into()),
        ("ERL_CRASH_DUMP_SECONDS".into(), DUMP_SECONDS.to_string().into()),
    ];
    program
}

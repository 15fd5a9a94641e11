//! A node's command line.

use std::ffi::OsString;

use super::code::NODE;
use crate::erlang::otp::{Otp, mesh, undisturbed};
use crate::plan::Plan;
use crate::platform::{Program, RunDir};
use crate::profile::{Cluster, Node};

/// The least limit of Erlang processes in a node: Erlang's own default.
const PROCESSES: u64 = 1 << 18;
/// The largest crash dump, in bytes, and the longest time that writing one may delay a restart, in
/// seconds.
const DUMP_BYTES: u64 = 64 << 20;
const DUMP_SECONDS: u64 = 5;

/// The nodes of one cluster.
#[derive(Clone, Copy, Debug)]
pub struct Nodes<'a> {
    /// The Erlang that they run on.
    pub otp: &'a Otp,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The limits of this host.
    pub plan: &'a Plan,
    /// The directory of its files.
    pub run_dir: &'a RunDir,
}

impl Nodes<'_> {
    /// The program that runs `node`. Its descriptor limit must be finite: the emulator allocates a
    /// table of that size.
    #[must_use]
    pub fn program(&self, node: &Node) -> Program {
        let settings = &self.cluster.erlang;
        let busy_wait = settings.busy_wait.name();
        let connections = u64::from(self.plan.nodes.maxconn);
        let mut program = undisturbed(&self.otp.erl)
            .args(["-noinput", "+Bd"])
            .args(["+Q", &self.plan.nodes.nofile.to_string()])
            .args(["+P", &PROCESSES.max(2 * connections).to_string()])
            .args(["+sbwt", busy_wait, "+sbwtdcpu", busy_wait, "+sbwtdio", busy_wait])
            .args(mesh::words(node, &self.cluster.nodes))
            .arg("-pa")
            .arg(NODE.ebin(self.otp, self.run_dir))
            .arg("-config")
            .arg(self.run_dir.erlang_config())
            .args(&settings.arguments)
            .args(["-run", "mcp_node"]);
        program.env = self.environment(node);
        program
    }

    // Private

    fn environment(&self, node: &Node) -> Vec<(OsString, OsString)> {
        let dump = self.run_dir.logs().join(format!("{}.crash.dump", node.name));
        vec![
            ("HOME".into(), self.run_dir.erlang_home().into()),
            (
                "ERL_FULLSWEEP_AFTER".into(),
                self.cluster.erlang.fullsweep_after.to_string().into(),
            ),
            ("ERL_CRASH_DUMP".into(), dump.into()),
            ("ERL_CRASH_DUMP_BYTES".into(), DUMP_BYTES.to_string().into()),
            ("ERL_CRASH_DUMP_SECONDS".into(), DUMP_SECONDS.to_string().into()),
        ]
    }
}

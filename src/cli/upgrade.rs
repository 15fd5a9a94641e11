//! A part of `start`: replaces a running supervisor by this program, while everything it runs goes
//! on.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::failure::Failure;
use super::other_version;
use super::printer::Printer;
use super::progress;
use super::progress_line::ProgressLine;
use crate::api::{Balancer, Client, ClientError, GetStatus, Status, UpgradeOrder};
use crate::base::version::OWN_VERSION;
use crate::platform::{Identity, Process, ProgramFile, RunDir};
use crate::profile::BalancerKind;
use crate::supervisor::{Launch, Prepared, Record, living_pids};

/// The time between two queries of the supervisor.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Time for a killed process to end.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// What has become of the supervisor.
pub(super) enum Upgraded {
    /// It runs this program already, or its program is not known.
    Same,
    /// It runs this program now.
    Replaced(Client),
    /// It has ended, and what it ran goes on: a new supervisor has to adopt that.
    Ended,
}

/// A supervisor that runs another program than this one.
pub(super) struct Upgrade<'a> {
    pub(super) printer: &'a Printer,
    pub(super) run_dir: &'a RunDir,
    pub(super) client: &'a Client,
    pub(super) status: &'a Status,
    /// How long to wait until the new supervisor serves.
    pub(super) timeout: Duration,
}

impl Upgrade<'_> {
    /// Replaces the supervisor if it runs another program. `launch` is what the next one is to run,
    /// by the state file.
    ///
    /// # Errors
    /// When the supervisor is newer than this program, this program cannot run the cluster, or the
    /// replacement fails. Nothing was changed in the first two cases.
    pub(super) async fn run(
        &self,
        launch: impl FnOnce(&Record) -> Result<Launch, Failure>,
    ) -> Result<Upgraded, Failure> {
        let Some((supervisor, former)) = self.other_program() else {
            return Ok(Upgraded::Same);
        };
        let version = other_version::name(&self.status.version);
        if other_version::compare(&self.status.version) == Ordering::Greater {
            let error = format!(
                "the cluster is run by clusterctl {version}, which is newer than this one, {OWN_VERSION}"
            );
            return Err(Failure::because(error).hint(format!(
                "use clusterctl {version}, or end the cluster by `clusterctl stop` and start it again"
            )));
        }
        let record = Record::read(self.run_dir).map_err(Failure::new)?;
        let record = record.ok_or_else(|| Failure::because("the cluster is being stopped"))?;
        self.try_out(launch(&record)?, &record, supervisor).await?;

        let order = UpgradeOrder { program: own_path() };
        let line = ProgressLine::new(self.printer);
        line.show(format!("clusterctl {OWN_VERSION} replaces {version}"));
        match self.client.call(&order).await {
            // The connection can be closed before the answer is read.
            Ok(()) | Err(ClientError::Ended) => {}
            Err(ClientError::UnknownCall(_)) => {
                end(supervisor, version).await?;
                drop(line);
                self.printer.note(&format!(
                    "clusterctl {OWN_VERSION} replaces {version}: supervisor (pid {}) ended",
                    supervisor.pid
                ));
                return Ok(Upgraded::Ended);
            }
            Err(error) => return Err(error.into()),
        }
        let client = tokio::select! {
            client = self.answering(supervisor) => client?,
            failure = progress::interrupted("upgrade") => return Err(failure),
        };
        drop(line);
        progress::attend("upgrade", &client, self.run_dir, self.printer).await?;
        self.report(&client, supervisor, &former).await?;
        Ok(Upgraded::Replaced(client))
    }

    // Private

    /// The supervisor and its program, if that is another one than this.
    fn other_program(&self) -> Option<(Identity, ProgramFile)> {
        let supervisor = Identity::of(self.client.supervisor()?)?;
        let (theirs, own) = (ProgramFile::of(supervisor.pid).ok()?, ProgramFile::own().ok()?);
        let is_other = !theirs.has_same_content_as(&own).ok()?;
        is_other.then_some((supervisor, theirs))
    }

    /// Plans, renders and checks what runs as this program would run it.
    async fn try_out(&self, launch: Launch, record: &Record, supervisor: Identity) -> Result<(), Failure> {
        let mut ours: BTreeSet<u32> = living_pids(Some(record));
        ours.insert(supervisor.pid);
        let prepared = Prepared::new(launch, self.run_dir.clone(), &ours).await;
        prepared.map_err(|error| {
            let version = other_version::name(&self.status.version);
            Failure::from(error).context(format!(
                "clusterctl {OWN_VERSION} cannot take over from {version}, which goes on"
            ))
        })?;
        Ok(())
    }

    /// The supervisor, as soon as it runs this program and answers.
    async fn answering(&self, supervisor: Identity) -> Result<Client, Failure> {
        let deadline = Instant::now() + self.timeout;
        loop {
            if let Ok(client) = Client::connect(&self.run_dir.control_socket()).await
                && client.supervisor().is_some_and(runs_this_program)
                && client.call(&GetStatus).await.is_ok()
            {
                return Ok(client);
            }
            if !supervisor.is_alive() {
                return Err(Failure::because(format!(
                    "the supervisor ended when it became clusterctl {OWN_VERSION}"
                ))
                .hint(
                    "its processes may still serve: `clusterctl start` adopts them, `clusterctl logs supervisor` shows why it ended"
                        .to_owned(),
                ));
            }
            if Instant::now() >= deadline {
                let error = format!("the supervisor has not become clusterctl {OWN_VERSION}");
                return Err(Failure::because(error).hint("`clusterctl logs supervisor` shows why".to_owned()));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Prints what was replaced, once a builtin balancer has been handed over.
    async fn report(
        &self,
        client: &Client,
        supervisor: Identity,
        former: &ProgramFile,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.timeout;
        let before = self.status.balancer.as_ref().map(accepting).unwrap_or_default();
        let status = loop {
            let status = client.call(&GetStatus).await?;
            if is_handed_over(&status) || Instant::now() >= deadline {
                break status;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        };
        let after = status.balancer.as_ref().map(accepting).unwrap_or_default();
        let builtin = if is_builtin(&status) && before != after {
            "; builtin handed over"
        } else {
            ""
        };
        self.printer.note(&format!(
            "clusterctl {OWN_VERSION} (pid {}) replaced {}: supervisor{builtin}",
            supervisor.pid,
            other_version::name(&self.status.version),
        ));
        if !is_handed_over(&status) {
            self.printer
                .warning("builtin still runs the former program; `clusterctl restart` ends that, and cuts its connections");
        }
        let pids = status.nodes.iter().filter_map(|node| node.pid);
        let kept = |pid| ProgramFile::of(pid).is_ok_and(|program| program.is_same_file_as(former));
        if pids.into_iter().any(kept) {
            self.printer
                .note("nodes run the former program until they are restarted: `clusterctl restart NODE`");
        }
        Ok(())
    }
}

// Private

/// Whether no balancer process that accepts connections runs the former program of builtin.
fn is_handed_over(status: &Status) -> bool {
    let balancer = status.balancer.as_ref();
    !is_builtin(status)
        || balancer.is_none_or(|balancer| accepting(balancer).into_iter().all(runs_this_program))
}

fn is_builtin(status: &Status) -> bool {
    let balancer = status.balancer.as_ref();
    balancer.is_some_and(|balancer| balancer.kind == BalancerKind::Builtin)
}

/// The balancer's processes that accept connections.
fn accepting(balancer: &Balancer) -> BTreeSet<u32> {
    let former: BTreeSet<u32> = balancer.former.iter().map(|former| former.pid).collect();
    let pids = balancer.pids.iter().copied();
    pids.filter(|pid| !former.contains(pid)).collect()
}

/// Whether the process runs this program, or its program is not known.
fn runs_this_program(pid: u32) -> bool {
    let same = || ProgramFile::of(pid)?.has_same_content_as(&ProgramFile::own()?);
    same().unwrap_or(true)
}

/// A path by which other processes can run this program, also when its file was replaced.
fn own_path() -> PathBuf {
    let path = std::env::current_exe().ok();
    path.filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from(format!("/proc/{}/exe", std::process::id())))
}

/// Ends a supervisor that cannot become another program; what it runs goes on.
async fn end(supervisor: Identity, version: &str) -> Result<(), Failure> {
    let pid = supervisor.pid;
    if !is_detached(pid) {
        let error = format!(
            "clusterctl {version} runs in the foreground (pid {pid}), and cannot be replaced while it runs"
        );
        return Err(Failure::because(error).hint(
            "restart its service, such as `systemctl restart clusterctl`, or end it by `clusterctl stop`"
                .to_owned(),
        ));
    }
    let Some(mut process) = Process::adopt(supervisor).map_err(Failure::new)? else {
        return Ok(());
    };
    supervisor.signal(Signal::SIGKILL).map_err(Failure::new)?;
    let ended = tokio::time::timeout(KILL_TIMEOUT, process.ended()).await;
    ended
        .map_err(|_| Failure::because(format!("the supervisor (pid {pid}) does not end")))?
        .map_err(Failure::new)?;
    Ok(())
}

/// Whether a `start` has spawned the supervisor, which then runs the command `supervise`.
fn is_detached(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1) == Some(b"supervise")
}

//! `doctor`: checks this host, and shows how to fix problems; with `--fix`, fixes those that it
//! can.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::PathBuf;

use serde::Serialize;

use super::args::Doctor;
use super::doctor_fix::{Change, Observer, apply_remedies};
use super::exit::Exit;
use super::failure::{Failure, NotWritten, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::balancer::{self, FindError};
use crate::erlang::beam;
use crate::erlang::erlmcp::{Installation, InstallationError};
use crate::erlang::otp::{Otp, OtpError};
use crate::plan::doctor::{Finding, Level, Observed, ObservedBinary, Prospect, examine, prospect};
use crate::plan::{Plan, plan, remedy};
use crate::platform::executable::Missing;
use crate::platform::ports::holders;
use crate::platform::{Host, RunDir, sysctl};
use crate::profile::{BalancerKind, Cluster, Runtime};
use crate::report;
use crate::supervisor::node_environment::NodeEnvironment;
use crate::supervisor::{Marked, Record, living_pids, node_program};

/// Shows every finding; before them the fixes that were made, or what the requested number of
/// connections needs.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &Doctor) -> Outcome {
    let settings = match args.connections {
        Some(connections) => &settings.clone().with(&format!("limits.maxconn={connections}")),
        None => settings,
    };
    if args.fix {
        return fix(settings, printer, args).await;
    }
    let examination = Examination::observed(settings, args, Host::read()).await?;
    match examination.prospect() {
        Some(prospect) if settings.json => printer.pretty_json(&prospect)?,
        Some(prospect) => printer.data(&report::prospect(&prospect))?,
        None if settings.json => printer.pretty_json(&examination.findings())?,
        None => printer.data(&report::doctor(&examination.findings()))?,
    }
    Ok(verdict(&examination.findings()))
}

// Private

/// The `--json` output of `doctor --fix`.
#[derive(Serialize)]
struct FixReply<'a> {
    changes: &'a [Change],
    /// The findings after the fixes.
    findings: &'a [Finding],
}

async fn fix(settings: &Settings, printer: &Printer, args: &Doctor) -> Outcome {
    if !Host::read().root {
        return Err(Failure::because("`doctor --fix` needs root")
            .hint("`sudo clusterctl doctor --fix`; without `--fix` any user can run it".to_owned()));
    }
    let host = mended_for();
    let before = Examination::observed(settings, args, host.clone())
        .await?
        .findings();
    let remedies = remedy::gathered(before.iter().flat_map(|finding| &finding.remedies));
    let mut change_printer = ChangePrinter {
        printer: (!settings.json).then_some(printer),
    };
    let changes = apply_remedies(&remedies, &host, &sysctl::Sysctl::default(), &mut change_printer)?;
    let after = Examination::observed(settings, args, mended_for())
        .await?
        .findings();
    if settings.json {
        printer.pretty_json(&FixReply {
            changes: &changes,
            findings: &after,
        })?;
    } else {
        if changes.is_empty() {
            printer.data("No finding can be fixed from here; nothing was changed.\n")?;
        }
        printer.data(&format!("\n{}", report::doctor(&after)))?;
    }
    if changes.iter().any(|change| change.error.is_some()) {
        return Ok(Exit::Failed);
    }
    Ok(verdict(&after))
}

/// This host for the user who will run the cluster: root, or the user who called `sudo`.
fn mended_for() -> Host {
    let host = Host::read();
    match std::env::var("SUDO_UID") {
        Ok(uid) if uid != "0" => host.for_user(),
        _ => host,
    }
}

/// A cluster on this host, and everything that was looked up about it.
struct Examination {
    cluster: Cluster,
    plan: Plan,
    host: Host,
    observed: Observed,
    /// Whether `--connections` was given.
    for_connections: bool,
}

impl Examination {
    async fn observed(settings: &Settings, args: &Doctor, host: Host) -> Result<Examination, Failure> {
        let run_dir = settings.run_dir()?;
        run_dir.try_path()?;
        let kind = settings.balancer(args.balancer.as_ref())?;
        let cluster = settings.cluster()?.behind(kind);
        let plan = plan(&cluster, kind, &host);
        let addresses: Vec<_> = plan
            .bound(&cluster)
            .into_iter()
            .map(|bound| bound.address)
            .collect();
        let own_pids = own_pids(&run_dir);
        let observed = Observed {
            binaries: binaries(&cluster, kind, &run_dir).await,
            holders: holders(&addresses, &own_pids),
            own_pids: own_pids.into_iter().collect(),
        };
        Ok(Examination {
            cluster,
            plan,
            host,
            observed,
            for_connections: args.connections.is_some(),
        })
    }

    fn prospect(&self) -> Option<Prospect> {
        self.for_connections
            .then(|| prospect(&self.cluster, &self.plan, &self.host, &self.observed))
    }

    fn findings(&self) -> Vec<Finding> {
        match self.prospect() {
            Some(prospect) => prospect.findings,
            None => examine(&self.cluster, &self.plan, &self.host, &self.observed),
        }
    }
}

fn verdict(findings: &[Finding]) -> Exit {
    match findings.iter().map(|finding| finding.level).max() {
        Some(Level::Fail) => Exit::Failed,
        _ => Exit::Done,
    }
}

/// Prints each change before it is made; with `--json` nothing, because all changes are printed at
/// the end.
struct ChangePrinter<'a> {
    printer: Option<&'a Printer>,
}

impl Observer for ChangePrinter<'_> {
    type Stopped = NotWritten;

    fn before(&mut self, change: &Change) -> Result<(), NotWritten> {
        self.print(&report::change(&change.what, change.undo.as_deref()))
    }

    fn failed(&mut self, change: &Change) -> Result<(), NotWritten> {
        self.print(&report::not_changed(change.error.as_deref().unwrap_or_default()))
    }
}

impl ChangePrinter<'_> {
    fn print(&self, text: &str) -> Result<(), NotWritten> {
        self.printer.map_or(Ok(()), |printer| printer.data(text))
    }
}

/// The programs of all balancers that have one, of which the cluster needs that of `kind`, and the
/// programs of its nodes.
async fn binaries(cluster: &Cluster, kind: BalancerKind, run_dir: &RunDir) -> Vec<ObservedBinary> {
    let mut observed = Vec::new();
    for available in BalancerKind::ALL {
        let Some(packages) = available.facts().packages else {
            continue;
        };
        let named = cluster.binaries.of(available);
        let install = format!("apt-get install -y {packages}");
        let found = match balancer::find(available, &cluster.binaries).await {
            Ok(found) => Ok((found.path().to_owned(), found.version().to_owned())),
            Err(FindError::Missing(Missing::NotFound(_))) => Err(Unfit::default()),
            Err(error) => Err(Unfit::because(&error, error.hint())),
        };
        let needed = available == kind;
        observed.push(observed_binary(available.name(), needed, named, found, &install));
    }
    if cluster.runtime == Runtime::Erlang {
        observed.push(erl(cluster, beam::find(&cluster.binaries).await));
    }
    let environment = NodeEnvironment::read(cluster).unwrap_or_else(|error| {
        let unfit = Unfit::because(&error, Some(error.hint()));
        observed.push(observed_binary(
            "the environment of nodes",
            true,
            None,
            Err(unfit),
            "",
        ));
        NodeEnvironment::default()
    });
    match node_program::find(cluster, &environment) {
        Ok(None) => {}
        Ok(Some(path)) => {
            let found = Ok((path, "a program".to_owned()));
            observed.push(observed_binary("nodes.command", true, None, found, ""));
        }
        Err(error) => {
            let unfit = Unfit::because(&error, Some(error.hint()));
            observed.push(observed_binary("nodes.command", true, None, Err(unfit), ""));
        }
    }
    if let Some(wanted) = &cluster.erlmcp {
        observed.push(erl(cluster, Otp::find(&cluster.binaries).await));
        let found = match Installation::find(wanted, &cluster.binaries, run_dir).await {
            Ok(_) => Ok((wanted.path.clone(), "compiled".to_owned())),
            // Already reported.
            Err(InstallationError::Otp(_)) => return observed,
            Err(error) => Err(Unfit::because(&error, error.hint())),
        };
        observed.push(observed_binary("erlmcp", true, None, found, ""));
    }
    observed
}

fn erl(cluster: &Cluster, found: Result<Otp, OtpError>) -> ObservedBinary {
    let found = match found {
        Ok(found) => Ok((found.erl, format!("OTP {} ({})", found.release, found.version))),
        Err(OtpError::Missing(Missing::NotFound(_))) => Err(Unfit::default()),
        Err(error) => Err(Unfit::because(&error, Some(error.hint()))),
    };
    let install = "apt-get install -y erlang-base";
    observed_binary("erl", true, cluster.binaries.erl.as_ref(), found, install)
}

/// Why a program cannot serve, other than that it is missing, and how to fix that.
#[derive(Default)]
struct Unfit {
    problem: Option<String>,
    fix: Option<String>,
}

impl Unfit {
    fn because(error: &impl Display, fix: Option<String>) -> Unfit {
        Unfit {
            problem: Some(error.to_string()),
            fix,
        }
    }
}

/// The program `name`, as it was `found`: its path and version. A missing program can be installed.
fn observed_binary(
    name: &'static str,
    needed: bool,
    named: Option<&PathBuf>,
    found: Result<(PathBuf, String), Unfit>,
    install: &str,
) -> ObservedBinary {
    let (path, version, unfit) = match found {
        Ok((path, version)) => (Some(path), Some(version), Unfit::default()),
        Err(unfit) => (named.filter(|path| path.exists()).cloned(), None, unfit),
    };
    ObservedBinary {
        name,
        path,
        version,
        needed,
        fix: unfit.fix.unwrap_or_else(|| install.to_owned()),
        problem: unfit.problem,
    }
}

/// Processes of this very cluster, which can hold its ports: its children, and its supervisor.
fn own_pids(run_dir: &RunDir) -> BTreeSet<u32> {
    let Ok(record) = Record::read(run_dir) else {
        return Marked::find(run_dir).pids();
    };
    let supervisor = record
        .as_ref()
        .map(Record::supervisor)
        .filter(|supervisor| supervisor.is_alive());
    living_pids(record.as_ref())
        .into_iter()
        .chain(supervisor.map(|supervisor| supervisor.pid))
        .collect()
}

//! `logs`: the logs of nodes, balancer and supervisor. Reads files, so it also works when nothing
//! runs.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::interrupt;
use super::log_file::LogFile;
use super::printer::Printer;
use super::reply::LogLine;
use super::settings::Settings;
use super::suggestions;
use crate::platform::RunDir;
use crate::profile::{self, BalancerKind, Cluster, Runtime, closest};
use crate::render::NGINX_ACCESS_LOG;
use crate::report::style;
use crate::supervisor::Record;

/// The time between two checks of the files that are followed.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Shows the logs.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Logs) -> Outcome {
    let run_dir = settings.run_dir()?;
    let logs = run_dir.logs();
    let found = found(&logs)?;
    let wanted = match &args.name {
        None if found.is_empty() => return Err(none(&logs)),
        None => None,
        Some(name) if found.contains(name) => Some(name.as_str()),
        Some(name) => return Err(missing(settings, &run_dir, name, found)),
    };
    let mut reader = Reader {
        printer,
        json: settings.json,
        logs: &logs,
        wanted,
        open: BTreeMap::new(),
    };
    reader.read(args.lines)?;
    if args.follow {
        interrupt::catch().map_err(Failure::new)?;
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        loop {
            tokio::select! {
                () = interrupt::pressed() => {
                    printer.end_interrupted_line();
                    break;
                }
                _ = ticks.tick() => reader.read(usize::MAX)?,
            }
        }
    }
    reader.last_words()?;
    Ok(Exit::Done)
}

// Private

struct Reader<'a> {
    printer: &'a Printer,
    json: bool,
    logs: &'a Path,
    /// The only log to show, if one was named.
    wanted: Option<&'a str>,
    open: BTreeMap<String, LogFile>,
}

impl Reader<'_> {
    /// Shows new lines; for logs that are new themselves, their last `lines` lines.
    fn read(&mut self, lines: usize) -> Result<(), Failure> {
        let wanted = |name: &String| self.wanted.is_none_or(|wanted| wanted == name);
        for name in found(self.logs)?.into_iter().filter(wanted) {
            let path = self.logs.join(format!("{name}.log"));
            let news = match self.open.get_mut(&name) {
                Some(log) => log.news(),
                None => LogFile::tail(&path, lines).map(|(news, log)| {
                    self.open.insert(name.clone(), log);
                    news
                }),
            };
            match news {
                Ok(news) => self.show(&name, &news)?,
                // Removed between two checks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(&path, error)),
            }
        }
        Ok(())
    }

    /// Shows a last line that has no line feed.
    fn last_words(&mut self) -> Result<(), Failure> {
        let last: Vec<_> = self
            .open
            .iter_mut()
            .map(|(name, log)| (name.clone(), log.last_words()))
            .collect();
        for (name, words) in last {
            self.show(&name, &words)?;
        }
        Ok(())
    }

    fn show(&self, name: &str, lines: &[u8]) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        let lines = String::from_utf8_lossy(lines);
        if self.json {
            let mut objects = lines.lines().map(|line| LogLine { log: name, line });
            return objects.try_for_each(|object| self.printer.json(&object));
        }
        if self.wanted.is_some() {
            return Ok(self.printer.data(&lines)?);
        }
        let prefix = style::cyan(&format!("{name} |"));
        let prefixed: Vec<String> = lines.lines().map(|line| format!("{prefix} {line}")).collect();
        Ok(self.printer.data(&prefixed.join("\n"))?)
    }
}

/// The error for an unknown log `name`: the log does not exist yet, or the child does not exist.
fn missing(settings: &Settings, run_dir: &RunDir, name: &str, mut known: Vec<String>) -> Failure {
    if let Some(cluster) = logged(settings, run_dir, &known) {
        if cluster.runtime == Runtime::External && cluster.node(name).is_some() {
            return elsewhere(name);
        }
        known.extend(cluster.nodes.into_iter().map(|node| node.name));
    }
    let balancers = BalancerKind::ALL.iter().map(|kind| kind.name());
    let others: Vec<&str> = balancers.chain(["supervisor", NGINX_ACCESS_LOG]).collect();
    known.sort();
    known.dedup();
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    if known.contains(&name) || others.contains(&name) {
        return none(&run_dir.log(name));
    }
    // Suggested only where it was probably meant: most of them have no log here.
    known.extend(closest(name, others));
    suggestions::unknown("log", name, known)
}

/// The cluster whose logs these are: the recorded one, else the one of the flags. Without either it
/// is the default cluster, but only if no logs exist yet.
fn logged(settings: &Settings, run_dir: &RunDir, found: &[String]) -> Option<Cluster> {
    if let Ok(Some(record)) = Record::read(run_dir) {
        return profile::load_with(&record.launch.source, &record.launch.resolved).ok();
    }
    if settings.names_profile() || found.is_empty() {
        return settings.cluster().ok();
    }
    None
}

/// The names of the existing logs, in order; empty before the first start.
fn found(logs: &Path) -> Result<Vec<String>, Failure> {
    let entries = match std::fs::read_dir(logs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(logs, error)),
    };
    let name = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(".log").map(str::to_owned)
    };
    let mut names: Vec<String> = entries.flatten().filter_map(name).collect();
    names.sort();
    Ok(names)
}

fn none(logs: &Path) -> Failure {
    Failure::because(format!("no log at `{}`", logs.display()))
        .hint("`clusterctl start` creates logs; `--run-dir DIR` selects another cluster".to_owned())
}

fn elsewhere(node: &str) -> Failure {
    Failure::because(format!(
        "`{node}` is an external node, so its log is not on this host"
    ))
    .hint("`clusterctl logs supervisor` shows when it answered".to_owned())
}

fn unreadable(path: &Path, error: io::Error) -> Failure {
    Failure::new(anyhow::Error::new(error).context(format!("cannot read `{}`", path.display())))
}

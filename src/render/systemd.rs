//! A unit of systemd that runs a cluster.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::templates::{RenderError, Templates};
use crate::profile::{Cluster, Runtime};

/// Ports below it need a capability.
const FIRST_UNPRIVILEGED_PORT: u16 = 1_024;
/// The directory in which systemd makes and keeps a service's own one.
const RUNTIME_DIRECTORIES: &str = "/run";
/// What is in homes cannot be reached with `ProtectHome=yes`.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// What a unit runs, and how.
#[derive(Clone, Debug)]
pub struct Service<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The user that runs it.
    pub user: &'a str,
    /// The run directory.
    pub run_dir: &'a Path,
    /// The command line of the supervisor.
    pub start: Vec<String>,
    /// The command line that reloads the cluster.
    pub reload: Vec<String>,
    /// The working directory, for relative paths.
    pub directory: Option<PathBuf>,
    /// Files that the service reads: its program, the profile.
    pub reads: Vec<PathBuf>,
    /// The time until it serves.
    pub starts_within: Duration,
    /// The time until it has stopped.
    pub stops_within: Duration,
    /// `RLIMIT_NOFILE`.
    pub nofile: u64,
}

#[derive(Serialize)]
struct View {
    cluster: String,
    unit: String,
    user: String,
    root: bool,
    start: String,
    reload: String,
    directory: Option<String>,
    runtime_directory: Option<String>,
    writable: Option<String>,
    start_seconds: u64,
    stop_seconds: u64,
    nofile: u64,
    capabilities: &'static str,
    protect_system: &'static str,
    protect_home: &'static str,
}

impl Service<'_> {
    /// The name of the unit's file.
    #[must_use]
    pub fn unit(&self) -> String {
        format!("clusterctl-{}.service", self.cluster.name)
    }

    /// The text of the unit.
    ///
    /// # Errors
    /// When a template override cannot be read, parsed or filled.
    pub fn render(&self, templates: &Templates) -> Result<String, RenderError> {
        let runtime = self.run_dir.strip_prefix(RUNTIME_DIRECTORIES).ok();
        let runs_others = self.cluster.runtime == Runtime::Command;
        let view = View {
            cluster: self.cluster.name.clone(),
            unit: self.unit(),
            user: self.user.to_owned(),
            root: self.user == "root",
            start: command_line(&self.start),
            reload: command_line(&self.reload),
            directory: self.directory.as_deref().map(path),
            runtime_directory: runtime.map(path),
            writable: runtime.is_none().then(|| path(self.run_dir)),
            start_seconds: self.starts_within.as_secs(),
            stop_seconds: self.stops_within.as_secs(),
            nofile: self.nofile,
            capabilities: if self.has_privileged_port() {
                "CAP_NET_BIND_SERVICE"
            } else {
                ""
            },
            // Programs of others write to directories that are not known here.
            protect_system: if runs_others { "full" } else { "strict" },
            protect_home: if runs_others || self.reads_homes() {
                "read-only"
            } else {
                "yes"
            },
        };
        templates.render("clusterctl.service.tera", &view)
    }

    // Private

    fn has_privileged_port(&self) -> bool {
        let listen = &self.cluster.listen;
        let clients = listen.ports().map(|(_, port)| port);
        let pages = listen.pages().map(|(_, at)| at.port());
        let observe = listen.observe.map(|at| at.port());
        clients
            .chain(pages)
            .chain(observe)
            .any(|port| port < FIRST_UNPRIVILEGED_PORT)
    }

    fn reads_homes(&self) -> bool {
        let reads = self.reads.iter().chain(&self.directory);
        reads
            .into_iter()
            .any(|path| HOMES.iter().any(|home| path.starts_with(home)))
    }
}

// Private

/// The words of a command, as systemd reads `ExecStart=`.
fn command_line(words: &[String]) -> String {
    let mut quoted = Vec::new();
    for (index, word) in words.iter().enumerate() {
        // systemd replaces no variables in the path of the program.
        quoted.push(quote(word, index > 0));
    }
    quoted.join(" ")
}

fn path(path: &Path) -> String {
    quote(&path.to_string_lossy(), false)
}

/// A word as `systemd.syntax(7)` has it. `%` begins a specifier, and in a command's arguments `$` a
/// variable.
fn quote(word: &str, has_variables: bool) -> String {
    let is_plain = |byte: char| byte.is_ascii_alphanumeric() || "_./:=@,+-".contains(byte);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = String::from('"');
    for character in word.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '%' => quoted.push_str("%%"),
            '$' if has_variables => quoted.push_str("$$"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            character if character.is_ascii_control() => {
                // Writing to a string does not fail.
                let _written = write!(quoted, "\\x{:02x}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    fn unit(sets: &[&str], user: &str, run_dir: &str) -> String {
        let mut source = Source::read(DEFAULT).unwrap();
        source.sets = sets.iter().map(|set| (*set).to_owned()).collect();
        let cluster = load(&source).unwrap();
        let service = Service {
            cluster: &cluster,
            user,
            run_dir: Path::new(run_dir),
            start: ["/usr/bin/clusterctl", "start"].map(str::to_owned).into(),
            reload: ["/usr/bin/clusterctl", "reload"].map(str::to_owned).into(),
            directory: None,
            reads: vec!["/usr/bin/clusterctl".into()],
            starts_within: Duration::from_mins(1),
            stops_within: Duration::from_secs(50),
            nofile: 201_728,
        };
        assert_eq!(service.unit(), "clusterctl-erlmcp.service");
        service.render(&Templates::embedded()).unwrap()
    }

    fn has(unit: &str, line: &str) -> bool {
        unit.lines().any(|found| found == line)
    }

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        let words = ["/a %b/$c", "", "--set", "a=[x, \"y\"]", "$HOME\n100%"].map(str::to_owned);
        assert_eq!(
            command_line(&words),
            r#""/a %%b/$c" "" --set "a=[x, \"y\"]" "$$HOME\n100%%""#
        );
    }

    #[test]
    fn a_unit_keeps_what_adoption_needs() {
        let unit = unit(&[], "clusterctl", "/run/clusterctl/erlmcp");
        for line in [
            "Type=notify",
            "ExecStart=/usr/bin/clusterctl start",
            "KillMode=process",
            "WatchdogSignal=SIGKILL",
            "RuntimeDirectory=clusterctl/erlmcp",
            "RuntimeDirectoryPreserve=yes",
            "User=clusterctl",
            "AmbientCapabilities=",
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "LimitNOFILE=201728",
        ] {
            assert!(has(&unit, line), "{line} in {unit}");
        }
        assert!(!unit.contains("{{") && !unit.contains("{%"), "{unit}");
    }

    #[test]
    fn a_unit_is_as_open_as_the_cluster_needs() {
        let low = unit(&["listen.http=80"], "clusterctl", "/srv/x y");
        assert!(has(&low, "AmbientCapabilities=CAP_NET_BIND_SERVICE"), "{low}");
        assert!(has(&low, "ReadWritePaths=\"/srv/x y\"") && !low.contains("\nRuntimeDirectory"));
        let root = unit(&[], "root", "/run/clusterctl/erlmcp");
        assert!(!root.contains("Capabilit") && !root.contains("useradd"), "{root}");
    }
}

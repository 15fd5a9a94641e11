//! The files of a run directory, by name.

use std::fs;
use std::path::PathBuf;

use super::RunDir;

/// The balancer process that a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instance {
    /// The only one.
    Only,
    /// One of several, counted from 1.
    Numbered(u16),
}

impl RunDir {
    /// The supervisor's UNIX socket.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// What a new supervisor needs to adopt the children of a dead one.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// The lock file, held by the one supervisor.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The directory of the logs of the children and of the supervisor.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The log of the child called `name`, or of `supervisor`.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.0.join("logs").join(format!("{name}.log"))
    }

    /// HAProxy's configuration.
    #[must_use]
    pub fn haproxy_config(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, ".cfg")
    }

    /// The socket of HAProxy's runtime API.
    #[must_use]
    pub fn haproxy_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, ".sock")
    }

    /// The socket over which an old HAProxy process sends its stick tables to a new one.
    #[must_use]
    pub fn haproxy_peers_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, "-peers.sock")
    }

    /// The socket from which one HAProxy process of several gets its listeners.
    #[must_use]
    pub fn haproxy_listeners_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, "-listen.sock")
    }

    /// HAProxy's server states, read by a new process.
    #[must_use]
    pub fn haproxy_state(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, ".state")
    }

    /// Names of the drained nodes, one a line: sessions and cookies that point to one of them are
    /// ignored. HAProxy reads the file when it starts.
    #[must_use]
    pub fn haproxy_drained_names(&self) -> PathBuf {
        self.0.join("haproxy-drained.names")
    }

    /// Server ids of the drained nodes, one a line: stick-table entries that point to one of them
    /// are ignored.
    #[must_use]
    pub fn haproxy_drained_ids(&self) -> PathBuf {
        self.0.join("haproxy-drained.ids")
    }

    /// The built-in balancer's configuration.
    #[must_use]
    pub fn dataplane_config(&self) -> PathBuf {
        self.0.join("dataplane.yaml")
    }

    /// The socket of the built-in balancer's runtime API.
    #[must_use]
    pub fn dataplane_socket(&self) -> PathBuf {
        self.0.join("dataplane.sock")
    }

    /// The built-in balancer's sticky tables, which the next process reads.
    #[must_use]
    pub fn dataplane_memory(&self) -> PathBuf {
        self.0.join("dataplane.memory")
    }

    /// Names of the drained nodes, one a line. The built-in balancer reads the file when it starts.
    #[must_use]
    pub fn dataplane_drained(&self) -> PathBuf {
        self.0.join("dataplane.drained")
    }

    /// Names of the nodes that do not answer, one a line. The built-in balancer reads the file when
    /// it starts.
    #[must_use]
    pub fn dataplane_down(&self) -> PathBuf {
        self.0.join("dataplane.down")
    }

    /// nginx's configuration.
    #[must_use]
    pub fn nginx_config(&self) -> PathBuf {
        self.0.join("nginx.conf")
    }

    /// The socket of nginx's status page, which the supervisor reads.
    #[must_use]
    pub fn nginx_socket(&self) -> PathBuf {
        self.0.join("nginx.sock")
    }

    /// The pid of nginx's master process; nginx writes it.
    #[must_use]
    pub fn nginx_pid(&self) -> PathBuf {
        self.0.join("nginx.pid")
    }

    /// Where nginx could store what does not fit into memory; always empty.
    #[must_use]
    pub fn nginx_temp(&self) -> PathBuf {
        self.0.join("nginx-temp")
    }

    /// The names of the BEAM nodes, for `erl -config`.
    #[must_use]
    pub fn erlang_config(&self) -> PathBuf {
        self.0.join("cluster.config")
    }

    /// The Erlang code that BEAM nodes run.
    #[must_use]
    pub fn erlang(&self) -> PathBuf {
        self.0.join("erlang")
    }

    /// The home directory of BEAM nodes.
    #[must_use]
    pub fn erlang_home(&self) -> PathBuf {
        self.erlang().join("home")
    }

    /// The cookie with which BEAM nodes authenticate one another.
    #[must_use]
    pub fn erlang_cookie(&self) -> PathBuf {
        self.erlang_home().join(".erlang.cookie")
    }

    /// Certificate chain and private key in one PEM file, as HAProxy requires.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.0.join("tls.pem")
    }

    /// The files that only a running cluster has.
    pub(super) fn transient(&self) -> Vec<PathBuf> {
        let mut paths = vec![
            self.control_socket(),
            self.haproxy_socket(Instance::Only),
            self.haproxy_peers_socket(Instance::Only),
            self.haproxy_state(Instance::Only),
            self.haproxy_drained_names(),
            self.haproxy_drained_ids(),
            self.dataplane_socket(),
            self.dataplane_memory(),
            self.dataplane_drained(),
            self.dataplane_down(),
            self.nginx_socket(),
            self.nginx_pid(),
            self.certificate(),
            self.erlang_cookie(),
        ];
        paths.extend(self.of_instances());
        // Last: while this file exists, a command may look for children.
        paths.push(self.state_file());
        paths
    }

    /// The longest path of a socket in it.
    pub(super) fn longest_socket(&self) -> PathBuf {
        self.haproxy_listeners_socket(Instance::Numbered(99))
    }

    // Private

    /// Sockets and states of several `HAProxy` processes, whatever their number was.
    fn of_instances(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| {
                let is_transient = path
                    .extension()
                    .is_some_and(|kind| kind == "sock" || kind == "state");
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let number = name.strip_prefix("haproxy-");
                is_transient && number.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
            })
            .collect()
    }

    fn of_haproxy(&self, instance: Instance, what: &str) -> PathBuf {
        self.0.join(match instance {
            Instance::Only => format!("haproxy{what}"),
            Instance::Numbered(number) => format!("haproxy-{number}{what}"),
        })
    }
}

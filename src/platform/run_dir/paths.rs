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

    /// What a new supervisor needs to adopt a dead one's children.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// Held locked by the one supervisor.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Where children and the supervisor write their logs.
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

    /// HAProxy's runtime API.
    #[must_use]
    pub fn haproxy_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, ".sock")
    }

    /// Where HAProxy's stick tables pass from an old process to a new one.
    #[must_use]
    pub fn haproxy_peers_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, "-peers.sock")
    }

    /// Where one HAProxy of several gets its listeners.
    #[must_use]
    pub fn haproxy_listeners_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, "-listen.sock")
    }

    /// HAProxy's server states, read by a new process.
    #[must_use]
    pub fn haproxy_state(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, ".state")
    }

    /// Names of the drained nodes, one a line: sessions and cookies with one of them do not count. Read by HAProxy when it starts.
    #[must_use]
    pub fn haproxy_drained_names(&self) -> PathBuf {
        self.0.join("haproxy-drained.names")
    }

    /// Server ids of the drained nodes, one a line: stick-table entries with one of them do not count.
    #[must_use]
    pub fn haproxy_drained_ids(&self) -> PathBuf {
        self.0.join("haproxy-drained.ids")
    }

    /// The built-in balancer's configuration.
    #[must_use]
    pub fn dataplane_config(&self) -> PathBuf {
        self.0.join("dataplane.yaml")
    }

    /// The built-in balancer's runtime API.
    #[must_use]
    pub fn dataplane_socket(&self) -> PathBuf {
        self.0.join("dataplane.sock")
    }

    /// Where the built-in balancer keeps who is sticky to whom, for the process that follows it.
    #[must_use]
    pub fn dataplane_memory(&self) -> PathBuf {
        self.0.join("dataplane.memory")
    }

    /// Names of the drained nodes, one a line. Read by the built-in balancer when it starts.
    #[must_use]
    pub fn dataplane_drained(&self) -> PathBuf {
        self.0.join("dataplane.drained")
    }

    /// Names of the nodes that do not answer, one a line. Read by the built-in balancer when it starts.
    #[must_use]
    pub fn dataplane_down(&self) -> PathBuf {
        self.0.join("dataplane.down")
    }

    /// nginx's configuration.
    #[must_use]
    pub fn nginx_config(&self) -> PathBuf {
        self.0.join("nginx.conf")
    }

    /// nginx's status page, for us.
    #[must_use]
    pub fn nginx_socket(&self) -> PathBuf {
        self.0.join("nginx.sock")
    }

    /// The pid of nginx's master process, written by it.
    #[must_use]
    pub fn nginx_pid(&self) -> PathBuf {
        self.0.join("nginx.pid")
    }

    /// Where nginx could keep what does not fit into memory; always empty.
    #[must_use]
    pub fn nginx_temp(&self) -> PathBuf {
        self.0.join("nginx-temp")
    }

    /// Who the BEAM nodes are, for `erl -config`.
    #[must_use]
    pub fn erlang_config(&self) -> PathBuf {
        self.0.join("cluster.config")
    }

    /// What BEAM nodes run.
    #[must_use]
    pub fn erlang(&self) -> PathBuf {
        self.0.join("erlang")
    }

    /// The home directory of BEAM nodes.
    #[must_use]
    pub fn erlang_home(&self) -> PathBuf {
        self.erlang().join("home")
    }

    /// The cookie by which BEAM nodes know one another.
    #[must_use]
    pub fn erlang_cookie(&self) -> PathBuf {
        self.erlang_home().join(".erlang.cookie")
    }

    /// Certificate chain and private key in one PEM file, as HAProxy wants them.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.0.join("tls.pem")
    }

    /// What only a running cluster has.
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
        // Last: as long as it is there, a command may look for children.
        paths.push(self.state_file());
        paths
    }

    /// The longest path of a socket in it.
    pub(super) fn longest_socket(&self) -> PathBuf {
        self.haproxy_listeners_socket(Instance::Numbered(99))
    }

    // Private

    /// Sockets and states of several processes of `HAProxy`, however many there were.
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

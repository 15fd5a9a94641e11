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

    /// A state file that could not be used, kept for people until another one replaces it. A stop
    /// leaves it, as it leaves the logs.
    #[must_use]
    pub fn broken_state_file(&self) -> PathBuf {
        self.0.join("state.json.broken")
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

    /// The socket from which an HAProxy process gets its listeners.
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

    /// Whether it is announced that the cluster stops: one line then. HAProxy reads the file when
    /// it starts.
    #[must_use]
    pub fn haproxy_stopping(&self) -> PathBuf {
        self.0.join("haproxy.stopping")
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

    /// The socket from which the built-in balancer gets its listeners.
    #[must_use]
    pub fn dataplane_listeners_socket(&self) -> PathBuf {
        self.0.join("dataplane-listen.sock")
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

    /// Whether it is announced that the cluster stops, and how fast connections are closed then.
    /// The built-in balancer reads the file whenever it needs to know.
    #[must_use]
    pub fn dataplane_stopping(&self) -> PathBuf {
        self.0.join("dataplane.stopping")
    }

    /// nginx's configuration.
    #[must_use]
    pub fn nginx_config(&self) -> PathBuf {
        self.0.join("nginx.conf")
    }

    /// The socket of nginx's status page, which the supervisor reads. An nginx that ends removes
    /// its own, so each `generation` has another one.
    #[must_use]
    pub fn nginx_socket(&self, generation: u32) -> PathBuf {
        self.of_nginx(generation, "sock")
    }

    /// The pid of nginx's master process; nginx writes it, and removes it when it ends.
    #[must_use]
    pub fn nginx_pid(&self, generation: u32) -> PathBuf {
        self.of_nginx(generation, "pid")
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
            self.haproxy_listeners_socket(Instance::Only),
            self.haproxy_state(Instance::Only),
            self.haproxy_drained_names(),
            self.haproxy_drained_ids(),
            self.haproxy_stopping(),
            self.dataplane_socket(),
            self.dataplane_listeners_socket(),
            self.dataplane_memory(),
            self.dataplane_drained(),
            self.dataplane_down(),
            self.dataplane_stopping(),
            self.nginx_socket(0),
            self.nginx_pid(0),
            self.certificate(),
            self.erlang_cookie(),
        ];
        paths.extend(self.numbered());
        // Last: while this file exists, a command may look for children.
        paths.push(self.state_file());
        paths
    }

    /// The longest path of a socket in it.
    pub(super) fn longest_socket(&self) -> PathBuf {
        self.haproxy_listeners_socket(Instance::Numbered(99))
    }

    // Private

    /// Sockets and states of several `HAProxy` processes, and what each nginx has left, whatever
    /// their number was.
    fn numbered(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| {
                let is_transient = path
                    .extension()
                    .is_some_and(|kind| kind == "sock" || kind == "state" || kind == "pid");
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let number = ["haproxy-", "nginx-"]
                    .iter()
                    .find_map(|balancer| name.strip_prefix(balancer));
                is_transient && number.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
            })
            .collect()
    }

    fn of_nginx(&self, generation: u32, kind: &str) -> PathBuf {
        self.0.join(match generation {
            0 => format!("nginx.{kind}"),
            later => format!("nginx-{later}.{kind}"),
        })
    }

    fn of_haproxy(&self, instance: Instance, what: &str) -> PathBuf {
        self.0.join(match instance {
            Instance::Only => format!("haproxy{what}"),
            Instance::Numbered(number) => format!("haproxy-{number}{what}"),
        })
    }
}

use super::*;

const RUN_DIR: &str = "/run/clusterctl/erlmcp";

/// The processes of a host, and their command lines by pid.
struct Host {
    run: RunId,
    table: Vec<Entry>,
    lines: BTreeMap<u32, String>,
    /// Processes that listen.
    listening: BTreeSet<u32>,
}

impl Host {
    fn new() -> Host {
        Host {
            run: RunId::random().unwrap(),
            table: Vec::new(),
            lines: BTreeMap::new(),
            listening: BTreeSet::new(),
        }
    }

    /// A process that leads its own group; a higher pid means that it is younger.
    fn with(mut self, pid: u32, parent: u32, origin: Origin) -> Host {
        self.table.push(Entry {
            process: Identity {
                pid,
                start_time: u64::from(pid),
            },
            parent,
            group: pid,
            command: "program".into(),
            origin,
            control_group: "/".into(),
        });
        self
    }

    fn child(self, pid: u32, name: &str, instance: Option<usize>) -> Host {
        let mark = self.mark(name, instance);
        self.with(pid, 1, Origin::Child(mark))
    }

    fn mark(&self, name: &str, instance: Option<usize>) -> Mark {
        Mark {
            child: format!("erlmcp/{name}"),
            run: self.run.clone(),
            run_dir: Some(RUN_DIR.into()),
            instance,
        }
    }

    fn last(&mut self) -> &mut Entry {
        self.table.last_mut().unwrap()
    }

    fn found(&self) -> Marked {
        let line = |pid| self.lines.get(&pid).cloned().unwrap_or_default();
        Marked::among(&self.table, Path::new(RUN_DIR), line, &self.listening)
    }

    /// The name, instance and pid of each child that was found, and whether it is retired.
    fn children(&self) -> Vec<(String, usize, u32, bool)> {
        let found = self.found().children.into_iter();
        found
            .map(|it| (it.name, it.instance, it.process.pid, it.retired))
            .collect()
    }
}

fn child(name: &str, instance: usize, pid: u32, retired: bool) -> (String, usize, u32, bool) {
    (name.into(), instance, pid, retired)
}

#[test]
fn nodes_and_the_youngest_balancer_processes_are_children() {
    let host = Host::new()
        .child(10, "erlmcp1", None)
        .child(11, "erlmcp2", None)
        .child(12, "haproxy", Some(0))
        .child(13, "haproxy", Some(1))
        .child(20, "haproxy", Some(1));
    let expected = [
        child("erlmcp1", 0, 10, false),
        child("erlmcp2", 0, 11, false),
        child("haproxy", 1, 20, false),
        child("haproxy", 1, 13, true),
        child("haproxy", 0, 12, false),
    ];
    assert_eq!(host.children(), expected);
    let found = host.found();
    assert_eq!((&found.run_id, found.half()), (&host.run, None));
    assert_eq!(
        (found.cluster.as_deref(), found.balancer()),
        (Some("erlmcp"), Some(BalancerKind::Haproxy))
    );
}

#[test]
fn a_balancer_of_another_kind_that_is_older_is_retired() {
    let host = Host::new()
        .child(10, "haproxy", Some(0))
        .child(11, "builtin", Some(0));
    let expected = [child("builtin", 0, 11, false), child("haproxy", 0, 10, true)];
    assert_eq!(host.children(), expected);
    assert_eq!(host.found().half(), Some(Only::Balancer));
}

#[test]
fn a_younger_balancer_that_does_not_listen_has_not_taken_over() {
    let mut host = Host::new()
        .child(20, "builtin", Some(0))
        .child(30, "haproxy", Some(0));
    host.listening.insert(20);
    assert_eq!(
        host.children(),
        [child("builtin", 0, 20, false), child("haproxy", 0, 30, true)]
    );
}

#[test]
fn what_children_have_started_is_not_a_child() {
    let host = Host::new().child(10, "erlmcp1", None);
    let mark = Origin::Child(host.mark("erlmcp1", None));
    // In the group of the node, in a group of its own, left behind in one, and a name server.
    let mut host = host.with(11, 10, mark.clone());
    host.last().group = 10;
    let host = host.with(12, 10, mark.clone()).with(13, 1, mark);
    let mut host = host.child(9, "erlmcp2", None);
    host.last().command = EPMD.into();
    assert_eq!(host.children(), [child("erlmcp1", 0, 10, false)]);
}

#[test]
fn processes_of_other_clusters_and_of_commands_are_not_children() {
    let host = Host::new();
    let elsewhere = Mark {
        run_dir: Some("/run/clusterctl/other".into()),
        run: RunId::random().unwrap(),
        ..host.mark("erlmcp1", None)
    };
    let older = Mark {
        run_dir: None,
        run: RunId::random().unwrap(),
        ..host.mark("haproxy", None)
    };
    let host = host
        .with(10, 1, Origin::Child(elsewhere))
        .with(11, 1, Origin::Child(older))
        .with(12, 1, Origin::Apart)
        .with(13, 1, Origin::Unknown);
    assert!(host.found().is_empty());
}

#[test]
fn nginx_is_found_by_its_command_line() {
    let mut host = Host::new().child(10, "erlmcp1", None);
    for (pid, path) in [(11, RUN_DIR), (12, RUN_DIR), (13, "/run/clusterctl/erlmcp2")] {
        host = host.with(pid, 1, Origin::Unknown);
        let line = format!("nginx: master process /usr/sbin/nginx -p {path} -c {path}/nginx.conf");
        host.lines.insert(pid, line);
    }
    host = host.with(14, 12, Origin::Unknown);
    host.lines.insert(14, "nginx: worker process".into());
    let expected = [
        child("erlmcp1", 0, 10, false),
        child("nginx", 0, 12, false),
        child("nginx", 0, 11, true),
    ];
    assert_eq!(host.children(), expected);
}

#[test]
fn nodes_without_a_run_directory_are_found_by_the_run_of_their_balancer() {
    let host = Host::new();
    let of = |name| {
        let run_dir = None;
        Origin::Child(Mark {
            run_dir,
            ..host.mark(name, None)
        })
    };
    let (node, balancer) = (of("erlmcp1"), of("haproxy"));
    let mut host = host.with(10, 1, node).with(11, 1, balancer);
    host.lines.insert(11, format!("haproxy -f {RUN_DIR}/haproxy.cfg"));
    let expected = [child("erlmcp1", 0, 10, false), child("haproxy", 0, 11, false)];
    assert_eq!(host.children(), expected);
}

#[test]
fn the_youngest_run_is_adopted_and_an_earlier_one_is_named() {
    let (host, earlier) = (Host::new(), RunId::random().unwrap());
    let left = Mark {
        run: earlier.clone(),
        ..host.mark("erlmcp1", None)
    };
    let host = host.with(10, 1, Origin::Child(left)).child(11, "erlmcp2", None);
    assert_eq!(host.children(), [child("erlmcp2", 0, 11, false)]);
    assert_eq!(host.found().former, BTreeSet::from([earlier]));
}

#[test]
fn an_unusable_file_is_kept_and_replaces_an_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::at(dir.path());
    set_aside(&run_dir).unwrap();
    fs::create_dir_all(run_dir.broken_state_file().join("deep")).unwrap();
    for text in ["first", "second"] {
        fs::write(run_dir.state_file(), text).unwrap();
        set_aside(&run_dir).unwrap();
        assert_eq!(fs::read_to_string(run_dir.broken_state_file()).unwrap(), text);
        assert!(!run_dir.state_file().exists());
    }
    fs::create_dir(run_dir.state_file()).unwrap();
    set_aside(&run_dir).unwrap();
    assert!(run_dir.broken_state_file().is_dir());
}

#[test]
fn the_generation_of_nginx_is_that_of_its_pid_file() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::at(dir.path());
    let master = Identity {
        pid: 77,
        start_time: 1,
    };
    for (name, pid) in [("nginx.pid", "5"), ("nginx-2.pid", "77\n"), ("nginx-3.pid", "78")] {
        fs::write(dir.path().join(name), pid).unwrap();
    }
    assert_eq!(generation(&run_dir, master), 2);
    assert_eq!(generation(&RunDir::at("/nowhere"), master), 0);
}

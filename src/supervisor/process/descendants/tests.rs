use super::*;
use crate::platform::mark::Mark;

/// What the processes of a test have in common.
struct Host {
    run: RunId,
    table: Vec<Entry>,
}

impl Host {
    fn new() -> Host {
        Host {
            run: RunId::random().unwrap(),
            table: Vec::new(),
        }
    }

    fn with(mut self, pid: u32, parent: u32, origin: Origin) -> Host {
        self.table.push(Entry {
            process: identity(pid),
            parent,
            group: pid,
            command: "server".into(),
            origin,
            control_group: "/".into(),
        });
        self
    }

    fn last(&mut self) -> &mut Entry {
        self.table.last_mut().unwrap()
    }

    fn in_group(mut self, group: u32) -> Host {
        self.last().group = group;
        self
    }

    fn called(mut self, command: &str) -> Host {
        self.last().command = command.into();
        self
    }

    fn in_control_group(mut self, name: &str) -> Host {
        self.last().control_group = format!("/a/clusterctl-{}/{name}", self.run);
        self
    }

    fn marked(&self, name: &str) -> Origin {
        marked(&self.run, name)
    }

    /// The descendants of node `one`, whose process is 10.
    fn of_one(&self) -> Vec<u32> {
        self.of(&Of::One {
            name: "one".into(),
            leader: identity(10),
        })
    }

    fn of(&self, of: &Of) -> Vec<u32> {
        let found = select(&self.run, of, &self.table, &BTreeSet::new(), |pid| pid < 30);
        found.iter().map(|entry| entry.process.pid).collect()
    }
}

fn identity(pid: u32) -> Identity {
    Identity { pid, start_time: 1 }
}

fn marked(run: &RunId, name: &str) -> Origin {
    Origin::Child(Mark {
        child: format!("erlmcp/{name}"),
        run: run.clone(),
        ..Mark::default()
    })
}

/// The nodes `one` and `two`, as the processes 10 and 20 of the supervisor, 5.
fn host() -> Host {
    let host = Host::new();
    let (one, two) = (host.marked("one"), host.marked("two"));
    host.with(5, 1, Origin::Unknown).with(10, 5, one).with(20, 5, two)
}

#[test]
fn marked_processes_are_found_anywhere() {
    let host = host();
    let (one, two) = (host.marked("one"), host.marked("two"));
    let host = host.with(31, 10, one.clone()).with(32, 1, one).with(33, 1, two);
    assert_eq!(host.of_one(), [31, 32]);
    assert_eq!(host.of(&Of::AllBut(BTreeSet::from(["one".into()]))), [33]);
}

#[test]
fn another_run_of_the_same_name_is_not_touched() {
    let other = marked(&RunId::random().unwrap(), "one");
    let unnumbered = marked(&RunId::default(), "one");
    let host = host().with(31, 1, other).with(32, 10, unnumbered);
    assert!(host.of_one().is_empty());
    assert!(host.of(&Of::AllBut(BTreeSet::new())).is_empty());
}

#[test]
fn unmarked_processes_are_found_by_tree_and_groups() {
    let host = host()
        .with(31, 10, Origin::Unknown)
        .with(32, 31, Origin::Unknown)
        .with(33, 1, Origin::Unknown)
        .in_group(10)
        .with(34, 1, Origin::Unknown)
        .in_control_group("one/below")
        .with(35, 34, Origin::Unknown)
        .with(36, 1, Origin::Unknown)
        .with(37, 20, Origin::Unknown)
        .in_control_group("two");
    assert_eq!(host.of_one(), [31, 32, 33, 34, 35]);
}

#[test]
fn a_process_found_before_its_parent_ended_stays_known() {
    let host = host().with(31, 1, Origin::Unknown);
    let of = Of::One {
        name: "one".into(),
        leader: identity(10),
    };
    let known = BTreeSet::from([identity(31)]);
    let found = select(&host.run, &of, &host.table, &known, |_| false);
    assert_eq!(found.len(), 1);
}

#[test]
fn clusterctl_commands_and_their_children_are_excluded() {
    let host = host();
    let one = host.marked("one");
    let nested = marked(&RunId::random().unwrap(), "one");
    let host = host
        .with(31, 10, one)
        .with(32, 31, Origin::Apart)
        .with(33, 32, Origin::Apart)
        .with(34, 33, nested)
        .with(35, 34, Origin::Unknown)
        .in_control_group("elsewhere");
    assert_eq!(host.of_one(), [31]);
}

#[test]
fn an_epmd_ends_with_the_run_only() {
    let host = host();
    let one = host.marked("one");
    let host = host.with(31, 1, one.clone()).called("epmd").with(32, 31, one);
    assert_eq!(host.of_one(), [32]);
    assert_eq!(host.of(&Of::AllBut(BTreeSet::from(["two".into()]))), [32]);
    assert_eq!(host.of(&Of::AllBut(BTreeSet::new())), [31, 32]);
}

#[test]
fn children_of_other_processes_with_the_same_name_are_spared() {
    let host = host();
    let one = host.marked("one");
    let host = host
        .with(11, 5, one.clone())
        .with(31, 11, Origin::Unknown)
        .in_control_group("one")
        .with(32, 31, one);
    assert!(host.of_one().is_empty());
}

#[test]
fn a_reused_group_id_is_not_ours() {
    let mut host = host();
    host.table[1].process.start_time = 2;
    host.table[1].origin = Origin::Unknown;
    let host = host.with(31, 10, Origin::Unknown).in_group(10);
    assert!(host.of_one().is_empty());
}

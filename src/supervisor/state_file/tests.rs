use std::fs;

use super::*;
use crate::platform::listen::Places;

fn launch() -> Launch {
    Launch {
        source: Source::read("default").unwrap(),
        balancer: BalancerKind::Haproxy,
        only: None,
        templates: None,
        timeout: "30s".parse().unwrap(),
        announce: Period::default(),
        over: Period::default(),
        run_id: RunId::random().unwrap(),
        http_check: None,
        sockets: 0,
        generation: 0,
        ids: NodeIds::default(),
        previous: None,
        others: Vec::new(),
        resolved: BTreeMap::new(),
    }
}

fn written() -> serde_json::Value {
    let record = Record::new(
        launch(),
        Vec::new(),
        BTreeMap::new(),
        BTreeSet::new(),
        BTreeSet::new(),
    );
    serde_json::to_value(record).unwrap()
}

/// What reading a file with this `content` fails with.
fn failure(content: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::at(dir.path());
    fs::write(run_dir.state_file(), content).unwrap();
    Record::read(&run_dir).unwrap_err().to_string()
}

#[test]
fn written_files_are_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::at(dir.path());
    assert_eq!(Record::read(&run_dir).unwrap(), None);
    let own = ChildRecord {
        name: "erlmcp1".into(),
        instance: 0,
        retired: false,
        successor: false,
        incoming: false,
        ends_at: None,
        outdated: false,
        process: Identity::own(),
        restarts: 2,
    };
    let gone = ChildRecord {
        process: Identity {
            pid: own.process.pid,
            start_time: 1,
        },
        ..own.clone()
    };
    let mut record = Record::new(
        launch(),
        vec![own.clone(), gone],
        BTreeMap::new(),
        BTreeSet::from(["erlmcp2".to_owned()]),
        BTreeSet::from(["erlmcp3".to_owned()]),
    );
    let saved = SavedGroup {
        places: Places::in_order(3),
        inodes: vec![Some(7), None, Some(9)],
    };
    record.listeners = BTreeMap::from([("127.0.0.1:8000".parse().unwrap(), saved)]);
    record.write(&run_dir).unwrap();
    let read = Record::read(&run_dir).unwrap().unwrap();
    assert_eq!(read, record);
    assert_eq!(read.living(), [&own]);
}

#[test]
fn broken_files_are_errors_that_name_them() {
    let text = written().to_string();
    for (content, why) in [
        (&b""[..], "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "it is truncated after line 1"),
        (&text.as_bytes()[..text.len() / 2], "it is truncated after line 1"),
        (b"[]", "invalid"),
        (b"{\"version\": 1}", "missing field `launch`"),
        (b"{\"launch\": {}}", "missing field `version`"),
        (b"\0\0\0\0", "expected value"),
        (b"\xff\xfe", "expected value"),
    ] {
        let failure = failure(content);
        assert!(
            failure.contains("state.json` is not a usable state file: "),
            "{failure}"
        );
        assert!(failure.contains(why), "{failure}");
    }
}

#[test]
fn a_path_that_is_not_a_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::at(dir.path());
    nix::unistd::mkfifo(&run_dir.state_file(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let failure = Record::read(&run_dir).unwrap_err().to_string();
    assert!(failure.ends_with("state.json`: it is not a file"), "{failure}");
}

#[test]
fn a_newer_file_is_not_interpreted_and_names_both_versions() {
    let failure = failure(br#"{"version": 3, "written_by": "9.1.0", "launch": 7}"#);
    let versions = "has version 3 of the format, written by clusterctl 9.1.0; this is clusterctl ";
    assert!(failure.contains(versions), "{failure}");
    assert!(failure.ends_with("which reads versions up to 2"), "{failure}");
}

#[test]
fn an_older_file_is_read_and_unknown_keys_are_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::at(dir.path());
    let mut older = written();
    older["version"] = 1.into();
    older["unknown"] = "ignored".into();
    older.as_object_mut().unwrap().remove("written_by");
    let launch = older["launch"].as_object_mut().unwrap();
    launch.retain(|key, _| key != "sockets" && key != "generation");
    fs::write(run_dir.state_file(), older.to_string()).unwrap();
    let record = Record::read(&run_dir).unwrap().unwrap();
    assert_eq!((record.launch.sockets, record.launch.generation), (0, 0));
    assert_eq!(record.version, 1);
}

use super::*;
use crate::platform::RunDir;
use crate::profile::BalancerKind::{self, Builtin, Haproxy, Nginx};
use crate::supervisor::core::model::spec_of;

/// Settings with which one process of each balancer is enough on every host.
const SMALL: [&str; 3] = ["limits.maxconn=1000", "nodes.maxconn=1000", "nodes.target=300"];
const COMMAND: [&str; 2] = ["nodes.runtime=command", "nodes.command=[sleep, '1']"];
const MEMBERS: &str = "nodes.members=[{name: a, address: 127.0.0.1, tcp_port: 9001}, \
                       {name: b, address: 127.0.0.1, tcp_port: 9002}]";

/// 10 connections and 4 sticky clients at each node.
fn facts() -> Facts {
    let each = |count| (1..=8).map(|n| (format!("erlmcp{n}"), count)).collect();
    Facts {
        connections: each(10),
        sticky_clients: each(4),
        owns_nodes: true,
        ..Facts::default()
    }
}

fn planned_with(kind: BalancerKind, was: &[&str], is: &[&str], facts: &Facts) -> ChangePlan {
    let spec = |sets: &[&str]| spec_of(kind, RunDir::at("/run/x"), &[&SMALL, sets].concat());
    change_plan(&spec(was), &spec(is), facts)
}

fn planned(kind: BalancerKind, was: &[&str], is: &[&str]) -> ChangePlan {
    planned_with(kind, was, is, &facts())
}

/// The sentences that do not depend on the host.
fn text(plan: &ChangePlan) -> String {
    let sentences = plan.sentences.iter().map(String::as_str);
    let steady = sentences.filter(|it| !it.contains("not limited") && !it.starts_with("the cluster holds"));
    steady.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_same_profile_changes_nothing() {
    for kind in BalancerKind::ALL {
        assert_eq!(planned(kind, &[], &[]), ChangePlan::default());
    }
}

#[test]
fn a_limit_costs_a_reload_and_a_policy_costs_nothing() {
    let limit = ["limits.per_ip.connections=7"];
    for (kind, reload) in [
        (Builtin, "builtin reads its new configuration within its process"),
        (
            Haproxy,
            "a new process of haproxy takes over the listeners: established connections finish at the former one",
        ),
        (
            Nginx,
            "new workers of nginx take over: established connections finish at the former ones",
        ),
    ] {
        let plan = planned(kind, &[], &limit);
        assert_eq!(
            text(&plan),
            format!("limits.per_ip.connections: 100 -> 7\n{reload}")
        );
        assert_eq!(plan.balancer, BalancerChange::Reload);
    }
    let plan = planned(Builtin, &[], &["nodes.restart.give_up_after=3"]);
    assert_eq!(text(&plan), "nodes.restart.give_up_after: 10 -> 3");
    assert_eq!(plan.balancer, BalancerChange::None);
}

#[test]
fn more_nodes_restart_none_that_run() {
    for kind in BalancerKind::ALL {
        let plan = planned(kind, &[], &["nodes.count=8"]);
        assert_eq!(plan.added, ["erlmcp5", "erlmcp6", "erlmcp7", "erlmcp8"]);
        assert_eq!(
            (plan.replaced.len(), plan.removed.len(), plan.connections),
            (0, 0, 0)
        );
    }
    let plan = planned(Haproxy, &[], &["nodes.count=5"]);
    insta::assert_snapshot!(text(&plan), @r"
    erlmcp5 is added: it gets clients once it is healthy
    a new process of haproxy takes over the listeners: established connections finish at the former one
    ");
}

#[test]
fn fewer_nodes_cost_their_connections_and_move_their_clients() {
    let plan = planned(Builtin, &[], &["nodes.count=3"]);
    assert_eq!(plan.removed, ["erlmcp4"]);
    assert_eq!((plan.connections, plan.moved_clients), (10, 4));
    insta::assert_snapshot!(text(&plan), @r"
    erlmcp4 is removed: it is drained, then stopped
    10 connections are open there: none is closed, the change waits until they end
    sessions over HTTP there begin again at other nodes
    4 clients that stick to these nodes by their address get another one (`listen.tcp`, `listen.websocket`, `listen.sse`)
    builtin reads its new configuration within its process
    ");
    let one = Facts {
        sticky_clients: BTreeMap::from([("erlmcp4".to_owned(), 1)]),
        ..facts()
    };
    let plan = planned_with(Builtin, &[], &["nodes.count=3"], &one);
    assert!(
        text(&plan).contains("\n1 client that sticks to these nodes by its address gets another one"),
        "{}",
        text(&plan)
    );
    let closing = Facts {
        close_after: Some("30s".parse().unwrap()),
        ..facts()
    };
    let plan = planned_with(Nginx, &[], &["nodes.count=3"], &closing);
    // Half of the 32 clients that are known.
    assert_eq!((plan.connections, plan.moved_clients), (10, 16));
    insta::assert_snapshot!(text(&plan), @r"
    erlmcp4 is removed: it is drained, then stopped
    10 connections are open there: what is left 30s after a drain begins is closed
    sessions over HTTP there begin again at other nodes
    about 50 % of the clients get another node (`listen.tcp`, `listen.websocket`, `listen.sse`, 16 now): nginx computes it from the address and the list of nodes
    new workers of nginx take over: established connections finish at the former ones
    ");
}

#[test]
fn another_command_replaces_all_nodes_and_says_why() {
    let changed = ["nodes.runtime=command", "nodes.command=[sleep, '2']"];
    let plan = planned(Builtin, &COMMAND, &changed);
    assert_eq!(plan.replaced, ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"]);
    assert_eq!((plan.connections, plan.moved_clients), (40, 16));
    assert_eq!(plan.balancer, BalancerChange::None);
    insta::assert_snapshot!(text(&plan), @r#"
    nodes.command: ["sleep","1"] -> ["sleep","2"]
    erlmcp1, erlmcp2, erlmcp3, erlmcp4 are replaced for `nodes.command`: batch by batch, each is drained, started again, and gets clients once it is healthy
    40 connections are open there: none is closed, the change waits until they end
    sessions over HTTP there begin again at other nodes
    16 clients that stick to these nodes by their address get another one (`listen.tcp`, `listen.websocket`, `listen.sse`)
    "#);
}

#[test]
fn every_reason_for_a_new_process_is_named() {
    let because = |was: &[&str], is: &[&str]| {
        let plan = planned(Builtin, was, is);
        let sentences = plan.sentences.into_iter();
        let mut about = sentences.filter(|it| it.contains(" replaced for "));
        let sentence = about.next().unwrap_or_default();
        let (names, rest) = sentence.split_once(" replaced for ").unwrap_or_default();
        format!("{names}: {}", rest.split_once(": ").unwrap_or_default().0)
    };
    let run = |more: &'static str| [COMMAND[0], COMMAND[1], more];
    let all = "erlmcp1, erlmcp2, erlmcp3, erlmcp4 are";
    for (was, is, reason) in [
        (&[][..], &COMMAND[..], "`nodes.runtime`"),
        (&[], &["nodes.tcp_port=9201"], "`nodes.tcp_port`"),
        (&[], &["nodes.http_port=null"], "`nodes.http_port`"),
        (&[], &["nodes.maxconn=900"], "`nodes.maxconn`"),
        (&COMMAND, &run("nodes.directory=/tmp"), "`nodes.directory`"),
        (
            &COMMAND,
            &run("nodes.environment.TOKEN=secret"),
            "the variable `TOKEN`",
        ),
        (
            &["nodes.runtime=erlang"],
            &["nodes.runtime=erlang", "nodes.erlang.busy_wait=long"],
            "`nodes.erlang.busy_wait`",
        ),
    ] {
        assert_eq!(because(was, is), format!("{all}: {reason}"));
    }
    // What a program gets of it stays the same.
    assert_eq!(because(&COMMAND, &run("nodes.maxconn=900")), ": ");
    // A placeholder makes a difference only where it is filled differently.
    let named = ["nodes.runtime=command", "nodes.command=[sleep, '1', '{name}']"];
    let written = ["nodes.runtime=command", "nodes.command=[sleep, '1', 'erlmcp{n}']"];
    assert_eq!(because(&named, &written), ": ");
    let secret = planned(Builtin, &COMMAND, &run("nodes.environment.TOKEN=secret"));
    assert!(!text(&secret).contains("secret"), "{secret:?}");
}

#[test]
fn nodes_whose_variables_are_not_known_any_more_are_replaced() {
    let next = spec_of(Builtin, RunDir::at("/run/x"), &[&SMALL[..], &COMMAND].concat());
    let mut now = next.clone();
    now.node_environment = now.node_environment.newer();
    let plan = change_plan(&now, &next, &facts());
    assert_eq!(plan.replaced.len(), 4);
    let because = "replaced for the variables of `nodes.environment_file`";
    assert!(plan.sentences[0].contains(because), "{plan:?}");
}

#[test]
fn a_restart_replaces_all_nodes_without_a_reason() {
    let restart = Facts {
        is_restart: true,
        ..facts()
    };
    let plan = planned_with(Haproxy, &[], &[], &restart);
    assert_eq!(plan.replaced.len(), 4);
    insta::assert_snapshot!(text(&plan), @r"
    erlmcp1, erlmcp2, erlmcp3, erlmcp4 are replaced: batch by batch, each is drained, started again, and gets clients once it is healthy
    40 connections are open there: none is closed, the change waits until they end
    sessions over HTTP there begin again at other nodes
    16 clients that stick to these nodes by their address get another one (`listen.tcp`, `listen.websocket`, `listen.sse`)
    ");
}

#[test]
fn a_plan_shows_what_keeps_serving() {
    let with = |limited, last: Option<&str>| {
        let facts = Facts {
            is_restart: true,
            owns_nodes: true,
            limited,
            last: last.map(str::to_owned),
            ..Facts::default()
        };
        let one = [
            "nodes.count=1",
            "routing.http.sticky=none",
            "routing.tcp.sticky=none",
        ];
        planned_with(Builtin, &one, &one, &facts)
    };
    let limited = Limited {
        canary: Some((4, 1)),
        batch: Some((4, 3)),
    };
    let plan = with(limited, None);
    assert!(!plan.outage);
    let restarts = "erlmcp1 is replaced: it is drained, started again, and gets clients once it is healthy";
    assert_eq!(
        plan.sentences[..3],
        [
            restarts,
            "a trial with 1 node instead of 4: one node keeps serving",
            "batches of 3 instead of 4: one node keeps serving"
        ]
    );
    let plan = with(Limited::default(), Some("erlmcp1"));
    assert!(plan.outage);
    assert_eq!(
        plan.sentences[..2],
        [
            restarts,
            "erlmcp1 is the only node that serves: new clients are refused until it serves again"
        ]
    );
}

#[test]
fn external_nodes_are_forgotten_or_move() {
    let was = ["nodes.runtime=external", MEMBERS];
    let other = "nodes.members=[{name: a, address: 127.0.0.1, tcp_port: 9009}]";
    let plan = planned(Builtin, &was, &["nodes.runtime=external", other]);
    assert_eq!(
        (plan.replaced.as_slice(), plan.removed.as_slice()),
        (&["a".to_owned()][..], &["b".to_owned()][..])
    );
    insta::assert_snapshot!(text(&plan), @r"
    a moves to another address: the former one is drained
    b is removed: it is drained, then forgotten
    clients that stick to these nodes by their address get another one (`listen.tcp`)
    builtin reads its new configuration within its process
    ");
}

#[test]
fn nodes_that_others_start_are_not_replaced() {
    let elsewhere = Facts {
        owns_nodes: false,
        ..facts()
    };
    let next = ["nodes.count=3", "nodes.maxconn=900"];
    let plan = planned_with(Builtin, &[], &next, &elsewhere);
    assert_eq!(
        (plan.replaced.len(), plan.removed.as_slice()),
        (0, &["erlmcp4".to_owned()][..])
    );
    let removed = "erlmcp4 is removed: it is drained, then forgotten";
    assert!(plan.sentences.iter().any(|it| it == removed), "{plan:?}");
    let plan = planned_with(Builtin, &[], &["nodes.tcp_port=9101"], &elsewhere);
    let moved = "erlmcp1, erlmcp2, erlmcp3, erlmcp4 move to other addresses: the former ones are drained";
    assert!(plan.sentences.iter().any(|it| it == moved), "{plan:?}");
}

#[test]
fn more_threads_cost_new_processes() {
    let mut next = spec_of(Builtin, RunDir::at("/run/x"), &SMALL);
    let now = next.clone();
    next.plan.balancer.threads = now.plan.balancer.threads + 2;
    let plan = change_plan(&now, &next, &facts());
    assert_eq!(plan.balancer, BalancerChange::NewProcesses);
    let (was, is) = (now.plan.balancer.threads, next.plan.balancer.threads);
    assert_eq!(
        text(&plan),
        format!(
            "new processes of builtin ({is} threads instead of {was}) take over the listeners: \
             established connections finish at the former ones"
        )
    );
}

#[test]
fn a_hash_of_the_address_moves_its_share_behind_every_balancer() {
    let hashed = ["routing.tcp={algorithm: source, sticky: none}"];
    let plan = planned(Haproxy, &hashed, &[hashed[0], "nodes.count=3"]);
    let about = "about 25 % of the clients get another node (`listen.tcp`, 8 now): \
                 haproxy computes it from the address and the list of nodes";
    assert!(plan.sentences.iter().any(|it| it == about), "{plan:#?}");
    let hashed = ["routing.http={algorithm: uri, sticky: none}"];
    let plan = planned(Builtin, &hashed, &[hashed[0], "nodes.count=3"]);
    let about = "requests for some paths get another node (`listen.http`): \
                 builtin computes it from the path and the list of nodes";
    assert!(plan.sentences.iter().any(|it| it == about), "{plan:#?}");
}

#[test]
fn the_name_is_fixed_and_the_balancer_is_for_the_next_start() {
    let plan = planned(Builtin, &[], &["cluster=other"]);
    assert_eq!(
        plan.impossible,
        ["the cluster's name cannot be changed by a reload"]
    );
    let plan = planned(Builtin, &[], &["balancer=nginx"]);
    assert_eq!(
        text(&plan),
        "balancer: builtin -> nginx\n\
         `balancer` is for the next start: `clusterctl switch nginx` replaces builtin now"
    );
    assert_eq!(plan.impossible, Vec::<String>::new());
    let taken = Facts {
        taken: vec!["a would get 127.0.0.1:9001".to_owned()],
        ..facts()
    };
    let plan = planned_with(Builtin, &[], &["nodes.count=3"], &taken);
    assert_eq!(plan.impossible, ["a would get 127.0.0.1:9001"]);
}

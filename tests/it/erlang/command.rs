//! `clusterctl erlang` on the command line.

use std::path::Path;

use serde_json::{Value, json};

use super::node::{NAME, Node};
use crate::harness::{Ran, eventually};

/// A command about a node, and its result.
fn ask(node: &Node, args: &[&str]) -> Ran {
    let port = node.address().port().to_string();
    let cookie = node.cookie_file();
    let whole = [
        &["erlang", NAME, "--port", &port, "--cookie-file", path(&cookie)],
        args,
    ]
    .concat();
    run(node, &whole)
}

fn run(node: &Node, args: &[&str]) -> Ran {
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_clusterctl"))
        .args(args)
        .env("CLUSTERCTL_RUN_DIR", node.home().join("run"))
        .env("HOME", node.home())
        .env("ERL_EPMD_PORT", node.epmd_address().port().to_string())
        .timeout(crate::harness::TIMEOUT)
        .output()
        .unwrap();
    Ran::from(output)
}

/// The output of a command that must succeed.
fn shown(node: &Node, args: &[&str]) -> String {
    let ran = ask(node, args);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    ran.stdout
}

fn json(node: &Node, args: &[&str]) -> Value {
    serde_json::from_str(&shown(node, &[args, &["--json"]].concat())).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn queries_are_answered_as_text_and_json() {
    let node = Node::alone();
    let text = shown(&node, &["memory"]);
    assert!(
        text.contains(" in use, by OTP ") && text.contains("\nprocesses "),
        "{text}"
    );
    let vitals = json(&node, &["memory"]);
    let memory = &vitals["memory"];
    let bytes = |kind: &str| memory[kind].as_u64().unwrap();
    assert_eq!(bytes("total"), bytes("processes") + bytes("system"));

    let text = shown(&node, &["processes"]);
    assert!(
        text.contains(" processes, ") && text.contains(" code_server "),
        "{text}"
    );
    let processes = json(&node, &["processes"]);
    assert_eq!(processes["by_memory"].as_array().unwrap().len(), 10);

    assert!(shown(&node, &["ports"]).contains("\ntcp_inet "));
    assert!(json(&node, &["ports"])["by_name"]["tcp_inet"].as_u64().unwrap() >= 2);

    assert!(shown(&node, &["nodes"]).starts_with(&format!("{NAME}\n\nconnected  none\n")));
    // The node notices the closed connection a little later, and keeps our name for a minute.
    eventually("no connected node", || {
        let nodes = json(&node, &["nodes"]);
        assert_eq!((&nodes["node"], &nodes["connected"]), (&json!(NAME), &json!([])));
        (nodes["hidden"] == json!([])).then_some(())
    });
}

#[test]
fn calls_are_made_and_their_results_shown() {
    let node = Node::alone();
    assert_eq!(shown(&node, &["call", "lists", "seq", "[1,3]"]), "[1,2,3]\n");
    assert_eq!(shown(&node, &["call", "erlang", "node"]), format!("{NAME}\n"));
    let printed = shown(&node, &["call", "io", "format", r#"["~ts: ~p~n",["smör",{a}]]"#]);
    assert_eq!(printed, "smör: {a}\nok\n");
    let printed = json(&node, &["call", "io", "format", r#"["~s",["x"]]"#]);
    assert_eq!(
        printed,
        json!({"node": NAME, "output": "x", "output_lost": 0, "prints_lost": 0, "result": "ok", "term": "ok"})
    );
    let pid = shown(&node, &["call", "erlang", "whereis", "[init]"]);
    assert_eq!(pid, "<0.0.0>\n");
    let name = shown(
        &node,
        &["call", "erlang", "process_info", "[<0.0.0>,registered_name]"],
    );
    assert_eq!(name, "{registered_name,init}\n");
}

#[test]
fn a_failed_call_shows_its_exception() {
    let node = Node::alone();
    let thrown = ask(&node, &["call", "erlang", "throw", "[{ball,1}]"]);
    assert_eq!((thrown.code, thrown.stdout.as_str()), (1, ""));
    assert_eq!(
        thrown.stderr,
        format!("error: `erlang:throw` on `{NAME}` threw {{ball,1}}\n")
    );
    let failed = ask(&node, &["call", "lists", "nth", "[2,[a]]"]);
    assert!(
        failed
            .stderr
            .contains("raised an error: function_clause\n  in lists:nth/2 (lists.erl:"),
        "{}",
        failed.stderr
    );
    let failed = ask(&node, &["call", "lists", "nth", "[2,[a]]", "--json"]);
    let printed: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(failed.code, 1);
    assert_eq!(
        (&printed["error"]["class"], &printed["error"]["reason"]),
        (&json!("error"), &json!("function_clause"))
    );
    assert_eq!(printed["result"], Value::Null);
    let late = ask(
        &node,
        &["call", "timer", "sleep", "[infinity]", "--timeout", "2s"],
    );
    assert_eq!((late.code, late.stdout.as_str()), (1, ""));
    assert!(
        late.stderr
            .starts_with(&format!("error: `timer:sleep` on `{NAME}` did not end within "))
            && late
                .stderr
                .ends_with(" s; the call was killed\nhint: a longer `--timeout` waits for it\n"),
        "{}",
        late.stderr
    );
}

#[test]
fn a_node_that_epmd_knows_needs_only_its_name() {
    let node = Node::with_epmd();
    // The cookie is the one in the home directory.
    let ran = run(&node, &["erlang", NAME, "call", "erlang", "node"]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{NAME}\n")), "{}", ran.stderr);
    let unknown = run(&node, &["erlang", "nobody@localhost", "memory"]);
    assert!(
        unknown.stderr.contains("does not know a node `nobody`\nhint: "),
        "{}",
        unknown.stderr
    );
}

#[test]
fn errors_come_with_a_hint() {
    let node = Node::alone();
    let port = node.address().port().to_string();
    let wrong = node.home().join("wrong.cookie");
    std::fs::write(&wrong, "wrong").unwrap();
    let refused = run(
        &node,
        &[
            "erlang",
            NAME,
            "memory",
            "--port",
            &port,
            "--cookie-file",
            path(&wrong),
        ],
    );
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.starts_with(&format!(
            "error: `{NAME}` at 127.0.0.1:{port} refuses the cookie\nhint: "
        )),
        "{}",
        refused.stderr
    );
    for (args, code, error, hint) in [
        (
            &["erlang", NAME, "memory", "--cookie-file", "/nowhere"][..],
            1,
            "error: cannot read the cookie in `/nowhere`: ",
            "`--cookie-file FILE`",
        ),
        (
            &["erlang", NAME, "memory"],
            1,
            "error: cannot reach epmd at 127.0.0.1:",
            "`--port N`",
        ),
        (
            &["erlang", "@x", "memory"],
            2,
            "error: `@x` is not a node name",
            "`name@host`",
        ),
        (
            &["erlang", "erlmcp1", "memory"],
            1,
            "error: no cluster runs in `",
            "`clusterctl start`",
        ),
        (
            // No host can have such a name, so no lookup is made.
            &["erlang", "erlmcp1@no..where", "memory", "--port", "9100"],
            1,
            "error: cannot find the host `no..where`: ",
            "a line `ADDRESS no..where` to `/etc/hosts`",
        ),
        (
            &["erlang", "erlmcp1"],
            2,
            "error: `clusterctl erlang` requires a subcommand",
            "`--help`",
        ),
        (
            &["erlang", "erlmcp1", "call", "lists", "seq", "{1}"],
            2,
            "error: `{1}` is not a list of arguments",
            "one list in Erlang's syntax",
        ),
        (
            &["erlang", "erlmcp1", "call", "lists", "seq", "[1"],
            2,
            "error: cannot read the arguments: character 3: `]` is missing",
            "one list in Erlang's syntax",
        ),
    ] {
        let ran = run(&node, args);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (code, ""),
            "{args:?}: {}",
            ran.stderr
        );
        assert!(
            ran.stderr.starts_with(error) && ran.stderr.contains(hint),
            "{args:?}: {}",
            ran.stderr
        );
    }
}

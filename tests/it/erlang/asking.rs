//! Calls, and the ways in which they fail.

use std::time::Duration;

use clusterctl::erlang::distribution::syntax::{flat, parse};
use clusterctl::erlang::distribution::{
    Atom, Cause, Class, Connection, Cookie, Error, Identity, Target, Term, Unfinished, Why, port_of,
};
use nix::sys::signal::Signal;

use super::node::{NAME, Node};
use crate::harness::{eventually, signal};

fn terms(text: &str) -> Vec<Term> {
    match parse(text, &nowhere()).unwrap() {
        Term::List(terms) => terms,
        other => panic!("{other:?}"),
    }
}

fn nowhere() -> Identity {
    Identity {
        name: Atom::new("nowhere@localhost").unwrap(),
        creation: 1,
    }
}

fn shown(answer: Result<Term, Error>) -> String {
    answer.map_or_else(|error| error.to_string(), |term| flat(&term, &nowhere()))
}

#[test]
fn a_node_without_epmd_makes_calls() {
    let node = Node::alone();
    let answer = |module, function, arguments| shown(node.call(module, function, terms(arguments)).0);
    assert_eq!(answer("lists", "seq", "[1,3]"), "[1,2,3]");
    assert_eq!(answer("erlang", "node", "[]"), NAME);
    assert_eq!(
        answer("erlang", "+", "[18446744073709551615,1]"),
        "18446744073709551616"
    );
    // A value that is larger than one read, in both directions.
    let many = answer("lists", "seq", "[1,200000]");
    assert!(many.starts_with("[1,2,3,") && many.ends_with(",200000]"));
    // Many calls on one connection.
    let mut connection = node.connect();
    for number in 0..100 {
        let value = node
            .run(connection.eval(&format!("{number} + 1."), &[], node.soon()))
            .unwrap();
        assert_eq!(value, Term::Integer(number + 1));
    }
}

#[test]
fn the_client_is_a_hidden_node_named_by_its_peer() {
    let node = Node::alone();
    let mut connection = node.connect();
    assert!(connection.own().name.text().ends_with("@localhost"));
    let own = flat(&Term::Atom(connection.own().name.clone()), &nowhere());
    let seen = node
        .run(connection.eval("{nodes(), nodes(hidden)}.", &[], node.soon()))
        .unwrap();
    assert_eq!(flat(&seen, &nowhere()), format!("{{[],[{own}]}}"));
}

#[test]
fn a_node_that_epmd_knows_is_found() {
    let node = Node::with_epmd();
    let port = node
        .run(port_of("erlmcp1", node.epmd_address(), node.soon()))
        .unwrap();
    let target = Target {
        address: ([127, 0, 0, 1], port).into(),
        ..node.target()
    };
    let mut connection = node.run(Connection::open(&target, node.soon())).unwrap();
    let value = node.run(connection.eval("1 + 1.", &[], node.soon())).unwrap();
    assert_eq!(value, Term::Integer(2));
    let error = node
        .run(port_of("nobody", node.epmd_address(), node.soon()))
        .unwrap_err();
    assert!(
        error.to_string().ends_with("does not know a node `nobody`"),
        "{error}"
    );
}

#[test]
fn output_of_a_call_arrives_in_order() {
    let node = Node::alone();
    let (answer, output) = node.call("io", "format", terms(r#"["~p and ~ts~n", [{a,1}, "smör"]]"#));
    assert_eq!(
        (shown(answer).as_str(), output.text.as_str()),
        ("ok", "{a,1} and smör\n")
    );
    let (answer, output) = node.call("io", "put_chars", terms(r#"["plain"]"#));
    assert_eq!((shown(answer).as_str(), output.text.as_str()), ("ok", "plain"));
    let (answer, output) = node.call(
        "lists",
        "foreach",
        vec![
            parse("fun erlang:display/1", &nowhere()).unwrap(),
            Term::List(Vec::new()),
        ],
    );
    assert_eq!((shown(answer).as_str(), output.text.as_str()), ("ok", ""));
    // `i()` prints many lines, each by an I/O request of its own.
    let (answer, output) = node.call("c", "i", Vec::new());
    assert_eq!(shown(answer), "ok");
    let lines: Vec<&str> = output.text.lines().collect();
    assert!(
        lines[0].starts_with("Pid ") && output.text.contains("\nTotal "),
        "{}",
        output.text
    );
    // There is no input, and bad arguments are the caller's fault.
    assert_eq!(shown(node.call("io", "get_line", terms(r#"["> "]"#)).0), "eof");
    let error = shown(node.call("io", "format", terms(r#"["~p~n", []]"#)).0);
    assert!(error.contains("raised an error: "), "{error}");
}

#[test]
fn exception_classes_are_distinguished() {
    let node = Node::alone();
    let raised = |module, function, arguments| match node.call(module, function, terms(arguments)).0 {
        Err(Error {
            why: Why::Raised(raised),
            ..
        }) => (
            raised.class,
            flat(&raised.reason, &raised.home),
            raised.stack.join(" "),
        ),
        other => panic!("{other:?}"),
    };
    let (class, reason, stack) = raised("lists", "nth", "[5, [a]]");
    assert_eq!((class, reason.as_str()), (Class::Error, "function_clause"));
    assert!(stack.starts_with("lists:nth/2"), "{stack}");
    let (class, reason, stack) = raised("no_such", "thing", "[1]");
    assert_eq!((class, reason.as_str()), (Class::Error, "undef"));
    assert!(stack.starts_with("no_such:thing/1"), "{stack}");
    assert_eq!(raised("erlang", "throw", "[{ball,1}]").0, Class::Throw);
    assert_eq!(
        raised("erlang", "exit", "[enough]"),
        (Class::Exit, "enough".into(), String::new())
    );
    let text = shown(node.call("erlang", "exit", terms("[enough]")).0);
    assert!(text.ends_with("exited: enough"), "{text}");
    // Ended by another process.
    let mut connection = node.connect();
    let killed = node.run(connection.eval("exit(self(), kill), timer:sleep(infinity).", &[], node.soon()));
    assert!(matches!(killed, Err(Error { why: Why::Raised(raised), .. }) if raised.class == Class::Killed));
}

/// Whether the call timed out and is known to have ended.
fn is_late_and_ended(answer: &Result<Term, Error>) -> bool {
    let Err(error) = answer else {
        return false;
    };
    let Why::Unfinished(Unfinished { cause, is_ended }) = error.why else {
        return false;
    };
    is_ended && matches!(cause, Cause::Late(_))
}

#[test]
fn a_call_that_takes_too_long_leaves_nothing_behind() {
    let node = Node::alone();
    // On a busy machine the call may not have begun by then.
    eventually("a call that is ended", || {
        let short = Duration::from_millis(300);
        let (answer, _) = node.call_within(short, "timer", "sleep", terms("[infinity]"));
        is_late_and_ended(&answer).then_some(())
    });
    eventually("the end of its process", || {
        let sleeping = "length([P || P <- processes(), process_info(P, current_function) =:= {current_function,{timer,sleep,1}}]).";
        (node.eval(sleeping) == Term::Integer(0)).then_some(())
    });
}

#[test]
fn a_call_that_traps_exits_is_ended_too() {
    let node = Node::alone();
    let text = "process_flag(trap_exit, true), register(stays, self()),
                (fun Stay() -> receive _ -> Stay() end end)().";
    eventually("a call that is ended", || {
        let mut connection = node.connect();
        let short = async { tokio::time::Instant::now() + Duration::from_millis(500) };
        let answer = node.run(async { connection.eval(text, &[], short.await).await });
        is_late_and_ended(&answer).then_some(())
    });
    assert_eq!(node.eval("whereis(stays)."), Term::atom("undefined"));
}

#[test]
fn a_call_that_ignores_the_end_of_input_is_ended() {
    let node = Node::alone();
    // With more than 100 processes, `i()` asks whether to continue until it gets an answer.
    node.eval("[spawn(timer, sleep, [infinity]) || _ <- lists:seq(1, 200)], ok.");
    let (answer, output) = node.call("c", "i", Vec::new());
    let error = answer.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("repeatedly asked for input; the call was killed"),
        "{error}"
    );
    assert!(output.text.starts_with("Pid "), "{}", output.text);
}

#[test]
fn output_of_many_processes_at_once_arrives() {
    const MANY: usize = 1000;

    let node = Node::alone();
    let forms = node.eval(&format!(
        r#"{{ok, Tokens, _}} = erl_scan:string("
               Many = [spawn_monitor(io, format, [\"~s~n\", [\"line\"]]) || _ <- lists:seq(1, {MANY})],
               [receive {{'DOWN', Of, _, _, Why}} -> Why end || {{_, Of}} <- Many]."),
           {{ok, Forms}} = erl_parse:parse_exprs(Tokens),
           Forms."#
    ));
    let (answer, output) = node.call("erl_eval", "exprs", vec![forms, Term::List(Vec::new())]);
    let ended = shown(answer);
    assert_eq!(ended.matches("normal").count(), MANY, "{ended}");
    assert_eq!((output.text, output.prints_lost), ("line\n".repeat(MANY), 0));
}

#[test]
fn output_before_the_timeout_arrives() {
    let node = Node::alone();
    let forms = node.eval(
        r#"{ok, Tokens, _} = erl_scan:string("io:format(\"begun~n\"), timer:sleep(infinity)."),
           {ok, Forms} = erl_parse:parse_exprs(Tokens),
           Forms."#,
    );
    let arguments = [forms, Term::List(Vec::new())];
    eventually("what it prints", || {
        let short = Duration::from_millis(300);
        let (answer, output) = node.call_within(short, "erl_eval", "exprs", arguments.to_vec());
        assert!(answer.is_err(), "{answer:?}");
        (output.text == "begun\n").then_some(())
    });
}

#[test]
fn a_wrong_cookie_is_named_as_the_cause() {
    let node = Node::alone();
    let target = Target {
        cookie: Cookie::new(b"another").unwrap(),
        ..node.target()
    };
    let error = node.run(Connection::open(&target, node.soon())).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{NAME}` at {} refuses the cookie", node.address())
    );
    assert!(error.hint().unwrap().contains(".erlang.cookie"));
}

#[test]
fn a_node_with_another_name_is_refused() {
    let node = Node::alone();
    let target = Target {
        node: Atom::new("erlmcp2@localhost").unwrap(),
        ..node.target()
    };
    let error = node.run(Connection::open(&target, node.soon())).unwrap_err();
    assert!(error.to_string().ends_with(&format!("is `{NAME}`")), "{error}");
}

#[test]
fn dead_and_hung_nodes_are_distinguished() {
    let node = Node::alone();
    let target = node.target();
    let mut connection = node.connect();
    signal(node.pid(), Signal::SIGSTOP);
    let short = || async { tokio::time::Instant::now() + Duration::from_millis(300) };
    let hung = node
        .run(async { connection.eval("1.", &[], short().await).await })
        .unwrap_err();
    assert!(matches!(hung.why, Why::Timeout), "{hung}");
    let hung = node
        .run(async { Connection::open(&target, short().await).await })
        .unwrap_err();
    assert!(matches!(hung.why, Why::Timeout), "{hung}");
    signal(node.pid(), Signal::SIGKILL);
    let lost = node.run(connection.eval("1.", &[], node.soon())).unwrap_err();
    assert!(matches!(lost.why, Why::Closed), "{lost}");
    eventually("a closed port", || {
        std::net::TcpStream::connect(node.address())
            .is_err()
            .then_some(())
    });
    let dead = node.run(Connection::open(&target, node.soon())).unwrap_err();
    assert!(dead.to_string().contains("cannot be reached: "), "{dead}");
}

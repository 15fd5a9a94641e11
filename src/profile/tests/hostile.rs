//! Malformed texts: each gives an error with a position inside the text, and never a panic.

use proptest::prelude::*;

use super::{file, problems, sets};
use crate::profile::{DEFAULT, Source, embedded, load};

/// Loads `source`; every error has a position inside its text, and can be printed.
fn survives(source: &Source) {
    let Err(problems) = load(source) else { return };
    assert!(!problems.0.is_empty());
    for problem in &problems.0 {
        assert!(!problem.message.is_empty());
        for mark in &problem.marks {
            assert!(mark.text.content.get(mark.range.clone()).is_some(), "{mark:?}");
        }
    }
    assert!(problems.to_string().starts_with("error: "));
}

#[test]
fn hostile_texts() {
    for text in [
        "",
        " \n",
        "\n# nothing\n",
        "---\n",
        "\u{feff}cluster: a\n",
        "\u{feff}",
        "cluster: a\r\nnodes: 1\r\n",
        "- a\n- b\n",
        "erlmcp",
        "\0",
        "nodes:\n\tcount: 1\n",
        "a: &x [1]\nb: *x\n",
        "<<: {cluster: a}\n",
        "cluster: !!str a\n",
        "? [a, b]\n: c\n",
        "? {a: b}\n: c\n",
        "nodes: null\n",
        "nodes:\n",
        "1: 2\n",
        "true: 1\n",
        "null: 1\n",
        "cluster: |\n  a\n  b\n",
        "cluster: \"\\u0000\"\n",
        "\"a\\u001b[31m\": 1\n",
        "nodes: {name: \"\\e[2J{n}\"}\n",
        "nodes: {tcp_port: -1}\n",
        "nodes: {tcp_port: 1.5}\n",
        "nodes: {target: 99999999999999999999999}\n",
        "health: {interval: .inf}\n",
        "health: {interval: .nan}\n",
        "listen: {address: {a: b}}\n",
        "nodes: {members: [1, [2], {name: a}]}\n",
        "%YAML 1.2\n---\ncluster: a\n",
        "cluster: a\n...\ncluster: b\n",
        "ü: {ö: ä}\n",
    ] {
        survives(&file(text));
    }
}

#[test]
fn long_and_deep_texts_end_soon() {
    let kilo = 1 << 10;
    let mega = 1 << 20;
    for text in [
        "[".repeat(mega),
        "{a: ".repeat(mega / 4),
        "- ".repeat(mega / 2),
        "a:\n".repeat(mega / 4),
        "x".repeat(mega),
        "? ".repeat(100 * kilo),
        format!("cluster: {}\n", "ü".repeat(100 * kilo)),
        (0..20 * kilo).fold(String::new(), |text, n| text + &format!("k{n}: {n}\n")),
        "# \n".repeat(mega / 4),
        format!("{{{}: [{}1]}}", "x".repeat(mega / 2), "1,".repeat(mega / 5)),
        format!(
            "nodes: {{runtime: external, members: [{}]}}",
            "{name: a, address: 127.0.0.1, tcp_port: 9001},".repeat(2_000)
        ),
        "x".repeat(mega + 1),
    ] {
        survives(&file(&text));
    }
}

#[test]
fn hostile_sets() {
    for set in [
        "",
        "=",
        "=1",
        "a",
        ".=1",
        "a..b=1",
        "nodes",
        "nodes=",
        "nodes.count",
        "nodes.count=",
        "nodes.count=[",
        "nodes.count={a: 1}",
        "nodes.count.x=1",
        "nodes.members[0].name=a",
        "a=b=c",
        "\0=\0",
        "nodes.count=\t1",
        "nodes.name=a\nb",
        "nodes.count=&a 1",
        "ü.ö=ä",
    ] {
        survives(&sets(&[set]));
        assert!(load(&sets(&[set])).is_err(), "--set {set}");
    }
}

#[test]
fn a_later_set_wins_and_a_map_is_merged() {
    let source = sets(&["nodes.count=2", "nodes={count: 3, weight: 7}", "nodes.weight=8"]);
    let cluster = super::cluster(&source);
    assert_eq!((cluster.nodes.len(), cluster.nodes[0].weight), (3, 8));
    let wrong = problems(&sets(&["nodes.count=0", "nodes.count=x"])).to_string();
    assert!(wrong.contains("--set nodes.count=x") && !wrong.contains("nodes.count=0"));
}

proptest! {
    #[test]
    fn arbitrary_texts_never_panic(text in "\\PC{0,200}") {
        survives(&file(&text));
    }

    #[test]
    fn texts_of_yaml_signs_never_panic(text in "[a:{}\\[\\], \n\t&*!?|>'\"#%0-9ü-]{0,80}") {
        survives(&file(&text));
    }

    #[test]
    fn mutated_defaults_never_panic(
        at in 0usize..6_000,
        length in 0usize..40,
        insert in "[a:{}\\[\\], \n\t&*!?|>'\"#%0-9ü-]{0,8}",
    ) {
        let default = embedded(DEFAULT).unwrap();
        let start = default.floor_char_boundary(at);
        let end = default.floor_char_boundary(start + length);
        survives(&file(&format!("{}{insert}{}", &default[..start], &default[end..])));
    }

    /// In block or in flow style, and as a `--set`.
    #[test]
    fn no_error_contains_a_variable(
        open in "(\n    A: |[ ]\\{A: )",
        before in "[\\[\\]\"'|>#&*! 0-9-]{0,4}",
        after in "[a:{}\\[\\], \n\t&*!?|>'\"#%0-9ü-]{0,20}",
    ) {
        const SECRET: &str = "hunter2";
        let value = format!("{before}{SECRET}{after}");
        let text = format!("nodes:\n  command: [sh]\n  environment:{open}{value}");
        let set = format!("nodes.environment.A={value}");
        for source in [file(&text), sets(&[&set])] {
            survives(&source);
            if let Err(problems) = load(&source) {
                prop_assert!(!problems.to_string().contains(SECRET), "{problems}");
            }
        }
    }

    #[test]
    fn arbitrary_sets_never_panic(set in "(nodes|listen|routing\\.tcp|tls|binaries)?[.a-z_]{0,12}=\\PC{0,20}") {
        survives(&sets(&[&set]));
    }
}

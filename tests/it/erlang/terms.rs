//! Terms, compared with the real `term_to_binary`, `binary_to_term` and parser.

use clusterctl::erlang::distribution::codec::{DecodeError, decode, encode};
use clusterctl::erlang::distribution::syntax::{flat, parse, pretty};
use clusterctl::erlang::distribution::{Connection, Term};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::node::Node;
use super::testing::{any_term, home, plain_term};

/// Terms in a batch: one query to the node covers all of them.
const BATCH: usize = 50;
const CASES: u32 = 20;

#[test]
fn terms_are_the_same_to_a_node() {
    let question = "[{binary_to_term(Binary) =:= Term, term_to_binary(Term)} || {Term, Binary} <- Cases].";
    for_many(any_term(), |ask, terms| {
        let cases = terms
            .iter()
            .map(|term| pair(term.clone(), Term::Binary(encoded(term))));
        let answers = ask(question, cases.collect());
        for (term, answer) in terms.iter().zip(&answers) {
            let [same, written] = answer.as_tuple().unwrap() else {
                panic!("{answer:?}");
            };
            prop_assert_eq!(same, &Term::atom("true"), "{:?}", term);
            prop_assert_eq!(sorted(decoded(written)), sorted(term.clone()));
        }
        Ok(())
    });
}

#[test]
fn a_node_reads_what_is_printed() {
    let question = "Read = fun(Text) ->
            {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text) ++ \".\"),
            {ok, Term} = erl_parse:parse_term(Tokens),
            Term
        end,
        [{Read(Flat) =:= Term, Read(Pretty) =:= Term} || {Term, {Flat, Pretty}} <- Cases].";
    for_many(plain_term(), |ask, terms| {
        let binary = |text: String| Term::Binary(text.into_bytes());
        let cases = terms.iter().map(|term| {
            let texts = pair(binary(flat(term, &home())), binary(pretty(term, &home(), 40)));
            pair(term.clone(), texts)
        });
        for (term, answer) in terms.iter().zip(ask(question, cases.collect())) {
            prop_assert_eq!(
                answer,
                pair(Term::atom("true"), Term::atom("true")),
                "{}",
                flat(term, &home())
            );
        }
        Ok(())
    });
}

#[test]
fn a_nodes_own_text_is_read() {
    let question = "[{unicode:characters_to_binary(io_lib:format(\"~tw\", [Term])),
                      unicode:characters_to_binary(io_lib:format(\"~tp\", [Term]))} || {Term, none} <- Cases].";
    for_many(plain_term(), |ask, terms| {
        let cases = terms.iter().map(|term| pair(term.clone(), Term::atom("none")));
        for (term, answer) in terms.iter().zip(ask(question, cases.collect())) {
            for text in answer.as_tuple().unwrap() {
                let Term::Binary(text) = text else {
                    panic!("{text:?}");
                };
                let text = str::from_utf8(text).unwrap();
                let read = parse(text, &home()).map(sorted);
                prop_assert_eq!(read, Ok(sorted(term.clone())), "{}", text);
            }
        }
        Ok(())
    });
}

/// Terms that only a node can make: functions, live processes, old encodings, and encodings that
/// are refused.
#[test]
fn terms_that_only_a_node_makes_come_back_unchanged() {
    let node = Node::alone();
    let mut connection = node.connect();
    let made = "Add = 7, Made = [fun(X) -> X + Add end, fun lists:seq/2, self(), make_ref(), hd(erlang:ports()), \
                #{1 => 2.5, a => [b|c]}, list_to_tuple(lists:seq(1, 300)), lists:duplicate(70000, $a), maps:from_list([{N, N} || N <- lists:seq(1, 100)])], \
                [{term_to_binary(T, [{minor_version, V}]), T} || T <- Made, V <- [0, 1, 2]].";
    let made = node.run(connection.eval(made, &[], node.soon())).unwrap();
    let cases = made.as_list().unwrap().iter().map(|case| {
        let [binary, term] = case.as_tuple().unwrap() else {
            panic!("{case:?}");
        };
        pair(term.clone(), Term::Binary(encoded(&decoded(binary))))
    });
    let cases = Term::List(cases.collect());
    let same = "lists:all(fun({Term, Binary}) -> binary_to_term(Binary) =:= Term end, Cases) andalso \
                (element(1, hd(Cases)))(1).";
    assert_eq!(
        node.run(connection.eval(same, &[("Cases", cases)], node.soon()))
            .unwrap(),
        Term::Integer(8)
    );
    let compressed = "term_to_binary(lists:duplicate(1000, a), [compressed]).";
    let Term::Binary(compressed) = node.run(connection.eval(compressed, &[], node.soon())).unwrap() else {
        panic!("no binary");
    };
    assert_eq!(decode(&compressed).unwrap_err(), DecodeError::Compressed);
}

// Private

/// Evaluates an expression over `Cases`; the answers, one for each case.
type Ask<'a> = dyn Fn(&str, Vec<Term>) -> Vec<Term> + 'a;

/// Tries many batches of terms with a node.
fn for_many(
    terms: impl Strategy<Value = Term>,
    check: impl Fn(&Ask, &[Term]) -> Result<(), proptest::test_runner::TestCaseError>,
) {
    let node = Node::alone();
    let connection = std::cell::RefCell::new(node.connect());
    let ask = |question: &str, cases: Vec<Term>| {
        let connection: &mut Connection = &mut connection.borrow_mut();
        let bound = [("Cases", Term::List(cases))];
        let answers = node.run(connection.eval(question, &bound, node.soon())).unwrap();
        answers.as_list().unwrap().to_vec()
    };
    let config = Config {
        cases: CASES,
        // Failures are printed, and found again quickly.
        failure_persistence: None,
        ..Config::default()
    };
    let batches = prop::collection::vec(terms, 1..BATCH);
    let tried = TestRunner::new(config).run(&batches, |terms| check(&ask, &terms));
    assert!(tried.is_ok(), "{}", tried.unwrap_err());
}

/// The term with its maps in one order: the node orders them differently.
fn sorted(term: Term) -> Term {
    let all = |terms: Vec<Term>| terms.into_iter().map(sorted).collect();
    match term {
        Term::Tuple(items) => Term::Tuple(all(items)),
        Term::List(items) => Term::List(all(items)),
        Term::Improper(list) => Term::Improper(Box::new((all(list.0), sorted(list.1)))),
        Term::Map(pairs) => {
            let mut pairs: Vec<_> = pairs
                .into_iter()
                .map(|(key, value)| (sorted(key), sorted(value)))
                .collect();
            pairs.sort_by_key(|(key, _)| encoded(key));
            Term::Map(pairs)
        }
        other => other,
    }
}

fn pair(one: Term, other: Term) -> Term {
    Term::Tuple(vec![one, other])
}

fn encoded(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(term, &mut bytes);
    bytes
}

fn decoded(binary: &Term) -> Term {
    let Term::Binary(bytes) = binary else {
        panic!("{binary:?}");
    };
    let (term, rest) = decode(bytes).unwrap();
    assert!(rest.is_empty());
    term
}

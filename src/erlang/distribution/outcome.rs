//! The results of calls, parsed from the exit reasons of processes.

use super::error::{Class, Raised, Why};
use super::signal::Call;
use super::syntax::flat;
use super::term::{Identity, Reference, Term};

/// Parses the exit reason of the process that made the call `id`. It is one of
/// `{Id, return, Value}`, `{Id, throw, Reason}`, `{Id, exit, Reason}`,
/// `{Id, error, Reason, Stack}`, or something else if the process was killed.
///
/// # Errors
/// If the call ended in an exception.
/// When the call ended in an exception.
pub(super) fn of_process(reason: Term, id: &Reference, home: &Identity) -> Result<Term, Why> {
    let is_ours = |term: &Term| matches!(term, Term::Reference(of) if **of == *id);
    let Term::Tuple(parts) = reason else {
        return Err(raised(Class::Killed, reason, None, home));
    };
    if !parts.first().is_some_and(is_ours) {
        return Err(raised(Class::Killed, Term::Tuple(parts), None, home));
    }
    let mut parts = parts.into_iter().skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Term::Atom(how)), Some(value), stack) => Err(match how.text() {
            "return" => return Ok(value),
            "throw" => raised(Class::Throw, value, None, home),
            "exit" => raised(Class::Exit, value, None, home),
            _ => raised(Class::Error, value, stack.as_ref(), home),
        }),
        _ => Err(Why::Unexpected("`erpc:execute_call/4`")),
    }
}

/// The answer of the `rex` server of a node before OTP 23, and the call that it belongs to;
/// otherwise the message itself. Such a node does not distinguish throws from values.
pub(super) fn of_rex(message: Term, home: &Identity) -> Result<(Reference, Result<Term, Why>), Term> {
    let Term::Tuple(mut parts) = message else {
        return Err(message);
    };
    let [Term::Reference(_), _] = parts.as_slice() else {
        return Err(Term::Tuple(parts));
    };
    match (parts.pop(), parts.pop()) {
        (Some(value), Some(Term::Reference(id))) => Ok((*id, rex_value(value, home))),
        _ => Err(Term::Tuple(parts)),
    }
}

/// The call that evaluates expressions: `erl_eval:expr/2` of the form of
/// `element(2, erl_eval:exprs(element(2, erl_parse:parse_exprs(element(2, erl_scan:string(Text)))), Bound))`.
pub(super) fn evaluation(text: &str, bound: &[(&'static str, Term)]) -> Call {
    let bound = bound
        .iter()
        .map(|(name, value)| Term::Tuple(vec![Term::atom(name), value.clone()]));
    let tokens = second(remote(
        "erl_scan",
        "string",
        vec![form("var", Term::atom("Text"))],
    ));
    let forms = second(remote("erl_parse", "parse_exprs", vec![tokens]));
    let values = second(remote(
        "erl_eval",
        "exprs",
        vec![forms, form("var", Term::atom("Bound"))],
    ));
    let bindings = vec![
        Term::Tuple(vec![Term::atom("Bound"), Term::List(bound.collect())]),
        Term::Tuple(vec![Term::atom("Text"), Term::string(text)]),
    ];
    Call::known("erl_eval", "expr", vec![values, Term::List(bindings)])
}

/// The value in the answer to an [`evaluation`]: `{value, Value, Bindings}`.
pub(super) fn value(answer: Term) -> Option<Term> {
    let Term::Tuple(parts) = answer else {
        return None;
    };
    let [_, value, _] = <[Term; 3]>::try_from(parts).ok()?;
    Some(value)
}

// Private

fn rex_value(value: Term, home: &Identity) -> Result<Term, Why> {
    let bad = match value.as_tuple() {
        Some([bad, why]) if bad.is_atom("badrpc") => why,
        _ => return Ok(value),
    };
    let reason = match bad.as_tuple() {
        Some([exit, reason]) if exit.is_atom("EXIT") => reason,
        _ => return Err(raised(Class::Killed, bad.clone(), None, home)),
    };
    Err(match reason.as_tuple() {
        Some([reason, stack @ Term::List(_)]) => raised(Class::Error, reason.clone(), Some(stack), home),
        _ => raised(Class::Exit, reason.clone(), None, home),
    })
}

fn raised(class: Class, reason: Term, stack: Option<&Term>, home: &Identity) -> Why {
    let frames = match stack {
        Some(Term::List(frames)) => frames.as_slice(),
        _ => &[],
    };
    let stack = frames
        .iter()
        .map(|frame| place(frame).unwrap_or_else(|| flat(frame, home)));
    Why::Raised(Box::new(Raised {
        class,
        reason,
        stack: stack.collect(),
        home: home.clone(),
    }))
}

/// A frame of a stack trace:
/// `{Module, Function, Arity or arguments, [{file, "f.erl"}, {line, 1}]}`.
fn place(frame: &Term) -> Option<String> {
    let [module, function, arity, location] = frame.as_tuple()? else {
        return None;
    };
    let arity = match arity {
        Term::List(arguments) => u64::try_from(arguments.len()).ok()?,
        arity => arity.as_u64()?,
    };
    let at = match (
        location.get("file").and_then(Term::as_text),
        location.get("line").and_then(Term::as_u64),
    ) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        _ => String::new(),
    };
    Some(format!(
        "{}:{}/{arity}{at}",
        module.as_atom()?,
        function.as_atom()?
    ))
}

fn second(tuple: Term) -> Term {
    remote(
        "erlang",
        "element",
        vec![form("integer", Term::Integer(2)), tuple],
    )
}

fn remote(module: &'static str, function: &'static str, arguments: Vec<Term>) -> Term {
    let function = vec![
        Term::atom("remote"),
        Term::Integer(0),
        form("atom", Term::atom(module)),
        form("atom", Term::atom(function)),
    ];
    Term::Tuple(vec![
        Term::atom("call"),
        Term::Integer(0),
        Term::Tuple(function),
        Term::List(arguments),
    ])
}

/// The abstract form of an atom, an integer or a variable.
fn form(kind: &'static str, value: Term) -> Term {
    Term::Tuple(vec![Term::atom(kind), Term::Integer(0), value])
}

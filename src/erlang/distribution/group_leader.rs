//! The group leader of the processes that this client starts: it receives their output, and they
//! wait for its answers.
//!
//! Specification: <https://www.erlang.org/doc/apps/stdlib/io_protocol.html>.

use super::signal::Call;
use super::term::Term;

/// The most text that is kept, in bytes; more than that is only counted.
pub const MAX_OUTPUT: usize = 1024 * 1024;

/// The output of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The beginning of the output.
    pub text: String,
    /// Bytes that arrived after the limit was reached.
    pub lost: usize,
    /// Missing prints: too many came at once, or they came after the end of the call.
    pub prints_lost: usize,
}

/// The process to answer, and the reference for the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asker {
    pub(super) process: Term,
    name: Term,
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// The answer to send.
    Answer(Asker, Term),
    /// The call that returns the text.
    Format(Asker, Call),
}

impl Asker {
    /// The message that answers the request.
    pub(super) fn message(self, answer: Term) -> (Term, Term) {
        let message = vec![Term::atom("io_reply"), self.name, answer];
        (self.process, Term::Tuple(message))
    }
}

/// Handles a message; `None` if it is not a request.
pub(super) fn handle(message: Term, output: &mut Output) -> Option<Request> {
    let Term::Tuple(parts) = message else {
        return None;
    };
    let [kind, process, name, request] = <[Term; 4]>::try_from(parts).ok()?;
    if !kind.is_atom("io_request") || !matches!(process, Term::Pid(_)) {
        return None;
    }
    let asker = Asker { process, name };
    Some(match formatted(&request) {
        Some(call) => Request::Format(asker, call),
        None => Request::Answer(asker, answer(&request, output)),
    })
}

impl Output {
    /// Takes the result of a call that formats text, and returns the answer for the process that
    /// prints.
    pub(super) fn take(&mut self, characters: &Term) -> Term {
        match self.put(characters) {
            Some(()) => Term::atom("ok"),
            None => refusal("put_chars"),
        }
    }

    // Private

    /// Adds characters: numbers and binaries in nested lists.
    fn put(&mut self, characters: &Term) -> Option<()> {
        match characters {
            Term::Integer(code) => {
                let c = char::from_u32(u32::try_from(*code).ok()?)?;
                self.push(c.encode_utf8(&mut [0; 4]));
            }
            Term::Binary(bytes) => self.push(&String::from_utf8_lossy(bytes)),
            Term::List(items) => items.iter().try_for_each(|item| self.put(item))?,
            Term::Improper(list) => {
                list.0.iter().try_for_each(|item| self.put(item))?;
                self.put(&list.1)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn push(&mut self, text: &str) {
        if self.lost == 0 && self.text.len() + text.len() <= MAX_OUTPUT {
            self.text.push_str(text);
        } else {
            self.lost += text.len();
        }
    }
}

// Private

/// The call that formats a request's text: `io:format` sends format and arguments.
fn formatted(request: &Term) -> Option<Call> {
    let (module, function, arguments) = match request.as_tuple()? {
        [kind, _, module, function, arguments] | [kind, module, function, arguments]
            if kind.is_atom("put_chars") =>
        {
            (module, function, arguments)
        }
        _ => return None,
    };
    match (module, function, arguments) {
        (Term::Atom(module), Term::Atom(function), Term::List(arguments)) => Some(Call {
            module: module.clone(),
            function: function.clone(),
            arguments: arguments.clone(),
        }),
        _ => None,
    }
}

/// Requests for input get `eof`: there is no terminal.
fn answer(request: &Term, output: &mut Output) -> Term {
    let (kind, rest) = match request {
        Term::Atom(kind) => (kind.text(), &[][..]),
        Term::Tuple(parts) => match parts.split_first() {
            Some((Term::Atom(kind), rest)) => (kind.text(), rest),
            _ => return refusal("request"),
        },
        _ => return refusal("request"),
    };
    match (kind, rest) {
        ("put_chars", [_, characters] | [characters]) => output.take(characters),
        ("requests", [Term::List(requests)]) => requests
            .iter()
            .map(|request| answer(request, output))
            .last()
            .unwrap_or_else(|| Term::atom("ok")),
        ("get_until" | "get_chars" | "get_line" | "get_password", _) => Term::atom("eof"),
        ("setopts", _) => Term::atom("ok"),
        ("getopts", _) => {
            let encoding = vec![Term::atom("encoding"), Term::atom("unicode")];
            Term::List(vec![Term::Tuple(encoding)])
        }
        ("get_geometry", _) => refusal("enotsup"),
        _ => refusal("request"),
    }
}

pub(super) fn refusal(why: &'static str) -> Term {
    Term::Tuple(vec![Term::atom("error"), Term::atom(why)])
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{flat, parse};
    use super::super::testing::home;
    use super::*;

    /// The answer or the call to make; and the output.
    fn handled(request: &str) -> (String, String) {
        let mut output = Output::default();
        let request = format!("{{io_request,<0.1.0>,me,{request}}}");
        let answer = match handle(parse(&request, &home()).unwrap(), &mut output).unwrap() {
            Request::Answer(_, answer) => flat(&answer, &home()),
            Request::Format(_, call) => format!("{}:{}", call.module.text(), call.function.text()),
        };
        (answer, output.text)
    }

    #[test]
    fn requests_are_answered() {
        for (request, expected, printed) in [
            (r#"{put_chars,unicode,["a",[98|<<"c">>],10]}"#, "ok", "abc\n"),
            (r#"{put_chars,unicode,<<"smör"/utf8>>}"#, "ok", "smör"),
            ("{put_chars,unicode,[ok]}", "{error,put_chars}", ""),
            (
                r#"{put_chars,unicode,io_lib,format,["~p",[1]]}"#,
                "io_lib:format",
                "",
            ),
            (
                r#"{requests,[{put_chars,unicode,"a"},{put_chars,unicode,"b"}]}"#,
                "ok",
                "ab",
            ),
            ("{get_line,unicode,\">\"}", "eof", ""),
            ("getopts", "[{encoding,unicode}]", ""),
            ("{get_geometry,columns}", "{error,enotsup}", ""),
            ("17", "{error,request}", ""),
        ] {
            assert_eq!(
                handled(request),
                (expected.to_owned(), printed.to_owned()),
                "{request}"
            );
        }
    }

    #[test]
    fn other_messages_are_ignored() {
        let mut output = Output::default();
        for message in ["ok", "{io_request,a,b,c}", "{io_reply,<0.1.0>,b,c}"] {
            assert_eq!(
                handle(parse(message, &home()).unwrap(), &mut output),
                None,
                "{message}"
            );
        }
    }

    #[test]
    fn output_is_bounded() {
        let mut output = Output::default();
        let much = Term::Binary(vec![b'x'; MAX_OUTPUT - 1]);
        assert_eq!(output.take(&much), Term::atom("ok"));
        output.take(&Term::string("ab"));
        output.take(&Term::string("c"));
        assert_eq!((output.text.len(), output.lost), (MAX_OUTPUT, 2));
    }
}

//! `erlang NODE call`: any function, with any arguments.

use serde::Serialize;
use tokio::time::Instant;

use super::super::args;
use super::super::exit::Exit;
use super::super::failure::{Failure, Outcome};
use super::super::printer::Printer;
use super::super::settings::Settings;
use crate::erlang::distribution::syntax::{Json, flat, parse, pretty};
use crate::erlang::distribution::{Atom, Call, Connection, Error, Identity, Output, Raised, Term, Why};

/// The columns of a terminal in its usual size.
const COLUMNS: usize = 80;

/// A call as it was typed, checked for syntax.
pub(super) struct Typed {
    module: Atom,
    function: Atom,
    /// Parsed again once the node is known, because pids in it depend on the node.
    arguments: String,
}

/// The `--json` output.
#[derive(Serialize)]
struct Answer<'a> {
    node: &'a str,
    /// The text that the call has printed.
    output: &'a str,
    /// Bytes of that text beyond what is kept.
    output_lost: usize,
    /// The number of prints that are missing.
    prints_lost: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Json<'a>>,
    /// The result in Erlang's syntax.
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble<'a>>,
}

/// Why there is no result: an exception, or no answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Trouble<'a> {
    Exception {
        class: &'static str,
        reason: Json<'a>,
        term: String,
        stacktrace: &'a [String],
    },
    NoAnswer {
        class: &'static str,
        reason: String,
    },
}

impl Typed {
    /// Reads the call that was typed.
    ///
    /// # Errors
    /// When it is not a valid call.
    pub(super) fn read(typed: &args::Call) -> Result<Typed, Failure> {
        let arguments = typed.arguments.clone().unwrap_or_else(|| "[]".to_owned());
        let read = Typed {
            module: name(&typed.module)?,
            function: name(&typed.function)?,
            arguments,
        };
        read.arguments(&nowhere())?;
        Ok(read)
    }

    /// Makes the call.
    pub(super) async fn run(
        self,
        settings: &Settings,
        printer: &Printer,
        mut connection: Connection,
        deadline: Instant,
    ) -> Outcome {
        let node = connection.node().clone();
        let call = Call {
            module: self.module.clone(),
            function: self.function.clone(),
            arguments: self.arguments(&node)?,
        };
        let mut output = Output::default();
        let ended = connection.call(&call, &mut output, deadline).await;
        if settings.json {
            printer.pretty_json(&answer(&node, &output, &ended))?;
        } else {
            if !output.text.is_empty() {
                printer.foreign(&output.text)?;
            }
            if let Ok(term) = &ended {
                printer.data(&pretty(term, &node, COLUMNS))?;
            }
        }
        if output.lost > 0 {
            printer.warning(&format!(
                "{} more bytes were printed and are left out",
                output.lost
            ));
        }
        if output.prints_lost > 0 {
            printer.warning(&format!(
                "prints left out, because too many came at once or the call had ended: {}",
                output.prints_lost
            ));
        }
        match ended {
            Ok(_) => Ok(Exit::Done),
            Err(error) => Err(self.failure(&node, error)),
        }
    }

    // Private

    fn arguments(&self, node: &Identity) -> Result<Vec<Term>, Failure> {
        let hint = "the arguments are one list in Erlang's syntax, such as `[[1,2,3]]`, `[\"text\",an_atom]` or `[]`";
        match parse(&self.arguments, node) {
            Ok(Term::List(arguments)) => Ok(arguments),
            Ok(_) => Err(
                Failure::usage(format!("`{}` is not a list of arguments", self.arguments))
                    .hint(hint.to_owned()),
            ),
            Err(error) => {
                Err(Failure::usage(format!("cannot read the arguments: {error}")).hint(hint.to_owned()))
            }
        }
    }

    fn failure(&self, node: &Identity, error: Error) -> Failure {
        match &error.why {
            Why::Raised(raised) => Failure::because(self.exception(node, raised)),
            Why::Unfinished(unfinished) => Failure::because(format!("{} {unfinished}", self.name(node)))
                .hint(unfinished.hint().to_owned()),
            _ => error.into(),
        }
    }

    fn exception(&self, node: &Identity, raised: &Raised) -> String {
        let mut lines = vec![format!("{} {raised}", self.name(node))];
        lines.extend(raised.stack.iter().map(|place| format!("  in {place}")));
        lines.join("\n")
    }

    /// The function and the node of the call.
    fn name(&self, node: &Identity) -> String {
        let (module, function) = (Term::Atom(self.module.clone()), Term::Atom(self.function.clone()));
        let (module, function) = (flat(&module, node), flat(&function, node));
        format!("`{module}:{function}` on `{}`", node.name.text())
    }
}

// Private

/// A module or a function, with or without quotes.
fn name(typed: &str) -> Result<Atom, Failure> {
    if typed.starts_with('\'') {
        return match parse(typed, &nowhere()) {
            Ok(Term::Atom(atom)) => Ok(atom),
            Ok(_) => Err(Failure::usage(format!("`{typed}` is not an atom"))),
            Err(error) => Err(Failure::usage(format!("cannot read `{typed}`: {error}"))),
        };
    }
    Atom::new(typed).map_err(|error| Failure::usage(format!("`{typed}` is not a valid name: {error}")))
}

/// The identity of a node, for syntax checks only.
fn nowhere() -> Identity {
    Identity {
        name: Atom::default(),
        creation: 0,
    }
}

fn answer<'a>(node: &'a Identity, output: &'a Output, ended: &'a Result<Term, Error>) -> Answer<'a> {
    let json = |term| Json { term, home: node };
    let result = ended.as_ref().ok();
    Answer {
        node: node.name.text(),
        output: &output.text,
        output_lost: output.lost,
        prints_lost: output.prints_lost,
        result: result.map(json),
        term: result.map(|term| flat(term, node)),
        error: ended.as_ref().err().map(|error| trouble(node, error)),
    }
}

fn trouble<'a>(node: &'a Identity, error: &'a Error) -> Trouble<'a> {
    let no_answer = |class| Trouble::NoAnswer {
        class,
        reason: error.to_string(),
    };
    match &error.why {
        Why::Raised(raised) => Trouble::Exception {
            class: raised.class.name(),
            reason: Json {
                term: &raised.reason,
                home: node,
            },
            term: flat(&raised.reason, node),
            stacktrace: &raised.stack,
        },
        Why::Unfinished(_) => no_answer("unfinished"),
        _ => no_answer("no_answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(module: &str, arguments: Option<&str>) -> Result<Typed, (String, Option<String>)> {
        let typed = args::Call {
            module: module.to_owned(),
            function: "f".to_owned(),
            arguments: arguments.map(str::to_owned),
        };
        Typed::read(&typed).map_err(|failure| (failure.text(), failure.hint))
    }

    #[test]
    fn arguments_are_one_list_which_may_be_left_out() {
        assert!(read("lists", None).is_ok());
        assert!(read("lists", Some("[<0.1.0>, [1,2]]")).is_ok());
        let (error, hint) = read("lists", Some("{1}")).err().unwrap();
        assert_eq!(error, "`{1}` is not a list of arguments");
        assert!(hint.unwrap().contains("[[1,2,3]]"));
        let (error, _) = read("lists", Some("[1")).err().unwrap();
        assert_eq!(error, "cannot read the arguments: character 3: `]` is missing");
    }

    #[test]
    fn names_may_be_quoted() {
        assert_eq!(read("'Elixir.Enum'", None).unwrap().module.text(), "Elixir.Enum");
        assert_eq!(read("Elixir.Enum", None).unwrap().module.text(), "Elixir.Enum");
        assert!(read("'Elixir", None).is_err());
    }
}

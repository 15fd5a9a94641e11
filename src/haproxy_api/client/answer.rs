//! The meaning of an answer. HAProxy has no status codes: the answer to a successful order is an
//! empty line, or one of a few sentences; everything else is the reason of a refusal.

/// HAProxy refused an order; the text is its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Sentences with these beginnings are not refusals (`set server .. addr` and the `add` and `del`
/// commands).
const SUCCESS_PREFIXES: &[&str] = &[
    "IP changed",
    "port changed",
    "no need to change",
    "New server registered",
    "Server deleted",
];

/// The answer to a query, unless it is one of the sentences that refuse queries.
pub(super) fn checked(answer: &str) -> Result<&str, Refused> {
    let first = answer.lines().next().unwrap_or_default();
    let refused = ["Unknown command", "Permission denied", "No such ", "Can't find "];
    if refused.iter().any(|sentence| first.starts_with(sentence)) {
        return Err(Refused(first.to_owned()));
    }
    Ok(answer)
}

/// The answer to an order: nothing if it succeeded.
pub(super) fn done(answer: &str) -> Result<(), Refused> {
    let first = answer.lines().find(|line| !line.trim().is_empty());
    match first {
        None => Ok(()),
        Some(line) if SUCCESS_PREFIXES.iter().any(|sentence| line.starts_with(sentence)) => Ok(()),
        Some(line) => Err(Refused(line.trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_answer_is_success_and_a_sentence_a_refusal() {
        done("\n").unwrap();
        done("").unwrap();
        for sentence in [
            "No such backend.",
            "No such server.",
            "Require 'backend/server'.",
            "Permission denied",
            "'set server <srv> state' expects 'ready', 'drain' and 'maint'.",
            "Health check was not configured on this server, cannot enable.",
            "cannot change health on a tracking server.",
        ] {
            assert_eq!(
                done(&format!("{sentence}\n\n")),
                Err(Refused(sentence.to_owned()))
            );
        }
    }

    #[test]
    fn confirmations_are_not_refusals() {
        done("New server registered.\n\n").unwrap();
        done("no need to change the addr, no need to change the port by 'stats socket command'\n\n").unwrap();
    }

    #[test]
    fn an_unknown_command_is_refused_with_its_first_line() {
        let error =
            checked("Unknown command, but maybe one of the following ones is a better match:\n  show ..\n\n");
        assert!(error.unwrap_err().to_string().starts_with("Unknown command"));
        assert!(checked("Can't find backend.\n\n").is_err());
        assert_eq!(checked("Name: HAProxy\n\n").unwrap(), "Name: HAProxy\n\n");
    }
}

//! A server's weight, absolute or relative to the configured one.

use std::sync::Arc;

use super::super::answer::Answer;
use super::super::line::Words;
use super::super::subject::{Order, Subject};
use super::find::strtol;
use super::{Reply, find, order};

pub(super) fn get<S: Subject>(words: &Words, subject: &S) -> Reply {
    let proxies = subject.proxies();
    let server = find::server(&proxies, words.at(2))?.server;
    let (now, initial) = (server.user_weight, server.initial_weight);
    Ok(Answer::figures(format!("{now} (initial {initial})\n")))
}

/// Sets the weight of the server that is the third word.
pub(super) async fn set<S: Subject>(words: &Words, weight: &str, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let server = find::server(&proxies, words.at(2))?;
    let weight = weight_of(weight, server.server.initial_weight).map_err(Answer::refusal)?;
    order(subject, Order::Weight(server.place(), weight)).await
}

// Private

/// Parses a weight: an absolute one, or a share of the `initial` one in percent.
fn weight_of(text: &str, initial: u16) -> Result<u16, &'static str> {
    /// HAProxy's limit, in percent.
    const MAX_PERCENT: i64 = 25_600;
    if text.is_empty() {
        return Err("Require <weight> or <weight%>.\n");
    }
    let weight = match strtol(text) {
        None => return Err("Empty weight string empty or preceded by garbage"),
        Some((..0, "%")) => return Err("Relative weight must be positive.\n"),
        Some((share, "%")) => (i64::from(initial) * share.min(MAX_PERCENT) / 100).min(256),
        Some((..0 | 257.., _)) => return Err("Absolute weight can only be between 0 and 256 inclusive.\n"),
        Some((weight, "")) => weight,
        Some(_) => return Err("Trailing garbage in weight string"),
    };
    Ok(u16::try_from(weight).unwrap_or(256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_absolute_or_relative() {
        assert_eq!(weight_of("0", 100), Ok(0));
        assert_eq!(weight_of("256", 100), Ok(256));
        assert_eq!(weight_of("50%", 100), Ok(50));
        assert_eq!(weight_of("300%", 100), Ok(256));
        assert_eq!(weight_of("50%", 1), Ok(0));
        for (text, why) in [
            (
                "300",
                "Absolute weight can only be between 0 and 256 inclusive.\n",
            ),
            ("-1", "Absolute weight can only be between 0 and 256 inclusive.\n"),
            ("abc", "Empty weight string empty or preceded by garbage"),
            ("%", "Empty weight string empty or preceded by garbage"),
            ("5x", "Trailing garbage in weight string"),
            ("5%x", "Trailing garbage in weight string"),
            ("-5%", "Relative weight must be positive.\n"),
        ] {
            assert_eq!(weight_of(text, 100), Err(why));
        }
    }
}

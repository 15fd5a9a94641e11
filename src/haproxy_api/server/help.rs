//! `help`, and the answer to an unknown command: commands that may have been meant.

use std::fmt::Write as _;

use super::answer::{Answer, Severity};
use super::line::Words;
use super::vocabulary::{COMMANDS, Command};

/// The number of a command's words that are compared.
const MAX_WORDS: usize = 5;
/// The most suggestions.
const MAX_SUGGESTIONS: usize = 5;

/// The lines that `words` may be the beginning of; all without any words. If only the first words
/// are those of a command, the suggestions.
pub(super) fn help(words: &Words) -> Answer {
    if words.at(0) == "help" {
        return list("The following commands are valid at this level:\n", &words.rest());
    }
    if words.at(0).is_empty() {
        return list(
            "Unknown command. Please enter one of the following commands only:\n",
            words,
        );
    }
    list(
        "Unknown command, but maybe one of the following ones is a better match:\n",
        words,
    )
}

// Private

fn list(first: &str, words: &Words) -> Answer {
    let known = COMMANDS
        .iter()
        .map(|command| command.matching(words))
        .max()
        .unwrap_or(0);
    let candidates: Vec<&Command> = COMMANDS
        .iter()
        .filter(|command| command.usage.is_some() && command.matching(words) == known)
        .collect();
    let mut meant = if words.at(known).is_empty() {
        Vec::new()
    } else {
        suggestions(&candidates, words, known)
    };
    if meant.is_empty() {
        meant = candidates;
    }
    meant.sort_by_key(|command| command.words);
    let mut text = first.to_owned();
    for usage in meant.iter().filter_map(|command| command.usage) {
        let _infallible = writeln!(text, "  {usage}");
    }
    text.push_str(
        "  help [<command>]                        : list matching or all commands\n  \
           prompt                                  : toggle interactive mode with prompt\n  \
           quit                                    : disconnect\n",
    );
    Answer::message(Severity::Info, text)
}

/// Suggestions for the words after the `known` ones, the best first: HAProxy's `cli_gen_usage_msg`.
fn suggestions<'a>(candidates: &[&'a Command], words: &Words, known: usize) -> Vec<&'a Command> {
    let typed: Vec<&str> = words.from(known).take(MAX_WORDS - known.min(MAX_WORDS)).collect();
    let mut near: Vec<(u32, &Command)> = candidates
        .iter()
        .filter_map(|command| {
            let own = &command.words[known..];
            let length: usize = typed.iter().chain(own).map(|word| word.len()).sum();
            let distance = distance(&typed, own);
            (usize::try_from(distance).ok()? < 5 * length / 2).then_some((distance, *command))
        })
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.truncate(MAX_SUGGESTIONS);
    let Some(&(best, _)) = near.first() else {
        return Vec::new();
    };
    near.retain(|(distance, _)| *distance <= 5 * best / 2);
    near.into_iter().map(|(_, command)| command).collect()
}

fn distance(typed: &[&str], own: &[&str]) -> u32 {
    let (typed, own) = (fingerprint(typed), fingerprint(own));
    let pairs = typed.iter().zip(own.iter());
    pairs.map(|(typed, own)| u32::from(typed.abs_diff(*own))).sum()
}

/// Which letters there are, and how often one follows another: HAProxy's `update_word_fingerprint`.
fn fingerprint(words: &[&str]) -> [u8; 1024] {
    const EDGE: usize = 28;
    let mut print = [0_u8; 1024];
    for word in words {
        let mut from = EDGE;
        for byte in word.bytes() {
            let to = match byte.to_ascii_lowercase() {
                letter @ b'a'..=b'z' => usize::from(letter - b'a') + 1,
                b'0'..=b'9' => 27,
                _ => 28,
            };
            print[to] = 1;
            let follows = &mut print[32 * from + to];
            *follows = follows.wrapping_add(1);
            from = to;
        }
        let ends = &mut print[32 * from + EDGE];
        *ends = ends.wrapping_add(1);
    }
    print
}

#[cfg(test)]
mod tests {
    use super::super::answer::SeverityOutput;
    use super::super::line::parse;
    use super::*;

    fn answer_to(line: &str) -> String {
        let words = parse(format!("{line}\n").as_bytes()).remove(0);
        help(&words).render(SeverityOutput::None)
    }

    /// The first words of the lines, without the three that are always there.
    fn meant(line: &str) -> Vec<String> {
        let text = answer_to(line);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        lines[..lines.len() - 3]
            .iter()
            .map(|line| line[2..42].trim().to_owned())
            .collect()
    }

    #[test]
    fn suggestions_are_those_of_haproxy() {
        // Captured from HAProxy; all similar commands of HAProxy exist here, too.
        assert_eq!(
            answer_to("set maxconn foo"),
            "Unknown command, but maybe one of the following ones is a better match:\n  \
               set maxconn frontend <frontend> <value> : change a frontend's maxconn setting\n  \
               set maxconn global <value>              : change the per-process maxconn setting\n  \
               set maxconn server <bk>/<srv>           : change a server's maxconn setting\n  \
               help [<command>]                        : list matching or all commands\n  \
               prompt                                  : toggle interactive mode with prompt\n  \
               quit                                    : disconnect\n"
        );
        assert_eq!(
            meant("shutdown sessions"),
            ["shutdown sessions server <bk>/<srv>"]
        );
        assert_eq!(meant("show sta"), ["show stat [desc|json|no-maint|typed|up]*"]);
        assert_eq!(meant("sho stat"), ["show stat [desc|json|no-maint|typed|up]*"]);
        assert_eq!(meant("clear tables"), ["clear table <table> [<filter>]*"]);
        assert_eq!(
            meant("help weight"),
            ["get weight <bk>/<srv>", "set weight <bk>/<srv>  (DEPRECATED)"]
        );
        assert_eq!(meant("shutdown").len(), 3);
    }

    #[test]
    fn an_empty_command_lists_all() {
        assert!(
            answer_to("").starts_with("Unknown command. Please enter one of the following commands only:\n")
        );
        assert!(answer_to("help").starts_with("The following commands are valid at this level:\n"));
        assert_eq!(meant(""), meant("help"));
        assert!(meant("help").len() > 30);
    }

    #[test]
    fn the_lines_of_common_commands_are_those_of_haproxy() {
        let golden = include_str!("../../../tests/golden/haproxy-2.6.12/help.txt");
        for usage in COMMANDS.iter().filter_map(|command| command.usage) {
            assert!(
                golden.contains(&format!("  {usage}\n")) || usage.starts_with("reload"),
                "{usage}"
            );
        }
    }
}

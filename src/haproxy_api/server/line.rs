//! Splits a client's input into commands. A command ends with its line or with a `;`; blanks
//! separate its words; a backslash escapes the next character. A command whose line ends with `<<`
//! has a payload, which ends with an empty line; no command here uses one.

/// The most bytes of an incomplete command, as in HAProxy's `tune.bufsize`; a longer one ends the
/// connection.
pub(super) const MAX_COMMAND: usize = 16_384;
/// The most words of a command; further ones are ignored.
const MAX_WORDS: usize = 64;
/// The word before a payload.
const PAYLOAD: &[u8] = b"<<";

/// The words of one command. A missing word is an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

/// The commands in `input`, as one connection would execute them. The part after the last line's
/// end is ignored.
#[must_use]
pub fn parse(input: &[u8]) -> Vec<Words> {
    let mut buffer = InputBuffer::default();
    buffer.feed(input);
    std::iter::from_fn(|| buffer.next_command()).collect()
}

impl Words {
    /// A word; empty if it is missing.
    #[must_use]
    pub fn at(&self, index: usize) -> &str {
        self.0.get(index).map_or("", String::as_str)
    }

    /// The words from `index` on.
    pub fn from(&self, index: usize) -> impl Iterator<Item = &str> {
        self.0.iter().skip(index).map(String::as_str)
    }

    /// All words but the first.
    pub(super) fn rest(&self) -> Words {
        Words(self.0.iter().skip(1).cloned().collect())
    }
}

impl<'a> FromIterator<&'a str> for Words {
    fn from_iter<T: IntoIterator<Item = &'a str>>(words: T) -> Words {
        Words(words.into_iter().map(str::to_owned).collect())
    }
}

/// The input of a client that was not executed yet.
#[derive(Debug, Default)]
pub(super) struct InputBuffer {
    held: Vec<u8>,
    /// A command that waits for the end of its payload.
    waiting: Option<Words>,
}

impl InputBuffer {
    /// Adds input.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Whether there is no unfinished command.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.waiting.is_none()
    }

    /// How many more bytes may arrive before a command must end.
    pub(super) fn room(&self) -> usize {
        MAX_COMMAND.saturating_sub(self.held.len())
    }

    /// The next complete command.
    pub(super) fn next_command(&mut self) -> Option<Words> {
        loop {
            if self.waiting.is_some() {
                let line = self.take(end_of_line(&self.held)?);
                if line.is_empty() {
                    return self.waiting.take();
                }
                continue;
            }
            let text = self.take(end_of_command(&self.held)?);
            let words = words(&text);
            if !text.ends_with(PAYLOAD) {
                return Some(words);
            }
            self.waiting = Some(words);
        }
    }

    /// Removes the bytes before `end`, and the delimiter there.
    fn take(&mut self, end: usize) -> Vec<u8> {
        let rest = self.held.split_off(end + 1);
        let mut taken = std::mem::replace(&mut self.held, rest);
        taken.pop();
        if taken.last() == Some(&b'\r') {
            taken.pop();
        }
        taken
    }
}

// Private

fn end_of_line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

fn end_of_command(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|byte| {
        let ends = !escaped && matches!(byte, b'\n' | b';');
        escaped = !escaped && *byte == b'\\';
        ends
    })
}

/// The words of a command. A zero byte ends it, as in HAProxy, which is written in C.
fn words(text: &[u8]) -> Words {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut words = Vec::new();
    let mut word = None::<Vec<u8>>;
    let mut escaped = false;
    for byte in text {
        match byte {
            b' ' | b'\t' if !escaped => words.extend(word.take()),
            // Of two, the second one stays.
            b'\\' if !escaped => {
                word.get_or_insert_default();
                escaped = true;
                continue;
            }
            byte => word.get_or_insert_default().push(*byte),
        }
        escaped = false;
    }
    words.extend(word);
    if words.last().is_some_and(|last| last == PAYLOAD) {
        words.pop();
    }
    words.truncate(MAX_WORDS);
    let text = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).into_owned());
    Words(text.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(input: &str) -> Vec<Vec<String>> {
        parse(input.as_bytes()).into_iter().map(|words| words.0).collect()
    }

    #[test]
    fn a_line_is_words_and_semicolons_part_commands() {
        assert_eq!(parsed("  show \t stat \r\n"), [["show", "stat"]]);
        assert_eq!(parsed("a;b\n"), [["a"], ["b"]]);
        assert_eq!(parsed("a;\n"), [vec!["a"], vec![]]);
        assert_eq!(parsed("a;b\nc"), [["a"], ["b"]]);
    }

    #[test]
    fn a_backslash_escapes_the_next_character() {
        assert_eq!(parsed("a\\;b c\\ d\n"), [["a;b", "c d"]]);
        assert_eq!(parsed("a\\\\b e\\f\n"), [["a\\b", "ef"]]);
        assert_eq!(parsed("a\\\\;b\n"), [["a\\"], ["b"]]);
    }

    #[test]
    fn a_payload_lasts_until_an_empty_line() {
        assert_eq!(parsed("a b <<\nx;y\nz\n\nc\n"), [vec!["a", "b"], vec!["c"]]);
    }

    proptest! {
        #[test]
        fn any_input_is_handled(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            for command in parse(&input) {
                prop_assert!(command.0.len() <= MAX_WORDS);
            }
        }

        #[test]
        fn a_chain_is_its_commands(commands in proptest::collection::vec("[a-z /.%0-9]{0,20}", 1..6)) {
            let chained = parse(format!("{}\n", commands.join(";")).as_bytes());
            let single: Vec<Words> =
                commands.iter().flat_map(|command| parse(format!("{command}\n").as_bytes())).collect();
            prop_assert_eq!(chained, single);
        }

        #[test]
        fn pieces_make_the_same_commands_as_the_whole(
            input in "[a-z;\\\\ <\n\r]{0,60}", cut in 0_usize..60,
        ) {
            let cut = cut.min(input.len());
            let (first, second) = input.as_bytes().split_at(cut);
            let mut buffer = InputBuffer::default();
            let mut pieces = Vec::new();
            for piece in [first, second] {
                buffer.feed(piece);
                pieces.extend(std::iter::from_fn(|| buffer.next_command()));
            }
            prop_assert_eq!(pieces, parse(input.as_bytes()));
        }
    }
}

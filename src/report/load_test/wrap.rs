//! Wraps sentences to the width of a terminal.

/// The width of a line, without the section's indentation.
const WIDTH: usize = 100;

/// `text` in lines that end between words; a word that is longer than a line has a line of its own.
pub(super) fn wrapped(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut taken = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if taken > 0 && taken + 1 + length > WIDTH {
            lines.push('\n');
            taken = 0;
        } else if taken > 0 {
            lines.push(' ');
            taken += 1;
        }
        lines.push_str(word);
        taken += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wrapping_loses_no_word_and_exceeds_no_line(words in prop::collection::vec("[a-zäöü]{1,120}", 0..40)) {
            let text = wrapped(&words.join(" "));
            let kept: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(kept, words);
            for line in text.lines() {
                prop_assert!(line.chars().count() <= WIDTH || !line.contains(' '), "{}", line);
            }
        }
    }
}

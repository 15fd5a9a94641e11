//! The meaning of characters and words in Erlang.

/// Words that need quotes as atoms, in any version.
const RESERVED: [&str; 29] = [
    "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case", "catch", "cond",
    "div", "else", "end", "fun", "if", "let", "maybe", "not", "of", "or", "orelse", "receive", "rem", "try",
    "when", "xor",
];

/// Whether an atom may be written without quotes. More get quotes than need them: only ASCII goes
/// without.
pub(super) fn is_bare(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(is_name) && !is_reserved(text)
}

/// Whether a word is reserved in Erlang.
pub(super) fn is_reserved(text: &str) -> bool {
    RESERVED.contains(&text)
}

/// Whether a character continues a word.
pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '@'
}

/// Whether a character may be printed as it is: it is visible, and does not control the terminal.
pub(super) fn is_plain(c: char) -> bool {
    let unseen = matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}'
    );
    !c.is_control() && !unseen
}

/// Whether a list of such characters is shown as text.
pub(super) fn is_text(c: char) -> bool {
    is_plain(c) || matches!(c, '\u{8}'..='\r' | '\u{1b}')
}

/// The letter after the backslash that stands for a character.
pub(super) fn escape(c: char) -> Option<char> {
    Some(match c {
        '\u{8}' => 'b',
        '\u{1b}' => 'e',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{b}' => 'v',
        '\\' => '\\',
        _ => return None,
    })
}

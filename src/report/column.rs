//! Pads texts to one width, without counting colour.

/// Pads every text with spaces to the width of the longest.
pub(super) fn align(texts: &[String]) -> Vec<String> {
    let widest = texts.iter().map(|text| width(text)).max().unwrap_or(0);
    let pad = |text: &String| format!("{text}{}", " ".repeat(widest - width(text)));
    texts.iter().map(pad).collect()
}

// Private

/// The number of visible characters: escape sequences of [`paint`](super::style) do not count.
fn width(text: &str) -> usize {
    let mut escaped = false;
    let takes_room = |c: &char| {
        let inside = escaped || *c == '\x1b';
        escaped = inside && *c != 'm';
        !inside
    };
    text.chars().filter(takes_room).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style;

    #[test]
    fn colour_takes_no_room() {
        assert_eq!(width(&style::red("✗ down")), 6);
        let aligned = align(&["a".to_owned(), style::green("abc")]);
        assert_eq!(aligned, ["a  ".to_owned(), style::green("abc")]);
    }
}

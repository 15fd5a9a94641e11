//! Pads texts to one width, without counting colour.

use console::{Alignment, measure_text_width, pad_str};

/// Pads every text with spaces to the width of the longest.
pub(super) fn align(texts: &[String]) -> Vec<String> {
    let widest = texts
        .iter()
        .map(|text| measure_text_width(text))
        .max()
        .unwrap_or(0);
    let pad = |text: &String| pad_str(text, widest, Alignment::Left, None).into_owned();
    texts.iter().map(pad).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style;

    #[test]
    fn colour_has_no_width() {
        let aligned = align(&["✗ a".to_owned(), style::green("abcd")]);
        assert_eq!(aligned, ["✗ a ".to_owned(), style::green("abcd")]);
    }
}

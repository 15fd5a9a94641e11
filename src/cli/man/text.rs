//! The texts after a command's help, as roff.
//!
//! They consist of paragraphs, and of lists under a heading that ends with a colon. An item stands
//! on the left; its meaning follows after two or more blanks, or far to the right on the next line.

use clap_mangen::roff::{Roff, bold, roman};

/// How a list's heading is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Headings {
    /// As a section of the page.
    Sections,
    /// As a line within a section.
    Paragraphs,
}

/// A line that is indented further has no item.
const WIDE: usize = 10;

/// Appends `text`.
pub(super) fn explanation(page: &mut Roff, text: &str, headings: Headings) {
    for block in text.split("\n\n") {
        match block.split_once(":\n") {
            Some((heading, items)) if items.starts_with("  ") => {
                match headings {
                    Headings::Sections => page.control("SH", [heading.to_uppercase().as_str()]),
                    Headings::Paragraphs => page.control("PP", []).text([roman(format!("{heading}:"))]),
                };
                list(page, items);
            }
            _ => {
                page.control("PP", []).text([roman(block.replace('\n', " "))]);
            }
        }
    }
}

// Private

fn list(page: &mut Roff, items: &str) {
    page.control("PD", ["0"]);
    for line in items.lines() {
        let item = line.trim_start();
        let (item, meaning) = if line.len() - item.len() > WIDE {
            ("", item)
        } else {
            item.split_once("  ").unwrap_or((item, ""))
        };
        if !item.is_empty() {
            page.control("TP", []).text([bold(item)]);
        }
        if !meaning.is_empty() {
            page.text([roman(meaning.trim_start())]);
        }
    }
    page.control("PD", []);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roff(text: &str, headings: Headings) -> String {
        let mut page = Roff::new();
        explanation(&mut page, text, headings);
        page.to_roff()
    }

    #[test]
    fn a_list_is_distinguished_from_a_paragraph() {
        let text = "Starts it: at once.\n\nExamples:\n  a b      what it does\n  long\n                 what that does";
        insta::assert_snapshot!(roff(text, Headings::Paragraphs), @r"
        .PP
        Starts it: at once.
        .PP
        Examples:
        .PD 0
        .TP
        \fBa b\fR
        what it does
        .TP
        \fBlong\fR
        what that does
        .PD
        ");
    }

    #[test]
    fn a_heading_can_be_a_section() {
        assert!(roff("Exit codes:\n  0  done", Headings::Sections).starts_with(".SH \"EXIT CODES\"\n"));
    }
}

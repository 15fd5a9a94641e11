//! Events over time: vertical lines in a plot, with texts above it, in as many rows as keep the
//! texts apart.

use super::frame::{Frame, ROW, rooms};
use super::svg::{Anchor, Svg, width};

/// Gap between two texts in a row.
const GAP: f64 = 10.0;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flag {
    /// Its horizontal pixel.
    pub(super) x: f64,
    /// The text of the event.
    pub(super) text: String,
    /// Its colour.
    pub(super) class: String,
}

/// Flags, each with its text's row and the text's left edge.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flags(Vec<(Flag, usize, f64)>);

impl Flags {
    /// Finds a row for each of `flags`, so that no text begins before `left` or ends after `right`.
    pub(super) fn placed(mut flags: Vec<Flag>, (left, right): (f64, f64)) -> Flags {
        flags.sort_by(|a, b| a.x.total_cmp(&b.x));
        let mut ends: Vec<f64> = Vec::new();
        let placed = flags.into_iter().map(|flag| {
            let wide = width(&flag.text);
            let start = (flag.x - wide / 2.0).min(right - wide).max(left);
            let row = ends.iter().position(|end| *end <= start).unwrap_or(ends.len());
            if row == ends.len() {
                ends.push(0.0);
            }
            ends[row] = start + wide + GAP;
            (flag, row, start)
        });
        Flags(placed.collect())
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.0.iter().map(|(_, row, _)| row + 1).max().unwrap_or(0)
    }

    /// Draws the flags; `frame` has room for [`rows`](Flags::rows). The first row is the lowest.
    /// Lines pass behind texts.
    pub(super) fn draw(&self, svg: &mut Svg, frame: &Frame) {
        let baseline = |row: usize| frame.top - ROW - 10.0 - rooms(row);
        for (flag, row, _) in &self.0 {
            let start = (flag.x, baseline(*row) + 5.0);
            svg.line(start, (flag.x, frame.bottom), &format!("dash {}", flag.class));
        }
        for (flag, row, start) in &self.0 {
            let (wide, baseline) = (width(&flag.text), baseline(*row));
            svg.rect((*start, baseline - 14.0), (wide, ROW - 3.0), "ground");
            let middle = (start + wide / 2.0, baseline);
            svg.text(
                middle,
                Anchor::Middle,
                &format!("{} small", flag.class),
                &flag.text,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_two_texts_overlap(places in prop::collection::vec(0.0f64..700.0, 0..12)) {
            let flags = places.into_iter().map(|x| Flag { x, text: "something".into(), class: String::new() });
            let Flags(placed) = Flags::placed(flags.collect(), (0.0, 700.0));
            for (index, (a, row, start)) in placed.iter().enumerate() {
                let end = start + width(&a.text);
                prop_assert!(*start >= 0.0 && end <= 700.0);
                for (_, other_row, other) in &placed[index + 1..] {
                    prop_assert!(row != other_row || *other >= end || other + width(&a.text) <= *start);
                }
            }
        }
    }
}

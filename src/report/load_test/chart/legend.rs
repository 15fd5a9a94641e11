//! Names by colour, below a plot.

use super::frame::{Frame, rooms};
use super::palette::series;
use super::svg::{Anchor, Svg, fitting, width};

/// The most names that are shown; of the others, only the number is.
const MAX_NAMES: usize = 8;
/// Width of a name.
const NAME: f64 = 150.0;
/// Width of the swatch, and the gap to the next name.
const AROUND: f64 = 40.0;

/// Names with their places: row and left edge.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Legend(Vec<(String, usize, f64)>);

impl Legend {
    /// Places `names`, in the order of their series, within `frame`.
    pub(super) fn placed<'a>(names: impl ExactSizeIterator<Item = &'a str>, frame: &Frame) -> Legend {
        let rest = names.len().saturating_sub(MAX_NAMES);
        let shown = names.take(MAX_NAMES).map(|name| fitting(name, NAME));
        let more = (rest > 0).then(|| format!("and {rest} more"));
        let (mut row, mut x) = (0, frame.edge);
        let places = shown.chain(more).map(|name| {
            let wide = width(&name) + AROUND;
            if x + wide > frame.right + AROUND && x > frame.edge {
                (row, x) = (row + 1, frame.edge);
            }
            let place = (name, row, x);
            x += wide;
            place
        });
        Legend(places.collect())
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.0.last().map_or(0, |(_, row, _)| row + 1)
    }

    /// Draws the legend.
    pub(super) fn draw(&self, svg: &mut Svg, frame: &Frame) {
        for (index, (name, row, x)) in self.0.iter().enumerate() {
            let baseline = frame.legend() + rooms(*row);
            if index < MAX_NAMES {
                svg.rect((*x, baseline - 10.0), (12.0, 12.0), &series(index));
            }
            svg.text((x + 18.0, baseline), Anchor::Start, "ink small", name);
        }
    }
}

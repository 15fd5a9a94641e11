//! The layout of a chart.

/// The width of all charts, in pixels.
pub(super) const WIDTH: f64 = 720.0;
/// Margin between the edge and everything that is drawn.
const MARGIN: f64 = 20.0;
/// Height of the title.
const TITLE: f64 = 50.0;
/// Height of the numbers and the unit below a plot.
const AXIS: f64 = 58.0;
/// Height of a row of flags, or of a legend.
pub(super) const ROW: f64 = 22.0;

/// The position of the plot: between `left` and `right`, `top` and `bottom`; texts begin at `edge`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) edge: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// A plot of `height` with `labels` pixels for the labels left of it, below `rows` rows of
    /// flags.
    pub(super) fn new(labels: f64, height: f64, rows: usize) -> Frame {
        let top = TITLE + ROW + rooms(rows);
        Frame {
            edge: MARGIN,
            left: MARGIN + labels,
            right: WIDTH - MARGIN - 8.0,
            top,
            bottom: top + height,
        }
    }

    /// The horizontal pixels of the plot, from left to right.
    pub(super) fn across(self) -> (f64, f64) {
        (self.left, self.right)
    }

    /// Its vertical pixels, from the bottom up.
    pub(super) fn upwards(self) -> (f64, f64) {
        (self.bottom, self.top)
    }

    /// The baseline of the first row of the legend.
    pub(super) fn legend(self) -> f64 {
        self.bottom + AXIS + 12.0
    }

    /// The size of the drawing, with `rows` rows of legend.
    pub(super) fn size(self, rows: usize) -> (f64, f64) {
        (WIDTH, self.bottom + AXIS + rooms(rows) + 8.0)
    }
}

/// The height of `rows` rows of text.
pub(super) fn rooms(rows: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few rows")]
    let rows = rows as f64;
    rows * ROW
}

//! Ticks, their numbers, and the unit.

use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg, width};

/// Gap between the plot and its numbers.
const GAP: f64 = 8.0;

/// The horizontal axis below the plot, with `unit` under its numbers.
pub(super) fn horizontal(svg: &mut Svg, frame: &Frame, scale: &Scale, unit: &str, number: fn(f64) -> String) {
    svg.line((frame.left, frame.bottom), (frame.right, frame.bottom), "axis");
    let mut free_from = f64::NEG_INFINITY;
    for tick in scale.ticks() {
        let (x, text) = (scale.at(*tick), number(*tick));
        svg.line((x, frame.bottom), (x, frame.bottom + 4.0), "axis");
        let half = width(&text) / 2.0;
        if x - half >= free_from {
            svg.text((x, frame.bottom + 21.0), Anchor::Middle, "quiet small", &text);
            free_from = x + half + GAP;
        }
    }
    let middle = f64::midpoint(frame.left, frame.right);
    svg.text((middle, frame.bottom + 43.0), Anchor::Middle, "quiet small", unit);
}

/// Lines across the plot at the ticks, numbers to the left of them, and `unit` above.
pub(super) fn vertical(svg: &mut Svg, frame: &Frame, scale: &Scale, unit: &str, number: fn(f64) -> String) {
    for tick in scale.ticks() {
        let y = scale.at(*tick);
        svg.line((frame.left, y), (frame.right, y), "grid");
        svg.text(
            (frame.left - GAP, y + 5.0),
            Anchor::End,
            "quiet small",
            &number(*tick),
        );
    }
    svg.text((frame.edge, frame.top - 14.0), Anchor::Start, "quiet small", unit);
}

/// Lines up the plot at the ticks.
pub(super) fn upright(svg: &mut Svg, frame: &Frame, scale: &Scale) {
    for tick in scale.ticks() {
        let x = scale.at(*tick);
        svg.line((x, frame.top), (x, frame.bottom), "grid");
    }
}

/// A count: `25,000`, `1.5M`, `18E`.
pub(crate) fn count(number: f64) -> String {
    const UNITS: [(f64, &str); 5] = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")];
    match UNITS.iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => format!("{}{unit}", short(number / size)),
        None if number >= 1_000.0 => {
            let thousands = (number / 1_000.0).floor();
            format!("{thousands:.0},{:03.0}", number - thousands * 1_000.0)
        }
        None => short(number),
    }
}

/// A number with no more digits than it needs: `0.05`, `2.5`, `20`.
pub(super) fn short(number: f64) -> String {
    if number >= 1e7 {
        return format!("{number:.0e}");
    }
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 7.0, 2.5, 999.0, 1_000.0, 25_000.0, 1_500_000.0, 2e19].map(count),
            ["0", "7", "2.5", "999", "1,000", "25,000", "1.5M", "20E"]
        );
        assert_eq!([0.05, 2.0, 1e12].map(short), ["0.05", "2", "1e12"]);
    }
}

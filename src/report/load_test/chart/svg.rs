//! The text of an SVG drawing.

use std::fmt::Write as _;

use super::palette;

/// The width of a character, in pixels: a wide one of the font, so that nothing overlaps in another
/// font.
const CHARACTER: f64 = 8.4;
/// The width of a character of scripts with square characters.
const SQUARE: f64 = 15.0;

/// Which end of a text is at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Its start.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A drawing in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Svg(String);

impl Svg {
    /// A filled rectangle.
    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        self.push(&format!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#
        ));
    }

    /// A straight line.
    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        self.push(&format!(
            r#"<line class="line {class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// A line through `points`.
    pub(super) fn curve(&mut self, points: impl IntoIterator<Item = (f64, f64)>, class: &str) {
        let path = path(points);
        if !path.is_empty() {
            self.push(&format!(
                r#"<path class="line {class}" stroke-width="2.5" d="{path}"/>"#
            ));
        }
    }

    /// The area between `points`.
    pub(super) fn area(&mut self, points: impl IntoIterator<Item = (f64, f64)>, class: &str, opacity: f64) {
        let path = path(points);
        if !path.is_empty() {
            self.push(&format!(
                r#"<path class="{class}" fill-opacity="{opacity}" d="{path}Z"/>"#
            ));
        }
    }

    /// One line of text.
    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.push(&format!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    /// Any other element, unchanged.
    pub(super) fn push(&mut self, element: &str) {
        self.0.push_str(element);
        self.0.push('\n');
    }

    /// The whole drawing: `title` is its heading, and `description` describes it for readers that
    /// cannot see it.
    pub(super) fn finish(
        self,
        id: &str,
        (width, height): (f64, f64),
        title: &str,
        description: &str,
    ) -> String {
        let (title, description) = (escape(title), escape(description));
        let style = palette::style(id);
        let mut whole = String::with_capacity(self.0.len() + style.len() + 1_000);
        let _infallible = write!(
            whole,
            "<svg id=\"{id}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-description\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-description\">{description}</desc>\n\
             <style>{style}</style>\n\
             <rect class=\"ground\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"10\"/>\n{}</svg>\n",
            self.0
        );
        whole
    }
}

/// An upper bound of the width of `text` in pixels.
pub(super) fn width(text: &str) -> f64 {
    text.chars()
        .map(|c| if u32::from(c) < 0x1100 { CHARACTER } else { SQUARE })
        .sum()
}

/// `text`, or its start and its end, so that it is at most `room` pixels wide: names often differ
/// only at their end.
pub(super) fn fitting(text: &str, room: f64) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let half = (room - CHARACTER) / 2.0;
    let start = taken(text.chars(), half);
    let end = taken(text.chars().rev(), half);
    let end: String = end.chars().rev().collect();
    format!("{start}…{end}")
}

// Private

/// As many characters as are at most `room` pixels wide.
fn taken(characters: impl Iterator<Item = char>, room: f64) -> String {
    let mut left = room;
    let fits = |c: &char| {
        left -= width(c.encode_utf8(&mut [0; 4]));
        left >= 0.0
    };
    characters.take_while(fits).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn path(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let verb = if path.is_empty() { 'M' } else { 'L' };
        let _infallible = write!(path, "{verb}{x:.1} {y:.1}");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shortened_to_its_room() {
        assert_eq!(fitting("erlmcp1", 100.0), "erlmcp1");
        assert_eq!(fitting("a name that goes on and on", 100.0), "a nam…nd on");
        assert!(width(&fitting("漢字漢字漢字漢字漢字", 60.0)) <= 60.0);
    }
}

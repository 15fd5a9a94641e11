//! Colours that people with other colour vision can distinguish, too, on a light and on a dark
//! background (after M. Okabe and K. Ito: "Color Universal Design", 2008). Neighbours in the order
//! differ in lightness too.

/// The number of series with a colour of their own; further series use the colours again.
pub(super) const COLOURS: usize = 8;

/// Light, and dark.
const SERIES: [(&str, &str); COLOURS] = [
    ("#0b6fb8", "#4f9fe8"),
    ("#e69f00", "#e8ab2e"),
    ("#009e73", "#2fbf93"),
    ("#c1689b", "#dd92bd"),
    ("#56b4e9", "#a5d8f7"),
    ("#d55e00", "#f2804a"),
    ("#8a7a00", "#e6dc6a"),
    ("#5f6b7a", "#aab4c2"),
];
/// Ground, grid, axis, quiet text, text, alarm: light and dark.
const ROLES: [(&str, &str, &str); 6] = [
    ("ground", "#ffffff", "#161b22"),
    ("grid", "#e6e9ee", "#2a313b"),
    ("axis", "#9aa4b1", "#5b6675"),
    ("quiet", "#586272", "#9ba7b6"),
    ("ink", "#1b222c", "#e6ebf2"),
    ("alarm", "#b4371b", "#ff8a66"),
];

/// The class of series `index`.
pub(super) fn series(index: usize) -> String {
    format!("c{}", index % COLOURS)
}

/// The rules of the chart called `id`, and of no other on its page. Colours are written out: not
/// every program that draws an SVG supports variables.
pub(super) fn style(id: &str) -> String {
    let light = colours(id, |(_, light, _)| light, |(light, _)| light);
    let dark = colours(id, |(_, _, dark)| dark, |(_, dark)| dark);
    format!(
        "#{id} text{{font:14px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}}\
         #{id} .title{{font-size:17px;font-weight:600}}#{id} .small{{font-size:14px}}\
         #{id} .line{{fill:none;stroke-linejoin:round;stroke-linecap:round}}\
         #{id} .thin{{stroke-width:1}}#{id} .dash{{stroke-dasharray:4 4}}{light}\
         @media screen and (prefers-color-scheme:dark){{{dark}}}"
    )
}

// Private

fn colours(
    id: &str,
    role: impl Fn((&'static str, &'static str, &'static str)) -> &'static str,
    of: impl Fn((&'static str, &'static str)) -> &'static str,
) -> String {
    let roles = ROLES
        .into_iter()
        .map(|colours| (colours.0.to_owned(), role(colours)));
    let series = SERIES
        .into_iter()
        .enumerate()
        .map(|(index, colours)| (series(index), of(colours)));
    let written = |(class, colour)| {
        format!("#{id} .{class}{{fill:{colour}}}#{id} .line.{class}{{fill:none;stroke:{colour}}}")
    };
    roles.chain(series).map(written).collect()
}

//! Latency percentiles: a row for each node, a mark for each percentile.

use super::axis;
use super::flags::{Flag, Flags};
use super::frame::Frame;
use super::palette::series;
use super::scale::Scale;
use super::svg::{Anchor, Svg, fitting, width};
use crate::load_test::results::{Quantiles, Results};

const ID: &str = "latency";
const TITLE: &str = "Latency percentiles by node";
/// Room for a node's name.
const LABELS: f64 = 116.0;
/// The height of a plot with few nodes.
const HEIGHT: f64 = 220.0;
/// The least and greatest height of one node.
const ROW: (f64, f64) = (24.0, 44.0);
/// The most nodes that are drawn; if there are more, those with the highest p99.
const DRAWN: usize = 24;
/// Half the width of a mark.
const MARK: f64 = 6.0;
/// The percentiles; each has a shape as well as a colour.
const PERCENTILES: [Percentile; 4] = [
    ("p50", |latency| latency.p50_ms, circle),
    ("p90", |latency| latency.p90_ms, diamond),
    ("p99", |latency| latency.p99_ms, triangle),
    ("p99.9", |latency| latency.p999_ms, square),
];

type Percentile = (&'static str, fn(&Quantiles) -> f64, fn(f64, f64) -> String);

/// The chart; nothing when no message was answered.
pub(crate) fn latency(results: &Results) -> Option<String> {
    let rows = rows(results);
    if rows.is_empty() {
        return None;
    }
    let values = rows
        .iter()
        .flat_map(|(_, latency)| PERCENTILES.map(|(_, of, _)| of(latency)))
        .filter(|value| *value > 0.0);
    let target = results.latency.p99_target_ms;
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let most = values.fold(target, f64::max);
    let across = Frame::new(LABELS, 0.0, 0).across();
    let scale = Scale::logarithmic(least, most, across);
    let flags = Flags::placed(targets(target, &scale), across);
    #[expect(clippy::cast_precision_loss, reason = "a few dozen rows")]
    let count = rows.len() as f64;
    let tall = (HEIGHT / count).clamp(ROW.0, ROW.1);
    let frame = Frame::new(LABELS, count * tall, flags.rows());

    let mut svg = Svg::default();
    svg.text((frame.edge, 30.0), Anchor::Start, "ink title", TITLE);
    if rows.len() <= results.nodes.len() {
        let note = format!("the {} slowest of {} nodes", rows.len() - 1, results.nodes.len());
        svg.text((frame.right, 30.0), Anchor::End, "quiet small", &note);
    }
    axis::upright(&mut svg, &frame, &scale);
    let mut y = frame.top + tall / 2.0;
    for (name, latency) in &rows {
        row(&mut svg, &frame, &scale, y, name, latency);
        y += tall;
    }
    axis::horizontal(
        &mut svg,
        &frame,
        &scale,
        "milliseconds (logarithmic)",
        axis::short,
    );
    flags.draw(&mut svg, &frame);
    legend(&mut svg, &frame);
    let all = &results.latency.all;
    let description = format!(
        "Of all messages half were answered within {:.2} ms, 99 of 100 within {:.2} ms.",
        all.p50_ms, all.p99_ms
    );
    Some(svg.finish(ID, frame.size(1), TITLE, &description))
}

// Private

/// All nodes together, then each node that has answered.
fn rows(results: &Results) -> Vec<(&str, &Quantiles)> {
    let mut nodes: Vec<(&str, &Quantiles)> = results
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), &node.latency))
        .filter(|(_, latency)| latency.count > 0)
        .collect();
    if nodes.len() > DRAWN {
        nodes.sort_by(|(_, a), (_, b)| b.p99_ms.total_cmp(&a.p99_ms));
        nodes.truncate(DRAWN);
    }
    let all = [("all", &results.latency.all)].into_iter();
    all.filter(|(_, latency)| latency.count > 0)
        .chain(nodes)
        .collect()
}

fn targets(target: f64, scale: &Scale) -> Vec<Flag> {
    let flag = Flag {
        x: scale.at(target),
        text: format!("target for p99: {} ms", axis::short(target)),
        class: "quiet".to_owned(),
    };
    if target > 0.0 { vec![flag] } else { Vec::new() }
}

fn row(svg: &mut Svg, frame: &Frame, scale: &Scale, y: f64, name: &str, latency: &Quantiles) {
    let name = fitting(name, LABELS - 12.0);
    svg.text((frame.left - 12.0, y + 5.0), Anchor::End, "ink small", &name);
    svg.line((frame.left, y), (frame.right, y), "grid");
    let ends = (scale.at(latency.p50_ms), scale.at(latency.p999_ms));
    svg.push(&format!(
        r#"<line class="line axis" stroke-width="2" x1="{:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}"/>"#,
        ends.0, ends.1
    ));
    for (index, (percentile, of, mark)) in PERCENTILES.into_iter().enumerate() {
        let value = of(latency);
        let path = mark(scale.at(value), y);
        svg.push(&format!(
            r#"<path class="{}" d="{path}"><title>{percentile}: {value:.2} ms</title></path>"#,
            series(index)
        ));
    }
}

fn legend(svg: &mut Svg, frame: &Frame) {
    let mut x = frame.edge;
    for (index, (percentile, _, mark)) in PERCENTILES.into_iter().enumerate() {
        let path = mark(x + MARK, frame.legend() - 4.0);
        svg.push(&format!(r#"<path class="{}" d="{path}"/>"#, series(index)));
        svg.text((x + 18.0, frame.legend()), Anchor::Start, "ink small", percentile);
        x += width(percentile) + 44.0;
    }
}

fn circle(x: f64, y: f64) -> String {
    format!(
        "M{:.1} {y:.1}a{MARK} {MARK} 0 1 0 {:.1} 0a{MARK} {MARK} 0 1 0 -{:.1} 0Z",
        x - MARK,
        MARK * 2.0,
        MARK * 2.0
    )
}

fn diamond(x: f64, y: f64) -> String {
    let half = MARK * 1.2;
    format!(
        "M{:.1} {y:.1}l{half:.1} {half:.1}l{half:.1} -{half:.1}l-{half:.1} -{half:.1}Z",
        x - half
    )
}

fn triangle(x: f64, y: f64) -> String {
    let half = MARK * 1.15;
    format!(
        "M{:.1} {:.1}h{:.1}l-{half:.1} -{:.1}Z",
        x - half,
        y + half * 0.85,
        half * 2.0,
        half * 1.8
    )
}

fn square(x: f64, y: f64) -> String {
    let side = MARK * 1.8;
    format!(
        "M{:.1} {:.1}h{side:.1}v{side:.1}h-{side:.1}Z",
        x - side / 2.0,
        y - side / 2.0
    )
}

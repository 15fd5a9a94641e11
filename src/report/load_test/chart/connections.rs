//! Connections over time: the connections of each node, stacked, so that the upper edge is their
//! sum.

use super::super::failover::done;
use super::super::progress::phase;
use super::axis;
use super::flags::{Flag, Flags};
use super::frame::Frame;
use super::legend::Legend;
use super::palette::series;
use super::scale::Scale;
use super::svg::{Anchor, Svg, fitting};
use crate::load_test::results::{Moment, Results};

const ID: &str = "connections";
const TITLE: &str = "Connections over time";
/// Room for `100,000`, and the unit above.
const LABELS: f64 = 94.0;
const HEIGHT: f64 = 240.0;

/// The chart; it exists even when there are no measurements.
pub(crate) fn connections(results: &Results) -> String {
    let timeline = &results.timeline;
    let last = timeline.last().map_or(0.0, |moment| moment.at_seconds);
    let most = timeline
        .iter()
        .map(|moment| sum(&moment.held))
        .fold(0.0, f64::max);
    // The flags must be placed before the frame can know how many rows they take.
    let across = Frame::new(LABELS, HEIGHT, 0).across();
    let time = Scale::to(last, across);
    let flags = Flags::placed(happened(results, &time), across);
    let frame = Frame::new(LABELS, HEIGHT, flags.rows());
    let held = Scale::counting(most, frame.upwards());
    let legend = Legend::placed(results.nodes.iter().map(|node| node.name.as_str()), &frame);

    let mut svg = Svg::default();
    svg.text((frame.edge, 30.0), Anchor::Start, "ink title", TITLE);
    axis::vertical(&mut svg, &frame, &held, "connections", axis::count);
    for index in 0..results.nodes.len() {
        let upper = edge(timeline, &time, &held, index + 1);
        let lower = edge(timeline, &time, &held, index);
        let outline = upper.iter().copied().chain(lower.into_iter().rev());
        svg.area(outline, &series(index), 0.78);
        svg.curve(upper, &format!("thin {}", series(index)));
    }
    axis::horizontal(
        &mut svg,
        &frame,
        &time,
        "seconds since the test began",
        axis::short,
    );
    flags.draw(&mut svg, &frame);
    legend.draw(&mut svg, &frame);
    let description = format!(
        "Stacked areas: the connections that each of {} nodes held over {last:.0} seconds, {most:.0} together at most.",
        results.nodes.len()
    );
    svg.finish(ID, frame.size(legend.rows()), TITLE, &description)
}

// Private

/// The begin of each phase, and the moment when a node was made to fail.
fn happened(results: &Results, time: &Scale) -> Vec<Flag> {
    let mut before = None;
    let mut flags = Vec::new();
    for moment in &results.timeline {
        if before != Some(moment.phase) {
            before = Some(moment.phase);
            flags.push(Flag {
                x: time.at(moment.at_seconds),
                text: phase(moment.phase).to_owned(),
                class: "quiet".to_owned(),
            });
        }
    }
    flags.extend(results.failover.as_ref().map(|failover| Flag {
        x: time.at(failover.at_seconds),
        text: fitting(&format!("{} {}", failover.node, done(failover.mode)), 200.0),
        class: "alarm".to_owned(),
    }));
    flags
}

/// The upper edge of the first `nodes` nodes, which is the lower one of the next.
fn edge(timeline: &[Moment], time: &Scale, held: &Scale, nodes: usize) -> Vec<(f64, f64)> {
    let point = |moment: &Moment| {
        let below = &moment.held[..nodes.min(moment.held.len())];
        (time.at(moment.at_seconds), held.at(sum(below)))
    };
    timeline.iter().map(point).collect()
}

fn sum(counts: &[u32]) -> f64 {
    counts.iter().copied().map(f64::from).sum()
}

//! A histogram of messages by latency.

use super::super::super::numbers;
use super::axis;
use super::flags::{Flag, Flags};
use super::frame::Frame;
use super::palette::series;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use crate::load_test::results::{Bucket, Latency, Results};

const ID: &str = "histogram";
const TITLE: &str = "Messages by latency";
/// Room for `100,000`, and the unit above.
const LABELS: f64 = 94.0;
const HEIGHT: f64 = 220.0;
/// Gap between two bars, where they are wide enough.
const GAP: f64 = 1.0;

/// The chart; nothing when no message was answered.
pub(crate) fn histogram(results: &Results) -> Option<String> {
    let latency = &results.latency;
    let buckets = &latency.histogram;
    let least = buckets.iter().map(start).reduce(f64::min)?;
    let most = buckets.iter().map(|bucket| bucket.to_ms).fold(0.0, f64::max);
    let across = Frame::new(LABELS, HEIGHT, 0).across();
    let scale = Scale::logarithmic(least, most, across);
    let flags = Flags::placed(percentiles(latency, &scale), across);
    let frame = Frame::new(LABELS, HEIGHT, flags.rows());
    #[expect(clippy::cast_precision_loss, reason = "a bar has some hundred pixels")]
    let tallest = buckets
        .iter()
        .map(|bucket| bucket.count as f64)
        .fold(0.0, f64::max);
    let counts = Scale::counting(tallest, frame.upwards());

    let mut svg = Svg::default();
    svg.text((frame.edge, 30.0), Anchor::Start, "ink title", TITLE);
    axis::vertical(&mut svg, &frame, &counts, "messages", axis::count);
    for bucket in buckets {
        bar(&mut svg, &scale, &counts, bucket);
    }
    axis::horizontal(
        &mut svg,
        &frame,
        &scale,
        "milliseconds (logarithmic)",
        axis::short,
    );
    flags.draw(&mut svg, &frame);
    let description = format!(
        "{} messages, half of them answered within {:.2} ms, the slowest within {:.2} ms.",
        latency.all.count, latency.all.p50_ms, latency.all.max_ms
    );
    Some(svg.finish(ID, frame.size(0), TITLE, &description))
}

// Private

/// The begin of a bucket on a scale without 0.
fn start(bucket: &Bucket) -> f64 {
    if bucket.from_ms > 0.0 {
        bucket.from_ms
    } else {
        bucket.to_ms / 2.0
    }
}

fn percentiles(latency: &Latency, scale: &Scale) -> Vec<Flag> {
    let all = &latency.all;
    let marked = [("p50", all.p50_ms), ("p99", all.p99_ms), ("p99.9", all.p999_ms)];
    let marked = marked.into_iter().filter(|_| all.count > 0);
    marked
        .map(|(name, ms)| Flag {
            x: scale.at(ms),
            text: format!("{name} {}", numbers::millis(ms)),
            class: "quiet".to_owned(),
        })
        .collect()
}

fn bar(svg: &mut Svg, scale: &Scale, counts: &Scale, bucket: &Bucket) {
    #[expect(clippy::cast_precision_loss, reason = "a bar has some hundred pixels")]
    let count = bucket.count as f64;
    let (left, right) = (scale.at(start(bucket)), scale.at(bucket.to_ms));
    let gap = if right - left > GAP * 3.0 { GAP } else { 0.0 };
    // A single message out of a million must be visible.
    let top = counts.at(count).min(counts.at(0.0) - 1.0);
    svg.rect(
        (left, top),
        (right - left - gap, counts.at(0.0) - top),
        &series(0),
    );
}

//! A failover: how many clients were cut off, and how many were served elsewhere, over time.

use super::super::failover::done;
use super::axis;
use super::flags::{Flag, Flags};
use super::frame::Frame;
use super::legend::Legend;
use super::palette::series;
use super::scale::Scale;
use super::svg::{Anchor, Svg, fitting};
use crate::load_test::results::{Failover, FailoverPoint};

const ID: &str = "failover";
/// Room for `100,000`, and the unit above.
const LABELS: f64 = 94.0;
const HEIGHT: f64 = 220.0;
/// From this many milliseconds on, times are shown in seconds.
const SECONDS: f64 = 10_000.0;
/// Events later than this many times the rest are only named, not drawn: they would leave no room
/// for the rest.
const LATE_SECONDS: f64 = 3.0;

/// The chart.
pub(crate) fn failover(failover: &Failover) -> String {
    let last = last(failover);
    let (unit, size) = if last < SECONDS {
        ("milliseconds", 1.0)
    } else {
        ("seconds", 1_000.0)
    };
    let across = Frame::new(LABELS, HEIGHT, 0).across();
    let time = Scale::to(last * 1.04 / size, across);
    let flags = Flags::placed(happened(failover, &time, size), across);
    let frame = Frame::new(LABELS, HEIGHT, flags.rows());
    let most = failover
        .curve
        .iter()
        .map(|point| point.cut.max(point.rehomed))
        .max();
    let most = failover.clients.max(most.unwrap_or(0));
    let clients = Scale::counting(most.into(), frame.upwards());
    let legend = Legend::placed(["served elsewhere", "cut off"].into_iter(), &frame);

    let title = format!("Failover of {}", fitting(&failover.node, 240.0));
    let mut svg = Svg::default();
    svg.text((frame.edge, 30.0), Anchor::Start, "ink title", &title);
    axis::vertical(&mut svg, &frame, &clients, "clients", axis::count);
    let line = |of: fn(&FailoverPoint) -> u32| -> Vec<(f64, f64)> {
        let point = |point: &FailoverPoint| (time.at(point.ms / size), clients.at(of(point).into()));
        failover.curve.iter().map(point).collect()
    };
    let (cut, rehomed) = (line(|point| point.cut), line(|point| point.rehomed));
    // The area between the curves: clients that no node serves.
    let nowhere = cut.iter().copied().chain(rehomed.iter().rev().copied());
    svg.area(nowhere, &series(1), 0.18);
    svg.curve(cut, &series(1));
    svg.curve(rehomed, &series(0));
    let unit = format!(
        "{unit} since {} was {}",
        fitting(&failover.node, 240.0),
        done(failover.mode)
    );
    axis::horizontal(&mut svg, &frame, &time, &unit, axis::short);
    flags.draw(&mut svg, &frame);
    legend.draw(&mut svg, &frame);
    let description = format!(
        "{} of {} clients were not served elsewhere when the test ended.",
        failover.homeless, failover.clients
    );
    svg.finish(ID, frame.size(legend.rows()), &title, &description)
}

// Private

/// The last moment that is drawn.
fn last(failover: &Failover) -> f64 {
    let curve = failover.curve.iter().map(|point| point.ms);
    let times = [
        failover.cut_p100_ms,
        failover.rehomed_p50_ms,
        failover.rehomed_p100_ms,
    ];
    let known = curve
        .chain(times.into_iter().flatten())
        .filter(|ms| ms.is_finite())
        .fold(1.0, f64::max);
    [failover.detected_ms, failover.back_ms]
        .into_iter()
        .flatten()
        .filter(|ms| *ms <= known * LATE_SECONDS)
        .fold(known, f64::max)
}

fn happened(failover: &Failover, time: &Scale, size: f64) -> Vec<Flag> {
    let known = [
        (failover.detected_ms, "noticed", "quiet"),
        (failover.cut_p100_ms, "all cut off", "alarm"),
        (failover.rehomed_p50_ms, "half elsewhere", "quiet"),
        (failover.rehomed_p100_ms, "all elsewhere", "ink"),
        (failover.back_ms, "node back", "quiet"),
    ];
    let flag = |(ms, what, class): (Option<f64>, &str, &str)| {
        let ms = ms?;
        let late = if ms / size > time.most() { " →" } else { "" };
        Some(Flag {
            x: time.at(ms / size),
            text: format!("{what} {ms:.0} ms{late}"),
            class: class.to_owned(),
        })
    };
    known.into_iter().filter_map(flag).collect()
}

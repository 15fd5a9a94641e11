//! Pages of all kinds of tests: well-formed, without NaN or infinite numbers, and without markup
//! from names and errors.

use proptest::prelude::*;

use super::super::testing::{broken, failed_over, foreign, passed, shared};
use super::super::wellformed::check;
use super::*;
use crate::load_test::results::{Bucket, Failover, FailoverPoint, Moment, NodeResult, Phase, Quantiles};

/// The page of `results`, checked to be well-formed.
fn page(results: &Results) -> String {
    let page = load_test_page(results).unwrap();
    check(&page).unwrap_or_else(|wrong| panic!("{wrong}"));
    for svg in charts(&page) {
        check(svg).unwrap_or_else(|wrong| panic!("{wrong}"));
        for nonsense in ["NaN", "inf"] {
            assert!(!svg.contains(nonsense), "{nonsense} in {}", &svg[..40]);
        }
    }
    page
}

fn charts(page: &str) -> Vec<&str> {
    let starts = page.split("<svg ").skip(1);
    let charts = starts.map(|rest| rest.split("</svg>").next().unwrap().len());
    let places = page.match_indices("<svg ");
    places
        .zip(charts)
        .map(|((start, _), length)| &page[start..start + "<svg ".len() + length + "</svg>".len()])
        .collect()
}

#[test]
fn every_chart_is_a_complete_document() {
    let page = page(&failed_over());
    let charts = charts(&page);
    for (svg, id) in charts
        .iter()
        .zip(["connections", "latency", "histogram", "failover"])
    {
        assert!(svg.starts_with(&format!(
            r#"<svg id="{id}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 "#
        )));
        for part in ["<title ", "<desc ", "<style>", "prefers-color-scheme:dark"] {
            assert!(svg.contains(part), "{part} of {id}");
        }
    }
    assert_eq!(charts.len(), 4);
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    for results in [passed(), failed_over(), broken(), foreign(), shared()] {
        let page = page(&results);
        for outside in ["<script", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}

#[test]
fn a_name_from_the_network_is_not_markup() {
    let name = "<script>alert('&\"')</script>";
    let mut results = failed_over();
    results.nodes[0].name = name.into();
    results.errors = broken().errors;
    results.errors[0].example = name.into();
    results.notes = vec![name.into()];
    if let Some(failover) = &mut results.failover {
        failover.node = name.into();
        failover.errors = results.errors.clone();
    }
    let page = page(&results);
    assert!(!page.contains("<script>"));
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn a_test_without_anything_has_a_page() {
    let mut results = passed();
    results.nodes.clear();
    results.timeline.clear();
    results.latency.histogram.clear();
    results.latency.all = Quantiles::default();
    results.held = 0;
    results.distribution.mean = 0.0;
    let page = page(&results);
    assert_eq!(charts(&page).len(), 1);
}

fn number() -> BoxedStrategy<f64> {
    prop_oneof![
        Just(0.0),
        Just(f64::MAX),
        Just(f64::INFINITY),
        Just(f64::NAN),
        Just(1e-300),
        0.0f64..1e5
    ]
    .boxed()
}

fn quantiles() -> BoxedStrategy<Quantiles> {
    let count = prop_oneof![Just(0), Just(u64::MAX), 1u64..1_000_000];
    (count, prop::array::uniform8(number()))
        .prop_map(|(count, ms)| Quantiles {
            count,
            min_ms: ms[0],
            mean_ms: ms[1],
            stddev_ms: ms[2],
            p50_ms: ms[3],
            p90_ms: ms[4],
            p99_ms: ms[5],
            p999_ms: ms[6],
            max_ms: ms[7],
        })
        .boxed()
}

fn nodes() -> BoxedStrategy<Vec<NodeResult>> {
    // Without the letters of `NaN` and `inf`, which the pages are searched for.
    let node = ("[^AaIi]{0,40}", any::<u32>(), any::<u32>(), quantiles());
    let node = node.prop_map(|(name, connected, held, latency)| NodeResult {
        name,
        connected,
        held,
        latency,
    });
    prop::collection::vec(node.boxed(), 0..=64).boxed()
}

/// Moments that may lack some nodes.
fn timeline() -> BoxedStrategy<Vec<Moment>> {
    let phase = prop::sample::select(vec![Phase::Ramp, Phase::Hold, Phase::Sticky, Phase::Close]);
    let moment = (number(), phase, prop::collection::vec(any::<u32>(), 0..=64));
    let moment = moment.prop_map(|(at_seconds, phase, held)| Moment {
        at_seconds,
        phase,
        held,
        opening: 0,
        errors: u64::MAX,
        p99_ms: None,
    });
    prop::collection::vec(moment.boxed(), 0..8).boxed()
}

fn histogram() -> BoxedStrategy<Vec<Bucket>> {
    let bucket = (number(), number(), any::<u64>());
    let bucket = bucket.prop_map(|(from_ms, to_ms, count)| Bucket {
        from_ms,
        to_ms,
        count,
    });
    prop::collection::vec(bucket.boxed(), 0..100).boxed()
}

fn failover() -> BoxedStrategy<Option<Failover>> {
    let point = (number(), any::<u32>(), any::<u32>());
    let point = point.prop_map(|(ms, cut, rehomed)| FailoverPoint { ms, cut, rehomed });
    let times = prop::array::uniform6(prop::option::of(number()));
    let known = (
        number(),
        any::<u32>(),
        times,
        prop::collection::vec(point.boxed(), 0..20),
    );
    prop::option::of(known.prop_map(|(at_seconds, clients, times, curve)| Failover {
        at_seconds,
        clients,
        detected_ms: times[0],
        cut_p50_ms: times[1],
        cut_p100_ms: times[2],
        rehomed_p50_ms: times[3],
        rehomed_p100_ms: times[4],
        back_ms: times[5],
        curve,
        ..failed_over().failover.unwrap()
    }))
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_results_make_a_page(
        nodes in nodes(),
        all in quantiles(),
        timeline in timeline(),
        histogram in histogram(),
        failover in failover(),
        count: u64,
        note in "[^AaIi]{0,200}",
    ) {
        let mut results = failed_over();
        results.nodes = nodes;
        results.latency.all = all;
        results.messages.sent_late = all;
        results.messages.lost = count;
        results.distribution.others = count;
        results.notes = vec![note];
        results.latency.histogram = histogram;
        results.timeline = timeline;
        results.failover = failover;
        results.counts.generator.total = count;
        page(&results);
    }
}

//! Charts as SVG: each is complete in itself, in a page or in a file of its own, in light and dark.
//!
//! ```text
//!  ┌─ title ───────────────────────────┐
//!  │  flags: what happened, in rows    │
//!  │ y├─────────────────────────────┤  │   Scale: a value's place     Axis: ticks and unit
//!  │  │            plot             │  │   Svg: the text of it all
//!  │  └──────────────x──────────────┘  │
//!  │  legend: names by colour          │
//!  └───────────────────────────────────┘
//! ```

mod axis;
mod connections;
mod failover;
mod flags;
mod frame;
mod histogram;
mod latency;
mod legend;
mod palette;
mod scale;
mod svg;

pub(super) use axis::count;
pub(super) use connections::connections;
pub(super) use failover::failover;
pub(super) use histogram::histogram;
pub(super) use latency::latency;

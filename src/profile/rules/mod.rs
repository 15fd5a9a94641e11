//! Rules between the values of a profile; one function per rule, each finds all violations.

mod addresses;
mod environment;
mod health;
mod members;
mod names;
mod numbers;
mod paths;
mod ports;
mod routing;
mod runtime;
mod tls;

use super::parsed::ParsedProfile;
use super::problem::Problem;

/// A rule: it returns the violations.
type Rule = fn(&ParsedProfile) -> Vec<Problem>;

const RULES: &[Rule] = &[
    names::cluster,
    names::nodes,
    names::cookie,
    runtime::command,
    runtime::placeholders,
    environment::names,
    environment::values,
    environment::placeholders,
    environment::used,
    runtime::erlmcp,
    runtime::ports,
    runtime::members,
    members::count,
    members::numbers,
    members::started,
    members::external,
    runtime::forgotten,
    runtime::cookie,
    numbers::bounds,
    numbers::periods,
    numbers::shares,
    numbers::errors,
    numbers::target,
    numbers::sum,
    health::path,
    addresses::listen,
    addresses::nodes,
    ports::zero,
    ports::range,
    ports::collisions,
    ports::something,
    routing::tcp,
    paths::prefixes,
    paths::duplicates,
    paths::something,
    tls::certificate,
    tls::https,
];

pub(super) use addresses::{unreachable, unresolved};
pub(super) use numbers::range_of;

/// The violations of all rules.
pub(super) fn broken(written: &ParsedProfile) -> Vec<Problem> {
    RULES.iter().flat_map(|rule| rule(written)).collect()
}

//! A document with the positions of its values, which the rules check.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::document::Document;
use super::layer::Layer;
use super::layers::Layers;
use super::problem::{Mark, Problem};
use super::resolve::Resolved;
use super::schema::schema;
use super::source::{DEFAULT, Source, embedded};
use super::typed;
use super::unknown_keys::take_unknown;

/// Everything that a source contains; not yet checked.
#[derive(Clone, Debug)]
pub(super) struct ParsedProfile {
    /// As written, with ports not yet shifted.
    pub(super) document: Document,
    /// Added to every port that this cluster listens on.
    pub(super) port_offset: u16,
    layers: Layers,
    /// The first layer that is a `--set`.
    first_set: usize,
}

impl ParsedProfile {
    /// Lays the texts of `source` over each other.
    ///
    /// # Errors
    /// With the syntax errors of all texts; without any, with all unknown keys and all values of a
    /// wrong type.
    pub(super) fn read(source: &Source) -> Result<ParsedProfile, Vec<Problem>> {
        let mut layers = texts(source)?;
        let schema = schema();
        let mut problems: Vec<_> = layers
            .0
            .iter_mut()
            .flat_map(|layer| take_unknown(layer, &schema))
            .collect();
        let document = match typed::document(&layers) {
            Ok(document) => document,
            Err(wrong) => {
                problems.extend(wrong);
                return Err(problems);
            }
        };
        let written = ParsedProfile {
            document,
            port_offset: source.port_offset,
            first_set: layers.0.len() - source.sets.len(),
            layers,
        };
        if problems.is_empty() {
            return Ok(written);
        }
        problems.extend(super::rules::broken(&written));
        Err(problems)
    }

    /// Gives members with host names the addresses in `resolved`. An address that several members
    /// have is a node of the first of them.
    pub(super) fn resolve(&mut self, resolved: &Resolved) {
        let mut seen = BTreeSet::new();
        for member in &mut self.document.nodes.members {
            let known = member.host().and_then(|host| resolved.get(host));
            let known = known.into_iter().flatten().map(IpAddr::to_canonical);
            let ports = (member.tcp_port, member.http_port);
            member.resolved = known.filter(|ip| seen.insert((*ip, ports))).collect();
        }
    }

    /// A problem with the value of `path`.
    pub(super) fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        Problem::new(message).mark(self.mark(path, ""))
    }

    /// Points at the value of `path`.
    pub(super) fn mark(&self, path: &str, label: impl Into<String>) -> Option<Mark> {
        self.layers.mark(path, label)
    }

    /// The number of the layer with the value of `path`; 0 is the defaults, later texts are higher.
    pub(super) fn origin(&self, path: &str) -> usize {
        self.layers.origin(path)
    }

    /// Whether a `--set` sets `path`.
    pub(super) fn is_from_command_line(&self, path: &str) -> bool {
        self.origin(path) >= self.first_set
    }
}

// Private

fn texts(source: &Source) -> Result<Layers, Vec<Problem>> {
    let default = embedded(DEFAULT).unwrap_or_default();
    let mut layers = vec![Layer::file(&format!("profile {DEFAULT}"), default)?];
    let mut problems = Vec::new();
    if source.text != default {
        let name = match embedded(&source.name) {
            Some(_) => format!("profile {}", source.name),
            None => source.name.clone(),
        };
        match Layer::file(&name, &source.text) {
            Ok(layer) => layers.push(layer),
            Err(wrong) => problems.extend(wrong),
        }
    }
    for set in &source.sets {
        match Layer::set(set) {
            Ok(layer) => layers.push(layer),
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() {
        Ok(Layers(layers))
    } else {
        Err(problems)
    }
}

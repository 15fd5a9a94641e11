//! The names of figures in HAProxy's Prometheus exporter.

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    /// A gauge in seconds, for a figure in milliseconds.
    Seconds,
}

/// The owner of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Frontend,
    Backend,
    Server,
}

/// A metric; `haproxy_OWNER_` comes before its name.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The owners that have it, among those whose figures are columns.
    pub(super) of: &'static [Owner],
    /// Its own help text, if that of the figure does not fit.
    pub(super) help: Option<&'static str>,
    /// The value of its label `code`, if it has one.
    pub(super) code: Option<&'static str>,
    /// Whether only proxies of HTTP have it.
    pub(super) http_only: bool,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge | Kind::Seconds => "gauge",
        }
    }
}

//! What a figure is called by HAProxy's Prometheus exporter.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    /// A gauge in seconds of a figure in milliseconds.
    Seconds,
}

/// Whose figure it is.
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
    /// Who has it, of those whose figures are columns.
    pub(super) of: &'static [Owner],
    /// Its own sentence, when the figure's does not fit.
    pub(super) help: Option<&'static str>,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge | Kind::Seconds => "gauge",
        }
    }
}

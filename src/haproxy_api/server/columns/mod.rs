//! `show stat`: every column of 2.6, described once for all outputs: its name, its sentence, its
//! value for a frontend, a server and a backend, and its name in Prometheus.

mod checks;
mod details;
mod flow;
mod muxes;

use super::figures::{BackendFigures, CheckFigures, FrontendFigures, HttpFigures, ServerFigures, Traffic};
use super::metric::{Kind, Metric, Owner};
use super::state;
use super::value::{Field, Value};

/// Columns from here on follow a `-` in CSV: those of HAProxy's modules.
const STATIC: usize = 103;

/// A column.
pub(super) struct Column {
    pub(super) name: &'static str,
    tag: &'static str,
    pub(super) help: &'static str,
    pub(super) metric: Option<Metric>,
    frontend: Option<OfFrontend>,
    server: Option<OfServer>,
    backend: Option<OfBackend>,
    /// Its value for whatever speaks HTTP, if it is not one of the three above.
    http: Option<OfHttp>,
    /// Its tag for a backend, if it differs.
    backend_tag: Option<&'static str>,
}

type OfFrontend = fn(&FrontendFigures) -> Value;
type OfServer = fn(&ServerRow<'_>) -> Value;
type OfBackend = fn(&BackendRow<'_>) -> Value;
type OfHttp = fn(&HttpFigures) -> Value;

/// A server and its context.
#[derive(Clone, Copy)]
pub(super) struct ServerRow<'a> {
    pub(super) backend: &'a BackendFigures,
    pub(super) server: &'a ServerFigures,
    /// Whether addresses may be shown.
    pub(super) legends: bool,
}

/// A backend, and how it is shown.
#[derive(Clone, Copy)]
pub(super) struct BackendRow<'a> {
    pub(super) backend: &'a BackendFigures,
    /// Whether its algorithm may be shown.
    pub(super) legends: bool,
    /// Whether to count its servers, because some are left out.
    pub(super) tally: bool,
}

/// One line of the table.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Frontend(&'a FrontendFigures),
    Server(ServerRow<'a>),
    Backend(BackendRow<'a>),
}

/// All columns, in their order.
pub(super) fn all() -> impl Iterator<Item = &'static Column> {
    [flow::FLOW, checks::CHECKS, details::DETAILS, muxes::MUXES]
        .into_iter()
        .flatten()
}

/// The first line of CSV.
pub(super) fn header() -> String {
    let mut header = "# ".to_owned();
    for (position, column) in all().enumerate() {
        if position == STATIC {
            header.push_str("-,");
        }
        header.push_str(column.name);
        header.push(',');
    }
    header.push('\n');
    header
}

impl Row<'_> {
    /// A line of CSV.
    pub(super) fn csv(&self) -> String {
        let mut line = String::with_capacity(512);
        for (position, column) in all().enumerate() {
            if position == STATIC {
                line.push_str("-,");
            }
            column.value(self).csv(&mut line);
        }
        line.push('\n');
        line
    }

    /// Its fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        let fields = all().enumerate().map(|(position, column)| Field {
            position,
            name: column.name,
            tag: column.tag(self),
            help: column.help,
            value: column.value(self),
        });
        fields.filter(|field| !field.value.is_absent())
    }

    /// Its HTTP traffic; `None` if it relays bytes.
    pub(super) const fn http(&self) -> Option<&HttpFigures> {
        match self {
            Row::Frontend(frontend) => frontend.http.as_ref(),
            Row::Server(row) => row.server.traffic.http.as_ref(),
            Row::Backend(row) => row.backend.traffic.http.as_ref(),
        }
    }

    /// The letter for its type.
    pub(super) const fn letter(&self) -> char {
        match self {
            Row::Frontend(_) => 'F',
            Row::Server(_) => 'S',
            Row::Backend(_) => 'B',
        }
    }

    /// The word for its type.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Row::Frontend(_) => "Frontend",
            Row::Server(_) => "Server",
            Row::Backend(_) => "Backend",
        }
    }

    /// The proxy's number.
    pub(super) const fn proxy(&self) -> u32 {
        match self {
            Row::Frontend(frontend) => frontend.id,
            Row::Server(row) => row.backend.id,
            Row::Backend(row) => row.backend.id,
        }
    }

    /// The server's number; 0 for a proxy.
    pub(super) const fn server(&self) -> u32 {
        match self {
            Row::Server(row) => row.server.id,
            _ => 0,
        }
    }
}

impl Column {
    /// Its value in a row.
    pub(super) fn value(&self, row: &Row<'_>) -> Value {
        match row {
            Row::Frontend(it) => self.frontend.map(|get| get(it)),
            Row::Server(it) => self.server.map(|get| get(it)),
            Row::Backend(it) => self.backend.map(|get| get(it)),
        }
        .or_else(|| Some((self.http?)(row.http()?)))
        .unwrap_or(Value::Absent)
    }

    /// Its metric, if `owner` has it.
    pub(super) fn metric_of(&self, owner: Owner) -> Option<&Metric> {
        self.metric.as_ref().filter(|metric| metric.of.contains(&owner))
    }

    fn tag(&self, row: &Row<'_>) -> &'static str {
        match row {
            Row::Backend(_) => self.backend_tag.unwrap_or(self.tag),
            _ => self.tag,
        }
    }

    const fn metric(mut self, name: &'static str, kind: Kind, of: &'static [Owner]) -> Column {
        self.metric = Some(Metric {
            name,
            kind,
            of,
            help: None,
            code: None,
            http_only: false,
        });
        self
    }

    /// A metric that only proxies of HTTP have.
    const fn http_metric(self, name: &'static str, kind: Kind, of: &'static [Owner]) -> Column {
        let mut column = self.metric(name, kind, of);
        if let Some(metric) = &mut column.metric {
            metric.http_only = true;
        }
        column
    }

    /// With a label `code`; several columns share the metric.
    const fn coded(mut self, code: &'static str) -> Column {
        if let Some(metric) = &mut self.metric {
            metric.code = Some(code);
        }
        self
    }

    const fn helped(mut self, help: &'static str) -> Column {
        if let Some(metric) = &mut self.metric {
            metric.help = Some(help);
        }
        self
    }

    const fn frontend(mut self, get: OfFrontend) -> Column {
        self.frontend = Some(get);
        self
    }

    const fn server(mut self, get: OfServer) -> Column {
        self.server = Some(get);
        self
    }

    const fn backend(mut self, get: OfBackend) -> Column {
        self.backend = Some(get);
        self
    }

    const fn http(mut self, get: OfHttp) -> Column {
        self.http = Some(get);
        self
    }

    const fn backend_as(mut self, tag: &'static str, get: OfBackend) -> Column {
        self.backend_tag = Some(tag);
        self.backend(get)
    }
}

impl ServerRow<'_> {
    /// A value of its checks, while they are enabled.
    fn checked(&self, value: impl FnOnce(&CheckFigures) -> Value) -> Value {
        match &self.server.check {
            Some(check) if check.enabled => value(check),
            _ => Value::Absent,
        }
    }
}

// Private

const fn column(name: &'static str, tag: &'static str, help: &'static str) -> Column {
    Column {
        name,
        tag,
        help,
        metric: None,
        frontend: None,
        server: None,
        backend: None,
        http: None,
        backend_tag: None,
    }
}

fn text(text: &'static str) -> Value {
    Value::text(text)
}

fn name(text: &str) -> Value {
    Value::name(text)
}

fn count(number: u64) -> Value {
    Value::count(number)
}

fn limit(limit: u32) -> Value {
    Value::limit(limit)
}

/// -1 if there was none.
fn last_session(traffic: &Traffic) -> Value {
    let age = traffic
        .last_session
        .map(|age| i32::try_from(age).unwrap_or(i32::MAX));
    Value::S32(age.unwrap_or(-1))
}

fn address(row: &ServerRow<'_>) -> Value {
    match row.server.address {
        Some(address) if row.legends => Value::Text(address.to_string().into()),
        _ => Value::Absent,
    }
}

/// Includes the number of its servers, if some are left out.
fn status(row: &BackendRow<'_>) -> Value {
    let word = state::backend_word(row.backend);
    if row.tally {
        let servers = &row.backend.servers;
        let up = servers.iter().filter(|server| state::is_up(server)).count();
        Value::Text(format!("{word} ({up}/{})", servers.len()).into())
    } else {
        Value::text(word)
    }
}

fn algorithm(row: &BackendRow<'_>) -> Value {
    if row.legends {
        Value::text(row.backend.algorithm.name())
    } else {
        Value::Absent
    }
}

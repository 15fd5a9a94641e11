//! `/metrics`: the figures under the names of HAProxy's own exporter.

use super::super::columns::{self, BackendRow, Column, Row, ServerRow};
use super::super::figures::{BackendFigures, CheckFigures, Proxies, TableFigures};
use super::super::info::{FIGURES, VERSION};
use super::super::metric::{Kind, Owner};
use super::super::state;
use super::super::subject::Subject;
use super::super::value::Value;
use super::answer::Page;
use crate::base::prometheus::{head, sample};

/// In HAProxy's order.
const SERVER_STATES: [&str; 5] = ["DOWN", "UP", "MAINT", "DRAIN", "NOLB"];
const PROXY_STATES: [&str; 2] = ["DOWN", "UP"];

/// Parts that can be requested alone.
const PARTS: [&str; 6] = [
    "global",
    "frontend",
    "listener",
    "backend",
    "server",
    "sticktable",
];

/// The requested metrics.
struct Scope<'a> {
    /// The parts; all if none is named.
    parts: Option<Vec<&'a str>>,
    /// Without servers in maintenance.
    no_maint: bool,
}

/// The metrics that `query` requests: all, or those of `scope=server`, with or without servers in
/// maintenance. Single listeners are not counted, as in HAProxy without `option socket-stats`.
pub(super) fn page<S: Subject>(query: &str, subject: &S) -> Page {
    let Some(scope) = Scope::read(query) else {
        return Page::bad_request();
    };
    let mut text = String::with_capacity(64 * 1_024);
    let proxies = subject.proxies();
    if scope.wants("global") {
        process(subject, &mut text);
    }
    if scope.wants("frontend") {
        let rows: Vec<Row<'_>> = proxies.frontends.iter().map(Row::Frontend).collect();
        owned(Owner::Frontend, "frontend", &rows, &mut text);
    }
    if scope.wants("backend") {
        let rows: Vec<Row<'_>> = proxies.backends.iter().map(backend).collect();
        owned(Owner::Backend, "backend", &rows, &mut text);
    }
    if scope.wants("server") {
        owned(
            Owner::Server,
            "server",
            &servers(&proxies, scope.no_maint),
            &mut text,
        );
    }
    if scope.wants("sticktable") {
        tables(subject, &mut text);
    }
    Page::metrics(text)
}

impl<'a> Scope<'a> {
    /// `None` if it names an unknown part.
    fn read(query: &'a str) -> Option<Scope<'a>> {
        let mut scope = Scope {
            parts: None,
            no_maint: false,
        };
        for word in query.split('&') {
            match word.strip_prefix("scope=") {
                None => scope.no_maint |= word == "no-maint",
                Some("*") => scope.parts = None,
                Some("") => scope.parts = Some(Vec::new()),
                Some(part) if PARTS.contains(&part) => scope.parts.get_or_insert_default().push(part),
                Some(_) => return None,
            }
        }
        Some(scope)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.as_ref().is_none_or(|parts| parts.contains(&part))
    }
}

// Private

/// A sample: labels beside the owner's, and its value.
type Sample = (Option<(&'static str, &'static str)>, String);

fn process<S: Subject>(subject: &S, text: &mut String) {
    let figures = subject.process();
    for figure in FIGURES {
        let Some(metric) = &figure.metric else {
            continue;
        };
        let name = format!("haproxy_process_{}", metric.name);
        head(text, &name, metric.kind.word(), figure.help);
        if metric.name == "build_info" {
            sample(text, &name, &[("version", VERSION)], 1);
        } else {
            sample(text, &name, &[], number(&figure.value(&figures), metric.kind));
        }
    }
}

/// All metrics of frontends, backends or servers.
fn owned(owner: Owner, prefix: &str, rows: &[Row<'_>], text: &mut String) {
    // Consecutive columns may be one metric, with different codes.
    let mut last = String::new();
    for column in columns::all() {
        let Some(metric) = column.metric_of(owner) else {
            continue;
        };
        let name = format!("haproxy_{prefix}_{}", metric.name);
        for row in rows {
            if metric.http_only && row.http().is_none() {
                continue;
            }
            for (label, value) in samples(column, row, metric.kind) {
                if last != name {
                    let help = metric.help.unwrap_or(column.help);
                    head(text, &name, metric.kind.word(), help);
                    last.clone_from(&name);
                }
                let code = metric.code.map(|code| ("code", code));
                let labels: Vec<_> = owners(row).into_iter().chain(label).chain(code).collect();
                sample(text, &name, &labels, value);
            }
        }
    }
}

fn tables<S: Subject>(subject: &S, text: &mut String) {
    type Value = fn(&TableFigures) -> u64;
    let metrics: [(&str, &str, Value); 2] = [
        ("haproxy_sticktable_size", "Stick table size.", |table| table.size),
        (
            "haproxy_sticktable_used",
            "Number of entries used in this stick table.",
            |table| table.used,
        ),
    ];
    let tables = subject.tables();
    for (name, help, value) in metrics.iter().filter(|_| !tables.is_empty()) {
        head(text, name, Kind::Gauge.word(), help);
        for table in tables.iter().rev() {
            sample(
                text,
                name,
                &[("name", &table.name), ("type", "ipv6")],
                value(table),
            );
        }
    }
}

/// The samples of a column for a row; a state has one sample for each possible state.
fn samples(column: &Column, row: &Row<'_>, kind: Kind) -> Vec<Sample> {
    let plain = || vec![(None, number(&column.value(row), kind))];
    match (column.name, row) {
        ("status", Row::Frontend(it)) => {
            let up = state::frontend_word(it.state) != "STOP";
            one_of(&PROXY_STATES, if up { "UP" } else { "DOWN" })
        }
        ("status", Row::Backend(it)) => one_of(&PROXY_STATES, state::backend_word(it.backend)),
        ("status", Row::Server(it)) => one_of(&SERVER_STATES, state::plain_word(it.server)),
        ("agg_server_status" | "agg_server_check_status", Row::Backend(it)) => {
            let servers = it.backend.servers.iter();
            let words: Vec<&str> = servers.map(state::plain_word).collect();
            counted(SERVER_STATES.into_iter(), &words)
        }
        ("agg_check_status", Row::Backend(it)) => {
            let words: Vec<&str> = checks(it.backend).map(state::check_word).collect();
            counted(state::check_words(), &words)
        }
        ("check_status", Row::Server(it)) => match enabled(it.server.check.as_ref()) {
            Some(check) => {
                let words: Vec<&'static str> = state::check_words().collect();
                one_of(&words, state::check_word(check))
            }
            None => Vec::new(),
        },
        ("check_code", Row::Server(it)) => match enabled(it.server.check.as_ref()) {
            Some(check) => vec![(None, check.code.unwrap_or(0).to_string())],
            None => Vec::new(),
        },
        ("check_duration", _) if column.value(row).is_absent() => Vec::new(),
        _ => plain(),
    }
}

fn one_of(states: &[&'static str], now: &str) -> Vec<Sample> {
    let samples = states
        .iter()
        .map(|state| (Some(("state", *state)), u8::from(*state == now).to_string()));
    samples.collect()
}

fn counted(states: impl Iterator<Item = &'static str>, now: &[&str]) -> Vec<Sample> {
    let count = |state: &str| now.iter().filter(|word| **word == state).count();
    states
        .map(|state| (Some(("state", state)), count(state).to_string()))
        .collect()
}

fn enabled(check: Option<&CheckFigures>) -> Option<&CheckFigures> {
    check.filter(|check| check.enabled)
}

fn checks(backend: &BackendFigures) -> impl Iterator<Item = &CheckFigures> {
    backend
        .servers
        .iter()
        .filter_map(|server| enabled(server.check.as_ref()))
}

/// HAProxy's format; a missing value is not a number (NaN).
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a process' life are far below 2^52"
)]
fn number(value: &Value, kind: Kind) -> String {
    let seconds = |millis: u64| format!("{:.6}", millis as f64 / 1_000.0);
    match (value, kind) {
        (Value::U32(millis), Kind::Seconds) => seconds(u64::from(*millis)),
        (Value::U64(millis), Kind::Seconds) => seconds(*millis),
        (Value::Absent | Value::Text(_), _) => "NaN".to_owned(),
        (value, _) => value.plain().into_owned(),
    }
}

/// The labels that say whose sample it is.
fn owners<'a>(row: &Row<'a>) -> Vec<(&'static str, &'a str)> {
    match row {
        Row::Frontend(it) => vec![("proxy", &it.name)],
        Row::Backend(it) => vec![("proxy", &it.backend.name)],
        Row::Server(it) => vec![("proxy", &it.backend.name), ("server", &it.server.name)],
    }
}

const fn backend(backend: &BackendFigures) -> Row<'_> {
    Row::Backend(BackendRow {
        backend,
        legends: true,
        tally: false,
    })
}

fn servers(proxies: &Proxies, no_maint: bool) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for backend in &proxies.backends {
        for server in backend
            .servers
            .iter()
            .filter(|server| !(no_maint && server.admin.is_maint()))
        {
            rows.push(Row::Server(ServerRow {
                backend,
                server,
                legends: true,
            }));
        }
    }
    rows
}

//! `show stat`: which rows, and in which format.

use super::super::answer::{Answer, Level};
use super::super::columns::{BackendRow, Row, ServerRow, header};
use super::super::figures::{Proxies, ServerFigures};
use super::super::line::Words;
use super::super::state;
use super::super::subject::Subject;
use super::Reply;
use super::find::atoi;

/// The format of figures; `described` adds a sentence to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Format {
    Plain { described: bool },
    Typed { described: bool },
    Json,
}

/// The selected rows, and their format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct StatQuery {
    pub(in super::super) format: Format,
    /// Only this proxy, these types and this server; -1 is any.
    only: Option<Only>,
    /// Without servers in maintenance.
    no_maint: bool,
    /// Without servers that do not serve.
    up: bool,
    /// With addresses and algorithms.
    legends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Only {
    proxy: i64,
    kinds: i64,
    server: i64,
}

impl Format {
    /// The last of the requested formats counts.
    pub(in super::super) fn wanted<'a>(words: impl Iterator<Item = &'a str>) -> Format {
        let (mut format, mut described) = (Format::Plain { described: false }, false);
        for word in words {
            match word {
                "typed" => format = Format::Typed { described: false },
                "json" => format = Format::Json,
                "desc" => described = true,
                _ => {}
            }
        }
        match format {
            Format::Plain { .. } => Format::Plain { described },
            Format::Typed { .. } => Format::Typed { described },
            Format::Json => Format::Json,
        }
    }
}

impl StatQuery {
    /// Parses `words`: formats, `up` and `no-maint`.
    pub(in super::super) fn new(words: &[&str], legends: bool) -> StatQuery {
        StatQuery {
            format: Format::wanted(words.iter().copied()),
            only: None,
            no_maint: words.contains(&"no-maint"),
            up: words.contains(&"up"),
            legends,
        }
    }

    /// The answer.
    pub(in super::super) fn answer(&self, proxies: &Proxies) -> String {
        let rows = self.rows(proxies);
        match self.format {
            Format::Plain { .. } => {
                let mut text = header();
                for row in &rows {
                    text.push_str(&row.csv());
                }
                text
            }
            Format::Typed { described } => {
                let mut text = String::new();
                for row in &rows {
                    let prefix = format!("{}.{}.{}.", row.letter(), row.proxy(), row.server());
                    row.fields()
                        .for_each(|field| field.typed(&prefix, described, &mut text));
                }
                text
            }
            Format::Json => {
                let rows: Vec<String> = rows.iter().map(json).collect();
                format!("[{}]\n", rows.join(","))
            }
        }
    }

    // Private

    /// Proxies in the order of their numbers; for a name with both, the frontend is first.
    fn rows<'a>(&self, proxies: &'a Proxies) -> Vec<Row<'a>> {
        let frontends = proxies
            .frontends
            .iter()
            .map(|it| (it.id, vec![Row::Frontend(it)]));
        let backends = proxies.backends.iter().map(|backend| {
            let servers = backend.servers.iter().filter(|server| self.shows(server));
            let rows = servers.map(|server| {
                Row::Server(ServerRow {
                    backend,
                    server,
                    legends: self.legends,
                })
            });
            let last = Row::Backend(BackendRow {
                backend,
                legends: self.legends,
                tally: self.up || self.no_maint,
            });
            (backend.id, rows.chain([last]).collect())
        });
        let mut all: Vec<(u32, Vec<Row<'_>>)> = frontends.chain(backends).collect();
        all.sort_by_key(|(id, _)| *id);
        all.into_iter()
            .flat_map(|(_, rows)| rows)
            .filter(|row| self.only.is_none_or(|only| only.admits(row)))
            .collect()
    }

    fn shows(&self, server: &ServerFigures) -> bool {
        !(self.no_maint && server.admin.is_maint()) && (!self.up || state::is_up(server))
    }
}

impl Only {
    fn admits(&self, row: &Row<'_>) -> bool {
        let kind = match row {
            Row::Frontend(_) => 1,
            Row::Backend(_) => 2,
            Row::Server(_) => 4,
        };
        let is_server = matches!(row, Row::Server(_));
        (self.proxy == -1 || self.proxy == i64::from(row.proxy()))
            && self.kinds & kind != 0
            && (!is_server || self.server == -1 || self.server == i64::from(row.server()))
    }
}

pub(super) fn show<S: Subject>(words: &Words, granted: Level, subject: &S) -> Reply {
    let mut words: Vec<&str> = words.from(2).collect();
    if words.first() == Some(&"domain") {
        if words.get(1) != Some(&"proxy") {
            return Err(Answer::refusal("Invalid statistics domain.\n"));
        }
        words.drain(..2);
    }
    let proxies = subject.proxies();
    let mut query = StatQuery::new(&words, granted >= Level::Operator);
    if let [proxy, kinds, server, ..] = words[..] {
        let only = Only {
            proxy: number(&proxies, proxy).unwrap_or_else(|| atoi(proxy)),
            kinds: atoi(kinds),
            server: atoi(server),
        };
        if only.proxy == 0 {
            return Err(Answer::refusal("No such proxy.\n"));
        }
        query.only = Some(only);
    }
    Ok(Answer::figures(query.answer(&proxies)))
}

// Private

/// The number of the proxy with this name.
fn number(proxies: &Proxies, name: &str) -> Option<i64> {
    let frontends = proxies.frontends.iter().map(|it| (&it.name, it.id));
    let backends = proxies.backends.iter().map(|it| (&it.name, it.id));
    let mut all = frontends.chain(backends);
    all.find(|(own, _)| *own == name).map(|(_, id)| i64::from(id))
}

fn json(row: &Row<'_>) -> String {
    let owner = format!(
        r#""objType":"{}","proxyId":{},"id":{},"#,
        row.word(),
        row.proxy(),
        row.server()
    );
    let fields = row.fields().map(|field| {
        let mut text = String::new();
        field.json(&owner, &mut text);
        text
    });
    format!("[{}]", fields.collect::<Vec<_>>().join(","))
}

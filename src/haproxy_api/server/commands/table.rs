//! Sticky tables and those of limits: shows, filters, clears and changes them.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::super::answer::{Answer, Level};
use super::super::connection::DENIED;
use super::super::figures::{TableEntry, TableFigures};
use super::super::line::Words;
use super::super::subject::{Order, Subject};
use super::{Reply, find, order};

/// The most conditions of one filter.
const MAX_CONDITIONS: usize = 4;

/// The data types of HAProxy's tables.
const DATA: &[&str] = &[
    "server_id",
    "gpt0",
    "gpc0",
    "gpc0_rate",
    "conn_cnt",
    "conn_rate",
    "conn_cur",
    "sess_cnt",
    "sess_rate",
    "http_req_cnt",
    "http_req_rate",
    "http_err_cnt",
    "http_err_rate",
    "bytes_in_cnt",
    "bytes_in_rate",
    "bytes_out_cnt",
    "bytes_out_rate",
    "gpc1",
    "gpc1_rate",
    "server_key",
    "http_fail_cnt",
    "http_fail_rate",
    "gpt",
    "gpc",
    "gpc_rate",
];

/// The selected entries.
enum Filter {
    All,
    Key(Key),
    Data(Vec<Condition>),
}

/// An address, as given and as parsed.
struct Key {
    typed: String,
    address: Option<Ipv6Addr>,
}

/// A condition on a datum of an entry.
struct Condition {
    datum: String,
    operator: Operator,
    value: i128,
}

#[derive(Clone, Copy)]
enum Operator {
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
}

pub(super) fn show<S: Subject>(words: &Words, granted: Level, level: Level, subject: &S) -> Reply {
    if words.at(2).is_empty() {
        // In HAProxy's list the last configured table is first.
        let heads = subject.tables().iter().rev().map(head).collect::<String>();
        return Ok(Answer::figures(heads));
    }
    let (table, entries) = named(words, subject)?;
    let filter = Filter::read(
        words,
        level,
        &entries,
        "Optional argument only supports \"data.<store_data_type>\" <operator> <value> and key <key>\n",
    )?;
    let mut text = head(&table);
    if granted < Level::Operator {
        text.push_str("# contents not dumped due to insufficient privileges\n");
        return Ok(Answer::figures(text));
    }
    let shown: Vec<_> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| filter.admits(entry))
        .collect();
    if shown.is_empty() && matches!(filter, Filter::Key(_)) {
        return Ok(Answer::done());
    }
    let server_names = server_names(&table.name, subject);
    for (index, entry) in shown {
        line(index, entry, &server_names, &mut text);
    }
    Ok(Answer::figures(text))
}

pub(super) async fn clear<S: Subject>(
    words: &Words,
    granted: Level,
    level: Level,
    subject: &Arc<S>,
) -> Reply {
    const USAGE: &str =
        "Required arguments: <table> \"data.<store_data_type>\" <operator> <value> or <table> key <key>\n";
    if words.at(2).is_empty() {
        return Err(Answer::refusal(USAGE));
    }
    let (table, entries) = named(words, &**subject)?;
    let filter = Filter::read(words, level, &entries, USAGE)?;
    if granted < Level::Operator {
        return Ok(Answer::done());
    }
    let meant: Vec<&TableEntry> = entries.iter().filter(|entry| filter.admits(entry)).collect();
    if matches!(filter, Filter::Key(_)) && meant.iter().any(|entry| entry.uses > 0) {
        return Err(Answer::refusal("Entry currently in use, cannot remove\n"));
    }
    let keys: Vec<String> = meant.iter().map(|entry| entry.key.clone()).collect();
    if keys.is_empty() {
        return Ok(Answer::done());
    }
    let table = table.name;
    order(subject, Order::ClearTable { table, keys }).await
}

/// Creates or changes the entry of one key. Of the data only `server_id` can be stored, in a sticky
/// table.
pub(super) async fn set<S: Subject>(words: &Words, level: Level, subject: &Arc<S>) -> Reply {
    const USAGE: &str = "Required arguments: <table> key <key> [data.<store_data_type> <value>]*\n";
    let refused = |text: &str| Err(Answer::refusal(text));
    if words.at(2).is_empty() {
        return refused(USAGE);
    }
    let (table, _) = named(words, &**subject)?;
    match words.at(3) {
        "" => return Ok(Answer::done()),
        "key" => {}
        word if word.starts_with("data.") => {
            return refused(
                "content-based lookup is only supported with the \"show\" and \"clear\" actions\n",
            );
        }
        _ => return refused(USAGE),
    }
    if words.at(4).is_empty() {
        return refused("Key value expected\n");
    }
    let Ok(key) = words.at(4).parse::<Ipv6Addr>() else {
        return refused("Invalid key\n");
    };
    if level < Level::Operator {
        return refused(DENIED);
    }
    let is_sticky = find::backend(&subject.proxies(), &table.name).is_some();
    let (server, mistake) = stored(words, is_sticky);
    // HAProxy stores what comes before a mistake.
    if is_sticky {
        let set = Order::SetTable {
            table: table.name,
            key: key.to_canonical(),
            server,
        };
        order(subject, set).await?;
    }
    mistake.map_or_else(|| Ok(Answer::done()), refused)
}

impl Filter {
    /// A client that may not read everything is not allowed to select a key.
    fn read(words: &Words, level: Level, entries: &[TableEntry], usage: &str) -> Result<Filter, Answer> {
        match words.at(3) {
            "" => Ok(Filter::All),
            "key" => match Key::read(words.at(4), entries)? {
                _ if level < Level::Operator => Err(Answer::refusal(DENIED)),
                key => Ok(Filter::Key(key)),
            },
            word if word.starts_with("data.") => conditions(words, entries).map(Filter::Data),
            _ => Err(Answer::refusal(usage)),
        }
    }

    fn admits(&self, entry: &TableEntry) -> bool {
        match self {
            Filter::All => true,
            Filter::Key(key) => key.is(&entry.key),
            Filter::Data(conditions) => conditions.iter().all(|condition| condition.holds(entry)),
        }
    }
}

impl Key {
    fn read(typed: &str, entries: &[TableEntry]) -> Result<Key, Answer> {
        if typed.is_empty() {
            return Err(Answer::refusal("Key value expected\n"));
        }
        let address = typed.parse().ok();
        if address.is_none() && !entries.iter().any(|entry| entry.key == typed) {
            return Err(Answer::refusal("Invalid key\n"));
        }
        let typed = typed.to_owned();
        Ok(Key { typed, address })
    }

    fn is(&self, key: &str) -> bool {
        self.typed == key || (self.address.is_some() && self.address == address(key))
    }
}

impl Condition {
    fn holds(&self, entry: &TableEntry) -> bool {
        let mut data = entry.data.iter();
        let held = data
            .find(|(name, _)| bare(name) == self.datum)
            .map_or(0, |(_, value)| i128::from(*value));
        match self.operator {
            Operator::Equal => held == self.value,
            Operator::NotEqual => held != self.value,
            Operator::LessOrEqual => held <= self.value,
            Operator::GreaterOrEqual => held >= self.value,
            Operator::Less => held < self.value,
            Operator::Greater => held > self.value,
        }
    }
}

impl Operator {
    fn read(word: &str) -> Option<Operator> {
        match word {
            "eq" => Some(Operator::Equal),
            "ne" => Some(Operator::NotEqual),
            "le" => Some(Operator::LessOrEqual),
            "ge" => Some(Operator::GreaterOrEqual),
            "lt" => Some(Operator::Less),
            "gt" => Some(Operator::Greater),
            _ => None,
        }
    }
}

// Private

/// The number of the server in `data.NAME VALUE`, several times, and the first mistake there.
fn stored(words: &Words, is_sticky: bool) -> (Option<u32>, Option<&'static str>) {
    let mut server = None;
    for at in (5..).step_by(2).take_while(|at| !words.at(*at).is_empty()) {
        let Some(datum) = words.at(at).strip_prefix("data.") else {
            return (server, Some("\"data.<type>\" followed by a value expected\n"));
        };
        if !DATA.contains(&datum) {
            return (server, Some("Unknown data type\n"));
        }
        if !is_sticky || !matches!(datum, "server_id" | "server_key") {
            return (server, Some("Data type not stored in this table\n"));
        }
        let Ok(value) = words.at(at + 1).parse::<i64>() else {
            return (server, Some("Require a valid integer value to store\n"));
        };
        if datum == "server_id" {
            // HAProxy keeps the lowest 32 bits.
            server = u32::try_from(value & i64::from(u32::MAX)).ok();
        }
    }
    (server, None)
}

fn named<S: Subject>(words: &Words, subject: &S) -> Result<(TableFigures, Vec<TableEntry>), Answer> {
    let name = words.at(2);
    let table = subject.tables().into_iter().find(|table| table.name == name);
    table
        .zip(subject.entries(name))
        .ok_or_else(|| Answer::refusal("No such table\n"))
}

/// `data.NAME OPERATOR VALUE`, several times.
fn conditions(words: &Words, entries: &[TableEntry]) -> Result<Vec<Condition>, Answer> {
    let mut conditions = Vec::new();
    let mut at = 3;
    while conditions.len() < MAX_CONDITIONS && !words.at(at).is_empty() {
        let number = conditions.len() + 1;
        let wrong = |what: &str| Answer::refusal(format!("Filter entry #{number}: {what}\n"));
        // HAProxy skips the first five letters in all conditions but the first one.
        let datum = words.at(at).get(5..).unwrap_or_default();
        if !DATA.contains(&datum) {
            return Err(wrong("Unknown data type"));
        }
        if entries.first().is_some_and(|entry| !holds(entry, datum)) {
            return Err(wrong("Data type not stored in this table"));
        }
        let operator = Operator::read(words.at(at + 1)).ok_or_else(|| {
            wrong("Require and operator among \"eq\", \"ne\", \"le\", \"ge\", \"lt\", \"gt\"")
        })?;
        let value = words.at(at + 2).parse().ok();
        let value = value.filter(|_| datum != "server_key");
        let value = value.ok_or_else(|| wrong("Require a valid integer value to compare against"))?;
        conditions.push(Condition {
            datum: datum.to_owned(),
            operator,
            value,
        });
        at += 3;
    }
    if words.at(at).is_empty() {
        Ok(conditions)
    } else {
        Err(Answer::refusal(format!(
            "Detected extra data in filter, {}th word of input, after '{}'\n",
            at + 1,
            words.at(at - 1)
        )))
    }
}

/// Whether an entry has a datum; the server's name comes with its number.
fn holds(entry: &TableEntry, datum: &str) -> bool {
    let wanted = if datum == "server_key" { "server_id" } else { datum };
    entry.data.iter().any(|(name, _)| bare(name) == wanted)
}

/// `conn_rate(1000)` is called `conn_rate` in filters.
fn bare(datum: &str) -> &str {
    datum.split('(').next().unwrap_or_default()
}

fn head(table: &TableFigures) -> String {
    let TableFigures { name, size, used } = table;
    format!("# table: {name}, type: ipv6, size:{size}, used:{used}\n")
}

/// The names of the servers in a backend's table, by their numbers.
fn server_names<S: Subject>(backend: &str, subject: &S) -> Vec<(u64, String)> {
    let proxies = subject.proxies();
    let servers = find::backend(&proxies, backend).map(|it| &it.servers);
    let names = servers.into_iter().flatten();
    names
        .map(|server| (u64::from(server.id), server.name.clone()))
        .collect()
}

/// An entry's key as an address: IPv4 is mapped into IPv6, as in HAProxy's tables of type `ipv6`;
/// for a network, its first address.
fn address(key: &str) -> Option<Ipv6Addr> {
    match key.split('/').next()?.parse().ok()? {
        IpAddr::V4(address) => Some(address.to_ipv6_mapped()),
        IpAddr::V6(address) => Some(address),
    }
}

/// HAProxy begins with an address of its memory; programs expect a value there.
fn line(index: usize, entry: &TableEntry, servers: &[(u64, String)], text: &mut String) {
    let TableEntry {
        key, uses, expires, ..
    } = entry;
    let address = address(key).map(|address| address.to_string());
    let key = address.as_ref().unwrap_or(key);
    let pointer = (index + 1) * 16;
    let _infallible = write!(text, "{pointer:#014x}: key={key} use={uses} exp={expires}");
    for (name, value) in &entry.data {
        let _infallible = write!(text, " {name}={value}");
        if name == "server_id"
            && let Some((_, server)) = servers.iter().find(|(id, _)| id == value)
        {
            let _infallible = write!(text, " server_key={server}");
        }
    }
    text.push('\n');
}

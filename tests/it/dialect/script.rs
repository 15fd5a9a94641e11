//! The commands to send, and which parts of the answers must be equal.

/// How two answers are compared.
#[derive(Clone, Copy, Debug)]
pub enum Same {
    /// Every byte.
    Text,
    /// The part before the first `: ` of each line.
    Names,
    /// CSV: the header, the number of rows, and which columns are empty.
    Columns,
    /// `typed`: the whole line except its value.
    Kinds,
    /// The lines of a table: the number of words, and the first two words.
    Words,
}

/// The commands, in the order in which they are sent.
pub const SCRIPT: &[(&str, Same)] = &[
    ("show info", Same::Names),
    ("show info typed", Same::Kinds),
    ("show stat", Same::Columns),
    ("show stat -1 4 -1", Same::Columns),
    ("show stat be 4 2", Same::Columns),
    ("show stat 99 -1 -1", Same::Text),
    ("show stat nope -1 -1", Same::Text),
    ("show stat domain x", Same::Text),
    ("show stat no-maint", Same::Columns),
    ("show stat typed", Same::Kinds),
    ("show stat typed desc", Same::Kinds),
    ("show servers state", Same::Words),
    ("show servers state be", Same::Words),
    ("show servers state nope", Same::Text),
    ("show servers conn", Same::Words),
    ("show backend", Same::Text),
    ("show schema json", Same::Text),
    ("show table", Same::Text),
    ("show table nope", Same::Text),
    ("show table be data.nope eq 1", Same::Text),
    ("show table be data.server_id", Same::Text),
    ("show table be data.server_id eq x", Same::Text),
    ("show table be data.server_id eq 1 data.server_id", Same::Text),
    ("show table be nope", Same::Text),
    ("show table be key", Same::Text),
    ("show table be key x", Same::Text),
    ("show table be key ::1", Same::Text),
    ("set table", Same::Text),
    ("set table be", Same::Text),
    ("set table be nope", Same::Text),
    ("set table nope key ::1", Same::Text),
    ("set table be data.server_id eq 1", Same::Text),
    ("set table be key", Same::Text),
    ("set table be key 127.0.0.9", Same::Text),
    ("set table be key ::1 nope 1", Same::Text),
    ("set table be key ::1 data.nope 1", Same::Text),
    ("set table be key ::1 data.gpc0 1", Same::Text),
    ("set table be key ::1 data.server_id", Same::Text),
    ("set table be key ::1 data.server_id x", Same::Text),
    ("set table be key ::1 data.server_id 1 2", Same::Text),
    ("set table be key ::ffff:127.0.0.9 data.server_id 1", Same::Text),
    ("help set table", Same::Text),
    ("clear table", Same::Text),
    ("clear table be", Same::Text),
    ("clear table be key x", Same::Text),
    ("clear table be data.server_id eq 3", Same::Text),
    ("show cli level", Same::Text),
    ("show env CLUSTERCTL_NO_SUCH_VARIABLE", Same::Text),
    ("show errors nope", Same::Text),
    ("show sess 0x1", Same::Text),
    ("shutdown session 0x1", Same::Text),
    ("shutdown session x", Same::Text),
    ("get weight be/s1", Same::Text),
    ("get weight be", Same::Text),
    ("get weight nope/s1", Same::Text),
    ("get weight be/nope", Same::Text),
    ("set weight be/s1 50%", Same::Text),
    ("get weight be/s1", Same::Text),
    ("set weight be/s1", Same::Text),
    ("set weight be/s1 300", Same::Text),
    ("set weight be/s1 x", Same::Text),
    ("set weight be/s1 5x", Same::Text),
    ("set weight be/s1 -5%", Same::Text),
    ("set server be/s1 weight 100", Same::Text),
    ("set server", Same::Text),
    ("set server be/s1", Same::Text),
    ("set server be/s1 nope", Same::Text),
    ("set server be/s1 state nope", Same::Text),
    ("set server be/s1 state drain", Same::Text),
    ("show stat be 4 1", Same::Columns),
    ("show servers state", Same::Words),
    ("set server be/s1 state ready", Same::Text),
    ("set server be/s1 health nope", Same::Text),
    ("set server be/s1 health down", Same::Text),
    ("set server be/s1 health up", Same::Text),
    ("set server be/s1 agent up", Same::Text),
    ("set server be/s1 agent-addr", Same::Text),
    ("set server be/s1 agent-port", Same::Text),
    ("set server be/s1 agent-port 1", Same::Text),
    ("set server be/s1 check-addr", Same::Text),
    ("set server be/s1 check-port", Same::Text),
    ("set server free/s1 check-port 1", Same::Text),
    ("set server be/s1 fqdn", Same::Text),
    ("set server be/s1 fqdn x", Same::Text),
    ("set server be/s1 ssl on", Same::Text),
    ("set server free/s1 addr", Same::Text),
    ("set server free/s1 addr nope", Same::Text),
    ("set server free/s1 addr 127.0.0.2 port 9", Same::Text),
    ("set server free/s1 addr 127.0.0.2 port 9", Same::Text),
    ("set server free/s1 addr 127.0.0.2 port", Same::Text),
    ("set server free/s1 addr ::1", Same::Text),
    ("disable server free/s1", Same::Text),
    ("show stat free 4 1", Same::Columns),
    ("enable server free/s1", Same::Text),
    ("add server", Same::Text),
    ("add server be", Same::Text),
    ("add server be/", Same::Text),
    ("add server /x", Same::Text),
    ("add server nope/x 127.0.0.1:1", Same::Text),
    ("add server be/x", Same::Text),
    ("add server be/s1 127.0.0.1:1", Same::Text),
    ("add server be/a,b 127.0.0.1:1", Same::Text),
    ("add server be/a/b 127.0.0.1:1", Same::Text),
    ("add server be/x 127.0.0.1:99999", Same::Text),
    ("add server be/x 127.0.0.1:x", Same::Text),
    ("add server be/x 127.0.0.1:80-90", Same::Text),
    ("add server be/x 127.0.0.1:1 nope", Same::Text),
    ("add server be/s1 127.0.0.1:1 nope", Same::Text),
    ("add server be/x 127.0.0.1:1 cookie x", Same::Text),
    ("add server be/x 127.0.0.1:1 no-check", Same::Text),
    ("add server be/x 127.0.0.1:1 id", Same::Text),
    ("add server be/x 127.0.0.1:1 id x", Same::Text),
    ("add server be/x 127.0.0.1:1 id -1", Same::Text),
    ("add server be/x 127.0.0.1:1 weight 257", Same::Text),
    ("add server be/x 127.0.0.1:1 weight -1", Same::Text),
    ("add server be/x 127.0.0.1:1 check inter", Same::Text),
    ("add server be/x 127.0.0.1:1 check inter x", Same::Text),
    ("add server be/x 127.0.0.1:1 check inter 0", Same::Text),
    ("add server be/x 127.0.0.1:1 check fastinter 2w", Same::Text),
    ("add server be/x 127.0.0.1:1 check inter 999d", Same::Text),
    ("add server be/x 127.0.0.1:1 check rise", Same::Text),
    ("add server be/x 127.0.0.1:1 check rise 0", Same::Text),
    ("add server be/x 127.0.0.1:1 check fall x", Same::Text),
    ("add server be/x 127.0.0.1:1 check port", Same::Text),
    ("add server be/x 127.0.0.1:1 check addr", Same::Text),
    ("add server be/x 127.0.0.1:1 check addr x", Same::Text),
    ("add server be/x 127.0.0.1:1 on-marked-down x", Same::Text),
    ("add server be/x 127.0.0.1:1 track", Same::Text),
    ("add server be/x 127.0.0.1:1 track nope/s1", Same::Text),
    ("add server be/x 127.0.0.1:1 track be/nope", Same::Text),
    ("add server be/x 127.0.0.1:1 track free/s1", Same::Text),
    ("add server be/x 127.0.0.1:1 track be/s1 check", Same::Text),
    ("operator;add server be/x 127.0.0.1:1", Same::Text),
    ("operator;del server be/s1", Same::Text),
    (
        "set severity-output number;add server free/n1 127.0.0.1:1",
        Same::Text,
    ),
    ("show stat free 4 2", Same::Columns),
    ("show servers state free", Same::Words),
    ("get weight free/n1", Same::Text),
    ("enable health free/n1", Same::Text),
    ("add server free/n1 127.0.0.1:1", Same::Text),
    ("add server free/n2 127.0.0.1:1 id 2", Same::Text),
    (
        "add server free/n2 127.0.0.1:1 check inter 1h rise 1 fall 9 weight 7 maxconn 3 id 9",
        Same::Text,
    ),
    ("get weight free/n2", Same::Text),
    ("show stat free 4 9", Same::Columns),
    ("enable health free/n2", Same::Text),
    ("show servers state free", Same::Words),
    ("disable health free/n2", Same::Text),
    ("show servers state free", Same::Words),
    ("add server free/n3 [::1]:1 enabled", Same::Text),
    ("show stat free 4 3", Same::Columns),
    ("del server", Same::Text),
    ("del server free", Same::Text),
    ("del server free/", Same::Text),
    ("del server nope/n1", Same::Text),
    ("del server free/nope", Same::Text),
    ("del server free/n3", Same::Text),
    ("del server web/s1", Same::Text),
    ("set server free/n1 state ready", Same::Text),
    ("del server free/n1", Same::Text),
    ("set server free/n1 state drain", Same::Text),
    ("del server free/n1", Same::Text),
    ("set server free/n1 state maint", Same::Text),
    ("set severity-output number;del server free/n1", Same::Text),
    ("set severity-output number;del server free/n1", Same::Text),
    ("del server free/n2", Same::Text),
    ("disable server free/n3", Same::Text),
    ("del server free/n3", Same::Text),
    ("show servers state free", Same::Words),
    ("set server shadow/s1 health down", Same::Text),
    ("set server shadow/s1 health nope", Same::Text),
    ("set server shadow/s1 check-port 1", Same::Text),
    ("enable health shadow/s1", Same::Text),
    ("disable health shadow/s1", Same::Text),
    ("set server shadow/s1 state drain", Same::Text),
    ("show stat shadow 4 1", Same::Columns),
    ("set server shadow/s1 state ready", Same::Text),
    ("disable server nope/s1", Same::Text),
    ("disable health be/s1", Same::Text),
    ("enable health be/s1", Same::Text),
    ("enable health free/s1", Same::Text),
    ("enable agent be/s1", Same::Text),
    ("disable agent be/s1", Same::Text),
    ("set maxconn server be/s1", Same::Text),
    ("set maxconn server be/s1 x", Same::Text),
    ("set maxconn server be/s1 5x", Same::Text),
    ("set maxconn server be/s1 100", Same::Text),
    ("set maxconn frontend", Same::Text),
    ("set maxconn frontend nope 5", Same::Text),
    ("set maxconn frontend fe", Same::Text),
    ("set maxconn frontend fe -1", Same::Text),
    ("set maxconn frontend fe 500", Same::Text),
    ("set maxconn global", Same::Text),
    ("set maxconn global 99999999", Same::Text),
    ("set maxconn global 500", Same::Text),
    ("set maxconn nope", Same::Text),
    ("clear counters", Same::Text),
    ("clear counters all", Same::Text),
    ("set timeout cli", Same::Text),
    ("set timeout cli x", Same::Text),
    ("set timeout cli 0", Same::Text),
    ("set timeout cli 5m", Same::Text),
    ("set timeout nope", Same::Text),
    ("set severity-output", Same::Text),
    ("set severity-output number;get weight nope", Same::Text),
    ("expert-mode", Same::Text),
    ("expert-mode on;expert-mode;experimental-mode", Same::Text),
    (
        "user;show cli level;disable server be/s1;show env;show sess",
        Same::Text,
    ),
    ("user;show table be key ::1;clear table be key ::1", Same::Text),
    ("operator;disable frontend fe;clear counters all", Same::Text),
    ("disable frontend nope", Same::Text),
    ("disable frontend fe", Same::Text),
    ("disable frontend fe", Same::Text),
    ("show stat fe 1 -1", Same::Columns),
    ("enable frontend fe", Same::Text),
    ("enable frontend fe", Same::Text),
    ("shutdown sessions server be/s1", Same::Text),
    ("shutdown sessions server be", Same::Text),
    ("shutdown sessions", Same::Text),
    ("shutdown", Same::Text),
    ("show sta", Same::Text),
    ("sho stat", Same::Text),
    ("clear tables", Same::Text),
    ("help show stat", Same::Text),
    ("help weight", Same::Text),
    ("quit;show cli level", Same::Text),
    ("prompt;show cli level;quit", Same::Text),
    ("  show\t cli  level ", Same::Text),
    ("get weight be/s\\1", Same::Text),
    ("get weight be\\;x", Same::Text),
    ("shutdown frontend fe", Same::Text),
    ("shutdown frontend fe", Same::Text),
    ("enable frontend fe", Same::Text),
    ("disable frontend fe", Same::Text),
];

/// Columns that are filled only once a check has run, or only by connections that HAProxy keeps.
const TIMING: &[&str] = &["check_code", "last_chk", "throttle", "src_ilim"];

impl Same {
    /// The parts to compare, line by line.
    pub fn shape(self, answer: &str) -> Vec<String> {
        let lines = answer.lines();
        match self {
            Same::Text => answer.split_inclusive('\n').map(str::to_owned).collect(),
            Same::Names => lines
                .map(|line| line.split(": ").next().unwrap().to_owned())
                .collect(),
            Same::Kinds => lines
                .filter(|line| !TIMING.iter().any(|name| line.contains(&format!(".{name}."))))
                .map(|line| {
                    let parts: Vec<&str> = line.splitn(4, ':').collect();
                    let described = line.rsplit_once(":\"").map_or("", |(_, sentence)| sentence);
                    format!("{} {described}", parts[..parts.len().min(3)].join(":"))
                })
                .collect(),
            Same::Words => lines
                .map(|line| {
                    let words: Vec<&str> = line.split(' ').collect();
                    match words[..] {
                        [first, second, ..] if first != "#" => format!("{} {first} {second}", words.len()),
                        _ => line.to_owned(),
                    }
                })
                .collect(),
            Same::Columns => columns(answer),
        }
    }
}

fn columns(answer: &str) -> Vec<String> {
    let mut lines = answer.lines();
    let header = lines.next().unwrap_or_default();
    let names: Vec<&str> = header.trim_start_matches("# ").split(',').collect();
    let rows = lines.map(|line| {
        let filled = names
            .iter()
            .zip(line.split(','))
            .filter(|(name, value)| !value.is_empty() && !TIMING.contains(name));
        let shown = filled.map(|(name, value)| match *name {
            // The values of these columns are always the same.
            "pxname" | "svname" | "status" | "iid" | "sid" | "pid" | "type" | "mode" | "algo" | "act"
            | "bck" => {
                format!("{name}={value}")
            }
            name => name.to_owned(),
        });
        shown.collect::<Vec<_>>().join(" ")
    });
    std::iter::once(header.to_owned()).chain(rows).collect()
}

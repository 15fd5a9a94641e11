//! The statistics page for people: complete, without anything to load from other places.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::figures::{
    BackendFigures, CheckFigures, FrontendFigures, ProcessFigures, Proxies, ServerFigures, Traffic,
};
use super::super::info::VERSION;
use super::super::state;
use super::number::{bytes, grouped, time};

/// Seconds after which a browser reloads the page.
const REFRESH: u32 = 5;

/// The page; browsers reload it if `refresh` is set.
pub(super) fn page(process: &ProcessFigures, proxies: &Proxies, refresh: bool) -> String {
    let mut page = String::with_capacity(16 * 1_024);
    let node = escaped(&process.node);
    let renew = if refresh {
        format!("<meta http-equiv=\"refresh\" content=\"{REFRESH}\">")
    } else {
        String::new()
    };
    let _infallible = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{node}: statistics</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">{renew}\
         <link rel=\"icon\" href=\"data:,\"><style>{}</style></head><body>\
         <header><h1>{node}</h1><p>pid {}, up for {}</p><nav><a href=\"/stats;csv\">CSV</a>\
         <a href=\"/stats;json\">JSON</a><a href=\"/metrics\">Metrics</a>{}</nav></header><main>",
        include_str!("style.css"),
        process.pid,
        time(process.uptime),
        if refresh {
            "<a href=\"/stats;norefresh\">Hold</a>"
        } else {
            "<a href=\"/stats\">Follow</a>"
        },
    );
    tiles(process, proxies, &mut page);
    frontends(&proxies.frontends, &mut page);
    for backend in &proxies.backends {
        self::backend(backend, &mut page);
    }
    let _infallible = writeln!(
        page,
        "</main><footer>clusterctl speaks HAProxy's dialect, {VERSION}.{}</footer></body></html>",
        if refresh {
            format!(" Renewed every {REFRESH} seconds.")
        } else {
            String::new()
        },
    );
    page
}

// Private

fn tiles(process: &ProcessFigures, proxies: &Proxies, page: &mut String) {
    let servers = || proxies.backends.iter().flat_map(|backend| &backend.servers);
    let up = servers().filter(|server| state::is_usable(server)).count();
    let denied: u64 = proxies.frontends.iter().map(|it| it.denied_connections).sum();
    page.push_str("<div class=\"tiles\">");
    let (now, most) = (u64::from(process.connections), u64::from(process.maxconn));
    tile(
        &grouped(now),
        &format!("connections of {}{}", grouped(most), track(now, most)),
        page,
    );
    tile(
        &grouped(u64::from(process.connection_rate)),
        &format!(
            "new per second, peak {}",
            grouped(u64::from(process.connection_rate_max))
        ),
        page,
    );
    tile(
        &grouped(process.connections_total),
        &format!("connections so far, {} refused", grouped(denied)),
        page,
    );
    tile(
        &format!("{}/s", bytes(process.bytes_out_rate)),
        &format!("sent, {} so far", bytes(process.bytes_out)),
        page,
    );
    tile(
        &format!("{up} of {}", servers().count()),
        "servers take new clients",
        page,
    );
    tile(
        &format!("{} %", process.idle_percent),
        &format!("idle, {} threads", process.threads),
        page,
    );
    page.push_str("</div>");
}

fn tile(value: &str, about: &str, page: &mut String) {
    let _infallible = write!(
        page,
        "<div class=\"tile\"><b>{value}</b><span>{about}</span></div>"
    );
}

fn frontends(frontends: &[FrontendFigures], page: &mut String) {
    page.push_str(
        "<section><div><h2>Frontends</h2></div><div class=\"wide\"><table><tr><th>Frontend</th>\
         <th class=\"left\">State</th><th>Sessions</th><th>Most</th><th>Total</th><th>New/s</th><th>Bytes in</th>\
         <th>Bytes out</th><th>Refused</th><th>Held back</th></tr>",
    );
    for it in frontends {
        let listen: Vec<String> = it.listen.iter().map(ToString::to_string).collect();
        let (now, limit) = (u64::from(it.sessions), u64::from(it.sessions_limit));
        let _infallible = write!(
            page,
            "<tr><td>{}{}</td><td class=\"left\">{}</td><td>{}{}</td><td>{}</td><td>{}</td>\
             <td>{}<small>peak {}</small></td><td>{}</td><td>{}</td>{}{}</tr>",
            escaped(&it.name),
            if listen.is_empty() {
                String::new()
            } else {
                format!("<small>{} → {}</small>", listen.join(" "), escaped(&it.backend))
            },
            pill(state::frontend_word(it.state)),
            grouped(now),
            track(now, limit),
            grouped(u64::from(it.sessions_max)),
            grouped(it.sessions_total),
            grouped(u64::from(it.session_rate)),
            grouped(u64::from(it.session_rate_max)),
            bytes(it.bytes_in),
            bytes(it.bytes_out),
            bad(it.denied_connections, "connections"),
            bad(it.denied_messages, "messages"),
        );
    }
    page.push_str("</table></div></section>");
}

fn backend(backend: &BackendFigures, page: &mut String) {
    let _infallible = write!(
        page,
        "<section><div><h2>{}</h2>{}<span class=\"note\">{}, {} of {} servers take new clients</span></div>\
         <div class=\"wide\"><table><tr><th>Server</th><th class=\"left\">State</th><th class=\"left\">Check</th>\
         <th>Weight</th><th>Queue</th><th>Sessions</th><th>Most</th><th>Total</th><th>New/s</th><th>Bytes in</th>\
         <th>Bytes out</th><th>Errors</th><th>Was down</th></tr>",
        escaped(&backend.name),
        pill(state::backend_word(backend)),
        backend.algorithm.name(),
        state::usable(backend),
        backend.servers.len(),
    );
    let busiest = backend
        .servers
        .iter()
        .map(|it| u64::from(it.traffic.sessions))
        .max()
        .unwrap_or(0);
    for it in &backend.servers {
        let address = it.address.map(|address| address.to_string()).unwrap_or_default();
        let line = Line {
            class: "",
            name: format!("{}<small>{address}</small>", escaped(&it.name)),
            state: since(&state::word(it), it.last_change),
            check: check(it.check.as_ref()),
            weight: weight(it),
            traffic: &it.traffic,
            // Without a limit of its own, compared with the busiest server.
            limit: if it.maxconn > 0 {
                u64::from(it.maxconn)
            } else {
                busiest
            },
            downs: it.times_down,
            downtime: it.downtime,
        };
        line.write(page);
    }
    let sum = Line {
        class: " class=\"sum\"",
        name: "all".to_owned(),
        state: since(state::backend_word(backend), backend.last_change),
        check: String::new(),
        weight: state::weight(backend).to_string(),
        traffic: &backend.traffic,
        limit: 0,
        downs: backend.times_down,
        downtime: backend.downtime,
    };
    sum.write(page);
    page.push_str("</table></div></section>");
}

/// The line of a server, or of a whole backend.
struct Line<'a> {
    class: &'static str,
    name: String,
    state: String,
    check: String,
    weight: String,
    traffic: &'a Traffic,
    limit: u64,
    downs: u64,
    downtime: u64,
}

impl Line<'_> {
    fn write(&self, page: &mut String) {
        let it = self.traffic;
        let errors = it.connect_errors + it.server_aborts;
        let now = u64::from(it.sessions);
        let _infallible = write!(
            page,
            "<tr{}><td>{}</td><td class=\"left\">{}</td><td class=\"left check\">{}</td><td>{}</td>\
             <td>{}<small>peak {}</small></td><td>{}{}</td><td>{}</td><td>{}</td>\
             <td>{}<small>peak {}</small></td><td>{}</td><td>{}</td>{}<td>{}<small>{}</small></td></tr>",
            self.class,
            self.name,
            self.state,
            self.check,
            self.weight,
            grouped(u64::from(it.queued)),
            grouped(u64::from(it.queued_max)),
            grouped(now),
            track(now, self.limit),
            grouped(u64::from(it.sessions_max)),
            grouped(it.sessions_total),
            grouped(u64::from(it.session_rate)),
            grouped(u64::from(it.session_rate_max)),
            bytes(it.bytes_in),
            bytes(it.bytes_out),
            bad(
                errors,
                &format!("{} tried again", grouped(it.retries + it.redispatches))
            ),
            times(self.downs),
            seconds(self.downtime),
        );
    }
}

fn weight(server: &ServerFigures) -> String {
    match server.throttle {
        Some(share) => format!(
            "{}<small>{share} % of {}</small>",
            server.weight, server.user_weight
        ),
        None => server.weight.to_string(),
    }
}

fn check(check: Option<&CheckFigures>) -> String {
    let Some(check) = check else {
        return "<small>not checked</small>".to_owned();
    };
    if !check.enabled {
        return "<small>paused</small>".to_owned();
    }
    let took = check
        .duration
        .map(|millis| format!(" in {millis} ms"))
        .unwrap_or_default();
    let said = if check.said.is_empty() {
        state::check_sentence(check).to_owned()
    } else {
        escaped(&check.said)
    };
    format!("{}{took}<small>{said}</small>", state::check_word(check))
}

fn since(word: &str, age: u64) -> String {
    format!("{}<small>for {}</small>", pill(word), seconds(age))
}

/// A state in its colour; one that is about to change is marked.
fn pill(word: &str) -> String {
    let class = match word.split(' ').next().unwrap_or_default() {
        _ if word.contains('/') => "wait",
        "UP" | "OPEN" => "up",
        "DOWN" | "STOP" => "down",
        "DRAIN" | "NOLB" => "rest",
        "MAINT" | "PAUSED" => "wait",
        _ => "none",
    };
    format!("<span class=\"pill {class}\">{word}</span>")
}

/// A bar that shows the utilization.
fn track(now: u64, most: u64) -> String {
    if most == 0 {
        return String::new();
    }
    let share = (now.saturating_mul(100) / most).min(100);
    format!("<span class=\"track\"><i style=\"width:{share}%\"></i></span>")
}

/// A number that should be 0.
fn bad(number: u64, about: &str) -> String {
    let class = if number > 0 { " class=\"bad\"" } else { "" };
    format!("<td{class}>{}<small>{about}</small></td>", grouped(number))
}

fn times(number: u64) -> String {
    match number {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        number => format!("{} times", grouped(number)),
    }
}

fn seconds(number: u64) -> String {
    time(Duration::from_secs(number))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

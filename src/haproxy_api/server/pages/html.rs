//! The statistics page for people: the template `templates/stats.html.tera`, filled.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Serialize;
use tera::{Context, Kwargs, State, Tera};

use super::super::figures::{
    BackendFigures, CheckFigures, FrontendFigures, ProcessFigures, Proxies, ServerFigures, Traffic,
};
use super::super::info::VERSION;
use super::super::state;
use super::number::{bytes, grouped, time};

/// Seconds after which a browser reloads the page.
const REFRESH_SECONDS: u32 = 5;

/// The template's name; by its suffix all values are escaped for HTML.
const NAME: &str = "stats.html";

/// The template, parsed once.
static TEMPLATE: LazyLock<Result<Tera, tera::Error>> = LazyLock::new(|| {
    let mut tera = Tera::default();
    tera.register_filter("grouped", |number: u64, _: Kwargs, _: &State| grouped(number));
    tera.register_filter("bytes", |number: u64, _: Kwargs, _: &State| bytes(number));
    tera.register_filter("time", |seconds: u64, _: Kwargs, _: &State| {
        time(Duration::from_secs(seconds))
    });
    tera.add_raw_templates([
        ("stats.css", include_str!("../../../../templates/stats.css")),
        (NAME, include_str!("../../../../templates/stats.html.tera")),
    ])?;
    Ok(tera)
});

/// The page; browsers reload it if `refresh` is set.
///
/// # Errors
/// When the template cannot be parsed or filled, as text.
pub(super) fn page(process: &ProcessFigures, proxies: &Proxies, refresh: bool) -> Result<String, String> {
    let tera = TEMPLATE.as_ref().map_err(ToString::to_string)?;
    let view = View::new(process, proxies, refresh);
    Context::from_serialize(&view)
        .and_then(|context| tera.render(NAME, &context))
        .map_err(|error| error.to_string())
}

/// The values of the template.
#[derive(Serialize)]
struct View<'a> {
    process: &'a ProcessFigures,
    /// Connections that were refused, at all frontends.
    denied: u64,
    usable: u32,
    servers: usize,
    frontends: Vec<FrontendView<'a>>,
    backends: Vec<BackendView<'a>>,
    /// Seconds until a browser reloads the page, if it does.
    refresh: Option<u32>,
    version: &'static str,
}

#[derive(Serialize)]
struct FrontendView<'a> {
    state: &'static str,
    figures: &'a FrontendFigures,
}

#[derive(Serialize)]
struct BackendView<'a> {
    name: &'a str,
    state: &'static str,
    algorithm: &'static str,
    usable: u32,
    servers: usize,
    /// Each server, then the whole backend.
    rows: Vec<Row<'a>>,
}

/// A server, or a whole backend.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    /// A server's address, which may be empty; none for a backend.
    address: Option<String>,
    state: String,
    last_change: u64,
    check: String,
    check_note: String,
    weight: u32,
    weight_note: String,
    traffic: &'a Traffic,
    /// The number of sessions that fills the bar; 0 for no bar.
    limit: u32,
    times_down: u64,
    downtime: u64,
}

impl<'a> View<'a> {
    fn new(process: &'a ProcessFigures, proxies: &'a Proxies, refresh: bool) -> View<'a> {
        let frontends = proxies.frontends.iter().map(|figures| FrontendView {
            state: state::frontend_word(figures.state),
            figures,
        });
        View {
            process,
            denied: proxies.frontends.iter().map(|it| it.denied_connections).sum(),
            usable: proxies.backends.iter().map(state::usable).sum(),
            servers: proxies.backends.iter().map(|it| it.servers.len()).sum(),
            frontends: frontends.collect(),
            backends: proxies.backends.iter().map(BackendView::new).collect(),
            refresh: refresh.then_some(REFRESH_SECONDS),
            version: VERSION,
        }
    }
}

impl<'a> BackendView<'a> {
    fn new(backend: &'a BackendFigures) -> BackendView<'a> {
        let sessions = backend.servers.iter().map(|it| it.traffic.sessions);
        let busiest = sessions.max().unwrap_or(0);
        let servers = backend.servers.iter().map(|it| Row::server(it, busiest));
        BackendView {
            name: &backend.name,
            state: state::backend_word(backend),
            algorithm: backend.algorithm.name(),
            usable: state::usable(backend),
            servers: backend.servers.len(),
            rows: servers.chain([Row::sum(backend)]).collect(),
        }
    }
}

impl<'a> Row<'a> {
    /// A server without a limit of its own is compared with the `busiest` one.
    fn server(server: &'a ServerFigures, busiest: u32) -> Row<'a> {
        let address = server.address.map(|address| address.to_string());
        let (check, check_note) = match &server.tracked {
            Some(tracked) => (String::new(), format!("as {}", tracked.name)),
            None => check(server.check.as_ref()),
        };
        let slow_start = server
            .throttle
            .map(|share| format!("{share} % of {}", server.user_weight));
        Row {
            name: &server.name,
            address: Some(address.unwrap_or_default()),
            state: state::word(server),
            last_change: server.last_change,
            check,
            check_note,
            weight: server.weight.into(),
            weight_note: slow_start.unwrap_or_default(),
            traffic: &server.traffic,
            limit: if server.maxconn > 0 {
                server.maxconn
            } else {
                busiest
            },
            times_down: server.times_down,
            downtime: server.downtime,
        }
    }

    fn sum(backend: &'a BackendFigures) -> Row<'a> {
        Row {
            name: "all",
            address: None,
            state: state::backend_word(backend).to_owned(),
            last_change: backend.last_change,
            check: String::new(),
            check_note: String::new(),
            weight: state::weight(backend),
            weight_note: String::new(),
            traffic: &backend.traffic,
            limit: 0,
            times_down: backend.times_down,
            downtime: backend.downtime,
        }
    }
}

// Private

/// The last result of a server's checks, and a note on it.
fn check(check: Option<&CheckFigures>) -> (String, String) {
    let Some(check) = check else {
        return (String::new(), "not checked".to_owned());
    };
    if !check.enabled {
        return (String::new(), "paused".to_owned());
    }
    let word = state::check_word(check);
    let result = check
        .duration
        .map_or_else(|| word.to_owned(), |millis| format!("{word} in {millis} ms"));
    let note = if check.detail.is_empty() {
        state::check_sentence(check)
    } else {
        &check.detail
    };
    (result, note.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy_api::server::{FrontendState, HttpFigures, TrackedFigures};
    use crate::profile::Algorithm;

    fn process() -> ProcessFigures {
        ProcessFigures {
            node: "a<b>&'c\"".to_owned(),
            pid: 7,
            uptime: Duration::from_secs(90_061),
            threads: 2,
            connections: 1_234,
            maxconn: 25_000,
            connections_total: 1_234_567,
            connection_rate: 6,
            connection_rate_max: 1_000,
            bytes_out: 5_400_000_000,
            bytes_out_rate: 999,
            idle_percent: 97,
            ..ProcessFigures::default()
        }
    }

    fn frontend(name: &str) -> FrontendFigures {
        FrontendFigures {
            name: name.to_owned(),
            backend: "be&1".to_owned(),
            listen: vec!["127.0.0.1:80".parse().unwrap(), "[::1]:80".parse().unwrap()],
            sessions: 50,
            sessions_limit: 40,
            denied_connections: 1_001,
            ..FrontendFigures::default()
        }
    }

    fn server(name: &str) -> ServerFigures {
        ServerFigures {
            name: name.to_owned(),
            address: Some("127.0.0.1:81".parse().unwrap()),
            user_weight: 100,
            weight: 100,
            check: Some(CheckFigures {
                enabled: true,
                status: "L7OK",
                duration: Some(0),
                health: 4,
                rise: 2,
                fall: 3,
                ..CheckFigures::default()
            }),
            ..ServerFigures::default()
        }
    }

    fn backend(name: &str, servers: Vec<ServerFigures>) -> BackendFigures {
        BackendFigures {
            name: name.to_owned(),
            id: 4,
            algorithm: Algorithm::Leastconn,
            cookie: None,
            traffic: Traffic::default(),
            sessions_limit: 0,
            last_change: 59,
            downtime: 61,
            times_down: 1,
            servers,
        }
    }

    /// The page of `proxies`, without white space between its elements.
    fn shown(proxies: &Proxies) -> String {
        let page = page(&process(), proxies, true).unwrap();
        let lines: Vec<&str> = page.lines().map(str::trim).collect();
        lines.concat()
    }

    fn with_server(server: ServerFigures) -> String {
        shown(&Proxies {
            frontends: Vec::new(),
            backends: vec![backend("be", vec![server])],
        })
    }

    #[track_caller]
    fn contains(page: &str, part: &str) {
        assert!(page.contains(part), "{part}: {page}");
    }

    #[test]
    fn the_embedded_template_parses_and_needs_no_figures() {
        assert!(TEMPLATE.is_ok(), "{:?}", TEMPLATE.as_ref().err());
        page(&ProcessFigures::default(), &Proxies::default(), false).unwrap();
    }

    #[test]
    fn the_head_has_the_process_and_how_to_hold_the_page() {
        let following = shown(&Proxies::default());
        for part in [
            "<title>a&lt;b&gt;&amp;&#39;c&quot;: statistics</title>",
            "<p>pid 7, up for 1 d 1 h</p>",
            "<meta http-equiv=\"refresh\" content=\"5\">",
            ">Hold</a>",
            "<b>1,234</b><span>connections of 25,000<span class=\"track\"><i style=\"width:4%\"></i></span></span>",
            "<b>999 B/s</b><span>sent, 5.4 GB so far</span>",
            "<b>0 of 0</b><span>servers take new clients</span>",
            " Renewed every 5 seconds.</footer>",
        ] {
            contains(&following, part);
        }
        let held = page(&process(), &Proxies::default(), false).unwrap();
        contains(&held, ">Follow</a>");
        assert!(
            !held.contains("http-equiv") && !held.contains("Renewed"),
            "{held}"
        );
    }

    #[test]
    fn a_frontend_has_its_addresses_and_its_share_of_the_limit() {
        let page = shown(&Proxies {
            frontends: vec![frontend("<fe>")],
            backends: Vec::new(),
        });
        for part in [
            "<td>&lt;fe&gt;<small>127.0.0.1:80 [::1]:80 → be&amp;1</small></td>",
            "<td class=\"left\"><span class=\"pill up\">OPEN</span></td>",
            "<td>50<span class=\"track\"><i style=\"width:100%\"></i></span></td>",
            "<td class=\"bad\">1,001<small>connections</small></td><td>0<small>messages</small></td>",
        ] {
            contains(&page, part);
        }
        let silent = shown(&Proxies {
            frontends: vec![FrontendFigures {
                listen: Vec::new(),
                sessions_limit: 0,
                state: FrontendState::Paused,
                ..frontend("fe")
            }],
            backends: Vec::new(),
        });
        contains(
            &silent,
            "<td>fe</td><td class=\"left\"><span class=\"pill wait\">PAUSED</span></td><td>50</td>",
        );
    }

    #[test]
    fn a_server_has_its_state_check_and_weight() {
        let page = with_server(server("a\"b"));
        for part in [
            "<tr><td>a&quot;b<small>127.0.0.1:81</small></td>",
            "<span class=\"pill up\">UP</span><small>for 0 s</small>",
            "<td class=\"left check\">L7OK in 0 ms<small>Layer7 check passed</small></td><td>100</td>",
            "<td>never<small>0 s</small></td>",
            "<tr class=\"sum\"><td>all</td>",
            "<td class=\"left check\"></td><td>100</td>",
            "<td>once<small>1 min 1 s</small></td>",
        ] {
            contains(&page, part);
        }
        let starting = with_server(ServerFigures {
            weight: 50,
            throttle: Some(50),
            times_down: 1_000,
            ..server("s")
        });
        contains(&starting, "<td>50<small>50 % of 100</small></td>");
        contains(&starting, "<td>1,000 times<small>");
        let unchecked = with_server(ServerFigures {
            check: None,
            ..server("s")
        });
        contains(&unchecked, "<span class=\"pill none\">no check</span>");
        contains(
            &unchecked,
            "<td class=\"left check\"><small>not checked</small></td>",
        );
    }

    #[test]
    fn over_http_requests_and_their_answers_are_shown() {
        let http = Some(HttpFigures {
            requests: 1_002,
            denied_requests: 3,
            responses: [0, 990, 0, 1_001, 2, 0],
            ..HttpFigures::default()
        });
        let mut web = backend("web", vec![server("s")]);
        web.servers[0].traffic.http.clone_from(&http);
        web.servers[0].tracked = Some(TrackedFigures {
            name: "be/s".to_owned(),
            check: None,
        });
        let page = shown(&Proxies {
            frontends: vec![FrontendFigures {
                http,
                ..frontend("fe")
            }],
            backends: vec![web],
        });
        for part in [
            "<td>0<small>1,002 requests</small></td>",
            "<td class=\"bad\">3<small>requests refused</small></td>",
            "<td>0<small>1,001 4xx, 2 5xx</small></td>",
            "<td class=\"left check\"><small>as be/s</small></td>",
        ] {
            contains(&page, part);
        }
    }

    #[test]
    fn a_servers_state_has_its_colour() {
        for (state, class) in [
            ("UP", "up"),
            ("UP 1/3", "wait"),
            ("UP (2/3)", "wait"),
            ("DOWN", "down"),
            ("DRAIN", "rest"),
            ("NOLB", "rest"),
            ("MAINT (via b)", "wait"),
            ("", "none"),
        ] {
            let page = with_server(ServerFigures {
                reported_state: Some(state.to_owned()),
                ..server("s")
            });
            contains(&page, &format!("<span class=\"pill {class}\">{state}</span>"));
        }
    }
}

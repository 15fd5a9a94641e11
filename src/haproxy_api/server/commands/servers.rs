//! `show servers state`, which a new HAProxy could read, and `show servers conn`.

use std::fmt::Write as _;

use super::super::answer::Answer;
use super::super::figures::{BackendFigures, Health, Proxies, ServerFigures};
use super::super::line::Words;
use super::super::state;
use super::super::subject::Subject;
use super::{Reply, find};

const STATE: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
                     srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health \
                     srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord \
                     srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n";
const CONNECTIONS: &str = "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb \
                           safe_nb idle_lim idle_cur idle_per_thr";

pub(super) fn states<S: Subject>(words: &Words, subject: &S) -> Reply {
    let proxies = subject.proxies();
    let mut text = STATE.to_owned();
    for backend in backends(&proxies, words.at(3))? {
        for server in &backend.servers {
            text.push_str(&state_of(backend, server));
        }
    }
    Ok(Answer::figures(text))
}

/// Only connections over HTTP are kept idle for the next client.
pub(super) fn connections<S: Subject>(words: &Words, subject: &S) -> Reply {
    let proxies = subject.proxies();
    let threads = subject.process().threads;
    let mut text = format!("{CONNECTIONS}[{threads}]\n");
    for backend in backends(&proxies, words.at(3))? {
        for server in &backend.servers {
            let (address, port) = place(server);
            let (used, used_max, idle) = match &server.traffic.http {
                Some(http) => (
                    server.traffic.sessions,
                    server.traffic.sessions_max,
                    http.idle_connections.as_slice(),
                ),
                None => (0, 0, [].as_slice()),
            };
            let all_idle: u32 = idle.iter().sum();
            let _infallible = write!(
                text,
                "{}/{} {}/{} {address} {port} - 5000 {used} {used_max} {used} 0 {all_idle} -1 {all_idle}",
                backend.name, server.name, backend.id, server.id
            );
            for thread in 0..threads as usize {
                let _infallible = write!(text, " {}", idle.get(thread).unwrap_or(&0));
            }
            text.push('\n');
        }
    }
    Ok(Answer::figures(text))
}

// Private

fn backends<'a>(proxies: &'a Proxies, named: &str) -> Result<Vec<&'a BackendFigures>, Answer> {
    if named.is_empty() {
        return Ok(proxies.backends.iter().collect());
    }
    let found = find::backend(proxies, named);
    found
        .map(|backend| vec![backend])
        .ok_or_else(|| Answer::refusal("Can't find backend.\n"))
}

fn place(server: &ServerFigures) -> (String, u16) {
    server
        .address
        .map_or_else(|| ("-".to_owned(), 0), |it| (it.ip().to_string(), it.port()))
}

fn state_of(backend: &BackendFigures, server: &ServerFigures) -> String {
    /// Bits of a check's state.
    const CONFIGURED: u32 = 2;
    const ENABLED: u32 = 4;
    let (address, port) = place(server);
    let admin = server.admin;
    let admin = u32::from(admin.maint)
        + 2 * u32::from(admin.inherited_maint)
        + 8 * u32::from(admin.drain)
        + 16 * u32::from(admin.inherited_drain);
    let check = server.check.as_ref();
    let (status, result) = state::check_numbers(check);
    let level = match check {
        Some(check) => check.health,
        // A server without checks is as healthy as the default `rise`.
        None if server.health == Health::Up && !server.admin.is_maint() => 2,
        None => 0,
    };
    let checked = check.map_or(0, |check| CONFIGURED + if check.enabled { ENABLED } else { 0 });
    format!(
        "{} {} {} {} {address} {} {admin} {} {} {} {status} {result} {level} {checked} 0 0 0 - {port} - 0 0 - - 0\n",
        backend.id,
        backend.name,
        server.id,
        server.name,
        state::operation(server) as u8,
        server.user_weight,
        server.initial_weight,
        server.last_change,
    )
}

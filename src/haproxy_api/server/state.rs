//! HAProxy's words and numbers for states.

use super::figures::{BackendFigures, CheckFigures, FrontendState, Health, ServerFigures};

/// HAProxy's word for the last result of a check, its number in `show servers state`, its meaning
/// and its sentence.
struct Verdict {
    word: &'static str,
    number: u8,
    result: CheckResult,
    sentence: &'static str,
}

/// The meaning of a check's last result; the numbers are HAProxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckResult {
    Unknown = 0,
    Failed = 2,
    Passed = 3,
    PassedConditionally = 4,
}

/// Whether a server is up; the numbers are HAProxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Stopped = 0,
    Starting = 1,
    Running = 2,
}

const UNKNOWN: Verdict = verdict("UNK", 0, CheckResult::Unknown, "Unknown");

/// In HAProxy's order.
const VERDICTS: &[Verdict] = &[
    verdict("INI", 1, CheckResult::Unknown, "Initializing"),
    verdict("HANA", 4, CheckResult::Failed, "Health analyze"),
    verdict("SOCKERR", 5, CheckResult::Failed, "Socket error"),
    verdict("L4OK", 6, CheckResult::Passed, "Layer4 check passed"),
    verdict("L4TOUT", 7, CheckResult::Failed, "Layer4 timeout"),
    verdict("L4CON", 8, CheckResult::Failed, "Layer4 connection problem"),
    verdict("L6OK", 9, CheckResult::Passed, "Layer6 check passed"),
    verdict("L6TOUT", 10, CheckResult::Failed, "Layer6 timeout"),
    verdict("L6RSP", 11, CheckResult::Failed, "Layer6 invalid response"),
    verdict("L7TOUT", 12, CheckResult::Failed, "Layer7 timeout"),
    verdict("L7RSP", 13, CheckResult::Failed, "Layer7 invalid response"),
    verdict("L7OK", 15, CheckResult::Passed, "Layer7 check passed"),
    verdict(
        "L7OKC",
        16,
        CheckResult::PassedConditionally,
        "Layer7 check conditionally passed",
    ),
    verdict("L7STS", 17, CheckResult::Failed, "Layer7 wrong status"),
    verdict("PROCERR", 18, CheckResult::Failed, "External check error"),
    verdict("PROCTOUT", 19, CheckResult::Failed, "External check timeout"),
    verdict("PROCOK", 20, CheckResult::Passed, "External check passed"),
];

/// The words of completed checks, in HAProxy's order.
pub(super) fn check_words() -> impl Iterator<Item = &'static str> {
    VERDICTS
        .iter()
        .filter(|verdict| verdict.result != CheckResult::Unknown)
        .map(|verdict| verdict.word)
}

/// HAProxy's word for the state of a server's checks.
pub(super) fn check_word(check: &CheckFigures) -> &'static str {
    verdict_of(check).word
}

/// HAProxy's sentence for the state of a server's checks.
pub(super) fn check_sentence(check: &CheckFigures) -> &'static str {
    verdict_of(check).sentence
}

/// The number of the last check's result, and of its meaning.
pub(super) fn check_numbers(check: Option<&CheckFigures>) -> (u8, u8) {
    let verdict = check.map_or(&VERDICTS[0], verdict_of);
    (verdict.number, verdict.result as u8)
}

/// A frontend's state.
pub(super) const fn frontend_word(state: FrontendState) -> &'static str {
    match state {
        FrontendState::Open => "OPEN",
        FrontendState::Paused => "PAUSED",
        FrontendState::Stopped => "STOP",
    }
}

/// A backend's state: up while a new client would get a server.
pub(super) fn backend_word(backend: &BackendFigures) -> &'static str {
    if backend.servers.is_empty() || weight(backend) > 0 {
        "UP"
    } else {
        "DOWN"
    }
}

/// Whether a server is up.
pub(super) const fn operation(server: &ServerFigures) -> Operation {
    match (server.admin.is_maint(), server.health, server.throttle) {
        (true, _, _) | (_, Health::Down, _) => Operation::Stopped,
        (_, _, Some(_)) => Operation::Starting,
        (_, _, None) => Operation::Running,
    }
}

/// Whether a server is up, drained or not.
pub(super) fn is_up(server: &ServerFigures) -> bool {
    operation(server) != Operation::Stopped
}

/// Whether a server gets new clients.
pub(super) fn is_usable(server: &ServerFigures) -> bool {
    is_up(server) && !server.admin.is_drained() && server.weight > 0
}

/// The number of servers that get new clients.
pub(super) fn usable(backend: &BackendFigures) -> u32 {
    let usable = backend.servers.iter().filter(|server| is_usable(server));
    u32::try_from(usable.count()).unwrap_or(u32::MAX)
}

/// The sum of the effective weights of the servers that get new clients.
pub(super) fn weight(backend: &BackendFigures) -> u32 {
    let usable = backend.servers.iter().filter(|server| is_usable(server));
    usable.map(|server| u32::from(server.weight)).sum()
}

/// The sum of the set weights of the servers that get new clients.
pub(super) fn user_weight(backend: &BackendFigures) -> u32 {
    let usable = backend.servers.iter().filter(|server| is_usable(server));
    usable.map(|server| u32::from(server.user_weight)).sum()
}

/// A server's state, with the progress to the next one.
pub(super) fn word(server: &ServerFigures) -> String {
    if let Some(reported) = &server.reported_state {
        return reported.clone();
    }
    let tracked = server.tracked.as_ref();
    if let Some(tracked) = tracked.filter(|_| server.admin.inherited_maint) {
        return format!("MAINT (via {})", tracked.name);
    }
    if server.admin.maint {
        return "MAINT".to_owned();
    }
    let check = tracked.map_or(server.check.as_ref(), |tracked| tracked.check.as_ref());
    let check = check.filter(|check| check.enabled);
    let is_drained = server.admin.is_drained();
    let up = if is_drained { "DRAIN" } else { "UP" };
    match (server.health, check) {
        (Health::Up, None) if is_drained || tracked.is_some() => up.to_owned(),
        (Health::Up, None) => "no check".to_owned(),
        (Health::Up, Some(check)) => {
            let (rise, fall) = (u32::from(check.rise), u32::from(check.fall));
            if check.health + 1 < rise + fall {
                format!("{up} {}/{fall}", (check.health + 1).saturating_sub(rise))
            } else {
                up.to_owned()
            }
        }
        (Health::Down, Some(check)) if check.health > 0 => {
            format!("DOWN {}/{}", check.health, check.rise)
        }
        (Health::Down, _) => "DOWN".to_owned(),
    }
}

/// A server's state as one of the five of Prometheus.
pub(super) fn plain_word(server: &ServerFigures) -> &'static str {
    match (server.admin.is_maint(), is_up(server), server.admin.is_drained()) {
        (true, _, _) => "MAINT",
        (_, false, _) => "DOWN",
        (_, true, true) => "DRAIN",
        (_, true, false) => "UP",
    }
}

// Private

const fn verdict(word: &'static str, number: u8, result: CheckResult, sentence: &'static str) -> Verdict {
    Verdict {
        word,
        number,
        result,
        sentence,
    }
}

fn verdict_of(check: &CheckFigures) -> &'static Verdict {
    if check.status.is_empty() {
        return &VERDICTS[0];
    }
    VERDICTS
        .iter()
        .find(|verdict| verdict.word == check.status)
        .unwrap_or(&UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy_api::server::{AdminState, TrackedFigures};

    fn server(health: Health, level: u32, drain: bool) -> ServerFigures {
        ServerFigures {
            health,
            weight: 1,
            admin: AdminState {
                drain,
                ..AdminState::default()
            },
            check: Some(CheckFigures {
                enabled: true,
                health: level,
                rise: 2,
                fall: 3,
                ..CheckFigures::default()
            }),
            ..ServerFigures::default()
        }
    }

    #[test]
    fn states_include_their_progress() {
        for (health, level, drain, expected) in [
            (Health::Up, 4, false, "UP"),
            (Health::Up, 2, false, "UP 1/3"),
            (Health::Up, 4, true, "DRAIN"),
            (Health::Up, 3, true, "DRAIN 2/3"),
            (Health::Down, 0, false, "DOWN"),
            (Health::Down, 1, true, "DOWN 1/2"),
        ] {
            assert_eq!(word(&server(health, level, drain)), expected);
        }
        let unchecked = ServerFigures::default();
        assert_eq!(word(&unchecked), "no check");
        let maint = ServerFigures {
            admin: AdminState {
                maint: true,
                drain: true,
                ..AdminState::default()
            },
            ..unchecked
        };
        assert_eq!(word(&maint), "MAINT");
    }

    #[test]
    fn a_tracker_has_the_words_of_the_server_that_it_tracks() {
        let tracker = |admin, level| {
            let tracked = server(Health::Up, level, false);
            let figures = ServerFigures {
                admin,
                check: None,
                tracked: Some(TrackedFigures {
                    name: "be/s1".to_owned(),
                    check: tracked.check.clone(),
                }),
                ..tracked
            };
            (word(&figures), plain_word(&figures))
        };
        let ready = AdminState::default();
        let drained = AdminState {
            inherited_drain: true,
            ..ready
        };
        let away = AdminState {
            inherited_maint: true,
            ..ready
        };
        let both = AdminState { maint: true, ..away };
        for (admin, level, expected) in [
            (ready, 4, ("UP", "UP")),
            (ready, 2, ("UP 1/3", "UP")),
            (drained, 2, ("DRAIN 1/3", "DRAIN")),
            (away, 4, ("MAINT (via be/s1)", "MAINT")),
            (both, 4, ("MAINT (via be/s1)", "MAINT")),
        ] {
            let (word, plain) = tracker(admin, level);
            assert_eq!((word.as_str(), plain), expected);
        }
    }
}

//! Information about the process besides its figures.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::answer::{Answer, Severity};
use super::super::info::VERSION;
use super::super::line::Words;
use super::super::subject::Subject;
use super::Reply;
use crate::base::date::civil;

pub(super) fn version() -> Answer {
    Answer::message(Severity::Info, format!("{VERSION}\n"))
}

pub(super) fn backends<S: Subject>(subject: &S) -> Answer {
    let mut text = "# name\n".to_owned();
    for backend in subject.proxies().backends {
        let _infallible = writeln!(text, "{}", backend.name);
    }
    Answer::figures(text)
}

/// The schema of the output of `json`.
pub(super) fn schema() -> Answer {
    Answer::figures(include_str!("schema.json"))
}

pub(super) fn environment(words: &Words) -> Reply {
    let line = |name: &str, value: &str| format!("{name}={value}\n");
    let wanted = words.at(2);
    let mut variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    if wanted.is_empty() {
        let all = variables.map(|(name, value)| line(&name, &value.to_string_lossy()));
        return Ok(Answer::figures(all.collect::<String>()));
    }
    match variables.find(|(name, _)| name == wanted) {
        Some((name, value)) => Ok(Answer::figures(line(&name, &value.to_string_lossy()))),
        None => Err(Answer::refusal("Variable not found\n")),
    }
}

/// Messages are not inspected, so there are never any errors.
pub(super) fn errors<S: Subject>(words: &Words, subject: &S) -> Reply {
    let proxies = subject.proxies();
    let wanted = words.at(2);
    let frontends = proxies.frontends.iter().map(|it| &it.name);
    let mut names = frontends.chain(proxies.backends.iter().map(|it| &it.name));
    if !wanted.is_empty() && wanted.parse::<i64>().is_err() && !names.any(|name| name == wanted) {
        return Err(Answer::refusal("No such proxy.\n"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Answer::figures(format!(
        "Total events captured on [{}.{:03}] : 0\n",
        date(now.as_secs()),
        now.subsec_millis()
    )))
}

// Private

/// Seconds since 1970 in HAProxy's format of a time, in UTC.
fn date(seconds: u64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(day);
    let month = usize::try_from(month - 1)
        .ok()
        .and_then(|index| MONTHS.get(index))
        .unwrap_or(&"");
    format!(
        "{day:02}/{month}/{year}:{:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_haproxys() {
        assert_eq!(date(0), "01/Jan/1970:00:00:00");
        assert_eq!(date(1_795_566_491), "25/Nov/2026:00:28:11");
        assert_eq!(date(951_782_400), "29/Feb/2000:00:00:00");
    }
}

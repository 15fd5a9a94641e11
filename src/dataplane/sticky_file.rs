//! Sticky clients on disk, so that they find their servers again after a restart.
//!
//! ```text
//! clusterctl sticky 1                       the format
//! backend mcp_tcp_backend
//! server erlmcp1                            of that backend; by name, because ids are only numbers
//! 10.0.0.1 1764028800000                    the time of expiry, in milliseconds of the UNIX clock
//! 2001:db8::1 1764028801500
//! server erlmcp2
//! ..
//! ```
//!
//! A file that is missing, old or damaged costs stickiness, but does not prevent the start: invalid
//! lines are skipped.

use crate::platform::atomic_file;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::warn;

/// The first line.
const FORMAT: &str = "clusterctl sticky 1";

/// The most bytes of a file that are read; enough for about two million clients.
const MAX_BYTES: u64 = 64 << 20;

/// Room for the line of a client.
const LINE: usize = 40;

/// Sticky clients of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// The backend's name.
    pub(crate) backend: String,
    /// The server's name.
    pub(crate) server: String,
    /// The clients, and the remaining time of each.
    pub(crate) clients: Vec<(IpAddr, Duration)>,
}

impl Remembered {
    /// The entries of `backend`'s table, by server; without those of servers that `name` does not
    /// know.
    pub(crate) fn of_backend(
        backend: &str,
        entries: &[(IpAddr, u32, Duration)],
        name: impl Fn(u32) -> Option<String>,
    ) -> Vec<Remembered> {
        let mut by_server: BTreeMap<u32, Vec<(IpAddr, Duration)>> = BTreeMap::new();
        for &(client, server, left) in entries {
            by_server.entry(server).or_default().push((client, left));
        }
        let named = by_server.into_iter().filter_map(|(server, clients)| {
            Some(Remembered {
                backend: backend.to_owned(),
                server: name(server)?,
                clients,
            })
        });
        named.collect()
    }
}

/// Writes `remembered` to the file at `path`, and replaces the old content atomically.
pub(crate) fn save(path: &Path, remembered: &[Remembered], now: SystemTime) -> io::Result<()> {
    atomic_file::replace(
        path,
        written(remembered, unix(now)).as_bytes(),
        atomic_file::PRIVATE,
    )
}

/// Reads the file at `path`; empty if it does not exist. Clients that are expired at `now` are left
/// out. Logs a warning about lines that cannot be read.
pub(crate) fn load(path: &Path, now: SystemTime) -> Vec<Remembered> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            warn!(file = %path.display(), %error, "cannot read the file of sticky clients");
            return Vec::new();
        }
    }
    match read(&String::from_utf8_lossy(&bytes), unix(now)) {
        None => {
            warn!(file = %path.display(), expected = FORMAT, "the file of sticky clients has an unknown format");
            Vec::new()
        }
        Some(Reading {
            remembered,
            passed_over,
        }) => {
            if passed_over > 0 {
                warn!(file = %path.display(), lines = passed_over, "skipped invalid lines in the file of sticky clients");
            }
            remembered
        }
    }
}

// Private

/// The content of a file.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    remembered: Vec<Remembered>,
    /// Lines without valid content.
    passed_over: usize,
}

fn written(remembered: &[Remembered], now: Duration) -> String {
    let clients: usize = remembered.iter().map(|it| it.clients.len()).sum();
    let mut text = String::with_capacity(LINE * (clients + 2 * remembered.len() + 1));
    text.push_str(FORMAT);
    text.push('\n');
    let mut backend = None;
    for Remembered {
        backend: of,
        server,
        clients,
    } in remembered
    {
        if [of, server].into_iter().any(|name| name.contains('\n')) {
            // It would be read as another line. No configuration has such a name.
            continue;
        }
        // Writing to a string cannot fail.
        if backend != Some(of) {
            let _ = writeln!(text, "backend {of}");
            backend = Some(of);
        }
        let _ = writeln!(text, "server {server}");
        for (client, left) in clients {
            let _ = writeln!(text, "{client} {}", now.saturating_add(*left).as_millis());
        }
    }
    text
}

/// Parses `text`; `None` if its first line is wrong.
fn read(text: &str, now: Duration) -> Option<Reading> {
    // Text after the last line end was cut off, and its time may be incomplete.
    let (whole, cut_off) = text.rsplit_once('\n')?;
    let mut lines = whole.split('\n');
    if lines.next() != Some(FORMAT) {
        return None;
    }
    let mut reading = Reading {
        remembered: Vec::new(),
        passed_over: usize::from(!cut_off.is_empty()),
    };
    let mut backend = None;
    let mut server: Option<Remembered> = None;
    for line in lines {
        if let Some(name) = line.strip_prefix("backend ") {
            reading.remembered.extend(server.take());
            backend = Some(name);
        } else if let (Some(name), Some(backend)) = (line.strip_prefix("server "), backend) {
            reading.remembered.extend(server.replace(Remembered {
                backend: backend.to_owned(),
                server: name.to_owned(),
                clients: Vec::new(),
            }));
        } else if let (Some((client, until)), Some(server)) = (client(line), &mut server) {
            if let Some(left) = until.checked_sub(now).filter(|left| !left.is_zero()) {
                server.clients.push((client, left));
            }
        } else {
            reading.passed_over += 1;
        }
    }
    reading.remembered.extend(server);
    Some(reading)
}

fn client(line: &str) -> Option<(IpAddr, Duration)> {
    let (client, until) = line.split_once(' ')?;
    Some((client.parse().ok()?, Duration::from_millis(until.parse().ok()?)))
}

fn unix(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_764_028_801);

    fn remembered() -> impl Strategy<Value = Vec<Remembered>> {
        let left = (1u64..3_600_000).prop_map(Duration::from_millis);
        let client = any::<IpAddr>();
        let clients = prop::collection::vec((client, left), 0..20);
        let name = "[a-z0-9_. ]{1,8}";
        let of = (name, name, clients);
        let of = of.prop_map(|(backend, server, clients)| Remembered {
            backend,
            server,
            clients,
        });
        prop::collection::vec(of, 0..8)
    }

    proptest! {
        #[test]
        fn written_files_are_read_back(remembered in remembered()) {
            let reading = read(&written(&remembered, NOW), NOW);
            prop_assert_eq!(reading, Some(Reading { remembered, passed_over: 0 }));
        }

        #[test]
        fn a_cut_file_loses_only_the_entries_after_the_cut(remembered in remembered(), at in any::<prop::sample::Index>()) {
            let text = written(&remembered, NOW);
            // The last line may lack only its end.
            let cut = at.index(text.len());
            if let Some(Reading { remembered: some, passed_over }) = read(&text[..cut], NOW) {
                prop_assert!(passed_over <= 1);
                let whole: Vec<_> = remembered.iter().flat_map(|it| &it.clients).collect();
                let some: Vec<_> = some.iter().flat_map(|it| &it.clients).collect();
                prop_assert_eq!(&whole[..some.len()], &some);
            } else {
                prop_assert!(cut <= FORMAT.len());
            }
        }

        #[test]
        fn garbage_is_passed_over(text in "((backend|server|10\\.0\\.0\\.1|::1|\\PC{0,9}) ?[0-9]{0,25}\n?){0,30}") {
            let _ = read(&text, NOW);
            let remembered = read(&format!("{FORMAT}\n{text}"), NOW);
            prop_assert!(remembered.is_some());
        }
    }

    #[test]
    fn the_format_stays_what_it_is() {
        let text = "clusterctl sticky 1\nbackend tcp\nserver one\n10.0.0.1 1764028802000\n::1 1764028803500\nserver two\n";
        let of = |server: &str, clients| Remembered {
            backend: "tcp".to_owned(),
            server: server.to_owned(),
            clients,
        };
        let clients = [("10.0.0.1", 1_000), ("::1", 2_500)];
        let clients = clients.map(|(client, left)| (client.parse().unwrap(), Duration::from_millis(left)));
        let remembered = vec![of("one", clients.to_vec()), of("two", vec![])];
        assert_eq!(written(&remembered, NOW), text);
        let later = read(text, NOW + Duration::from_secs(1)).unwrap();
        assert_eq!(
            later.remembered[0].clients,
            [("::1".parse().unwrap(), Duration::from_millis(1_500))]
        );
    }

    #[test]
    fn files_are_replaced_and_read_and_need_not_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sticky");
        let now = UNIX_EPOCH + NOW;
        assert_eq!(load(&path, now), []);
        assert_eq!(load(dir.path(), now), []);
        let entries = [("10.0.0.1", 7), ("10.0.0.2", 8), ("10.0.0.3", 7)];
        let entries =
            entries.map(|(client, server)| (client.parse().unwrap(), server, Duration::from_secs(5)));
        let remembered = Remembered::of_backend("tcp", &entries, |id| (id == 7).then(|| "seven".to_owned()));
        assert_eq!((remembered.len(), remembered[0].clients.len()), (1, 2));
        for _ in 0..2 {
            save(&path, &remembered, now).unwrap();
            assert_eq!(load(&path, now), remembered);
        }
        for old in ["", "clusterctl sticky 0\nserver x\n", "\u{0}\u{1}"] {
            std::fs::write(&path, old).unwrap();
            assert_eq!(load(&path, now), []);
        }
    }
}

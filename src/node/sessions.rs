//! Sessions of clients that use many connections.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::client::Client;

/// The maximum number of sessions of a node. Beyond it, the longest idle sessions end.
const MAX: usize = 65_536;
/// How many of the longest idle sessions end to make room, so that the search for them is rare.
const ROOM: usize = MAX / 16;
/// Sessions end after this idle time: as long as balancers remember a client's node.
const IDLE_TIMEOUT: Duration = Duration::from_mins(30);
/// Time between two sweeps for expired sessions.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// The id of a session: 128 random bits, 32 hexadecimal digits. Every client that knows it may use
/// the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SessionId([u8; 16]);

/// All sessions of one kind.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<SessionId, Session>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Session {
    client: Arc<Client>,
    /// When it was last used.
    used: Instant,
}

impl Sessions {
    /// Creates a session.
    ///
    /// # Errors
    /// If the kernel has no random numbers.
    pub(super) fn open(&self) -> io::Result<(SessionId, Arc<Client>)> {
        let id = SessionId::random()?;
        let client = Arc::new(Client::default());
        self.table().open(id, Arc::clone(&client), Instant::now());
        Ok((id, client))
    }

    /// The client of a session that has not ended. This counts as use.
    pub(super) fn find(&self, id: SessionId) -> Option<Arc<Client>> {
        self.table().find(id, Instant::now())
    }

    /// Ends a session, including its streams. Returns whether it existed.
    pub(super) fn end(&self, id: SessionId) -> bool {
        self.table().end(id)
    }

    // Private

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Private

impl Table {
    fn open(&mut self, id: SessionId, client: Arc<Client>, now: Instant) {
        let swept = *self.swept.get_or_insert(now);
        if now.saturating_duration_since(swept) >= SWEEP_INTERVAL {
            self.swept = Some(now);
            self.end_all(|session| session.is_over(now));
        }
        if self.sessions.len() >= MAX {
            self.make_room();
        }
        self.sessions.insert(id, Session { client, used: now });
    }

    fn find(&mut self, id: SessionId, now: Instant) -> Option<Arc<Client>> {
        let session = self.sessions.get_mut(&id)?;
        if session.is_over(now) {
            self.end(id);
            return None;
        }
        session.used = now;
        Some(Arc::clone(&session.client))
    }

    fn end(&mut self, id: SessionId) -> bool {
        let session = self.sessions.remove(&id);
        session.as_ref().inspect(|session| session.client.end()).is_some()
    }

    /// Ends the longest idle sessions.
    fn make_room(&mut self) {
        let mut used: Vec<Instant> = self.sessions.values().map(|session| session.used).collect();
        let (_, latest, _) = used.select_nth_unstable(ROOM - 1);
        let latest = *latest;
        self.end_all(|session| session.used <= latest);
    }

    fn end_all(&mut self, which: impl Fn(&Session) -> bool) {
        self.sessions.retain(|_, session| {
            let ends = which(session);
            if ends {
                session.client.end();
            }
            !ends
        });
    }
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= IDLE_TIMEOUT
    }
}

impl SessionId {
    fn random() -> io::Result<SessionId> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(SessionId(bytes))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The id does not belong to any session of this node.
#[derive(Debug)]
pub(super) struct NoSessionId;

impl FromStr for SessionId {
    type Err = NoSessionId;

    fn from_str(text: &str) -> Result<SessionId, NoSessionId> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(NoSessionId);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| NoSessionId)?;
        Ok(SessionId(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: usize) -> SessionId {
        SessionId((number as u128).to_be_bytes())
    }

    #[test]
    fn a_session_that_is_not_used_ends() {
        let (mut table, began) = (Table::default(), Instant::now());
        let client = Arc::new(Client::default());
        table.open(id(1), Arc::clone(&client), began);
        let soon = began + IDLE_TIMEOUT / 2;
        assert!(table.find(id(1), soon).is_some());
        assert!(table.find(id(1), soon + IDLE_TIMEOUT / 2).is_some());
        assert!(table.find(id(1), soon + IDLE_TIMEOUT * 3 / 2).is_none());
        assert!(!client.outbox.put("x"));
        assert!(!table.end(id(1)));
    }

    #[test]
    fn sessions_without_requests_end_too() {
        let (mut table, began) = (Table::default(), Instant::now());
        table.open(id(1), Arc::default(), began);
        table.open(id(2), Arc::default(), began + IDLE_TIMEOUT / 2);
        table.open(id(3), Arc::default(), began + IDLE_TIMEOUT);
        assert_eq!(table.sessions.len(), 2);
    }

    #[test]
    fn a_full_table_makes_room_by_ending_the_idlest() {
        let (mut table, began) = (Table::default(), Instant::now());
        let at = |number: usize| began + Duration::from_millis(number as u64);
        for number in 0..MAX {
            table.open(id(number), Arc::default(), at(number));
        }
        assert!(table.find(id(0), at(MAX)).is_some());
        table.open(id(MAX), Arc::default(), at(MAX));
        assert_eq!(table.sessions.len(), MAX - ROOM + 1);
        assert!(table.find(id(0), at(MAX)).is_some());
        assert!(table.find(id(1), at(MAX)).is_none());
        assert!(table.find(id(MAX), at(MAX)).is_some());
    }

    #[test]
    fn sessions_have_their_own_clients_and_ids() {
        let sessions = Sessions::default();
        let (one, client) = sessions.open().unwrap();
        let (two, other) = sessions.open().unwrap();
        assert_ne!(one, two);
        assert!(!Arc::ptr_eq(&client, &other));
        assert!(Arc::ptr_eq(&client, &sessions.find(one).unwrap()));
        assert!(sessions.end(one) && !sessions.end(one));
        assert!(sessions.find(one).is_none() && sessions.find(two).is_some());
    }

    proptest! {
        #[test]
        fn ids_are_parsed_as_printed(bytes: [u8; 16]) {
            let written = SessionId(bytes).to_string();
            prop_assert_eq!(written.len(), 32);
            prop_assert_eq!(written.parse::<SessionId>().unwrap(), SessionId(bytes));
        }

        #[test]
        fn other_texts_are_not_ids(text in "\\PC{0,40}|[0-9A-F+]{32}") {
            let name = text.parse::<SessionId>();
            prop_assert!(name.is_err() || name.unwrap().to_string() == text);
        }
    }
}

//! The number that the kernel gives to each listener of a group.

use serde::{Deserialize, Serialize};

/// The members of a group in the order in which the kernel numbers their listeners.
///
/// The kernel numbers them in the order in which they began to listen. When one is closed, the last
/// one moves into its place (`net/core/sock_reuseport.c`: `socks[i] = socks[num_socks - 1]`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(Vec<u16>);

impl Places {
    /// The places of `members` that began to listen in the order of their numbers.
    #[must_use]
    pub fn in_order(members: u16) -> Places {
        Places((0..members).collect())
    }

    /// The kernel's number of the member's listener; `None` if it has no listener.
    #[must_use]
    pub fn of(&self, member: u16) -> Option<usize> {
        self.0.iter().position(|other| *other == member)
    }

    /// The members that have listeners, by place.
    pub(super) fn members(&self) -> impl Iterator<Item = u16> {
        self.0.iter().copied()
    }

    /// Notes that the member's listener was closed.
    pub fn lose(&mut self, member: u16) {
        if let Some(place) = self.of(member) {
            self.0.swap_remove(place);
        }
    }

    /// Notes that the member has begun to listen, for the first time or again.
    pub fn add(&mut self, member: u16) {
        self.lose(member);
        self.0.push(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_listener_moves_into_the_place_of_a_closed_one() {
        let mut places = Places::in_order(4);
        places.lose(1);
        assert_eq!(
            [0, 1, 2, 3].map(|member| places.of(member)),
            [Some(0), None, Some(2), Some(1)]
        );
        places.add(1);
        places.lose(9);
        assert_eq!(
            [0, 1, 2, 3].map(|member| places.of(member)),
            [Some(0), Some(3), Some(2), Some(1)]
        );
    }

    #[test]
    fn places_are_written_as_a_list() {
        let mut places = Places::in_order(3);
        places.lose(0);
        assert_eq!(serde_json::to_string(&places).unwrap(), "[2,1]");
        assert_eq!(serde_json::from_str::<Places>("[2,1]").unwrap(), places);
    }
}

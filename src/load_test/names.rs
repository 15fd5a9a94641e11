//! The names that nodes report, numbered in the order in which they first appear.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// No more nodes are distinguished: a target that answers with a new name each time must not fill
/// memory.
const MAX_NAMES: usize = 64;
/// The name of all others.
const OTHERS: &str = "(others)";
/// The longest name that is kept, in characters.
const LONGEST: usize = 100;

/// A node's number.
pub(crate) type NodeId = u16;

/// Names for all workers.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<Vec<String>>);

impl Names {
    /// The number of the node with this name.
    pub(crate) fn id(&self, name: &str) -> NodeId {
        let end = name
            .char_indices()
            .nth(LONGEST)
            .map_or(name.len(), |(end, _)| end);
        let name = &name[..end];
        let mut names = self.lock();
        let known = names.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            if names.len() < MAX_NAMES {
                names.push(name.to_owned());
            } else if names.len() == MAX_NAMES {
                names.push(OTHERS.to_owned());
            }
            names.len() - 1
        });
        NodeId::try_from(place).unwrap_or(NodeId::MAX)
    }

    /// All names, by number.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    // Private

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers_and_there_are_not_too_many() {
        let names = Names::default();
        assert_eq!((names.id("a"), names.id("b"), names.id("a")), (0, 1, 0));
        for other in 0..1_000 {
            names.id(&format!("n{other}"));
        }
        assert_eq!(names.all().len(), MAX_NAMES + 1);
        assert_eq!(names.all()[MAX_NAMES], OTHERS);
        assert_eq!(names.id("b"), 1);
        assert_eq!(names.id("yet another"), 64);
    }
}

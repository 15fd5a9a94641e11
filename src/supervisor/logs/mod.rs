//! Log files: their last lines, and their rotation.

pub(super) mod rotate;
pub(super) mod tail;

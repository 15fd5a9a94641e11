//! What the profile wants, kept alive: one daemon per cluster that owns every child.

mod child;
mod pulse;
mod restarts;

//! The rendered configuration, in the real nginx.

mod config;
mod listeners;
mod live;
pub(crate) mod running;
mod sessions;
mod versions;
mod views;

//! The rendered configuration, in the real nginx.

mod config;
mod live;
mod running;
mod versions;
mod views;

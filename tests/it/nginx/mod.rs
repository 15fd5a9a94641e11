//! The rendered configuration, in the real nginx.

mod config;
mod http;
mod live;
mod running;
mod sessions;
mod versions;
mod views;

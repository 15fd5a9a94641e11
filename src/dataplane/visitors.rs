//! stub
use crate::profile::PerIp;
use crate::units::Network;
use std::net::IpAddr;
use std::time::{Duration, Instant};
#[derive(Debug)]
pub(crate) struct Visitors;
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("too many")]
    TooMany,
}
#[derive(Debug)]
pub(crate) struct Visit;
pub(crate) struct Admitted {
    pub passed: u32,
    pub again_at: Option<Instant>,
}
pub(crate) struct Visitor {
    pub network: Network,
    pub connections: u32,
    pub connection_rate: u32,
    pub message_rate: u32,
    pub left: Duration,
}
impl Visitors {
    pub(crate) fn new(_l: PerIp) -> Self {
        Visitors
    }
    pub(crate) fn set_limits(&self, _l: PerIp) {}
    pub(crate) fn enter(&self, _c: IpAddr, _n: Instant) -> Result<Visit, Refused> {
        Ok(Visit)
    }
    pub(crate) fn entries(&self, _n: Instant) -> Vec<Visitor> {
        Vec::new()
    }
    pub(crate) fn size(&self) -> u64 {
        0
    }
    pub(crate) fn len(&self) -> usize {
        0
    }
}
impl Visit {
    pub(crate) fn counts_messages(&self) -> bool {
        false
    }
    pub(crate) fn admit(&self, lines: u32, _n: Instant) -> Admitted {
        Admitted {
            passed: lines,
            again_at: None,
        }
    }
}

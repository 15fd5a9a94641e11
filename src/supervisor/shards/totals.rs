//! The statistics of all balancer instances, added up.

use std::time::Duration;

use futures_util::future::join_all;

use crate::haproxy_api::{Info, Row, RuntimeError, Socket};
use crate::supervisor::spec::Spec;

/// One of several instances that does not answer within this time is left out.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The statistics of the instances that answer.
pub(in crate::supervisor) struct ShardTotals {
    pub(in crate::supervisor) infos: Vec<Info>,
    /// The rows of all of these instances together.
    pub(in crate::supervisor) rows: Vec<Row>,
    /// How many instances do not answer.
    pub(in crate::supervisor) silent: u16,
}

/// Reads the statistics of every instance.
///
/// # Errors
/// When no instance answers.
pub(in crate::supervisor) async fn read_totals(spec: &Spec) -> Result<ShardTotals, RuntimeError> {
    let asked = spec.sockets().into_iter().map(|path| async move {
        let socket = Socket::new(&path);
        let asking = async { Ok((socket.info().await?, socket.stat().await?)) };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, asking).await;
        answer.unwrap_or(Err(RuntimeError::Silent { path }))
    });
    let (mut infos, mut tables, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for answer in join_all(asked).await {
        match answer {
            Ok((info, rows)) => {
                infos.push(info);
                tables.push(rows);
            }
            Err(error) => failed.push(error),
        }
    }
    let silent = u16::try_from(failed.len()).unwrap_or(u16::MAX);
    match failed.into_iter().next() {
        Some(error) if tables.is_empty() => Err(error),
        _ => Ok(ShardTotals {
            infos,
            rows: Row::merged(&tables),
            silent,
        }),
    }
}

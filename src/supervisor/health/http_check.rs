//! `health.kind: auto` over HTTP: what the checks send is found out before the balancer is started.

use std::time::Instant;

use crate::profile::HttpCheck;
use crate::supervisor::core::Core;
use crate::supervisor::spec::Spec;

impl Core {
    /// Decides what the checks over HTTP send, by what the nodes have answered so far: `GET` of
    /// `health.path` if all of them do, else MCP's `server/discover`, which every server answers
    /// somehow. Without any answer it stays open.
    pub(in crate::supervisor) fn decide_http_check(&mut self, now: Instant) {
        if self.spec.cluster.http_check != HttpCheck::Either {
            return;
        }
        let answered = self.health.ids().into_iter().filter_map(|node| {
            let check = self.health.probes(node)?.http_check()?;
            (check != HttpCheck::Either).then_some(check)
        });
        let Some(check) = answered.max_by_key(|check| *check == HttpCheck::Mcp) else {
            return;
        };
        let mut spec = Spec::clone(&self.spec);
        spec.launch.http_check = Some(check);
        spec.cluster.http_check = check;
        match spec.files() {
            Ok(files) => {
                let question = crate::probe::Question::over_http(&spec.cluster);
                tracing::info!("the checks over HTTP send {question}");
                self.replace_spec(spec, files, now);
            }
            Err(error) => tracing::error!("cannot render the configuration again: {error}"),
        }
    }
}

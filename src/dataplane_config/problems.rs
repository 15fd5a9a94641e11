//! Contradictions in a `dataplane.yaml`.

use std::collections::BTreeSet;

use super::{Dataplane, DataplaneBackend, DataplaneFrontend, DataplaneHttpBackend, DataplaneRoutes};

impl Dataplane {
    /// All contradictions, a sentence each.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut add = |problem: String| problems.push(problem);
        if self.workers == 0 {
            add("`workers` must be at least 1".to_owned());
        }
        if self.maxconn == 0 {
            add("`maxconn` must be at least 1".to_owned());
        }
        if self.http.head.bytes() == 0 {
            add("`http.head` must be at least 1".to_owned());
        }
        for (what, none) in [
            ("frontends", self.frontends.is_empty()),
            ("backends", self.backends.is_empty()),
        ] {
            if none {
                add(format!("`{what}` is empty"));
            }
        }
        for name in twice(
            self.frontends
                .iter()
                .map(|it| &it.name)
                .chain(self.backends.iter().map(|it| &it.name)),
        ) {
            add(format!("two frontends or backends have the name `{name}`"));
        }
        let pages = self.stats.iter().chain(&self.status);
        for at in twice(self.frontends.iter().flat_map(|it| &it.listen).chain(pages)) {
            add(format!("{at} is listened on twice"));
        }
        for frontend in &self.frontends {
            problems.extend(self.problems_of_frontend(frontend));
        }
        for backend in &self.backends {
            problems.extend(backend.problems());
            problems.extend(self.problems_of_tracking(backend));
        }
        problems
    }

    // Private

    fn problems_of_frontend(&self, frontend: &DataplaneFrontend) -> Vec<String> {
        let name = &frontend.name;
        let mut problems = Vec::new();
        if frontend.listen.is_empty() {
            problems.push(format!("frontend `{name}` has no address to listen on"));
        }
        let others = frontend.http.iter().flat_map(DataplaneRoutes::others);
        let names: BTreeSet<&str> = others.chain([frontend.backend.as_str()]).collect();
        for served_by in names {
            let Some(backend) = self.backend(served_by) else {
                problems.push(format!(
                    "frontend `{name}` is served by backend `{served_by}`, which is not there"
                ));
                continue;
            };
            match (&frontend.http, &backend.http) {
                (Some(_), None) => problems.push(format!(
                    "frontend `{name}` has `http`, and its backend `{served_by}` has not"
                )),
                (None, Some(_)) => problems.push(format!(
                    "backend `{served_by}` has `http`, and its frontend `{name}` has not"
                )),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        let paths = frontend.http.iter().flat_map(|http| http.paths.prefixes());
        for (path, _) in paths.filter(|(path, _)| !path.starts_with('/')) {
            problems.push(format!(
                "frontend `{name}` has the path `{path}`; paths begin with `/`"
            ));
        }
        problems
    }

    fn problems_of_tracking(&self, backend: &DataplaneBackend) -> Vec<String> {
        let (name, Some(tracked)) = (&backend.name, &backend.track) else {
            return Vec::new();
        };
        let Some(tracked) = self.backend(tracked) else {
            return vec![format!(
                "backend `{name}` tracks backend `{tracked}`, which is not there"
            )];
        };
        let mut problems = Vec::new();
        let has = |server: &str| tracked.servers.iter().any(|it| it.name == server);
        let missing = backend.servers.iter().filter(|server| !has(&server.name));
        problems.extend(missing.map(|server| {
            format!(
                "backend `{name}` tracks backend `{}`, which has no server `{}`",
                tracked.name, server.name
            )
        }));
        if tracked.track.is_some() {
            problems.push(format!(
                "backend `{name}` tracks backend `{}`, which tracks another one",
                tracked.name
            ));
        }
        if backend.check.is_some() {
            problems.push(format!(
                "backend `{name}` has a `check`, and tracks backend `{}`",
                tracked.name
            ));
        }
        problems
    }

    fn backend(&self, name: &str) -> Option<&DataplaneBackend> {
        self.backends.iter().find(|backend| backend.name == name)
    }
}

impl DataplaneBackend {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut add = |problem: &str| problems.push(format!("backend `{}` {problem}", self.name));
        if self.servers.is_empty() {
            add("has no servers");
        }
        if self.algorithm.needs_http() && self.http.is_none() {
            let name = self.algorithm.name();
            add(&format!("cannot balance by `{name}` without `http`"));
        }
        if self.sticky.is_some_and(|table| table.size.get() == 0) {
            add("has a `sticky` table of size 0");
        }
        if self.eject_errors == Some(0) {
            add("has an `eject_errors` of 0");
        }
        if let Some(cookie) = self.http.as_ref().and_then(DataplaneHttpBackend::invalid_cookie) {
            add(&format!("has a cookie `{cookie}`, which is not a name"));
        }
        for name in twice(self.servers.iter().map(|it| &it.name)) {
            add(&format!("has two servers `{name}`"));
        }
        for id in twice(self.servers.iter().map(|it| &it.id)) {
            add(&format!("has two servers with id {id}"));
        }
        for server in &self.servers {
            if server.weight > 256 {
                add(&format!(
                    "gives `{}` weight {}; 256 is the most",
                    server.name, server.weight
                ));
            }
            if server.id == 0 {
                add(&format!("gives `{}` id 0; ids start at 1", server.name));
            }
        }
        if let Some(check) = self.check {
            if check.interval.is_zero() || check.fast_interval.is_zero() || check.timeout.is_zero() {
                add("has a check interval or timeout of 0");
            }
            if check.rise == 0 || check.fall == 0 {
                add("has a `rise` or `fall` of 0");
            }
        }
        problems
    }
}

impl DataplaneHttpBackend {
    /// The name of the cookie, when a `Cookie` header cannot carry it.
    fn invalid_cookie(&self) -> Option<&str> {
        let is_token = |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
        let cookie = self.cookie.as_deref()?;
        let is_name = !cookie.is_empty() && cookie.bytes().all(is_token);
        (!is_name).then_some(cookie)
    }
}

// Private

/// The elements that appear more than once.
fn twice<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for item in all {
        if seen.contains(&item) {
            twice.push(item);
        } else {
            seen.insert(item);
        }
    }
    twice
}

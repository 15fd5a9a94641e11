//! What changes for clients and operators when another balancer takes over.

use super::Deployment;
use crate::plan::{Plan, Warning};
use crate::profile::{BalancerKind, Cluster, HashKey};
use crate::render;

/// What changes when the balancer of `next` takes over from that of `now`, one sentence each;
/// both serve the same profile. Sessions and cookies keep their nodes behind every balancer.
#[must_use]
pub fn differences(now: Deployment<'_>, next: Deployment<'_>) -> Vec<String> {
    let (from, to) = (now.plan.balancer.kind, next.plan.balancer.kind);
    if from == to {
        return Vec::new();
    }
    let mut sentences = Vec::new();
    sentences.extend(sticky_clients(next.cluster, from, to));
    sentences.extend(event_streams(next.cluster, from));
    sentences.extend(paths(next.cluster, from, to));
    sentences.extend(warnings(now.plan, next.plan));
    sentences.extend(statistics_page(now, next));
    sentences
}

/// What a profile asks for and does not get, or no longer does not get, when the plan of `next`
/// comes into force, one sentence each.
#[must_use]
pub fn warnings(now: &Plan, next: &Plan) -> Vec<String> {
    let (before, after) = (&now.warnings, &next.warnings);
    let new = only_in(after, before).map(ToString::to_string);
    let gone = only_in(before, after).map(|warning| format!("no longer: {}", warning.what));
    new.chain(gone).collect()
}

/// The keys of the listeners for which `is_meant`; `None` if there are none.
#[must_use]
pub fn listeners(cluster: &Cluster, is_meant: impl Fn(&str) -> bool) -> Option<String> {
    let keys: Vec<String> = cluster
        .listen
        .ports()
        .filter(|(key, _)| is_meant(key))
        .map(|(key, _)| format!("`listen.{key}`"))
        .collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

// Private

/// Clients whose node depends on their address.
fn sticky_clients(cluster: &Cluster, from: BalancerKind, to: BalancerKind) -> Option<String> {
    let by_stickiness = |key: &str| render::sticks_by_address(cluster, key);
    let sticky = listeners(cluster, by_stickiness);
    let hashed = |key: &str| render::hash_key(cluster, key) == Some(HashKey::Address);
    let all = listeners(cluster, |key| by_stickiness(key) || hashed(key))?;
    let why = match (from.facts().remembers_clients, to.facts().remembers_clients) {
        _ if sticky.is_none() => format!("{to} computes it from the address in another way than {from}"),
        (_, false) => format!("{to} computes it from the address"),
        (false, true) => format!("{from} computes it from the address, and {to} does not"),
        (true, true) => format!("{to} does not know which node served a client of {from}"),
    };
    Some(format!(
        "clients that stick to a node by their address may get another one when they connect again ({all}): {why}"
    ))
}

/// Clients of HTTP with SSE whose messages reach the node of their open stream by their address only.
fn event_streams(cluster: &Cluster, from: BalancerKind) -> Option<String> {
    let by_address = render::sticks_by_address(cluster, "sse")
        || render::hash_key(cluster, "sse") == Some(HashKey::Address);
    if !by_address || cluster.path_behind("sse").is_none() {
        return None;
    }
    let all = listeners(cluster, |key| matches!(key, "http" | "https" | "sse"))?;
    Some(format!(
        "open event streams of MCP 2024-11-05 stay at {from}, but messages to them without a cookie go by the client's address, and may reach another node, which answers 404 ({all})"
    ))
}

/// Requests whose node depends on their path.
fn paths(cluster: &Cluster, from: BalancerKind, to: BalancerKind) -> Option<String> {
    let hashed = listeners(cluster, |key| {
        render::hash_key(cluster, key) == Some(HashKey::Uri)
    })?;
    Some(format!(
        "requests for a path may get another node than before ({hashed}): \
         {to} computes it from the path in another way than {from}"
    ))
}

/// The `warnings` about things that `others` do not mention; the reasons differ from balancer to
/// balancer. What `doctor --fix` could remedy is wrong with the host, whichever balancer runs.
fn only_in<'a>(warnings: &'a [Warning], others: &'a [Warning]) -> impl Iterator<Item = &'a Warning> {
    let is_in_others = |warning: &Warning| others.iter().any(|other| other.what == warning.what);
    warnings
        .iter()
        .filter(move |warning| warning.remedies.is_empty() && !is_in_others(warning))
}

fn statistics_page(now: Deployment<'_>, next: Deployment<'_>) -> Option<String> {
    let kind = next.plan.balancer.kind;
    match (now.cluster.listen.stats, next.cluster.listen.stats) {
        (Some(page), None) => Some(format!(
            "the statistics page ({page}) is not served: {kind} does not count the sessions of each server"
        )),
        (None, Some(page)) => Some(format!("the statistics page ({page}) is served")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::plan::tests::big_host;
    use crate::platform::RunDir;
    use crate::profile::{Algorithm, DEFAULT, Route, Source, Sticky, load};
    use crate::render::Templates;
    use BalancerKind::{Builtin, Haproxy, Nginx};

    const NO_TCP_CONNECTION_RATE: &str = "new connections per second are not limited on the TCP listener";
    const NO_TCP_MESSAGE_RATE: &str = "messages per second are not limited on the TCP listener";

    fn default_cluster() -> Cluster {
        load(&Source::read(DEFAULT).unwrap()).unwrap()
    }

    /// The sentences about a switch on a host where everything fits.
    fn switched(cluster: &Cluster, from: BalancerKind, to: BalancerKind) -> Vec<String> {
        let host = big_host();
        let (run_dir, templates) = (RunDir::at("/run/x"), Templates::embedded());
        let clusters = [from, to].map(|kind| cluster.clone().behind(kind));
        let plans = [0, 1].map(|index| plan(&clusters[index], [from, to][index], &host));
        let [now, next] = [0, 1].map(|index| Deployment {
            cluster: &clusters[index],
            plan: &plans[index],
            run_dir: &run_dir,
            templates: &templates,
            owned: false,
            generation: 0,
        });
        differences(now, next)
    }

    /// The sentences about the default profile: of the sticky clients the reason only, and of the
    /// others the beginning.
    fn short(from: BalancerKind, to: BalancerKind) -> Vec<String> {
        let sentences = switched(&default_cluster(), from, to).into_iter();
        let shorten = |sentence: String| match sentence.split_once(": ") {
            _ if sentence.contains("  ") => panic!("{sentence}"),
            None if sentence.starts_with("open event streams") => {
                let stay = format!("stay at {from}, but messages to them without a cookie go by");
                let is_complete =
                    sentence.contains(&stay) && sentence.ends_with("(`listen.http`, `listen.sse`)");
                assert!(is_complete, "{sentence}");
                "open event streams".to_owned()
            }
            Some((what, why)) if what.starts_with("clients that stick") => {
                assert!(
                    what.ends_with("(`listen.tcp`, `listen.websocket`, `listen.sse`)"),
                    "{what}"
                );
                why.to_owned()
            }
            Some((what, _)) if what != "no longer" => what.to_owned(),
            _ => sentence,
        };
        sentences.map(shorten).collect()
    }

    #[test]
    fn every_pair_of_balancers_differs_in_its_own_way() {
        let gained = |what: &str| format!("no longer: {what}");
        let page = |verb: &str| format!("the statistics page (127.0.0.1:8404) is {verb}");
        assert_eq!(
            short(Haproxy, Nginx),
            [
                "nginx computes it from the address".to_owned(),
                "open event streams".to_owned(),
                NO_TCP_CONNECTION_RATE.to_owned(),
                page("not served"),
            ]
        );
        assert_eq!(
            short(Builtin, Nginx),
            [
                "nginx computes it from the address".to_owned(),
                "open event streams".to_owned(),
                NO_TCP_MESSAGE_RATE.to_owned(),
                NO_TCP_CONNECTION_RATE.to_owned(),
                page("not served"),
            ]
        );
        assert_eq!(
            short(Nginx, Haproxy),
            [
                "nginx computes it from the address, and haproxy does not".to_owned(),
                "open event streams".to_owned(),
                gained(NO_TCP_CONNECTION_RATE),
                page("served"),
            ]
        );
        assert_eq!(
            short(Nginx, Builtin),
            [
                "nginx computes it from the address, and builtin does not".to_owned(),
                "open event streams".to_owned(),
                gained(NO_TCP_MESSAGE_RATE),
                gained(NO_TCP_CONNECTION_RATE),
                page("served"),
            ]
        );
        assert_eq!(
            short(Haproxy, Builtin),
            [
                "builtin does not know which node served a client of haproxy".to_owned(),
                "open event streams".to_owned(),
                gained(NO_TCP_MESSAGE_RATE),
            ]
        );
        assert_eq!(
            short(Builtin, Haproxy),
            [
                "haproxy does not know which node served a client of builtin".to_owned(),
                "open event streams".to_owned(),
                NO_TCP_MESSAGE_RATE.to_owned(),
            ]
        );
        for kind in BalancerKind::ALL {
            assert_eq!(switched(&default_cluster(), kind, kind), Vec::<String>::new());
        }
    }

    #[test]
    fn https_logs_and_ejection_are_named_where_they_end_and_begin() {
        let mut cluster = default_cluster();
        cluster.listen.https = Some(8443);
        cluster.access_log = Some("/var/log/mcp.json".into());
        cluster.health.eject = Some(5);
        let has = |from, to, words: &str| {
            let sentences = switched(&cluster, from, to);
            assert!(
                sentences.iter().any(|it| it.starts_with(words)),
                "{words}: {sentences:#?}"
            );
        };
        has(
            Haproxy,
            Builtin,
            "the HTTPS listener (8443) is not served: the built-in balancer",
        );
        has(
            Haproxy,
            Builtin,
            "no longer: requests are not logged to `/var/log/mcp.json`",
        );
        has(Nginx, Builtin, "no longer: `health.eject` has no effect");
        has(
            Builtin,
            Haproxy,
            "no longer: the HTTPS listener (8443) is not served",
        );
        has(
            Builtin,
            Nginx,
            "requests are not logged to `/var/log/mcp.json`: nginx logs to",
        );
        has(Haproxy, Nginx, "`health.eject` has no effect: nginx counts");
    }

    #[test]
    fn clients_that_do_not_depend_on_an_address_do_not_move() {
        let mut cluster = default_cluster();
        let free = Route {
            algorithm: Algorithm::Leastconn,
            sticky: Sticky::None,
        };
        let routing = &mut cluster.routing;
        (routing.tcp, routing.websocket, routing.sse) = (free, free, free);
        let moved = |cluster: &Cluster| -> Vec<String> {
            let sentences = switched(cluster, Haproxy, Builtin).into_iter();
            sentences.filter(|it| it.contains(" may get ")).collect()
        };
        assert_eq!(moved(&cluster), Vec::<String>::new());
        cluster.routing.tcp.algorithm = Algorithm::Source;
        cluster.routing.http.algorithm = Algorithm::Uri;
        assert_eq!(
            moved(&cluster),
            [
                "clients that stick to a node by their address may get another one when they connect again \
                 (`listen.tcp`): builtin computes it from the address in another way than haproxy",
                "requests for a path may get another node than before (`listen.http`): \
                 builtin computes it from the path in another way than haproxy",
            ]
        );
    }
}

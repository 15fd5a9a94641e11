//! Which node a client belongs to: by cookie, by session, by address.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;

use super::quoting::{key, literal};
use super::split_clients::{Share, shares};
use super::upstream::{Members, kind, whole};
use crate::plan::ChosenBy;
use crate::profile::{Cluster, HashKey, Node, Sticky};
use crate::render::pool::Pool;

/// How often another node is chosen for a client whose node is away, each time by another hash of
/// its address. Each choice is made among all nodes: so a client whose chosen node serves stays
/// with it, whichever other nodes go away or come back.
const DEPTH: usize = 5;

/// One of the choices by which an address gets its node: if that is away, the next choice counts.
pub(super) struct AddressChoice {
    salt: usize,
    /// The nodes, and their weights.
    pub(super) weights: Vec<(String, u64)>,
}

/// One `split_clients` block.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SplitView {
    /// The text that is hashed: the client's address, and a number that makes the hash a different
    /// one.
    key: String,
    variable: String,
    shares: Vec<ShareView>,
}

/// One line of such a block.
#[derive(Clone, Debug, Serialize)]
struct ShareView {
    percent: String,
    value: String,
}

/// One `map` block.
#[derive(Clone, Debug, Serialize)]
pub(super) struct MapView {
    key: String,
    variable: String,
    rows: Vec<(String, String)>,
}

/// The blocks that determine which node a client belongs to; empty where clients belong to no node.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct HomeView {
    splits: Vec<SplitView>,
    maps: Vec<MapView>,
}

impl MapView {
    /// Makes the block. The keys are padded, so that columns align.
    fn new(key: &str, variable: String, rows: impl IntoIterator<Item = (String, String)>) -> MapView {
        let rows: Vec<(String, String)> = rows.into_iter().collect();
        let width = rows.iter().map(|(from, _)| from.len()).max().unwrap_or(0);
        let padded = rows.into_iter().map(|(from, to)| (format!("{from:width$}"), to));
        MapView {
            key: key.to_owned(),
            variable,
            rows: padded.collect(),
        }
    }
}

impl HomeView {
    /// Whether clients of this kind belong to no node.
    pub(super) const fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }
}

/// What decides which node a new client of a listener gets, if neither a cookie nor a session names
/// one.
pub(super) fn chosen_by(pool: Pool, cluster: &Cluster) -> Option<ChosenBy> {
    if by_address(pool, cluster) {
        return Some(ChosenBy::Address);
    }
    pool.route(cluster).algorithm.facts().hashes.map(ChosenBy::from)
}

/// The blocks of one kind of traffic. They end with `$mcp_KIND_upstream`, the upstream that serves
/// the client.
pub(super) fn home(pool: Pool, members: Members<'_>) -> HomeView {
    let mut view = HomeView::default();
    let kind = kind(pool);
    let mut variables: Vec<String> = Vec::new();
    for sticky in pool.followed(members.cluster) {
        match sticky {
            Sticky::Cookie => variables.push("$mcp_cookie_home".to_owned()),
            Sticky::McpSession => variables.push("$mcp_session_home".to_owned()),
            Sticky::Source | Sticky::None => {}
        }
    }
    if by_address(pool, members.cluster) && members.serving().next().is_some() {
        address_home(kind, client(pool, members.cluster), members, &mut view);
        variables.push(format!("$mcp_{kind}_home"));
    }
    if variables.is_empty() {
        return view;
    }
    let node = if let [only] = variables.as_slice() {
        only.clone()
    } else {
        // The first variable that is not empty.
        let variable = format!("mcp_{kind}_node");
        let first = format!("mcp_{kind}_first");
        view.maps.push(MapView::new(
            &quote(&variables.join("|")),
            variable.clone(),
            [
                ("default".to_owned(), quote("")),
                (quote(&format!("~^\\|*(?<{first}>[^|]+)")), format!("${first}")),
            ],
        ));
        format!("${variable}")
    };
    view.maps.push(MapView::new(
        &node,
        format!("mcp_{kind}_upstream"),
        [
            ("default".to_owned(), format!("erlmcp_{kind}_to_{node}")),
            (quote(""), whole(pool)),
        ],
    ));
    view
}

/// A `map` from patterns, one for each node, to the names of the nodes.
pub(super) fn named<'a>(
    nodes: impl Iterator<Item = &'a Node>,
    key: &str,
    variable: &str,
    pattern: impl Fn(&Node) -> String,
) -> MapView {
    let rows = nodes.map(|node| (quote(&pattern(node)), node.name.clone()));
    let default = ("default".to_owned(), quote(""));
    MapView::new(key, variable.to_owned(), [default].into_iter().chain(rows))
}

/// A pattern for a cookie `name` whose value is `node`.
pub(super) fn cookie_of(name: &str, node: &Node) -> String {
    format!("~(?:^|; *){}={}(?:;|$)", literal(name), literal(&node.name))
}

/// A value as a single word.
pub(super) fn quote(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The source address of a connection to a node: a hash spreads the connections evenly over
/// `sources`; if there are none, the kernel chooses.
pub(super) fn sources(sources: &[IpAddr]) -> Option<SplitView> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let weights: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    (!weights.is_empty()).then(|| SplitView {
        key: quote("$remote_addr:$remote_port"),
        variable: "mcp_source".to_owned(),
        shares: views(&weights),
    })
}

// Private

fn views(weights: &[(&str, u64)]) -> Vec<ShareView> {
    let view = |share: Share<'_>| ShareView {
        percent: format!("{:6}", share.percent),
        value: share.name.to_owned(),
    };
    shares(weights).into_iter().map(view).collect()
}

pub(super) fn by_address(pool: Pool, cluster: &Cluster) -> bool {
    let by_algorithm = pool.route(cluster).algorithm.facts().hashes == Some(HashKey::Address);
    by_algorithm || pool.followed(cluster).contains(&Sticky::Source)
}

/// The address of a client. That of a trusted proxy's client is in a header.
fn client(pool: Pool, cluster: &Cluster) -> &'static str {
    if pool == Pool::Tcp || cluster.listen.trusted.is_empty() {
        "$remote_addr"
    } else {
        "$mcp_client"
    }
}

/// Adds the blocks of `$mcp_KIND_home`, which choose by the address of the `client`.
fn address_home(kind: &str, client: &str, members: Members<'_>, view: &mut HomeView) {
    let choices = address_choices(members.cluster, members.away);
    let is_only = choices.len() == 1;
    for (index, choice) in choices.iter().enumerate() {
        let weights: Vec<(&str, u64)> = choice
            .weights
            .iter()
            .map(|(name, weight)| (name.as_str(), *weight))
            .collect();
        view.splits.push(SplitView {
            key: quote(&format!("{client}{}", choice.suffix())),
            variable: if is_only {
                format!("mcp_{kind}_home")
            } else {
                format!("mcp_{kind}_choice_{}", index + 1)
            },
            shares: views(&weights),
        });
    }
    if is_only {
        return;
    }
    let away = members
        .cluster
        .nodes
        .iter()
        .filter(|node| node.weight > 0 && members.away.contains(&node.name));
    let away: Vec<&str> = away.map(|node| node.name.as_str()).collect();
    // The last choice first, because each one falls back on the next.
    for choice in (1..=DEPTH).rev() {
        let next = match choice {
            DEPTH => format!("$mcp_{kind}_choice_{}", DEPTH + 1),
            _ => format!("$mcp_{kind}_home_{}", choice + 1),
        };
        let variable = match choice {
            1 => format!("mcp_{kind}_home"),
            _ => format!("mcp_{kind}_home_{choice}"),
        };
        let here = format!("$mcp_{kind}_choice_{choice}");
        let gone = away.iter().map(|name| (key(name), next.clone()));
        let default = ("default".to_owned(), here.clone());
        view.maps
            .push(MapView::new(&here, variable, [default].into_iter().chain(gone)));
    }
}

/// The choices of addresses while the nodes in `away` get no new clients. If every node serves, that
/// is one choice; else [`DEPTH`] choices among all nodes, and a last one among the serving nodes.
pub(super) fn address_choices(cluster: &Cluster, away: &BTreeSet<String>) -> Vec<AddressChoice> {
    let weights = |is_meant: &dyn Fn(&Node) -> bool| -> Vec<(String, u64)> {
        let nodes = cluster.nodes.iter().filter(|node| is_meant(node));
        nodes
            .map(|node| (node.name.clone(), node.weight.into()))
            .collect()
    };
    let all = || weights(&|_| true);
    let is_any_away = cluster
        .nodes
        .iter()
        .any(|node| node.weight > 0 && away.contains(&node.name));
    if !is_any_away {
        let weights = all();
        return vec![AddressChoice { salt: 0, weights }];
    }
    let among_all = (0..DEPTH).map(|salt| AddressChoice { salt, weights: all() });
    let last = AddressChoice {
        salt: DEPTH,
        weights: weights(&|node| !away.contains(&node.name)),
    };
    among_all.chain([last]).collect()
}

impl AddressChoice {
    /// What follows the client's address in the text that is hashed.
    pub(super) fn suffix(&self) -> String {
        match self.salt {
            0 => String::new(),
            salt => format!(" {salt}"),
        }
    }
}

//! The paths of the HTTP listeners: prefixes that a request can have, each in one list.

use std::collections::BTreeMap;

use crate::base::units::excerpt;
use crate::profile::parsed::ParsedProfile;
use crate::profile::paths::ambiguity;
use crate::profile::problem::Problem;

/// Characters of a path besides letters, digits and `%XX` (RFC 3986, section 3.3), without `;`,
/// which is refused in requests.
const PUNCTUATION: &str = "/-._~!$&'()*+,=:@%";

/// Prefixes must be paths as clients send them.
pub(super) fn prefixes(written: &ParsedProfile) -> Vec<Problem> {
    each(written)
        .into_iter()
        .filter_map(|(path, prefix)| {
            let shown = excerpt(prefix);
            let (message, hint) = wrong(prefix, &shown)?;
            Some(written.problem(&path, message).hint(hint))
        })
        .collect()
}

/// No prefix is listed twice: the second list would never get a request.
pub(super) fn duplicates(written: &ParsedProfile) -> Vec<Problem> {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    let mut problems = Vec::new();
    for (path, prefix) in each(written) {
        if let Some(first) = seen.get(prefix) {
            let message = format!("`routing.paths` has `{}` twice", excerpt(prefix));
            problems.push(
                written
                    .problem(&path, message)
                    .mark(written.mark(first, "first"))
                    .hint("leave it in the list whose requests it gets"),
            );
        } else {
            seen.insert(prefix, path);
        }
    }
    problems
}

/// At least one of the HTTP listeners has a path to serve.
pub(super) fn something(written: &ParsedProfile) -> Vec<Problem> {
    let document = &written.document;
    let (listen, paths) = (&document.listen, &document.routing.paths);
    let has_any = !each(written).is_empty();
    let listeners = [
        (listen.http, has_any),
        (document.https(), has_any),
        (listen.websocket, !paths.websocket.is_empty()),
        (listen.sse, !paths.sse.is_empty()),
    ];
    let mut served = listeners.iter().filter(|(port, _)| port.is_some()).peekable();
    if !document.has_http() || served.peek().is_none() || served.any(|(_, has_paths)| *has_paths) {
        return Vec::new();
    }
    vec![
        written
            .problem("routing.paths", "`routing.paths` has no path for the HTTP listeners")
            .mark(written.mark("nodes.http_port", "nodes with HTTP"))
            .hint("list the path at which nodes serve MCP, such as `routing.paths.mcp: [/mcp]`, or set `nodes.http_port: null`"),
    ]
}

// Private

/// Each prefix with its place in the profile.
fn each(written: &ParsedProfile) -> Vec<(String, &str)> {
    let lists = written.document.routing.paths.lists().into_iter();
    lists
        .flat_map(|(kind, list)| {
            let place = move |index| format!("routing.paths.{}[{index}]", kind.name());
            let prefixes = list.iter().enumerate();
            prefixes.map(move |(index, prefix)| (place(index), prefix.as_str()))
        })
        .collect()
}

/// What is wrong with a prefix, and a hint.
fn wrong(prefix: &str, shown: &str) -> Option<(String, String)> {
    if !prefix.starts_with('/') {
        return Some((
            format!("`{shown}` is not a path"),
            "a path begins with `/`, such as `/mcp`; `/` means everything".to_owned(),
        ));
    }
    if prefix.contains(['?', '#']) {
        return Some((
            format!("`{shown}` has more than a path"),
            "leave `?` or `#` and the rest out: only the path of a request decides".to_owned(),
        ));
    }
    if let Some(part) = ambiguity(prefix) {
        return Some((
            format!("no request can have the path `{shown}`"),
            format!(
                "requests with `{part}` in their path are refused, because servers read it in different ways"
            ),
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || PUNCTUATION.contains(c);
    if let Some(odd) = prefix.chars().find(|c| !allowed(*c)) {
        return Some((
            format!("a path cannot have {odd:?}"),
            "write it as clients send it, such as `%20` for a blank".to_owned(),
        ));
    }
    let mut escapes = prefix.split('%').skip(1);
    let is_hex = |text: &str| text.len() >= 2 && text.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    (!escapes.all(is_hex)).then(|| {
        (
            format!("`{shown}` has a `%` without two hexadecimal digits"),
            "`%25` stands for `%` itself".to_owned(),
        )
    })
}

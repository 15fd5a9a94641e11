//! What health checks ask for.

use crate::base::units::excerpt;
use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;

/// Characters that would end a word, a quotation or a path in a balancer's configuration or in a
/// request.
const SPECIAL: [char; 8] = ['"', '\'', '\\', '#', '$', '{', '}', ';'];

/// `health.path` can be sent as it is written.
pub(super) fn path(written: &ParsedProfile) -> Vec<Problem> {
    let path = &written.document.health.path;
    let odd = path
        .chars()
        .find(|c| !c.is_ascii_graphic() || SPECIAL.contains(c));
    let message = match odd {
        _ if !path.starts_with('/') => format!("`{}` is not a path", excerpt(path)),
        Some(odd) => format!("`health.path` contains {odd:?}"),
        None => return Vec::new(),
    };
    let hint = if odd.is_some() {
        "encode it as in a URL, such as `%20` for a space"
    } else {
        "a path begins with `/`, such as `/health`"
    };
    vec![written.problem("health.path", message).hint(hint)]
}

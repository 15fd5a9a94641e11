//! Where a node of ours is asked over Erlang's distribution protocol.

use crate::erlang::distribution::{Atom, Cookie, CookieError, Target};
use crate::erlang::otp::mesh::HOST;
use crate::platform::RunDir;
use crate::profile::Node;

/// Where `node` is asked, with the cookie of the cluster in `run_dir`; none of a node that is no BEAM node of ours.
///
/// # Errors
/// When there is no cookie: the cluster does not run.
pub fn target(node: &Node, run_dir: &RunDir) -> Result<Option<Target>, CookieError> {
    let name = Atom::new(&format!("{}@{HOST}", node.name)).ok();
    let (Some(address), Some(name)) = (node.distribution, name) else {
        return Ok(None);
    };
    Ok(Some(Target {
        node: name,
        address,
        cookie: Cookie::read(&run_dir.erlang_cookie())?,
    }))
}

//! The address at which a BEAM node answers Erlang's distribution protocol.

use crate::erlang::distribution::{Atom, Cookie, CookieError, Target};
use crate::erlang::otp::mesh::HOST;
use crate::platform::RunDir;
use crate::profile::Node;

/// The address of `node`, with the cookie of the cluster in `run_dir`; `None` if `node` is not a
/// BEAM node.
///
/// # Errors
/// If there is no cookie, because the cluster does not run.
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

//! A supervisor of another version than this command.

use std::cmp::Ordering;

use crate::api::Status;
use crate::base::version::{OWN_VERSION, Version};

/// How the supervisor's version compares with that of this command. A supervisor that reports no
/// version is older; one whose version cannot be read is taken to be newer.
pub(super) fn compare(supervisor: &str) -> Ordering {
    if supervisor.is_empty() {
        return Ordering::Less;
    }
    match (supervisor.parse::<Version>(), OWN_VERSION.parse::<Version>()) {
        (Ok(theirs), Ok(own)) => theirs.cmp(&own),
        _ => Ordering::Greater,
    }
}

/// The name of a version, for sentences: `0.1.0`, or `an older version` where it is not known.
pub(super) fn name(version: &str) -> &str {
    if version.is_empty() {
        "an older version"
    } else {
        version
    }
}

/// Adds a warning to the status of a supervisor of another version.
pub(super) fn warn(status: &mut Status) {
    let version = name(&status.version);
    let warning = match compare(&status.version) {
        Ordering::Less => {
            format!(
                "the supervisor is of {version}, this command of {OWN_VERSION}: `clusterctl start` upgrades it"
            )
        }
        Ordering::Greater => {
            format!("the supervisor is of {version}, newer than this command ({OWN_VERSION})")
        }
        Ordering::Equal => return,
    };
    status.warnings.push(warning);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(version: &str) -> Option<String> {
        let mut status = Status {
            version: version.to_owned(),
            ..Status::down("erlmcp")
        };
        warn(&mut status);
        status.warnings.pop()
    }

    #[test]
    fn older_and_newer_supervisors_are_warned_of() {
        assert_eq!(warning(OWN_VERSION), None);
        let older = format!(
            "the supervisor is of 0.0.9, this command of {OWN_VERSION}: `clusterctl start` upgrades it"
        );
        assert_eq!(warning("0.0.9"), Some(older));
        let newer = format!("the supervisor is of 99.0.0, newer than this command ({OWN_VERSION})");
        assert_eq!(warning("99.0.0"), Some(newer));
        assert!(
            warning("")
                .unwrap()
                .starts_with("the supervisor is of an older version, ")
        );
        assert!(warning("two").unwrap().contains("newer than this command"));
    }
}

//! A balancer's name on the command line.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};

use super::failure::Failure;
use super::suggestions;
use crate::profile::BalancerKind;

/// A balancer's name as it was typed. [`BalancerName::kind`] checks it, with a better message than
/// clap's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BalancerName(String);

/// Reads a [`BalancerName`], and gives completions the list of names.
#[derive(Clone, Copy, Debug)]
pub(super) struct BalancerNames;

impl BalancerName {
    /// The balancer of that name.
    ///
    /// # Errors
    /// When no balancer has this name.
    pub(super) fn kind(&self) -> Result<BalancerKind, Failure> {
        let kind = BalancerKind::ALL.into_iter().find(|kind| kind.name() == self.0);
        kind.ok_or_else(|| self.unknown())
    }

    fn unknown(&self) -> Failure {
        suggestions::unknown(
            "balancer",
            &self.0,
            BalancerKind::ALL.iter().map(|kind| kind.name()),
        )
    }
}

impl TypedValueParser for BalancerNames {
    type Value = BalancerName;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<BalancerName, clap::Error> {
        let name = value
            .to_str()
            .ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidUtf8).with_cmd(command))?;
        Ok(BalancerName(name.to_owned()))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(
            BalancerKind::ALL
                .iter()
                .map(|kind| PossibleValue::new(kind.name())),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str) -> Result<BalancerKind, (String, Option<String>)> {
        BalancerName(name.to_owned())
            .kind()
            .map_err(|failure| (failure.text(), failure.hint))
    }

    #[test]
    fn a_near_miss_is_suggested() {
        let (error, hint) = judged("haproxi").unwrap_err();
        assert_eq!(error, "unknown balancer `haproxi`");
        assert_eq!(hint.unwrap(), "did you mean `haproxy`?");
    }

    #[test]
    fn each_has_its_name() {
        for kind in BalancerKind::ALL {
            assert_eq!(judged(kind.name()), Ok(kind));
        }
        assert_eq!(
            judged("envoy").unwrap_err().1.unwrap(),
            "available: `builtin`, `haproxy`, `nginx`"
        );
    }
}

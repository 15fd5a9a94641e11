//! `export`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::base::units::Period;
use crate::cli::balancer_name::{BalancerName, BalancerNames};

/// `export`
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    #[command(subcommand)]
    pub(in crate::cli) verb: ExportVerb,
}

/// What is exported.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExportVerb {
    /// Print a unit of systemd, or write it to a directory
    Systemd(ExportSystemd),
    /// Print a Containerfile, or write it to a directory with all that it copies
    Container(ExportContainer),
}

/// How the cluster stops.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportStop {
    /// How long `/ready` answers 503 before a stop closes the listeners
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(in crate::cli) announce: Period,
    /// Time over which a stop closes the connections that are left
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(in crate::cli) over: Period,
}

/// `export systemd`
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportSystemd {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(in crate::cli) balancer: Option<BalancerName>,
    /// User that runs the cluster
    #[arg(long, value_name = "NAME", default_value = crate::cli::export::USER, value_parser = user)]
    pub(in crate::cli) user: String,
    #[command(flatten)]
    pub(in crate::cli) stop: ExportStop,
    /// Write the unit to this directory instead of printing it
    #[arg(long, short, value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// `export container`
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportContainer {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(in crate::cli) balancer: Option<BalancerName>,
    /// Debian package that the image contains besides, such as `haproxy` for a switch; may be repeated
    #[arg(long, value_name = "PACKAGE", value_parser = package)]
    pub(in crate::cli) with: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) stop: ExportStop,
    /// Write the Containerfile to this directory with all that it copies, instead of printing it
    #[arg(long, short, value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
}

// Private

/// A user's name, as systemd accepts it.
fn user(name: &str) -> Result<String, &'static str> {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if starts && name.len() <= 31 && name.bytes().all(is_valid) {
        Ok(name.to_owned())
    } else {
        Err("a user's name has letters, digits, `_` and `-`, and begins with a letter")
    }
}

/// A package's name, as Debian's policy defines it.
fn package(name: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let starts = name.bytes().next().is_some_and(is_plain);
    if starts && name.bytes().all(|byte| is_plain(byte) || b"+-.".contains(&byte)) {
        Ok(name.to_owned())
    } else {
        Err(
            "a package's name has small letters, digits, `+`, `-` and `.`, and begins with a letter or a digit",
        )
    }
}

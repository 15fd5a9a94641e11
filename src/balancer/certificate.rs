//! Certificate chain and private key in one text, as balancers require it.

use std::fs;
use std::io;
use std::path::Path;

use super::files::FilesError;
use crate::profile::Certificate;

/// The pair for `certificate`. Our own pair is made once, and is found again at `path` when a
/// balancer is reloaded or restarted, so that clients that trust it continue to do so.
///
/// # Errors
/// When a file cannot be read, or a pair cannot be made.
pub(super) fn pem(certificate: &Certificate, path: &Path) -> Result<String, FilesError> {
    match certificate {
        Certificate::Files { certificate, key } => {
            Ok(format!("{}\n{}", read(certificate)?.trim_end(), read(key)?))
        }
        Certificate::SelfSigned => match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self_signed(),
            Ok(made) => Ok(made),
            Err(source) => Err(FilesError::Certificate {
                path: path.to_owned(),
                source,
            }),
        },
    }
}

// Private

fn read(path: &Path) -> Result<String, FilesError> {
    fs::read_to_string(path).map_err(|source| FilesError::Certificate {
        path: path.to_owned(),
        source,
    })
}

/// A certificate for this host, with all names that a client on it can use.
fn self_signed() -> Result<String, FilesError> {
    let hostname = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let names = names
        .into_iter()
        .chain(hostname.filter(|name| name != "localhost"));
    let pair = rcgen::generate_simple_self_signed(names.collect::<Vec<_>>())?;
    Ok(pair.cert.pem() + &pair.signing_key.serialize_pem())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_our_own_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tls.pem");
        let made = pem(&Certificate::SelfSigned, &path).unwrap();
        assert!(made.starts_with("-----BEGIN CERTIFICATE-----"), "{made}");
        assert!(made.contains("-----BEGIN PRIVATE KEY-----"), "{made}");
        assert_ne!(pem(&Certificate::SelfSigned, &path).unwrap(), made);
        fs::write(&path, &made).unwrap();
        assert_eq!(pem(&Certificate::SelfSigned, &path).unwrap(), made);
    }
}

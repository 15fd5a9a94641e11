//! A certificate and the listener that uses it.

use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;

/// Either both files are given, or neither of them and `self_signed`.
pub(super) fn certificate(written: &ParsedProfile) -> Vec<Problem> {
    let Some(tls) = &written.document.tls else {
        return Vec::new();
    };
    let files = tls.certificate.is_some() || tls.key.is_some();
    let wrong = match (&tls.certificate, &tls.key) {
        _ if tls.self_signed && files => "`tls` has both files and `self_signed`",
        _ if tls.self_signed => return Vec::new(),
        (Some(_), Some(_)) => return Vec::new(),
        (Some(_), None) => "`tls.key` is missing",
        (None, Some(_)) => "`tls.certificate` is missing",
        (None, None) => "`tls` names no certificate",
    };
    vec![written.problem("tls", wrong).hint(
        "it is `tls: {certificate: FILE, key: FILE}` in PEM, `tls: {self_signed: true}`, or `tls: null`",
    )]
}

/// HTTPS needs a certificate.
pub(super) fn https(written: &ParsedProfile) -> Vec<Problem> {
    let document = &written.document;
    if document.listen.https.is_none() || document.tls.is_some() {
        return Vec::new();
    }
    vec![
        written
            .problem("listen.https", "`listen.https` needs a certificate")
            .mark(written.mark("tls", "none here"))
            .hint("set `tls: {self_signed: true}` or `tls: {certificate: FILE, key: FILE}`, or `listen.https: null`"),
    ]
}

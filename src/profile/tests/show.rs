//! What `profile show` prints.

use super::{cluster, file, sets};
use crate::profile::{DEFAULT, embedded, show};

#[test]
fn an_embedded_profile_is_shown_as_it_was_written() {
    assert_eq!(show(&sets(&[])).unwrap(), embedded(DEFAULT).unwrap());
}

#[test]
fn the_shown_profile_has_the_same_meaning() {
    let mut source = sets(&[
        "nodes.count=2",
        "limits.per_ip.exempt=[10.0.0.0/8]",
        "tls={certificate: a, key: b}",
        "targets.tolerance=2.5%",
    ]);
    source.port_offset = 7;
    let shown = show(&source).unwrap();
    let again = cluster(&file(&shown));
    assert_eq!(
        serde_json::to_value(&again).unwrap(),
        serde_json::to_value(cluster(&source)).unwrap()
    );
    assert_eq!(show(&file(&shown)).unwrap(), shown);
}

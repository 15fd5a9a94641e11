//! Pages of all sorts of tests: well-formed, without a number that is none, and with nothing that others have said as markup.

use super::super::testing::{broken, failed_over, foreign, passed};
use super::*;

#[test]
fn pages() {
    let directory = std::path::Path::new("/tmp/pages");
    std::fs::create_dir_all(directory).unwrap();
    for (name, results) in [
        ("passed", passed()),
        ("failed_over", failed_over()),
        ("broken", broken()),
        ("foreign", foreign()),
    ] {
        std::fs::write(
            directory.join(format!("{name}.html")),
            load_test_page(&results).unwrap(),
        )
        .unwrap();
    }
}

//! `dataplane.yaml`: any input results in a configuration or an error. A configuration that was
//! read can be written, and is the same when it is read again.

#![no_main]

use clusterctl::dataplane_config::Dataplane;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(config) = Dataplane::parse(text) {
        assert_eq!(Dataplane::parse(&config.to_yaml()), Ok(config));
    }
});

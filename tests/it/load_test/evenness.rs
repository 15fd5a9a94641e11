//! Balancers that compute a client's node from its address: unevenness that chance explains passes,
//! any other fails.

use std::fs;

use serde_json::Value;

use super::{of, verdict};
use crate::harness::{TestCluster, behind_each_balancer};

behind_each_balancer! {
    a_hash_of_addresses_passes_within_what_chance_allows,
}

/// The check of the distribution.
fn check(results: &Value) -> &Value {
    let checks = results["checks"].as_array().unwrap().iter();
    checks
        .into_iter()
        .find(|check| check["name"] == "distribution")
        .unwrap()
}

fn a_hash_of_addresses_passes_within_what_chance_allows(balancer: &'static str) {
    // A target so strict that chance alone always exceeds it.
    let cluster = TestCluster::behind(balancer)
        .set("routing.tcp.algorithm=source")
        .set("targets.variance=0.1%")
        .started();
    let ended = of(&cluster, "402 1 --json").ends();
    let results = ended.results(0);
    assert_eq!(verdict(&results, "distribution"), "passed", "{ended}");
    let measured = check(&results)["measured"].as_str().unwrap();
    assert!(
        measured.contains("as even as chance allows for 402 addresses"),
        "{ended}"
    );
    let chance = &results["distribution"]["chance"];
    assert_eq!(
        (
            &chance["addresses"],
            &chance["degrees_of_freedom"],
            &chance["is_chance"]
        ),
        (&402.into(), &3.into(), &true.into()),
        "{ended}"
    );
    assert!(chance["p"].as_f64().unwrap() > 0.001, "{ended}");
    // With so few addresses, the unevenness is not attributed to chance.
    let few = of(&cluster, "250 1 --sources 6 --json").ends();
    let few: Value = serde_json::from_str(&few.stdout).unwrap();
    assert_eq!(few["distribution"]["chance"]["addresses"], 6, "{few}");
    assert_ne!(verdict(&few, "distribution"), "passed", "{few}");
}

#[test]
fn a_skewed_hash_fails() {
    // The first node gets twice its share in the template, while its weight stays the same.
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/nginx.conf.tera"));
    let shares = "{% for share in split.shares %}\n        ";
    let skewed = template.unwrap().replace(
        &format!("{shares}{{{{ share.percent }}}}"),
        &format!("{shares}{{% if loop.first %}}50%{{% elif loop.last %}}*{{% else %}}16%{{% endif %}}"),
    );
    assert!(skewed.contains("50%"));
    let cluster = TestCluster::behind("nginx");
    let templates = cluster.dir().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("nginx.conf.tera"), skewed).unwrap();
    let cluster = cluster
        .with(&["--templates", templates.to_str().unwrap()])
        .started();
    let ended = of(&cluster, "400 1 --json").ends();
    let results = ended.results(1);
    assert_eq!(verdict(&results, "distribution"), "failed", "{ended}");
    let measured = check(&results)["measured"].as_str().unwrap();
    assert!(
        measured.ends_with("more uneven than chance allows for 400 addresses"),
        "{ended}"
    );
}

//! The architecture rules as tests: layers import downwards only, modules of one layer do not
//! import one another, and unsafe code, child processes and printing stay in the modules that are
//! allowed to use them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rules::{all_layers, layer, module_in_layers, violations};
use source::code_of;

/// Files that only list modules, or call one.
const LISTING: [&[&str]; 3] = [&["lib"], &["main"], &["erlang"]];

#[test]
fn every_file_keeps_the_rules() {
    let files = files(&src());
    assert!(files.len() > 50, "only {} files were found", files.len());
    let broken: Vec<String> = files
        .iter()
        .filter_map(|path| Some((path, module_of(path)?)))
        .flat_map(|(path, module)| {
            let text = std::fs::read_to_string(path).unwrap();
            let found = violations(&module, &code_of(&text));
            found
                .into_iter()
                .map(|violation| format!("{}: {violation}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_file_lies_in_a_module_with_a_layer() {
    let found: BTreeSet<String> = files(&src()).iter().filter_map(|path| module_of(path)).collect();
    assert!(found.len() > 15, "only {found:?}");
    let homeless: Vec<&String> = found.iter().filter(|module| layer(module).is_none()).collect();
    assert!(homeless.is_empty(), "without layer: {homeless:?}");
}

#[test]
fn the_architecture_page_lists_the_same_layers() {
    let map = std::fs::read_to_string(src().join("../ARCHITECTURE.md")).unwrap();
    let rows = map.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let number: usize = cells.next()?.parse().ok()?;
        Some((number, cells.next()?.trim_matches('`').to_owned()))
    });
    let described: BTreeSet<(usize, String)> = rows.collect();
    let checked: BTreeSet<(usize, String)> = all_layers().collect();
    assert_eq!(described, checked);
}

#[test]
fn the_architecture_page_names_files_that_exist() {
    let map = std::fs::read_to_string(src().join("../ARCHITECTURE.md")).unwrap();
    let quoted = map.split('`').skip(1).step_by(2);
    let is_file = |name: &&str| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "rs")
    };
    let files: Vec<&str> = quoted.filter(is_file).collect();
    assert!(files.len() > 20, "{files:?}");
    let root = src().join("..");
    let places = ["", "src", "src/supervisor", "src/dataplane"].map(|place| root.join(place));
    for file in files {
        let is_there = places.iter().any(|place| place.join(file).exists());
        // Within a walk, a file of the folder named just before appears without its folder.
        let is_below = || self::files(&src()).iter().any(|path| path.ends_with(file));
        assert!(is_there || is_below(), "{file}");
    }
}

#[test]
fn the_supervisors_state_has_owners_with_private_fields() {
    let owners = [
        ("process/children.rs", "Children"),
        ("process/groups.rs", "Groups"),
        ("process/left_behind.rs", "LeftBehind"),
        ("health/table.rs", "HealthTable"),
        ("balancer_link/link.rs", "BalancerLink"),
        ("drain/drains.rs", "Drains"),
        ("failover/history.rs", "Failovers"),
        ("overrides/mod.rs", "Overrides"),
        ("shards/mod.rs", "Shards"),
        ("recorder.rs", "Recorder"),
        ("rollout/rollouts.rs", "Rollouts"),
        ("rollout/current.rs", "CurrentRollout"),
        ("notifier.rs", "Notifier"),
    ];
    for (file, owner) in owners {
        let text = std::fs::read_to_string(src().join("supervisor").join(file)).unwrap();
        let code = code_of(&text);
        let (_, body) = code.split_once(&format!("struct {owner} {{")).unwrap();
        let (fields, _) = body.split_once("\n}").unwrap();
        assert!(
            fields.contains(':') && !fields.contains("pub"),
            "{owner}:{fields}"
        );
    }
}

// Private

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The module with a layer that a file belongs to; none for files that only list modules.
fn module_of(path: &Path) -> Option<String> {
    let below = path.strip_prefix(src()).unwrap().with_extension("");
    let names: Vec<String> = below
        .components()
        .map(|name| name.as_os_str().to_string_lossy().into_owned())
        .filter(|name| name != "mod")
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!LISTING.contains(&names.as_slice())).then(|| module_in_layers(&names))
}

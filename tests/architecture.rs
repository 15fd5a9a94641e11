//! The house's rules, kept: layers import downwards, siblings do not know one another, and what is dangerous or loud stays
//! in its room.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rules::{layer, violations};
use source::code_of;

#[test]
fn every_file_keeps_the_rules() {
    let files = files(&src());
    assert!(files.len() > 50, "only {} files were found", files.len());
    let broken: Vec<String> = files
        .iter()
        .filter_map(|path| Some((path, module_of(path)?)))
        .flat_map(|(path, module)| {
            let text = std::fs::read_to_string(path).unwrap();
            let said = violations(&module, &code_of(&text));
            said.into_iter()
                .map(|said| format!("{}: {said}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_module_has_a_layer_and_stands_in_the_library() {
    let library = code_of(&std::fs::read_to_string(src().join("lib.rs")).unwrap());
    let declared: BTreeSet<String> = library
        .lines()
        .filter_map(|line| {
            Some(
                line.trim()
                    .strip_prefix("pub mod ")?
                    .strip_suffix(';')?
                    .to_owned(),
            )
        })
        .collect();
    let found: BTreeSet<String> = files(&src()).iter().filter_map(|path| module_of(path)).collect();
    assert_eq!(declared, found);
    let homeless: Vec<&String> = declared.iter().filter(|module| layer(module).is_none()).collect();
    assert!(homeless.is_empty(), "without layer: {homeless:?}");
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

/// The top-level module that a file belongs to; none for the crate's roots, which only list and call.
fn module_of(path: &Path) -> Option<String> {
    let below = path.strip_prefix(src()).unwrap();
    let first = Path::new(below.components().next()?.as_os_str()).with_extension("");
    let name = first.to_string_lossy().into_owned();
    (!matches!(name.as_str(), "lib" | "main")).then_some(name)
}

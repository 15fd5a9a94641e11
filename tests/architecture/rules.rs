//! The rules, checked on the code of one file.

use crate::source::words;

/// The layers, lowest first, by the paths of their modules. Modules of one layer do not import one
/// another.
const LAYERS: [&[&str]; 7] = [
    &["base"],
    &["platform", "profile", "mcp", "erlang::distribution"],
    &[
        "plan",
        "probe",
        "workers",
        "http_server",
        "erlang::otp",
        "dataplane_config",
    ],
    &["render", "haproxy_api", "api", "erlang::erlmcp"],
    &[
        "balancer",
        "dataplane",
        "node",
        "erlang::beam",
        "load_test",
        "observe",
    ],
    &["supervisor", "report"],
    &["cli"],
];

/// Words that may appear in one module only, with that module.
const ALLOWED_IN: [(&str, &str); 10] = [
    ("unsafe", "platform"),
    ("Command::new", "platform"),
    ("print!", "cli"),
    ("println!", "cli"),
    ("eprint!", "cli"),
    ("eprintln!", "cli"),
    ("stdout()", "cli"),
    ("anyhow", "cli"),
    ("clap", "cli"),
    ("indicatif", "cli"),
];

/// The number of a module's layer.
pub(crate) fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every module with the number of its layer.
pub(crate) fn all_layers() -> impl Iterator<Item = (usize, String)> {
    let layers = LAYERS.iter().enumerate();
    layers.flat_map(|(number, modules)| modules.iter().map(move |module| (number, (*module).to_owned())))
}

/// The module with a layer that contains a path. The path is given as its names from the crate's
/// root on. Without such a module: the path's first name.
pub(crate) fn module_in_layers(path: &[&str]) -> String {
    let prefixes = (1..=path.len()).rev().map(|length| path[..length].join("::"));
    let known = prefixes.into_iter().find(|prefix| layer(prefix).is_some());
    known.unwrap_or_else(|| path.first().copied().unwrap_or_default().to_owned())
}

/// The violations in `code`, a file of `module` without comments and strings.
pub(crate) fn violations(module: &str, code: &str) -> Vec<String> {
    let mut imports = imports(code);
    imports.dedup();
    let forbidden = imports
        .iter()
        .filter(|import| *import != module && !is_below(import, module));
    let imported = forbidden.map(|import| format!("`{module}` must not know `{import}`"));
    let misplaced = ALLOWED_IN
        .iter()
        .filter(|(words, allowed)| *allowed != module && contains_words(code, words));
    let misplaced = misplaced.map(|(words, allowed)| format!("`{words}` belongs into `{allowed}`"));
    imported.chain(misplaced).collect()
}

// Private

/// Whether `module` may import `import`. A module without a layer can neither import nor be
/// imported.
fn is_below(import: &str, module: &str) -> bool {
    layer(import).is_some_and(|import| layer(module).is_some_and(|module| import < module))
}

/// The modules that `crate::` paths refer to, those in groups included.
fn imports(code: &str) -> Vec<String> {
    let words = words(code);
    let starts = words
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == ["crate", "::"]);
    starts
        .flat_map(|(index, _)| paths(&words[index + 2..]))
        .map(|path| module_in_layers(&path))
        .collect()
}

/// The path at the start of `words`; for a group, each of its paths.
fn paths<'a>(words: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut start = Vec::new();
    let mut rest = words;
    while let [name, tail @ ..] = rest {
        match *name {
            "{" => return in_group(&start, tail),
            "::" => {}
            name if name.starts_with(|first: char| first.is_alphabetic() || first == '_') => start.push(name),
            _ => break,
        }
        // `::` separates names; anything else ends the path.
        if *name != "::" && tail.first() != Some(&"::") {
            break;
        }
        rest = tail;
    }
    vec![start]
}

/// The paths of a group after `start`; `words` begin after its brace.
fn in_group<'a>(start: &[&'a str], words: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut depth = 1;
    let mut before = "{";
    for (index, word) in words.iter().enumerate() {
        if depth == 1 && matches!(before, "{" | ",") && !matches!(*word, "}" | ",") {
            let behind = paths(&words[index..]);
            found.extend(behind.into_iter().map(|path| [start, &path].concat()));
        }
        match *word {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        before = if depth == 1 { word } else { "" };
    }
    found
}

fn contains_words(code: &str, what: &str) -> bool {
    let what = words(what);
    words(code).windows(what.len()).any(|found| found == what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::code_of;

    fn violations_in(module: &str, text: &str) -> Vec<String> {
        violations(module, &code_of(text))
    }

    #[test]
    fn downward_imports_are_allowed() {
        assert!(violations_in("plan", "use crate::base::units::Period; use crate::plan::Plan;").is_empty());
        assert!(
            violations_in(
                "cli",
                "fn f() { crate::report::status(&crate::api::Status::down(\"\")) }"
            )
            .is_empty()
        );
    }

    #[test]
    fn upward_and_sideways_imports_are_refused() {
        assert_eq!(
            violations_in("plan", "use crate::cli::run;"),
            ["`plan` must not know `cli`"]
        );
        assert_eq!(
            violations_in("plan", "fn f() { crate::probe::ask() }"),
            ["`plan` must not know `probe`"]
        );
        assert_eq!(
            violations_in("plan", "use crate :: api\n::Status;"),
            ["`plan` must not know `api`"]
        );
        assert!(
            violations_in(
                "erlang::beam",
                "use crate::erlang::{otp::Otp, distribution::Term};"
            )
            .is_empty()
        );
        assert_eq!(
            violations_in(
                "erlang::otp",
                "use crate::erlang::{distribution::{Term, Pid}, beam};"
            ),
            ["`erlang::otp` must not know `erlang::beam`"]
        );
    }

    #[test]
    fn paths_in_import_groups_are_found() {
        let group = "use crate::{base::{Period, Count}, report::{self, paint}, probe};";
        assert_eq!(
            violations_in("plan", group),
            ["`plan` must not know `report`", "`plan` must not know `probe`"]
        );
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = r##"
            //! [`crate::cli`] is unsafe
            /* crate::cli /* nested */ unsafe */
            const A: &str = "crate::cli \" unsafe"; const B: &str = r#"crate::cli " unsafe"#; const C: char = '"';
            fn f<'a>(_: &'a str) -> u8 { b'"' }
        "##;
        assert!(violations_in("plan", text).is_empty());
        assert_eq!(
            violations_in("plan", &format!("{text} use crate::cli;")),
            ["`plan` must not know `cli`"]
        );
    }

    #[test]
    fn unsafe_code_processes_and_printing_stay_in_their_modules() {
        assert_eq!(
            violations_in("node", "unsafe { f() }"),
            ["`unsafe` belongs into `platform`"]
        );
        assert_eq!(
            violations_in("node", "std::process::Command::new(p)"),
            ["`Command::new` belongs into `platform`"]
        );
        assert_eq!(
            violations_in("report", "println!(\"\")"),
            ["`println!` belongs into `cli`"]
        );
        assert_eq!(
            violations_in("report", "fn f() -> anyhow::Result<()>"),
            ["`anyhow` belongs into `cli`"]
        );
        assert!(violations_in("platform", "unsafe { Command::new(p) }").is_empty());
        assert!(violations_in("node", "#[expect(unsafe_code)] fn f() { command() }").is_empty());
    }

    #[test]
    fn a_module_without_a_layer_neither_imports_nor_is_imported() {
        assert_eq!(
            violations_in("attic", "use crate::base::units;"),
            ["`attic` must not know `base`"]
        );
        assert_eq!(
            violations_in("cli", "use crate::attic;"),
            ["`cli` must not know `attic`"]
        );
    }
}

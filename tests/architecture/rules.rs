//! The rules, as functions of a file's code.

use crate::source::words;

/// The house, from its cellar up. Modules of one layer do not know one another.
const LAYERS: [&[&str]; 7] = [
    &["units", "stats", "shutdown", "telemetry"],
    &["platform", "profile", "mcp", "erlang"],
    &["otp", "plan", "probe", "workers"],
    &["render", "runtime", "api", "erlmcp"],
    &["balancer", "beam", "dataplane", "node", "observe", "loadtest"],
    &["supervisor", "report"],
    &["cli"],
];

/// What may be said in one module only.
const ROOMS: [(&str, &str); 10] = [
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

/// What is wrong with `code`, a file of `module` without comments and strings.
pub(crate) fn violations(module: &str, code: &str) -> Vec<String> {
    let imports = imports(code);
    let forbidden = imports
        .iter()
        .filter(|import| *import != module && !is_below(import, module));
    let imported = forbidden.map(|import| format!("`{module}` must not know `{import}`"));
    let rooms = ROOMS
        .iter()
        .filter(|(said, room)| *room != module && says(code, said));
    let said = rooms.map(|(said, room)| format!("`{said}` belongs into `{room}`"));
    imported.chain(said).collect()
}

// Private

/// Whether `module` may import `import`. A module without layer may import nothing, and nobody may import it.
fn is_below(import: &str, module: &str) -> bool {
    layer(import).is_some_and(|import| layer(module).is_some_and(|module| import < module))
}

/// The top-level modules that `crate::` paths lead to, those in groups included.
fn imports(code: &str) -> Vec<String> {
    let words = words(code);
    let starts = words
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == ["crate", "::"]);
    starts
        .flat_map(|(index, _)| heads(&words[index + 2..]))
        .map(str::to_owned)
        .collect()
}

/// The first names of a path, or of each path in a group.
fn heads<'a>(words: &[&'a str]) -> Vec<&'a str> {
    if words.first() != Some(&"{") {
        return words.first().copied().into_iter().collect();
    }
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut before = "";
    for word in words {
        match *word {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 1 && matches!(before, "{" | ",") => heads.push(name),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        before = word;
    }
    heads
}

fn says(code: &str, what: &str) -> bool {
    let what = words(what);
    words(code).windows(what.len()).any(|said| said == what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::code_of;

    fn said(module: &str, text: &str) -> Vec<String> {
        violations(module, &code_of(text))
    }

    #[test]
    fn downwards_is_fine() {
        assert!(said("plan", "use crate::units::Period; use crate::plan::Plan;").is_empty());
        assert!(
            said(
                "cli",
                "fn f() { crate::report::status(&crate::api::Status::down(\"\")) }"
            )
            .is_empty()
        );
    }

    #[test]
    fn upwards_and_sideways_are_found() {
        assert_eq!(
            said("plan", "use crate::cli::run;"),
            ["`plan` must not know `cli`"]
        );
        assert_eq!(
            said("plan", "fn f() { crate::probe::ask() }"),
            ["`plan` must not know `probe`"]
        );
        assert_eq!(
            said("plan", "use crate :: api\n::Status;"),
            ["`plan` must not know `api`"]
        );
    }

    #[test]
    fn groups_are_looked_into() {
        let group = "use crate::{units::{Period, Count}, report::{self, paint}, probe};";
        assert_eq!(
            said("plan", group),
            ["`plan` must not know `report`", "`plan` must not know `probe`"]
        );
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = r##"
            //! [`crate::cli`] is unsafe
            /* crate::cli /* nested */ unsafe */
            const A: &str = "crate::cli \" unsafe"; const B: &str = r#"crate::cli " unsafe"#; const C: char = '"';
            fn f<'a>(_: &'a str) -> u8 { b'"' }
        "##;
        assert!(said("plan", text).is_empty());
        assert_eq!(
            said("plan", &format!("{text} use crate::cli;")),
            ["`plan` must not know `cli`"]
        );
    }

    #[test]
    fn what_is_dangerous_or_loud_stays_in_its_room() {
        assert_eq!(
            said("node", "unsafe { f() }"),
            ["`unsafe` belongs into `platform`"]
        );
        assert_eq!(
            said("node", "std::process::Command::new(p)"),
            ["`Command::new` belongs into `platform`"]
        );
        assert_eq!(
            said("report", "println!(\"\")"),
            ["`println!` belongs into `cli`"]
        );
        assert_eq!(
            said("report", "fn f() -> anyhow::Result<()>"),
            ["`anyhow` belongs into `cli`"]
        );
        assert!(said("platform", "unsafe { Command::new(p) }").is_empty());
        assert!(said("node", "#[expect(unsafe_code)] fn f() { command() }").is_empty());
    }

    #[test]
    fn a_module_without_layer_is_nobodys_neighbour() {
        assert_eq!(
            said("attic", "use crate::units;"),
            ["`attic` must not know `units`"]
        );
        assert_eq!(said("cli", "use crate::attic;"), ["`cli` must not know `attic`"]);
    }
}

//! `man`: one manual page of all commands.

use clap_mangen::Man;

use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;

/// Prints it.
pub(super) fn run(printer: &Printer) -> Outcome {
    printer.data(&page().map_err(Failure::new)?)?;
    Ok(Exit::Done)
}

// Private

fn page() -> std::io::Result<String> {
    let mut command = super::command().disable_help_subcommand(true);
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let man = Man::new(verb.clone());
        page.extend_from_slice(format!(".SH \"CLUSTERCTL {}\"\n", verb.get_name().to_uppercase()).as_bytes());
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        man.render_extra_section(&mut page)?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_has_its_place() {
        let page = super::page().unwrap();
        for verb in super::super::command().get_subcommands() {
            let heading = format!(".SH \"CLUSTERCTL {}\"", verb.get_name().to_uppercase());
            assert_eq!(page.contains(&heading), !verb.is_hide_set(), "{heading}");
        }
    }
}

//! `completions`: a shell's completions, as committed in `completions/`.

use clap_complete::Shell;

use super::exit::Exit;
use super::failure::Outcome;
use super::printer::Printer;

/// Prints the completions.
pub(super) fn run(printer: &Printer, shell: Shell) -> Outcome {
    printer.data(&script(shell))?;
    Ok(Exit::Done)
}

// Private

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "clusterctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

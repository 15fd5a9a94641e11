//! The balancer's files, written.

use crate::platform::atomic_file;
use std::collections::BTreeSet;
use std::fs;
use std::io;

use crate::balancer::{Away, ConfigFile};
use crate::supervisor::prepare::Prepared;
use crate::supervisor::spec::Spec;

/// Writes what is prepared, and who is away.
pub(in crate::supervisor) fn write_all(prepared: &Prepared, away: &Away) -> io::Result<()> {
    write_files(&prepared.setting, &prepared.files, away)
}

/// Writes the `files` of `setting`, and who is away.
pub(in crate::supervisor) fn write_files(
    setting: &Spec,
    files: &[ConfigFile],
    away: &Away,
) -> io::Result<()> {
    let orders = orders(setting, away)?;
    let ordered: BTreeSet<_> = orders.iter().map(|file| &file.path).collect();
    // Nobody who starts in between shall read that nobody is away.
    let others = files.iter().filter(|file| !ordered.contains(&file.path));
    write(others.chain(&orders))
}

/// Writes who is away.
pub(in crate::supervisor) fn write_orders(setting: &Spec, away: &Away) -> io::Result<()> {
    write(&orders(setting, away)?)
}

/// What says who is away.
pub(in crate::supervisor) fn orders(setting: &Spec, away: &Away) -> io::Result<Vec<ConfigFile>> {
    let orders = setting.balancer.order_files(setting.deployment(), away);
    orders.map_err(io::Error::other)
}

/// Whether the file says what it should.
pub(in crate::supervisor) fn is_written(file: &ConfigFile) -> bool {
    fs::read(&file.path).is_ok_and(|content| content == file.content.as_bytes())
}

/// Writes the files. One that says what it should already stays as old as it is: that tells whether it was read since.
pub(in crate::supervisor) fn write<'a>(files: impl IntoIterator<Item = &'a ConfigFile>) -> io::Result<()> {
    let unwritten = files.into_iter().filter(|file| !is_written(file));
    for file in unwritten {
        atomic_file::replace(&file.path, file.content.as_bytes(), atomic_file::PRIVATE)?;
    }
    Ok(())
}

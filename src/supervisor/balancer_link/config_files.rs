//! Writes the balancer's configuration files.

use crate::platform::atomic_file;
use std::collections::BTreeSet;
use std::fs;
use std::io;

use crate::balancer::{Away, ConfigFile};
use crate::supervisor::core::Core;
use crate::supervisor::prepare::Prepared;
use crate::supervisor::spec::Spec;

impl Core {
    /// Writes the list of drained nodes for balancer instances that start later.
    pub(in crate::supervisor) fn write_orders(&self) {
        if let Err(error) = write_orders(&self.spec, &self.away()) {
            tracing::error!("cannot write the list of drained nodes: {error}");
        }
    }

    /// Writes everything that a balancer instance reads when it starts.
    pub(in crate::supervisor) fn write_configuration(&self) {
        if let Err(error) = write_files(&self.spec, &self.files, &self.away()) {
            tracing::error!("cannot write the balancer's configuration: {error}");
        }
    }
}

/// Writes the prepared files and the list of nodes that get no new clients.
pub(in crate::supervisor) fn write_all(prepared: &Prepared, away: &Away) -> io::Result<()> {
    write_files(&prepared.spec, &prepared.files, away)
}

/// Writes the `files` of `spec` and the list of nodes that get no new clients.
pub(in crate::supervisor) fn write_files(spec: &Spec, files: &[ConfigFile], away: &Away) -> io::Result<()> {
    let orders = orders(spec, away)?;
    let ordered: BTreeSet<_> = orders.iter().map(|file| &file.path).collect();
    // An instance starting between the two writes must not read an empty list of drained nodes.
    let others = files.iter().filter(|file| !ordered.contains(&file.path));
    write(others.chain(&orders))
}

/// Writes the list of nodes that get no new clients.
pub(in crate::supervisor) fn write_orders(spec: &Spec, away: &Away) -> io::Result<()> {
    write(&orders(spec, away)?)
}

/// The files that list the nodes that get no new clients.
pub(in crate::supervisor) fn orders(spec: &Spec, away: &Away) -> io::Result<Vec<ConfigFile>> {
    let orders = spec.balancer.order_files(spec.deployment(), away);
    orders.map_err(io::Error::other)
}

/// The files as they are on disk, without those that `spec` writes for each order.
pub(in crate::supervisor) fn on_disk(spec: &Spec, files: &[ConfigFile]) -> Vec<ConfigFile> {
    let ordered = orders(spec, &Away::default()).unwrap_or_default();
    let on_disk = files.iter().map(|file| {
        let is_ordered = ordered.iter().any(|it| it.path == file.path);
        let content = fs::read_to_string(&file.path).ok().filter(|_| !is_ordered);
        ConfigFile {
            path: file.path.clone(),
            content: content.unwrap_or_else(|| file.content.clone()),
        }
    });
    on_disk.collect()
}

/// Whether the file has the intended content.
pub(in crate::supervisor) fn is_written(file: &ConfigFile) -> bool {
    fs::read(&file.path).is_ok_and(|content| content == file.content.as_bytes())
}

/// Writes the files. A file that already has the intended content is not rewritten: its
/// modification time shows whether the balancer has read it since.
pub(in crate::supervisor) fn write<'a>(files: impl IntoIterator<Item = &'a ConfigFile>) -> io::Result<()> {
    let unwritten = files.into_iter().filter(|file| !is_written(file));
    for file in unwritten {
        atomic_file::replace(&file.path, file.content.as_bytes(), atomic_file::PRIVATE)?;
    }
    Ok(())
}

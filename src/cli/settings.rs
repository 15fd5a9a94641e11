//! The global flags, resolved into what commands need. Each part is resolved when it is needed: a
//! command on a named run directory needs no profile.

use std::cell::OnceCell;

use super::args::Global;
use super::balancer_name::BalancerName;
use super::failure::Failure;
use crate::platform::RunDir;
use crate::profile::{self, BalancerKind, Cluster, Source};
use crate::render::Templates;
use crate::supervisor::Record;

/// The settings that every command gets.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Whether `--json` was given.
    pub(super) json: bool,
    /// Templates that replace the embedded ones.
    pub(super) templates: Option<std::path::PathBuf>,
    global: Global,
    /// The profile of the running cluster, for commands about it.
    running: Option<Source>,
    /// The profile that the flags name. It is read once, because a pipe cannot be read again.
    named: OnceCell<Source>,
}

impl Settings {
    /// The settings of the flags.
    pub(super) fn new(global: Global) -> Settings {
        Settings {
            json: global.json,
            // A daemon has another working directory.
            templates: global
                .templates
                .clone()
                .map(|path| std::path::absolute(&path).unwrap_or(path)),
            global,
            running: None,
            named: OnceCell::new(),
        }
    }

    /// The settings with the profile of the cluster that runs in the run directory, unless the
    /// flags name a profile.
    pub(super) fn of_what_runs(mut self) -> Settings {
        if !self.names_profile()
            && let Ok(run_dir) = self.run_dir()
            && let Ok(Some(record)) = Record::read(&run_dir)
            && !record.living().is_empty()
        {
            self.running = Some(record.launch.source);
        }
        self
    }

    /// The settings with one more value of the profile changed, also of the running cluster's.
    pub(super) fn with(mut self, set: &str) -> Settings {
        self.global.sets.push(set.to_owned());
        if let Some(running) = &mut self.running {
            running.sets.push(set.to_owned());
        }
        self
    }

    /// The profile's text and everything that changes it.
    ///
    /// # Errors
    /// When the profile does not exist or cannot be read.
    pub(super) fn source(&self) -> Result<Source, Failure> {
        match &self.running {
            Some(source) => Ok(source.clone()),
            None => self.source_of(None),
        }
    }

    /// The text of the profile `name`, or without it that of the flags, and everything that changes
    /// it.
    ///
    /// # Errors
    /// When the profile does not exist or cannot be read.
    pub(super) fn source_of(&self, name: Option<&str>) -> Result<Source, Failure> {
        let mut source = match name {
            Some(name) => Source::read(name)?,
            None => self.named()?,
        };
        source.sets.clone_from(&self.global.sets);
        source.port_offset = self.global.port_offset;
        Ok(source)
    }

    /// The current text of the `running` cluster's profile, with the changes that the flags make.
    ///
    /// # Errors
    /// When the profile no longer exists, or cannot be read.
    pub(super) fn source_over(&self, running: &Source) -> Result<Source, Failure> {
        let Global {
            profile,
            sets,
            port_offset,
            ..
        } = &self.global;
        let mut source = if profile == profile::DEFAULT {
            running.read_again()?
        } else {
            self.named()?
        };
        source.sets = running
            .sets
            .iter()
            .chain(sets.iter().filter(|set| !running.sets.contains(set)))
            .cloned()
            .collect();
        source.port_offset = if *port_offset == 0 {
            running.port_offset
        } else {
            *port_offset
        };
        Ok(source)
    }

    /// The text of the profile that the flags name.
    fn named(&self) -> Result<Source, Failure> {
        if let Some(source) = self.named.get() {
            return Ok(source.clone());
        }
        let source = Source::read(&self.global.profile)?;
        Ok(self.named.get_or_init(|| source).clone())
    }

    /// Whether a profile other than the default one was requested.
    pub(super) fn names_profile(&self) -> bool {
        let Global {
            profile,
            sets,
            port_offset,
            ..
        } = &self.global;
        profile != profile::DEFAULT || !sets.is_empty() || *port_offset != 0
    }

    /// The templates: the embedded ones, and those that replace them.
    pub(super) fn templates(&self) -> Templates {
        self.templates
            .as_ref()
            .map_or_else(Templates::embedded, Templates::overridden_by)
    }

    /// The cluster that the profile describes.
    ///
    /// # Errors
    /// With everything that is wrong with the profile.
    pub(super) fn cluster(&self) -> Result<Cluster, Failure> {
        Ok(profile::load(&self.source()?)?)
    }

    /// The balancer that was named, or the profile's.
    ///
    /// # Errors
    /// When no balancer has that name, or the profile is invalid.
    pub(super) fn balancer(&self, named: Option<&BalancerName>) -> Result<BalancerKind, Failure> {
        match named {
            Some(name) => name.kind(),
            None => Ok(self.cluster()?.balancer),
        }
    }

    /// The run directory: the one of the flags, else the one of the profile's cluster.
    ///
    /// # Errors
    /// When the flags do not name one, and the profile is invalid.
    pub(super) fn run_dir(&self) -> Result<RunDir, Failure> {
        match &self.global.run_dir {
            Some(path) => Ok(RunDir::at(path)),
            None => Ok(RunDir::default_for(&self.cluster()?.name)),
        }
    }

    /// The name of a cluster that does not run: the profile's, or the run directory's if the
    /// profile is invalid.
    pub(super) fn name(&self, run_dir: &RunDir) -> String {
        let from_path = || {
            let name = run_dir.path().file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        self.cluster()
            .map_or_else(|_| from_path(), |cluster| cluster.name)
    }
}

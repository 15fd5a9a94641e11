//! The global flags, resolved into what commands need. Each part is resolved when it is needed: a
//! command on a named run directory needs no profile.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::args::Global;
use super::balancer_name::BalancerName;
use super::failure::Failure;
use crate::platform::RunDir;
use crate::profile::{self, BalancerKind, Cluster, Resolved, Source};
use crate::render::Templates;
use crate::supervisor::{PrepareError, Record, resolve_missing};

/// The settings that every command gets.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Whether `--json` was given.
    pub(super) json: bool,
    /// Templates that replace the embedded ones.
    pub(super) templates: Option<PathBuf>,
    global: Global,
    /// The profile of the running cluster, for commands about it.
    running: Option<Source>,
    /// The addresses of that profile's host names.
    resolved: Resolved,
    /// The profile that the flags name. It is read once, because a pipe cannot be read again.
    named: OnceCell<Source>,
}

impl Settings {
    /// The name of a copied profile.
    pub(super) const PROFILE: &str = "profile.yaml";
    /// The name of a directory with copied templates.
    pub(super) const TEMPLATES: &str = "templates";

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
            resolved: Resolved::new(),
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
            self.resolved = record.launch.resolved;
        }
        self
    }

    /// The settings of the same flags for the cluster in `run_dir`; the profile is read again.
    pub(super) fn again(&self, run_dir: &RunDir) -> Settings {
        Settings::new(Global {
            run_dir: Some(run_dir.path().to_owned()),
            ..self.global.clone()
        })
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
        source.sets.clone_from(&running.sets);
        source = source.with_sets(sets);
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

    /// The run directory that the flags or the environment name.
    pub(super) fn named_run_dir(&self) -> Option<RunDir> {
        self.global.run_dir.as_ref().map(RunDir::at)
    }

    /// Whether the flags change values of the profile.
    pub(super) fn sets_values(&self) -> bool {
        !self.global.sets.is_empty()
    }

    /// The files and directories that the flags name, as absolute paths.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let profile = self.profile_file();
        profile.into_iter().chain(self.templates.clone()).collect()
    }

    /// The profile's absolute path, unless it is an embedded one.
    pub(super) fn profile_file(&self) -> Option<PathBuf> {
        let profile = Path::new(&self.global.profile);
        let is_file = profile::embedded(&self.global.profile).is_none();
        is_file.then(|| std::path::absolute(profile).unwrap_or_else(|_| profile.into()))
    }

    /// The same settings where `directory` has copies of the profile and the templates.
    pub(super) fn with_files_in(&self, directory: &Path) -> Settings {
        let mut global = self.global.clone();
        if self.profile_file().is_some() {
            let profile = directory.join(Settings::PROFILE);
            global.profile = profile.to_string_lossy().into_owned();
        }
        if self.templates.is_some() {
            global.templates = Some(directory.join(Settings::TEMPLATES));
        }
        Settings::new(global)
    }

    /// The flags that give another process in another directory these settings.
    ///
    /// # Errors
    /// When the profile is not a file that can be read again.
    pub(super) fn flags(&self, run_dir: &RunDir) -> Result<Vec<String>, Failure> {
        let Global {
            profile,
            sets,
            port_offset,
            ..
        } = &self.global;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut flags = vec!["--run-dir".to_owned(), text(run_dir.path())];
        if profile::embedded(profile).is_none() {
            let path = std::path::absolute(profile).map_err(Failure::new)?;
            if path.starts_with("/dev") || path.starts_with("/proc") {
                let error = format!("profile `{profile}` cannot be read again later");
                return Err(Failure::because(error).hint("save it as a file".to_owned()));
            }
            flags.extend(["--profile".to_owned(), text(&path)]);
        } else if profile != profile::DEFAULT {
            flags.extend(["--profile".to_owned(), profile.clone()]);
        }
        for set in sets {
            flags.extend(["--set".to_owned(), set.clone()]);
        }
        if *port_offset != 0 {
            flags.extend(["--port-offset".to_owned(), port_offset.to_string()]);
        }
        if let Some(templates) = &self.templates {
            flags.extend(["--templates".to_owned(), text(templates)]);
        }
        Ok(flags)
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

    /// The cluster that would run, with the addresses of the profile's host names.
    ///
    /// # Errors
    /// With everything that is wrong with the profile, or a host name that has no address.
    pub(super) async fn resolved_cluster(&self) -> Result<Cluster, Failure> {
        let source = self.source()?;
        let found = resolve_missing(&profile::hosts(&source)?, &self.resolved).await;
        let resolved = found.map_err(PrepareError::from)?;
        Ok(profile::load_with(&source, &resolved)?)
    }

    /// The cluster that the profile describes, without the addresses of host names.
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

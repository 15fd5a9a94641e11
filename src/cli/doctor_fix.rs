//! What `doctor --fix` changes on a host: one change after the other, each printed before it is
//! made, with the command that undoes it.

use std::io;
use std::path::Path;

use serde::Serialize;

use crate::plan::Remedy;
use crate::platform::Host;
use crate::platform::sysctl::Sysctl;

/// The first line of our own files.
const HEADER: &str = "# Written by `clusterctl doctor --fix`.\n";

/// One setting that was changed, or that could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// The kernel parameter, or the file.
    pub(super) setting: String,
    /// What the change does, in words.
    pub(super) what: String,
    /// Its value or content before; `None` for a missing file, or a parameter that cannot be read.
    pub(super) from: Option<String>,
    /// Its new value or content.
    pub(super) to: String,
    /// The shell command that restores the old state; `None` when nothing was changed.
    pub(super) undo: Option<String>,
    /// Why it was not changed.
    pub(super) error: Option<String>,
}

/// Is notified of each change.
pub(super) trait Observer {
    /// Why no more changes are made: the notification failed.
    type Stopped;

    /// The change is about to be made; it contains the command that undoes it.
    fn before(&mut self, change: &Change) -> Result<(), Self::Stopped>;

    /// The change failed; it contains the reason.
    fn failed(&mut self, change: &Change) -> Result<(), Self::Stopped>;
}

/// Applies `remedies`, as found on `host`, to `settings`. One failure does not prevent the other
/// changes.
///
/// # Errors
/// When a notification of `observer` fails; nothing is changed after that.
pub(super) fn apply_remedies<W: Observer>(
    remedies: &[Remedy],
    host: &Host,
    settings: &Sysctl,
    observer: &mut W,
) -> Result<Vec<Change>, W::Stopped> {
    let mut work = Fixer {
        settings,
        sudo: if host.root { "" } else { "sudo " },
        observer,
        changes: Vec::new(),
    };
    let mut kept = Vec::new();
    for (key, value) in remedies.iter().filter_map(|remedy| remedy.setting(host)) {
        if work.set(key, &value)? {
            kept.push((key, value));
        }
    }
    if !kept.is_empty() {
        let path = settings.sysctls_file();
        work.write(&path, "sets it at every boot", |former| merged(former, &kept))?;
    }
    for remedy in remedies {
        if let Remedy::Descriptors { limit } = remedy {
            let text = format!("{HEADER}* hard nofile {limit}\n");
            let effect = format!("allows users {limit} descriptors from their next login on");
            work.write(&settings.limits_file(), &effect, |_| text)?;
        }
    }
    Ok(work.changes)
}

// Private

struct Fixer<'a, W> {
    settings: &'a Sysctl,
    sudo: &'static str,
    observer: &'a mut W,
    changes: Vec<Change>,
}

impl<W: Observer> Fixer<'_, W> {
    /// Sets the kernel's parameter `key`; returns whether it is `value` now.
    fn set(&mut self, key: &str, value: &str) -> Result<bool, W::Stopped> {
        let former = self.settings.get(key);
        let now = match former.as_deref() {
            Ok("") => "; it is empty".to_owned(),
            Ok(former) => format!("; it is {former}"),
            Err(_) => String::new(),
        };
        let change = Change {
            setting: key.to_owned(),
            what: format!("set {key} to {value} until the next boot{now}"),
            to: value.to_owned(),
            undo: former.as_ref().ok().map(|former| self.unset(key, former)),
            from: former.as_ref().ok().cloned(),
            error: None,
        };
        let settings = self.settings;
        self.make(change, || former.and_then(|_| settings.set(key, value)))
    }

    /// Replaces the content of the file at `path` by what `content` makes of the former one;
    /// `effect` describes the result.
    fn write(
        &mut self,
        path: &Path,
        effect: &str,
        content: impl FnOnce(Option<&str>) -> String,
    ) -> Result<(), W::Stopped> {
        let former = Sysctl::read(path);
        let from = former.as_ref().ok().cloned().flatten();
        let to = content(from.as_deref());
        let name = path.display().to_string();
        let changes = from.as_deref() != Some(&to);
        let change = Change {
            what: if changes {
                format!("write {name}, which {effect}")
            } else {
                format!("{name} is already correct, and {effect}")
            },
            undo: (changes && former.is_ok()).then(|| self.unwrite(&name, from.as_deref())),
            setting: name,
            from,
            to: to.clone(),
            error: None,
        };
        self.make(change, || {
            former?;
            if changes {
                Sysctl::replace(path, &to)
            } else {
                Ok(())
            }
        })?;
        Ok(())
    }

    /// Makes the change; returns whether it succeeded.
    fn make(
        &mut self,
        mut change: Change,
        make: impl FnOnce() -> io::Result<()>,
    ) -> Result<bool, W::Stopped> {
        self.observer.before(&change)?;
        if let Err(error) = make() {
            change.error = Some(error.to_string());
            change.undo = None;
            self.observer.failed(&change)?;
        }
        let well = change.error.is_none();
        self.changes.push(change);
        Ok(well)
    }

    fn unset(&self, key: &str, former: &str) -> String {
        let sudo = self.sudo;
        match former {
            // `sysctl` does not accept an empty value.
            "" => format!("echo | {sudo}tee {}", self.settings.parameter(key).display()),
            word if !word.contains(' ') => format!("{sudo}sysctl -w {key}={word}"),
            words => format!("{sudo}sysctl -w '{key}={words}'"),
        }
    }

    fn unwrite(&self, path: &str, former: Option<&str>) -> String {
        let sudo = self.sudo;
        match former {
            None => format!("{sudo}rm {path}"),
            Some(text) => format!("printf '{}' | {sudo}tee {path} >/dev/null", escaped(text)),
        }
    }
}

/// `text` as an argument of `printf` in single quotes, on one line.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "%%")
        .replace('\'', "'\\''")
        .replace('\n', "\\n")
}

/// The former content of our own file, with the current values of the parameters in `settings`.
fn merged(former: Option<&str>, settings: &[(&str, String)]) -> String {
    let is_updated = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        settings.iter().any(|(set, _)| *set == key)
    };
    let others = former.unwrap_or(HEADER).lines();
    let others = others.filter(|line| !is_updated(line)).map(str::to_owned);
    let set = settings.iter().map(|(key, value)| format!("{key} = {value}"));
    let lines: Vec<String> = others.chain(set).collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// Records each notification, and the somaxconn of `settings` at that time.
    struct Listener<'a>(&'a Sysctl, Vec<(String, String)>);

    impl Observer for Listener<'_> {
        type Stopped = Infallible;

        fn before(&mut self, change: &Change) -> Result<(), Infallible> {
            let now = self.0.get("net.core.somaxconn").unwrap();
            self.1.push((change.setting.clone(), now));
            Ok(())
        }

        fn failed(&mut self, change: &Change) -> Result<(), Infallible> {
            self.1.push((format!("{} failed", change.setting), String::new()));
            Ok(())
        }
    }

    /// A host in a temporary directory.
    fn settings() -> (TempDir, Sysctl) {
        let root = tempfile::tempdir().unwrap();
        for directory in [
            "proc/sys/net/core",
            "proc/sys/net/ipv4",
            "etc/sysctl.d",
            "etc/security/limits.d",
        ] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let settings = Sysctl::below(root.path());
        for (key, value) in [
            ("net.core.somaxconn", "128\n"),
            ("net.ipv4.ip_local_port_range", "32768\t60999\n"),
            ("net.ipv4.ip_local_reserved_ports", "\n"),
        ] {
            fs::write(settings.parameter(key), value).unwrap();
        }
        (root, settings)
    }

    fn host() -> Host {
        Host {
            root: true,
            reserved: Vec::new(),
            ..Host::read()
        }
    }

    fn sysctl(key: &'static str, value: &str) -> Remedy {
        Remedy::Sysctl {
            key,
            value: value.to_owned(),
        }
    }

    fn mended(settings: &Sysctl, host: &Host, remedies: &[Remedy]) -> (Vec<Change>, Vec<(String, String)>) {
        let mut listener = Listener(settings, Vec::new());
        let Ok(changes) = apply_remedies(remedies, host, settings, &mut listener);
        (changes, listener.1)
    }

    fn undos(changes: &[Change]) -> Vec<&str> {
        changes
            .iter()
            .filter_map(|change| change.undo.as_deref())
            .collect()
    }

    #[test]
    fn each_parameter_is_announced_then_set_then_kept() {
        let (root, settings) = settings();
        let remedies = [
            Remedy::Reserve {
                ports: vec![8_000, 8_001],
            },
            sysctl("net.core.somaxconn", "4096"),
            sysctl("net.ipv4.ip_local_port_range", "6000 65535"),
        ];
        let (changes, reported) = mended(&settings, &host(), &remedies);
        assert_eq!(reported[1], ("net.core.somaxconn".to_owned(), "128".to_owned()));
        assert_eq!(reported[2].1, "4096");
        let top = root.path().display();
        assert_eq!(
            undos(&changes),
            [
                &format!("echo | tee {top}/proc/sys/net/ipv4/ip_local_reserved_ports"),
                "sysctl -w net.core.somaxconn=128",
                "sysctl -w 'net.ipv4.ip_local_port_range=32768 60999'",
                &format!("rm {top}/etc/sysctl.d/60-clusterctl.conf"),
            ]
        );
        assert_eq!(
            fs::read_to_string(settings.sysctls_file()).unwrap(),
            "# Written by `clusterctl doctor --fix`.\n\
             net.ipv4.ip_local_reserved_ports = 8000-8001\n\
             net.core.somaxconn = 4096\n\
             net.ipv4.ip_local_port_range = 6000 65535\n"
        );
        assert!(!settings.limits_file().exists());
    }

    #[test]
    fn kept_parameters_stay_and_can_be_restored() {
        let (root, settings) = settings();
        fs::write(
            settings.sysctls_file(),
            "# it's 5 %\na.b = 1\nnet.core.somaxconn=2\n",
        )
        .unwrap();
        let (changes, _) = mended(&settings, &host(), &[sysctl("net.core.somaxconn", "4096")]);
        assert_eq!(
            fs::read_to_string(settings.sysctls_file()).unwrap(),
            "# it's 5 %\na.b = 1\nnet.core.somaxconn = 4096\n"
        );
        assert_eq!(
            undos(&changes)[1],
            format!(
                "printf '# it'\\''s 5 %%\\na.b = 1\\nnet.core.somaxconn=2\\n' | tee {}/etc/sysctl.d/60-clusterctl.conf >/dev/null",
                root.path().display()
            )
        );
    }

    #[test]
    fn a_parameter_that_cannot_be_set_is_reported_and_the_rest_is_done() {
        let (_root, settings) = settings();
        let remedies = [
            sysctl("net.netfilter.nf_conntrack_max", "262144"),
            sysctl("net.core.somaxconn", "4096"),
        ];
        let (changes, reported) = mended(&settings, &host(), &remedies);
        assert_eq!(reported[1].0, "net.netfilter.nf_conntrack_max failed");
        assert!(changes[0].error.is_some() && changes[0].undo.is_none());
        assert_eq!(settings.get("net.core.somaxconn").unwrap(), "4096");
        let kept = fs::read_to_string(settings.sysctls_file()).unwrap();
        assert!(!kept.contains("conntrack"), "{kept}");
        // When no parameter was set, none is kept.
        fs::remove_file(settings.sysctls_file()).unwrap();
        assert_eq!(mended(&settings, &host(), &remedies[..1]).0.len(), 1);
        assert!(!settings.sysctls_file().exists());
    }

    #[test]
    fn limits_are_written_once() {
        let (root, settings) = settings();
        let user = Host {
            root: false,
            ..host()
        };
        let remedies = [Remedy::Descriptors { limit: 200_704 }];
        let (changes, _) = mended(&settings, &user, &remedies);
        assert_eq!(
            undos(&changes),
            [format!(
                "sudo rm {}/etc/security/limits.d/60-clusterctl.conf",
                root.path().display()
            )]
        );
        let written = fs::read_to_string(settings.limits_file()).unwrap();
        assert!(written.ends_with("\n* hard nofile 200704\n"), "{written}");
        let (again, _) = mended(&settings, &user, &remedies);
        assert_eq!((again.len(), undos(&again).len()), (1, 0));
        assert_eq!(fs::read_to_string(settings.limits_file()).unwrap(), written);
    }

    #[test]
    fn nothing_is_changed_after_a_failed_notification() {
        struct Stopped;
        impl Observer for Stopped {
            type Stopped = ();
            fn before(&mut self, _: &Change) -> Result<(), ()> {
                Err(())
            }
            fn failed(&mut self, _: &Change) -> Result<(), ()> {
                Err(())
            }
        }
        let (_root, settings) = settings();
        let remedies = [sysctl("net.core.somaxconn", "4096")];
        assert!(apply_remedies(&remedies, &host(), &settings, &mut Stopped).is_err());
        assert_eq!(settings.get("net.core.somaxconn").unwrap(), "128");
    }
}
